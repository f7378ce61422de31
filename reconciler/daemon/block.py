"""A row of values with cached totals, most of which survive a change of one value.

Values are grouped in blocks, and these blocks in larger blocks. Each block caches the totals that were
computed for it. A block never changes: changing a value creates new blocks around it, and all other blocks
are shared.

    a change among 4,096 values: 4 new blocks; the next total visits 32 parts instead of 4,096 values
"""

from collections.abc import Callable, Hashable, Iterator, Sequence
from datetime import datetime
from typing import Any, Generic, Protocol, TypeVar

V = TypeVar("V")
T = TypeVar("T", bound="Addend")

_SIZE = 8  # parts of a block


class Addend(Protocol):
    """A term of a total: a number, or a value whose `+` keeps the order of the row."""

    def __add__(self, other: Any, /) -> Any: ...


class Question(Generic[V, T]):
    """What to total: `measure(value, *args)` for each value, starting from `zero`.

    If `at` is given, it is the last argument of `measure`. The total must then have a field `until`: when the
    total will change by itself, or None if never.
    """

    __slots__ = ("_args", "_hash", "_measure", "at", "zero")

    def __init__(
        self, zero: T, measure: Callable[..., T], *args: Hashable, at: datetime | None = None
    ) -> None:
        self.zero, self.at = zero, at
        self._measure, self._args = measure, args
        self._hash = hash((measure, args))

    def measure(self, value: V) -> T:
        """The contribution of this value to the total."""
        args = self._args if self.at is None else (*self._args, self.at)
        return self._measure(value, *args)

    def still_holds(self, total: Any, since: datetime | None) -> bool:
        """Whether a total that was computed at `since` is still valid at `at`."""
        if self.at is None or since is None:
            return True
        return since <= self.at and (total.until is None or self.at < total.until)

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        """Whether the two questions are the same, apart from `at`."""
        return isinstance(other, Question) and self._measure is other._measure and self._args == other._args


class Block(Generic[V]):
    """An immutable sequence of at least one value."""

    __slots__ = ("_parts", "_span", "_totals", "size")

    def __init__(self, parts: tuple[Any, ...], span: int) -> None:
        """`span` is the number of values in each part except the last, or 1 if the parts are values."""
        self._parts, self._span = parts, span
        self._totals: dict[Question[V, Any], tuple[Any, datetime | None]] = {}
        self.size: int = len(parts) if span == 1 else (len(parts) - 1) * span + parts[-1].size

    @classmethod
    def of(cls, values: Sequence[V]) -> "Block[V]":
        span = 1
        parts: tuple[Any, ...] = tuple(values)
        while len(parts) > _SIZE:
            parts = tuple(cls(parts[first : first + _SIZE], span) for first in range(0, len(parts), _SIZE))
            span *= _SIZE
        return cls(parts, span)

    def __iter__(self) -> Iterator[V]:
        if self._span == 1:
            yield from self._parts
            return
        for part in self._parts:
            yield from part

    def value(self, index: int) -> V:
        """The value at this index, which must not be negative."""
        if self._span == 1:
            found: V = self._parts[index]
            return found
        part: Block[V] = self._parts[index // self._span]
        return part.value(index % self._span)

    def with_value(self, index: int, value: V) -> "Block[V]":
        """This block with `value` at `index`."""
        number, rest = divmod(index, self._span)
        part = value if self._span == 1 else self._parts[number].with_value(rest, value)
        return Block((*self._parts[:number], part, *self._parts[number + 1 :]), self._span)

    def total(self, question: Question[V, T]) -> T:
        """The total over all values."""
        known = self._totals.get(question)
        if known is not None and question.still_holds(*known):
            found: T = known[0]
            return found
        found = question.zero
        for part in self._parts:
            found = found + (question.measure(part) if self._span == 1 else part.total(question))
        self._totals[question] = found, question.at
        return found

    def total_between(self, question: Question[V, T], start: int, stop: int) -> T:
        """The total over the values from index `start` up to, but not including, index `stop`."""
        if start <= 0 and stop >= self.size:
            return self.total(question)
        found, span = question.zero, self._span
        for number in range(max(0, start) // span, min(len(self._parts), -(-stop // span))):
            part, first = self._parts[number], number * span
            found = found + (
                question.measure(part)
                if span == 1
                else part.total_between(question, start - first, stop - first)
            )
        return found
