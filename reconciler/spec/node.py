"""The nodes of a YAML tree, each with its place in the file and how large it is with everything below it."""

from collections.abc import Collection
from dataclasses import dataclass

from reconciler.spec.problem import Place
from reconciler.spec.scalar import Atom


@dataclass(frozen=True, slots=True)
class Scalar:
    """A single value. `text` is as it stands in the file, which is not always what `value` would print as."""

    place: Place
    text: str
    value: Atom

    @property
    def size(self) -> int:
        """Nodes in this tree."""
        return 1

    @property
    def height(self) -> int:
        """Levels of this tree."""
        return 1


@dataclass(frozen=True, slots=True)
class Mapping:
    """Keys and values, no key twice."""

    place: Place
    entries: tuple[tuple[Scalar, "Node"], ...]
    size: int
    height: int


@dataclass(frozen=True, slots=True)
class Sequence:
    """A list."""

    place: Place
    items: tuple["Node", ...]
    size: int
    height: int


Node = Scalar | Mapping | Sequence


def extent(below: Collection[Node]) -> tuple[int, int]:
    """Size and height of a node with these directly below it."""
    return 1 + sum(node.size for node in below), 1 + max((node.height for node in below), default=0)
