"""Lists of instances and domains for one line of text, however large the scale set; and moments."""

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import TypeVar

from reconciler.rollout.health import ailment
from reconciler.rollout.observed import Instance

T = TypeVar("T")

_MOST = 4


def join(names: Iterable[str]) -> str:
    """The first few names, and how many more there are.

    >>> join(["a", "b", "c", "d", "e", "f"])
    'a, b, c, d and 2 more'
    """
    return join_first(list(names), str)


def join_first(every: Sequence[T], name: Callable[[T], str]) -> str:
    """The same, of which only those that are shown are given a name."""
    more = f" and {len(every) - _MOST} more" if len(every) > _MOST else ""
    return ", ".join(map(name, every[:_MOST])) + more


def describe(instances: Iterable[Instance]) -> str:
    """Each by name, with what is wrong with it."""
    return join(f"{each.name} ({ailment(each)})" for each in instances)


def moment(at: datetime) -> str:
    """
    >>> moment(datetime(2026, 1, 31, 18, 0, tzinfo=UTC))
    '2026-01-31 18:00 UTC'
    """
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
