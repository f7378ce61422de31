"""The activity log of a subscription: who requested which write, and how it ended.

The events of a write have the same operation id: Started, then Accepted if the write starts a long-running
operation, and finally Succeeded or Failed. A forbidden write has only Failed. The correlation id is the one
that the client sent, or else the operation id. Reads are not logged, and neither are requests that were
throttled or had no valid token. The platform's own actions, such as repairs, have no events here.

The fields are those of the published API and its samples. No recording contains an event about a scale set,
so the order of the events, the sub-status and the level of a failure follow the documentation.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any, Literal

from reconciler.simulator.domains import guid

LogStatus = Literal["Started", "Accepted", "Succeeded", "Failed"]
KEPT = timedelta(days=90)
OBJECT_ID = "http://schemas.microsoft.com/identity/claims/objectidentifier"
UPN = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/upn"
_UNIX_EPOCH_TICKS = 621_355_968_000_000_000


@dataclass(frozen=True, slots=True)
class LoggedWrite:
    """A write, as the client requested it.

    `resource` is the resource id as the client wrote it. `claims` are the claims of the token, under the
    names that the log uses.
    """

    subscription: str
    resource: str
    action: str
    method: str
    caller: str
    claims: Mapping[str, str]
    operation_id: str
    correlation_id: str
    client_request_id: str

    @property
    def group(self) -> str:
        parts = self.resource.split("/")
        return parts[4] if len(parts) > 4 and parts[3].lower() == "resourcegroups" else ""


@dataclass(frozen=True, slots=True)
class LoggedEvent:
    """An event about a write. `code` is the HTTP status of the response, or 0 if there is no response yet."""

    id: str
    at: datetime
    write: LoggedWrite
    status: LogStatus
    code: int = 0

    def body(self, lag: timedelta) -> dict[str, Any]:
        """The event as the API sends it. `lag` is the delay after which the log shows an event."""
        write, name = self.write, "BeginRequest" if self.status == "Started" else "EndRequest"
        provider, kind = _type_of(write.resource)
        phrase = f"{HTTPStatus(self.code).phrase} (HTTP Status Code: {self.code})" if self.code else ""
        properties = {"entity": write.resource, "message": write.action, "eventCategory": "Administrative"}
        if self.code:
            properties["statusCode"] = HTTPStatus(self.code).phrase.replace(" ", "")
        return {
            "authorization": {"action": write.action, "scope": write.resource},
            "caller": write.caller,
            "channels": "Operation",
            "claims": dict(write.claims),
            "correlationId": write.correlation_id,
            "description": "",
            "eventDataId": self.id,
            "eventName": _label(name, {"BeginRequest": "Begin request", "EndRequest": "End request"}[name]),
            "category": _label("Administrative"),
            "httpRequest": {
                "clientRequestId": write.client_request_id,
                "clientIpAddress": "127.0.0.1",
                "method": write.method,
            },
            "eventTimestamp": _moment(self.at),
            "id": f"{write.resource}/events/{self.id}/ticks/{_ticks(self.at)}",
            "level": "Error" if self.status == "Failed" else "Informational",
            "operationId": write.operation_id,
            "operationName": _label(write.action),
            "resourceGroupName": write.group,
            "resourceProviderName": _label(provider),
            "resourceType": _label(kind),
            "resourceId": write.resource,
            "status": _label(self.status),
            "subStatus": _label(HTTPStatus(self.code).phrase.replace(" ", "") if self.code else "", phrase),
            "submissionTimestamp": _moment(self.at + lag),
            "subscriptionId": write.subscription,
            "tenantId": write.claims.get("http://schemas.microsoft.com/identity/claims/tenantid", ""),
            "properties": properties,
            "relatedEvents": [],
        }


@dataclass(slots=True)
class ActivityLog:
    """The events of all subscriptions, in the order in which they happened."""

    _events: list[LoggedEvent] = field(default_factory=list)

    def add(self, at: datetime, write: LoggedWrite, status: LogStatus, code: int = 0) -> None:
        self._events.append(LoggedEvent(guid("event", len(self._events)), at, write, status, code))

    def newest_first(self, subscription: str, at: datetime, lag: timedelta) -> Iterator[LoggedEvent]:
        """The events of a subscription that the log shows at this time, newest first."""
        for event in reversed(self._events):
            if event.write.subscription == subscription.lower() and at - KEPT <= event.at <= at - lag:
                yield event


def log_claims(claims: Mapping[str, Any]) -> Mapping[str, str]:
    """Return the claims of a token as strings, under the names that the log uses.

    >>> log_claims({"oid": "f81d", "appid": "3c2a", "iat": 7})
    {'http://schemas.microsoft.com/identity/claims/objectidentifier': 'f81d', 'appid': '3c2a', 'iat': '7'}
    """
    return {_CLAIMS.get(name, name): str(value) for name, value in claims.items()}


_CLAIMS = {
    "oid": OBJECT_ID,
    "upn": UPN,
    "tid": "http://schemas.microsoft.com/identity/claims/tenantid",
    "sub": "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/nameidentifier",
}


def _label(value: str, localized: str | None = None) -> dict[str, str]:
    return {"value": value, "localizedValue": value if localized is None else localized}


def _type_of(resource: str) -> tuple[str, str]:
    """The provider and the type of the resource with this id.

    >>> _type_of("/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/virtualMachineScaleSets/web")
    ('Microsoft.Compute', 'Microsoft.Compute/virtualMachineScaleSets')
    >>> _type_of("/subscriptions/s/resourceGroups/g")
    ('Microsoft.Resources', 'Microsoft.Resources/subscriptions/resourceGroups')
    """
    _, found, rest = resource.rpartition("/providers/")
    if not found:
        return "Microsoft.Resources", "Microsoft.Resources/subscriptions/resourceGroups"
    provider, *parts = rest.split("/")
    return provider, "/".join((provider, *parts[::2]))


def _moment(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%S.%f}0Z"


def _ticks(at: datetime) -> int:
    return _UNIX_EPOCH_TICKS + int(at.timestamp() * 10_000_000)
