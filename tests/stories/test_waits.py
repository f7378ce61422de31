"""Whatever Azure keeps saying, it is asked less and less often, and after minutes the scale set is Failing."""

from datetime import timedelta
from itertools import pairwise

import pytest

from reconciler.rollout.reason import Status
from reconciler.simulator import Partial, Timeout
from reconciler.simulator import Status as Answer
from reconciler.simulator.faults import Fault, OperationFails, OperationLost
from tests.stories.world import FIX, NEW, OLD, World, fleet, scale_set, spec

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
PATCH, UPGRADE = "VirtualMachineScaleSets_Update", "VirtualMachineScaleSets_UpdateInstances"
MODEL, INSTANCES = "VirtualMachineScaleSets_Get", "VirtualMachineScaleSetVMs_List"


def count(world: World, operation: str) -> int:
    return world.requests().count(operation)


PERSISTENT = [
    pytest.param(PATCH, Answer(404, "NotFound", "no"), Status.RECONCILING, id="404 at the model"),
    pytest.param(PATCH, Answer(409, "Conflict", "no"), Status.RECONCILING, id="409 at the model"),
    pytest.param(PATCH, Answer(412, "PreconditionFailed", "no"), Status.RECONCILING, id="412 at the model"),
    pytest.param(PATCH, Answer(403, "AuthorizationFailed", "no"), Status.STALLED, id="403 at the model"),
    pytest.param(
        PATCH, Answer(401, "ExpiredAuthenticationToken", "no"), Status.RECONCILING, id="401 at the model"
    ),
    pytest.param(UPGRADE, Answer(409, "Conflict", "no"), Status.RECONCILING, id="409 at the upgrade"),
    pytest.param(UPGRADE, Answer(404, "NotFound", "no"), Status.RECONCILING, id="404 at the upgrade"),
    pytest.param(UPGRADE, Answer(403, "AuthorizationFailed", "no"), Status.STALLED, id="403 at the upgrade"),
    pytest.param(INSTANCES, Partial(1), Status.RECONCILING, id="a list that is never whole"),
    pytest.param(MODEL, Timeout(), Status.RECONCILING, id="no answer"),
]


@pytest.mark.parametrize(("operation", "fault", "first"), PERSISTENT)
def test_what_lasts_is_tried_less_often_and_fails_after_minutes(
    operation: str, fault: Fault, first: Status
) -> None:
    world = World(fleet(scale_set(capacity=5)), spec())
    world.azure.faults.arm(operation, fault, times=None)
    world.run(
        lambda: world.lines()["web"].split(":")[0] in {"Conflict", "Refused", "Unreachable", "PartialRead"}
    )
    assert world.outcomes[-1].status is first
    began, asked = world.clock.now(), count(world, operation)
    world.rest(11 * MINUTE)
    seen = world.state().outcome
    assert seen
    assert seen.status is (Status.STALLED if first is Status.STALLED else Status.FAILING)
    if first is not Status.STALLED:
        assert seen.line.endswith(
            f"; since {began:%a} {began:%Y-%m-%d %H:%M} UTC".replace(f"{began:%a} ", "", 1)
        )
    world.rest(6 * HOUR)
    assert count(world, operation) - asked <= 6 * 12 + 30, "not oftener than every five minutes in the end"
    world.azure.faults.disarm()
    done = f"UpToDate: all 5 instances run {NEW}"
    world.run(lambda: world.lines()["web"] == done, limit=HOUR)


def test_a_commit_that_says_something_else_of_it_starts_the_back_off_anew() -> None:
    world = World(fleet(scale_set(capacity=5)), spec())
    world.azure.faults.arm(PATCH, Answer(409, "Conflict", "no"), times=None)
    world.rest(2 * HOUR)
    asked = count(world, PATCH)
    world.merge(spec(version=FIX))
    world.rest(2 * MINUTE)
    assert count(world, PATCH) - asked >= 3
    assert world.outcomes[-1].status is Status.RECONCILING


def test_a_merge_every_two_minutes_elsewhere_changes_nothing_of_the_back_off() -> None:
    def asked(*, merges: bool) -> int:
        world = World(fleet(scale_set(), scale_set("api")), spec(), spec("api", version=OLD))
        world.azure.faults.arm(PATCH, Answer(409, "Conflict", "no"), times=None)
        for number in range(30):
            world.rest(2 * MINUTE)
            if merges:
                world.merge(spec(), spec("api", version=OLD, rollout={"soak": f"{number + 1}m"}))
        return count(world, PATCH)

    assert asked(merges=True) == asked(merges=False)


