"""Azure's request budgets: what is left, what is kept for others, and what rests after a 429."""

import gc
import heapq
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial

import pytest

from reconciler.azure.budget import Bucket, BucketScope, Budget, Cost, OperationClass, Priority, Subject
from reconciler.azure.request_counter import RequestsLeft
from reconciler.simulator.quota import POLICIES
from tests.build import NOW
from tests.work import instructions

WEB = Subject("s", "westeurope", "web")
API = Subject("s", "westeurope", "api")
NORTH = Subject("s", "northeurope", "north")
OTHER = Subject("t", "westeurope", "web")
WHOLE = Subject("s")  # a list of the subscription
HIGH, RESOURCE = "HighCostGetVMScaleSetSubscriptionMaximum", "HighCostGetVMScaleSetResource"
MINUTE = timedelta(minutes=1)
WRITES = {OperationClass.PATCH, OperationClass.UPGRADE, OperationClass.TAG_WRITES}


def told(**left: int) -> dict[str, str]:
    """The header of an answer, as Azure sends it."""
    value = ",".join(f"Microsoft.Compute/{name};{count}" for name, count in left.items())
    return {"x-ms-ratelimit-remaining-resource": value}


def may(
    budget: Budget,
    subject: Subject = WEB,
    operation_class: OperationClass = OperationClass.HIGH_COST_GET,
    priority: Priority = Priority.ROLLOUT,
) -> bool:
    return budget.acquire(operation_class, subject, priority, NOW) is None


def test_an_unknown_budget_allows_requests() -> None:
    assert may(Budget())


@pytest.mark.parametrize(
    ("left", "priority", "goes"),
    [
        pytest.param(541, Priority.ROUTINE, True, id="a routine observation while more than half is left"),
        pytest.param(540, Priority.ROUTINE, False, id="a routine observation with half left"),
        pytest.param(540, Priority.ROLLOUT, True, id="a rollout with half left"),
        pytest.param(217, Priority.ROLLOUT, True, id="a rollout while more than a fifth is left"),
        pytest.param(216, Priority.ROLLOUT, False, id="a rollout with a fifth left"),
    ],
)
def test_a_part_is_left_to_others_and_rollouts_take_precedence(
    left: int, priority: Priority, goes: bool
) -> None:
    budget = Budget()
    budget.note(WEB, told(**{HIGH: left}), NOW)
    assert may(budget, priority=priority) is goes


def test_a_delay_has_its_length_and_reason() -> None:
    budget = Budget()
    budget.note(WEB, told(**{HIGH: 37}), NOW)
    wait = budget.acquire(OperationClass.HIGH_COST_GET, WEB, Priority.ROLLOUT, NOW)
    assert wait is not None
    assert wait.length == timedelta(seconds=30)  # for 180 requests at 360 a minute
    assert wait.why == f"only 37 of 1080 requests are left in {HIGH}, reserved for other clients"
    assert budget.acquire(OperationClass.HIGH_COST_GET, WEB, Priority.ROLLOUT, NOW + wait.length) is None


def test_a_clock_that_is_set_back_empties_no_bucket() -> None:
    budget = Budget()
    budget.note(WEB, told(**{HIGH: 218}), NOW)
    before = NOW - timedelta(hours=1)
    assert [
        budget.acquire(OperationClass.HIGH_COST_GET, WEB, Priority.ROLLOUT, before) is None for _ in range(3)
    ] == [
        True,
        True,
        False,
    ]


def test_requests_in_flight_are_counted_before_their_responses() -> None:
    budget = Budget()
    budget.note(WEB, told(**{HIGH: 219}), NOW)
    assert [may(budget) for _ in range(4)] == [True, True, True, False]


def test_a_response_does_not_reset_the_count_of_other_requests_in_flight() -> None:
    budget = Budget()
    budget.note(WEB, told(**{HIGH: 219}), NOW)
    assert may(budget)
    assert may(budget)
    budget.note(WEB, told(**{HIGH: 218}), NOW)  # the answer to the first one; the second is not counted yet
    budget.release(OperationClass.HIGH_COST_GET, WEB)
    assert [may(budget) for _ in range(2)] == [True, False]


