"""The gates of waiting scale sets are evaluated from the store: whether they open, and the message meanwhile."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from reconciler.azure.failure import Conflict
from reconciler.checks.client import Checks
from reconciler.checks.reach import MERGED
from reconciler.daemon.advance import advance
from reconciler.daemon.event import GateChanged
from reconciler.daemon.gates import fleet as gates
from reconciler.daemon.gates.evaluation import awaited_gate, evaluate_gates, is_new_evidence
from reconciler.daemon.state import Change, ScaleSetState
from reconciler.daemon.states import ScaleSetStates
from reconciler.rollout.gate import Gate
from reconciler.rollout.observed import Instance
from reconciler.rollout.persisted import Fingerprint
from reconciler.rollout.progress import Progress
from reconciler.rollout.reason import Reason
from reconciler.spec.amount import Count
from reconciler.spec.fleet import Fleet
from reconciler.spec.image import Image
from reconciler.spec.scale_set import ScaleSet
from tests.build import FIX, FLEET, NEW, NOW, fleet, instance, observed, outdated, spec
from tests.daemon.states import outcome, state, store_of, waiting
from tests.messages import says

HELD = Change("91eab1ad9c53", NOW, is_held=True)
ONE_PLACE: Fleet = replace(FLEET, max_concurrent=Count(1), max_change=Count(1))


def waits(reason: Reason, **changes: Any) -> ScaleSetState:
    """One that waits at a gate whose evidence was "as it was then"."""
    until = changes.pop("until", None)
    return state(
        "web", reason, outcome=waiting(reason, "as it was then", until=until), fleet=ONE_PLACE, **changes
    )


@pytest.mark.parametrize(
    ("web", "others", "is_open", "evidence"),
    [
        pytest.param(
            waits(Reason.DEPENDENCY_NOT_READY, depends_on=("db",)),
            [state("db", "Upgrading")],
            False,
            "scale set db is Reconciling (Upgrading)",
            id="the dependency is not Ready",
        ),
        pytest.param(
            waits(Reason.DEPENDENCY_NOT_READY, depends_on=("db",)),
            [state("db")],
            True,
            "",
            id="the dependency is Ready",
        ),
        pytest.param(
            waits(Reason.DEPENDENCY_NOT_READY, depends_on=("db",), wave=1),
            [state("db"), state("dev", "Upgrading")],
            False,
            "1 of 2 scale sets in earlier waves is not Ready: dev is Reconciling (Upgrading)",
            id="the dependency is Ready, an earlier wave is not",
        ),
        pytest.param(
            waits(Reason.TOO_MUCH_CHANGE, change=HELD),
            [state("db", change=HELD)],
            False,
            "commit 91eab1ad9c changes the image of 2 of 2 scale sets; split the commit, or raise spec.maxChange from 1",
            id="the commit still exceeds the cap",
        ),
        pytest.param(
            waits(Reason.TOO_MUCH_CHANGE, change=replace(HELD, is_held=False)),
            [],
            True,
            "",
            id="the commit no longer exceeds the cap",
        ),
        pytest.param(
            waits(Reason.AWAITING_TURN),
            [state("api", "Soaking", image=FIX, holds_slot=True)],
            False,
            "no concurrency slot is free; spec.maxConcurrentRollouts is 1; scale set api (Soaking) is rolling out",
            id="no slot is free",
        ),
        pytest.param(waits(Reason.AWAITING_TURN), [state("api")], True, "", id="a slot is free"),
        pytest.param(
            waits(Reason.OUTSIDE_WINDOW, until=NOW + timedelta(seconds=1)),
            [],
            False,
            "as it was then",
            id="the window is closed",
        ),
        pytest.param(
            waits(Reason.OUTSIDE_WINDOW, until=NOW), [], True, "as it was then", id="a window that has opened"
        ),
        pytest.param(
            waits(Reason.OUTSIDE_WINDOW), [], False, "as it was then", id="a window that never opens"
        ),
    ],
)
def test_the_gate_that_is_waited_for(
    web: ScaleSetState, others: list[ScaleSetState], is_open: bool, evidence: str
) -> None:
    found = awaited_gate(web, (*others, web), NOW)
    assert found is not None
    assert found.closed == (None if is_open else Reason(web.outcome.reason))  # type: ignore[union-attr]
    assert found.evidence.startswith(evidence)


@pytest.mark.parametrize(
    "web",
    [
        pytest.param(state("web"), id="as declared"),
        pytest.param(state("web", None), id="not checked yet"),
        pytest.param(waits(Reason.CHECK_FAILED), id="a check costs a request"),
        pytest.param(waits(Reason.AWAITING_APPROVAL), id="an approval appears in the list"),
        pytest.param(waits(Reason.AWAITING_TURN, counted_image=FIX), id="a new commit is being applied"),
    ],
)
def test_no_gate_that_the_store_can_evaluate_is_waited_for(web: ScaleSetState) -> None:
    assert awaited_gate(web, (web,), NOW) is None


def test_a_message_is_updated_with_the_current_evidence() -> None:
    before = waiting(Reason.DEPENDENCY_NOT_READY, "scale set db is Failing (PartialRead)")
    now = Gate("dependsOn", "scale set db is Reconciling (Upgrading)", Reason.DEPENDENCY_NOT_READY)
    web = state("web", outcome=before)
    assert is_new_evidence(before, now)
    after = advance(web, GateChanged(before, now)).outcome
    assert after
    assert after.line == says("DependencyNotReady", "Reconciling")
    assert after.gates == (before.gates[0], now)
    assert replace(after, message=before.message, gates=before.gates) == before
    assert not is_new_evidence(after, now)


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(outcome(), id="it waits for no gate"),
        pytest.param(waiting(Reason.AWAITING_TURN, "no place is free"), id="it waits for another gate"),
    ],
)
def test_no_other_message_is_updated(other: Any) -> None:
    assert not is_new_evidence(other, Gate("dependsOn", "db is Failing", Reason.DEPENDENCY_NOT_READY))


def test_only_the_first_by_name_is_unblocked() -> None:
    names = ["a", "b", "c"]
    all_wait = [replace(waits(Reason.AWAITING_TURN), desired=spec(name, fleet=ONE_PLACE)) for name in names]
    gates = [awaited_gate(each, all_wait, NOW) for each in all_wait]
    assert [gate.closed if gate else "none" for gate in gates] == [None, *[Reason.AWAITING_PILOT] * 2]


@pytest.fixture
def visits(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the states that the pilot looked at."""
    asked: list[str] = []
    before = gates.has_proven

    def proven(each: ScaleSetState, image: Fingerprint) -> bool:
        asked.append(each.desired.name)
        return before(each, image)

    monkeypatch.setattr(gates, "has_proven", proven)
    return asked


