"""Reads typed fields of a JSON object from Azure. Pure.

A field that is absent or null has the default of its type. A field of the wrong type makes the response
malformed, because a guess at its meaning could be wrong.
"""

import reprlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, TypeVar

from azure.core.exceptions import AzureError

from reconciler.azure.clock import is_plausible
from reconciler.azure.failure import AzureFailure, MalformedResponse
from reconciler.spec.wording import one_line, printable

Json = Mapping[str, Any]
Value = TypeVar("Value")
Default = TypeVar("Default")

_LONGEST_EXCERPT = 80  # characters of an invalid value in a message
_LARGEST = 2**63 - 1  # the largest 64-bit integer; a larger number could overflow


@contextmanager
def only_malformed(what: str) -> Iterator[None]:
    """Convert any error that occurs while reading `what` to MalformedResponse.

    An unexpected value in one entry of a list must not prevent other entries from being read. Request errors
    are not converted: they are AzureFailures already, or become AzureFailures in `Session.call`.
    """
    try:
        yield
    except (AzureFailure, AzureError, OSError):
        raise
    except Exception as error:
        raise MalformedResponse(f"Azure sent {what} that cannot be read ({type(error).__name__})") from error


def time_in(body: Json, key: str) -> datetime | None:
    return moment(text_in(body, key))


def moment(text: str) -> datetime | None:
    """The time in `text`, or None if `text` is not a valid time. A time without an offset is in UTC.

    >>> print(moment("2026-01-05T09:00:00Z"), moment("0001-01-01T00:00:00Z"))
    2026-01-05 09:00:00+00:00 None
    """
    try:
        found = datetime.fromisoformat(text) if text else None
    except ValueError:
        return None
    if found is None or not is_plausible(found):
        return None
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found


def object_from(value: object, what: str) -> Json:
    """`value` itself, if it is a JSON object. Otherwise raises MalformedResponse, which names `what`."""
    if not isinstance(value, Mapping):
        raise MalformedResponse(f"Azure sent {what} that is not a JSON object ({_excerpt(value)})")
    return value


def required_in(body: Json, key: str) -> Json:
    """A mandatory object. Raises MalformedResponse if it is absent or of the wrong type."""
    if body.get(key) is None:
        raise MalformedResponse(f"Azure sent {text_in(body, 'name') or 'a resource'} without its {key}")
    return mapping_in(body, key)


def identifier_in(body: Json, key: str) -> str:
    """Mandatory text that identifies the resource. Raises MalformedResponse if it is absent or empty."""
    if text := text_in(body, key):
        return text
    raise MalformedResponse(f"Azure sent a resource without its {key}")


def mapping_in(body: Json, key: str) -> Json:
    value = body.get(key)
    if value is not None and not isinstance(value, Mapping):
        raise _misfit(key, value)
    return value or {}


def text_in(body: Json, key: str) -> str:
    """Text for a message or a comparison, escaped if it is not printable."""
    return printable(_of_type(body, key, str, ""))


def line_in(body: Json, key: str) -> str:
    """A message as one line, even if Azure sent several lines."""
    return one_line(_of_type(body, key, str, ""))


def raw_text_in(body: Json, key: str) -> str:
    """Text exactly as Azure sent it."""
    return _of_type(body, key, str, "")


def list_in(body: Json, key: str) -> Sequence[Any]:
    return _of_type(body, key, list, ())


def objects_in(body: Json, key: str) -> list[Json]:
    """The objects of a list, without null entries."""
    return [object_from(each, f"an entry of {key}") for each in list_in(body, key) if each is not None]


def flag_in(body: Json, key: str) -> bool:
    return known_flag_in(body, key) or False


def known_flag_in(body: Json, key: str) -> bool | None:
    """The flag, or None if Azure does not report it."""
    return _of_type(body, key, bool, None)


def number_in(body: Json, key: str) -> int | None:
    value = body.get(key)
    if isinstance(value, bool):
        raise _misfit(key, value)
    if isinstance(value, int) and abs(value) > _LARGEST:
        raise _misfit(key, value, "an invalid value")
    return _of_type(body, key, int, None)


def _of_type(body: Json, key: str, sort: type[Value], default: Default) -> Value | Default:
    """The value of a field, or `default` if absent or null. Raises MalformedResponse for another type."""
    value = body.get(key)
    if value is None:
        return default
    if not isinstance(value, sort):
        raise _misfit(key, value)
    return value


def _misfit(key: str, value: object, what: str = "a value of the wrong type") -> MalformedResponse:
    return MalformedResponse(f"Azure sent {what} in the field {key} ({_excerpt(value)})")


def _excerpt(value: object) -> str:
    try:
        text = reprlib.repr(value)
    except ValueError:  # a number with more digits than Python prints
        text = type(value).__name__
    return text if len(text) <= _LONGEST_EXCERPT else f"{text[:_LONGEST_EXCERPT]}…"
