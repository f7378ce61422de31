"""A validation error and its place: one line with place, field, cause and fix.

specs/web.yaml:12:5: spec.image.platform.version is missing: add version: "24.04.202601140"
specs/web.txt is not a spec file: the name must end in .yaml or .yml
"""

from dataclasses import dataclass

from reconciler.spec.field import Field, dotted_path
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
    """One validation error.

    `field` is the dotted path as users write it, or "" if the error concerns no field.
    The message continues the sentence that begins with the field ("is missing"), or with the path if the
    error concerns a whole file. Otherwise it is a complete sentence.
    """

    place: Place
    field: str
    message: str

    @property
    def text(self) -> str:
        """The problem in words. The place is left out, except for the path of a whole file."""
        subject = self.field if self.place.line else self.place.file
        return f"{subject} {self.message}" if subject else self.message

    def __str__(self) -> str:
        """The line that `validate` prints: file:line:column: what is wrong with the field, and the fix."""
        return f"{self.place}: {self.text}" if self.place.line else self.text


def problem_at(place: Place, field: Field, message: str) -> Problem:
    """A problem with a field, or with the whole document if the field is ()."""
    return Problem(place, dotted_path(field), message if field else f"the document {message}")


def problem_of(path: str, message: str) -> Problem:
    """A problem with a whole file or directory."""
    shown = printable(path) if len(path) <= _LONGEST_PATH else shorten(path)
    return Problem(Place(shown, 0, 0), "", message)
