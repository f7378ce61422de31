"""Requests to a forge API, limited in time and size. Every failure is a ForgeFailure.

The token is sent only to the host of the API. A redirect or a next page on another host is a failure.
"""

import base64
import json
import re
from collections.abc import Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from threading import Thread
from time import monotonic
from typing import Any
from urllib.parse import SplitResult, urljoin, urlsplit

from azure.core.exceptions import (
    AzureError,
    ServiceRequestError,
    ServiceRequestTimeoutError,
    ServiceResponseTimeoutError,
)
from azure.core.pipeline import Pipeline, PipelineRequest
from azure.core.pipeline.policies import SansIOHTTPPolicy
from azure.core.pipeline.transport import RequestsTransport
from azure.core.rest import HttpRequest, HttpResponse

from reconciler import __version__
from reconciler.forge.failure import ForgeFailure, Refusal, Transient, failure, message_in, query_refusal
from reconciler.forge.forge import Call, Forge
from reconciler.forge.patience import Patience
from reconciler.spec.duration import format_duration
from reconciler.spec.wording import printable

_REQUEST_LIMIT = timedelta(seconds=30)
_MOST = 1 << 28  # bytes of a response; a page with a hundred of GitLab's longest notes has fewer
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_MOST_REQUESTS = 5  # for one call, including redirects
_LONGEST = 200  # characters of a message that is not ours
_REASON = re.compile(r"\[Errno -?[0-9]+\] ([^'\")]+)")  # the innermost of urllib3's errors
_UNTRUSTED = "CERTIFICATE_VERIFY_FAILED"


@dataclass(frozen=True, slots=True)
class Answer:
    """A successful response. `headers` ignores the case of names. `body` is None unless it is JSON."""

    headers: Mapping[str, str]
    body: Any


class Client:
    """Sends requests with one token to one API. `patience` limits the total time of all requests."""

    def __init__(self, forge: Forge, api: str, token: str, patience: Patience) -> None:
        self.forge = forge
        self._api = api
        self._headers = {**forge.headers(token), "User-Agent": f"vmss-reconciler/{__version__}"}
        self._secrets = (base64.b64encode(f":{token}".encode()).decode(), token)
        self._patience = patience

    def send(self, call: Call) -> Answer:
        """The response to a request, once redirects have been followed.

        Raises Transient if a retry might succeed, and another ForgeFailure if not.
        """
        url = call.url
        for _ in range(_MOST_REQUESTS):
            if _origin(url) != _origin(self._api):
                raise ForgeFailure(self._elsewhere(url))
            response = self._respond(call, url)
            if response.status in self.forge.sign_in:
                raise failure(self.forge, Refusal(401, response.headers, ""))
            if response.status not in _REDIRECTS:
                return self._answer(call, response)
            url = urljoin(url, response.headers.get("Location", ""))
        raise ForgeFailure(f"{self.forge.name} redirects too many times; check the API URL")

    def _answer(self, call: Call, response: "_Response") -> Answer:
        body, status, headers = _json(response.body), response.status, response.headers
        if not 200 <= status < 300:
            raise failure(self.forge, Refusal(status, headers, self._clean(message_in(body))))
        if call.is_query and (refusal := query_refusal(body, headers, self._clean(message_in(body)))):
            raise failure(self.forge, refusal)
        return Answer(headers, body)

    def _elsewhere(self, url: str) -> str:
        origin = self._clean(_origin(url)) or "an address that cannot be parsed"
        return (
            f"{self.forge.name} refers to {origin}, but the token is sent only to {_origin(self._api)}; "
            "correct the API URL"
        )

    def _respond(self, call: Call, url: str) -> "_Response":
        """The response from `url`, whatever its status is.

        The request runs in its own thread, because name resolution and slow responses can exceed the timeouts
        of a socket. A late request is not cancelled. It ends when its own timeouts expire.
        """
        limit = min(_REQUEST_LIMIT, self._patience.left)
        responded: Future[_Response] = Future()
        Thread(target=_complete, args=(responded, self._headers, call, url, limit), daemon=True).start()
        try:
            return responded.result(limit.total_seconds())
        except (TimeoutError, ServiceRequestTimeoutError, ServiceResponseTimeoutError) as error:
            late = f"{self.forge.name} did not answer within {format_duration(limit)}"
            raise Transient(late) from error
        except (AzureError, OSError, ValueError) as error:
            raise self._unreachable(error) from error

    def _unreachable(self, error: Exception) -> ForgeFailure:
        text = str(error)
        if _UNTRUSTED in text:
            return ForgeFailure(
                f"the certificate of {_origin(self._api)} is signed by an unknown CA, or is not valid; "
                "set REQUESTS_CA_BUNDLE to a file that contains the CA"
            )
        reasons = _REASON.findall(text)
        reason = self._clean(reasons[-1] if reasons else text)
        if isinstance(error, AzureError):
            what = (
                "cannot be reached"
                if isinstance(error, ServiceRequestError)
                else "sent an incomplete response"
            )
            return Transient(f"{self.forge.name} {what}: {reason}")
        return ForgeFailure(
            f"{self.forge.name} cannot be reached: {reason}"
        )  # a missing CA bundle, a bad URL

    def _clean(self, text: str) -> str:
        """Text from outside this program, on one line, shortened and without the token."""
        text = " ".join(text.split())
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return printable(text[:_LONGEST])


