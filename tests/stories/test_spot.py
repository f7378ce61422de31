"""Spot: Azure evicts instances right after their upgrade. The rollout slows down, but never stops."""

from datetime import timedelta

import pytest

from tests.exchanges import UPGRADE
from tests.messages import says
from tests.stories.world import NEW, World, fleet, scale_set, spec

HOUR = timedelta(hours=1)


def batches(world: World) -> list[int]:
    return [
        len(each.body["instanceIds"]) for each in world.azure.record.requests if each.operation == UPGRADE
    ]


def evict_upgraded_instances(world: World, known: set[str]) -> None:
    for each in world.azure.scale_set("web").instances:
        if each.image.endswith(NEW) and each.id not in known:
            known.add(each.id)
            each.evict()


@pytest.mark.parametrize("policy", ["Deallocate", "Delete"], ids="eviction policy {}".format)
def test_a_rollout_continues_one_at_a_time_if_every_upgraded_instance_is_evicted(policy: str) -> None:
    world = World(
        fleet(scale_set(capacity=10, spot=True, evictionPolicy=policy)),
        spec(rollout={"by": "batch", "maxBatch": 3}),
    )
    known: set[str] = set()

    def is_done() -> bool:
        evict_upgraded_instances(world, known)
        return len(known) == 10

    world.run(is_done)
    assert batches(world) == [3, 1, 1, 1, 1, 1, 1, 1]
    assert "EvictedAfterUpgrade" in world.reasons()


def test_a_rollout_completes_once_spot_capacity_returns() -> None:
    world = World(
        fleet(scale_set(capacity=10, spot=True, evictionPolicy="Deallocate")),
        spec(rollout={"by": "batch", "maxBatch": 3}),
    )
    known: set[str] = set()

    def has_evicted_three() -> bool:
        evict_upgraded_instances(world, known)
        return len(known) >= 3

    world.run(has_evicted_three)
    world.run()
    assert world.lines() == {"web": says("UpToDate", "10", NEW)}
    assert batches(world)[:2] == [3, 1]


@pytest.mark.parametrize("on_failure", ["hold", "rollback"])
def test_a_stopped_instance_that_an_upgrade_does_not_start_is_no_evidence(on_failure: str) -> None:
    """Azure shows an evicted instance as stopped for good. It goes first, and the others follow."""
    stopped = [{"id": "4", "power": "stopped"}]
    declared = scale_set(
        capacity=10, spot=True, evictionPolicy="Delete", settledFor="3h", instanceStates=stopped
    )
    world = World(fleet(declared), spec(rollout={"onFailure": on_failure}))
    world.rest(2 * HOUR)
    assert batches(world) == [1, 2, 2, 2, 2, 1]
    assert {each.image.rpartition(":")[2] for each in world.azure.scale_set("web").instances} == {NEW}
    assert world.lines()["web"] == says("HealthCheckFailed", "web_4 (stopped)", "deallocate")
    world.azure.scale_set("web").instance("4").evict()
    world.run()
    assert world.lines()["web"] == says("UpToDate", "9", NEW)
