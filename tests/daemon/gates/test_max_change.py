"""The cap on change: what a commit changes, when that is too much, and what lets it go."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from reconciler.daemon.gates.max_change import count_changes, is_change_counted, max_change
from reconciler.daemon.state import ScaleSetState
from reconciler.rollout.persisted import Fingerprint, PersistedState
from reconciler.rollout.progress import Progress
from reconciler.rollout.reason import Reason
from reconciler.spec.amount import Amount, Count, Percent
from reconciler.spec.image import Image, PlatformImage
from reconciler.spec.scale_set import OnFailure
from reconciler.spec.suspension import Suspension
from tests.build import FIX, FLEET, NEW, NOW, OLD, model, spec

LATEST = PlatformImage("Canonical", "ubuntu-24_04-lts", "server", "latest")
OTHER = PlatformImage("Canonical", "ubuntu-22_04-lts", "server", "22.04.1")
MINUTE = timedelta(minutes=1)


class Fleet:
    """Ten scale sets, s0 to s9, whose models are on OLD; and the entries of a daemon that sweeps them."""

    def __init__(self, cap: Amount, **declared: Any) -> None:
        self.cap = cap
        self.at = NOW
        self.states: Sequence[ScaleSetState] = ()
        self.models = {
            spec(f"s{n}").target.key: model(id=spec(f"s{n}").target.key, image=OLD) for n in range(10)
        }
        self.declared: dict[str, dict[str, Any]] = {f"s{n}": {"image": OLD} for n in range(10)}
        self.number = 0
        self.commit(**declared)

    def commit(self, cap: Amount | None = None, **declared: Any) -> "Fleet":
        """Declare this image, or these fields, for some scale sets, and sweep."""
        self.cap = cap or self.cap
        self.number += 1
        self.at += MINUTE
        for name, said in declared.items():
            self.declared[name] |= said if isinstance(said, dict) else {"image": said}
        return self.sweep()

    def sweep(self, unlisted: frozenset[str] = frozenset()) -> "Fleet":
        fleet = replace(FLEET, max_change=self.cap)
        known = {state.desired.name: state for state in self.states}
        now = [spec(name, fleet=fleet, **said) for name, said in self.declared.items()]
        commit = f"{self.number:040x}"
        before = [
            replace(known[each.name], desired=each, commit=commit)
            if each.name in known
            else ScaleSetState(each, commit)
            for each in now
        ]
        self.states = count_changes(
            before, self.models, frozenset(spec(n).target.key for n in unlisted), self.at
        )
        return self

    def restart(self, unlisted: frozenset[str] = frozenset()) -> "Fleet":
        self.states = ()
        self.at += MINUTE
        return self.sweep(unlisted)

    def moved(self, image: Image, *names: str, **changes: Any) -> "Fleet":
        """The models of these are on that image."""
        for name in names:
            key = spec(name).target.key
            self.models[key] = replace(self.models[key], image=image, **changes)
        return self

    @property
    def held(self) -> str:
        """Those that are, but for suspended ones."""
        names = [each.desired.name for each in self.states if not each.desired.suspend]
        return " ".join(name for name in names if self.gate(name).closed)

    def gate(self, name: str) -> Any:
        state = next(each for each in self.states if each.desired.name == name)
        (found,) = max_change(state, self.states, self.at) or (
            type("None", (), {"closed": None, "evidence": ""}),
        )
        return found


def to(image: Image, *numbers: int) -> dict[str, Any]:
    return {f"s{number}": image for number in numbers}


THREE = Count(3)


def test_a_commit_within_the_cap_blocks_nothing() -> None:
    fleet = Fleet(THREE).commit(**to(NEW, 1, 2, 3))
    assert fleet.held == ""
    assert fleet.gate("s1").evidence == (
        "commit 0000000000 changes the image of 3 of 10 scale sets, and spec.maxChange is 3"
    )
    assert fleet.gate("s4").evidence == "", "nothing changes it"


def test_a_commit_beyond_the_cap_blocks_the_scale_sets_that_it_changes() -> None:
    fleet = Fleet(Percent(30), **to(NEW, 9)).commit(**to(NEW, 1, 2, 3, 4))
    assert fleet.held == "s1 s2 s3 s4"
    found = fleet.gate("s1")
    assert (found.closed, found.evidence) == (
        Reason.TOO_MUCH_CHANGE,
        "commit 0000000000 changes the image of 4 of 10 scale sets; "
        "split the commit, or raise spec.maxChange from 30% (3 of 10)",
    )


@pytest.mark.parametrize(
    ("later", "held"),
    [
        pytest.param({}, "s1 s2 s3 s4", id="a later commit that changes no image keeps it blocked"),
        pytest.param(
            to(NEW, 7),
            "s1 s2 s3 s4",
            id="a later commit with another image is let through and keeps it blocked",
        ),
        pytest.param({"cap": Count(4)}, "", id="raising the cap unblocks it"),
        pytest.param(to(OLD, 4), "", id="reverting a part unblocks the rest"),
        pytest.param(to(FIX, 4), "", id="changing a part again unblocks that part"),
        pytest.param(to(FIX, 1, 2, 3, 4), "s1 s2 s3 s4", id="changing all again keeps it blocked"),
        pytest.param(to(OLD, 1, 2, 3, 4), "", id="reverting all unblocks it"),
        pytest.param({"s4": {"suspend": Suspension()}}, "", id="suspending one unblocks the others"),
    ],
)
def test_what_unblocks_a_commit(later: dict[str, Any], held: str) -> None:
    assert Fleet(THREE).commit(**to(NEW, 1, 2, 3, 4)).commit(**later).held == held


def test_a_restart_keeps_a_commit_blocked() -> None:
    fleet = Fleet(THREE).commit(**to(NEW, 1, 2, 3, 4)).restart()
    assert fleet.held == "s1 s2 s3 s4"
    assert fleet.sweep().held == "s1 s2 s3 s4"


@pytest.mark.parametrize("moved", [(), ("s1",), ("s1", "s2", "s3")])
def test_a_restart_during_a_rollout_blocks_nothing(moved: tuple[str, ...]) -> None:
    fleet = Fleet(THREE).commit(**to(NEW, 1, 2, 3)).moved(NEW, *moved)
    assert fleet.restart().held == ""


def test_lowering_the_cap_later_blocks_nothing() -> None:
    fleet = Fleet(THREE).commit(**to(NEW, 1, 2, 3)).moved(NEW, "s1").commit(cap=Count(1))
    assert fleet.held == ""
    assert fleet.commit(**to(NEW, 4, 5)).held == "s4 s5"


def test_each_commit_is_counted_separately() -> None:
    assert Fleet(THREE).commit(**to(NEW, 1, 2, 3)).commit(**to(NEW, 4, 5, 6)).held == ""


@pytest.mark.parametrize(
    ("first", "held"),
    [
        pytest.param(to(NEW, 1, 2, 3, 4), "s1 s2 s3 s4", id="models that are on another image"),
        pytest.param(to(LATEST, 1, 2, 3, 4), "", id="latest does not count for models on a version of it"),
        pytest.param(
            to(replace(LATEST, sku="minimal"), 1, 2, 3, 4),
            "s1 s2 s3 s4",
            id="the latest version of another image",
        ),
    ],
)
def test_the_first_commit_of_a_process_is_counted_by_the_models(first: dict[str, Any], held: str) -> None:
    assert Fleet(THREE, **first).held == held


def test_a_change_to_latest_counts() -> None:
    assert Fleet(THREE).commit(**to(LATEST, 1, 2, 3, 4)).held == "s1 s2 s3 s4"


def test_a_failed_image_does_not_count_after_a_restart() -> None:
    given_up = PersistedState(last_good=OLD, failed=Fingerprint.of(NEW))
    fleet = Fleet(THREE).moved(OLD, "s1", "s2", persisted=given_up)
    repin = {"image": NEW, "on_failure": OnFailure.REPIN}
    fleet.declared |= {"s1": dict(repin), "s2": dict(repin), "s3": {"image": NEW}, "s4": {"image": NEW}}
    assert fleet.restart().held == ""
    fleet.declared["s1"] |= {"on_failure": OnFailure.HOLD}
    fleet.declared["s2"] |= {"on_failure": OnFailure.HOLD}
    assert fleet.restart().held == "s1 s2 s3 s4", "with hold it is tried all the same"


def test_a_revert_to_the_last_good_image_does_not_count() -> None:
    names = [f"s{number}" for number in range(1, 5)]
    fleet = Fleet(Count(1)).moved(NEW, *names, persisted=PersistedState(last_good=OLD))
    assert fleet.commit(**to(FIX, 1, 2, 3, 4)).held == "s1 s2 s3 s4"
    assert fleet.commit(**to(OLD, 1, 2, 3, 4)).held == ""


def test_models_on_the_image_and_absent_models_do_not_count() -> None:
    fleet = Fleet(THREE).moved(NEW, "s1", "s2")
    del fleet.models[spec("s3").target.key]
    assert fleet.commit(**to(NEW, 1, 2, 3, 4, 5, 6)).held == ""


def test_newly_declared_scale_sets_count_if_their_models_change() -> None:
    fleet = Fleet(THREE)
    for number in range(10, 14):
        key = spec(f"s{number}").target.key
        fleet.models[key] = model(id=key, image=OLD)
        fleet.declared[f"s{number}"] = {"image": NEW}
    assert fleet.commit().held == "s10 s11 s12 s13"


def test_a_change_during_a_suspension_counts_when_the_suspension_ends() -> None:
    names = [f"s{number}" for number in range(1, 5)]
    suspended: dict[str, Any] = {name: {"image": NEW, "suspend": Suspension()} for name in names}
    resumed: dict[str, Any] = {name: {"suspend": None} for name in names}
    fleet = Fleet(THREE).commit(**suspended)
    assert fleet.held == ""
    assert fleet.commit(**resumed).held == "s1 s2 s3 s4"


def test_a_resumed_scale_set_can_exceed_the_cap() -> None:
    fleet = Fleet(THREE).commit(**to(NEW, 1, 2, 3, 4)).commit(s4={"suspend": Suspension()})
    assert fleet.commit(s4={"suspend": None}).held == "s4"
    assert fleet.commit(s4=OLD).held == ""


def test_a_failed_list_hides_no_change() -> None:
    fleet = Fleet(THREE)
    fleet.declared |= {f"s{number}": {"image": NEW} for number in range(1, 5)}
    fleet.number, fleet.at = 2, fleet.at + MINUTE
    assert fleet.sweep(frozenset({"s1", "s2"})).held == "s1 s2 s3 s4"


def test_an_unlisted_scale_set_is_counted_once_it_is_listed() -> None:
    fleet = Fleet(THREE)
    fleet.declared |= {f"s{number}": {"image": NEW} for number in range(1, 7)}
    fleet.restart(frozenset({"s1", "s2", "s3"}))
    assert fleet.held == ""
    assert [each.desired.name for each in fleet.states if not is_change_counted(each)] == ["s1", "s2", "s3"]
    assert fleet.sweep().held == "s1 s2 s3"
    assert all(map(is_change_counted, fleet.states))


def test_a_rollout_that_has_begun_is_not_blocked() -> None:
    """As an urgent image has, until it no longer was."""
    fleet = Fleet(Count(1)).commit(**to(NEW, 1, 2))
    held, begun = fleet.states[1], replace(fleet.states[1], progress=Progress(holds_slot=True))
    assert [gate.closed for each in (held, begun) for gate in max_change(each, fleet.states, NOW)] == [
        Reason.TOO_MUCH_CHANGE,
        None,
    ]


def test_a_plain_directory_has_no_commit_to_name() -> None:
    fleet = Fleet(Count(1)).commit(**to(NEW, 1, 2))
    (found,) = max_change(
        replace(fleet.states[1], change=replace(_change(fleet.states[1]), commit="")), fleet.states, NOW
    )
    assert found.evidence.startswith("the specs change the image of ")


def _change(state: ScaleSetState) -> Any:
    assert state.change is not None
    return state.change
