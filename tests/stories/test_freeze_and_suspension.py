"""A frozen or suspended scale set is still observed, because people ask whether it is safe."""

from datetime import timedelta

import pytest

from reconciler.daemon.report import state as report
from reconciler.simulator import Status, Throttled
from tests.invariants import nothing_was_written
from tests.messages import says
from tests.stories.world import NEW, World, fleet, of_all, scale_set, spec

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
ON_HOLD = [
    pytest.param((of_all(freeze={"reason": "year-end"}), spec()), id="the fleet is frozen"),
    pytest.param((spec(suspend={"reason": "load test"}),), id="the scale set is suspended"),
]


@pytest.mark.parametrize("documents", ON_HOLD)
def test_a_batch_in_progress_is_observed_until_it_is_healthy(
    documents: tuple[dict[str, object], ...],
) -> None:
    world = World(fleet(scale_set(capacity=5)), spec())
    world.run(lambda: world.has_upgraded(1))
    world.merge(*documents)
    asked = len(world.requests())
    world.rest(20 * MINUTE)
    nothing_was_written(world.azure.record, asked)
    row = report(world.state())
    assert (row["instances"]["upToDate"], row["instances"]["unavailable"]) == (1, 0)
    assert row["instancesAt"] < world.clock.now().isoformat(), "the time of the observation"
    found = {each["type"]: (each["status"], each["reason"]) for each in row["conditions"]}
    assert found["Healthy"] == ("True", "Serving")
    assert found["Drifted"] == ("True", "InstanceDrift")


@pytest.mark.parametrize("documents", ON_HOLD)
def test_an_instance_that_becomes_unhealthy_on_hold_is_reported_within_the_interval(
    documents: tuple[dict[str, object], ...],
) -> None:
    world = World(fleet(scale_set(capacity=5)), *documents)
    world.rest(5 * MINUTE)
    world.azure.scale_set("web").instance("3").sicken()
    world.rest(HOUR)
    row = report(world.state())
    assert row["instances"]["unavailable"] == 1
    assert row["reason"] in {"Frozen", "Suspended"}


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(
            Status(403, "AuthorizationFailed", "The client does not have authorization to perform action."),
            id="reads are forbidden",
        ),
        pytest.param(Status(500, "InternalServerError", "Oops."), id="Azure answers 500"),
        pytest.param(Throttled(HOUR), id="Azure throttles"),
    ],
)
def test_a_suspended_scale_set_that_cannot_be_read_does_not_fail(fault: Status | Throttled) -> None:
    world = World(fleet(scale_set(capacity=5)), spec(suspend={"reason": "load test"}))
    world.azure.faults.arm("*", fault, times=10_000)
    world.rest(HOUR)
    assert world.lines()["web"] == says("Suspended")
    assert len(world.requests()) < 30, "once in about every interval, and not in every sweep"


def test_observations_during_a_suspension_do_not_count_as_passes() -> None:
    """The spec says three passes. After the suspension the upgraded instance must pass all of them."""
    world = World(fleet(scale_set(capacity=5)), spec(health={"passes": 3}))
    world.run(lambda: world.has_upgraded(1))
    world.merge(spec(health={"passes": 3}, suspend=True))
    world.rest(30 * MINUTE)
    upgraded = world.requests().count("VirtualMachineScaleSets_UpdateInstances")
    world.merge(spec(health={"passes": 3}, suspend=False))
    world.run(lambda: world.lines()["web"].startswith("ConfirmingHealth"))
    assert world.requests().count("VirtualMachineScaleSets_UpdateInstances") == upgraded
    world.run()
    assert {each.image.rpartition(":")[2] for each in world.azure.scale_set("web").instances} == {NEW}


def test_an_expired_suspension_is_reported_at_the_next_sweep() -> None:
    world = World(fleet(scale_set(capacity=5)))
    until = world.clock.now() + 3 * MINUTE
    world.merge(spec(suspend={"reason": "load test", "until": until.isoformat(timespec="seconds")}))
    world.rest(2 * MINUTE)
    assert world.lines()["web"] == says("Suspended")
    world.rest(2 * MINUTE)
    assert world.lines()["web"] == says("SuspensionExpired")