@dataclass(frozen=True, slots=True)
class _Response:
    status: int
    headers: Mapping[str, str]
    body: bytes


def _complete(
    responded: "Future[_Response]", headers: Mapping[str, str], call: Call, url: str, limit: timedelta
) -> None:
    try:
        responded.set_result(_exchange(headers, call, url, limit.total_seconds()))
    except Exception as error:
        responded.set_exception(error)


def _exchange(headers: Mapping[str, str], call: Call, url: str, seconds: float) -> _Response:
    end = monotonic() + seconds
    request = HttpRequest(call.method, url, json=call.body)
    with _pipeline(headers) as pipeline:
        result = pipeline.run(request, stream=True, connection_timeout=seconds, read_timeout=seconds)
        response = result.http_response
        return _Response(response.status_code, response.headers, _body(response, end))


class _Headers(SansIOHTTPPolicy[HttpRequest, HttpResponse]):
    """Adds the headers, including the token, to every request."""

    def __init__(self, headers: Mapping[str, str]) -> None:
        self._headers = headers

    def on_request(self, request: PipelineRequest[HttpRequest]) -> None:
        request.http_request.headers.update(self._headers)


@contextmanager
def _pipeline(headers: Mapping[str, str]) -> Iterator[Pipeline[HttpRequest, HttpResponse]]:
    """A pipeline without the library's retries and redirects.

    The library would retry a POST that might have had an effect.
    """
    with RequestsTransport() as transport:
        # Otherwise the requests library takes a password for the host from ~/.netrc in place of our token.
        transport.session.auth = lambda request: request
        with Pipeline[HttpRequest, HttpResponse](transport, [_Headers(headers)]) as pipeline:
            yield pipeline


def _body(response: HttpResponse, end: float) -> bytes:
    body = bytearray()
    for part in response.iter_bytes():
        body += part
        if len(body) > _MOST:
            raise ValueError(f"the response has more than {_MOST} bytes")
        if monotonic() > end:
            raise TimeoutError
    return bytes(body)


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _origin(url: str) -> str:
    """The scheme, host and port of a URL, or "" if it cannot be parsed.

    >>> _origin("https://API.github.com:443/user"), _origin("https://[")
    ('https://api.github.com', '')
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return ""
    return f"{parts.scheme}://{parts.hostname or ''}{_port(parts, port)}"


def _port(parts: SplitResult, port: int | None) -> str:
    return "" if port in (None, {"https": 443, "http": 80}.get(parts.scheme)) else f":{port}"
