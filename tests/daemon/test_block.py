"""Totals over a row of values in blocks: the same as over all values, and which values are visited for them."""

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.daemon.block import Block, Question
from tests.build import NOW

ROWS = st.lists(st.text("abc", max_size=2), min_size=1, max_size=600)


@given(ROWS, st.data())
def test_a_total_is_that_of_the_values_in_order(row: list[str], data: st.DataObject) -> None:
    """Before a change, after it, and of any part."""
    block, index = Block.of(row), data.draw(st.integers(0, len(row) - 1))
    question: Question[str, str] = Question("", str.upper)
    assert block.total(question) == "".join(row).upper()
    row[index], block = "new", block.with_value(index, "new")
    start, stop = data.draw(st.integers(0, len(row))), data.draw(st.integers(0, len(row)))
    assert block.total(question) == "".join(row).upper()
    assert block.total_between(question, start, stop) == "".join(row[start:stop]).upper()
    assert (list(block), [block.value(each) for each in range(len(row))]) == (row, row)


@pytest.mark.parametrize(
    ("size", "most"),
    [
        pytest.param(8, 8, id="one block"),
        pytest.param(64, 8, id="two levels"),
        pytest.param(4096, 8, id="four levels"),
    ],
)
def test_after_a_change_only_the_values_of_its_block_are_measured_again(size: int, most: int) -> None:
    measured: list[int] = []

    def measure(value: int) -> int:
        measured.append(value)
        return value

    question: Question[int, int] = Question(0, measure)
    block = Block.of(range(size))
    block.total(question)
    assert len(measured) == size
    measured.clear()
    block = block.with_value(5, 50)
    assert block.total(question) == sum(range(size)) + 45
    assert len(measured) <= most
    block.total(question)
    assert len(measured) <= most


class Rung:
    """One bell, once it rings."""

    def __init__(self, number: int, until: datetime | None) -> None:
        self.number, self.until = number, until

    def __add__(self, other: "Rung") -> "Rung":
        return Rung(self.number + other.number, min(filter(None, (self.until, other.until)), default=None))


def rung(bell: datetime, at: datetime) -> Rung:
    return Rung(1, None) if at >= bell else Rung(0, bell)


@given(st.lists(st.integers(0, 50), min_size=1, max_size=40), st.lists(st.integers(0, 60), max_size=10))
def test_a_total_that_time_changes_is_that_of_the_moment(bells: list[int], moments: list[int]) -> None:
    """In whichever order the moments come, as two threads may ask."""
    block = Block.of([NOW + timedelta(minutes=bell) for bell in bells])
    for moment in moments:
        question: Question[datetime, Rung] = Question(Rung(0, None), rung, at=NOW + timedelta(minutes=moment))
        assert block.total(question).number == sum(bell <= moment for bell in bells)
