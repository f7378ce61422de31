"""Writes a fleet as the text of a fleet file. Pure."""

from collections.abc import Iterator, Mapping
from typing import Any

from reconciler.spec.scalar import scalar_text

Json = Mapping[str, Any]


def fleet_file_text(fleet: Json, comment: str) -> str:
    """The text of the file, with `comment` on its first line.

    Each image and each instance has its own line.
    """
    return "\n".join((f"# {comment}", *_lines(fleet), ""))


def _lines(fleet: Json) -> Iterator[str]:
    for name, value in fleet.items():
        if name == "images":
            yield from ("images:", *(f"  {line}" for line in _fields(value)))
        elif name == "scaleSets":
            yield "scaleSets:" if value else "scaleSets: []"
            for each in value:
                first, *rest = _fields(each)
                yield from (f"  - {first}", *(f"    {line}" for line in rest))
        else:
            yield from _fields({name: value})


def _fields(value: Json) -> Iterator[str]:
    """The lines of a mapping: one for each field, and one for each mapping in a list of mappings."""
    for name, below in value.items():
        if isinstance(below, list) and below and isinstance(below[0], dict):
            yield f"{scalar_text(name)}:"
            yield from (f"  - {_flow(each)}" for each in below)
        else:
            yield f"{scalar_text(name)}: {_flow(below)}"


def _flow(value: Any) -> str:
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{scalar_text(name)}: {_flow(below)}' for name, below in value.items())}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(_flow, value))}]"
    return scalar_text(value)
