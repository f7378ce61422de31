"""The table of failures is true: its words are those of the code, and every row is held by tests that exist."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from reconciler.rollout.reason import Reason

TESTS = Path(__file__).parent
DOCS = TESTS.parent / "docs"
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in (DOCS / "failures.md").read_text().splitlines()
    if line.startswith("|") and not line.startswith(("|---", "| what happens"))
]
# What every rollout goes through.
NO_FAILURE = {"ConfirmingHealth", "Baking"}


@cache
def functions(file: Path) -> frozenset[str]:
    """The tests of a file."""
    tree = ast.parse(file.read_text())
    return frozenset(node.name for node in tree.body if isinstance(node, ast.FunctionDef))


def exists(test: str) -> bool:
    """Whether there is such a test and, where one of its cases is named, such a case."""
    match = re.fullmatch(r"([\w/]+\.py)::(test_\w+)(?:\[(.+)\])?", test)
    if not match or not (TESTS / match[1]).is_file() or match[2] not in functions(TESTS / match[1]):
        return False
    return match[3] is None or f'id="{match[3]}"' in (TESTS / match[1]).read_text()


@pytest.mark.parametrize("row", ROWS, ids=[row[0] for row in ROWS])
def test_a_row(row: list[str]) -> None:
    assert len(row) == 5
    assert all(row)
    _, _, seen, _, held = row
    words, tests = re.findall(r"`([^`]+)`", seen), re.findall(r"`([^`]+)`", held)
    assert words
    assert set(words) <= {*Reason}
    assert seen == ", ".join(f"`{word}`" for word in words)
    assert tests
    assert held == ", ".join(f"`{test}`" for test in tests)
    assert [test for test in tests if not exists(test)] == []


def test_no_row_stands_twice() -> None:
    assert len({row[0] for row in ROWS}) == len(ROWS)


def test_every_reason_that_is_a_failure_has_its_row() -> None:
    told = {word for row in ROWS for word in re.findall(r"`([^`]+)`", row[2])}
    assert {*Reason} - told == NO_FAILURE
