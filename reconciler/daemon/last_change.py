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
from reconciler.daemon.unknown_change import unknown_change
from reconciler.rollout.wording import moment
from reconciler.spec.scale_set import Target
from reconciler.spec.wording import count

Json = dict[str, Any]

_MOST = 4  # searches at once; each takes seconds of a thread that a pause may need
_KEPT = timedelta(seconds=30)  # that a result is given again; the log itself is minutes late


class LastChanges:
    """The last changes of scale sets, for the clients of a daemon. Safe to share between threads."""

    def __init__(self, read: Callable[[Target], LastWrite], now: Callable[[], datetime]) -> None:
        """`read` finds the last write of a model in the activity log. Raises AzureFailure."""
        self._read = read
        self._now = now
        self._known: ExpiringMap[str, Json] = ExpiringMap()
        self._free = BoundedSemaphore(_MOST)

    def of(self, target: Target) -> Json:
        """The last change of this scale set. It is unknown if too many clients ask at the same time."""
        if known := self._known.get(target.key, self._now()):
            return known
        if not self._free.acquire(blocking=False):
            return unknown_change(
                "unknown: the daemon is busy reading the log for others; try again in a few seconds"
            )
        try:
            found = last_change(partial(self._read, target), "this daemon")
        finally:
            self._free.release()
        self._known.keep(target.key, found, self._now(), _KEPT)
        return found


def last_change(read: Callable[[], LastWrite], reader: str) -> Json:
    """The last change that `read` finds. `reader` names the identity that reads: "this daemon" or "you".

    Every field except "message" is None if the change is unknown. If the log cannot be read, the message says
    so.
    """
    try:
        found = read()
    except AzureFailure as failure:
        return unknown_change(f"unknown: {failure}")
    if found is None:
        return unknown_change(f"by nobody within {KEPT.days} days, according to the activity log")
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


def _message(found: ModelWrite, reader: str) -> str:
    name = found.by or "an unnamed caller"
    by = {True: f"{reader} ({name})", False: f"{name}, not {reader}", None: name}[found.is_own]
    return f"by {by}, at {moment(found.at)}: {found.operation}, {found.status or 'no status'}"
