"""Recorded traffic on disk: a directory of JSON files, each a list of interactions.

    {"n": 7, "request": {"method", "path", "query", "body"}, "response": {"status", "headers", "body"}}

`query` is a mapping or its text. An entry without a request is a bare resource and is omitted. An entry that
names a `cassette` comes from that one.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl


@dataclass(frozen=True, slots=True)
class Interaction:
    """One request and the recorded response. `number` is its position in the original cassette."""

    number: int
    method: str
    path: str
    query: Mapping[str, str]
    sent: Any
    status: int
    headers: Mapping[str, str]
    answer: Any

    def __str__(self) -> str:
        return f"#{self.number} {self.method} {self.path}"


@dataclass(frozen=True, slots=True)
class Cassette:
    name: str
    interactions: tuple[Interaction, ...]


def read_cassettes(directory: Path) -> Iterator[Cassette]:
    """Return the cassettes in a directory, by name."""
    for file in sorted(directory.glob("*.json")):
        parts: dict[str, list[Interaction]] = {}
        for entry in json.loads(file.read_text(encoding="utf-8")):
            if "request" in entry:
                parts.setdefault(entry.get("cassette", file.stem), []).append(_interaction(entry))
        for name, interactions in parts.items():
            yield Cassette(name, tuple(interactions))


def _interaction(entry: Mapping[str, Any]) -> Interaction:
    request, response = entry["request"], entry["response"]
    query = request.get("query") or {}
    return Interaction(
        number=entry["n"],
        method=request["method"],
        path=request["path"],
        query=dict(parse_qsl(query, keep_blank_values=True)) if isinstance(query, str) else query,
        sent=request.get("body"),
        status=response["status"],
        headers={name.lower(): value for name, value in (response.get("headers") or {}).items()},
        answer=response.get("body"),
    )
