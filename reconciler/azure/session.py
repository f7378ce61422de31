"""Requests to Azure Resource Manager: one identity, one endpoint, one budget, and failures as AzureFailure.

SDK retries are off, because a retry may sleep for a Retry-After of twenty minutes while all other scale sets
wait.
"""

import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from json import JSONDecodeError
from threading import Lock, local
from typing import Any
from urllib.parse import urlsplit

from azure.core import AzureClouds
from azure.core.credentials import TokenCredential
from azure.core.exceptions import (
    AzureError,
    ClientAuthenticationError,
    ResourceNotFoundError,
    map_error,
)
from azure.core.pipeline import PipelineRequest, PipelineResponse
from azure.core.pipeline.policies import SansIOHTTPPolicy
from azure.core.pipeline.transport import HttpTransport, RequestsTransport
from azure.core.rest import HttpRequest, HttpResponse
from azure.mgmt.compute import ComputeManagementClient
from azure.mgmt.core.tools import get_arm_endpoints

from reconciler import __version__
from reconciler.azure import auxiliary
from reconciler.azure.address import on_endpoint
from reconciler.azure.budget import Budget, Cost, OperationClass, Priority, Subject
from reconciler.azure.clock import AzureClock, parse_date, steady
from reconciler.azure.cloud import PUBLIC_CLOUD
from reconciler.azure.expiring import ExpiringMap
from reconciler.azure.failure import MalformedResponse, NotLeading, TooManyRequests, Unreachable, failure
from reconciler.azure.fence import FencedTransport, WritePermission
from reconciler.azure.fields import Json, raw_text_in
from reconciler.azure.request_counter import RequestCounter, RequestIds
from reconciler.azure.token import default_credential
from reconciler.spec.wording import one_line

COMPUTE = "2026-04-01"  # the api-version that the SDK's typed operations send too
_CONNECT_SECONDS = 10
_LONGEST_ID = 80  # characters; a UUID has 36
_READ_SECONDS = 60  # a list page of a large subscription takes seconds, never a minute
# How long the region of a scale set and the length of a list are kept after the last observation. A scale set
# is observed at least once a day.
_KEPT = timedelta(days=7)
_ERRORS = {
    401: ClientAuthenticationError,
    404: ResourceNotFoundError,
}  # as in the typed operations of the SDK
_SCALE_SET = re.compile(
    r"/subscriptions/[^/]+/resourcegroups/[^/]+/providers/microsoft\.compute/virtualmachinescalesets/[^/]+"
)
_SUBSCRIPTION = re.compile(r"/subscriptions/([^/]+)")


