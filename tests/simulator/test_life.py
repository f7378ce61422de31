"""The consistency of the tables of an instance's life cycle."""

from __future__ import annotations

from typing import get_args

import pytest

from reconciler.simulator.catalogue import Boots
from reconciler.simulator.life import COURSES, FORCED_STAGES, Course, Verb
from reconciler.simulator.timings import Timings

ROWS = [
    pytest.param(verb, boots, course, id=f"{verb}, image boots {boots}")
    for (verb, boots), course in COURSES.items()
]


def test_every_operation_has_a_course_for_every_way_to_boot() -> None:
    assert set(COURSES) == {(verb, boots) for verb in get_args(Verb) for boots in get_args(Boots)}


@pytest.mark.parametrize("verb, boots, course", ROWS)
def test_a_course_begins_at_once_and_ends_once_or_never(verb: Verb, boots: Boots, course: Course) -> None:
    assert course[0].after == ""
    assert all(stage.after in Timings.__slots__ for stage in course[1:])
    ends = [stage.ends for stage in course if stage.ends]
    hangs = boots == "never" and verb in ("replace", "create", "restart", "start")
    assert len(ends) == (0 if hangs else 1)


@pytest.mark.parametrize("verb, boots, course", ROWS)
def test_a_disk_is_replaced_only_while_the_instance_is_down(verb: Verb, boots: Boots, course: Course) -> None:
    if verb == "replace" and any(stage.swap for stage in course):
        assert [stage.power for stage in course][:3] == ["stopping", "starting", "running"], boots


def test_a_forced_stage_takes_effect_at_once() -> None:
    assert all(stage.after == "" and stage.ends is None for stage in FORCED_STAGES.values())
