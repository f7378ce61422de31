"""Computes the next state of a scale set. No other module changes any part of a state.

A reconcile may take seconds, and a sweep may apply another spec in the meantime. The event that ends a
reconcile carries the spec that the reconcile was about. If the declared image has changed since, the instance
counts and the forecast of that reconcile are dropped.
"""

from dataclasses import replace
from datetime import datetime

from reconciler.daemon.conditions import conditions
from reconciler.daemon.event import (
    ChangeCounted,
    Event,
    GateChanged,
    ImageResolved,
    InstancesRead,
    Listed,
    ListFailed,
    ModelRead,
    PickEnded,
    PickEvent,
    PickMade,
    ReconcileBegan,
    ReconcileEnded,
    ReconcileEvent,
    SlotAcquired,
    SpecRead,
    SweepEvent,
)
from reconciler.daemon.gates.concurrency import slot_after
from reconciler.daemon.history import history_after
from reconciler.daemon.outcome import Outcome, outcome_when_throttled
from reconciler.daemon.revision import Revision, differs
from reconciler.daemon.state import LastSeen, PickState, Published, ScaleSetState
from reconciler.rollout.counts import InstanceCounts
from reconciler.rollout.gates import closed_gate_message
from reconciler.rollout.persisted import Fingerprint
from reconciler.rollout.progress import Progress, progress_after
from reconciler.rollout.reason import Phase, Reason, Status
from reconciler.rollout.step import PatchModel
from reconciler.spec.image import follows_latest, same


def advance(state: ScaleSetState, event: Event) -> ScaleSetState:
    """The state after this event."""
    match event:
        case SpecRead() | ChangeCounted() | Listed() | ListFailed() | GateChanged():
            return _after_sweep(state, event)
        case PickMade() | PickEnded():
            return replace(state, pick=_pick_after(state, event))
        case _:
            return _after_reconcile(state, event)


def _after_sweep(state: ScaleSetState, event: SweepEvent) -> ScaleSetState:
    match event:
        case SpecRead():
            return _with_spec(state, event)
        case ChangeCounted(image, change):
            return replace(state, counted_image=image, change=change)
        case Listed():
            return _with_row(state, event)
        case ListFailed(outcome):
            return _with_outcome(state, outcome) if state.published.decided is None else state
        case GateChanged(outcome):
            # A reconcile may have ended with another outcome meanwhile.
            return _with_gate(state, event) if state.outcome is outcome else state


def _pick_after(state: ScaleSetState, event: PickEvent) -> PickState | None:
    known = state.pick
    match event:
        case PickMade(pick):
            return PickState(pick, state.desired.image, moved_at=pick.at)
        case PickEnded(pick, end) if known and known.pick == pick:
            return replace(known, end=end)
        case PickEnded():  # another one was made meanwhile
            return known


def _after_reconcile(state: ScaleSetState, event: ReconcileEvent) -> ScaleSetState:
    seen = state.seen
    match event:
        case ReconcileBegan():
            return _begin_reconcile(state)
        case ModelRead(model, at, is_row):
            listed_at = None if is_row else seen.listed_at  # valid for one observation
            return replace(state, seen=replace(seen, model=model, model_at=at, listed_at=listed_at))
        case InstancesRead():
            return replace(state, seen=_with_instances(seen, event))
        case ImageResolved(image):
            return replace(state, seen=replace(seen, exact=image))
        case SlotAcquired():
            return replace(state, progress=replace(state.progress, has_acquired=True))
        case ReconcileEnded():
            return _end_reconcile(state, event)


def _with_spec(state: ScaleSetState, event: SpecRead) -> ScaleSetState:
    """Apply the spec that a sweep has read. Returns `state` itself if nothing has changed.

    Each sweep applies the specs of the whole fleet, and most of them have not changed. A new image discards
    the instance counts and the forecast of the previous image.
    """
    if event == SpecRead(
        state.desired,
        state.commit,
        state.removed & event.removed,
        state.origin,
        state.behind,
        state.is_newer,
        state.stale_since,
        state.fleet_pause,
    ):
        return state
    after = replace(
        state,
        desired=event.desired,
        commit=event.commit,
        origin=event.origin,
        behind=event.behind,
        is_newer=event.is_newer,
        stale_since=event.stale_since,
        fleet_pause=event.fleet_pause,
        removed=state.removed | event.removed,
    )
    if state.desired.image == event.desired.image:
        return after
    return replace(
        after,
        seen=replace(state.seen, counts=None, exact=None),
        published=replace(state.published, forecast=None),
    )


def _with_row(state: ScaleSetState, event: Listed) -> ScaleSetState:
    published, is_error = state.published, state.outcome is None or state.outcome.is_error
    return replace(
        state,
        seen=replace(state.seen, listed=event.model, listed_at=event.at),
        progress=state.progress.for_retry() if _is_retry(state.seen, event) else state.progress,
        published=(
            replace(published, known_at=event.at)
            if event.is_settled and event.model and not is_error
            else published
        ),
    )


def _is_retry(seen: LastSeen, event: Listed) -> bool:
    """Whether `reconciler retry` has run since the model was last read."""
    before = seen.listed_or_read
    if before is None or event.model is None or event.model.persisted.retry is None:
        return False
    return event.model.persisted.retry != before.persisted.retry


def _with_gate(state: ScaleSetState, event: GateChanged) -> ScaleSetState:
    closed = next((each for each in event.outcome.gates if each.closed), None)
    gates = tuple(event.gate if each is closed else each for each in event.outcome.gates)
    message = closed_gate_message(event.gate, event.outcome.doing)
    return _with_outcome(state, replace(event.outcome, gates=gates, message=message))