class Session:
    """Access to Azure Resource Manager with one identity. Safe to share between threads."""

    def __init__(
        self,
        endpoint: str = PUBLIC_CLOUD,
        *,
        credential: TokenCredential | None = None,
        transport: HttpTransport[Any, Any] | None = None,
        auxiliary_tenants: Sequence[str] = (),
        now: Callable[[], datetime] | None = None,
    ) -> None:
        """`credential` defaults to DefaultAzureCredential, which AZURE_TOKEN_CREDENTIALS restricts.

        `auxiliary_tenants` are other tenants that own images. A request that names an image also carries a
        token from each of these tenants. `now` reads our own clock. By default, changes to the system time do
        not affect this clock.
        """
        self.endpoint = endpoint.rstrip("/")
        self.clock = AzureClock(now or steady())
        self.credential = credential or default_credential(auxiliary_tenants)
        self.scopes = _scopes(self.endpoint)
        self.auxiliary_tenants = tuple(auxiliary_tenants)
        self._policies: list[SansIOHTTPPolicy[Any, Any]] = [_Meter(self)]
        if auxiliary_tenants:
            tokens = auxiliary.AuxiliaryTokens(self.credential, self.scopes, auxiliary_tenants)
            self._policies.insert(0, tokens)
        self._transport = transport
        self._permission: WritePermission | None = None
        self._right = ""
        self._clients: dict[str, ComputeManagementClient] = {}
        self.budget = Budget()
        self.counter = RequestCounter(lambda: self.budget.requests_left(self.now()))
        self._locations: ExpiringMap[str, str] = ExpiringMap()
        self._pages: ExpiringMap[str, int] = ExpiringMap()
        self._thread = local()  # the call in progress in this thread
        self._lock = Lock()

    def fence(self, permission: WritePermission, right: str = "this replica's leadership") -> None:
        """Send a write only if `permission` permits it. Call this before the first request.

        `right` names what grants the permission, for messages.
        """
        assert not self._clients, "a client that exists would write without permission"  # noqa: S101
        self._permission, self._right = permission, right

    def now(self) -> datetime:
        """The current time, from Azure's clock if ours is wrong."""
        return self.clock.now()

    def locate(self, resource: str, location: str) -> None:
        """Remember the region of a scale set, because Azure counts requests by region.

        `resource` is the id of the scale set in lower case.
        """
        self._locations.keep(resource, location, self.now(), _KEPT)

    def note_pages(self, path: str, pages: int) -> None:
        """Remember the number of pages of a list."""
        self._pages.keep(path.casefold(), pages, self.now(), _KEPT)

    @contextmanager
    def call(
        self,
        operation_class: OperationClass,
        path: str,
        priority: Priority,
        *,
        term: int | None = None,
        instances: int = 0,
    ) -> Iterator["ApiCall"]:
        """Requests about `path`, counted in `operation_class`. Every error becomes an AzureFailure.

        `term` is the term in which a write was decided (see `fence`). `instances` is the number of instances
        that Azure counts for the call, as far as that is known. Raises TooManyRequests, without sending
        anything, if the budget for this priority is used up.
        """
        self.counter.note(None)
        term = term or getattr(self._thread, "term", None)
        cost = Cost(self._pages.get(path.casefold(), self.now()) or 1, instances)
        call = ApiCall(self, operation_class, self._subject(path), priority, term, cost)
        call.acquire()
        before = getattr(self._thread, "call", None)
        self._thread.call = call
        try:
            yield call
        except AzureError as error:
            ours = failure(error)
            if isinstance(ours, TooManyRequests):
                self.budget.back_off(
                    operation_class, call.subject, ours.policy, self.now() + ours.retry_after
                )
            raise ours from error
        except (
            JSONDecodeError,
            RecursionError,
        ) as error:  # when the SDK reads the response to a write
            raise MalformedResponse("Azure sent a response that is not JSON") from error
        except ValueError as error:  # for example a redirect to an invalid address
            raise MalformedResponse(
                f"Azure sent a response that cannot be read ({str(error)[:80]})"
            ) from error
        except OSError as error:  # for example a missing REQUESTS_CA_BUNDLE
            raise Unreachable(f"Azure could not be reached ({error})") from error
        finally:
            call.release()
            self._thread.call = before

    @contextmanager
    def in_term(self, term: int) -> Iterator[None]:
        """Inside the context, count the writes of this thread as decided in `term`, unless a call names
        another term.

        The daemon needs this for the acts of a person, which run without a term on the command line.
        """
        before = getattr(self._thread, "term", None)
        self._thread.term = term
        try:
            yield
        finally:
            self._thread.term = before

    def close(self) -> None:
        with self._lock:
            for client in self._clients.values():
                client.close()
            self._clients.clear()

    def client(self, subscription: str) -> ComputeManagementClient:
        """The SDK client for a subscription."""
        with self._lock:
            if subscription not in self._clients:
                self._clients[subscription] = ComputeManagementClient(
                    self.credential,
                    subscription,
                    self.endpoint,
                    credential_scopes=self.scopes,
                    retry_total=0,
                    connection_timeout=_CONNECT_SECONDS,
                    read_timeout=_READ_SECONDS,
                    user_agent=f"vmss-reconciler/{__version__}",
                    per_call_policies=self._policies,
                    per_retry_policies=[_OwnEndpoint(self.endpoint)],
                    **self._transport_argument(),
                )
            return self._clients[subscription]

    def _transport_argument(self) -> dict[str, Any]:
        """The `transport` argument, or {} if the SDK is to use its default transport."""
        if self._permission is None:
            return {"transport": self._transport} if self._transport else {}
        transport = self._transport or RequestsTransport(
            connection_timeout=_CONNECT_SECONDS, read_timeout=_READ_SECONDS
        )
        return {"transport": FencedTransport(transport, self._permission, self._term, self._right)}

    def _term(self) -> int | None:
        """The term in which the call in this thread was decided."""
        call: ApiCall | None = getattr(self._thread, "call", None)
        return call.term if call else None

    def _subject(self, path: str) -> Subject:
        folded = path.casefold()
        subscription, scale_set = _SUBSCRIPTION.match(folded), _SCALE_SET.match(folded)
        assert subscription, f"not a path of Azure Resource Manager: {path}"  # noqa: S101
        resource = scale_set[0] if scale_set else ""
        return Subject(subscription[1], self._locations.get(resource, self.now()) or "", resource)

    def note_response(self, status: int, headers: Mapping[str, str], sent_at: datetime) -> None:
        """Record a response that this thread received.

        `status` is 0 if no response arrived. `sent_at` is when the request was sent, according to our own
        clock.
        """
        self.clock.note_date(parse_date(headers.get("Date")), sent_at)
        if call := getattr(self._thread, "call", None):
            self.counter.count(call.operation_class.name, status)
            self.budget.note(call.subject, headers, self.now(), call.cost)


