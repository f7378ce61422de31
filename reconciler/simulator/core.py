"""The core, which takes a request and returns a response from the simulated cloud.

`handle` finds the route, takes the fault that is armed for the request, and holds the clock, so that all due
events have run. It then checks the token, API version, permissions and quotas, calls the endpoint, adds the
headers, and records the exchange. The two entry points, `transport.py` and `server.py`, only add the
transport.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from http import HTTPStatus
from typing import Any, assert_never
from urllib.parse import urlsplit

from reconciler.simulator import errors
from reconciler.simulator.activity_log import LoggedWrite
from reconciler.simulator.clock import Clock
from reconciler.simulator.cloud import Cloud
from reconciler.simulator.distortion import distort
from reconciler.simulator.endpoints.call import Call, Reply
from reconciler.simulator.faults import (
    Fault,
    Faults,
    ForeignLinks,
    Malformed,
    Misdated,
    OperationFails,
    OperationKeepsImage,
    OperationLost,
    Page,
    Partial,
    Rejected,
    Reset,
    Slow,
    Stale,
    Status,
    Throttled,
    Timeout,
    Truncated,
)
from reconciler.simulator.indented import indented
from reconciler.simulator.message import ConnectionLost, Request, Response
from reconciler.simulator.operations import Operation
from reconciler.simulator.record import Exchange, ScaleSetSnapshot
from reconciler.simulator.request_context import RequestContext
from reconciler.simulator.routes import TABLE, Route
from reconciler.simulator.tenancy import require_linked, require_tenant
from reconciler.simulator.tokens import TENANT

JSON = "application/json; charset=utf-8"
OF_THE_BODY = ("Content-Type", "Content-Length", "ETag")
ALWAYS = {
    "Cache-Control": "no-cache",
    "Pragma": "no-cache",
    "Expires": "-1",
    "Strict-Transport-Security": "max-age=31536000; includeSubDomains",
    "X-Content-Type-Options": "nosniff",
    "X-Cache": "CONFIG_NOCACHE",
}


class Core:
    """Handles requests to a cloud, on the cloud's clock."""

    def __init__(self, cloud: Cloud, faults: Faults) -> None:
        self.cloud = cloud
        self.faults = faults

    @property
    def clock(self) -> Clock:
        return self.cloud.clock

    def handle(self, request: Request) -> Response:
        """Return the response to one request. Raises ConnectionLost if the client gets no response."""
        route, names = TABLE.find(request.method, request.path) or (None, {})
        with self.clock.hold() as now:
            fault = self.faults.take_fault(RequestContext(request, route, names, now).operation, request, now)
        # The clock cannot advance while it is held.
        if not isinstance(fault, Slow):
            return self._carry_out(request, route, names, fault)
        if fault.is_late:
            self.clock.sleep(fault.delay)
            return self._carry_out(request, route, names, fault)
        response = self._carry_out(request, route, names, fault)
        self.clock.sleep(fault.delay)
        return response

    def _carry_out(
        self, request: Request, route: Route | None, names: Mapping[str, str], fault: Fault | None
    ) -> Response:
        with self.clock.hold() as now:
            context = RequestContext(request, route, names, now)
            before = context.snapshot(self.cloud)
            try:
                response = self._inject(context, fault)
            except ConnectionLost:
                self._record(context, Response(0), fault, before)
                raise
            self._record(context, response, fault, before)
            return response

    def _inject(self, context: RequestContext, fault: Fault | None) -> Response:
        match fault:
            case None | Slow():
                return self._answer(context)
            case OperationFails() | OperationLost() | OperationKeepsImage():
                with self._override_outcome(fault):
                    return self._answer(context)
            case Partial() | Truncated() | Malformed() | Misdated() | ForeignLinks():
                return distort(self._answer(context), fault, context.request)
            case Timeout(lost_answer) | Reset(lost_answer):
                if lost_answer:
                    self._answer(context)
                raise ConnectionLost(carried_out=lost_answer, timed_out=isinstance(fault, Timeout))
            case Stale(age):
                fresh = self._answer(context)
                return _stale_response(self.faults.recall(context.request, context.at - age, fresh), fresh)
            case Page(code, body):
                reply = replace(self._refuse(context, errors.server_timeout()), status=code)
                return _html_page(reply, body.encode())
            case Rejected(error):
                return self._refuse(context, error)
            case Status() | Throttled():
                return self._refuse(context, _refusal(fault, context.at))
        assert_never(fault)

    def _answer(self, context: RequestContext) -> Response:
        try:
            response = self._finish(context, self._reply(context))
        except errors.ArmError as problem:
            response = self._refuse(context, problem)
        self.faults.note(context.operation, context.request, context.at, response)
        self._log(context, response)
        return response

    def _reply(self, context: RequestContext) -> Reply:
        request, route = context.request, context.route
        if not context.is_open:
            self._admit(context)
        if route is None:
            raise errors.no_route(request.path)
        if context.subscription:
            require_tenant(self.cloud, context.subscription, request)
        self.cloud.permissions.require(
            route.name, context.names, request.path, request.header("Authorization")
        )
        require_linked(self.cloud, route.name, request)
        if self.cloud.is_throttling:
            self.cloud.quotas.admit(route.name, context.payer(self.cloud))
        return route.endpoint(Call(self.cloud, request, context.names))

    def _admit(self, context: RequestContext) -> None:
        if not context.is_authenticated:
            raise errors.unauthenticated_error(TENANT)
        if not context.request.version:
            raise errors.no_api_version()
        if self.cloud.is_throttling:
            self.cloud.quotas.admit_to_gateway(context.verbs, context.subscription, context.caller)

    def _log(self, context: RequestContext, response: Response) -> None:
        """Log a write and its outcome.

        The outcome of a long-running operation is logged when the operation ends.
        """
        write = context.logged_write(response.headers["x-ms-request-id"])
        if write is None or response.status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.TOO_MANY_REQUESTS):
            return
        log, code = self.cloud.activity_log, response.status
        if code != HTTPStatus.FORBIDDEN:
            log.add(context.at, write, "Started")
        if code >= HTTPStatus.BAD_REQUEST:
            log.add(context.at, write, "Failed", code)
            return
        address = urlsplit(response.headers.get("Azure-AsyncOperation", "")).path
        operation = self.cloud.operations.find(address.rpartition("/")[2])
        if operation is None:
            log.add(context.at, write, "Accepted" if address else "Succeeded", code)
            return
        log.add(context.at, write, "Accepted", code)
        if operation.is_running:
            operation.when_ended.append(partial(self._log_end, write))
        else:
            self._log_end(write, operation)

    def _log_end(self, write: LoggedWrite, operation: Operation) -> None:
        now, log = self.clock.now(), self.cloud.activity_log
        if operation.status == "Succeeded":
            log.add(now, write, "Succeeded", HTTPStatus.OK)
        else:
            log.add(now, write, "Failed", operation.error.status if operation.error else HTTPStatus.CONFLICT)

    def _refuse(self, context: RequestContext, problem: errors.ArmError) -> Response:
        reply = Reply(
            problem.status, problem.envelope(), problem.headers, problem.charge, gateway=problem.gateway
        )
        cause = {"x-ms-failure-cause": "gateway"} if problem.gateway else {}
        return self._finish(context, replace(reply, headers={**problem.headers, **cause}))

    def _finish(self, context: RequestContext, reply: Reply) -> Response:
        body = _body(reply)
        trace = self.cloud.next_guid("request")
        headers = {
            **ALWAYS,
            "Content-Length": str(len(body)),
            "x-ms-request-id": trace,
            "x-ms-correlation-request-id": context.correlation_id or trace,
            "x-ms-routing-request-id": f"SIMULATOR:{context.at:%Y%m%dT%H%M%SZ}:{trace}",
            "Date": f"{context.at:%a, %d %b %Y %H:%M:%S} GMT",
            **reply.headers,
        }
        if body:
            headers["Content-Type"] = JSON
        # A request that is throttled takes no token.
        calls = 0 if reply.status == HTTPStatus.TOO_MANY_REQUESTS else 1
        if context.is_authenticated and not context.is_open:
            headers |= self.cloud.quotas.charge_gateway(
                context.verbs, context.subscription, context.caller, calls=calls
            )
        if not reply.gateway:
            headers |= self._compute_headers(context, reply, calls)
        return Response(reply.status, headers, body)

    def _compute_headers(self, context: RequestContext, reply: Reply, calls: int) -> dict[str, str]:
        payer = context.payer(self.cloud)
        where = payer.regions[0] if payer.regions else self.cloud.catalogue.location
        who = f"tenantId={TENANT},objectId={context.caller}"
        headers = {
            "x-ms-operation-identifier": f"{who}/{where}/{self.cloud.next_guid('identifier')}",
            "x-ms-need-to-refresh-epl-cache": "False",
        }
        remaining = self.cloud.quotas.charge(context.operation, payer, calls=calls, vms=reply.charge)
        if remaining and not reply.gathered:
            headers["x-ms-ratelimit-remaining-resource"] = remaining
        if reply.charge is not None:
            headers["x-ms-request-charge"] = str(reply.charge)
        return headers

    @contextmanager
    def _override_outcome(
        self, fault: OperationFails | OperationLost | OperationKeepsImage
    ) -> Iterator[None]:
        """Apply `fault` to the operations that start within the block."""
        operations = self.cloud.operations
        if isinstance(fault, OperationFails):
            operations.forced_error = errors.ArmError(409, fault.code, fault.message)
        operations.loses_operations = isinstance(fault, OperationLost)
        operations.keeps_image = fault if isinstance(fault, OperationKeepsImage) else None
        try:
            yield
        finally:
            operations.forced_error, operations.loses_operations, operations.keeps_image = None, False, None

    def _record(
        self,
        context: RequestContext,
        response: Response,
        fault: Fault | None,
        before: ScaleSetSnapshot | None,
    ) -> None:
        request = context.request
        self.cloud.record.add(
            Exchange(
                context.at,
                request.method,
                request.path,
                request.query,
                response.status,
                len(request.body),
                len(response.body),
                context.operation,
                _json_body(request),
                request.client,
                fault,
                before,
                request.header("If-Match"),
            )
        )


def _body(reply: Reply) -> bytes:
    """Serialize the body of a reply.

    JSON from the compute provider is indented and has CRLF line endings. JSON from the gateway is compact,
    and so is the body of a reply that is not `pretty`.
    """
    if reply.body is None:
        return b""
    if reply.gateway or not reply.pretty:
        return json.dumps(reply.body, separators=(",", ":")).encode()
    return indented(reply.body, newline="\r\n").encode()


def _stale_response(old: Response, fresh: Response) -> Response:
    """Return the old response with the fresh headers, but keep the old headers that describe the body."""
    kept = {name: value for name, value in fresh.headers.items() if name not in OF_THE_BODY}
    aged = {name: value for name, value in old.headers.items() if name in OF_THE_BODY}
    return Response(old.status, kept | aged, old.body)


def _html_page(response: Response, body: bytes) -> Response:
    """Replace the JSON in the response with `body`, which is an HTML page or empty."""
    kept = {name: value for name, value in response.headers.items() if name not in OF_THE_BODY}
    kind = {"Content-Type": "text/html; charset=us-ascii"} if body else {}
    return Response(response.status, {**kept, **kind, "Content-Length": str(len(body))}, body)


def _json_body(request: Request) -> Any:
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
