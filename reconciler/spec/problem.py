"""A validation error and its place: one line with place, field, cause and fix."""

from dataclasses import dataclass

from reconciler.spec.wording import printable, shorten

_LONGEST_PATH = 1000  # characters of a path that a message repeats as a whole


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A position in a spec file. Line and column start at 1. Line 0 means the whole file or directory."""

    file: str
    line: int = 1
    column: int = 1

    def __str__(self) -> str:
        if not self.line:
            return self.file
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One validation error. `field` is the dotted path as users write it, or "" for the whole file."""

    place: Place
    field: str
    message: str

    def __str__(self) -> str:
        """The line that `validate` prints: file:line:column: field: cause and fix."""
        return ": ".join(part for part in (str(self.place), self.field, self.message) if part)


def problem_of(path: str, message: str) -> Problem:
    """A problem with a whole file or directory."""
    shown = printable(path) if len(path) <= _LONGEST_PATH else shorten(path)
    return Problem(Place(shown, 0, 0), "", message)