def test_a_call_that_has_ended_is_no_longer_counted_as_in_flight() -> None:
    budget = Budget()
    for subject in (WEB, API):
        assert may(budget, subject)
    for subject in (WEB, API):
        budget.release(OperationClass.HIGH_COST_GET, subject)
    budget.note(WEB, told(**{HIGH: 500}), NOW)
    assert set(budget.requests_left(NOW)) == {RequestsLeft(HIGH, "s", "westeurope", 500)}


def test_nothing_is_in_flight_once_every_call_has_ended() -> None:
    """Calls of all classes and costs, about a scale set and about a whole subscription."""
    budget = Budget()
    calls = [
        (operation_class, subject, cost)
        for operation_class in OperationClass
        for subject in (WEB, API, NORTH, WHOLE)
        for cost in (Cost(), Cost(3, 250), Cost(1, 0))
    ]
    for operation_class, subject, cost in calls:
        assert budget.acquire(operation_class, subject, Priority.ROLLOUT, NOW, cost) is None
    for number, (operation_class, subject, cost) in enumerate(reversed(calls)):
        if number % 2:  # the others ended without a response
            budget.note(subject, told(**{HIGH: 999}), NOW, cost)
        budget.release(operation_class, subject, cost)
    later = NOW + timedelta(seconds=2)
    shared = [each for each in BUCKETS.values() if each.scope is not BucketScope.RESOURCE]
    for bucket in shared:
        name = bucket.name
        headers = told(**{name: 7}) | {f"x-ms-ratelimit-remaining-{name}": "7"}
        for subject in (WEB, NORTH, WHOLE):
            budget.note(subject, headers, later)
    assert {(each.bucket, each.requests) for each in budget.requests_left(later)} == {
        (bucket.name, 7) for bucket in shared
    }


@pytest.mark.parametrize(
    ("left", "requests", "goes"),
    [
        pytest.param(7, 5, True, id="a short list goes as soon as a single request does"),
        pytest.param(6, 5, False, id="a short list leaves the part for others"),
        pytest.param(20, 20, True, id="a long list may take the part for others"),
        pytest.param(19, 20, False, id="a list is not read in part"),
        pytest.param(29, 30, False, id="a list as long as the bucket waits until it is full"),
        pytest.param(30, 40, True, id="a list longer than the bucket goes when it is full"),
    ],
)
def test_a_list_is_acquired_as_a_whole(left: int, requests: int, *, goes: bool) -> None:
    budget = Budget()
    budget.note(WEB, told(**{RESOURCE: left}), NOW)
    assert (
        budget.acquire(OperationClass.HIGH_COST_GET, WEB, Priority.ROLLOUT, NOW, Cost(requests)) is None
    ) is goes


def test_a_bucket_fills_again_and_not_beyond_its_size() -> None:
    budget = Budget()
    budget.note(WEB, told(**{RESOURCE: 0}), NOW)
    assert not may(budget)
    assert budget.acquire(OperationClass.HIGH_COST_GET, WEB, Priority.ROLLOUT, NOW + MINUTE) is None
    budget.note(WEB, told(**{RESOURCE: 30}), NOW)
    at = NOW + 60 * MINUTE
    assert [
        budget.acquire(OperationClass.HIGH_COST_GET, WEB, Priority.ROLLOUT, at) is None for _ in range(25)
    ].count(True) == 24


