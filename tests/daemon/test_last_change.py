"""Who changed a model last, as a sentence."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import NoReturn

import pytest

from reconciler.azure.activity_log import LastWrite, ModelWrite, PartialSearch, RightMissing
from reconciler.daemon.last_change import last_change

WRITE = "Microsoft.Compute/virtualMachineScaleSets/write"
FOUND = ModelWrite("ada@example.com", datetime(2026, 1, 5, 9, tzinfo=UTC), WRITE, "Succeeded", "c-1", False)
END = f"at 2026-01-05 09:00 UTC: {WRITE}, Succeeded"


@pytest.mark.parametrize(
    ("found", "reader", "message"),
    [
        pytest.param(FOUND, "this daemon", f"by ada@example.com, not this daemon, {END}", id="somebody else"),
        pytest.param(
            replace(FOUND, by="f81d", is_own=True), "this daemon", f"by this daemon (f81d), {END}", id="we"
        ),
        pytest.param(replace(FOUND, is_own=True), "you", f"by you (ada@example.com), {END}", id="the reader"),
        pytest.param(replace(FOUND, is_own=None), "you", f"by ada@example.com, {END}", id="unknown whose"),
        pytest.param(
            replace(FOUND, by=""), "you", f"by an unnamed caller, not you, {END}", id="without a name"
        ),
        pytest.param(None, "you", "by nobody within 89 days, according to the activity log", id="no change"),
        pytest.param(
            PartialSearch(1000, datetime(2026, 1, 5, 9, tzinfo=UTC)),
            "you",
            "unknown: no write among the newest 1,000 events of the activity log, back to 2026-01-05 09:00 UTC",
            id="a log with more events than are read",
        ),
    ],
)
def test_a_change_is_one_sentence(found: LastWrite, reader: str, message: str) -> None:
    assert last_change(lambda: found, reader)["message"] == message


def test_a_change_is_data_too() -> None:
    assert {
        name: value for name, value in last_change(lambda: FOUND, "you").items() if name != "message"
    } == {
        "by": "ada@example.com",
        "at": "2026-01-05T09:00:00+00:00",
        "operation": WRITE,
        "status": "Succeeded",
        "correlationId": "c-1",
        "isOwn": False,
    }


def test_a_failure_is_a_sentence_and_no_error() -> None:
    def read() -> NoReturn:
        raise RightMissing

    assert last_change(read, "you") == {
        **dict.fromkeys(("by", "at", "operation", "status", "correlationId", "isOwn")),
        "message": "unknown: the role lacks Microsoft.Insights/eventtypes/values/read",
    }