def all_wait(number: int) -> ScaleSetStates:
    """So many that wait for one pilot."""
    names = [f"s{each:04}" for each in range(number)]
    return ScaleSetStates.of([replace(waits(Reason.AWAITING_PILOT), desired=spec(name)) for name in names])


def test_a_sweep_visits_each_waiting_state_a_few_times_in_all(visits: list[str]) -> None:
    """Not all 50 for each of them: alone, or in the block of eight of another."""
    states = all_wait(50)
    found = [awaited_gate(each, states, NOW) for each in states]
    assert [gate.closed if gate else "none" for gate in found] == [None, *[Reason.AWAITING_PILOT] * 49]
    assert len(visits) <= 50 * 9


def test_a_changed_state_is_evaluated_without_a_visit_of_the_fleet(visits: list[str]) -> None:
    """Of 512 scale sets, only the eight in the block of each of the two are visited."""
    states = all_wait(512)
    awaited_gate(states[100], states, NOW)
    visits.clear()
    after = states.with_state(replace(states[300], commit="another"))
    awaited_gate(after[100], after, NOW)
    assert set(visits) <= {f"s{each:04}" for each in (*range(96, 104), *range(296, 304))}


@pytest.mark.parametrize(
    ("later", "counted_image"),
    [
        pytest.param(spec(), None, id="the changes of the first commit are not counted yet"),
        pytest.param(spec(), FIX, id="the change of the image is not counted yet"),
        pytest.param(spec(interval=timedelta(hours=2)), NEW, id="the spec has changed"),
    ],
)
def test_no_gate_is_open_while_a_commit_is_applied(later: ScaleSet, counted_image: Image | None) -> None:
    store = store_of(state(desired=later, counted_image=counted_image))
    with pytest.raises(Conflict, match="a new commit is being applied"):
        evaluate_gates(spec(), observed(), store, Checks(lambda: NOW, MERGED))
    assert [each.progress.has_slot for each in store.states()] == [False]


def test_a_slot_is_acquired_if_all_gates_are_open() -> None:
    store = store_of(state("web"), state("zoo", None))
    (gate,) = evaluate_gates(spec(), observed(), store, Checks(lambda: NOW, MERGED))
    assert gate.closed is None
    assert {each.desired.name: each.progress.has_slot for each in store.states()} == {
        "web": True,
        "zoo": None,
    }


@pytest.mark.parametrize(
    ("instances", "gates"),
    [
        pytest.param(
            fleet(),
            {"pilot": Reason.AWAITING_PILOT},
            id="no instance is on the image: another scale set goes first",
        ),
        pytest.param(
            fleet(outdated(0, provisioning="updating")),
            {"turn": None},
            id="an instance is on its way to the image",
        ),
        pytest.param(fleet(instance(0)), {"turn": None}, id="an instance is on the image"),
    ],
)
def test_a_new_process_continues_a_rollout_of_the_previous_one(
    instances: tuple[Instance, ...], gates: dict[str, Reason | None]
) -> None:
    api = state("api", "AwaitingPilot", image=NEW)
    store = store_of(api, state("web", None))
    found = evaluate_gates(spec(), observed(instances=instances), store, Checks(lambda: NOW, MERGED))
    assert {each.name: each.closed for each in found} == gates


@pytest.mark.parametrize("reason", [Reason.OUTSIDE_WINDOW, Reason.AWAITING_APPROVAL])
def test_a_failure_elsewhere_is_reported_before_a_window_or_an_approval(
    reason: Reason,
) -> None:
    failed = replace(state("api"), progress=Progress(blamed=Fingerprint.of(NEW)))
    web = waits(reason)
    found = awaited_gate(web, (failed, web), NOW)
    assert found is not None
    assert found.closed is Reason.IMAGE_FAILED_ELSEWHERE