@pytest.mark.parametrize(
    ("policy", "free"),
    [
        pytest.param(HIGH, [NORTH, OTHER], id="of a region: other regions and subscriptions are free"),
        pytest.param(RESOURCE, [API, NORTH, OTHER], id="of a scale set: all others are free"),
    ],
)
def test_a_budget_is_of_its_subject(policy: str, free: list[Subject]) -> None:
    budget = Budget()
    budget.note(WEB, told(**{policy: 0}), NOW)
    assert [subject for subject in (WEB, API, NORTH, OTHER) if may(budget, subject)] == free
    assert may(budget, operation_class=OperationClass.GET)


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param(told(VmssQueuedVMOperations=0), id="the queue counts up"),
        pytest.param(told(HighCostGetVMScaleSet3Min=0), id="an unknown budget"),
        pytest.param({"x-ms-ratelimit-remaining-resource": "nonsense"}, id="nonsense"),
        pytest.param(
            {"x-ms-ratelimit-remaining-resource": f"Microsoft.Compute/{HIGH};many"}, id="not a number"
        ),
        pytest.param(told(**{HIGH: 10**400}), id="more than fits a float"),
        pytest.param(
            {"x-ms-ratelimit-remaining-subscription-reads": "9" * 5000}, id="more digits than Python reads"
        ),
        pytest.param({}, id="no header"),
    ],
)
def test_what_is_no_budget_blocks_nothing(headers: dict[str, str]) -> None:
    budget = Budget()
    budget.note(WEB, headers, NOW)
    assert may(budget)


def test_the_buckets_of_the_gateway_cover_all_regions_and_may_be_emptied() -> None:
    budget = Budget()
    budget.note(WEB, {"x-ms-ratelimit-remaining-subscription-reads": "3"}, NOW)
    assert [may(budget, NORTH, operation_class=OperationClass.GET) for _ in range(4)] == [
        True,
        True,
        True,
        False,
    ]
    assert not may(budget, WHOLE)
    assert may(budget, OTHER)
    assert may(budget, operation_class=OperationClass.PATCH)
    budget.note(WEB, {"X-Ms-Ratelimit-Remaining-Subscription-Writes": "0"}, NOW)
    assert not may(budget, operation_class=OperationClass.UPGRADE)


@pytest.mark.parametrize(
    ("policy", "free"),
    [
        pytest.param("HighCostGetVMScaleSet3Min", [NORTH, OTHER], id="of a region"),
        pytest.param(RESOURCE, [API, NORTH, OTHER], id="of a scale set"),
    ],
)
def test_after_a_429_its_class_backs_off_until_the_time_that_azure_named(
    policy: str, free: list[Subject]
) -> None:
    budget = Budget()
    budget.back_off(OperationClass.HIGH_COST_GET, WEB, policy, NOW + MINUTE)
    assert [subject for subject in (WEB, API, NORTH, OTHER) if may(budget, subject)] == free
    assert may(budget, operation_class=OperationClass.GET)
    wait = budget.acquire(OperationClass.HIGH_COST_GET, WEB, Priority.ROLLOUT, NOW)
    assert wait is not None
    assert (wait.length, wait.why) == (MINUTE, "Azure allows no request of this kind before 09:01:00 UTC")
    assert budget.acquire(OperationClass.HIGH_COST_GET, WEB, Priority.ROLLOUT, NOW + MINUTE) is None


def test_a_request_for_every_region_draws_on_the_bucket_of_each() -> None:
    budget = Budget()
    budget.note(NORTH, told(**{HIGH: 0}), NOW)
    assert not may(budget, WHOLE)
    assert may(budget, WEB)
    budget = Budget()
    budget.back_off(OperationClass.HIGH_COST_GET, NORTH, HIGH, NOW + MINUTE)
    assert not may(budget, WHOLE)
    assert may(budget, WEB)


def test_a_scale_set_whose_region_is_not_known_waits_for_every_region() -> None:
    budget = Budget()
    budget.note(NORTH, told(**{HIGH: 0}), NOW)
    assert not may(budget, Subject("s", "", "new"))


def test_a_bucket_that_takes_longer_than_an_hour_to_fill_is_not_forgotten_meanwhile() -> None:
    budget = Budget()
    budget.note(WEB, told(**{RESOURCE: 30}), NOW)
    assert budget.acquire(OperationClass.HIGH_COST_GET, WEB, Priority.ROLLOUT, NOW, Cost(900)) is None
    wait = budget.acquire(OperationClass.HIGH_COST_GET, WEB, Priority.ROLLOUT, NOW + 61 * MINUTE)
    assert wait is not None
    assert wait.length == 26.7 * MINUTE  # 900 - 610 - 30 = 260 too many; for 267 requests at 10 a minute


