"""Decides which scale sets are due for a reconcile.

This keeps sweeps cheap. A settled scale set needs no extra request until its model, its etag or its spec
changes, or until its interval has passed.
"""

import hashlib
from collections.abc import Sequence
from datetime import datetime, timedelta

from reconciler.daemon.revision import differs
from reconciler.daemon.state import ScaleSetState
from reconciler.rollout.observed import Model
from reconciler.rollout.reason import Reason, Requeue, Status
from reconciler.rollout.refusal import active_hold
from reconciler.rollout.step import RETRY_DELAY, Attempt
from reconciler.spec.image import follows_latest
from reconciler.spec.scale_set import ScaleSet


def due(state: ScaleSetState, listed: Model | None, at: datetime, *, is_unblocked: bool = False) -> bool:
    """Whether the sweep at `at` finds this scale set due for a reconcile.

    `listed` is the entry of the scale set in the list. `is_unblocked` makes the scale set due in any case,
    for example because the gate that it waited for has opened.
    """
    outcome, decided, observed_at = state.outcome, state.published.decided, state.seen.instances_at
    if outcome is None or decided is None or differs(decided, state.desired) or is_unblocked:
        return True
    if held := active_hold(state.desired, state.fleet_pause, listed or state.seen.listed_or_read, at):
        is_forgotten = held.reason is not outcome.reason
        return is_forgotten or _has_moved(state, listed) or at - outcome.at >= _interval_on_hold(state)
    if outcome.reason.meaning.hold:  # a pause was lifted, which changes no spec
        return True
    if outcome.requeue_after is not None and outcome.status is not Status.WAITING:
        # A requeue is pending. If it is minutes away, a change in the list comes first.
        return outcome.requeue_after > _SOON and listed != state.seen.model
    if outcome.reason.meaning.requeue is Requeue.SWEEP and outcome.status not in _AT_REST:
        return True
    if outcome.reason == Reason.ROLLOUT_FAILED and follows_latest(state.desired.image):
        return True  # a new version in the catalogue does not show in the list
    if listed != state.seen.model or observed_at is None:
        return True
    if outcome.requeue_after is not None:
        return False
    return at - observed_at >= _spread(state.desired) or _may_predate_step(
        state.progress.attempt, observed_at, at
    )


def dependencies_to_watch(states: Sequence[ScaleSetState]) -> frozenset[str]:
    """The names of the Ready scale sets that a rollout in progress depends on.

    Every sweep reconciles these scale sets. If an instance of such a dependency becomes unhealthy, no further
    batch may start, and a list of scale sets does not show the health of instances. Dependencies that are not
    Ready are left out, because they already block the rollout and their next reconcile is scheduled. This
    way, a dependency that Azure refuses is not read at every sweep.
    """
    names = {name for each in states if each.progress.has_slot for name in each.desired.depends_on}
    ready = (each for each in states if each.outcome and each.outcome.status is Status.READY)
    return frozenset(each.desired.name for each in ready if each.desired.name in names)


def is_quiet(state: ScaleSetState) -> bool:
    """Whether nothing suggests that the scale set has a problem or a rollout in progress.

    Quiet scale sets are reconciled last, so that no rollout waits behind hundreds of settled scale sets after
    the daemon starts. Drift counts as quiet: no scale set starts a rollout of an image before the scale sets
    that are already on that image have been observed.
    """
    model, outcome = state.seen.listed_or_read, state.outcome
    if model is None or (outcome and outcome.status is not Status.READY):
        return False
    return model.provisioning == "succeeded"


_SOON = timedelta(minutes=1)
_WATCH = timedelta(minutes=5)  # between observations on hold, while instances are unavailable

# A throttled observation keeps these; they need no reconcile at the next sweep.
_AT_REST = frozenset({Status.READY, Status.WAITING})


def _may_predate_step(attempt: Attempt | None, observed_at: datetime, at: datetime) -> bool:
    """Whether the last observation came so soon after our last step that it may still miss the step."""
    return attempt is not None and observed_at < attempt.at + RETRY_DELAY <= at


def _has_moved(state: ScaleSetState, listed: Model | None) -> bool:
    """Whether the list shows a changed model. False if the list does not contain the scale set."""
    return listed is not None and listed != state.seen.model


def _interval_on_hold(state: ScaleSetState) -> timedelta:
    counts, interval = state.seen.counts, _spread(state.desired)
    return min(interval, _WATCH) if counts and counts.unavailable else interval


def _spread(desired: ScaleSet) -> timedelta:
    """The interval of this scale set, shortened by up to a tenth. A hash of its name decides by how much.

    This spreads out the later observations of a fleet whose first observations coincided.
    """
    share = hashlib.sha256(desired.name.encode()).digest()[0] / 255
    return desired.interval * (1 - share / 10)
