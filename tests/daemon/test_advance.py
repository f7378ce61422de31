"""The state of a scale set: what remains when the specs change, and what a reconcile changes."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from reconciler.daemon.advance import advance
from reconciler.daemon.event import (
    ChangeCounted,
    ForecastUpdate,
    GateChanged,
    ImageResolved,
    InstancesRead,
    Listed,
    ListFailed,
    ModelRead,
    ReconcileBegan,
    ReconcileEnded,
    SlotAcquired,
    SpecRead,
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


def reconcile_ended(
    reason: str = Reason.UP_TO_DATE, about: ScaleSetState | None = None, **changes: Any
) -> ReconcileEnded:
    """The end of a reconcile of the spec `about`, by default a plain one."""
    known = about or state()
    values: dict[str, Any] = {"outcome": outcome(reason=reason, at=NOW + MINUTE), "attempt": None}
    return ReconcileEnded(desired=known.desired, commit=known.commit, **(values | changes))


@pytest.mark.parametrize(
    ("later", "is_kept"),
    [
        pytest.param(spec(), True, id="the same spec keeps the counts"),
        pytest.param(spec("front", target=spec().target), True, id="a renamed spec keeps the counts"),
        pytest.param(spec(image=FIX), False, id="another image discards the counts"),
    ],
)
def test_a_commit_is_applied(later: Any, is_kept: bool) -> None:
    after = advance(state(**COUNTED), SpecRead(later, "b2"))
    assert (after.desired, after.commit) == (later, "b2")
    found = (after.seen.counts, after.published.forecast, after.seen.exact)
    assert found == ((COUNTS, AHEAD, NEW) if is_kept else (None, None, None))


def test_the_change_of_a_commit_is_kept_until_the_next_is_counted() -> None:
    change = Change("b2", NOW, is_held=True)
    after = advance(state(), ChangeCounted(FIX, change))
    assert (after.counted_image, after.change) == (FIX, change)


@pytest.mark.parametrize(
    ("known", "event", "known_at"),
    [
        pytest.param(
            state(),
            Listed(model(), NOW, is_settled=True),
            NOW,
            id="no reconcile is due: its status is known now",
        ),
        pytest.param(state(), Listed(model(), NOW, is_settled=False), None, id="a reconcile is due"),
        pytest.param(state(), Listed(None, NOW, is_settled=True), None, id="the list lacks it"),
        pytest.param(
            state(reason="Unreachable"),
            Listed(model(), NOW, is_settled=True),
            None,
            id="its last reconcile failed",
        ),
        pytest.param(
            state(reason=None), Listed(model(), NOW, is_settled=True), None, id="it is not observed yet"
        ),
    ],
)
def test_a_sweep_stores_its_row(known: ScaleSetState, event: Listed, known_at: Any) -> None:
    after = advance(known, event)
    assert (after.seen.listed, after.seen.listed_at) == (event.model, NOW)
    assert after.published.known_at == known_at


def test_a_failed_list_is_reported_only_for_unobserved_scale_sets() -> None:
    failure = ListFailed(outcome(reason="Unreachable"))
    fresh = advance(state(reason=None), failure)
    assert fresh.outcome is failure.outcome
    assert fresh.published.conditions[0].reason == "Unreachable"
    assert advance(state(), failure) == state()


def test_a_gate_with_new_evidence_updates_the_message() -> None:
    before = state(outcome=waiting(Reason.DEPENDENCY_NOT_READY, "db is Failing"))
    assert before.outcome
    gate = Gate("dependsOn", "db is Reconciling", Reason.DEPENDENCY_NOT_READY)
    after = advance(before, GateChanged(before.outcome, gate))
    assert after.outcome
    assert after.outcome.message == "the next batch is waiting because db is Reconciling"
    assert after.published.conditions[0].message == after.outcome.message


def test_a_newer_outcome_is_not_updated() -> None:
    gate = Gate("dependsOn", "db is Reconciling", Reason.DEPENDENCY_NOT_READY)
    late = GateChanged(waiting(Reason.DEPENDENCY_NOT_READY, "db is Failing"), gate)
    assert advance(state(reason="Upgrading"), late) == state(reason="Upgrading")


@pytest.mark.parametrize(
    ("later", "progress", "is_foreseen"),
    [
        pytest.param(
            spec(), Progress(3, NOW, 2, True), True, id="the spec is unchanged since the last decision"
        ),
        pytest.param(
            spec(wave=1),
            Progress(is_under_way=True),
            False,
            id="another wave: the count of observations restarts",
        ),
        pytest.param(
            spec(image=FIX), Progress(was_under_way=True), False, id="another image: the rollout restarts"
        ),
    ],
)
def test_a_reconcile_begins(later: Any, progress: Progress, is_foreseen: bool) -> None:
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
    after = advance(before, ReconcileBegan())
    assert after.progress == replace(progress, **known)
    assert (after.published.forecast is AHEAD) is is_foreseen


def test_a_row_of_a_sweep_is_used_by_one_reconcile() -> None:
    before = state(listed=model(), listed_at=NOW)
    assert advance(before, ModelRead(model(), NOW, is_row=True)).seen.listed_at is None
    after = advance(before, ModelRead(None, NOW))
    assert (after.seen.model, after.seen.listed_at) == (None, NOW)


@pytest.mark.parametrize(
    ("ended", "is_kept"),
    [
        pytest.param(reconcile_ended("Throttled"), True, id="throttled before the decision"),
        pytest.param(
            replace(reconcile_ended("Throttled"), is_decided=True), False, id="throttled after the decision"
        ),
        pytest.param(reconcile_ended("UpToDate"), False, id="decided"),
        pytest.param(reconcile_ended("Unreachable"), False, id="failed otherwise"),
    ],
)
def test_the_time_of_a_model_is_kept_for_a_reconcile_after_a_throttled_one(
    ended: ReconcileEnded, *, is_kept: bool
) -> None:
    after = advance(advance(state(), ModelRead(model(), NOW)), ended)
    assert after.seen.model == model()
    assert after.seen.model_at == (NOW if is_kept else None)


@pytest.mark.parametrize(
    ("is_whole", "ids"),
    [
        pytest.param(True, {"1"}, id="instances that a complete list lacks are dropped"),
        pytest.param(False, {"0", "1"}, id="instances that a partial list lacks are kept"),
    ],
)
def test_instances_are_remembered(is_whole: bool, ids: set[str]) -> None:
    before = state(sightings={"0": Sighting("updating", NOW)})
    read = InstancesRead(NOW, {"1": Sighting("succeeded", NOW)}, ("a note",), is_whole)
    after = advance(before, read).seen
    assert (set(after.sightings), after.notes, after.instances_at) == (ids, ("a note",), NOW)


def test_the_image_of_a_gate_evaluation_is_kept() -> None:
    assert advance(state(), ImageResolved(FIX)).seen.exact == FIX


@pytest.mark.parametrize(
    ("event", "holds"),
    [
        pytest.param(reconcile_ended("Upgrading", attempt=ATTEMPT), False, id="the slot was not acquired"),
        pytest.param(reconcile_ended("Unreachable", may_have_begun=True), True, id="the step may have begun"),
        pytest.param(reconcile_ended("Unreachable"), False, id="no step was sent"),
        pytest.param(reconcile_ended("OutsideWindow"), False, id="a decision without a step"),
    ],
)
def test_a_slot_is_kept_if_a_rollout_began(event: ReconcileEnded, holds: bool) -> None:
    before = advance(state(), SlotAcquired()) if event.outcome.reason != "Upgrading" else state()
    after = advance(before, event).progress
    assert (after.holds_slot, after.has_acquired) == (holds, False)


SERVING = InstanceCounts((DomainCounts(Domain("", "", 0, "update domain"), 3, 3, 3, 0),))


@pytest.mark.parametrize(
    ("blamed", "end", "is_kept"),
    [
        pytest.param(NEW, outcome(counts=SERVING), False, id="the image has proven itself here"),
        pytest.param(NEW, outcome(counts=COUNTS), True, id="there are no instances"),
        pytest.param(NEW, outcome(), True, id="no instances were counted"),
        pytest.param(NEW, outcome(reason="Soaking", counts=SERVING), True, id="its soak has not ended"),
        pytest.param(FIX, outcome(counts=SERVING), True, id="another image has proven itself here"),
    ],
)
def test_a_failed_image_is_blamed_until_it_has_proven_itself(blamed: Any, end: Any, *, is_kept: bool) -> None:
    before = state(blamed=Fingerprint.of(blamed))
    after = advance(before, reconcile_ended(outcome=end)).progress.blamed
    assert after == (Fingerprint.of(blamed) if is_kept else None)


@pytest.mark.parametrize(
    ("event", "has_seen_all_steps"),
    [
        pytest.param(reconcile_ended("Unreachable"), True, id="no step was sent"),
        pytest.param(
            reconcile_ended("Unreachable", may_have_begun=True),
            False,
            id="a step was sent, and no response came",
        ),
    ],
)
def test_after_a_lost_response_the_upgraded_instances_are_unknown(
    event: ReconcileEnded, has_seen_all_steps: bool
) -> None:
    assert advance(state(has_seen_all_steps=True), event).progress.has_seen_all_steps is has_seen_all_steps


def test_a_failed_reconcile_keeps_the_previous_decision() -> None:
    before = state(**COUNTED, reason="Soaking", known_at=NOW, passes=2, is_under_way=True)
    after = advance(before, reconcile_ended("Unreachable", attempt=ATTEMPT))
    assert after.outcome
    assert after.outcome.reason is Reason.UNREACHABLE
    assert after.seen == before.seen
    assert after.progress == replace(before.progress, attempt=ATTEMPT)
    assert (after.published.forecast, after.published.known_at) == (AHEAD, NOW)


def test_a_refusal_counts_as_observed_and_a_failed_call_does_not() -> None:
    found = [
        advance(state(), reconcile_ended(reason)).published.concluded for reason in ("Refused", "Unreachable")
    ]
    assert found == [state().revision, None]


def test_a_reconcile_of_a_previous_spec_keeps_no_counts() -> None:
    declared = state(image=FIX, commit="b2")
    old = state()
    found = replace(outcome(reason="Soaking"), counts=COUNTS)
    after = advance(
        declared, reconcile_ended(about=old, outcome=found, forecast_update=ForecastUpdate(AHEAD, ()))
    )
    assert (after.desired, after.commit) == (declared.desired, "b2")
    assert (after.seen.counts, after.published.forecast) == (None, None)
    assert after.published.decided == old.desired
    assert after.published.conditions[0].revision == old.revision


def test_another_version_of_latest_discards_the_counts() -> None:
    step = PatchModel(NEW, '"1"')
    for image, counts in ((LATEST, None), (NEW, COUNTS)):
        known = state(image=image, counts=COUNTS)
        after = advance(known, reconcile_ended(about=known, outcome=outcome(reason="ModelDrift", step=step)))
        assert after.seen.counts is counts


LASTING = {"status": Status.FAILING, "wait": Wait(Reason.THROTTLED, NOW, is_failing=True)}


@pytest.mark.parametrize(
    ("known", "throttled", "shown"),
    [
        pytest.param("UpToDate", {}, "UpToDate", id="the previous outcome is kept"),
        pytest.param("UpToDate", LASTING, "Throttled", id="throttling that lasts is reported"),
        pytest.param(
            "AzureUpdating",
            {"status": Status.FAILING, "wait": Wait(Reason.AZURE_UPDATING, NOW, is_failing=True)},
            "AzureUpdating",
            id="an older wait does not make throttling last",
        ),
        pytest.param(
            "HealthCheckFailed",
            LASTING,
            "HealthCheckFailed",
            id="a Failing status is kept",
        ),
        pytest.param("RolloutFailed", LASTING, "RolloutFailed", id="a Stalled status is kept"),
        pytest.param("Conflict", {}, "Conflict", id="a failed call before it is kept"),
    ],
)
def test_a_throttled_observation(known: str, throttled: Any, shown: str) -> None:
    before = state(reason=known)
    late = outcome(reason="Throttled", at=NOW + MINUTE, **throttled)
    after = advance(before, reconcile_ended(about=before, outcome=late))
    assert after.outcome
    assert (after.outcome.reason, after.outcome.as_of) == (shown, None if shown == "Throttled" else NOW)
    assert after.is_throttled
    assert not before.is_throttled


@pytest.mark.parametrize(
    ("reason", "is_decided", "known_at"),
    [
        pytest.param("UpToDate", True, NOW + MINUTE, id="a decision"),
        pytest.param("Conflict", True, NOW + MINUTE, id="a write that failed after an observation"),
        pytest.param("Conflict", False, NOW, id="a failed observation"),
    ],
)
def test_when_the_status_was_last_known(reason: str, is_decided: bool, known_at: Any) -> None:
    event = reconcile_ended(Reason(reason), is_decided=is_decided)
    assert advance(state(known_at=NOW), event).published.known_at == known_at


@pytest.mark.parametrize(
    ("event", "since"),
    [
        pytest.param(reconcile_ended("UpToDate"), NOW, id="the same status and reason, one minute later"),
        pytest.param(reconcile_ended("Soaking"), NOW + MINUTE, id="another reason"),
        pytest.param(
            reconcile_ended(outcome=outcome(at=NOW + MINUTE, status=Status.FAILING)),
            NOW + MINUTE,
            id="the same reason as another status",
        ),
        pytest.param(
            reconcile_ended("Throttled"), NOW, id="a throttled observation shows the earlier status"
        ),
        pytest.param(ListFailed(outcome(reason="Unreachable", at=NOW + MINUTE)), NOW, id="a failed list"),
    ],
)
def test_the_status_is_dated_from_when_it_began(event: Any, since: Any) -> None:
    assert advance(state(since=NOW), event).published.since == since


def test_another_reason_of_the_same_status_is_dated_anew() -> None:
    after = advance(state(reason="Soaking", since=NOW), reconcile_ended("Upgrading"))
    assert (after.outcome and after.outcome.status, after.published.since) == ("Reconciling", NOW + MINUTE)


def test_the_first_status_is_dated_from_its_observation() -> None:
    assert advance(state(reason=None), reconcile_ended()).published.since == NOW + MINUTE
    failed = ListFailed(outcome(reason="Unreachable", at=NOW + MINUTE))
    assert advance(state(reason=None), failed).published.since == NOW + MINUTE
