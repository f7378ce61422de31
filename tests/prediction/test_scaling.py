"""What a forecast costs for each scale set: it must not grow with the fleet."""

import sys
from collections import Counter
from types import CodeType, FrameType
from typing import Any

from reconciler.daemon.advance import advance
from reconciler.daemon.block import Question
from reconciler.daemon.gates.evaluation import awaited_gate
from reconciler.rollout.decide import decide
from tests.prediction.plans import plan_of
from tests.stories.test_forecast import AS_ASSUMED
from tests.stories.world import World, fleet, of_all, scale_set, spec

# A look at one state for a total over the fleet, an event, a gate at a sweep, and a decision.
COUNTED = {each.__code__: each.__name__ for each in (Question.measure, advance, awaited_gate, decide)}


def test_what_a_forecast_computes_for_each_scale_set_does_not_grow_with_the_fleet() -> None:
    """Four times the fleet has two more generations of pilots in each wave, and so some more sweeps.

    A pass over the fleet for each scale set would make each count grow four times.
    """
    few, many = (_counts_for_each(sets) for sets in (15, 60))
    assert {what: many[what] / few[what] for what in few if many[what] > 1.7 * few[what]} == {}


def _counts_for_each(sets: int) -> dict[str, float]:
    """How often each of COUNTED is called for each scale set, in a plan of a change of all in three waves."""
    names = [f"s{number:02}" for number in range(sets)]
    world = World(
        fleet(*(scale_set(each, capacity=2) for each in names), timings=AS_ASSUMED),
        of_all(maxChange="100%"),
        *(spec(each, wave=number * 3 // sets) for number, each in enumerate(names)),
    )
    calls: Counter[CodeType] = Counter()

    def count(frame: FrameType, event: str, _argument: Any) -> None:
        if event == "call" and frame.f_code in COUNTED:
            calls[frame.f_code] += 1

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        planned = plan_of(world)
    finally:
        sys.setprofile(before)
    assert len(planned.rolling) == sets
    return {COUNTED[code]: number / sets for code, number in calls.items()}
