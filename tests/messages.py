"""The lines about a scale set: tests assert the reason and the facts, and one table has the words.

    assert decision.line == says("Upgrading", "zone 1", "web_0", "0 of 3")

compares the reason, finds each fact in the line in any order, and looks up the whole line in `messages.txt` under
the name of the test. After an intended change of words, `make messages` rewrites that table, and a reviewer reads its
diff. A run of the whole suite also fails on lines that no test asserts any more.
"""

import os
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

TABLE = Path(__file__).parent / "messages.txt"
_INDENT = 4
_TEST = "PYTEST_CURRENT_TEST"  # set by pytest while a test runs

# Stories under other conditions (`make stories`) have the same reasons in other words.
_IS_VARIANT = "STORIES_DURING_UPGRADE" in os.environ

# The lines that each test has asserted in this process.
seen: dict[str, set[str]] = defaultdict(set)


@dataclass(frozen=True, eq=False)
class Says:
    """A line with this reason that names each of these facts, in the words of the table."""

    reason: str
    facts: tuple[str, ...]

    __hash__ = None  # type: ignore[assignment]  # equal to many lines

    def __eq__(self, line: object) -> bool:
        if not isinstance(line, str) or not self._is_said_by(line):
            return False
        test = current_test()
        seen[test].add(line)
        return is_written or _IS_VARIANT or line in table.get(test, ())

    def and_names(self, *facts: str) -> "Says":
        """A line that names these facts too."""
        return replace(self, facts=(*self.facts, *facts))

    def _is_said_by(self, line: str) -> bool:
        reason, _, message = line.partition(": ")
        return reason == self.reason and all(_names(message, fact) for fact in self.facts)

    def __repr__(self) -> str:
        written = "".join(
            f"\n  {line}" for line in sorted(table.get(current_test(), ()) if _TEST in os.environ else ())
        )
        return f"says({', '.join(map(repr, (self.reason, *self.facts)))}){written}"


def says(reason: str, *facts: object) -> Any:
    """The expected line. The type is Any because mypy refuses to compare a str with another type in a tuple."""
    return Says(reason, tuple(map(str, facts)))


def current_test() -> str:
    """The name of the current test in the table: "rollout/test_drift.py::test_a_note[none]"."""
    return os.environ[_TEST].rpartition(" ")[0].removeprefix("tests/")


def read(text: str) -> dict[str, set[str]]:
    """The lines of a table by their test."""
    found: dict[str, set[str]] = defaultdict(set)
    test = ""
    for line in text.splitlines():
        if line.startswith(" "):
            found[test].add(line.strip())
        elif line:
            test = line
    return found


def written(lines: dict[str, set[str]]) -> str:
    """A table in the order of its tests."""
    return "\n".join(
        "".join(f"{each}\n" for each in (test, *(f"{' ' * _INDENT}{line}" for line in sorted(said))))
        for test, said in sorted(lines.items())
        if said
    )


def stale(lines: Mapping[str, Iterable[str]]) -> list[str]:
    """The lines of the table that no test asserted in a run with these `lines`."""
    return [
        f"{test}: {line}" for test, said in table.items() for line in sorted(said - set(lines.get(test, ())))
    ]


def _names(message: str, fact: str) -> bool:
    """Whether the message contains the fact as a whole word: web_1 is not web_10."""
    return re.search(rf"(?<![\w.]){re.escape(fact)}(?!\w)", message) is not None


is_written = False
table = read(TABLE.read_text()) if TABLE.exists() else {}
