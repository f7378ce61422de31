"""Groups items that a report mentions together."""

from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import TypeVar

T = TypeVar("T")
K = TypeVar("K")


def group_by(items: Iterable[T], key: Callable[[T], K]) -> dict[K, list[T]]:
    """The items, grouped by key, in their original order.

    >>> group_by(["web", "api", "worker"], len)
    {3: ['web', 'api'], 6: ['worker']}
    """
    groups: dict[K, list[T]] = defaultdict(list)
    for each in items:
        groups[key(each)].append(each)
    return dict(groups)
