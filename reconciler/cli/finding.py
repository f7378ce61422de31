"""A line in the output of `reconciler check`."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from reconciler.rollout.wording import join


class Result(StrEnum):
    """The result of a check."""

    OK = "ok"
    FAIL = "FAIL"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check.

    `about` is the subject of the check, or "" if that is obvious. `found` says what was found, and how to fix
    any problem.
    """

    check: str
    result: Result
    about: str
    found: str

    def __str__(self) -> str:
        about = f"{self.about}: " if self.about else ""
        return f"{self.result:<8}{self.check:<13}{about}{self.found}"


def alike(check: str, each: Iterable[tuple[str, Result, str]]) -> Iterator[Finding]:
    """One finding for all scale sets with the same result and text. `each` has names, results and texts.

    >>> print(*alike("scale set", [("web", Result.OK, "fine"), ("api", Result.OK, "fine")]))
    ok      scale set    web, api: fine
    """
    names: dict[tuple[Result, str], list[str]] = {}
    for name, result, found in each:
        names.setdefault((result, found), []).append(name)
    for (result, found), together in names.items():
        yield Finding(check, result, join(together), found)
