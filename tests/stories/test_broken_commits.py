"""Commits with errors: what is whole in them moves, and the rest stays on its last good declaration."""

from collections.abc import Mapping
from typing import Any

import pytest

from reconciler.daemon.report import state as report
from reconciler.daemon.report import store as store_report
from tests.messages import says
from tests.stories.fleets import MINUTE, on, reason, sets, writes
from tests.stories.world import FIX, NEW, OLD, World, of_all, spec

Document = Mapping[str, Any]


def broken(name: str, version: str = FIX, **changes: Any) -> dict[str, Any]:
    """A spec with an unknown field."""
    return spec(name, version, wawe=1, **changes)


def two(**changes: Any) -> World:
    """Two scale sets on the image that is declared for them."""
    return World(sets("api", "web", capacity=3), spec("api", NEW), spec("web", NEW, **changes)).run()


def test_an_error_blocks_its_own_scale_set_until_it_is_fixed() -> None:
    world = two()
    world.merge(broken("api"), spec("web", FIX))
    world.rest(2 * MINUTE).run()
    assert (on(world, "api"), on(world, "web")) == ({NEW}, {FIX})
    behind = report(world.state("api"))["behind"]
    assert (behind["subject"], behind["errors"]) == ("merge 2", 1)
    assert "spec.wawe is not a known field" in behind["error"]
    assert report(world.state("web"))["behind"] is None
    assert [report(world.state(name))["revision"]["commit"][-1] for name in ("api", "web")] == ["1", "2"]
    world.merge(spec("api", FIX))
    world.rest(2 * MINUTE).run()
    assert (on(world, "api"), report(world.state("api"))["behind"]) == ({FIX}, None)
    assert store_report(world.reconciler.store)["sweep"]["refused"] is None


def test_a_rollout_goes_on_while_a_newer_commit_has_an_error_in_its_spec() -> None:
    world = World(sets("api", "web", capacity=5), spec("api", NEW), spec("web", OLD))
    world.run(lambda: len(writes(world, "api")) >= 2)
    world.merge(broken("api", FIX))
    world.rest(2 * MINUTE).run()
    assert on(world, "api") == {NEW}


WAVE = {"wave": 1}
DEPENDS = {"dependsOn": ["api"]}


@pytest.mark.parametrize(
    "order", [pytest.param(WAVE, id="by wave"), pytest.param(DEPENDS, id="by dependsOn")]
)
def test_who_comes_later_waits_for_one_that_is_behind(order: Document) -> None:
    world = two(**order)
    world.merge(broken("api"), spec("web", FIX, **order))
    world.rest(10 * MINUTE)
    assert world.lines()["web"] == says("DependencyNotReady", "api", "commit 0000000000 has errors")
    assert on(world, "web") == {NEW}
    world.merge(spec("api", FIX))
    world.rest(2 * MINUTE).run()
    assert (on(world, "api"), on(world, "web")) == ({FIX}, {FIX})


def test_an_image_that_cannot_be_read_may_be_that_of_a_later_wave() -> None:
    world = two(**WAVE)
    world.merge(spec("api", "x"), spec("web", FIX, **WAVE))
    world.rest(10 * MINUTE)
    assert reason(world, "web") == "DependencyNotReady"


def test_a_known_image_of_an_earlier_wave_blocks_no_other_image() -> None:
    world = two(**WAVE)
    world.merge(broken("api", OLD), spec("web", FIX, **WAVE))
    world.rest(2 * MINUTE).run()
    assert (on(world, "api"), on(world, "web")) == ({NEW}, {FIX})


def test_a_declaration_that_is_not_newer_does_not_wait_for_one_that_is_behind() -> None:
    world = World(sets("api", "web", capacity=5), spec("api", OLD), spec("web", NEW, **DEPENDS))
    world.run(lambda: len(writes(world, "web")) >= 2)
    world.merge(broken("api"))
    world.rest(2 * MINUTE).run()
    assert on(world, "web") == {NEW}


FOUR = [f"s{number}" for number in range(4)]


@pytest.mark.parametrize(
    ("cap", "whole", "fixed"),
    [
        pytest.param(
            3, {"TooMuchChange": 2, "UpToDate": 2}, {"TooMuchChange": 4}, id="below the whole commit"
        ),
        pytest.param(4, {"UpToDate": 4}, {"UpToDate": 4}, id="of the whole commit"),
    ],
)
def test_a_cap_counts_the_whole_commit(cap: int, whole: dict[str, int], fixed: dict[str, int]) -> None:
    world = World(sets(*FOUR, capacity=2), of_all(maxChange=cap), *(spec(each, OLD) for each in FOUR)).run()
    world.merge(*(spec(each, NEW) for each in FOUR[:2]), *(broken(each, NEW) for each in FOUR[2:]))
    world.rest(30 * MINUTE)
    reasons = [reason(world, each) for each in FOUR]
    assert {each: reasons.count(each) for each in reasons} == whole
    world.merge(*(spec(each, NEW) for each in FOUR[2:]))
    world.rest(60 * MINUTE)
    reasons = [reason(world, each) for each in FOUR]
    assert {each: reasons.count(each) for each in reasons} == fixed


def test_nothing_is_removed_by_a_commit_with_errors() -> None:
    world = World(sets("api", "web", capacity=5), spec("api", OLD), spec("web", NEW))
    world.run(lambda: len(writes(world, "web")) >= 2)
    world.unmerge("web")
    world.source.documents["api"] = broken("api")
    world.rest(2 * MINUTE).run()
    assert (on(world, "web"), report(world.state("web"))["behind"]["errors"]) == ({NEW}, 1)
    world.merge(spec("api", OLD))
    world.rest(2 * MINUTE)
    assert list(world.lines()) == ["api"]


def test_an_error_in_the_fleet_keeps_all_and_its_freeze_counts() -> None:
    world = two()
    world.merge(of_all(freeze={"reason": "outage"}, maxChange="half"), spec("web", FIX))
    world.rest(10 * MINUTE)
    assert (reason(world, "web"), on(world, "web")) == ("Frozen", {NEW})
    world.merge(of_all())
    world.rest(2 * MINUTE).run()
    assert on(world, "web") == {FIX}