def test_patches_of_one_scale_set_are_counted_apart_from_its_upgrades() -> None:
    budget = Budget()
    budget.note(WEB, told(VMScaleSetActionsResource=0), NOW)
    assert not may(budget, operation_class=OperationClass.PATCH)
    assert may(budget, operation_class=OperationClass.UPGRADE)
    budget.back_off(OperationClass.UPGRADE, WEB, "VMScaleSetActionsSubscriptionMaximum", NOW + MINUTE)
    assert not may(budget, API, operation_class=OperationClass.PATCH)


def test_requests_left_are_those_of_a_region_or_of_all_and_fill_again() -> None:
    budget = Budget()
    budget.note(WEB, told(**{HIGH: 100, RESOURCE: 7}), NOW)
    budget.note(Subject("s"), told(**{HIGH: 50}), NOW)
    budget.note(WEB, {"x-ms-ratelimit-remaining-subscription-reads": "3"}, NOW)
    later = NOW + timedelta(seconds=1, milliseconds=100)
    assert set(budget.requests_left(later)) == {
        RequestsLeft(HIGH, "s", "westeurope", 106),  # 360 a minute
        RequestsLeft(HIGH, "s", "", 56),
        RequestsLeft("subscription-reads", "s", "", 30),  # 1500 a minute
    }


def test_no_bucket_has_less_than_nothing_left() -> None:
    """Eight lists of 1,000 instances are in flight when Azure has 2,000 left."""
    budget, high, listing = Budget(), OperationClass.HIGH_COST_GET, Cost(10, 1000)
    views = "VMScaleSetVMViewsSubscriptionMaximum"
    for number in range(8):
        subject = Subject("s", "westeurope", f"web-{number}")
        assert budget.acquire(high, subject, Priority.ROLLOUT, NOW, listing) is None
    budget.note(WEB, told(**{views: 2000}), NOW, listing)
    assert set(budget.requests_left(NOW)) == {RequestsLeft(views, "s", "westeurope", 0)}
    wait = budget.acquire(high, WEB, Priority.ROLLOUT, NOW, listing)
    assert wait is not None
    assert wait.why == f"only 0 of 30000 instances are left in {views}, reserved for other clients"


def test_requests_left_are_unknown_before_a_response() -> None:
    assert list(Budget().requests_left(NOW)) == []


def test_after_the_announced_delay_a_request_is_left() -> None:
    for left in range(217):
        budget = Budget()
        budget.note(WEB, told(**{HIGH: left}), NOW)
        wait = budget.acquire(OperationClass.HIGH_COST_GET, WEB, Priority.ROLLOUT, NOW)
        if wait is not None:
            assert (
                budget.acquire(OperationClass.HIGH_COST_GET, WEB, Priority.ROLLOUT, NOW + wait.length) is None
            ), left


def test_after_a_429_of_the_gateway_all_reads_back_off_and_no_write_does() -> None:
    budget = Budget()
    budget.back_off(OperationClass.GET, WEB, "", NOW + MINUTE)
    assert not may(budget, NORTH)
    assert not any(
        may(budget, API, operation_class)
        for operation_class in OperationClass
        if operation_class not in WRITES
    )
    assert may(budget, API, OperationClass.PATCH)


def test_a_shorter_back_off_does_not_end_a_longer_one() -> None:
    budget = Budget()
    budget.back_off(OperationClass.GET, WEB, "GetVMScaleSet3Min", NOW + 5 * MINUTE)
    budget.back_off(OperationClass.GET, API, "GetVMScaleSet3Min", NOW + MINUTE)
    assert budget.acquire(OperationClass.GET, WEB, Priority.ROLLOUT, NOW + 2 * MINUTE) is not None


