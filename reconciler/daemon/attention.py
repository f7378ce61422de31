"""Whether a scale set is to be looked at closely in this sweep, or the list has said enough about it.

This is what makes a sweep cheap: a settled scale set costs no request of its own until its model, its etag
or its spec moves, or its interval has passed.
"""

import hashlib
from datetime import datetime, timedelta

from reconciler.daemon.board import Entry
from reconciler.daemon.outcome import Standing
from reconciler.daemon.revision import said
from reconciler.rollout.observed import Model
from reconciler.rollout.reason import Reason
from reconciler.spec.scale_set import ScaleSet


def due(entry: Entry, listed: Model | None, at: datetime) -> bool:
    """Whether the sweep at `at` looks closely at this scale set; `listed` is its row in the list."""
    outcome = entry.outcome
    if outcome is None or entry.decided is None or moved(entry.decided, entry.desired):
        return True
    if outcome.again is not None:
        return False  # a follow-up is on its way
    if outcome.standing is not Standing.READY and outcome.reason != Reason.INSTANCES_LEFT_OUT:
        return True
    if listed != entry.model or entry.looked_at is None:
        return True
    return at - entry.looked_at >= _spread(entry.desired)


def moved(before: ScaleSet, now: ScaleSet) -> bool:
    """Whether the spec says something else."""
    return said(before) != said(now)


def _spread(desired: ScaleSet) -> timedelta:
    """The interval of this scale set, cut by up to a tenth according to its name.

    A fleet first seen at one moment is not looked at again all at one moment.
    """
    share = hashlib.sha256(desired.name.encode()).digest()[0] / 255
    return desired.interval * (1 - share / 10)
