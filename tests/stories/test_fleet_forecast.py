"""The forecast of a fleet, and what then happens: which batches, when, and how much is unavailable at worst.

The worlds are as fast as the forecast assumes for a scale set without measured batches.
"""

import os
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import pytest

from reconciler.prediction.plan import Plan
from reconciler.rollout.reason import Reason
from tests.prediction.plans import plan_of
from tests.stories.test_forecast import AS_ASSUMED, covers, windows
from tests.stories.world import BASE, NEW, World, fleet, of_all, scale_set, spec

MINUTE = timedelta(minutes=1)
MANY = int(os.environ.get("FORECAST_SETS", "12"))  # scale sets; `make stories` has 60
WAVES = [spec(f"s{number}", wave=number // 2) for number in range(6)]
CAREFUL = {"canary": {"instances": 1, "soak": "32m"}, "soak": "7m", "bakeTime": "12m"}

# The specs of six scale sets s0 to s5.
CHANGES: dict[str, list[dict[str, Any]]] = {
    "three waves": WAVES,
    "three waves one after the other": [*WAVES, of_all(maxConcurrentRollouts=1)],
    "two at a time": [of_all(maxConcurrentRollouts=2), *(spec(f"s{number}") for number in range(6))],
    "canaries, soaks and bake times": [
        spec(f"s{number}", wave=number // 3, rollout=CAREFUL) for number in range(6)
    ],
    "a chain of dependencies": [
        spec(f"s{number}", dependsOn=[f"s{number - 1}"] if number else []) for number in range(6)
    ],
    "windows of the Fleet": [
        of_all(windows=[{"kind": "allow", "schedule": "0 11 * * *", "duration": "30m"}]),
        *WAVES,
    ],
    "a window of one scale set": [spec("s0", **windows("allow", "0 11 * * *", "4h")), *WAVES[1:]],
    "a wave that is never ready": [spec("s0", suspend=True), *WAVES[1:]],
}


def world_of(change: list[dict[str, Any]]) -> World:
    sets = [scale_set(f"s{number}", capacity=5) for number in range(6)]
    return World(fleet(*sets, timings=AS_ASSUMED), of_all(maxChange="100%"), *change)


@pytest.mark.parametrize("kind", CHANGES)
def test_a_change_of_a_fleet_happens_as_forecast(kind: str) -> None:
    world = world_of(CHANGES[kind])
    expected = plan_of(world)
    happened = run_to_end(world, expected)
    batches = {each.desired.name: expected.forecast_of(each).batches for each in expected.rolling}
    assert {name: [ids for _, ids in found] for name, found in happened.items()} == {
        name: [batch.instance_ids for batch in found] for name, found in batches.items()
    }
    late = [
        abs(at - batch.at)
        for name, found in happened.items()
        for (at, _), batch in zip(found, batches[name], strict=True)
    ]
    assert max(late) <= MINUTE


@pytest.mark.parametrize(
    "policy",
    [
        pytest.param({"rollout": {"soak": "10m", "bakeTime": "20m"}}, id="multiples of five minutes"),
        pytest.param({"rollout": {"soak": "7m", "bakeTime": "12m"}}, id="no multiples of five minutes"),
        pytest.param({"rollout": {"soak": "100s"}}, id="a soak that is watched more often"),
        pytest.param({"rollout": {"soak": "301s"}}, id="a soak that ends just after an observation"),
        pytest.param(
            {"health": {"passes": 6}, "rollout": {"soak": "12m"}},
            id="observations of a soak that are counted",
        ),
    ],
)
def test_a_soak_ends_as_forecast(policy: dict[str, Any]) -> None:
    """Each batch starts, and the rollout ends, at the second of the forecast."""
    world = World(fleet(scale_set("web", capacity=2), timings=AS_ASSUMED), spec("web", **policy))
    expected = plan_of(world)
    happened = run_to_end(world, expected)["web"]
    [rolling] = expected.rolling
    assert happened == [(batch.at, batch.instance_ids) for batch in expected.forecast_of(rolling).batches]
    assert expected.ends == next(each.at for each in world.outcomes if each.reason is Reason.UP_TO_DATE)


def test_approvals_are_assumed_to_be_given_at_once() -> None:
    world = world_of([spec(f"s{number}", rollout={"approval": "start"}) for number in range(6)])
    expected = plan_of(world)
    for number in range(6):
        world.azure.scale_set(f"s{number}").set_tags(
            {"vmss-reconciler-approved": f"{':'.join(BASE.values())}:{NEW}"}
        )
    happened = run_to_end(world, expected)
    assert expected.ends is not None
    assert all(expected.forecast_of(each).ends is None for each in expected.rolling)
    last = max(at for found in happened.values() for at, _ in found)
    assert abs(expected.ends - AS_LONG - last) <= 2 * MINUTE


@pytest.mark.timeout(900)
def test_many_scale_sets_in_three_waves_happen_as_forecast() -> None:
    """Stated bounds: the same instances, the end and each wave within two minutes, and the same worst loss."""
    sets = [scale_set(f"s{number:02}", capacity=5) for number in range(MANY)]
    specs = [spec(each["name"], wave=number * 3 // MANY) for number, each in enumerate(sets)]
    caps = of_all(maxChange="100%", maxConcurrentRollouts="50%")
    world = World(fleet(*sets, timings=AS_ASSUMED), caps, *specs)
    expected = plan_of(world)
    assert (len(expected.rolling), expected.instances) == (MANY, 5 * MANY)
    happened = run_to_end(world, expected)
    assert len(happened) == MANY
    waves = [
        [at for name, found in happened.items() if int(name[1:]) * 3 // MANY == wave for at, _ in found]
        for wave in range(3)
    ]
    for shown, found in zip(expected.waves, waves, strict=True):
        assert abs(shown.begins - min(found)) <= 2 * MINUTE
        assert shown.ends is not None
        assert abs(shown.ends - AS_LONG - max(found)) <= 2 * MINUTE
    assert expected.worst_loss is not None
    assert expected.worst_loss.instances == max(most_unavailable(world, name) for name in happened)
    assert expected.worst_moment is not None
    assert expected.worst_moment.instances == most_unavailable_in_all(world, list(happened))


AS_LONG = timedelta(minutes=3)  # the duration of a batch


def run_to_end(world: World, expected: Plan) -> Mapping[str, list[tuple[datetime, tuple[str, ...]]]]:
    """The batches that then happen: when each was started, and its instances, by scale set."""
    before = len(world.azure.record.requests)
    ends = expected.ends or max(
        batch.at for each in expected.rolling for batch in expected.forecast_of(each).batches
    )
    world.rest(ends - world.clock.now() + timedelta(minutes=30))
    found: dict[str, list[tuple[datetime, tuple[str, ...]]]] = {}
    for each in world.azure.record.requests[before:]:
        if each.operation == "VirtualMachineScaleSets_UpdateInstances":
            name = each.path.split("/")[-2]
            found.setdefault(name, []).append((each.at, tuple(each.body["instanceIds"])))
    return found


def most_unavailable_in_all(world: World, names: list[str]) -> int:
    """The largest number of instances of all these scale sets that were unavailable at once."""
    absences = [each for name in names for each in world.azure.record.absences(name)]
    return max(sum(covers(each, at.since) for each in absences) for at in absences)


def most_unavailable(world: World, name: str) -> int:
    """The largest number of instances of one scale set that were unavailable at the start of a batch."""
    absences = world.azure.record.absences(name)
    moments = [each.since for each in absences if each.cause == "manualupgrade"]
    return max((sum(covers(each, moment) for each in absences) for moment in moments), default=0)
