"""The table of reasons is complete, and there is no other list of reasons."""

import ast
from pathlib import Path

import pytest

from reconciler.azure.failure import (
    AzureFailure,
    Conflict,
    MalformedResponse,
    NotLeading,
    Refused,
    TooManyRequests,
    Unreachable,
)
from reconciler.rollout.reason import TABLE, Reason, reason_rows, reasons_where

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs" / "reasons.md"
SOURCES = sorted((ROOT / "reconciler").rglob("*.py"))


def test_every_reason_has_a_row() -> None:
    assert list(TABLE) == [*Reason]


def test_the_docs_have_the_table_of_the_code() -> None:
    assert [line for line in DOCS.read_text().splitlines() if line.startswith("|")] == list(reason_rows())


def test_every_failure_of_a_call_has_its_reason() -> None:
    failures = (AzureFailure, Conflict, MalformedResponse, NotLeading, Refused, TooManyRequests, Unreachable)
    assert {each.reason for each in failures} == reasons_where(lambda meaning: meaning.is_error)


@pytest.mark.parametrize("source", SOURCES, ids=lambda each: str(each.relative_to(ROOT)))
def test_a_module_has_no_list_of_reasons(source: Path) -> None:
    """Only `rollout/reason.py` may have a set, a list or a table of several reasons."""
    if source.match("rollout/reason.py"):
        return
    lists = [
        node.lineno
        for node in ast.walk(ast.parse(source.read_text()))
        if isinstance(node, ast.Set | ast.List | ast.Tuple | ast.Dict) and len(list(_reasons(node))) > 1
    ]
    assert lists == []


def _reasons(node: ast.AST) -> list[object]:
    """Members of Reason among its elements or keys."""
    inside = node.keys if isinstance(node, ast.Dict) else getattr(node, "elts", [])
    return [each for each in inside if _is_reason(each)]


def _is_reason(node: object) -> bool:
    return isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "Reason"
