"""Who changed the model of a scale set last, according to Azure's activity log.

    GET /subscriptions/<id>/providers/Microsoft.Insights/eventtypes/management/values?$filter=...&$select=...

Azure sends the newest events first, and a filter cannot select an operation. Each upgrade of an instance is
logged too, so during a rollout the last write may be many pages back. A person is waiting for the answer, so
the whole search may take seconds, but not minutes. The log keeps events for 90 days, and lags by minutes.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from azure.core.exceptions import HttpResponseError
from azure.core.rest import HttpRequest

from reconciler.azure.budget import OperationClass, Priority
from reconciler.azure.failure import AzureFailure, MalformedResponse, Refused, failure
from reconciler.azure.fields import (
    Json,
    list_in,
    mapping_in,
    object_from,
    only_malformed,
    raw_text_in,
    text_in,
    time_in,
)
from reconciler.azure.role import ACTIVITY_LOG
from reconciler.azure.session import Session, json_object
from reconciler.azure.token import claims
from reconciler.spec.scale_set import Target

KEPT = timedelta(days=89)
"""How far the search goes back. Azure refuses a start that is 90 days in the past."""

_VERSION = "2015-04-01"
_WRITE = "microsoft.compute/virtualmachinescalesets/write"
_MOST_PAGES = 20
_CONNECT_SECONDS = 1
_READ_SECONDS = 3
_SECONDS = 4  # for all pages
_OBJECT_ID = "http://schemas.microsoft.com/identity/claims/objectidentifier"
_FIELDS = ("caller", "claims", "correlationId", "eventTimestamp", "operationId", "operationName", "status")


class RightMissing(Refused):
    """The role does not grant read access to the activity log."""

    def __init__(self) -> None:
        super().__init__(f"the role lacks {ACTIVITY_LOG}")


@dataclass(frozen=True, slots=True)
class ModelWrite:
    """A write to the model or to its tags. The log does not distinguish between the two.

    `by` is the name of a person, or the object id of an application. `is_own` is true if the identity that
    reads the log made the write, or None if that is unknown. `status` is the status of the write's last
    event.
    """

    by: str
    at: datetime
    operation: str
    status: str
    correlation_id: str
    is_own: bool | None


@dataclass(frozen=True, slots=True)
class PartialSearch:
    """The events that were read contain no write to the model. Older events exist, but were not read.

    `events` is the number of events that were read. `back_to` is the time of the oldest.
    """

    events: int
    back_to: datetime


LastWrite = ModelWrite | PartialSearch | None


@dataclass(frozen=True, slots=True)
class _Event:
    at: datetime
    by: str
    object_id: str
    operation: str
    status: str
    operation_id: str
    correlation_id: str


@dataclass(frozen=True, slots=True)
class _Page:
    """`own` is the object id of the identity that read the page, or "" if that is unknown."""

    rows: Sequence[Any]
    link: str
    own: str


def last_model_write(session: Session, target: Target) -> LastWrite:
    """The last write to the model that did not fail, or None if the log has none. Raises AzureFailure."""
    began, found = session.clock.read(), None
    events: list[_Event] = []
    rows: list[Any] = []
    for page in _pages(session, target, lambda: _SECONDS - (session.clock.read() - began).total_seconds()):
        events += _events(page.rows)
        rows += page.rows
        # The oldest event first, so that events of the same moment stay in the order in which they happened.
        if write := _last(events[::-1]):
            found = _model_write(write, page.own)
        # The start of a write may be on the next page.
        if not page.link or (write and write[0].status.lower() == "started"):
            return found
    return found or _partial_search(rows, session.now())


def _pages(session: Session, target: Target, left: Callable[[], float]) -> Iterator[_Page]:
    """The pages of the log, newest first, for as long as `left` returns more than zero seconds.

    Raises AzureFailure if the first page cannot be read. A later failure only ends the iteration, because
    what was read before is still true.
    """
    since = session.now() - KEPT
    wanted = f"eventTimestamp ge '{since:%Y-%m-%dT%H:%M:%SZ}' and resourceUri eq '{target.id}'"
    path = f"/subscriptions/{target.subscription}/providers/Microsoft.Insights/eventtypes/management/values"
    query = {"api-version": _VERSION, "$filter": wanted, "$select": ",".join(_FIELDS)}
    page = _read(session, target, HttpRequest("GET", path, params=query), left())
    yield page
    links = {""}
    while page.link not in links and len(links) < _MOST_PAGES and (seconds := left()) > 0:
        links.add(page.link)
        try:
            page = _read(session, target, HttpRequest("GET", page.link), seconds)
        except AzureFailure:
            return
        yield page


def _read(session: Session, target: Target, request: HttpRequest, seconds: float) -> _Page:
    with session.call(OperationClass.ACTIVITY_LOG, target.id, Priority.ROUTINE) as call:
        try:
            response = call.response(
                request,
                connection_timeout=min(_CONNECT_SECONDS, seconds),
                read_timeout=min(_READ_SECONDS, seconds),
            )
        except HttpResponseError as error:
            # Here, so that a 429 of the log does not make the session hold other reads back.
            raise _failure(error) from error
        body = json_object(response)
        own = claims(response.request.headers.get("Authorization", "")).get("oid")
        return _Page(list_in(body, "value"), raw_text_in(body, "nextLink"), str(own or "").lower())


def _failure(error: HttpResponseError) -> AzureFailure:
    code = str(getattr(error.error, "code", None) or "")
    return RightMissing() if code == "AuthorizationFailed" else failure(error)


def _partial_search(rows: Sequence[Any], now: datetime) -> PartialSearch:
    times = list(_times(rows))
    return PartialSearch(len(times), min(times, default=now))


def _times(rows: Sequence[Any]) -> Iterator[datetime]:
    """The times of all readable events."""
    for row in rows:
        with suppress(MalformedResponse):
            if at := time_in(object_from(row, "an event"), "eventTimestamp"):
                yield at


def _events(rows: Sequence[Any]) -> Iterator[_Event]:
    """The events of writes to the model. Unreadable events are left out."""
    for row in rows:
        try:
            with only_malformed("an activity log"):
                event = _event(object_from(row, "an event"))
        except MalformedResponse:
            continue
        if event is not None:
            yield event


def _event(row: Json) -> _Event | None:
    """The event, if it belongs to a write to the model, or else None. Raises MalformedResponse."""
    operation, at = text_in(mapping_in(row, "operationName"), "value"), time_in(row, "eventTimestamp")
    if at is None or operation.lower() != _WRITE:
        return None
    return _Event(
        at,
        text_in(row, "caller"),
        text_in(mapping_in(row, "claims"), _OBJECT_ID).lower(),
        operation,
        text_in(mapping_in(row, "status"), "value"),
        text_in(row, "operationId"),
        text_in(row, "correlationId"),
    )


def _last(events: Sequence[_Event]) -> list[_Event]:
    """The events of the last write that did not fail, oldest first, or [] if there is no such write."""
    writes: dict[object, list[_Event]] = {}
    for number, event in enumerate(events):
        # The events of one write share an operation id. A whole deployment, or a whole run of Terraform, may
        # share a correlation id.
        writes.setdefault(event.operation_id or event.correlation_id or number, []).append(event)
    done = [sorted(each, key=lambda event: event.at) for each in writes.values()]
    done = [each for each in done if all(event.status.lower() != "failed" for event in each)]
    return max(done, key=lambda each: each[0].at, default=[])


def _model_write(write: Sequence[_Event], own: str) -> ModelWrite:
    first, end = write[0], write[-1]
    is_own = own in (first.object_id, first.by.lower()) if own else None
    return ModelWrite(first.by, first.at, first.operation, end.status, first.correlation_id, is_own)
