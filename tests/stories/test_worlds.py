"""Random worlds keep the invariants. They end settled, or report why not and since when.

The suite plays a few worlds, and `WORLDS_SEEDS=2000 make explore` plays many. A failing world is the same every time:

    WORLDS_SEEDS=38 pytest 'tests/stories/test_worlds.py::test_a_random_world_keeps_the_invariants[seed 37]'

It is shrunk first to few scale sets, settings and events, which takes minutes. `WORLDS_SHRINK=0` skips that.
"""

import os
from collections.abc import Callable
from datetime import timedelta

import pytest

from reconciler.simulator import Slow
from tests.stories.world import World, fleet, scale_set, spec
from tests.stories.worlds import Plan, failure_of, in_words, plan_of, shrunk

SEEDS = int(os.environ.get("WORLDS_SEEDS", "5"))
TRIES = int(os.environ.get("WORLDS_SHRINK", "200"))


@pytest.mark.parametrize("seed", range(SEEDS), ids="seed {}".format)
@pytest.mark.timeout(3600)
def test_a_random_world_keeps_the_invariants(seed: int) -> None:
    plan = plan_of(seed)
    if not (failure := failure_of(plan)):
        return
    small = shrunk(plan, failure_of, TRIES) if TRIES else plan
    pytest.fail(f"seed {seed}: {failure}\n\n{failure_of(small)}\n\n{in_words(small)}", pytrace=False)


def test_a_rest_ends_though_azure_is_so_slow_that_one_sweep_takes_longer() -> None:
    names = ("s00", "s01", "s02", "s03")
    world = World(fleet(*map(scale_set, names)), *map(spec, names))
    world.azure.faults.arm("*", Slow(timedelta(seconds=90)), times=None)
    began = world.clock.now()
    world.rest(timedelta(minutes=5))
    assert world.clock.now() - began > timedelta(minutes=12)
    world.judge()


def test_a_seed_makes_the_same_plan_every_time() -> None:
    assert plan_of(7) == plan_of(7)
    assert plan_of(7) != plan_of(8)


def happens(*kinds: str, names: int = 1) -> Callable[[Plan], str]:
    """A check that fails if all these events happen in a world of at least `names` scale sets."""

    def failure(plan: Plan) -> str:
        is_met = {each.kind for each in plan.events} >= set(kinds) and len(plan.scale_sets) >= names
        return "a_rule: is broken" if is_met else ""

    return failure


def test_a_failing_world_is_shrunk_to_the_events_that_it_needs() -> None:
    plan = next(
        each for each in map(plan_of, range(1000)) if happens("sicken", "kill the daemon", names=4)(each)
    )
    small = shrunk(plan, happens("sicken", "kill the daemon", names=2), most=1000)
    assert sorted(each.kind for each in small.events) == ["kill the daemon", "sicken"]
    assert [each["capacity"] for each in small.scale_sets] == [1, 1]
    assert (small.fleet, [*small.specs.values()]) == ({}, [{}, {}])


def test_shrinking_keeps_the_rule_that_is_broken() -> None:
    plan = plan_of(3)
    one = len(plan.scale_sets)

    def failure(each: Plan) -> str:
        return "a_rule: is broken" if len(each.scale_sets) == one else "another: is broken"

    assert len(shrunk(plan, failure, most=50).scale_sets) == one
