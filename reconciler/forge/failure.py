"""The failures of a forge: how each is recognized, what it means, and how to fix it.

The first row that matches the status and the message applies. `docs/how-to/pull-request.md` lists the rows.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from email.utils import parsedate_to_datetime
from typing import Any

from reconciler.forge.forge import Forge

_RATE_LIMIT = re.compile(r"rate limit|abuse detection", re.IGNORECASE)
_UNNAMED_WAIT = timedelta(minutes=1)  # the wait that GitHub documents for a response that names no time
_LEAST, _MOST = 1, 86_400  # seconds of a wait; no forge means more than a day
_STATUS_OF_TYPE = {"RATE_LIMITED": 429, "FORBIDDEN": 403, "INSUFFICIENT_SCOPES": 403}  # the first counts
_SECONDS = re.compile(r"[0-9]{1,10}")  # a duration, or a time as the seconds since 1970


class ForgeFailure(Exception):
    """The comment could not be written. `str()` is one line with the cause and the fix."""


class Refused(ForgeFailure):
    """The forge refused the request, and will refuse it again until a person changes something."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class Transient(ForgeFailure):
    """A failure that might go away on its own. `wait` is the delay that the forge asks for, or None."""

    def __init__(self, message: str, wait: timedelta | None = None) -> None:
        super().__init__(message)
        self.wait = wait


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the table.

    pattern: what the message must contain. An empty pattern matches any message.
    cause, fix: strings that can contain {forge}, {unauthorized_fix} and {forbidden_fix}.
    """

    name: str
    statuses: frozenset[int]
    pattern: re.Pattern[str]
    cause: str
    fix: str

    def fits(self, status: int, message: str) -> bool:
        """Whether the row applies to a response."""
        return status in self.statuses and bool(self.pattern.search(message))


def _row(name: str, statuses: Iterable[int], cause: str, fix: str, pattern: str = "") -> Row:
    return Row(name, frozenset(statuses), re.compile(pattern, re.IGNORECASE), cause, fix)


SHORTER = "write less; `reconciler plan -o markdown` shortens its own output"

ROWS = (
    _row("rejected token", {401}, "{forge} rejects the token", "{unauthorized_fix}"),
    _row("locked conversation", {403}, "the conversation is locked", "unlock it", r"\blocked\b"),
    _row("missing permission", {403}, "the token is not allowed to comment here", "{forbidden_fix}"),
    _row(
        "unknown pull request",
        {404},
        "{forge} has no such pull request, or the token cannot read it",
        "check the repository, the number, and what the token may read",
    ),
    _row(
        "no comments",
        {410},
        "the pull request was deleted, or its comments are turned off",
        "check the number, and the settings of the repository",
    ),
    _row("request too large", {413}, "the text is too long for {forge} or a proxy in front of it", SHORTER),
    _row("text too long", {400, 422}, "the text is too long for {forge}", SHORTER, r"too long|longer than"),
    _row("refused comment", {400, 422}, "{forge} rejects the comment", "change what the message names"),
)
_OTHER = _row("other status", (), "{forge} sent an unexpected response", "check the API URL")


@dataclass(frozen=True, slots=True)
class Refusal:
    """An unsuccessful response. `headers` ignores the case of names. `message` is the forge's own message.

    status: the HTTP status or, for a failed GraphQL query, the equivalent status.
    code: the forge's name for the failure of a GraphQL query, or "" to show the status instead.
    """

    status: int
    headers: Mapping[str, str]
    message: str
    code: str = ""


def failure(forge: Forge, refusal: Refusal) -> ForgeFailure:
    """The failure for an unsuccessful response: Transient if a retry might succeed, or else Refused."""
    status, message = refusal.status, refusal.message
    code = refusal.code or str(status)
    said = f"{code}: {message}" if message else code
    if (wait := rate_limit(refusal)) is not None:
        return Transient(f"{forge.name} limits the rate of requests ({said})", wait)
    if status >= 500 or status == 408:
        return Transient(f"{forge.name} failed ({said})", _retry_after(refusal.headers))
    row = next((each for each in ROWS if each.fits(status, message)), _OTHER)
    names = {
        "forge": forge.name,
        "unauthorized_fix": forge.unauthorized_fix,
        "forbidden_fix": forge.forbidden_fix,
    }
    # The texts of a forge can themselves contain braces, and are therefore not formatted again.
    return Refused(f"{row.cause.format(**names)} ({said}); {row.fix.format(**names)}", status)


def query_refusal(body: Any, headers: Mapping[str, str], message: str) -> Refusal | None:
    """The failure of a GraphQL query whose response has status 200, or None if it succeeded.

    A failure of an unknown type might go away on its own, so it does not count as a missing permission.

    >>> query_refusal({"errors": [{"type": "RATE_LIMITED"}]}, {}, "slow down")
    Refusal(status=429, headers={}, message='slow down', code='RATE_LIMITED')
    >>> query_refusal({"errors": [{"message": "Something went wrong"}]}, {}, "").status
    502
    """
    errors = body.get("errors") if isinstance(body, Mapping) else None
    if not isinstance(errors, list) or not errors:
        return None
    types = [str(each["type"]) for each in errors if isinstance(each, Mapping) and each.get("type")]
    known = next((each for each in _STATUS_OF_TYPE if each in types), None)
    status = _STATUS_OF_TYPE[known] if known else 502
    return Refusal(status, headers, message, known or "200")


def rate_limit(refusal: Refusal) -> timedelta | None:
    """The time to wait if the response reports that a rate limit was reached, or else None.

    GitHub also reports a rate limit with 403. The response then names a time, or its message mentions the
    limit.
    """
    is_limited = refusal.status == 429 or (
        refusal.status == 403
        and (
            "Retry-After" in refusal.headers
            or refusal.headers.get("X-RateLimit-Remaining") == "0"
            or bool(_RATE_LIMIT.search(refusal.message))
        )
    )
    if not is_limited:
        return None
    return _retry_after(refusal.headers) or _until_reset(refusal.headers) or _UNNAMED_WAIT


def _retry_after(headers: Mapping[str, str]) -> timedelta | None:
    """The wait that the Retry-After header asks for, in seconds or until a date, or None."""
    text = headers.get("Retry-After", "").strip()
    if _SECONDS.fullmatch(text):
        return _bounded(int(text))
    date, now = _date(text), _date(headers.get("Date", ""))
    return _bounded(date - now) if date and now else None


def _until_reset(headers: Mapping[str, str]) -> timedelta | None:
    """The time until the rate limit resets, according to the forge, or None if no limit is used up."""
    now = _date(headers.get("Date", ""))
    for prefix in ("X-RateLimit", "RateLimit"):
        reset = headers.get(f"{prefix}-Reset", "").strip()
        if now and headers.get(f"{prefix}-Remaining") == "0" and _SECONDS.fullmatch(reset):
            return _bounded(int(reset) - now)
    return None


def _bounded(seconds: float) -> timedelta:
    return timedelta(seconds=min(max(seconds, _LEAST), _MOST))


def _date(text: str) -> float | None:
    """A date in a header, in seconds since 1970, or None if the text is not a date."""
    try:
        return parsedate_to_datetime(text).timestamp()
    except (ValueError, OverflowError):
        return None


def message_in(body: Any) -> str:
    """The message of a JSON error response, on one line, or "" if there is none.

    >>> message_in({"message": "Validation Failed", "errors": [{"message": "Body is too long"}]})
    'Validation Failed: Body is too long'
    >>> message_in({"message": {"note": ["is too long"]}}), message_in({"error": "insufficient_scope"})
    ('note: is too long', 'insufficient_scope')
    """
    if not isinstance(body, Mapping):
        return ""
    found = [*_texts(body.get("message")), *_texts(body.get("errors")), *_texts(body.get("error"))]
    if not body.get("message"):
        found += _texts(body.get("error_description"))
    return " ".join(": ".join(found).split())


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for each in value:
            yield from _texts(each.get("message") if isinstance(each, Mapping) else each)
    elif isinstance(value, Mapping):
        for name, each in value.items():
            yield ": ".join([str(name), *_texts(each)])
