"""How a line is compared with the expectation of a test, and what the table of messages may contain."""

from collections import defaultdict

import pytest

from tests import messages
from tests.messages import current_test, says

LINE = "Upgrading: upgrading 1 instance in zone 1 (web_10) to 24.04.1; 2 of 3 instances up to date"


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch) -> dict[str, set[str]]:
    """A table that has the line for this test only."""
    lines = {current_test(): {LINE}}
    monkeypatch.setattr(messages, "table", lines)
    monkeypatch.setattr(messages, "is_written", False)
    monkeypatch.setattr(messages, "seen", defaultdict(set))
    return lines


@pytest.mark.parametrize(
    ("reason", "facts", "is_said"),
    [
        pytest.param("Upgrading", (), True, id="the reason alone"),
        pytest.param("Upgrading", ("2 of 3", "zone 1", "24.04.1"), True, id="facts in any order"),
        pytest.param("Soaking", ("zone 1",), False, id="another reason"),
        pytest.param("Upgrad", (), False, id="the beginning of the reason"),
        pytest.param("Upgrading", ("zone 2",), False, id="a fact that is missing"),
        pytest.param("Upgrading", ("web_1",), False, id="a fact that is the beginning of another"),
        pytest.param("Upgrading", ("4.1",), False, id="a fact that is the end of another"),
    ],
)
def test_a_line_is_compared_by_its_reason_and_its_facts(
    table: dict[str, set[str]], reason: str, facts: tuple[str, ...], is_said: bool
) -> None:
    table[current_test()].add(LINE)
    assert (says(reason, *facts) == LINE) is is_said


def test_a_line_with_other_words_than_in_the_table_is_not_equal(table: dict[str, set[str]]) -> None:
    table[current_test()] = {LINE.replace("upgrading", "bringing")}
    assert says("Upgrading", "zone 1") != LINE


def test_a_line_of_another_test_is_not_equal(table: dict[str, set[str]]) -> None:
    table["another test"] = table.pop(current_test())
    assert says("Upgrading", "zone 1") != LINE


def test_a_table_that_is_written_and_read_is_the_same() -> None:
    lines = {"b.py::test_b[x y]": {"Soaking: b", "Baking: a"}, "a.py::test_a": {LINE}}
    assert messages.read(messages.written(lines)) == lines


@pytest.mark.usefixtures("table")
def test_lines_that_no_test_asserts_any_more_are_found() -> None:
    assert messages.stale({current_test(): {LINE}}) == []
    assert messages.stale({}) == [f"{current_test()}: {LINE}"]
