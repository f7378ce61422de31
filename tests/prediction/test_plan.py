"""Plans of changes: what a change does, beside what is already under way."""

import gc
from threading import Barrier
from typing import Any

import pytest

from reconciler.azure.budget import Priority
from reconciler.azure.compute import Compute
from reconciler.cli import plan_group, plan_text
from reconciler.prediction import report
from reconciler.rollout.observed import Instance, Model
from reconciler.simulator import Status
from reconciler.spec.scale_set import Target
from tests.prediction.plans import plan_of
from tests.stories.world import NEW, OLD, World, fleet, of_all, platform, scale_set, spec


@pytest.mark.parametrize(
    ("pending", "changed", "expected"),
    [
        pytest.param([8, 9], [7], {"s7": "begins", "s8": "begins", "s9": "begins"}, id="both within the cap"),
        pytest.param(
            [6, 7, 8, 9],
            [0],
            {"s0": "begins", **dict.fromkeys(["s6", "s7", "s8", "s9"], "TooMuchChange")},
            id="an earlier commit that exceeds the cap",
        ),
        pytest.param(
            [9],
            [0, 1, 2],
            {"s9": "begins", **dict.fromkeys(["s0", "s1", "s2"], "TooMuchChange")},
            id="a change that exceeds the cap",
        ),
    ],
)
def test_max_change_counts_what_the_change_itself_changes(
    pending: list[int], changed: list[int], expected: dict[str, str]
) -> None:
    """Of ten scale sets, one commit may change two. What is pending was declared by the base."""
    cap = of_all(maxChange="20%")
    world = World(
        fleet(*(scale_set(f"s{number}", capacity=2) for number in range(10))),
        cap,
        *(spec(f"s{number}", version=_version(number, [*pending, *changed])) for number in range(10)),
    )
    base = [spec(f"s{number}", version=_version(number, pending)) for number in range(10)]
    plan = plan_of(world, cap, *base)
    found: dict[str, Any] = {
        each.desired.name: "begins"
        if each.key in plan.forecast.began
        else str(plan.forecast.last[each.key].reason)
        for each in plan.states
    }
    assert {name: what for name, what in found.items() if what != "UpToDate"} == expected
    assert [each.desired.name for each in plan.changed] == [f"s{number}" for number in changed]


def _version(number: int, new: list[int]) -> str:
    return NEW if number in new else OLD


@pytest.mark.parametrize(
    "operation",
    [
        pytest.param("VirtualMachineScaleSetVMs_List", id="the instances"),
        pytest.param("VirtualMachineScaleSets_ListAll", id="the list of scale sets"),
    ],
)
@pytest.mark.parametrize("policy", [{}, {"wave": 1}], ids=["of a first wave", "of a later wave"])
def test_a_plan_says_why_a_scale_set_could_not_be_read(operation: str, policy: dict[str, Any]) -> None:
    world = World(
        fleet(scale_set("a", capacity=2), scale_set("b", capacity=2)), spec("a"), spec("b", **policy)
    )
    world.azure.faults.arm(
        operation,
        Status(403, "AuthorizationFailed", "the client may not read this"),
        times=None,
        when=lambda request: "ListAll" in operation or "/b/" in request.path,
    )
    plan = plan_of(world)
    last = plan.forecast.last[plan.states[1].key]
    assert (last.reason, "may not read this" in last.message) == ("Refused", True), last
    assert plan.forecast.is_whole


def test_a_scale_set_that_does_not_exist_is_not_found() -> None:
    plan = plan_of(World(fleet(scale_set("a", capacity=2)), spec("a"), spec("b")))
    assert {each.name: each.reason for each in plan.forecast.last.values()} == {
        "a": "UpToDate",
        "b": "NotFound",
    }


class Meeting(Compute):
    """Lists the instances of b and c only together."""

    both = Barrier(2, timeout=10)

    def instances(self, target: Target, model: Model, priority: Priority) -> tuple[Instance, ...]:
        if target.name in {"b", "c"}:
            self.both.wait()
        return super().instances(target, model, priority)


