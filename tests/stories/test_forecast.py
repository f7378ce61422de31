"""A forecast and what then happens: the same batches, writes and losses, at the same times and cost.

The worlds are as fast as is assumed of a scale set without a past, so that what differs is a mistake of one
of the two.
"""

from datetime import datetime, timedelta
from typing import Any

import pytest

from reconciler.forecast.forecast import Forecast
from reconciler.simulator import Exchange
from tests.stories.world import BASE, NEW, OLD, World, fleet, platform, scale_set, spec

AS_ASSUMED = {"upgrade": "130s", "boot": "20s", "health": "30s"}
UNTOLD = {
    "upgrade": "160s",
    "boot": "20s",
    "health": "0s",
}  # nothing tells when it is healthy, but that it runs


def on(version: str, *ids: int, **changes: Any) -> list[dict[str, Any]]:
    """Instances that are found on that version."""
    return [{"id": str(each), "image": platform(version)} | changes for each in ids]


def windows(kind: str, schedule: str, duration: str) -> dict[str, Any]:
    return {"rollout": {"windows": [{"kind": kind, "schedule": schedule, "duration": duration}]}}


CAREFUL = {"rollout": {"canary": {"instances": 1, "soak": "30m"}, "soak": "10m"}}

# What a scale set is like, and what its spec says.
WORLDS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "five domains": ({}, {}),
    "one instance": ({"capacity": 1}, {}),
    "no instance": ({"capacity": 0}, {}),
    "more than a page of them": ({"capacity": 60}, {"rollout": {"maxBatch": 12}}),
    "a canary and soaks": ({"capacity": 10}, CAREFUL),
    "a canary by id": ({"capacity": 10}, {"rollout": {"canary": {"instances": ["3", "8"], "soak": "7m"}}}),
    "a canary of several batches": (
        {"capacity": 5},
        {"rollout": {"canary": {"instances": 3, "soak": "4m"}, "maxBatch": 1}},
    ),
    "a list that is just behind": ({"capacity": 5}, {"rollout": {"soak": "50s"}}),
    "a bake": ({"capacity": 5}, {"rollout": {"bakeTime": "20m"}}),
    "zones with domains": ({"capacity": 9, "zones": ["1", "2", "3"]}, {}),
    "zones alone": (
        {"capacity": 12, "zones": ["1", "2"], "zonalUpdateDomains": False},
        {"rollout": {"maxBatch": 4}},
    ),
    "placement groups": ({"capacity": 8, "placementGroupSize": 4}, {}),
    "fault domains": ({"capacity": 9, "faultDomains": 3}, {"rollout": {"by": "faultDomain"}}),
    "batches": ({}, {"rollout": {"by": "batch", "maxBatch": "35%"}}),
    "an order": ({"capacity": 10}, {"rollout": {"order": ["update domain 3", "update domain 1"]}}),
    "Flexible": ({"capacity": 9, "orchestration": "Flexible"}, {"rollout": {"maxBatch": 4}}),
    "Flexible in zones": (
        {"capacity": 52, "orchestration": "Flexible", "zones": ["1", "2"]},
        {"rollout": {"maxBatch": "50%"}},
    ),
    "a probe": ({"capacity": 5, "health": "probe"}, {}),
    "no word of health": ({"capacity": 5, "health": "none"}, {}),
    "several passes": ({"capacity": 5}, {"health": {"passes": 4}}),
    "latest": ({"capacity": 5}, {"image": platform("latest")}),
    "marks on tags": ({"capacity": 5}, {"rollout": {"onFailure": "rollback", "deadline": "24h"}}),
    "a window that opens": ({"capacity": 5}, windows("allow", "0 11 * * *", "4h")),
    "windows that close half-way": ({"capacity": 10}, windows("allow", "5 * * * *", "10m")),
    "an hour of none": ({"capacity": 5}, windows("deny", "10 9 * * *", "1h")),
    "little room": (
        {"instanceStates": on(OLD, 4, health="unhealthy", latestModelApplied=True)},
        {"rollout": {"maxUnavailable": 2}},
    ),
    "half done": ({"capacity": 10, "image": platform(NEW), "instanceStates": on(OLD, 1, 2, 6, 7, 9)}, {}),
    "some of them sick": (
        {"capacity": 10, "instanceStates": on(OLD, 2, 3, health="unhealthy", latestModelApplied=True)},
        {"rollout": {"soak": "5m"}},
    ),
    "some left out": (
        {"capacity": 10, "protected": ["4"], "instanceStates": [{"id": "3", "power": "deallocated"}]},
        {},
    ),
}


