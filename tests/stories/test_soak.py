"""Days of random events: autoscaling, evictions, policies, unhealthy instances, commits and other tools.

`make soak` runs 10,000 cycles (a week of sweeps) and a rollout of 1,000 instances. The suite runs about a hundred of
each. A run with the same seed is the same.
"""

import os
import random
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from reconciler.simulator import LiveInstance, LiveScaleSet
from reconciler.simulator.quota import Payer
from tests.invariants import nothing_was_written
from tests.messages import says
from tests.stories.world import BASE, NEW, OLD, SUBSCRIPTION, World, fleet, scale_set, spec

CYCLES = int(os.environ.get("SOAK_CYCLES", "120"))
LARGE = 1000 if CYCLES >= 10_000 else 100
URN = ":".join(BASE.values())
MINUTE = timedelta(minutes=1)

SETS: list[dict[str, Any]] = [
    scale_set("web", capacity=10),
    scale_set("zonal", capacity=9, zones=["1", "2", "3"], health="probe"),
    scale_set("crowd", capacity=12, placementGroupSize=4, health="none"),
    scale_set("spot", capacity=8, spot=True, evictionPolicy="Deallocate"),
    scale_set("cheap", capacity=8, spot=True, evictionPolicy="Delete"),
    scale_set("repaired", capacity=6, automaticRepairs={"grace": "10m", "action": "replace"}),
    scale_set("flexible", capacity=6, orchestration="Flexible", zones=["1", "2"]),
    scale_set("newest", capacity=5, overprovision=True),
    scale_set("left", capacity=4, mode="Automatic"),
    scale_set("one", capacity=1),
]
NAMES = [str(each["name"]) for each in SETS]
ROLLED = [name for name in NAMES if name != "left"]


def documents(version: str) -> list[dict[str, Any]]:
    """The spec of each scale set. "newest" follows latest, and "left" is refused."""
    return [spec(name, "latest" if name == "newest" else version) for name in NAMES]


class Noise:
    """Random events in a fleet, one at a time."""

    def __init__(self, world: World, seed: int) -> None:
        self.world = world
        self.random = random.Random(seed)  # noqa: S311 - the same noise every time
        self.published = 0
        self.things: list[Callable[[], None]] = [
            self.scale,
            self.scale,
            self.scale,
            self.evict,
            self.sicken,
            self.heal,
            self.fail,
            self.stop,
            self.start,
            self.protect,
            self.policy,
            self.etag,
            self.commit,
            self.publish,
            self.others,
            self.kill,
        ]

    def strike(self) -> None:
        self.random.choice(self.things)()

    def scale(self) -> None:
        capacity = {str(each["name"]): int(each["capacity"]) for each in SETS}
        chosen = self.chosen()
        chosen.scale_to(max(1, capacity[chosen.name] + self.random.randint(-3, 3)))

    def evict(self) -> None:
        name = self.random.choice(["spot", "cheap"])
        if there := self.world.azure.scale_set(name).instances:
            self.random.choice(there).evict()

    def sicken(self) -> None:
        self.instance(LiveInstance.sicken)

    def heal(self) -> None:
        for name in NAMES:
            for each in self.world.azure.scale_set(name).instances:
                if each.state[1] == "running" and each.state[0] == "succeeded":
                    each.heal()

    def fail(self) -> None:
        self.instance(LiveInstance.fail)

    def stop(self) -> None:
        self.instance(LiveInstance.deallocate)

    def start(self) -> None:
        for name in NAMES:
            for each in self.world.azure.scale_set(name).instances:
                if each.state[1] == "deallocated":
                    each.start()

    def protect(self) -> None:
        self.instance(lambda each: each.protect(is_protected=self.random.random() < 0.5))

    def policy(self) -> None:
        self.chosen().add_extension(f"agent{self.random.randint(1, 3)}", "Contoso", "Agent")

    def etag(self) -> None:
        self.chosen().bump_etag()

    def commit(self) -> None:
        self.world.merge(*documents(self.random.choice([OLD, NEW])))

    def publish(self) -> None:
        self.published += 1
        self.world.azure.publish(f"{URN}:24.05.{self.published}")

    def others(self) -> None:
        """For ten minutes another tool uses up nearly all of one request budget."""
        self.drain(
            self.random.choice(
                [
                    "VirtualMachineScaleSetVMs_List",
                    "VirtualMachineScaleSets_Get",
                    "VirtualMachineScaleSets_UpdateInstances",
                ]
            ),
            120,
        )

    def drain(self, operation: str, times: int) -> None:
        quotas, payer = self.world.azure.cloud.quotas, Payer(SUBSCRIPTION, ("westeurope",), "another")
        left = int(quotas.charge(operation, payer, calls=0, vms=0).partition(";")[2].partition(",")[0])
        quotas.charge(operation, payer, calls=max(0, left - 3), vms=0)
        if times:
            self.world.clock.after(timedelta(seconds=5), lambda: self.drain(operation, times - 1))

    def kill(self) -> None:
        self.world.restart()

    def chosen(self) -> LiveScaleSet:
        return self.world.azure.scale_set(self.random.choice(NAMES))

    def instance(self, do: Callable[[LiveInstance], None]) -> None:
        there = self.chosen().instances
        if there:
            do(self.random.choice(there))

    def end(self) -> None:
        """Undo the events: end protections, start and heal instances."""
        for name in NAMES:
            for each in self.world.azure.scale_set(name).instances:
                each.protect(is_protected=False)
        self.start()
        self.world.rest(10 * MINUTE)
        for name in NAMES:
            for each in self.world.azure.scale_set(name).instances:
                each.heal()


@pytest.mark.timeout(3600)
def test_a_fleet_settles_after_days_of_random_events() -> None:
    world = World(fleet(*SETS, throttling=True), *documents(NEW))
    noise = Noise(world, seed=20261123)
    for cycle in range(CYCLES):
        if cycle % 7 == 0:
            noise.strike()
        world.rest(MINUTE)
    noise.end()
    world.merge(*documents(NEW))
    world.rest(timedelta(hours=3))

    record = world.azure.record
    assert Counter(each.status for each in record.requests)[429] == 0, "a request exceeded Azure's buckets"
    written = {(each.operation, each.path.split("/")[8]) for each in record.requests if each.method != "GET"}
    assert written <= {
        (op, name)
        for op in ("VirtualMachineScaleSets_Update", "VirtualMachineScaleSets_UpdateInstances")
        for name in ROLLED
    }
    lines = world.lines()
    assert lines.pop("left") == says("NotManualMode")
    assert {name: line.split(":")[0] for name, line in lines.items()} == dict.fromkeys(ROLLED, "UpToDate")
    for name in ROLLED:
        wanted = f"24.05.{noise.published}" if name == "newest" and noise.published else NEW
        assert {image.rpartition(":")[2] for image in record.images(name).values()} == {wanted}

    before = len(record.requests)
    world.rest(30 * MINUTE)
    nothing_was_written(record, before)


@pytest.mark.timeout(3600)
def test_a_large_scale_set_is_upgraded_placement_group_by_placement_group() -> None:
    world = World(fleet(scale_set(capacity=LARGE), throttling=True), spec()).run(limit=timedelta(days=2))
    assert world.lines() == {"web": says("UpToDate", LARGE, NEW)}
    assert world.requests().count("VirtualMachineScaleSets_UpdateInstances") == LARGE // 100 * 5
    assert all(each.status != 429 for each in world.azure.record.requests)
