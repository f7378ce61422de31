"""A mistake in a spec, and where it stands: one line that says place, field, cause and mend."""

from dataclasses import dataclass

from reconciler.spec.wording import printable


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A spot in a spec file; line and column count from 1. Line 0 is the file or directory as a whole."""

    file: str
    line: int = 1
    column: int = 1

    def __str__(self) -> str:
        if not self.line:
            return self.file
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One mistake. `field` is the dotted path as the user writes it, "" where the whole file is meant."""

    place: Place
    field: str
    message: str

    def __str__(self) -> str:
        """The line that validate prints: file:line:column: field: what is wrong and how to mend it."""
        return ": ".join(part for part in (str(self.place), self.field, self.message) if part)


def problem_of(path: str, message: str) -> Problem:
    """A problem of a file or directory as a whole."""
    return Problem(Place(printable(path), 0, 0), "", message)
