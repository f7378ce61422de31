"""The input and the output of an endpoint.

An endpoint is a function `Call -> Reply`. It reads the cloud, changes resources through their own methods,
and either returns a `Reply` or raises an `ArmError`. The core adds the headers that all responses have.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from reconciler.simulator import errors
from reconciler.simulator.cloud import Cloud
from reconciler.simulator.message import Request
from reconciler.simulator.operations import Operation
from reconciler.simulator.scale_set import ScaleSet
from reconciler.simulator.versions import ETAGS
from reconciler.simulator.views import etag

# An index beyond the end of any list.
BEYOND = 10**9


@dataclass(frozen=True, slots=True)
class Call:
    """A request to an endpoint. `names` maps the variable parts of the route to their values in the path."""

    cloud: Cloud
    request: Request
    names: Mapping[str, str]

    @property
    def subscription(self) -> str:
        return self.names["subscription"]

    def scale_set(self) -> ScaleSet:
        """Return the scale set in the path. Raises Azure's 404 if any part of the path does not exist."""
        return self.cloud.scale_set(self.subscription, self.names["group"], self.names["name"])

    def expands(self, name: str) -> bool:
        """Whether `$expand` in the request asks for this part of the response."""
        return name.lower() in self.request.query.get("$expand", "").lower()

    def flag(self, name: str) -> bool:
        return self.request.query.get(name, "").lower() == "true"


@dataclass(frozen=True, slots=True)
class Reply:
    """The result of an endpoint.

    `charge` is the `x-ms-request-charge` header, or None if Azure does not send it. `gateway` marks a
    response that Resource Manager sends without asking the compute provider. `gathered` marks a response that
    the gateway merges from several compute responses, so that no single quota applies to it.
    """

    status: int = 200
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    charge: int | None = None
    gateway: bool = False
    pretty: bool = True
    gathered: bool = False


def accept(call: Call, operation: Operation, *, charge: int) -> Reply:
    """Return the empty 202 response to an action."""
    return Reply(202, None, _links(call, operation, location=True), charge)


def accept_write(
    call: Call,
    operation: Operation,
    body: Mapping[str, Any],
    *,
    number: int | None,
    charge: int | None,
    status: int = 200,
) -> Reply:
    """Return the response to a PATCH or PUT: the resource with its new state, and the operation's address.

    `number` is the number in the resource's etag, or None if the response has no etag.
    """
    headers = _links(call, operation, location=False)
    return Reply(status, body, headers | ({} if number is None else etag_header(call, number)), charge)


def etag_header(call: Call, number: int) -> dict[str, str]:
    return {"ETag": etag(number)} if call.request.version >= ETAGS else {}


def require_steady(call: Call) -> ScaleSet:
    """Return the scale set in the path. Raises Azure's 409 if the scale set currently accepts no writes."""
    scale_set = call.scale_set()
    if scale_set.is_deleting:
        raise errors.marked_for_deletion(scale_set.name)
    scale_set.refuse_haste()
    return scale_set


def require_match(call: Call, number: int) -> None:
    """Raise Azure's 412 if the If-Match header of the request does not match etag `number`."""
    wanted = call.request.header("If-Match")
    if wanted and wanted != "*" and wanted != etag(number) and call.request.version >= ETAGS:
        raise errors.etag_mismatch(wanted, etag(number))


def next_link(call: Call, start: int) -> str:
    """Return the absolute URL of the page that begins at row `start`. Clients follow the URL verbatim."""
    keep = {name: value for name, value in call.request.query.items() if name != "$skiptoken"}
    pairs = [f"{name}={quote(value, safe='/')}" for name, value in keep.items()]
    return f"{call.request.host}{quote(call.request.path)}?{'&'.join([*pairs, f'$skiptoken={start}'])}"


def page(call: Call) -> slice:
    """Return the range of rows that this request asks for."""
    token = call.request.query.get("$skiptoken", "0")
    start = min(int(token), BEYOND) if token.isdecimal() else 0
    return slice(start, start + call.cloud.page)


def _links(call: Call, operation: Operation, *, location: bool) -> dict[str, str]:
    host, version = call.request.host, call.request.version
    headers = {
        "Azure-AsyncOperation": operation.address(host, version),
        "Azure-AsyncNotification": "Enabled",
        "Retry-After": str(call.cloud.timings.retry_after),
    }
    if location:
        headers["Location"] = operation.address(host, version, monitor=True)
    return headers
