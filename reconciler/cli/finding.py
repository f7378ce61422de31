"""One line of `reconciler check`."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from reconciler.rollout.wording import join


class Result(StrEnum):
    """How a check came out."""

    OK = "ok"
    FAIL = "FAIL"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Finding:
    """Which check, about what ("" where that is plain), and what was found, with the mend."""

    check: str
    result: Result
    about: str
    found: str

    def __str__(self) -> str:
        about = f"{self.about}: " if self.about else ""
        return f"{self.result:<8}{self.check:<13}{about}{self.found}"


def alike(check: str, each: Iterable[tuple[str, Result, str]]) -> Iterator[Finding]:
    """One finding for all scale sets of which the same is to be said, given by name: a thousand are one line.

    >>> print(*alike("scale set", [("web", Result.OK, "fine"), ("api", Result.OK, "fine")]))
    ok      scale set    web, api: fine
    """
    names: dict[tuple[Result, str], list[str]] = {}
    for name, result, found in each:
        names.setdefault((result, found), []).append(name)
    for (result, found), together in names.items():
        yield Finding(check, result, join(together), found)
