"""An error that lasts is retried less and less often, and after minutes the status is Failing."""

from datetime import timedelta
from itertools import pairwise

import pytest

from reconciler.rollout.reason import Status
from reconciler.simulator import Page, Partial, Timeout
from reconciler.simulator import Status as Answer
from reconciler.simulator.faults import Fault, OperationFails, OperationLost
from tests.messages import says
from tests.stories.world import FIX, NEW, OLD, World, fleet, scale_set, spec

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
PATCH, UPGRADE = "VirtualMachineScaleSets_Update", "VirtualMachineScaleSets_UpdateInstances"
MODEL, INSTANCES = "VirtualMachineScaleSets_Get", "VirtualMachineScaleSetVMs_List"


def count(world: World, operation: str) -> int:
    return world.requests().count(operation)


PERSISTENT = [
    pytest.param(
        PATCH,
        Answer(404, "NotFound", "The scale set was not found."),
        Status.RECONCILING,
        id="404 to the change of the model",
    ),
    pytest.param(
        PATCH,
        Answer(409, "Conflict", "Another request is changing this scale set."),
        Status.RECONCILING,
        id="409 to the change of the model",
    ),
    pytest.param(
        PATCH,
        Answer(412, "PreconditionFailed", "The etag of the scale set has changed."),
        Status.RECONCILING,
        id="412 to the change of the model",
    ),
    pytest.param(
        PATCH,
        Answer(403, "AuthorizationFailed", "The client does not have authorization to perform action."),
        Status.STALLED,
        id="403 to the change of the model",
    ),
    pytest.param(
        PATCH,
        Answer(401, "ExpiredAuthenticationToken", "The access token has expired."),
        Status.RECONCILING,
        id="401 to the change of the model",
    ),
    pytest.param(
        UPGRADE,
        Answer(409, "Conflict", "Another request is changing this scale set."),
        Status.RECONCILING,
        id="409 to the upgrade",
    ),
    pytest.param(
        UPGRADE,
        Answer(404, "NotFound", "The scale set was not found."),
        Status.RECONCILING,
        id="404 to the upgrade",
    ),
    pytest.param(
        UPGRADE,
        Answer(403, "AuthorizationFailed", "The client does not have authorization to perform action."),
        Status.STALLED,
        id="403 to the upgrade",
    ),
    pytest.param(INSTANCES, Partial(1), Status.RECONCILING, id="a list that is never complete"),
    pytest.param(MODEL, Timeout(), Status.RECONCILING, id="no answer to the read of the model"),
]


