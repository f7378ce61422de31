"""A small language for the expected form of JSON, and a function that lists the differences.

A type matches its values, a pattern matches texts, and `...` matches anything. A mapping names every field
that must exist ("name?" for an optional one). `[shape]` is a list of one or more such items; other lists are
compared entry by entry. Every other value matches itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)")
ETAG = re.compile(r'"\d+"')


def differences(shape: Any, found: Any, at: str = "") -> list[str]:
    """Return one line for each location where `found` does not match the shape."""
    return list(_differences(shape, found, at))


def _differences(shape: Any, found: Any, at: str) -> Iterator[str]:
    if isinstance(shape, Mapping) and isinstance(found, Mapping):
        yield from _of_fields(shape, found, at)
    elif isinstance(shape, list) and isinstance(found, list):
        shapes = shape * max(1, len(found)) if len(shape) == 1 else shape
        if len(shapes) != len(found):
            yield f"{at}: {len(found)} entries, not {len(shapes)}"
        for number, (each, value) in enumerate(zip(shapes, found, strict=False)):
            yield from _differences(each, value, f"{at}[{number}]")
    elif not _is(shape, found):
        yield f"{at}: {found!r} is not {shape!r}"


def _of_fields(shape: Mapping[str, Any], found: Mapping[str, Any], at: str) -> Iterator[str]:
    known = {name.rstrip("?"): each for name, each in shape.items()}
    for name in shape:
        if not name.endswith("?") and name not in found:
            yield f"{at}.{name} is missing"
    for name, value in found.items():
        if name in known:
            yield from _differences(known[name], value, f"{at}.{name}")
        else:
            yield f"{at}.{name} is there: {value!r}"


def _is(shape: Any, found: Any) -> bool:
    if shape is ...:
        return True
    if isinstance(shape, type):
        return isinstance(found, shape) and (shape is bool or not isinstance(found, bool))
    if isinstance(shape, re.Pattern):
        return isinstance(found, str) and shape.fullmatch(found) is not None
    return bool(shape == found) and type(shape) is type(found)