@pytest.mark.parametrize(
    ("operation", "operation_class"),
    [
        pytest.param("VirtualMachineScaleSets_Get", OperationClass.GET, id="get"),
        pytest.param(
            "VirtualMachineScaleSetRollingUpgrades_GetLatest", OperationClass.GET, id="latest rolling upgrade"
        ),
        pytest.param("VirtualMachineScaleSetVMs_List", OperationClass.HIGH_COST_GET, id="list of instances"),
        pytest.param("VirtualMachineScaleSets_Update", OperationClass.PATCH, id="patch"),
        pytest.param("VirtualMachineScaleSets_UpdateInstances", OperationClass.UPGRADE, id="manual upgrade"),
        pytest.param("Operations_Get", OperationClass.OPERATION, id="operation"),
    ],
)
def test_every_budget_of_the_simulator_is_known_with_its_size(
    operation: str, operation_class: OperationClass
) -> None:
    """What Azure charges an operation to is what we watch for it: each is used up, and holds it up."""
    for policy in POLICIES[operation]:
        budget = Budget()
        budget.note(WEB, told(**{policy.name: policy.size // 5}), NOW)
        wait = budget.acquire(operation_class, WEB, Priority.ROLLOUT, NOW, Cost(instances=1))
        assert wait is not None, policy.name
        counted = "instances" if policy.per_vm else "requests"
        assert f" of {policy.size} {counted} are left in {policy.name}, " in wait.why


@pytest.mark.parametrize(
    ("operation_class", "cost", "left", "goes"),
    [
        pytest.param(
            OperationClass.HIGH_COST_GET,
            Cost(10, 1000),
            6001,
            True,
            id="a list that takes of the others' part",
        ),
        pytest.param(
            OperationClass.HIGH_COST_GET, Cost(10, 1000), 6000, False, id="a list with nothing but that part"
        ),
        pytest.param(
            OperationClass.HIGH_COST_GET, Cost(70, 7000), 7000, True, id="a list with enough for each"
        ),
        pytest.param(OperationClass.HIGH_COST_GET, Cost(70, 7000), 6999, False, id="a list with one too few"),
        pytest.param(OperationClass.HIGH_COST_GET, Cost(2), 0, True, id="a list of scale sets"),
        pytest.param(OperationClass.UPGRADE, Cost(1, 20), 1201, True, id="an upgrade of the others' part"),
        pytest.param(OperationClass.UPGRADE, Cost(1, 20), 1200, False, id="an upgrade with only that part"),
    ],
)
def test_what_azure_counts_by_the_instance_is_acquired_by_the_instance(
    operation_class: OperationClass, cost: Cost, left: int, *, goes: bool
) -> None:
    budget = Budget()
    counted = next(bucket for bucket in operation_class.buckets if bucket.counts_instances)
    budget.note(WEB, told(**{counted.name: left}), NOW)
    assert (budget.acquire(operation_class, WEB, Priority.ROLLOUT, NOW, cost) is None) is goes


def test_a_response_does_not_reset_the_count_of_other_instances_in_flight() -> None:
    budget, listing, high = Budget(), Cost(1, 100), OperationClass.HIGH_COST_GET
    views = "VMScaleSetVMViewsSubscriptionMaximum"
    budget.note(WEB, told(**{views: 6300}), NOW)
    assert budget.acquire(high, WEB, Priority.ROLLOUT, NOW, listing) is None
    assert budget.acquire(high, API, Priority.ROLLOUT, NOW, listing) is None
    budget.note(WEB, told(**{views: 6200}), NOW, listing)  # the second one is not counted yet
    budget.release(high, WEB, listing)
    goes = [budget.acquire(high, WEB, Priority.ROLLOUT, NOW, listing) is None for _ in range(2)]
    assert goes == [True, False]


def test_a_large_list_is_not_starved_by_small_ones() -> None:
    """60 scale sets of 100 instances and one of 1,000 want their lists more often than Azure allows."""
    budget, high, views = Budget(), OperationClass.HIGH_COST_GET, "VMScaleSetVMViewsSubscriptionMaximum"
    left, last = 30_000.0, NOW
    due = [(NOW, number) for number in range(61)]
    large: list[timedelta] = []
    while (entry := heapq.heappop(due))[0] < NOW + 10 * MINUTE:
        at, number = entry
        left, last = min(30_000, left + (at - last) / MINUTE * 10_000), at
        subject, cost = Subject("s", "westeurope", f"web-{number}"), Cost(1, 100 if number else 1000)
        wait = budget.acquire(high, subject, Priority.ROLLOUT, at, cost)
        if wait is None:
            left -= cost.instances
            budget.note(subject, told(**{views: int(left)}), at, cost)
            budget.release(high, subject, cost)
            large += [] if number else [at - NOW]
        pause = wait.length + timedelta(seconds=number / 100) if wait else timedelta(seconds=15)
        heapq.heappush(due, (at + pause, number))
    assert left < 7000, "the budget is scarce"
    assert sum(at > 5 * MINUTE for at in large) > 10


BUCKETS = {bucket.name: bucket for each in OperationClass for bucket in each.buckets}


@pytest.mark.parametrize("bucket", [pytest.param(bucket, id=name) for name, bucket in BUCKETS.items()])
def test_a_budget_counts_instances_where_azure_does(bucket: Bucket) -> None:
    counted = {policy.name: policy.per_vm for policies in POLICIES.values() for policy in policies}
    assert bucket.counts_instances is counted.get(bucket.name, False)


def busy(scale_sets: int) -> Budget:
    """A budget with every scale set: instances listed, one patch in flight, one with a 429."""
    budget = Budget()
    for number in range(scale_sets):
        subject = Subject("s", "westeurope", f"web-{number}")
        assert may(budget, subject, OperationClass.PATCH)
        budget.note(subject, told(**{HIGH: 1000, RESOURCE: 29}), NOW)
    for number in range(scale_sets):
        subject = Subject("s", "westeurope", f"web-{number}")
        budget.back_off(OperationClass.PATCH, subject, "VMScaleSetActionsResource", NOW + MINUTE)
    return budget


@pytest.fixture(scope="module")
def small_and_large() -> tuple[Budget, Budget]:
    return busy(10), busy(10_000)


ONE_OF_THEM = Subject("s", "westeurope", "web-5")


@pytest.mark.parametrize(
    "act",
    [
        pytest.param(lambda budget: may(budget, ONE_OF_THEM), id="a request that may go"),
        pytest.param(
            lambda budget: may(budget, ONE_OF_THEM, OperationClass.PATCH), id="a request that must wait"
        ),
        pytest.param(lambda budget: may(budget, WHOLE), id="a list of the subscription"),
        pytest.param(
            lambda budget: budget.note(ONE_OF_THEM, told(**{HIGH: 9, RESOURCE: 9}), NOW), id="a response"
        ),
        pytest.param(
            lambda budget: budget.release(OperationClass.PATCH, ONE_OF_THEM), id="the end of a call"
        ),
        pytest.param(
            lambda budget: budget.back_off(OperationClass.PATCH, ONE_OF_THEM, RESOURCE, NOW + MINUTE),
            id="a 429",
        ),
    ],
)
def test_the_cost_of_a_request_does_not_depend_on_the_number_of_scale_sets(
    act: Callable[[Budget], object], small_and_large: tuple[Budget, Budget]
) -> None:
    small, large = (instructions(partial(act, budget)) for budget in small_and_large)
    assert 0 < large == small


def remembered(thing: object) -> Iterator[Subject]:
    """Each subject that a budget, or a collection in it, refers to."""
    for each in gc.get_referents(thing):
        if isinstance(each, Subject):
            yield each
        elif isinstance(each, (dict, tuple)) or type(each).__module__.startswith("reconciler."):
            yield from remembered(each)


def test_deleted_scale_sets_are_forgotten() -> None:
    """One new scale set a day for ten years, each listed once, patched once and refused once."""
    budget = Budget()
    for day in range(3650):
        at, subject = NOW + timedelta(days=day), Subject("s", "westeurope", f"web-{day}")
        assert budget.acquire(OperationClass.HIGH_COST_GET, subject, Priority.ROLLOUT, at) is None
        budget.note(subject, told(**{HIGH: 1000, RESOURCE: 29}), at)
        budget.release(OperationClass.HIGH_COST_GET, subject)
        budget.back_off(OperationClass.PATCH, subject, "VMScaleSetActionsResource", at + 5 * MINUTE)
    assert 0 < len(list(remembered(budget))) < 20
