"""The structure of a fleet file, and errors in the file with location, cause and fix.

`fleet.schema.json` is the only definition of the fields, their types, allowed values and defaults. Editors
use the schema for completion. An inconsistency between two fields is found only when the fields are used, and
raises `InvalidField`.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError
from jsonschema.validators import extend

from reconciler.simulator.timings import duration
from reconciler.spec.scalar import Misread, meaning

Location = tuple[str | int, ...]
Schema = dict[str, Any]

_PACKAGE = Path(__file__).resolve().parent.parent
_NAME = "fleet.schema.json"


@dataclass(frozen=True, slots=True)
class FieldError:
    """An error in a fleet file. `location` is the path to the value: field names and list indexes."""

    location: Location
    message: str


class FleetError(ValueError):
    """An invalid fleet file. The message has one line per error, with location, cause and fix."""

    def __init__(self, message: str, errors: Sequence[FieldError] = ()) -> None:
        super().__init__(message)
        self.errors = tuple(errors)

    @classmethod
    def of(cls, errors: Sequence[FieldError], description: Any) -> FleetError:
        return cls(
            "\n".join(f"{name_of(each.location, description)} {each.message}" for each in errors), errors
        )


class InvalidField(Exception):
    """An error that is found only when the field is used."""

    def __init__(self, location: Location, message: str) -> None:
        super().__init__(message)
        self.error = FieldError(location, message)


@contextmanager
def collect_errors(found: list[FieldError]) -> Iterator[None]:
    """Catch an InvalidField that the block raises, and add its error to `found`."""
    try:
        yield
    except InvalidField as wrong:
        found.append(wrong.error)


def schema_path() -> Path:
    """Return the path of the schema. In a checkout, the schema is beside the package instead of inside it."""
    installed = _PACKAGE / "schemas" / _NAME
    return installed if installed.is_file() else _PACKAGE.parent / "schemas" / _NAME


@functools.cache
def schema() -> Schema:
    """Return the whole schema. Callers share the schema and must not modify it."""
    loaded: Schema = json.loads(schema_path().read_text(encoding="utf-8"))
    return loaded


def shape_errors(description: Any) -> list[FieldError]:
    """Return the structural errors in a fleet, at most one per location."""
    found: dict[Location, FieldError] = {}
    for violation in _validator().iter_errors(description):
        for error in _field_errors(violation):
            found.setdefault(error.location, error)
    for location, value in _ambiguous_scalars(description):
        message = (
            f"{value.text} is read as {meaning(value)} by some YAML readers: write it plainly, or in quotes"
        )
        found.setdefault(location, FieldError(location, message))
    return list(found.values())


def _ambiguous_scalars(value: Any, location: Location = ()) -> Iterator[tuple[Location, Misread]]:
    """Yield the unquoted values that YAML readers interpret differently."""
    if isinstance(value, Misread):
        yield location, value
    elif isinstance(value, Mapping):
        for name, below in value.items():
            yield from _ambiguous_scalars(below, (*location, name))
    elif isinstance(value, list):
        for number, below in enumerate(value):
            yield from _ambiguous_scalars(below, (*location, number))


def with_defaults(description: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fleet, with the schema's defaults for omitted fields."""
    return _with_defaults(schema(), description)


def name_of(location: Location, description: Any) -> str:
    """Return the location as messages show it, with the name of a scale set after its index.

    >>> name_of(("scaleSets", 0, "image"), {"scaleSets": [{"name": "web"}]})
    'scaleSets[0] (web).image'
    """
    text, value = "", description
    for part in location:
        text += f"[{part}]" if isinstance(part, int) else f"{text and '.'}{part}"
        try:
            value = value[part]
        except (KeyError, IndexError, TypeError):
            value = None
        name = value.get("name") if isinstance(value, Mapping) else None
        if text == f"scaleSets[{part}]" and name and isinstance(name, str):
            text += f" ({name})"
    return text or "fleet"


def time(value: Any) -> timedelta:
    return duration(str(value))


@functools.cache
def _validator() -> Draft202012Validator:
    """Return a validator that rejects 5.0 as an integer, because YAML distinguishes 5.0 from 5."""
    checker = Draft202012Validator.TYPE_CHECKER.redefine(
        "integer", lambda _, value: isinstance(value, int) and not isinstance(value, bool)
    )
    checked: Any = extend(Draft202012Validator, type_checker=checker)  # type: ignore[no-untyped-call]
    return checked(schema())  # type: ignore[no-any-return]


def _with_defaults(part: Schema, value: Mapping[str, Any]) -> dict[str, Any]:
    result = dict(value)
    for name, inner in part.get("properties", {}).items():
        resolved = _resolve(inner)
        if name not in result and "default" in resolved:
            result[name] = resolved["default"]
        below = result.get(name)
        if isinstance(below, dict):
            result[name] = _with_defaults(resolved, below)
        elif isinstance(below, list):
            items = _resolve(resolved.get("items", {}))
            result[name] = [_with_defaults(items, item) if isinstance(item, dict) else item for item in below]
    return result


def _resolve(part: Schema) -> Schema:
    """Return the schema with its reference resolved.

    Keywords next to the reference, such as a default, override those in the definition.
    """
    if "$ref" not in part:
        return part
    return {**schema()["$defs"][part["$ref"].removeprefix("#/$defs/")], **part}


