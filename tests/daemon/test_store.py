"""The store: which scale sets it knows, and in which order."""

import pytest

from reconciler.daemon.event import ReconcileBegan
from reconciler.daemon.store import Store
from tests.build import spec
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
