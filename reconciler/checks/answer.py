"""One GET, bounded in time and bytes, and whatever goes wrong with it in one line.

No redirect is followed: where an address redirects to a login page, that page would answer 200 for anything.
The status of the redirect is the answer. Proxies are those of the environment, as for all else.
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
    """There was none that could be read. `str()` is what is said of the place, such as "does not answer"."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The status, and the body where that was asked for."""

    status: int
    body: bytes


def ask(url: str, *, most: int, patience: timedelta) -> Answer:
    """What `url` answers; a body of more than `most` bytes is no answer. Raises NoAnswer.

    On a thread of its own: names are looked up, and slow bytes read, for longer than a socket's timeout
    says. One that is late is left to itself, and ends by its own timeouts.
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
        raise NoAnswer("does not answer as HTTP says") from error  # its words may be those of the answer
    except (OSError, ValueError) as error:  # of a name that can be none: a ValueError
        cause = error.reason if isinstance(error, URLError) else error
        is_late = isinstance(cause, TimeoutError)
        raise NoAnswer(_late(patience) if is_late else f"does not answer: {_reason_of(cause)}") from error


def _body(answer: HTTPResponse, most: int, end: float) -> bytes:
    body = b""
    while most and (part := answer.read1(_PART)):
        body += part
        if len(body) > most:
            raise NoAnswer(f"answers with more than {most} bytes")
        if monotonic() > end:
            raise TimeoutError
    return body


def _late(patience: timedelta) -> str:
    return f"does not answer within {format_duration(patience)}"


def _opener() -> OpenerDirector:
    """HTTP and HTTPS and nothing else, and every status an answer."""
    opener = OpenerDirector()
    opener.addheaders = []
    for handler in (ProxyHandler(), HTTPHandler(), HTTPSHandler()):
        opener.add_handler(handler)
    return opener


def _reason_of(cause: object) -> str:
    """The system's own words, without its numbers."""
    if isinstance(cause, ssl.SSLCertVerificationError):
        return f"its certificate is not valid: {shorten(cause.verify_message)}"
    if isinstance(cause, OSError) and cause.strerror:
        return shorten(cause.strerror[0].lower() + cause.strerror[1:])
    return shorten(" ".join(str(cause).split()) or type(cause).__name__)
