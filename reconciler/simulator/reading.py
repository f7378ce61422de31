"""Reads the YAML of a fleet file with the YAML reader for specs.

The reader rejects duplicate keys, and reports all errors with line and column. Only this module and
`declared` import code from outside the simulator. Reading YAML has nothing to do with Azure's behaviour, so
the simulator still shares no mistake about Azure with the code that it tests.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reconciler.simulator.declared import FieldError, FleetError, name_of
from reconciler.spec.document import Document, document
from reconciler.spec.files import File
from reconciler.spec.problem import Problem
from reconciler.spec.text import text_of
from reconciler.spec.tree import trees

_EMPTY = "the file is empty: write `scaleSets:` with a scale set below it, or `scaleSets: []` for none"


@dataclass(frozen=True, slots=True)
class FleetFile:
    """The part of a fleet file that can be read. `problems` are the YAML errors in the file."""

    document: Document | None
    problems: tuple[Problem, ...]

    @property
    def value(self) -> Mapping[str, Any]:
        """The content of the file, or {} if it cannot be read as a mapping."""
        value = self.document.value if self.document else None
        return value if isinstance(value, dict) else {}

    def locate(self, errors: Iterable[FieldError]) -> list[str]:
        """Return these errors and the YAML errors, with line and column, sorted by position in the file."""
        return [str(each) for each in sorted({*self.problems, *map(self._problem, errors)})]

    def _problem(self, error: FieldError) -> Problem:
        assert self.document is not None  # noqa: S101 - a file that was not read has no such errors
        location = error.location
        while location not in self.document.values:
            location = location[:-1]
        return Problem(self.document.key(location), name_of(error.location, self.value), error.message)


def read(path: str | Path) -> FleetFile:
    """Read the file. Raises FleetError if the file cannot be opened."""
    try:
        content = Path(path).read_bytes()
    except OSError as problem:
        raise FleetError(f"{path}: {problem.strerror}; pass a fleet file that can be read") from problem
    text = text_of(File(str(path), content))
    if isinstance(text, Problem):
        return FleetFile(None, (text,))
    found = trees(text, str(path), empty=_EMPTY)
    problems = list(found.problems)
    for extra in found.documents[1:]:
        problems.append(
            Problem(extra.root.place, "", "a fleet file has only one document: remove this one and its ---")
        )
    if not found.documents:
        return FleetFile(None, tuple(problems))
    first = document(found.documents[0].root)
    if not isinstance(first.value, dict):
        problems.append(
            Problem(
                first.place,
                "",
                f"{first.value!r} is not a mapping: write `name: value` lines",
            )
        )
    return FleetFile(first, tuple(problems))
