"""One GET request, limited in time and size, with every failure as a one-line message.

Redirects are not followed, because a login page would return 200 for any URL. The response is the redirect
with its status. Proxies are configured by environment variables, as everywhere in this program.
"""

import ssl
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import timedelta
from http.client import HTTPException, HTTPResponse
from threading import Thread
from time import monotonic
from urllib.error import URLError
from urllib.request import HTTPHandler, HTTPSHandler, OpenerDirector, ProxyHandler, Request

from reconciler import __version__
from reconciler.spec.duration import format_duration
from reconciler.spec.wording import shorten

_PART = 65536  # bytes read at once


class NoAnswer(Exception):
    """No readable response was received. `str()` is a phrase about the server, such as "did not answer"."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The status of a response, and its body if it was requested."""

    status: int
    body: bytes


def ask(url: str, *, most: int, patience: timedelta) -> Answer:
    """The response from `url`. Raises NoAnswer if no response arrives, or if its body exceeds `most` bytes.

    The request runs in a thread of its own, because name resolution and slow responses can exceed the timeout
    of a socket. A request that is late is not cancelled. It ends by its own timeouts.
    """
    answered: Future[Answer] = Future()
    Thread(target=_ask, args=(answered, url, most, patience), daemon=True).start()
    try:
        return answered.result(patience.total_seconds())
    except TimeoutError:
        raise NoAnswer(_late(patience)) from None


def _ask(answered: Future[Answer], url: str, most: int, patience: timedelta) -> None:
    try:
        answered.set_result(_get(url, most, patience))
    except Exception as error:
        answered.set_exception(error)


def _get(url: str, most: int, patience: timedelta) -> Answer:
    try:
        request = Request(url, headers={"User-Agent": f"vmss-reconciler/{__version__}"})  # noqa: S310
        with _opener().open(request, timeout=patience.total_seconds()) as answer:
            return Answer(answer.status, _body(answer, most, monotonic() + patience.total_seconds()))
    except HTTPException as error:
        raise NoAnswer("did not answer with valid HTTP") from error  # its text may quote the response
    except (OSError, ValueError) as error:  # a ValueError if the host name is invalid
        cause = error.reason if isinstance(error, URLError) else error
        is_late = isinstance(cause, TimeoutError)
        raise NoAnswer(_late(patience) if is_late else f"did not answer: {_reason_of(cause)}") from error


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


def _opener() -> OpenerDirector:
    """An opener for HTTP and HTTPS only, which returns every status as a response."""
    opener = OpenerDirector()
    opener.addheaders = []
    for handler in (ProxyHandler(), HTTPHandler(), HTTPSHandler()):
        opener.add_handler(handler)
    return opener


def _reason_of(cause: object) -> str:
    """The error message of the system, without its numbers."""
    if isinstance(cause, ssl.SSLCertVerificationError):
        return f"its certificate is not valid: {shorten(cause.verify_message)}"
    if isinstance(cause, OSError) and cause.strerror:
        return shorten(cause.strerror[0].lower() + cause.strerror[1:])
    return shorten(" ".join(str(cause).split()) or type(cause).__name__)
