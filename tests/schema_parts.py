"""The parts of a JSON Schema, for tests of each part."""

from collections.abc import Iterator
from typing import Any


def parts(part: dict[str, Any], name: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every schema within the schema that describes a value, by its path."""
    yield name, part
    for key in ("properties", "$defs"):
        for inner, below in part.get(key, {}).items():
            yield from parts(below, f"{name}.{inner}")
    for key in ("additionalProperties", "items"):
        if isinstance(part.get(key), dict):
            yield from parts(part[key], f"{name}.*")
