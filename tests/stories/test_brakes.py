"""What is frozen or suspended is looked at all the same: people ask whether it is safe now."""

from datetime import timedelta

import pytest

from reconciler.daemon.report import state as report
from reconciler.simulator import Status, Throttled
from tests.invariants import nothing_was_written
from tests.messages import says
from tests.stories.world import NEW, World, fleet, of_all, scale_set, spec

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
BRAKES = [
    pytest.param((of_all(freeze={"reason": "year-end"}), spec()), id="frozen"),
    pytest.param((spec(suspend={"reason": "load test"}),), id="suspended"),
]


@pytest.mark.parametrize("held", BRAKES)
def test_the_batch_that_was_under_way_is_seen_to_come_back(held: tuple[dict[str, object], ...]) -> None:
    world = World(fleet(scale_set(capacity=5)), spec())
    world.run(lambda: world.has_upgraded(1))
    world.merge(*held)
    asked = len(world.requests())
    world.rest(20 * MINUTE)
    nothing_was_written(world.azure.record, asked)
    row = report(world.state())
    assert (row["instances"]["upToDate"], row["instances"]["unavailable"]) == (1, 0)
    assert row["instancesAt"] < world.clock.now().isoformat(), "the time of the fact"
    said = {each["type"]: (each["status"], each["reason"]) for each in row["conditions"]}
    assert said["Healthy"] == ("True", "Serving")
    assert said["Drifted"] == ("True", "InstanceDrift")


@pytest.mark.parametrize("held", BRAKES)
def test_one_that_falls_sick_is_told_within_its_interval(held: tuple[dict[str, object], ...]) -> None:
    world = World(fleet(scale_set(capacity=5)), *held)
    world.rest(5 * MINUTE)
    world.azure.scale_set("web").instance("3").sicken()
    world.rest(HOUR)
    row = report(world.state())
    assert row["instances"]["unavailable"] == 1
    assert row["reason"] in {"Frozen", "Suspended"}


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(Status(403, "AuthorizationFailed", "No."), id="it may not be read"),
        pytest.param(Status(500, "InternalServerError", "Oops."), id="Azure is out of order"),
        pytest.param(Throttled(HOUR), id="Azure throttles"),
    ],
)
def test_what_is_suspended_does_not_fail_because_it_cannot_be_read(fault: Status | Throttled) -> None:
    world = World(fleet(scale_set(capacity=5)), spec(suspend={"reason": "load test"}))
    world.azure.faults.arm("*", fault, times=10_000)
    world.rest(HOUR)
    assert world.lines()["web"] == says("Suspended")
    assert len(world.requests()) < 30, "about every interval, and not at every sweep"


def test_looks_under_a_brake_prove_nothing() -> None:
    """Three passes are asked for, and the brake is lifted while an upgraded instance is sick."""
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


def test_a_suspension_is_told_to_be_forgotten_at_the_next_sweep() -> None:
    world = World(fleet(scale_set(capacity=5)))
    until = world.clock.now() + 3 * MINUTE
    world.merge(spec(suspend={"reason": "load test", "until": until.isoformat(timespec="seconds")}))
    world.rest(2 * MINUTE)
    assert world.lines()["web"] == says("Suspended")
    world.rest(2 * MINUTE)
    assert world.lines()["web"] == says("SuspensionExpired")
