"""Slow answers: a first answer may be out of date by the time that the last one arrives."""

from datetime import timedelta

import pytest

from reconciler.simulator import Slow
from tests.checks.endpoint import serve_endpoint
from tests.messages import says
from tests.stories.world import NEW, World, fleet, scale_set, spec

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
MODEL = "VirtualMachineScaleSets_Get"
INSTANCES = "VirtualMachineScaleSetVMs_List"
ROLLING_UPGRADE = "VirtualMachineScaleSetRollingUpgrades_GetLatest"
UPGRADE = "VirtualMachineScaleSets_UpdateInstances"


def upgrades(world: World) -> int:
    return world.requests().count(UPGRADE)


def has_recovered(world: World) -> bool:
    first = world.azure.scale_set("web").instance("0")
    return upgrades(world) == 1 and first.state == ("succeeded", "running", "healthy")


@pytest.mark.parametrize(
    ("before", "slow"),
    [
        pytest.param(INSTANCES, ROLLING_UPGRADE, id="the read of the native rolling upgrade is slow"),
        pytest.param(ROLLING_UPGRADE, MODEL, id="the last read of the model is slow"),
    ],
)
def test_an_instance_that_becomes_unhealthy_during_a_slow_read_blocks_the_next_step(
    before: str, slow: str
) -> None:
    """All instances are listed as healthy. Then an answer takes 55 seconds, and an instance becomes unhealthy."""
    world = World(fleet(scale_set(capacity=5)), spec())
    world.run(lambda: has_recovered(world))
    first = world.azure.scale_set("web").instance("0")

    def fits(_: object) -> bool:
        if world.requests()[-1] != before:
            return False
        world.clock.after(30 * SECOND, first.sicken)
        return True

    world.azure.faults.arm(slow, Slow(55 * SECOND), when=fits)
    world.rest(3 * MINUTE)
    assert upgrades(world) == 1
    assert world.reasons()[-1] == "WaitingForInstances"
    first.heal()
    world.run()
    assert world.lines()["web"] == says("UpToDate", "5", NEW)


@pytest.mark.parametrize("slow", [MODEL, INSTANCES, ROLLING_UPGRADE])
def test_a_rollout_completes_though_one_kind_of_read_is_slow(slow: str) -> None:
    world = World(fleet(scale_set(capacity=5)), spec())
    world.azure.faults.arm(slow, Slow(20 * SECOND), times=None)
    world.run()
    assert world.lines()["web"] == says("UpToDate", "5", NEW)


def test_no_step_is_taken_while_every_read_is_slow() -> None:
    world = World(fleet(scale_set(capacity=5)), spec())
    world.run(lambda: upgrades(world) == 1)
    for each in (MODEL, INSTANCES, ROLLING_UPGRADE):
        world.azure.faults.arm(each, Slow(25 * SECOND), times=None)
    world.rest(10 * MINUTE)
    assert upgrades(world) == 1
    assert world.reasons()[-1] == "ReadsTooSlow"
    world.azure.faults.disarm()
    world.run()
    assert world.lines()["web"] == says("UpToDate", "5", NEW)


def test_an_instance_that_becomes_unhealthy_during_a_slow_check_blocks_the_next_step() -> None:
    """Each check takes a minute. While the gate of the second domain is evaluated, the first becomes unhealthy."""
    with serve_endpoint() as place:
        check = {"name": "smoke", "http": {"url": f"{place.url}/ok"}}
        world = World(fleet(scale_set(capacity=5)), spec(rollout={"checks": [check]}))
        first = world.azure.scale_set("web").instance("0")

        def happens() -> None:
            if has_recovered(world):
                first.sicken()
            world.clock.advance(MINUTE)

        place.happens = happens
        world.run(lambda: "WaitingForInstances" in world.reasons() and not has_recovered(world))
        world.rest(5 * MINUTE)
        assert upgrades(world) == 1
        assert world.reasons()[-1] == "WaitingForInstances"
        place.happens = lambda: world.clock.advance(MINUTE)
        first.heal()
        world.run()
    assert world.lines()["web"] == says("UpToDate", "5", NEW)
