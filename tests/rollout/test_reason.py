"""What follows from a reason, and the table of them for people."""

from itertools import islice

import pytest

from reconciler.rollout.reason import Meaning, Reason, Status, meaning_of, reason_rows, reasons_where


@pytest.mark.parametrize(
    ("status", "settled"),
    [
        pytest.param(Status.READY, True, id="it is as declared"),
        pytest.param(Status.RECONCILING, False, id="it is on its way"),
        pytest.param(Status.WAITING, False, id="a gate opens by itself"),
        pytest.param(Status.FAILING, False, id="it goes on once the cause is gone"),
        pytest.param(Status.STALLED, True, id="a person has to act"),
        pytest.param(Status.SUSPENDED, True, id="a person has to resume it"),
    ],
)
def test_settled_is_what_does_not_change_by_itself(status: Status, *, settled: bool) -> None:
    assert status.settled is settled


@pytest.mark.parametrize(
    ("word", "meaning"),
    [
        pytest.param("UpToDate", Reason.UP_TO_DATE.meaning, id="a reason of this version"),
        pytest.param("Unheard", None, id="a reason of another version"),
    ],
)
def test_what_a_word_means(word: str, meaning: Meaning | None) -> None:
    assert meaning_of(word) is meaning


def test_reasons_are_found_by_what_they_mean() -> None:
    assert reasons_where(lambda meaning: meaning.is_pause) == {Reason.BAKING, Reason.SOAKING}


def test_the_table_begins_with_its_header_and_has_a_row_of_each_reason() -> None:
    assert list(islice(reason_rows(), 3)) == [
        "| you see | status | because | what happens next |",
        "|---|---|---|---|",
        "| `UpToDate` | Ready | every instance runs the declared image | nothing to do |",
    ]
    assert [row.split("`")[1] for row in islice(reason_rows(), 2, None)] == list(Reason)


@pytest.mark.parametrize(
    "row",
    [
        pytest.param("| `Conflict` | Reconciling, Failing after 5m | another writer", id="a wait"),
        pytest.param("| `UpToDate` | Ready | every", id="no wait"),
        pytest.param("| `OutsideWindow` | Waiting | no", id="a gate, which may last"),
    ],
)
def test_the_table_for_users_says_after_how_long_a_wait_is_failing(row: str) -> None:
    assert [each for each in reason_rows() if each.startswith(row)]


@pytest.mark.parametrize(
    ("status", "is_alarming"),
    [
        pytest.param(Status.READY, False, id="it is as declared"),
        pytest.param(Status.RECONCILING, False, id="it is on its way"),
        pytest.param(Status.FAILING, True, id="it goes on once the cause is gone"),
        pytest.param(Status.STALLED, True, id="a person has to act"),
        pytest.param(Status.SUSPENDED, False, id="a person has suspended it"),
    ],
)
def test_what_alarms_is_what_fails_or_stalls(status: Status, *, is_alarming: bool) -> None:
    assert status.is_alarming is is_alarming
