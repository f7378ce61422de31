"""Plans of changes: what a change does, beside what is already under way."""

from typing import Any

import pytest

from tests.prediction.plans import plan_of
from tests.stories.world import NEW, OLD, World, fleet, of_all, scale_set, spec


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