def test_an_upgrade_that_never_shows_is_tried_four_times_on_the_same_instances_and_no_others() -> None:
    world = World(fleet(scale_set(capacity=5)), spec())
    world.azure.faults.arm(UPGRADE, OperationLost(), times=None)
    world.rest(12 * HOUR)
    upgrades = [each for each in world.azure.record.requests if each.operation == UPGRADE]
    gaps = [round((b.at - a.at) / MINUTE) for a, b in pairwise(upgrades)]
    assert len({str(each.body) for each in upgrades}) == 1
    assert len(gaps) == 3
    assert all(5 * 2**n <= gap <= 5 * 2**n + 5 for n, gap in enumerate(gaps)), gaps
    assert world.reasons()[-1] == "ProgressDeadlineExceeded"
    seen = world.state().outcome
    assert seen
    assert seen.status is Status.FAILING
    world.azure.faults.disarm()
    world.merge(spec(rollout={"soak": "1s"}))
    world.run()
    assert world.lines()["web"] == f"UpToDate: all 5 instances run {NEW}"


def test_a_window_that_closes_and_opens_changes_nothing_of_an_upgrade_that_is_not_tried_again() -> None:
    """It would be Failing, Waiting and Reconciling in turn for as long as nobody looks."""
    window = {"kind": "deny", "schedule": "20 * * * *", "duration": "25m"}
    world = World(fleet(scale_set(capacity=5)), spec(rollout={"windows": [window]}))
    world.azure.faults.arm(UPGRADE, OperationLost(), times=None)
    world.run(lambda: count(world, UPGRADE) == 4)
    world.rest(10 * MINUTE)
    spent = len(world.outcomes)
    world.rest(6 * HOUR)
    assert count(world, UPGRADE) == 4
    assert {each.status for each in world.outcomes[spent:]} == {Status.FAILING}
    assert {*world.reasons()[-2:]} == {"NoEffect", "ProgressDeadlineExceeded"}


def test_a_retry_of_what_failed_stays_failing_until_something_changes() -> None:
    world = World(fleet(scale_set(capacity=5)), spec())
    world.azure.faults.arm(UPGRADE, OperationLost(), times=3)
    world.run(lambda: count(world, UPGRADE) == 3)
    since_failing = [each.status for each in world.outcomes]
    first = since_failing.index(Status.FAILING)
    assert set(since_failing[first:]) == {Status.FAILING}
    world.run()
    assert world.lines()["web"] == f"UpToDate: all 5 instances run {NEW}"


@pytest.mark.parametrize("operation", [PATCH, UPGRADE])
def test_an_operation_that_fails_again_and_again_is_failing_between_its_tries_too(operation: str) -> None:
    world = World(fleet(scale_set(capacity=5)), spec())
    world.azure.faults.arm(operation, OperationFails("AllocationFailed", "no capacity"), times=2)
    world.run(lambda: world.reasons()[-1:] == ["OperationFailed"])
    failed = len(world.outcomes) - 1
    world.run(lambda: count(world, operation) == 3)
    assert {each.status for each in world.outcomes[failed:-1]} == {Status.FAILING}
    world.run()
    assert world.lines()["web"] == f"UpToDate: all 5 instances run {NEW}"


def test_what_another_writer_has_set_back_once_is_not_said_to_be_unseen() -> None:
    world = World(fleet(scale_set(capacity=10)), spec(rollout={"canary": {"instances": 1, "soak": "1h"}}))
    world.run(lambda: "Soaking" in world.reasons())
    live = world.azure.scale_set("web")
    for _ in range(2):
        live.set_image(live.image.replace(NEW, OLD))
        world.rest(2 * MINUTE)
    assert world.lines()["web"] == (
        f"NoEffect: the model was set to {NEW} at 09:03:00, which succeeded, and is on {OLD}: something else has set it "
        "since; it is tried again after 09:08:00"
    )


def test_a_second_writer_that_sets_its_image_back_is_told_and_fought_slowly() -> None:
    world = World(fleet(scale_set(capacity=5)), spec())
    live = world.azure.scale_set("web")
    for _ in range(36):
        world.rest(10 * MINUTE)
        if live.image.endswith(NEW):
            live.set_image(live.image.replace(NEW, OLD))
    assert 3 < count(world, PATCH) <= 14
    line = world.lines()["web"]
    assert line.startswith("Contested: the model was set to")
    seen = world.state().outcome
    assert seen
    assert seen.status is Status.FAILING
