"""A forecast and what then happens: the same batches, writes and unavailable instances, at the same times.

The worlds are as fast as the forecast assumes for a scale set without measured batches, so any difference is an
error of one of the two.
"""

from datetime import datetime, timedelta
from typing import Any

import pytest

from reconciler.forecast.forecast import Forecast
from reconciler.simulator import Exchange
from tests.stories.world import BASE, NEW, OLD, World, fleet, platform, scale_set, spec

AS_ASSUMED = {"upgrade": "130s", "boot": "20s", "health": "30s"}
WITHOUT_HEALTH = {
    "upgrade": "160s",
    "boot": "20s",
    "health": "0s",
}  # an instance counts as healthy as soon as it runs


def on(version: str, *ids: int, **changes: Any) -> list[dict[str, Any]]:
    """Instances that run this version at the start."""
    return [{"id": str(each), "image": platform(version)} | changes for each in ids]


def windows(kind: str, schedule: str, duration: str) -> dict[str, Any]:
    return {"rollout": {"windows": [{"kind": kind, "schedule": schedule, "duration": duration}]}}


CAREFUL = {"rollout": {"canary": {"instances": 1, "soak": "30m"}, "soak": "10m"}}

# The scale set in Azure, and the fields of its spec.
WORLDS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "five domains": ({}, {}),
    "one instance": ({"capacity": 1}, {}),
    "no instance": ({"capacity": 0}, {}),
    "60 instances": ({"capacity": 60}, {"rollout": {"maxBatch": 12}}),
    "a canary and soaks": ({"capacity": 10}, CAREFUL),
    "a canary by id": ({"capacity": 10}, {"rollout": {"canary": {"instances": ["3", "8"], "soak": "7m"}}}),
    "a canary of several batches": (
        {"capacity": 5},
        {"rollout": {"canary": {"instances": 3, "soak": "4m"}, "maxBatch": 1}},
    ),
    "a soak of 50 seconds": ({"capacity": 5}, {"rollout": {"soak": "50s"}}),
    "a bake time": ({"capacity": 5}, {"rollout": {"bakeTime": "20m"}}),
    "zones with update domains": ({"capacity": 9, "zones": ["1", "2", "3"]}, {}),
    "zones without update domains": (
        {"capacity": 12, "zones": ["1", "2"], "zonalUpdateDomains": False},
        {"rollout": {"maxBatch": 4}},
    ),
    "placement groups": ({"capacity": 8, "placementGroupSize": 4}, {}),
    "fault domains": ({"capacity": 9, "faultDomains": 3}, {"rollout": {"by": "faultDomain"}}),
    "batches": ({}, {"rollout": {"by": "batch", "maxBatch": "35%"}}),
    "a declared order": ({"capacity": 10}, {"rollout": {"order": ["update domain 3", "update domain 1"]}}),
    "a Flexible scale set": ({"capacity": 9, "orchestration": "Flexible"}, {"rollout": {"maxBatch": 4}}),
    "a Flexible scale set in zones": (
        {"capacity": 52, "orchestration": "Flexible", "zones": ["1", "2"]},
        {"rollout": {"maxBatch": "50%"}},
    ),
    "a load balancer probe": ({"capacity": 5, "health": "probe"}, {}),
    "no health source": ({"capacity": 5, "health": "none"}, {}),
    "several passes": ({"capacity": 5}, {"health": {"passes": 4}}),
    "latest": ({"capacity": 5}, {"image": platform("latest")}),
    "state on the tag": ({"capacity": 5}, {"rollout": {"onFailure": "rollback", "deadline": "24h"}}),
    "a window that opens": ({"capacity": 5}, windows("allow", "0 11 * * *", "4h")),
    "windows that close during the rollout": ({"capacity": 10}, windows("allow", "5 * * * *", "10m")),
    "a deny window of an hour": ({"capacity": 5}, windows("deny", "10 9 * * *", "1h")),
    "maxUnavailable beside an unhealthy instance": (
        {"instanceStates": on(OLD, 4, health="unhealthy", latestModelApplied=True)},
        {"rollout": {"maxUnavailable": 2}},
    ),
    "half of the instances up to date": (
        {"capacity": 10, "image": platform(NEW), "instanceStates": on(OLD, 1, 2, 6, 7, 9)},
        {},
    ),
    "two unhealthy instances": (
        {"capacity": 10, "instanceStates": on(OLD, 2, 3, health="unhealthy", latestModelApplied=True)},
        {"rollout": {"soak": "5m"}},
    ),
    "a protected and a deallocated instance": (
        {"capacity": 10, "protected": ["4"], "instanceStates": [{"id": "3", "power": "deallocated"}]},
        {},
    ),
}


def world_of(kind: str) -> World:
    declared, fields = WORLDS[kind]
    timings = WITHOUT_HEALTH if declared.get("health") == "none" else AS_ASSUMED
    return World(fleet(scale_set(**declared), timings=timings), spec(**fields))


