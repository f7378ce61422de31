"""Every reason has its advice, and the table in the docs is that of the code."""

from pathlib import Path

from reconciler.azure.failure import Conflict, Refused, Throttled, Unreachable
from reconciler.daemon.advice import ADVICE, table
from reconciler.daemon.outcome import FAILED
from reconciler.rollout.reason import Reason

DOCS = Path(__file__).parents[2] / "docs" / "reasons.md"


def test_every_reason_has_its_advice() -> None:
    assert list(ADVICE) == [*Reason, *FAILED]
    assert {each.reason for each in (Conflict, Refused, Throttled, Unreachable)} < set(FAILED)


def test_the_docs_have_the_table_of_the_code() -> None:
    assert [line for line in DOCS.read_text().splitlines() if line.startswith("|")] == list(table())