def test_instances_that_no_decision_needs_are_read_at_the_same_time() -> None:
    sets = [scale_set(name, capacity=2) for name in "abc"]
    world = World(fleet(*sets), spec("a"), spec("b", wave=1), spec("c", wave=1), compute=Meeting)
    assert len(plan_of(world).snapshot.instances) == 3


@pytest.mark.parametrize(
    ("states", "expected"),
    [
        pytest.param([{"id": "1", "health": "unhealthy"}], 1, id="unhealthy for a moment"),
        pytest.param([{"id": "1", "power": "stopped"}, {"id": "2", "health": "unhealthy"}], 2, id="stopped"),
        pytest.param([{"id": "1", "provisioning": "updating"}], 0, id="being upgraded"),
        pytest.param(
            [{"id": "1", "image": platform(OLD), "health": "unhealthy"}], 0, id="still on the old image"
        ),
        pytest.param([{"id": "1", "power": "deallocated"}], 0, id="deallocated"),
    ],
)
def test_a_forecast_counts_the_instances_that_it_assumes_to_recover(
    states: list[dict[str, Any]], expected: int
) -> None:
    web = scale_set(capacity=5, image=platform(NEW), instanceStates=states)
    plan = plan_of(World(fleet(web), spec()))
    assert sum(plan.forecast.assumed_recoveries.values()) == expected


@pytest.mark.parametrize(
    ("schedule", "headline"),
    [
        pytest.param("0 11 6 3 *", "does not end by Fri 2026-03-06 09:00 UTC", id="opens after sixty days"),
        pytest.param("0 11 5 3 *", "ends about ", id="opens on the fifty-ninth day"),
    ],
)
@pytest.mark.parametrize("name", ["a", "b"])
def test_a_change_that_waits_for_a_window(schedule: str, headline: str, name: str) -> None:
    """The other scale set ends within minutes."""
    window: dict[str, Any] = {
        "rollout": {"windows": [{"kind": "allow", "schedule": schedule, "duration": "4h"}]}
    }
    specs = [spec(each, **(window if each == name else {})) for each in "ab"]
    plan = plan_of(World(fleet(scale_set("a", capacity=2), scale_set("b", capacity=2)), *specs))
    assert headline in plan_text.timing(report.plan(plan))[0]
    assert {each.ends is None for each in plan.waves} == {headline.startswith("does not")}


@pytest.mark.parametrize(
    ("b", "c", "groups"),
    [
        pytest.param({"soak": "10m"}, {"soak": "12m"}, [("a",), ("b",), ("c",)], id="soaks that differ"),
        pytest.param(
            {"bakeTime": "5m"}, {"bakeTime": "1h"}, [("a",), ("b",), ("c",)], id="bake times that differ"
        ),
        pytest.param(
            {"soak": "10m"}, {"soak": "10m"}, [("a",), ("b", "c")], id="equal soaks at different times"
        ),
    ],
)
def test_rollouts_form_one_group_if_their_soaks_are_equally_long(
    b: dict[str, Any], c: dict[str, Any], groups: list[tuple[str, ...]]
) -> None:
    """The first scale set does not wait for another one."""
    sets = [scale_set(name, capacity=2) for name in "abc"]
    cap = of_all(maxConcurrentRollouts=1, maxChange="100%")
    plan = plan_of(World(fleet(*sets), cap, spec("a"), spec("b", rollout=b), spec("c", rollout=c)))
    assert [each.names for each in plan_group.groups(report.plan(plan))] == groups


def test_specs_that_cannot_be_read_remove_no_scale_set() -> None:
    world = World(fleet(scale_set("a", capacity=2)), spec("a", suspend="maybe"))
    assert plan_of(world, spec("a")).removed == ()


def test_a_plan_leaves_the_garbage_collector_as_it_was() -> None:
    before = gc.get_threshold()
    assert plan_of(World(fleet(scale_set("web")), spec("web"))).rolling
    assert gc.get_threshold() == before
