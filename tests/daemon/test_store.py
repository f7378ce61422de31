"""The board: what stays of an entry when the specs move, and what does not."""

from datetime import timedelta
from typing import Any

import pytest

from reconciler.daemon.store import Store
from reconciler.forecast.batch_duration import ASSUMED
from reconciler.forecast.forecast import Forecast
from reconciler.rollout.counts import InstanceCounts
from tests.build import FIX, NEW, spec
from tests.daemon.states import outcome

COUNTS = InstanceCounts(())
AHEAD = Forecast((), 1, 0, 0, None, None, timedelta(), (), None, ASSUMED)


def store(*scale_sets: Any) -> Store:
    shown = Store()
    shown.declare(scale_sets, "a1")
    for each in scale_sets:
        shown.update(each.target.key, counts=COUNTS, forecast=AHEAD, exact=NEW)
    return shown


@pytest.mark.parametrize(
    ("later", "counts"),
    [
        pytest.param(spec(), COUNTS, id="the same spec keeps what was counted"),
        pytest.param(spec("front", target=spec().target), COUNTS, id="so does one that was renamed"),
        pytest.param(spec(image=FIX), None, id="another image was not counted yet"),
        pytest.param(spec(target=spec("other").target), None, id="nor was another scale set"),
    ],
)
def test_a_commit_takes_over(later: Any, counts: InstanceCounts | None) -> None:
    shown = store(spec())
    shown.declare([later], "b2")
    (state,) = shown.states()
    assert (state.desired, state.commit, state.counts) == (later, "b2", counts)
    assert state.forecast == (AHEAD if counts else None), "what was foreseen of it goes with what was counted"
    assert state.exact == (NEW if counts else None), "and so does what its image meant"


def test_what_is_no_longer_declared_is_named_and_gone() -> None:
    shown = store(spec("b"), spec("a"), spec("c"))
    assert shown.declare([spec("b")], "b2") == ("a", "c")
    shown.update(spec("a").target.key, counts=COUNTS)
    assert [state.desired.name for state in shown.states()] == ["b"]


def test_entries_come_by_name() -> None:
    first, second = spec("a", target=spec("z").target), spec("b", target=spec("y").target)
    assert [state.desired.name for state in store(second, first).states()] == ["a", "b"]


def test_what_a_tick_found_meanwhile_is_not_told_anew() -> None:
    shown = store(spec())
    (before,) = shown.states()
    shown.update(before.desired.target.key, outcome=outcome(reason="AwaitingTurn"))
    (waiting,) = shown.states()
    shown.retell(waiting, outcome=outcome(reason="AwaitingTurn", message="as it stands now"))
    (retold,) = shown.states()
    assert retold.outcome == outcome(reason="AwaitingTurn", message="as it stands now")
    shown.update(before.desired.target.key, outcome=outcome(reason="Upgrading"))
    shown.retell(retold, outcome=outcome(reason="AwaitingTurn", message="too late"))
    (after,) = shown.states()
    assert after.outcome == outcome(reason="Upgrading")
