"""Who last changed the model of a scale set, as data and as a sentence.

The activity log is read only when a person asks.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from threading import BoundedSemaphore
from typing import Any

from reconciler.azure.activity_log import KEPT, LastWrite, ModelWrite, PartialSearch
from reconciler.azure.expiring import ExpiringMap
from reconciler.azure.failure import AzureFailure
from reconciler.daemon.state import ScaleSetState
from reconciler.daemon.unknown_change import unknown_change
from reconciler.rollout.step import PatchModel
from reconciler.rollout.wording import moment
from reconciler.spec.scale_set import Target
from reconciler.spec.wording import count

Json = dict[str, Any]

_MOST = 4  # searches at once; each takes seconds of a thread that a pause may need
_KEPT = timedelta(seconds=30)  # that a result is given again; the log itself is minutes late
_LAG = timedelta(minutes=30)  # an event may be missing from the log for so long, and usually is for minutes
_SKEW = timedelta(minutes=1)  # by how much the clocks of Azure and of this process may differ


class LastChanges:
    """The last changes of scale sets, for the clients of a daemon. Safe to share between threads."""

    def __init__(self, read: Callable[[Target], LastWrite], now: Callable[[], datetime]) -> None:
        """`read` finds the last write of a model in the activity log. Raises AzureFailure."""
        self._read = read
        self._now = now
        self._known: ExpiringMap[tuple[str, datetime | None], Json] = ExpiringMap()
        self._free = BoundedSemaphore(_MOST)

    def of(self, target: Target, written: datetime | None) -> Json:
        """The last change of this scale set. It is unknown if too many clients ask at the same time.

        `written` is the last write that is known without the log, if any.
        """
        key, now = (target.key, written), self._now()
        if known := self._known.get(key, now):
            return known
        if not self._free.acquire(blocking=False):
            return unknown_change(
                "unknown: the daemon is busy reading the log for others; try again in a few seconds"
            )
        try:
            recent = written if written and now - written < _LAG else None
            found = last_change(partial(self._read, target), "this daemon", recent)
        finally:
            self._free.release()
        self._known.keep(key, found, self._now(), _KEPT)
        return found


def known_write(state: ScaleSetState) -> datetime | None:
    """When the model or its tags were last written, as far as is known without the log, or None.

    The tags say when a rollout began, or when a person requested a retry.
    """
    model, attempt, tag_write = state.seen.model, state.progress.attempt, state.progress.tag_write
    marks = (model.persisted.began, model.persisted.retry) if model else ()
    known = [mark.at for mark in marks if mark]
    if attempt and isinstance(attempt.step, PatchModel):
        known.append(attempt.at)
    if tag_write and not tag_write.refusal:
        known.append(tag_write.at)
    return max(known, default=None)


def last_change(read: Callable[[], LastWrite], reader: str, recent: datetime | None = None) -> Json:
    """The last change that `read` finds. `reader` names the identity that reads: "this daemon" or "you".

    `recent` is the time of a write that the log may not show yet, or None if none is known.

    Every field except "message" is None if the change is unknown. If the log cannot be read, the message says
    so.
    """
    try:
        found = read()
    except AzureFailure as failure:
        return unknown_change(f"unknown: {failure}")
    if recent and _is_missing(recent, found):
        newest = ""
        if isinstance(found, ModelWrite):
            newest = f"; the last change in the log is {_message(found, reader)}"
        return unknown_change(
            f"at {moment(recent)}, by this fleet; not in the activity log yet, which lags by minutes{newest}"
        )
    if found is None:
        return unknown_change(
            f"by nobody within {KEPT.days} days, according to the activity log, which lags by minutes"
        )
    if isinstance(found, PartialSearch):
        newest = f"the newest {count(found.events, 'event')} of the activity log"
        return unknown_change(f"unknown: no write among {newest}, back to {moment(found.back_to)}")
    return {
        "by": found.by,
        "at": found.at.isoformat(),
        "operation": found.operation,
        "status": found.status,
        "correlationId": found.correlation_id,
        "isOwn": found.is_own,
        "message": _message(found, reader),
    }


def _is_missing(write: datetime, found: LastWrite) -> bool:
    """Whether the log does not show this write."""
    match found:
        case ModelWrite(at=at):
            return at < write - _SKEW
        case PartialSearch(back_to=back_to):
            return back_to <= write  # an earlier write is on a page that was not read
        case None:
            return True


def _message(found: ModelWrite, reader: str) -> str:
    name = found.by or "an unnamed caller"
    by = {True: f"{reader} ({name})", False: f"{name}, not {reader}", None: name}[found.is_own]
    return f"by {by}, at {moment(found.at)}: {found.operation}, {found.status or 'no status'}"
