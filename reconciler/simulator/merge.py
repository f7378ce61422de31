"""JSON merge patch (RFC 7396), the way the wire changes a resource."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def merged(base: Any, change: Any) -> Any:
    """`base` with `change` in it: null removes, lists are replaced whole. Neither argument is changed.

    >>> merged({"a": 1, "b": {"c": 2}}, {"b": {"d": 3}, "a": None})
    {'b': {'c': 2, 'd': 3}}
    """
    if not isinstance(change, Mapping):
        return change
    result = dict(base) if isinstance(base, Mapping) else {}
    for name, value in change.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = merged(result.get(name), value)
    return result
