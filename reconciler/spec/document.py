"""A document as plain values for the schema, with the place of each value for messages."""

from collections.abc import Mapping as Dictionary
from dataclasses import dataclass

from reconciler.spec.field import Field
from reconciler.spec.node import Mapping, Node, Scalar, Sequence
from reconciler.spec.problem import Place
from reconciler.spec.scalar import Atom

Value = Atom | dict[str, "Value"] | list["Value"]


@dataclass(frozen=True, slots=True)
class Document:
    """A document. `value` consists of JSON types.

    `keys` has the place of each field's name, and `values` the place of each field's value. `texts` has the
    scalars exactly as written in the file.
    """

    value: Value
    keys: Dictionary[Field, Place]
    values: Dictionary[Field, Place]
    texts: Dictionary[Field, str]

    @property
    def place(self) -> Place:
        """The place where the document begins: its first field."""
        return self.values[()]

    def key(self, field: Field) -> Place:
        """The place of the field's name, or of its value if the field is a list item, which has no name."""
        return self.keys.get(field) or self.values[field]

    def at(self, *field: str | int) -> Value:
        """The value of a field, or None if the field does not exist."""
        value: Value = self.value
        for name in field:
            value = value.get(str(name)) if isinstance(value, dict) else None
        return value


def document(node: Node) -> Document:
    """The document of a YAML tree, with aliases expanded."""
    keys: dict[Field, Place] = {}
    values: dict[Field, Place] = {}
    texts: dict[Field, str] = {}

    def expand(node: Node, at: Field) -> Value:
        values[at] = node.place
        match node:
            case Scalar():
                texts[at] = node.text
                return node.value
            case Sequence():
                return [expand(item, (*at, index)) for index, item in enumerate(node.items)]
            case Mapping():
                expanded: dict[str, Value] = {}
                for key, value in node.entries:
                    below = (*at, key.text)
                    keys[below] = key.place
                    expanded[key.text] = expand(value, below)
                return expanded

    return Document(expand(node, ()), keys, values, texts)
