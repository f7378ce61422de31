"""JSON merge patch (RFC 7396), which requests use to change a resource."""

from __future__ import annotations

from collections.abc import Container, Mapping
from typing import Any


def merge(base: Any, change: Any) -> Any:
    """Apply `change` to `base`: null removes a field, and lists are replaced as a whole.

    Neither argument is modified.

    >>> merge({"a": 1, "b": {"c": 2}}, {"b": {"d": 3}, "a": None})
    {'b': {'c': 2, 'd': 3}}
    """
    if not isinstance(change, Mapping):
        return change
    result = dict(base) if isinstance(base, Mapping) else {}
    for name, value in change.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = merge(result.get(name), value)
    return result


def put_together(base: Any, sent: Any, replaced: Container[str]) -> Any:
    """Apply a PUT to `base`. The parts named in `replaced` are replaced, and all others are merged.

    >>> put_together({"a": {"b": 1, "c": 2}, "d": {"e": 3}}, {"a": {"b": 4}, "d": {}}, {"d"})
    {'a': {'b': 4, 'c': 2}, 'd': {}}
    """
    if not (isinstance(base, Mapping) and isinstance(sent, Mapping)):
        return merge({}, sent)
    result = dict(base)
    for name, value in sent.items():
        if value is None:
            result.pop(name, None)
        else:
            before = None if name in replaced else base.get(name)
            result[name] = put_together(before, value, replaced)
    return result


def without_echo(sent: Any, shown: Any, stored: Any) -> Any:
    """Return `sent` without the values that only repeat what the client was `shown`.

    Such a value is replaced by the `stored` value, or omitted if no value is stored.

    >>> without_echo({"a": 1, "b": 3}, {"a": 1, "b": 2, "c": 4}, {"b": 2})
    {'b': 3}
    """
    if isinstance(sent, Mapping) and isinstance(shown, Mapping):
        base = stored if isinstance(stored, Mapping) else {}
        result = {}
        for name, value in sent.items():
            if name not in base and name in shown and value == shown[name]:
                continue
            result[name] = without_echo(value, shown.get(name), base.get(name))
        return result
    if isinstance(sent, list) and isinstance(shown, list) and isinstance(stored, list):
        if len(sent) == len(shown) == len(stored):
            return [without_echo(*each) for each in zip(sent, shown, stored, strict=True)]
        return sent
    return stored if sent == shown and stored is not None else sent
