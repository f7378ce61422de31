"""The nodes of a YAML tree. Each has its place in the file, and the size and height of its subtree."""

from collections.abc import Collection
from dataclasses import dataclass

from reconciler.spec.problem import Place
from reconciler.spec.scalar import Atom


@dataclass(frozen=True, slots=True)
class Scalar:
    """A single value. `text` is the text in the file, which can differ from the printed `value`."""

    place: Place
    text: str
    value: Atom

    @property
    def size(self) -> int:
        """The number of nodes in this tree."""
        return 1

    @property
    def height(self) -> int:
        """The number of levels of this tree."""
        return 1


@dataclass(frozen=True, slots=True)
class Mapping:
    """Keys and values. Keys are unique."""

    place: Place
    entries: tuple[tuple[Scalar, "Node"], ...]
    size: int
    height: int


@dataclass(frozen=True, slots=True)
class Sequence:
    place: Place
    items: tuple["Node", ...]
    size: int
    height: int


Node = Scalar | Mapping | Sequence


def extent(below: Collection[Node]) -> tuple[int, int]:
    """The size and height of a node with these children."""
    return 1 + sum(node.size for node in below), 1 + max((node.height for node in below), default=0)
