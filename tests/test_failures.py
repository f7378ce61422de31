"""The table of failures uses the reasons of the code, and every row names tests that exist."""

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
# Stages of every rollout.
NO_FAILURE = {"ConfirmingHealth", "Baking"}


@cache
def functions(file: Path) -> frozenset[str]:
    """The tests of a file."""
    tree = ast.parse(file.read_text())
    return frozenset(node.name for node in tree.body if isinstance(node, ast.FunctionDef))


def exists(test: str) -> bool:
    """Whether this test exists and, if the row names a case, this case."""
    match = re.fullmatch(r"([\w/]+\.py)::(test_\w+)(?:\[(.+)\])?", test)
    if not match or not (TESTS / match[1]).is_file() or match[2] not in functions(TESTS / match[1]):
        return False
    return match[3] is None or f'id="{match[3]}"' in (TESTS / match[1]).read_text()


@pytest.mark.parametrize("row", ROWS, ids=[row[0] for row in ROWS])
def test_a_row_of_the_table_names_known_reasons_and_existing_tests(row: list[str]) -> None:
    assert len(row) == 5
    assert all(row)
    _, _, seen, _, tested = row
    reasons, tests = re.findall(r"`([^`]+)`", seen), re.findall(r"`([^`]+)`", tested)
    assert reasons
    assert set(reasons) <= {*Reason}
    assert seen == ", ".join(f"`{reason}`" for reason in reasons)
    assert tests
    assert tested == ", ".join(f"`{test}`" for test in tests)
    assert [test for test in tests if not exists(test)] == []


def test_no_row_of_the_table_occurs_twice() -> None:
    assert len({row[0] for row in ROWS}) == len(ROWS)


def test_every_reason_of_a_failure_has_a_row() -> None:
    listed = {reason for row in ROWS for reason in re.findall(r"`([^`]+)`", row[2])}
    assert {*Reason} - listed == NO_FAILURE