@dataclass(slots=True)
class ApiCall:
    """The requests of one call, through typed SDK operations (`client`) or as plain JSON.

    `cost` is the cost of what has not arrived yet.
    """

    session: Session
    operation_class: OperationClass
    subject: Subject
    priority: Priority
    term: int | None
    cost: Cost

    @property
    def client(self) -> ComputeManagementClient:
        """The SDK client for the subscription of this call."""
        return self.session.client(self.subject.subscription)

    def acquire(self) -> None:
        """Reserve budget for the call. Raises TooManyRequests if too little is left."""
        now, budget = self.session.now(), self.session.budget
        if wait := budget.acquire(self.operation_class, self.subject, self.priority, now, self.cost):
            raise TooManyRequests(wait.why, wait.length)

    def release(self) -> None:
        """Stop counting the call as in flight."""
        self.session.budget.release(self.operation_class, self.subject, self.cost)

    def rows(self, path: str, **query: str) -> Iterator[Json]:
        """The entries of a list, read page by page. An entry is plain JSON of any type.

        The SDK would build a model for each entry, which takes seven times as long as everything else. The
        number of pages is remembered, and the next call reserves as many requests, so a list is read as a
        whole or not at all.
        """
        pages = 0
        for body in self.pages(HttpRequest("GET", path, params={**query, "api-version": COMPUTE})):
            pages += 1
            found = body.get("value")
            if not isinstance(found, list):
                raise MalformedResponse("Azure sent a list without rows")
            self._note_arrived(len(found))
            yield from found
        self.session.note_pages(path, pages)

    def _note_arrived(self, instances: int) -> None:
        """Stop counting instances as in flight, because the numbers that Azure reports now include them."""
        arrived = min(instances, self.cost.instances)
        self.session.budget.release(self.operation_class, self.subject, Cost(0, arrived))
        self.cost = replace(self.cost, instances=self.cost.instances - arrived)

    def pages(self, request: HttpRequest) -> Iterator[Json]:
        """The pages of a list.

        Raises AzureError if a request fails, and MalformedResponse if a page cannot be read or the pages form
        a cycle.
        """
        links = set[str]()
        while True:
            body = self.request_json(request)
            yield body
            link = raw_text_in(body, "nextLink")
            if not link:
                return
            if link in links:
                raise MalformedResponse("Azure sent a list whose pages form a cycle")
            links.add(link)
            request = HttpRequest("GET", link)

    def get(self, path: str) -> Json:
        """A resource as JSON. Raises AzureError, or MalformedResponse if it is not a JSON object."""
        return self.request_json(HttpRequest("GET", path, params={"api-version": COMPUTE}))

    def request_json(self, request: HttpRequest) -> Json:
        """Send a request and return the response as JSON. An address on another endpoint is not followed.

        Raises AzureError if the request fails, and MalformedResponse if the response is not a JSON object.
        """
        return json_object(self.response(request))

    def response(self, request: HttpRequest, **timeouts: Any) -> HttpResponse:
        """Send a request, and return the response. An address on another endpoint is not followed.

        `timeouts` are transport options that override those of the session. Raises AzureError if the request
        fails.
        """
        request.url = on_endpoint(request.url, self.session.endpoint)
        response = self.client.send_request(request, **timeouts)
        map_error(response.status_code, response, _ERRORS)
        response.raise_for_status()
        return response


def json_object(response: HttpResponse) -> Json:
    """The JSON object in a response. Raises MalformedResponse if there is none."""
    try:
        body = response.json()
    except (ValueError, RecursionError) as error:
        raise MalformedResponse("Azure sent a response that is not JSON") from error
    if not isinstance(body, Mapping):
        raise MalformedResponse("Azure sent a response that is not a JSON object")
    return body


_SENT_AT = "vmss_reconciler_asked_at"


class _Meter(SansIOHTTPPolicy[Any, Any]):
    """Reports each response to the session, and each request that was sent but got no response."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def on_request(self, request: PipelineRequest[Any]) -> None:
        request.context[_SENT_AT] = self._session.clock.read()

    def on_response(self, request: PipelineRequest[Any], response: PipelineResponse[Any, Any]) -> None:
        http = response.http_response
        self._session.note_response(http.status_code, http.headers, request.context[_SENT_AT])
        self._session.counter.note(_request_ids(request.http_request.headers, http.headers))

    def on_exception(self, request: PipelineRequest[Any]) -> None:
        if isinstance(sys.exception(), NotLeading):
            return
        self._session.counter.note(None)
        self._session.note_response(0, {}, request.context[_SENT_AT])


class _OwnEndpoint(SansIOHTTPPolicy[Any, Any]):
    """Keeps requests, and their tokens, on our own endpoint, even if the SDK follows links and redirects."""

    def __init__(self, endpoint: str) -> None:
        self._endpoint = endpoint

    def on_request(self, request: PipelineRequest[Any]) -> None:
        """Send the request to our own endpoint. Raises MalformedResponse if its URL names another host."""
        request.http_request.url = on_endpoint(request.http_request.url, self._endpoint)


def _request_ids(sent: Mapping[str, str], received: Mapping[str, str]) -> RequestIds:
    names = (
        (sent, "x-ms-client-request-id"),
        (received, "x-ms-request-id"),
        (received, "x-ms-correlation-request-id"),
    )
    return RequestIds(*(one_line(headers.get(name) or "")[:_LONGEST_ID] for headers, name in names))


def _scopes(endpoint: str) -> list[str]:
    """The token scopes for this endpoint, which in one cloud do not follow from the endpoint's address."""
    for cloud in AzureClouds:
        known = get_arm_endpoints(cloud)
        if known["resource_manager"].rstrip("/") == endpoint:
            return list(known["credential_scopes"])
    parts = urlsplit(endpoint)
    return [f"{parts.scheme}://{parts.netloc}/.default"]
