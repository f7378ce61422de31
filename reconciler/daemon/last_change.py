"""Who changed the model of a scale set last, as data and as a sentence.

It is read only when a person asks.
"""

from collections.abc import Callable
from typing import Any

from reconciler.azure.activity_log import KEPT, LastWrite, ModelWrite, PartialSearch
from reconciler.azure.failure import AzureFailure
from reconciler.rollout.wording import moment
from reconciler.spec.wording import count

Json = dict[str, Any]


def last_change(read: Callable[[], LastWrite], reader: str) -> Json:
    """The last change that `read` finds. `reader` names the identity that reads: "this daemon" or "you".

    Every field except "message" is None if the change is unknown. A failure of the log is a message too.
    """
    try:
        found = read()
    except AzureFailure as failure:
        return _unknown(f"unknown: {failure}")
    if found is None:
        return _unknown(f"by nobody within {KEPT.days} days, according to the activity log")
    if isinstance(found, PartialSearch):
        newest = f"the newest {count(found.events, 'event')} of the activity log"
        return _unknown(f"unknown: no write among {newest}, back to {moment(found.back_to)}")
    return {
        "by": found.by,
        "at": found.at.isoformat(),
        "operation": found.operation,
        "status": found.status,
        "correlationId": found.correlation_id,
        "isOwn": found.is_own,
        "message": _message(found, reader),
    }


def _unknown(message: str) -> Json:
    fields = ("by", "at", "operation", "status", "correlationId", "isOwn")
    return {**dict.fromkeys(fields), "message": message}


def _message(found: ModelWrite, reader: str) -> str:
    name = found.by or "an unnamed caller"
    by = {True: f"{reader} ({name})", False: f"{name}, not {reader}", None: name}[found.is_own]
    return f"by {by}, at {moment(found.at)}: {found.operation}, {found.status or 'no status'}"
