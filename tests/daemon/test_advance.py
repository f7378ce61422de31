"""What becomes of the state of a scale set: what stays of it when the specs move, and what a tick leaves behind."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from reconciler.daemon.advance import advance
from reconciler.daemon.event import (
    Foreseen,
    GateChanged,
    ImageResolved,
    InstancesRead,
    Listed,
    ListFailed,
    ModelRead,
    SlotAcquired,
    SpecRead,
    TickBegan,
    Ticked,
    Weighed,
)
from reconciler.daemon.state import Change, ScaleSetState
from reconciler.forecast.batch_duration import ASSUMED
from reconciler.forecast.forecast import Forecast
from reconciler.rollout.age import Sighting
from reconciler.rollout.counts import DomainCounts, InstanceCounts
from reconciler.rollout.domains import Domain
from reconciler.rollout.gate import Gate
from reconciler.rollout.persisted import Fingerprint
from reconciler.rollout.progress import Progress
from reconciler.rollout.reason import Reason, Status
from reconciler.rollout.step import Attempt, PatchModel, Upgrade
from reconciler.rollout.wait import Wait
from tests.build import FIX, NEW, NOW, model, spec
from tests.daemon.states import outcome, state, waiting

COUNTS = InstanceCounts(())
AHEAD = Forecast((), 1, 0, 0, None, None, timedelta(), (), None, ASSUMED)
COUNTED: dict[str, Any] = {"counts": COUNTS, "forecast": AHEAD, "exact": NEW}
MINUTE = timedelta(minutes=1)
LATEST = replace(NEW, version="latest")
UPGRADE = Upgrade(("0",), NEW)
ATTEMPT = Attempt(UPGRADE, NOW)


def ticked(reason: str = Reason.UP_TO_DATE, about: ScaleSetState | None = None, **changes: Any) -> Ticked:
    """The end of a tick that was about `about`, else about a plain spec."""
    known = about or state()
    values: dict[str, Any] = {"outcome": outcome(reason=reason, at=NOW + MINUTE), "attempt": None}
    return Ticked(desired=known.desired, commit=known.commit, **(values | changes))


@pytest.mark.parametrize(
    ("later", "is_kept"),
    [
        pytest.param(spec(), True, id="the same spec keeps what was counted"),
        pytest.param(spec("front", target=spec().target), True, id="a spec that was renamed keeps it"),
        pytest.param(spec(image=FIX), False, id="against another image nothing was counted yet"),
    ],
)
def test_a_commit_takes_over(later: Any, is_kept: bool) -> None:
    after = advance(state(**COUNTED), SpecRead(later, "b2"))
    assert (after.desired, after.commit) == (later, "b2")
    found = (after.seen.counts, after.published.forecast, after.seen.exact)
    assert found == ((COUNTS, AHEAD, NEW) if is_kept else (None, None, None))


def test_what_a_commit_changes_is_kept_until_the_next_is_weighed() -> None:
    change = Change("b2", NOW, is_held=True)
    after = advance(state(), Weighed(FIX, change))
    assert (after.weighed, after.change) == (FIX, change)


@pytest.mark.parametrize(
    ("known", "event", "known_at"),
    [
        pytest.param(
            state(), Listed(model(), NOW, is_settled=True), NOW, id="it is as it was: that is known now"
        ),
        pytest.param(state(), Listed(model(), NOW, is_settled=False), None, id="a tick is called for"),
        pytest.param(state(), Listed(None, NOW, is_settled=True), None, id="the list does not have it"),
        pytest.param(
            state(reason="Unreachable"),
            Listed(model(), NOW, is_settled=True),
            None,
            id="its last tick failed",
        ),
        pytest.param(
            state(reason=None), Listed(model(), NOW, is_settled=True), None, id="nobody looked at it yet"
        ),
    ],
)
def test_a_sweep_sees_its_row(known: ScaleSetState, event: Listed, known_at: Any) -> None:
    after = advance(known, event)
    assert (after.seen.listed, after.seen.listed_at) == (event.model, NOW)
    assert after.published.known_at == known_at


def test_a_list_that_fails_is_told_of_what_nobody_looked_at_yet_only() -> None:
    failure = ListFailed(outcome(reason="Unreachable"))
    fresh = advance(state(reason=None), failure)
    assert fresh.outcome is failure.outcome
    assert fresh.published.conditions[0].reason == "Unreachable"
    assert advance(state(), failure) == state()


def test_a_gate_that_rests_on_something_else_by_now_is_told() -> None:
    before = state(outcome=waiting(Reason.DEPENDENCY_NOT_READY, "db is Failing"))
    assert before.outcome
    gate = Gate("dependsOn", "db is Reconciling", Reason.DEPENDENCY_NOT_READY)
    after = advance(before, GateChanged(before.outcome, gate))
    assert after.outcome
    assert after.outcome.message == "db is Reconciling; the next batch waits"
    assert after.published.conditions[0].message == after.outcome.message


def test_what_a_tick_found_meanwhile_is_not_told_anew() -> None:
    gate = Gate("dependsOn", "db is Reconciling", Reason.DEPENDENCY_NOT_READY)
    late = GateChanged(waiting(Reason.DEPENDENCY_NOT_READY, "db is Failing"), gate)
    assert advance(state(reason="Upgrading"), late) == state(reason="Upgrading")


@pytest.mark.parametrize(
    ("later", "progress", "is_foreseen"),
    [
        pytest.param(spec(), Progress(3, NOW, 2, True), True, id="what is declared was decided on"),
        pytest.param(spec(wave=1), Progress(is_under_way=True), False, id="another wave: looks begin anew"),
        pytest.param(
            spec(image=FIX), Progress(was_under_way=True), False, id="another image: so does the rollout"
        ),
    ],
)
def test_a_tick_begins(later: Any, progress: Progress, is_foreseen: bool) -> None:
    known: dict[str, Any] = {"attempt": ATTEMPT, "last_reason": Reason.SOAKING, "holds_slot": True}
    before = state(
        desired=later,
        decided=spec(),
        forecast=AHEAD,
        passes=3,
        waiting_since=NOW,
        back=2,
        is_under_way=True,
        **known,
    )
    after = advance(before, TickBegan())
    assert after.progress == replace(progress, **known)
    assert (after.published.forecast is AHEAD) is is_foreseen


def test_a_row_of_a_sweep_is_good_for_one_look() -> None:
    before = state(listed=model(), listed_at=NOW)
    assert advance(before, ModelRead(model(), is_row=True)).seen.listed_at is None
    after = advance(before, ModelRead(None))
    assert (after.seen.model, after.seen.listed_at) == (None, NOW)


@pytest.mark.parametrize(
    ("is_whole", "ids"),
    [
        pytest.param(True, {"1"}, id="of a whole list those that it lacks are gone"),
        pytest.param(False, {"0", "1"}, id="a list that is not whole says nothing of those that it lacks"),
    ],
)
def test_instances_are_remembered(is_whole: bool, ids: set[str]) -> None:
    before = state(sightings={"0": Sighting("updating", NOW)})
    read = InstancesRead(NOW, {"1": Sighting("succeeded", NOW)}, ("a note",), is_whole)
    after = advance(before, read).seen
    assert (set(after.sightings), after.notes, after.instances_at) == (ids, ("a note",), NOW)


def test_an_image_that_gates_are_asked_for_is_remembered() -> None:
    assert advance(state(), ImageResolved(FIX)).seen.exact == FIX


@pytest.mark.parametrize(
    ("event", "holds"),
    [
        pytest.param(ticked("Upgrading", attempt=ATTEMPT), False, id="it was not acquired"),
        pytest.param(ticked("Unreachable", may_have_begun=True), True, id="its step may have begun"),
        pytest.param(ticked("Unreachable"), False, id="no step was sent"),
        pytest.param(ticked("OutsideWindow"), False, id="nothing began"),
    ],
)
def test_a_slot_is_kept_by_what_began(event: Ticked, holds: bool) -> None:
    before = advance(state(), SlotAcquired()) if event.outcome.reason != "Upgrading" else state()
    after = advance(before, event).progress
    assert (after.holds_slot, after.has_acquired) == (holds, False)


SERVING = InstanceCounts((DomainCounts(Domain("", "", 0, "update domain"), 3, 3, 3, 0),))


@pytest.mark.parametrize(
    ("blamed", "end", "is_kept"),
    [
        pytest.param(NEW, outcome(counts=SERVING), False, id="it has been brought to health here"),
        pytest.param(NEW, outcome(counts=COUNTS), True, id="there is no instance that could tell"),
        pytest.param(NEW, outcome(), True, id="no instance was counted"),
        pytest.param(NEW, outcome(reason="Soaking", counts=SERVING), True, id="its soak is not over"),
        pytest.param(FIX, outcome(counts=SERVING), True, id="another image is well here"),
    ],
)
def test_an_image_that_failed_is_to_blame_until_it_is_well_here(
    blamed: Any, end: Any, *, is_kept: bool
) -> None:
    before = state(blamed=Fingerprint.of(blamed))
    after = advance(before, ticked(outcome=end)).progress.blamed
    assert after == (Fingerprint.of(blamed) if is_kept else None)


@pytest.mark.parametrize(
    ("event", "has_seen_all_steps"),
    [
        pytest.param(ticked("Unreachable"), True, id="nothing was sent"),
        pytest.param(
            ticked("Unreachable", may_have_begun=True), False, id="a step was sent, and no answer came"
        ),
    ],
)
def test_who_has_not_heard_of_a_step_does_not_know_what_it_took_down(
    event: Ticked, has_seen_all_steps: bool
) -> None:
    assert advance(state(has_seen_all_steps=True), event).progress.has_seen_all_steps is has_seen_all_steps


def test_a_tick_that_fails_keeps_what_was_decided_before() -> None:
    before = state(**COUNTED, reason="Soaking", known_at=NOW, passes=2, is_under_way=True)
    after = advance(before, ticked("Unreachable", attempt=ATTEMPT))
    assert after.outcome
    assert after.outcome.reason is Reason.UNREACHABLE
    assert after.seen == before.seen
    assert after.progress == replace(before.progress, attempt=ATTEMPT)
    assert (after.published.forecast, after.published.known_at) == (AHEAD, NOW)


def test_a_refusal_concludes_and_a_call_that_fails_does_not() -> None:
    found = [advance(state(), ticked(reason)).published.concluded for reason in ("Refused", "Unreachable")]
    assert found == [state().revision, None]


def test_a_tick_about_what_is_no_longer_declared_counts_nothing_of_what_is() -> None:
    declared = state(image=FIX, commit="b2")
    old = state()
    found = replace(outcome(reason="Soaking"), counts=COUNTS)
    after = advance(declared, ticked(about=old, outcome=found, foreseen=Foreseen(AHEAD, ())))
    assert (after.desired, after.commit) == (declared.desired, "b2")
    assert (after.seen.counts, after.published.forecast) == (None, None)
    assert after.published.decided == old.desired
    assert after.published.conditions[0].revision == old.revision


def test_against_another_version_of_latest_nothing_was_counted() -> None:
    step = PatchModel(NEW, '"1"')
    for image, counts in ((LATEST, None), (NEW, COUNTS)):
        known = state(image=image, counts=COUNTS)
        after = advance(known, ticked(about=known, outcome=outcome(reason="ModelDrift", step=step)))
        assert after.seen.counts is counts


LASTING = {"status": Status.FAILING, "wait": Wait(Reason.THROTTLED, NOW, is_failing=True)}


@pytest.mark.parametrize(
    ("known", "throttled", "shown"),
    [
        pytest.param("UpToDate", {}, "UpToDate", id="it stands as it stood"),
        pytest.param("UpToDate", LASTING, "Throttled", id="until that has lasted"),
        pytest.param(
            "AzureBusy",
            {"status": Status.FAILING, "wait": Wait(Reason.AZURE_BUSY, NOW, is_failing=True)},
            "AzureBusy",
            id="what has lasted is what was there before",
        ),
        pytest.param(
            "HealthCheckFailed",
            LASTING,
            "HealthCheckFailed",
            id="a failure is never hidden",
        ),
        pytest.param("RolloutFailed", LASTING, "RolloutFailed", id="what is stalled is never hidden"),
        pytest.param("Conflict", {}, "Conflict", id="a call that failed is no news either"),
    ],
)
def test_no_request_left_for_a_look(known: str, throttled: Any, shown: str) -> None:
    before = state(reason=known)
    late = outcome(reason="Throttled", at=NOW + MINUTE, **throttled)
    after = advance(before, ticked(about=before, outcome=late))
    assert after.outcome
    assert (after.outcome.reason, after.outcome.as_of) == (shown, None if shown == "Throttled" else NOW)
    assert after.is_throttled
    assert not before.is_throttled


@pytest.mark.parametrize(
    ("reason", "is_decided", "known_at"),
    [
        pytest.param("UpToDate", True, NOW + MINUTE, id="a decision"),
        pytest.param("Conflict", True, NOW + MINUTE, id="a write that failed after a look"),
        pytest.param("Conflict", False, NOW, id="a look that failed"),
    ],
)
def test_when_it_was_known_how_it_stands(reason: str, is_decided: bool, known_at: Any) -> None:
    event = ticked(Reason(reason), is_decided=is_decided)
    assert advance(state(known_at=NOW), event).published.known_at == known_at
