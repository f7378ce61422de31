"""One GET request, limited in time, size and reach. Every failure is a one-line message.

The host name is resolved once. All of its addresses are checked, and the connection goes to one of them, so
it does not matter if the name server later gives a different answer.

Redirects are not followed. A redirect to a login page would make any URL return 200, and a redirect could
lead to an address that is out of reach. The redirect itself is returned as the response, with its status.
Environment variables configure proxies, as everywhere in this program. A proxy resolves host names itself.
"""

import socket
import ssl
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from threading import Thread
from time import monotonic
from urllib.error import URLError
from urllib.parse import SplitResult, urlsplit
from urllib.request import (
    HTTPHandler,
    HTTPSHandler,
    OpenerDirector,
    ProxyHandler,
    Request,
    getproxies,
    proxy_bypass,
)

from reconciler import __version__
from reconciler.checks.reach import Reach
from reconciler.spec.duration import format_duration
from reconciler.spec.wording import shorten

_PART = 65536  # bytes read at once
_HEADERS = {"User-Agent": f"vmss-reconciler/{__version__}", "Connection": "close"}


class NoAnswer(Exception):
    """No readable response was received. `str()` is a phrase about the server, such as "did not answer"."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The status and the body of a response. `body` is b"" if `ask` was called with `most=0`."""

    status: int
    body: bytes


def ask(url: str, *, reach: Reach, most: int, patience: timedelta) -> Answer:
    """The response from `url`. Raises NoAnswer if no response arrives, or if its body exceeds `most` bytes.

    If `most` is 0, the body is not read. Raises NoAnswer without sending anything if the address is out of
    reach.

    The request runs in its own thread, because name resolution and slow responses can exceed the timeout of a
    socket. A late request is not cancelled. It ends when its own timeouts expire.
    """
    answered: Future[Answer] = Future()
    Thread(target=_ask, args=(answered, url, reach, most, patience), daemon=True).start()
    try:
        return answered.result(patience.total_seconds())
    except TimeoutError:
        raise NoAnswer(_late(patience)) from None


def _ask(answered: Future[Answer], url: str, reach: Reach, most: int, patience: timedelta) -> None:
    try:
        answered.set_result(_get(url, reach, most, patience))
    except Exception as error:
        answered.set_exception(error)


def _get(url: str, reach: Reach, most: int, patience: timedelta) -> Answer:
    seconds = patience.total_seconds()
    try:
        with _response(urlsplit(url), reach, seconds) as answer:
            return Answer(answer.status, _body(answer, most, monotonic() + seconds))
    except HTTPException as error:
        raise NoAnswer("did not answer with valid HTTP") from error  # its text may quote the response
    except (OSError, ValueError) as error:  # a ValueError if the host name is invalid
        cause = error.reason if isinstance(error, URLError) else error
        is_late = isinstance(cause, TimeoutError)
        raise NoAnswer(_late(patience) if is_late else f"did not answer: {_reason_of(cause)}") from error


@contextmanager
def _response(url: SplitResult, reach: Reach, seconds: float) -> Iterator[HTTPResponse]:
    if _is_behind_proxy(url):
        if why := _refusal_behind_proxy(url.hostname or "", reach):
            raise NoAnswer(why)
        request = Request(url.geturl(), headers=_HEADERS)  # noqa: S310 - the opener knows only HTTP and HTTPS
        with _proxy_opener().open(request, timeout=seconds) as answer:
            yield answer
        return
    with closing(_connection(url, reach, seconds)) as connection:
        target = url._replace(scheme="", netloc="", path=url.path or "/", fragment="").geturl()
        connection.request("GET", target, headers=_HEADERS)
        with connection.getresponse() as answer:
            yield answer


def _connection(url: SplitResult, reach: Reach, seconds: float) -> HTTPConnection:
    """A connection to an address of the host, once all addresses of the host have been checked."""
    host, is_tls = url.hostname or "", url.scheme == "https"
    plain = _socket(host, url.port or (443 if is_tls else 80), reach, seconds)
    if not is_tls:
        connection = HTTPConnection(url.netloc, timeout=seconds)
        connection.sock = plain
        return connection
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    secure = HTTPSConnection(url.netloc, timeout=seconds, context=context)
    try:
        secure.sock = context.wrap_socket(plain, server_hostname=host)
    except (OSError, ValueError):
        plain.close()
        raise
    return secure


def _socket(host: str, port: int, reach: Reach, seconds: float) -> socket.socket:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    for *_, address in found:
        if why := reach.refusal(host, str(address[0])):
            raise NoAnswer(why)
    failure: OSError | None = None
    for family, kind, protocol, _, address in found:
        try:
            opened = socket.socket(family, kind, protocol)
            opened.settimeout(seconds)
            try:
                opened.connect(address)
            except OSError:
                opened.close()
                raise
        except OSError as error:
            failure = failure or error
        else:
            return opened
    raise failure or OSError("its name has no address")


def _is_behind_proxy(url: SplitResult) -> bool:
    """Whether urllib, according to its own rules, would use a proxy for this URL."""
    return url.scheme in getproxies() and not proxy_bypass(url.netloc)


def _refusal_behind_proxy(host: str, reach: Reach) -> str:
    """Why no request for this host may be sent to the proxy, or "" if requests are allowed.

    A host that is an IP address, in any spelling, is checked as an address.
    """
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    except OSError:
        return reach.refusal_behind_proxy(host)
    return next(filter(None, (reach.refusal(host, str(address[0])) for *_, address in found)), "")


def _body(answer: HTTPResponse, most: int, end: float) -> bytes:
    body = b""
    while most and (part := answer.read1(_PART)):
        body += part
        if len(body) > most:
            raise NoAnswer(f"returned more than {most} bytes")
        if monotonic() > end:
            raise TimeoutError
    return body


def _late(patience: timedelta) -> str:
    return f"did not answer within {format_duration(patience)}"


def _proxy_opener() -> OpenerDirector:
    """An opener for HTTP and HTTPS only. Returns a response for every status, and never raises HTTPError."""
    opener = OpenerDirector()
    opener.addheaders = []
    for handler in (ProxyHandler(), HTTPHandler(), HTTPSHandler()):
        opener.add_handler(handler)
    return opener


def _reason_of(cause: object) -> str:
    """The system's error message, without error numbers."""
    if isinstance(cause, ssl.SSLCertVerificationError):
        return f"its certificate is not valid: {shorten(cause.verify_message)}"
    if isinstance(cause, OSError) and cause.strerror:
        return shorten(cause.strerror[0].lower() + cause.strerror[1:])
    return shorten(" ".join(str(cause).split()) or type(cause).__name__)
