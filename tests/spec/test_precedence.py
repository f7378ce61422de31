"""The order of scale sets, and cycles of scale sets that wait for each other."""

from hypothesis import given
from hypothesis import strategies as st

from reconciler.spec.image import ManagedImage, same
from reconciler.spec.precedence import Link, cycles, levels
from reconciler.spec.scale_set import ScaleSet
from reconciler.spec.suspension import Suspension
from tests.build import FIX, NEW, spec


def names(*scale_sets: ScaleSet) -> list[list[str]]:
    return [[each.name for each in level] for level in levels(scale_sets)]


def test_no_scale_sets_have_no_levels() -> None:
    assert levels(()) == ()


def test_a_scale_set_without_dependencies_comes_first() -> None:
    web, db, cache = spec("web", depends_on=("db", "cache")), spec("db"), spec("cache", depends_on=("db",))
    assert names(web, db, cache) == [["db"], ["cache"], ["web"]]


def test_earlier_waves_of_the_same_image_come_first() -> None:
    late, first, other = spec("late", wave=7), spec("first", wave=2), spec("other", wave=1, image=FIX)
    assert names(late, first, other) == [["first", "other"], ["late"]]


def test_an_image_id_in_another_case_is_the_same_image() -> None:
    one, two = (ManagedImage(f"/subscriptions/{letter}/images/a") for letter in "sS")
    assert names(spec("b", image=one, wave=1), spec("a", image=two)) == [["a"], ["b"]]


def test_waves_and_dependencies_together() -> None:
    web, canary, db = spec("web", wave=1), spec("canary", depends_on=("db",)), spec("db", image=FIX)
    assert names(web, canary, db) == [["db"], ["canary"], ["web"]]


def test_an_undeclared_dependency_is_ignored() -> None:
    assert names(spec("web", depends_on=("gone",)), spec("api", depends_on=("web",))) == [["web"], ["api"]]


def test_a_suspended_scale_set_is_ordered_like_any_other() -> None:
    assert names(spec("web", depends_on=("db",)), spec("db", suspend=Suspension())) == [["db"], ["web"]]


def test_a_cycle_comes_last_and_does_not_affect_others() -> None:
    a, b, c = spec("a", depends_on=("b",)), spec("b", depends_on=("a",)), spec("c")
    assert names(a, b, c) == [["c"], ["a", "b"]]


def test_no_cycle_is_found_without_one() -> None:
    assert list(cycles([spec("web", wave=3), spec("api", wave=1, depends_on=("db",)), spec("db")])) == []


def test_a_cycle_of_dependencies() -> None:
    a, b, c = spec("a", depends_on=("c",)), spec("b", depends_on=("a",)), spec("c", depends_on=("b",))
    assert list(cycles([c, a, b])) == [(Link("a", "c"), Link("c", "b"), Link("b", "a"))]


def test_a_cycle_through_a_wave() -> None:
    early, late = spec("early", depends_on=("late",)), spec("late", wave=2)
    assert list(cycles([late, early])) == [(Link("early", "late"), Link("late", "early", wave=0))]


def test_a_cycle_through_several_waves() -> None:
    sets = [spec("a", wave=4, image=NEW), spec("b", wave=2), spec("c", wave=0, depends_on=("a",))]
    assert list(cycles(sets)) == [(Link("a", "b", wave=2), Link("b", "c", wave=0), Link("c", "a"))]


def test_two_cycles_are_both_found() -> None:
    pairs = [("a", "b"), ("b", "a"), ("c", "d"), ("d", "c"), ("e", "a")]
    found = list(cycles([spec(name, depends_on=(on,)) for name, on in pairs]))
    assert [{link.name for link in cycle} for cycle in found] == [{"a", "b"}, {"c", "d"}]


NAMES = "abcdef"
SETS = st.lists(
    st.builds(
        lambda name, on, wave, image: spec(name, depends_on=tuple(on), wave=wave, image=image),
        st.sampled_from(NAMES),
        st.lists(st.sampled_from(NAMES), max_size=2, unique=True),
        st.integers(0, 3),
        st.sampled_from([NEW, FIX]),
    ),
    unique_by=lambda each: each.name,
)


def waits(one: ScaleSet, other: ScaleSet) -> bool:
    """Whether `one` waits for `other`: by name, or because `other` has the same image in an earlier wave."""
    return other.name in one.depends_on or (other.wave < one.wave and same(one.image, other.image))


@given(SETS)
def test_no_scale_set_comes_before_one_it_waits_for(sets: list[ScaleSet]) -> None:
    rounds, left = [], list(sets)  # the simple algorithm: take all that wait for none of the rest
    while free := [each for each in left if not any(waits(each, other) for other in left)]:
        rounds.append(free)
        left = [each for each in left if each not in free]
    found = [list(level) for level in levels(sets)]
    assert sorted(each.name for level in found for each in level) == sorted(each.name for each in sets)
    if not left:
        assert found == rounds
    assert bool(left) == any(True for _ in cycles(sets))


@given(SETS)
def test_the_links_of_a_cycle_are_real_and_closed(sets: list[ScaleSet]) -> None:
    by_name = {each.name: each for each in sets}
    assert list(cycles(sets)) == list(cycles(sets[::-1]))
    for cycle in cycles(sets):
        assert [link.on for link in cycle] == [link.name for link in (*cycle[1:], cycle[0])]
        for link in cycle:
            one, other = by_name[link.name], by_name[link.on]
            assert (
                (other.wave == link.wave < one.wave) if link.wave is not None else link.on in one.depends_on
            )
