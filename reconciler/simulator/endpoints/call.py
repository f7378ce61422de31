"""What an endpoint is given and what it gives back.

An endpoint is a function `Call -> Reply`. It reads the cloud, changes it through its owners, and either
returns a `Reply` or raises an `ArmError`; headers that every answer carries are the core's business.
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

# A row that no list has.
BEYOND = 10**9


@dataclass(frozen=True, slots=True)
class Call:
    """`names` are the variable parts of the path, by the names of the route."""

    cloud: Cloud
    request: Request
    names: Mapping[str, str]

    @property
    def subscription(self) -> str:
        return self.names["subscription"]

    def scale_set(self) -> ScaleSet:
        """The one the path names. Raises Azure's 404s."""
        return self.cloud.scale_set(self.subscription, self.names["group"], self.names["name"])

    def expands(self, name: str) -> bool:
        """Whether the request asks for a part that is left out otherwise."""
        return name.lower() in self.request.query.get("$expand", "").lower()

    def flag(self, name: str) -> bool:
        return self.request.query.get(name, "").lower() == "true"


@dataclass(frozen=True, slots=True)
class Reply:
    """`charge` is the `x-ms-request-charge`, None where Azure sends none.

    `gateway` for what compute never sees; `gathered` for what the gateway puts together from several of
    compute's answers, so that no one quota stands for it.
    """

    status: int = 200
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    charge: int | None = None
    gateway: bool = False
    pretty: bool = True
    gathered: bool = False


def accept(call: Call, operation: Operation, *, charge: int) -> Reply:
    """The empty 202 that answers an action."""
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
    """The 200 or 201 that answers a PATCH or PUT: the resource as it will be, and where to ask.

    `number` is that of its etag, None for a resource that has none.
    """
    headers = _links(call, operation, location=False)
    return Reply(status, body, headers | ({} if number is None else etag_header(call, number)), charge)


def etag_header(call: Call, number: int) -> dict[str, str]:
    return {"ETag": etag(number)} if call.request.version >= ETAGS else {}


def require_steady(call: Call) -> ScaleSet:
    """The scale set that a write is about. Raises the 409 of one that takes no write now."""
    scale_set = call.scale_set()
    if scale_set.is_deleting:
        raise errors.marked_for_deletion(scale_set.name)
    scale_set.refuse_haste()
    return scale_set


def require_match(call: Call, number: int) -> None:
    """Raise Azure's 412 when the request insists on another etag than the resource has."""
    wanted = call.request.header("If-Match")
    if wanted and wanted != "*" and wanted != etag(number) and call.request.version >= ETAGS:
        raise errors.etag_mismatch(wanted, etag(number))


def next_link(call: Call, start: int) -> str:
    """This request again, from row `start` on: absolute, because clients follow it verbatim."""
    keep = {name: value for name, value in call.request.query.items() if name != "$skiptoken"}
    pairs = [f"{name}={quote(value, safe='/')}" for name, value in keep.items()]
    return f"{call.request.host}{quote(call.request.path)}?{'&'.join([*pairs, f'$skiptoken={start}'])}"


def page(call: Call) -> slice:
    """The rows that this request is for."""
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
