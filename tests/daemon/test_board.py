"""The board: what stays of an entry when the specs move, and what does not."""

from datetime import timedelta
from typing import Any

import pytest

from reconciler.daemon.board import Board
from reconciler.forecast.forecast import Forecast
from reconciler.forecast.tempo import ASSUMED
from reconciler.rollout.survey import Survey
from tests.build import FIX, NEW, spec
from tests.daemon.entries import outcome

COUNTS = Survey(())
AHEAD = Forecast((), 1, 0, 0, None, None, timedelta(), (), None, ASSUMED)


def board(*scale_sets: Any) -> Board:
    shown = Board()
    shown.declare(scale_sets, "a1")
    for each in scale_sets:
        shown.update(each.target.key, survey=COUNTS, forecast=AHEAD, exact=NEW)
    return shown


@pytest.mark.parametrize(
    ("later", "survey"),
    [
        pytest.param(spec(), COUNTS, id="the same spec keeps what was counted"),
        pytest.param(spec("front", target=spec().target), COUNTS, id="so does one that was renamed"),
        pytest.param(spec(image=FIX), None, id="another image was not counted yet"),
        pytest.param(spec(target=spec("other").target), None, id="nor was another scale set"),
    ],
)
def test_a_commit_takes_over(later: Any, survey: Survey | None) -> None:
    shown = board(spec())
    shown.declare([later], "b2")
    (entry,) = shown.entries()
    assert (entry.desired, entry.commit, entry.survey) == (later, "b2", survey)
    assert entry.forecast == (AHEAD if survey else None), "what was foreseen of it goes with what was counted"
    assert entry.exact == (NEW if survey else None), "and so does what its image meant"


def test_what_is_no_longer_declared_is_named_and_gone() -> None:
    shown = board(spec("b"), spec("a"), spec("c"))
    assert shown.declare([spec("b")], "b2") == ("a", "c")
    shown.update(spec("a").target.key, survey=COUNTS)
    assert [entry.desired.name for entry in shown.entries()] == ["b"]


def test_entries_come_by_name() -> None:
    first, second = spec("a", target=spec("z").target), spec("b", target=spec("y").target)
    assert [entry.desired.name for entry in board(second, first).entries()] == ["a", "b"]


def test_what_a_tick_found_meanwhile_is_not_told_anew() -> None:
    shown = board(spec())
    (before,) = shown.entries()
    shown.update(before.desired.target.key, outcome=outcome(reason="AwaitingTurn"))
    (waiting,) = shown.entries()
    shown.retell(waiting, outcome=outcome(reason="AwaitingTurn", message="as it stands now"))
    (retold,) = shown.entries()
    assert retold.outcome == outcome(reason="AwaitingTurn", message="as it stands now")
    shown.update(before.desired.target.key, outcome=outcome(reason="Upgrading"))
    shown.retell(retold, outcome=outcome(reason="AwaitingTurn", message="too late"))
    (after,) = shown.entries()
    assert after.outcome == outcome(reason="Upgrading")