@pytest.mark.parametrize("kind", WORLDS)
def test_a_rollout_happens_as_forecast(kind: str) -> None:
    world = world_of(kind)
    expected = plan(world)
    happened = run_to_end(world)
    assert [batch.instance_ids for batch in expected.batches] == ids(happened)
    assert expected.writes == len(writes(happened))
    assert expected.max_unavailable == most_unavailable(world)
    assert expected.end_reason == world.outcomes[-1].reason
    assert expected.begins == writes(happened)[0].at
    assert expected.ends == world.outcomes[-1].at


@pytest.mark.parametrize("steps", [3, 9, 16, 30], ids="restarted after {} steps".format)
@pytest.mark.parametrize("kind", ["a canary and soaks", "zones with update domains", "no health source"])
def test_the_forecast_after_a_restart_is_late_by_one_batch_at_most(kind: str, steps: int) -> None:
    """Azure does not report when it began a batch, and a new process has not observed the beginning."""
    world = world_of(kind)
    for _ in range(steps):
        world.step()
    world.restart()
    expected = plan(world)
    happened = run_to_end(world)
    assert [batch.instance_ids for batch in expected.batches] == ids(happened)
    assert expected.ends is not None
    assert timedelta() <= expected.ends - world.outcomes[-1].at <= expected.duration.whole


def test_a_rollout_that_waits_for_approval_happens_as_forecast() -> None:
    """The forecast assumes an immediate approval. Here it comes hours later."""
    world = World(
        fleet(scale_set(capacity=5), timings=AS_ASSUMED),
        spec(rollout={"approval": "canary", "canary": {"instances": 1}}),
    )
    expected = plan(world)
    world.run(lambda: world.reasons()[-1:] == ["AwaitingApproval"])
    world.rest(timedelta(hours=2))
    world.azure.scale_set("web").set_tags({"vmss-reconciler-approved": f"{':'.join(BASE.values())}:{NEW}"})
    world.run()
    assert [batch.instance_ids for batch in expected.batches] == ids(world.azure.record.requests)
    assert expected.writes == len(writes(list(world.azure.record.requests)))
    assert (expected.ends, expected.end_reason) == (None, "UpToDate")


def test_the_forecast_becomes_exact_once_a_batch_has_been_measured() -> None:
    """Batches here take half of the assumed time, so forecasts before the first one is healthy are too long."""
    world = World(fleet(scale_set()), spec())
    forecasts: dict[int, Forecast] = {}
    while not world.outcomes or world.outcomes[-1].reason != "UpToDate":
        world.step()
        if found := world.state().published.forecast:
            forecasts.setdefault(world.requests().count("VirtualMachineScaleSets_UpdateInstances"), found)
    upgrades = ids(world.azure.record.requests)
    done = world.outcomes[-1].at
    assert {asked: [each.instance_ids for each in found.batches] for asked, found in forecasts.items()} == {
        asked: upgrades[max(0, asked - 1) :] for asked in range(6)
    }
    assert [found.duration.is_assumed for found in forecasts.values()] == [True, True, *[False] * 4]
    assert [found.ends == done for found in forecasts.values()] == [False, False, *[True] * 4]
    assert world.state().published.forecast is None, (
        "there is nothing to forecast when all instances are up to date"
    )


def test_a_commit_during_a_soak_renews_the_forecast() -> None:
    world = world_of("a canary and soaks")
    world.run(lambda: world.reasons()[-1:] == ["Soaking"])
    assert remaining(world) == 5, "without the canary, which is healthy"
    world.merge(spec(rollout=CAREFUL["rollout"] | {"maxBatch": 1}))
    world.run(lambda: remaining(world) != 5)
    assert world.reasons()[-1] == "Soaking"
    assert remaining(world) == 9


def remaining(world: World) -> int:
    found = world.state().published.forecast
    return len(found.batches) if found else 0


def plan(world: World) -> Forecast:
    """The forecast of a plan for web. The daemon that follows starts without memory."""
    world.reconciler.once(act=False)
    found = world.state().published.forecast
    assert found
    world.restart()
    return found


def run_to_end(world: World) -> list[Exchange]:
    """Run the rollout to its end, and return the requests about this scale set."""
    before = len(world.azure.record.requests)
    world.run()
    return [
        each
        for each in world.azure.record.requests[before:]
        if each.operation != "VirtualMachineScaleSets_ListAll"
    ]


def ids(happened: Any) -> list[tuple[str, ...]]:
    """The instances of each batch."""
    return [
        tuple(each.body["instanceIds"])
        for each in happened
        if each.operation == "VirtualMachineScaleSets_UpdateInstances"
    ]


def writes(happened: list[Exchange]) -> list[Exchange]:
    return [each for each in happened if each.method != "GET"]


def most_unavailable(world: World) -> int:
    """The largest number of instances unavailable at the start of a batch, without deallocated ones."""
    absences = [each for each in world.azure.record.absences("web") if each.cause != "deallocate"]
    moments = [each.since for each in absences if each.cause == "manualupgrade"]
    return max((sum(covers(each, moment) for each in absences) for moment in moments), default=0)


def covers(absence: Any, moment: datetime) -> bool:
    return absence.since <= moment and (absence.until is None or moment < absence.until)
