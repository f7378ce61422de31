"""Fields of a JSON object that Azure sent, each of the type that is expected.

A field that is absent or null has its default. One of another type makes the answer malformed: to guess would
be to act on what nobody said. Pure.
"""

import reprlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, TypeVar

from azure.core.exceptions import AzureError

from reconciler.azure.clock import is_plausible
from reconciler.azure.failure import AzureFailure, MalformedResponse

Json = Mapping[str, Any]
Value = TypeVar("Value")
Default = TypeVar("Default")

_LONGEST_EXCERPT = 80  # characters of a value that makes no sense, in a message
_LARGEST = 2**63 - 1  # what fits a number of Azure's; one beyond it overflows once it is reckoned with


@contextmanager
def only_malformed(what: str) -> Iterator[None]:
    """Make whatever is raised while `what` is read the failure of `what` alone. Raises Malformed.

    Nobody foresees everything that a document may hold, and one row must not stop the others of its list.
    A request that fails in between is a failure already, or becomes one in `Session.call`.
    """
    try:
        yield
    except (AzureFailure, AzureError, OSError):
        raise
    except Exception as error:
        raise MalformedResponse(f"Azure sent {what} that cannot be read: {type(error).__name__}") from error


def time_in(body: Json, key: str) -> datetime | None:
    return moment(text_in(body, key))


def moment(text: str) -> datetime | None:
    """The moment that a text names, in UTC unless it says otherwise; None if it names none.

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
    """`value`, which is to be a JSON object; `what` names it in the error."""
    if not isinstance(value, Mapping):
        raise MalformedResponse(f"Azure sent {what} that is not a JSON object: {_excerpt(value)}")
    return value


def required_in(body: Json, key: str) -> Json:
    """An object without which the answer makes no sense."""
    if body.get(key) is None:
        raise MalformedResponse(f"Azure sent {text_in(body, 'name') or 'a resource'} without its {key}")
    return mapping_in(body, key)


def identifier_in(body: Json, key: str) -> str:
    """A text without which nobody can say what the answer is about."""
    if text := text_in(body, key):
        return text
    raise MalformedResponse(f"Azure sent a resource without its {key}")


def mapping_in(body: Json, key: str) -> Json:
    value = body.get(key)
    if value is not None and not isinstance(value, Mapping):
        raise _misfit(key, value)
    return value or {}


def text_in(body: Json, key: str) -> str:
    return _of_type(body, key, str, "")


def list_in(body: Json, key: str) -> Sequence[Any]:
    return _of_type(body, key, list, ())


def objects_in(body: Json, key: str) -> list[Json]:
    """The objects of a list; a null among them says nothing."""
    return [object_from(each, f"an entry of {key}") for each in list_in(body, key) if each is not None]


def flag_in(body: Json, key: str) -> bool:
    return known_flag_in(body, key) or False


def known_flag_in(body: Json, key: str) -> bool | None:
    """None where Azure does not say."""
    return _of_type(body, key, bool, None)


def number_in(body: Json, key: str) -> int | None:
    value = body.get(key)
    if isinstance(value, bool) or (isinstance(value, int) and abs(value) > _LARGEST):
        raise _misfit(key, value)
    return _of_type(body, key, int, None)


def _of_type(body: Json, key: str, sort: type[Value], default: Default) -> Value | Default:
    """The value of a field, `default` where it is absent or null. Raises Malformed for another type."""
    value = body.get(key)
    if value is None:
        return default
    if not isinstance(value, sort):
        raise _misfit(key, value)
    return value


def _misfit(key: str, value: object) -> MalformedResponse:
    return MalformedResponse(f"Azure sent a field {key} of an unexpected type: {_excerpt(value)}")


def _excerpt(value: object) -> str:
    try:
        text = reprlib.repr(value)
    except ValueError:  # a number of more digits than Python writes out
        text = type(value).__name__
    return text if len(text) <= _LONGEST_EXCERPT else f"{text[:_LONGEST_EXCERPT]}…"