def world_of(kind: str) -> World:
    declared, said = WORLDS[kind]
    timings = UNTOLD if declared.get("health") == "none" else AS_ASSUMED
    return World(fleet(scale_set(**declared), timings=timings), spec(**said))


@pytest.mark.parametrize("kind", WORLDS)
def test_what_is_forecast_is_what_happens(kind: str) -> None:
    world = world_of(kind)
    expected = planned(world)
    happened = rest_of(world)
    assert [batch.instance_ids for batch in expected.batches] == ids(happened)
    assert expected.writes == len(writes(happened))
    assert expected.max_unavailable == most_away(world)
    assert expected.end_reason == world.outcomes[-1].reason
    assert expected.begins == writes(happened)[0].at
    assert expected.ends == world.outcomes[-1].at


@pytest.mark.parametrize("steps", [3, 9, 16, 30])
@pytest.mark.parametrize("kind", ["a canary and soaks", "zones with domains", "no word of health"])
def test_of_one_that_was_interrupted_it_is_a_batch_too_late_at_most(kind: str, steps: int) -> None:
    """Azure does not say since when it has been at work on a batch, and a new process has not seen it begin."""
    world = world_of(kind)
    for _ in range(steps):
        world.step()
    world.restart()
    expected = planned(world)
    happened = rest_of(world)
    assert [batch.instance_ids for batch in expected.batches] == ids(happened)
    assert expected.ends is not None
    assert timedelta() <= expected.ends - world.outcomes[-1].at <= expected.duration.whole


def test_so_it_is_of_one_that_waits_for_a_person() -> None:
    """What is forecast is as if they were there at once; here they come hours later."""
    world = World(
        fleet(scale_set(capacity=5), timings=AS_ASSUMED),
        spec(rollout={"approval": "canary", "canary": {"instances": 1}}),
    )
    expected = planned(world)
    world.run(lambda: world.reasons()[-1:] == ["AwaitingApproval"])
    world.rest(timedelta(hours=2))
    world.azure.scale_set("web").set_tags({"vmss-reconciler-approved": f"{':'.join(BASE.values())}:{NEW}"})
    world.run()
    assert [batch.instance_ids for batch in expected.batches] == ids(world.azure.record.requests)
    assert expected.writes == len(writes(list(world.azure.record.requests)))
    assert (expected.ends, expected.end_reason) == (None, "UpToDate")


def test_a_daemon_learns_from_its_batches_when_it_will_be_done() -> None:
    """Batches here take half of what is assumed: the forecasts before the first one is back are too long."""
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
    assert world.state().published.forecast is None, "nothing is to come of what is up to date"


def test_a_commit_makes_a_forecast_anew_while_it_soaks() -> None:
    world = world_of("a canary and soaks")
    world.run(lambda: world.reasons()[-1:] == ["Soaking"])
    assert remaining(world) == 5, "without the canary, which is back"
    world.merge(spec(rollout=CAREFUL["rollout"] | {"maxBatch": 1}))
    world.run(lambda: remaining(world) != 5)
    assert world.reasons()[-1] == "Soaking"
    assert remaining(world) == 9


def remaining(world: World) -> int:
    found = world.state().published.forecast
    return len(found.batches) if found else 0


def planned(world: World) -> Forecast:
    """What a plan of its own foresees of web; the daemon that follows has seen nothing."""
    world.reconciler.once(act=False)
    found = world.state().published.forecast
    assert found
    world.restart()
    return found


def rest_of(world: World) -> list[Exchange]:
    """Let it come to its end, and give what was asked about this scale set on the way."""
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


def most_away(world: World) -> int:
    """How many were away at once while batches were taken, but for those that were given back."""
    absences = [each for each in world.azure.record.absences("web") if each.cause != "deallocate"]
    moments = [each.since for each in absences if each.cause == "manualupgrade"]
    return max((sum(covers(each, moment) for each in absences) for moment in moments), default=0)


def covers(absence: Any, moment: datetime) -> bool:
    return absence.since <= moment and (absence.until is None or moment < absence.until)
