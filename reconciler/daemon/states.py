"""The states of all scale sets at one moment.

A gate depends on totals over the fleet, such as how many scale sets are rolling out. Every reconcile changes
a state and evaluates gates, so these totals are kept in blocks (see `block`). For 2,000 scale sets, an
evaluation visits about fifty states and totals instead of 2,000 states.
"""

from bisect import bisect_left
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import TypeVar, overload

from reconciler.daemon.block import Addend, Block, Question
from reconciler.daemon.state import ScaleSetState

T = TypeVar("T", bound=Addend)


class ScaleSetStates(Sequence[ScaleSetState]):
    """The states, sorted by name. Immutable: `with_state` returns a new object."""

    __slots__ = ("_block", "_index_of", "_names")

    def __init__(
        self, block: Block[ScaleSetState] | None, names: Sequence[str], index_of: Mapping[str, int]
    ) -> None:
        self._block, self._names, self._index_of = block, names, index_of

    @classmethod
    def of(cls, states: Sequence[ScaleSetState]) -> "ScaleSetStates":
        """These states, which may be in any order."""
        if isinstance(states, ScaleSetStates):
            return states
        in_order = sorted(states, key=lambda state: state.desired.name)
        return cls(
            Block.of(in_order) if in_order else None,
            [state.desired.name for state in in_order],
            {state.key: index for index, state in enumerate(in_order)},
        )

    def __len__(self) -> int:
        return len(self._names)

    def __iter__(self) -> Iterator[ScaleSetState]:
        return iter(self._block or ())

    @overload
    def __getitem__(self, index: int) -> ScaleSetState: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[ScaleSetState, ...]: ...
    def __getitem__(self, index: int | slice) -> ScaleSetState | tuple[ScaleSetState, ...]:
        return tuple(self)[index]

    def get(self, key: str) -> ScaleSetState | None:
        index = self._index_of.get(key)
        return None if index is None or self._block is None else self._block.value(index)

    def by_name(self, name: str) -> ScaleSetState | None:
        index = bisect_left(self._names, name)
        is_known = index < len(self._names) and self._names[index] == name
        return self._block.value(index) if is_known and self._block else None

    def with_state(self, state: ScaleSetState) -> "ScaleSetStates":
        """The states, with `state` in place of the one with the same key and name."""
        assert self._block, "it replaces a state"  # noqa: S101
        block = self._block.with_value(self._index_of[state.key], state)
        return ScaleSetStates(block, self._names, self._index_of)

    def with_states(self, states: Mapping[str, ScaleSetState]) -> "ScaleSetStates":
        """The states, with `states` in place of those with the same keys and names.

        Use this to replace many states together: it rebuilds the blocks in one pass.
        """
        if not states:
            return self
        return ScaleSetStates(
            Block.of([states.get(each.key, each) for each in self]), self._names, self._index_of
        )

    def total(self, zero: T, measure: Callable[..., T], *args: Hashable, at: datetime | None = None) -> T:
        """The sum of `measure(state, *args)` over all states, in order (see `Question`)."""
        return self._block.total(Question(zero, measure, *args, at=at)) if self._block else zero

    def total_of_others(
        self, key: str, zero: T, measure: Callable[..., T], *args: Hashable, at: datetime | None = None
    ) -> T:
        """The total over the states of all scale sets except the one with this key."""
        index = self._index_of.get(key)
        if index is None or self._block is None:
            return self.total(zero, measure, *args, at=at)
        question: Question[ScaleSetState, T] = Question(zero, measure, *args, at=at)
        if question.measure(self._block.value(index)) == zero:
            return self._block.total(question)  # shared by all scale sets that contribute nothing
        before = self._block.total_between(question, 0, index)
        total: T = before + self._block.total_between(question, index + 1, len(self))
        return total

    def total_before(
        self, name: str, zero: T, measure: Callable[..., T], *args: Hashable, at: datetime | None = None
    ) -> T:
        """The total over the states of the scale sets whose names come before `name`."""
        if self._block is None:
            return zero
        return self._block.total_between(
            Question(zero, measure, *args, at=at), 0, bisect_left(self._names, name)
        )