@dataclass(frozen=True, slots=True)
class _Violation:
    """A value that violates one keyword of a schema.

    `rule` is the keyword, and `wanted` is its value in `schema`.
    """

    rule: str
    wanted: Any
    value: Any
    schema: Schema


def _field_errors(error: ValidationError) -> list[FieldError]:
    location: Location = tuple(error.absolute_path)
    schema: Any = error.schema
    violation = _Violation(str(error.validator), error.validator_value, error.instance, schema)
    if violation.rule == "additionalProperties":
        known = list(schema["properties"])
        return [
            FieldError(
                (*location, str(name)), f"is not a known field: {_suggest(str(name), known, 'choose one of')}"
            )
            for name in violation.value
            if name not in known
        ]
    return [FieldError(location, _WORDING[violation.rule](violation))]


def _suggest(value: str, choices: Sequence[str], otherwise: str) -> str:
    near = get_close_matches(value, choices, n=1, cutoff=0.5)
    return f"did you mean {near[0]}?" if near else f"{otherwise} {', '.join(choices)}"


_TYPES = {
    "object": "is not a mapping: write `name: value` lines",
    "array": "is not a list: begin each entry with `- `",
    "boolean": "is not a boolean: write true or false",
    "string": "is not a string: write it in quotes",
}


def _text(value: Any) -> str:
    """Format a value for a message, in YAML notation where YAML and Python differ.

    >>> _text(False), _text(None), _text("web"), _text(Misread("off", "the boolean false"))
    ('false', 'null', "'web'", 'off')
    """
    if isinstance(value, bool):
        return str(value).lower()
    if value is None:
        return "null"
    return value.text if isinstance(value, Misread) else repr(value)


def _type(violation: _Violation) -> str:
    if violation.wanted == "integer":
        return _minimum(violation)
    if violation.wanted == "string" and isinstance(violation.value, int | float | Misread):
        return f"{_text(violation.value)} {_to_text(violation)}"
    value = violation.value
    if violation.wanted == "boolean" and isinstance(value, Misread) and "boolean" in value.meaning:
        return f"{value.text} is a string to some YAML readers: write {value.meaning.split()[-1]}"
    usual = _TYPES["object" if isinstance(violation.wanted, list) else violation.wanted]
    return f"{_text(violation.value)} {violation.schema.get('patternErrorMessage', usual)}"


def _to_text(violation: _Violation) -> str:
    """Return the problem and the fix for a value that YAML does not read as text.

    For example, YAML reads 1.10 as the number 1.1.
    """
    schema, value = violation.schema, violation.value
    text = value.text if isinstance(value, Misread) else _text(value)
    if isinstance(value, bool | Misread):
        what = f"is read as {meaning(value)}"
        if "enum" in schema:
            return f"{what}: {_suggest(text, schema['enum'], 'choose one of')}"
        fix = schema.get("patternErrorMessage", "").rpartition(": ")[2]
        is_fit = re.search(schema.get("pattern", ""), text)
        return f"{what}: write it in quotes" if is_fit else f"{what}: {fix}"
    pattern = re.compile(schema.get("pattern", ""))
    if pattern.search(text):
        return "is not a string: write it in quotes"
    if pattern.search(f"{text}s"):
        return f"has no unit: write {text}s"
    return str(schema["patternErrorMessage"])


def _minimum(violation: _Violation) -> str:
    return f"{_text(violation.value)} is not a whole number of at least {violation.schema.get('minimum', 0)}"


def _maximum(violation: _Violation) -> str:
    usual = f"is more than the maximum: write at most {violation.wanted}"
    return f"{violation.value} {violation.schema.get('maximumErrorMessage', usual)}"


def _missing(violation: _Violation) -> str:
    *others, last = violation.wanted
    missing = next(name for name in violation.wanted if name not in violation.value)
    if others:
        return f"has no {missing}: it needs {', '.join(others)} and {last}"
    example = _resolve(violation.schema["properties"][missing])["examples"][0]
    return f"has no {missing}: add `{missing}: {example}`"


def _duplicate(violation: _Violation) -> str:
    twice = next(each for each in violation.value if violation.value.count(each) > 1)
    return f"{twice!r} is listed twice: remove one"


def _choice(violation: _Violation) -> str:
    fix = _suggest(str(violation.value), violation.wanted, "choose one of")
    return f"{_text(violation.value)} is not a valid value: {fix}"


def _just_one(violation: _Violation) -> str:
    problem = "is empty" if violation.rule == "minProperties" else "has more than one field"
    return f"{problem}: write one of {', '.join(violation.schema['properties'])}"


def _pattern(violation: _Violation) -> str:
    """Return the message for text that does not match the pattern.

    If only a unit is missing, as in "60", the message says so.
    """
    if violation.value.isdecimal() and re.search(violation.wanted, f"{violation.value}s"):
        return f"{violation.value!r} has no unit: write {violation.value}s"
    return f"{violation.value!r} {violation.schema['patternErrorMessage']}"


_WORDING: Mapping[str, Callable[[_Violation], str]] = {
    "type": _type,
    "minimum": _minimum,
    "maximum": _maximum,
    "minLength": lambda violation: f"{violation.value!r} is empty: write a name",
    "required": _missing,
    "uniqueItems": _duplicate,
    "minProperties": _just_one,
    "maxProperties": _just_one,
    "enum": _choice,
    "pattern": _pattern,
}
