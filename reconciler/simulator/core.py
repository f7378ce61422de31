"""The core: one request in, one response out, over a cloud that lives by a clock.

    sim = Simulator.load(read_fleet("fleet.yaml"), VirtualClock())
    client = ComputeManagementClient(credential, subscription, transport=sim.transport())

In the order of `handle`: hold the clock (so everything due has happened), find the route, strike the fault
that is armed for it, check version, token and quota, call the endpoint, put on the headers, record the
exchange. The doors, `transport.py` and `server.py`, add nothing to this but wire.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, assert_never

from reconciler.simulator import errors, fleet
from reconciler.simulator.catalogue import Boots
from reconciler.simulator.clock import Clock
from reconciler.simulator.cloud import TENANT, Cloud
from reconciler.simulator.endpoints.call import Call, Reply
from reconciler.simulator.faults import (
    Fault,
    Faults,
    OperationFails,
    Reset,
    Status,
    Throttled,
    Timeout,
    Truncated,
)
from reconciler.simulator.live import LiveScaleSet
from reconciler.simulator.message import Lost, Request, Response
from reconciler.simulator.record import Exchange, Record
from reconciler.simulator.routes import TABLE, Route

if TYPE_CHECKING:
    from reconciler.simulator.server import Server
    from reconciler.simulator.transport import InProcessTransport

JSON = "application/json; charset=utf-8"
ALLOWANCE = {"GET": "reads;3749", "DELETE": "deletes;2999"}


@dataclass(frozen=True, slots=True)
class _Errand:
    """One request on its way through the core."""

    request: Request
    route: Route | None
    names: Mapping[str, str]
    at: datetime

    @property
    def operation(self) -> str:
        return self.route.name if self.route else "unknown"

    @property
    def subjects(self) -> dict[Any, str]:
        parts = [
            self.names.get(part, "").lower()
            for part in ("subscription", "group", "name", "instance", "operation")
        ]
        return {"subscription": parts[0], "resource": "/".join(parts)}


class Simulator:
    """Azure Resource Manager for scale sets, in this process."""

    def __init__(self, clock: Clock) -> None:
        self.cloud = Cloud(clock)
        self.faults = Faults()

    @classmethod
    def load(cls, description: Mapping[str, Any], clock: Clock) -> Simulator:
        """A simulator with a fleet in it.

        Raises FleetError, whose message names the place, the cause and the mend.
        """
        simulator = cls(clock)
        fleet.build(description, simulator.cloud)
        return simulator

    @property
    def clock(self) -> Clock:
        return self.cloud.clock

    @property
    def record(self) -> Record:
        return self.cloud.record

    def scale_set(self, name: str) -> LiveScaleSet:
        """The live scale set, by name or "group/name". KeyError when there is none, or more than one."""
        with self.clock.held():
            return LiveScaleSet(self.cloud.named(name))

    def publish(self, image: str, *, boots: Boots | None = None) -> None:
        """Add an image to the catalogue: `publisher:offer:sku:version`, an id or the address of a VHD."""
        with self.clock.held():
            self.cloud.catalogue.publish(image, boots=boots)

    def transport(self) -> InProcessTransport:
        """The door for the sync SDK: `ComputeManagementClient(..., transport=sim.transport())`."""
        # Only this door needs azure-core.
        from reconciler.simulator.transport import InProcessTransport  # noqa: PLC0415

        return InProcessTransport(self)

    def serve(self, port: int = 0, certificates: Path | None = None) -> Server:
        """The door for everybody else: HTTPS on 127.0.0.1.

        `certificates` is the directory they are made in; a temporary one unless given.
        """
        # Only this door needs cryptography.
        from reconciler.simulator.server import Server  # noqa: PLC0415

        return Server(self, port, certificates)

    def handle(self, request: Request) -> Response:
        """Answer one request. Raises Lost when the client is to get no answer."""
        with self.clock.held() as now:
            route, names = TABLE.find(request.method, request.path) or (None, {})
            errand = _Errand(request, route, names, now)
            fault = self.faults.strike(errand.operation, request)
            try:
                response = self._struck(errand, fault)
            except Lost:
                self._record(errand, Response(0))
                raise
            self._record(errand, response)
            return response

    def _struck(self, errand: _Errand, fault: Fault | None) -> Response:
        match fault:
            case None:
                return self._answered(errand)
            case OperationFails(code, message):
                with self._sabotaged(errors.ArmError(409, code, message)):
                    return self._answered(errand)
            case Truncated():
                response = self._answered(errand)
                half = response.body[: len(response.body) // 2]
                return replace(
                    response, headers={**response.headers, "Content-Length": str(len(half))}, body=half
                )
            case Timeout(lost_answer) | Reset(lost_answer):
                if lost_answer:
                    self._answered(errand)
                raise Lost(carried_out=lost_answer, timed_out=isinstance(fault, Timeout))
            case Status() | Throttled():
                return self._refused(errand, _refusal(fault, errand.at))
        assert_never(fault)

    def _answered(self, errand: _Errand) -> Response:
        try:
            return self._finished(errand, self._reply(errand))
        except errors.ArmError as problem:
            return self._refused(errand, problem)

    def _reply(self, errand: _Errand) -> Reply:
        request, route = errand.request, errand.route
        is_open = route is not None and route.is_open
        if not is_open and not request.header("Authorization").lower().startswith("bearer "):
            raise errors.unauthenticated(TENANT)
        if not is_open and not request.version:
            raise errors.no_api_version()
        if route is None:
            raise errors.no_route(request.path)
        if self.cloud.is_throttling:
            self.cloud.quotas.admit(route.name, errand.subjects)
        return route.endpoint(Call(self.cloud, request, errand.names))

    def _refused(self, errand: _Errand, problem: errors.ArmError) -> Response:
        reply = Reply(problem.status, problem.envelope(), problem.headers, gateway=problem.gateway)
        cause = {"x-ms-failure-cause": "gateway"} if problem.gateway else {}
        return self._finished(errand, replace(reply, headers={**problem.headers, **cause}))

    def _finished(self, errand: _Errand, reply: Reply) -> Response:
        body = _body(reply)
        trace = self.cloud.next_guid("request")
        headers = {
            "Cache-Control": "no-cache",
            "Pragma": "no-cache",
            "Content-Length": str(len(body)),
            "x-ms-request-id": trace,
            "x-ms-correlation-request-id": trace,
            "x-ms-routing-request-id": f"SIMULATOR:{errand.at:%Y%m%dT%H%M%SZ}:{trace}",
            "Date": f"{errand.at:%a, %d %b %Y %H:%M:%S} GMT",
            **reply.headers,
        }
        if body:
            headers["Content-Type"] = JSON
        if not reply.gateway:
            headers |= self._compute_headers(errand, reply)
        return Response(reply.status, headers, body)

    def _compute_headers(self, errand: _Errand, reply: Reply) -> dict[str, str]:
        allowance, _, left = ALLOWANCE.get(errand.request.method, "writes;2999").partition(";")
        headers = {f"x-ms-ratelimit-remaining-subscription-global-{allowance}": left}
        remaining = self.cloud.quotas.charge(errand.operation, errand.subjects, reply.charge or 0)
        if remaining:
            headers["x-ms-ratelimit-remaining-resource"] = remaining
        if reply.charge is not None:
            headers["x-ms-request-charge"] = str(reply.charge)
        return headers

    @contextmanager
    def _sabotaged(self, error: errors.ArmError) -> Iterator[None]:
        self.cloud.operations.sabotage = error
        try:
            yield
        finally:
            self.cloud.operations.sabotage = None

    def _record(self, errand: _Errand, response: Response) -> None:
        request = errand.request
        self.record.add(
            Exchange(
                errand.at,
                request.method,
                request.path,
                request.query,
                response.status,
                len(request.body),
                len(response.body),
                errand.operation,
                _told(request),
            )
        )


def _body(reply: Reply) -> bytes:
    """Compute pretty-prints with CRLF; the gateway, and lists put together by it, are compact."""
    if reply.body is None:
        return b""
    if reply.gateway or not reply.pretty:
        return json.dumps(reply.body, separators=(",", ":")).encode()
    return json.dumps(reply.body, indent=2).replace("\n", "\r\n").encode()


def _told(request: Request) -> Any:
    if request.method == "GET" or not request.body:
        return None
    try:
        return json.loads(request.body)
    except ValueError:
        return None


def _refusal(fault: Status | Throttled, at: datetime) -> errors.ArmError:
    if isinstance(fault, Throttled):
        window = (at.isoformat(), (at + timedelta(minutes=1)).isoformat())
        seconds = round(fault.retry_after.total_seconds())
        return errors.too_many_requests(
            fault.group, window=window, allowed=180, measured=478, retry_after=seconds
        )
    wait = {} if fault.retry_after is None else {"Retry-After": str(round(fault.retry_after.total_seconds()))}
    return errors.ArmError(fault.code, fault.error_code, fault.message, headers=wait)
