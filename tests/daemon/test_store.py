"""The store: which scale sets it knows, and in which order."""

import pytest

from reconciler.daemon.event import Listed, ReconcileBegan
from reconciler.daemon.state import ScaleSetState
from reconciler.daemon.states import ScaleSetStates
from reconciler.daemon.store import Store
from tests.build import NOW, spec
from tests.daemon.states import in_force, state, store_of


def test_a_scale_set_whose_spec_is_removed_is_named_and_dropped() -> None:
    store = store_of(state("b"), state("a"), state("c"))
    assert store.declare(in_force(spec("b"))) == ("a", "c")
    assert store.apply(spec("a").target.key, ReconcileBegan()) is None
    assert [each.desired.name for each in store.states()] == ["b"]


def test_a_renamed_spec_is_about_the_same_scale_set() -> None:
    store = store_of(state("web"))
    store.declare(in_force(spec("front", target=spec("web").target)))
    (after,) = store.states()
    assert (after.desired.name, after.outcome) == ("front", state("web").outcome)


def test_states_are_sorted_by_name() -> None:
    store = Store()
    store.declare(in_force(spec("b", target=spec("y").target), spec("a", target=spec("z").target)))
    assert [each.desired.name for each in store.states()] == ["a", "b"]


def test_no_slot_is_acquired_for_a_scale_set_that_is_no_longer_declared() -> None:
    with pytest.raises(KeyError):
        store_of().acquire("gone", lambda *_: pytest.fail("asked"))


def test_the_rows_of_a_sweep_are_applied_together_and_those_of_removed_specs_are_ignored() -> None:
    names = [f"s{number:02}" for number in range(20)]
    store = store_of(*map(state, names))
    rows = {spec(name).target.key: Listed(None, NOW, is_settled=False) for name in ("s03", "s17", "gone")}
    version = store.version
    store.apply_each(rows)
    assert [each.desired.name for each in store.states()] == names
    listed = [each.desired.name for each in store.states() if each.seen.listed_at]
    assert (listed, store.version) == (["s03", "s17"], version + 2)


def _number(state: ScaleSetState) -> int:
    return int(state.desired.name)


@pytest.mark.parametrize("name", ["00", "07", "19"], ids=["which is 0", "in the middle", "the last"])
def test_the_total_of_others_leaves_one_scale_set_out(name: str) -> None:
    states = ScaleSetStates.of([state(f"{number:02}") for number in range(20)])
    assert states.total_of_others(spec(name).target.key, 0, _number) == sum(range(20)) - int(name)
