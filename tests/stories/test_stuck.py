"""Instances that stay unavailable, and a fix or a revert that reaches them anyway."""

from datetime import timedelta
from typing import Any

import pytest

from reconciler.simulator import OperationFails
from tests.stories.world import BAD, FIX, NEW, OLD, World, fleet, scale_set, spec

HOUR = timedelta(hours=1)


def fleet_that_never_boots(*scale_sets: dict[str, Any]) -> dict[str, Any]:
    """A fleet in which an instance on BAD never boots, so Azure reports Updating for it permanently."""
    declared = fleet(*scale_sets)
    declared["images"]["bad"] = [{"image": f"Canonical:ubuntu-24_04-lts:server:{BAD}", "boots": "never"}]
    return declared


def world_after_failure(declared: dict[str, Any], *, timeout: str = "10m") -> World:
    """A world in which the rollout of BAD has failed."""
    world = World(declared, spec(version=BAD, health={"timeout": timeout}))
    return world.run(lambda: world.lines()["web"].startswith("HealthCheckFailed"))


def upgrades(world: World) -> list[list[str]]:
    return [
        exchange.body["instanceIds"]
        for exchange in world.azure.record.requests
        if exchange.operation == "VirtualMachineScaleSets_UpdateInstances" and exchange.status == 202
    ]


def is_on(world: World, version: str) -> bool:
    images = world.azure.record.images("web").values()
    return all(image.endswith(version) for image in images) and world.lines()["web"].startswith("UpToDate")


def test_an_image_that_never_boots_does_not_block_its_fix() -> None:
    world = world_after_failure(fleet_that_never_boots(scale_set(capacity=10)))
    world.rest(HOUR)
    assert upgrades(world) == [["0", "5"]]
    world.merge(spec(version=FIX))
    world.run(limit=HOUR)
    assert is_on(world, FIX)
    assert upgrades(world)[:2] == [["0", "5"], ["0", "5"]]


def test_an_image_that_never_boots_does_not_block_a_revert() -> None:
    world = world_after_failure(fleet_that_never_boots(scale_set(capacity=10)))
    world.merge(spec(version=OLD))
    world.run(limit=HOUR)
    assert is_on(world, OLD)


def test_a_fix_does_not_wait_for_the_health_timeout_again() -> None:
    world = world_after_failure(fleet_that_never_boots(scale_set(capacity=10)), timeout="2h")
    merged = world.clock.now()
    world.merge(spec(version=FIX, health={"timeout": "2h"}))
    world.run(lambda: len(upgrades(world)) == 2)
    assert world.clock.now() - merged < timedelta(minutes=10)


def test_an_instance_added_on_an_image_that_never_boots_does_not_block_the_fix() -> None:
    world = World(fleet_that_never_boots(scale_set(capacity=10)), spec(version=BAD))
    world.run(lambda: "VirtualMachineScaleSets_Update" in world.requests())
    world.azure.scale_set("web").scale_to(11)
    world.rest(timedelta(minutes=30))
    world.merge(spec(version=FIX))
    world.run(limit=2 * HOUR)
    assert is_on(world, FIX)


def test_a_health_extension_that_never_reports_does_not_block_the_fix() -> None:
    world = world_after_failure(fleet(scale_set(capacity=10), timings={"health": "30h"}))
    world.merge(spec(version=FIX))
    world.rest(2 * HOUR)
    assert upgrades(world) == [["0", "5"], ["0", "5"]]


@pytest.mark.parametrize("health", ["extension", "none"], ids=["a health extension", "no health source"])
def test_a_failed_upgrade_does_not_block_a_revert(health: str) -> None:
    world = World(fleet(scale_set(capacity=10, health=health)), spec())
    failure = OperationFails("VMExtensionProvisioningError", "VM has reported a failure.")
    world.azure.faults.arm("VirtualMachineScaleSets_UpdateInstances", failure)
    world.run(lambda: world.lines()["web"].startswith("OperationFailed"))
    world.merge(spec(version=OLD))
    world.run(limit=HOUR)
    assert is_on(world, OLD)


def test_a_fix_waits_for_a_slow_upgrade_in_progress() -> None:
    world = World(fleet(scale_set(capacity=10), timings={"upgrade": "12m"}), spec(health={"timeout": "5m"}))
    world.run(lambda: world.lines()["web"].startswith("HealthCheckFailed"))
    world.merge(spec(version=FIX, health={"timeout": "5m"}))
    world.run()
    assert is_on(world, FIX)


@pytest.mark.parametrize(
    "every",
    [
        pytest.param(0, id="the daemon runs throughout"),
        pytest.param(2, id="the daemon is killed every 2 steps"),
        pytest.param(5, id="the daemon is killed every 5 steps"),
    ],
)
def test_a_health_timeout_shorter_than_an_upgrade_does_not_disturb_the_rollout(every: int) -> None:
    slow = fleet(scale_set(capacity=10), timings={"upgrade": "90s"})
    world = World(slow, spec(health={"timeout": "1m"}))
    for _ in range(20 if every else 0):
        for _ in range(every):
            world.step()
        world.restart()
    world.run()
    assert is_on(world, NEW)
    assert upgrades(world) == [["0", "5"], ["1", "6"], ["2", "7"], ["3", "8"], ["4", "9"]]


@pytest.mark.parametrize("capacity", [1, 5], ids="capacity {}".format)
def test_a_failed_upgrade_is_retried_though_its_instances_use_up_max_unavailable(capacity: int) -> None:
    world = World(fleet(scale_set(capacity=capacity)), spec(rollout={"maxUnavailable": 1}))
    failure = OperationFails("VMExtensionProvisioningError", "VM has reported a failure.")
    world.azure.faults.arm("VirtualMachineScaleSets_UpdateInstances", failure)
    world.run(limit=HOUR)
    assert is_on(world, NEW)
