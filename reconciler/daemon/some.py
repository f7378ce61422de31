"""A count of values, with the first few to be named in a sentence."""

from dataclasses import dataclass
from typing import Generic, TypeVar

from reconciler.rollout.wording import MOST_NAMES

V = TypeVar("V")


@dataclass(frozen=True, slots=True)
class Some(Generic[V]):
    """The number of values, and the first few, to be named in a sentence."""

    size: int = 0
    first: tuple[V, ...] = ()

    @classmethod
    def one_if(cls, is_one: object, value: V) -> "Some[V]":
        """`value` if the condition is true, otherwise no value."""
        return cls(1, (value,)) if is_one else cls()

    def __add__(self, other: "Some[V]") -> "Some[V]":
        if not self.size or not other.size:
            return self if self.size else other
        return Some(self.size + other.size, (*self.first, *other.first)[:MOST_NAMES])

    def __bool__(self) -> bool:
        return self.size > 0
