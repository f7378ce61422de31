"""Who changed the model of a scale set last, according to Azure's activity log.

    GET /subscriptions/<id>/providers/Microsoft.Insights/eventtypes/management/values?$filter=...

One request, and only its first page: Azure sends the newest events first. A person waits for the answer, so
the request has seconds and not a minute. The log keeps 90 days, and is minutes late.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from azure.core.exceptions import HttpResponseError
from azure.core.rest import HttpRequest

from reconciler.azure.budget import OperationClass, Priority
from reconciler.azure.failure import AzureFailure, MalformedResponse, Refused, failure
from reconciler.azure.fields import Json, list_in, mapping_in, object_from, only_malformed, text_in, time_in
from reconciler.azure.role import ACTIVITY_LOG
from reconciler.azure.session import Session, json_object
from reconciler.azure.token import claims
from reconciler.spec.scale_set import Target

KEPT = timedelta(days=89)
"""How far the search goes back. Azure refuses a start that is 90 days in the past."""

_VERSION = "2015-04-01"
_WRITE = "microsoft.compute/virtualmachinescalesets/write"
_CONNECT_SECONDS = 1
_READ_SECONDS = 3
_OBJECT_ID = "http://schemas.microsoft.com/identity/claims/objectidentifier"


class RightMissing(Refused):
    """The role does not grant reading the log."""

    def __init__(self) -> None:
        super().__init__(f"the role lacks {ACTIVITY_LOG}")


@dataclass(frozen=True, slots=True)
class ModelWrite:
    """A write of the model or of its tags, which the log does not tell apart.

    `by` is the name of a person, or the object id of an application. `is_own` says whether it is the identity
    that reads the log, or is None if that is unknown. `status` is that of its last event.
    """

    by: str
    at: datetime
    operation: str
    status: str
    correlation_id: str
    is_own: bool | None


@dataclass(frozen=True, slots=True)
class _Event:
    at: datetime
    by: str
    object_id: str
    operation: str
    status: str
    operation_id: str
    correlation_id: str


def last_model_write(session: Session, target: Target) -> ModelWrite | None:
    """The last write of the model that did not fail, or None if the log has none. Raises AzureFailure."""
    since = session.now() - KEPT
    wanted = f"eventTimestamp ge '{since:%Y-%m-%dT%H:%M:%SZ}' and resourceUri eq '{target.id}'"
    path = f"/subscriptions/{target.subscription}/providers/Microsoft.Insights/eventtypes/management/values"
    request = HttpRequest("GET", path, params={"api-version": _VERSION, "$filter": wanted})
    with session.call(OperationClass.ACTIVITY_LOG, target.id, Priority.ROUTINE) as call:
        try:
            response = call.response(request, connection_timeout=_CONNECT_SECONDS, read_timeout=_READ_SECONDS)
        except HttpResponseError as error:
            # Here, so that a 429 of the log does not make the session hold other reads back.
            raise _failure(error) from error
        own = claims(response.request.headers.get("Authorization", "")).get("oid")
        # The oldest event first, so that events of the same moment stay in the order in which they happened.
        events = tuple(_events(json_object(response)))[::-1]
        return _last(events, str(own or "").lower())


def _failure(error: HttpResponseError) -> AzureFailure:
    code = str(getattr(error.error, "code", None) or "")
    return RightMissing() if code == "AuthorizationFailed" else failure(error)


def _events(body: Json) -> Iterator[_Event]:
    """The events of writes of the model. An event that cannot be read is left out."""
    for row in list_in(body, "value"):
        try:
            with only_malformed("an activity log"):
                event = _event(object_from(row, "an event"))
        except MalformedResponse:
            continue
        if event is not None:
            yield event


def _event(row: Json) -> _Event | None:
    """The event of a write of the model, or None for another event. Raises MalformedResponse."""
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


def _last(events: tuple[_Event, ...], own: str) -> ModelWrite | None:
    """The last write that did not fail."""
    writes: dict[object, list[_Event]] = {}
    for number, event in enumerate(events):
        # The events of one write share an operation id. A whole deployment, or a whole run of Terraform, may
        # share a correlation id.
        writes.setdefault(event.operation_id or event.correlation_id or number, []).append(event)
    done = [sorted(each, key=lambda event: event.at) for each in writes.values()]
    done = [each for each in done if all(event.status.lower() != "failed" for event in each)]
    if not done:
        return None
    last = max(done, key=lambda each: each[0].at)
    first, end = last[0], last[-1]
    is_own = own in (first.object_id, first.by.lower()) if own else None
    return ModelWrite(first.by, first.at, first.operation, end.status, first.correlation_id, is_own)
