"""Whether a scale set is to be looked at closely in this sweep, or the list has said enough about it.

This is what makes a sweep cheap: a settled scale set costs no request of its own until its model, its etag
or its spec moves, or its interval has passed.
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


def due(state: ScaleSetState, listed: Model | None, at: datetime, *, is_let_on: bool = False) -> bool:
    """Whether the sweep at `at` looks closely at this scale set; `listed` is its row in the list.

    `is_let_on`: what it waits for has come.
    """
    outcome, decided, looked_at = state.outcome, state.published.decided, state.seen.instances_at
    if outcome is None or decided is None or differs(decided, state.desired) or is_let_on:
        return True
    if held := active_hold(state.desired, at):
        is_forgotten = held.reason is not outcome.reason
        return is_forgotten or _has_moved(state, listed) or at - outcome.at >= _braked_interval(state)
    if outcome.again is not None and outcome.status is not Status.WAITING:
        # A follow-up is on its way; what is waited for in minutes may have come.
        return outcome.again > _SOON and listed != state.seen.model
    if outcome.reason.meaning.requeue is Requeue.SWEEP and outcome.status not in _AT_REST:
        return True
    if outcome.reason == Reason.ROLLOUT_FAILED and follows_latest(state.desired.image):
        return True  # the fix comes from the catalogue, and nothing shows that it has
    if listed != state.seen.model or looked_at is None:
        return True
    if outcome.again is not None:
        return False
    return at - looked_at >= _spread(state.desired) or _was_early(state.progress.attempt, looked_at, at)


def relied_on(states: Sequence[ScaleSetState]) -> frozenset[str]:
    """The names of those that are Ready and that a rollout under way depends on: nothing in a list tells that
    an instance of a settled one fell sick, and the next batch must not be taken then.

    Any other is not Ready, which is enough to know of it, and its next look is planned. So what Azure refuses
    is not asked for at every sweep.
    """
    names = {name for each in states if each.progress.has_slot for name in each.desired.depends_on}
    ready = (each for each in states if each.outcome and each.outcome.status is Status.READY)
    return frozenset(each.desired.name for each in ready if each.desired.name in names)


def is_quiet(state: ScaleSetState) -> bool:
    """Whether nothing shows that it is under way or in trouble. What is comes first, so that after a start no
    rollout waits behind hundreds of looks at what is settled.

    Drift is quiet: an image begins nowhere before those that are on it already were looked at.
    """
    model, outcome = state.seen.listed_or_read, state.outcome
    if model is None or (outcome and outcome.status is not Status.READY):
        return False
    return model.provisioning == "succeeded"


_SOON = timedelta(minutes=1)
_WATCH = timedelta(minutes=5)  # between two looks at a scale set on hold while instances are away

# Of a look that had to wait for its request: it stands as it stood before.
_AT_REST = frozenset({Status.READY, Status.WAITING})


def _was_early(attempt: Attempt | None, looked_at: datetime, at: datetime) -> bool:
    """Whether the last look came so soon after our last step that it may have shown what was before."""
    return attempt is not None and looked_at < attempt.at + RETRY_DELAY <= at


def _has_moved(state: ScaleSetState, listed: Model | None) -> bool:
    """Whether the list shows another model; what is suspended may stand in no list."""
    return listed is not None and listed != state.seen.model


def _braked_interval(state: ScaleSetState) -> timedelta:
    counts, interval = state.seen.counts, _spread(state.desired)
    return min(interval, _WATCH) if counts and counts.unavailable else interval


def _spread(desired: ScaleSet) -> timedelta:
    """The interval of this scale set, cut by up to a tenth according to its name.

    A fleet first seen at one moment is not looked at again all at one moment.
    """
    share = hashlib.sha256(desired.name.encode()).digest()[0] / 255
    return desired.interval * (1 - share / 10)
