"""Formats invalid values, and examples of valid ones, for messages."""

import re
from typing import Any

from reconciler.spec.document import Document, Value
from reconciler.spec.field import Field, schema_field
from reconciler.spec.scalar import atom, meaning
from reconciler.spec.shape import fields
from reconciler.spec.wording import one_of, quote, shorten

_SPECIAL = re.compile(r"[]\[{},*&#]|: ")  # must be quoted inside { } and [ ]


def example_text(document: Document, at: Field) -> str:
    """A scalar in quotes, as written in the file. For any other value, its type in words."""
    return quote(document.texts[at]) if at in document.texts else describe_value(document.at(*at))


def describe_value(value: Value) -> str:
    """The type of a value in words ("a list", "a string"), or the number or boolean itself."""
    match value:
        case dict():
            return "a mapping"
        case list():
            return "a list"
        case _:
            return meaning(value)


def example(kind: str, at: Field) -> str:
    """A one-line example of a field in a document of this kind, taken from the schema."""
    schema, name = fields(kind).get(schema_field(at), {}), shorten(str(at[-1]))
    if isinstance(at[-1], int):
        return f"- {_flow(schema['examples'][0])}"
    if schema.get("type") == "object" and schema.get("required"):
        return f"{name} with {one_of(schema['required'], last='and')} below it"
    if "maxProperties" in schema:
        return f"{name} with one of {one_of(schema['properties'])} below it"
    return f"{name}: {_flow(schema['examples'][0])}" if schema else f'{name}: "text"'


def _flow(value: Any) -> str:
    """A value as YAML on one line. A string is quoted if YAML would otherwise read it as something else."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name}: {_flow(below)}" for name, below in value.items()) + "}"
    if isinstance(value, list):
        return f"[{', '.join(map(_flow, value))}]"
    if isinstance(value, str):
        sure = atom(value) == value and not value.replace(".", "").isdecimal() and not _SPECIAL.search(value)
        return value if sure else f'"{value}"'
    return str(value).lower() if isinstance(value, bool) else str(value)
