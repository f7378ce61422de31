"""Groups items that a report mentions together."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

T = TypeVar("T")
K = TypeVar("K")

_MOST_MESSAGES = 3  # of one kind; more are told once, in common words


def group_by(items: Iterable[T], key: Callable[[T], K]) -> dict[K, list[T]]:
    """The items, grouped by key, in their original order.

    >>> group_by(["web", "api", "worker"], len)
    {3: ['web', 'api'], 6: ['worker']}
    """
    groups: dict[K, list[T]] = defaultdict(list)
    for each in items:
        groups[key(each)].append(each)
    return dict(groups)


def in_common(messages: Mapping[str, str], cause: str) -> dict[str, tuple[str, ...]]:
    """The names with each message, or all names under `cause` if there are many. `messages` is by name.

    >>> in_common({"web": "too small", "api": "too small"}, "wrong size")
    {'too small': ('web', 'api')}
    >>> in_common({"a": "1", "b": "2", "c": "3", "d": "4"}, "wrong size")
    {'wrong size': ('a', 'b', 'c', 'd')}
    """
    groups = group_by(messages, messages.__getitem__)
    if len(groups) > _MOST_MESSAGES:
        return {cause: tuple(messages)}
    return {message: tuple(names) for message, names in groups.items()}