@pytest.mark.parametrize(("operation", "fault", "first"), PERSISTENT)
def test_a_lasting_error_is_retried_less_often_and_reported_as_failing(
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
        assert seen.line == says(str(seen.reason), f"{began:%Y-%m-%d %H:%M} UTC")
    world.rest(6 * HOUR)
    assert count(world, operation) - asked <= 6 * 12 + 30, "at most every five minutes in the end"
    world.azure.faults.disarm()
    done = says("UpToDate", "5", NEW)
    world.run(lambda: world.lines()["web"] == done, limit=HOUR)


def test_a_commit_for_the_scale_set_restarts_its_backoff() -> None:
    world = World(fleet(scale_set(capacity=5)), spec())
    world.azure.faults.arm(
        PATCH, Answer(409, "Conflict", "Another request is changing this scale set."), times=None
    )
    world.rest(2 * HOUR)
    asked = count(world, PATCH)
    world.merge(spec(version=FIX))
    world.rest(2 * MINUTE)
    assert count(world, PATCH) - asked >= 3
    assert world.outcomes[-1].status is Status.RECONCILING


def test_merges_for_another_scale_set_do_not_restart_the_backoff() -> None:
    def asked(*, merges: bool) -> int:
        world = World(fleet(scale_set(), scale_set("api")), spec(), spec("api", version=OLD))
        world.azure.faults.arm(
            PATCH, Answer(409, "Conflict", "Another request is changing this scale set."), times=None
        )
        for number in range(30):
            world.rest(2 * MINUTE)
            if merges:
                world.merge(spec(), spec("api", version=OLD, rollout={"soak": f"{number + 1}m"}))
        return count(world, PATCH)

    assert asked(merges=True) == asked(merges=False)


def test_an_upgrade_without_effect_is_tried_four_times_on_the_same_instances() -> None:
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
    assert world.lines()["web"] == says("UpToDate", "5", NEW)


def test_an_upgrade_that_is_not_retried_stays_failing_while_windows_close_and_open() -> None:
    """Otherwise the status would alternate between Failing, Waiting and Reconciling, and no alert would fire."""
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


@pytest.mark.parametrize("before", [0, 2], ids="{} batches before it".format)
def test_retries_of_an_upgrade_without_effect_stay_failing(before: int) -> None:
    """Confirming the health of what was upgraded before ends no wait."""
    world = World(fleet(scale_set(capacity=5)), spec(health={"passes": 3}))
    world.run(lambda: count(world, UPGRADE) == before)
    world.azure.faults.arm(UPGRADE, OperationLost(), times=3)
    world.run(lambda: count(world, UPGRADE) == before + 3)
    since_failing = [each.status for each in world.outcomes]
    first = since_failing.index(Status.FAILING)
    assert set(since_failing[first:]) == {Status.FAILING}
    world.run()
    assert world.lines()["web"] == says("UpToDate", "5", NEW)


@pytest.mark.parametrize(
    "lost", [OperationLost(), OperationFails("AllocationFailed", "no capacity")], ids=["lost", "failed"]
)
@pytest.mark.parametrize("passes", [1, 2, 5], ids="health.passes {}".format)
def test_an_upgrade_that_never_succeeds_ends_at_the_progress_deadline_in_any_batch(
    passes: int, lost: Fault
) -> None:
    world = World(
        fleet(scale_set(capacity=5)), spec(health={"passes": passes}, rollout={"progressDeadline": "1h"})
    )
    world.run(lambda: count(world, UPGRADE) == 2)
    world.azure.faults.arm(UPGRADE, lost, times=None)
    world.rest(3 * HOUR)
    assert world.outcomes[-1].status is Status.FAILING
    assert world.reasons()[-1] == "ProgressDeadlineExceeded"
    written = count(world, UPGRADE)
    world.rest(12 * HOUR)
    assert count(world, UPGRADE) == written


@pytest.mark.parametrize("operation", [PATCH, UPGRADE])
def test_an_operation_that_fails_repeatedly_stays_failing_between_retries(operation: str) -> None:
    world = World(fleet(scale_set(capacity=5)), spec())
    world.azure.faults.arm(operation, OperationFails("AllocationFailed", "no capacity"), times=2)
    world.run(lambda: world.reasons()[-1:] == ["OperationFailed"])
    failed = len(world.outcomes) - 1
    world.run(lambda: count(world, operation) == 3)
    assert {each.status for each in world.outcomes[failed:-1]} == {Status.FAILING}
    world.run()
    assert world.lines()["web"] == says("UpToDate", "5", NEW)


def test_a_revert_of_the_model_by_another_writer_is_reported_as_such() -> None:
    world = World(fleet(scale_set(capacity=10)), spec(rollout={"canary": {"instances": 1, "soak": "1h"}}))
    world.run(lambda: "Soaking" in world.reasons())
    live = world.azure.scale_set("web")
    for _ in range(2):
        live.set_image(live.image.replace(NEW, OLD))
        world.rest(2 * MINUTE)
    assert world.lines()["web"] == says("NoEffect", NEW, "09:03:00", OLD, "09:08:00")


def test_a_writer_that_keeps_reverting_the_model_is_reported_as_contested() -> None:
    world = World(fleet(scale_set(capacity=5)), spec())
    live = world.azure.scale_set("web")
    for _ in range(36):
        world.rest(10 * MINUTE)
        if live.image.endswith(NEW):
            live.set_image(live.image.replace(NEW, OLD))
    assert 3 < count(world, PATCH) <= 14
    line = world.lines()["web"]
    assert line == says("Contested")
    seen = world.state().outcome
    assert seen
    assert seen.status is Status.FAILING


@pytest.mark.parametrize(
    ("fault", "reason", "last"),
    [
        pytest.param(Timeout(), "Unreachable", Status.FAILING, id="no answer"),
        pytest.param(Page(200, "<html>"), "MalformedResponse", Status.FAILING, id="a page of a proxy"),
        pytest.param(
            Answer(403, "AuthorizationFailed", "No."), "Refused", Status.STALLED, id="a role that is missing"
        ),
    ],
)
def test_a_list_that_fails_from_the_start_is_reported_as_failing(
    fault: Fault, reason: str, last: Status
) -> None:
    """No reconcile has observed the scale set, so only the sweeps can say how long this has lasted."""
    world = World(fleet(scale_set(capacity=5)), spec())
    world.azure.faults.arm("VirtualMachineScaleSets_ListAll", fault, times=None)
    world.rest(20 * MINUTE)
    seen = world.state().outcome
    assert seen
    assert (str(seen.reason), seen.status) == (reason, last)
    assert seen.wait
    assert seen.wait.since == world.clock.now() - 20 * MINUTE
    world.azure.faults.disarm()
    world.run()
    assert world.lines()["web"] == says("UpToDate", "5", NEW)