def _with_outcome(state: ScaleSetState, outcome: Outcome) -> ScaleSetState:
    published = replace(state.published, outcome=outcome, since=_since(state.published, outcome))
    after = replace(state, published=published)
    return replace(after, published=replace(after.published, conditions=conditions(after)))


def _begin_reconcile(state: ScaleSetState) -> ScaleSetState:
    decided = state.published.decided
    if decided is None or not differs(decided, state.desired):
        return state
    is_same_image = same(decided.image, state.desired.image)
    return replace(
        state,
        progress=state.progress.for_new_spec(is_same_image=is_same_image),
        published=replace(state.published, forecast=None),
    )


def _with_instances(seen: LastSeen, event: InstancesRead) -> LastSeen:
    """Record the listed instances. If the list is partial, keep the sightings of those that it omits."""
    sightings = event.sightings if event.is_whole else {**seen.sightings, **event.sightings}
    return replace(
        seen, instances_at=event.at, instances=event.instances, sightings=sightings, notes=event.notes
    )


def _end_reconcile(state: ScaleSetState, event: ReconcileEnded) -> ScaleSetState:
    outcome, before = event.outcome, state.published
    counts = _counts(state, event)
    is_about = state.desired.image == event.desired.image
    forecast_update = event.forecast_update
    to_publish = _published_outcome(before, event)
    published = replace(
        before,
        outcome=to_publish,
        since=_since(before, to_publish),
        decided=event.desired,
        concluded=(
            Revision.of(event.desired, event.commit)
            if outcome.reason.meaning.is_conclusive
            else before.concluded
        ),
        known_at=before.known_at if outcome.is_error and not event.is_decided else outcome.at,
        history=history_after(
            before.history,
            event.desired,
            state.seen.model,
            outcome,
            event.taken,
            before=state.progress.last_reason,
        ),
        measured=forecast_update.measured if forecast_update else before.measured,
        forecast=before.forecast
        if forecast_update is None
        else (forecast_update.forecast if is_about else None),
    )
    # The conditions are about the spec of the reconcile, even if another one is declared by now.
    about = replace(
        state,
        desired=event.desired,
        commit=event.commit,
        seen=replace(state.seen, counts=counts),
        published=published,
    )
    is_undecided = outcome.reason is Reason.THROTTLED and not event.is_decided
    return replace(
        state,
        seen=replace(
            state.seen,
            counts=counts if is_about else None,
            model_at=state.seen.model_at if is_undecided else None,
        ),
        progress=_progress(state, event),
        pick=_pick_after_outcome(state.pick, outcome),
        published=replace(published, conditions=conditions(about)),
    )


def _pick_after_outcome(known: PickState | None, outcome: Outcome) -> PickState | None:
    """The pick after this outcome. A pick does not age while the rollout is in progress."""
    if known is None or known.end or outcome.status is not Status.RECONCILING:
        return known
    return replace(known, moved_at=max(known.moved_at, outcome.at))


def _since(before: Published, outcome: Outcome) -> datetime:
    """When the scale set took on the status and the reason of this outcome, whatever its message."""
    known = before.outcome
    is_same = known is not None and (known.status, known.reason) == (outcome.status, outcome.reason)
    return before.since if is_same and before.since else outcome.at


def _published_outcome(before: Published, event: ReconcileEnded) -> Outcome:
    """The outcome to publish.

    After a throttled observation, this is the previous outcome, until the throttling has lasted long enough
    to count as failing. A scale set that was already failing or stalled keeps its outcome however long the
    throttling lasts.
    """
    known, outcome = before.outcome, event.outcome
    is_known = before.decided is not None and not differs(before.decided, event.desired)
    if outcome.reason is not Reason.THROTTLED or known is None or not is_known:
        return outcome
    is_failing = outcome.status is Status.FAILING and not known.status.is_alarming
    is_news = is_failing and outcome.wait is not None and outcome.wait.reason is Reason.THROTTLED
    if is_news or known.reason is Reason.THROTTLED:
        return outcome
    return outcome_when_throttled(known, outcome)


def _progress(state: ScaleSetState, event: ReconcileEnded) -> Progress:
    before, outcome = state.progress, event.outcome
    back = outcome.counts.back if outcome.counts else None
    after = (
        before if outcome.is_error else progress_after(before, outcome.reason, back, outcome.at, event.taken)
    )
    return replace(
        after,
        attempt=event.attempt,
        tag_write=event.tag_write or after.tag_write,
        wait=outcome.wait,
        blamed=outcome.blamed or _still_blamed(state, event),
        has_seen_all_steps=after.has_seen_all_steps and not event.may_have_begun,
        holds_slot=slot_after(
            before, outcome, is_on_image=_is_on_image(state), may_have_begun=event.may_have_begun
        ),
        has_acquired=False,
    )


def _is_on_image(state: ScaleSetState) -> bool:
    model = state.seen.model
    return model is not None and model.image is not None and same(model.image, state.exact)


def _still_blamed(state: ScaleSetState, event: ReconcileEnded) -> Fingerprint | None:
    """The image that failed in this scale set, or None once the image has proven itself there.

    Neither declaring another image nor scaling to zero clears the blame.
    """
    blamed, counts = state.progress.blamed, event.outcome.counts
    is_done = event.outcome.reason.meaning.phase is Phase.DONE and counts is not None and counts.back > 0
    is_proven = is_done and blamed is not None and blamed.is_of(state.seen.exact or event.desired.image)
    return None if is_proven else blamed


def _counts(state: ScaleSetState, event: ReconcileEnded) -> InstanceCounts | None:
    """The instance counts by domain: those of this reconcile, or else the last known counts.

    If `latest` has just resolved to another version, the last known counts are not used.
    """
    if isinstance(event.outcome.step, PatchModel) and follows_latest(event.desired.image):
        return event.outcome.counts
    return event.outcome.counts or state.seen.counts
