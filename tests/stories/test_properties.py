"""Safety and liveness from any state in which an interruption, people or a failure can leave a scale set.

Here a rollout of a good image always completes. `test_worlds.py` plays whole fleets.

`make soak` tries several hundred worlds, the suite 25. The worlds are the same each time.
"""

import os
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from reconciler.simulator import OperationFails, Reset, Status, Throttled
from tests.invariants import nothing_was_written
from tests.stories.world import FIX, NEW, OLD, World, fleet, platform, scale_set, spec
from tests.stories.worlds import FOUND, TOPOLOGIES

EXAMPLES = int(os.environ.get("PROPERTY_EXAMPLES", "25"))

# What may happen to the daemon, the specs, the scale set and the calls.
EVENTS: dict[str, Callable[[World], None]] = {
    "killed": World.restart,
    "a commit": lambda world: world.merge(_edited(world, image=platform(FIX))),
    "a revert": lambda world: world.merge(_edited(world, image=platform(NEW))),
    "smaller batches": lambda world: world.merge(_edited(world, rollout=_rollout(world) | {"maxBatch": 2})),
    "an extension by policy": lambda world: world.azure.scale_set("web").add_extension(
        "x", "Contoso", "Agent"
    ),
    "an etag that moves": lambda world: world.azure.scale_set("web").bump_etag(),
    "scaling out": lambda world: world.azure.scale_set("web").scale_to(18),
    "scaling in": lambda world: world.azure.scale_set("web").scale_to(1),
    "an eviction": lambda world: world.azure.scale_set("web").instances[-1].evict(),
    "a protection": lambda world: world.azure.scale_set("web").instances[-1].protect(),
    "a failed operation": lambda world: world.azure.faults.arm(
        "VirtualMachineScaleSets_UpdateInstances", OperationFails("VMExtensionProvisioningError", "")
    ),
    "no list": lambda world: world.azure.faults.arm(
        "VirtualMachineScaleSets_ListAll", Status(503, "ServerTimeout", ""), times=2
    ),
    "a lost answer": lambda world: world.azure.faults.arm("*", Reset(lost_answer=True)),
    "throttling": lambda world: world.azure.faults.arm("*", Throttled(timedelta(seconds=45))),
    "a conflict": lambda world: world.azure.faults.arm(
        "VirtualMachineScaleSets_UpdateInstances", Status(409, "Conflict", "")
    ),
}


def _rollout(world: World) -> dict[str, Any]:
    return dict(world.source.documents["web"]["spec"]["rollout"])


def _edited(world: World, **changes: Any) -> dict[str, Any]:
    document = world.source.documents["web"]
    return {**document, "spec": {**document["spec"], **changes}}


@st.composite
def interrupted(draw: st.DrawFn) -> tuple[World, list[tuple[int, str]]]:
    """A world in any state, and events with the number of steps before each."""
    topology, by = draw(st.sampled_from(TOPOLOGIES))
    capacity = draw(st.integers(1, 16))
    states = [
        {"id": str(number)} | draw(st.sampled_from(FOUND))
        for number in range(capacity)
        if draw(st.booleans())
    ]
    found = scale_set(
        capacity=capacity,
        image=platform(draw(st.sampled_from([OLD, NEW]))),
        health=draw(st.sampled_from(["extension", "binaryExtension", "probe", "none"])),
        instanceStates=[state for state in states if len(state) > 1],
        protected=[str(number) for number in draw(st.sets(st.integers(0, capacity - 1), max_size=2))],
        **topology,
    )
    rollout = {"by": by, "maxBatch": draw(st.sampled_from(["20%", "100%", 1, 3]))}
    rollout |= draw(st.sampled_from([{}, {"canary": {"instances": 1, "soak": "7m"}}, {"soak": "3m"}]))
    world = World(fleet(found), spec(rollout=rollout, interval="24h"))
    return world, draw(st.lists(st.tuples(st.integers(1, 15), st.sampled_from(sorted(EVENTS))), max_size=5))


@settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.generate, Phase.shrink],
)
@pytest.mark.timeout(3600)  # each example is a rollout of a few hundred calls through the SDK
@given(interrupted())
def test_from_any_state_a_rollout_finishes_and_the_invariants_hold(
    found: tuple[World, list[tuple[int, str]]],
) -> None:
    world, events = found
    for steps, event in events:
        for _ in range(steps):
            world.step()
        EVENTS[event](world)
    world.rest(timedelta(minutes=3))
    world.run(limit=timedelta(hours=24))

    wanted = world.source.documents["web"]["spec"]["image"]["platform"]["version"]
    assert wanted in world.lines()["web"]
    assert world.lines()["web"].startswith(("UpToDate: ", "InstancesLeftOut: "))
    left_out = {
        each.id
        for each in world.azure.scale_set("web").instances
        if each.state[1] == "deallocated" or each.is_protected
    }
    images = world.azure.record.images("web")
    assert {id_ for id_, image in images.items() if not image.endswith(wanted)} <= left_out

    world.azure.faults.disarm()
    world.rest(timedelta(minutes=6))  # when it is observed once more
    asked = len(world.requests())
    world.rest(timedelta(minutes=30))
    nothing_was_written(world.azure.record, asked)
    assert set(world.requests()[asked:]) <= {"VirtualMachineScaleSets_ListAll"}, (
        "a settled fleet was observed"
    )
    world.judge()
