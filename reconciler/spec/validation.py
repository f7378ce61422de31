"""Validates one document against the schema and the rules. Each error has a message and a place.

jsonschema finds violations of the schema, and this module words them. If several errors concern one value,
only the most helpful one is printed: the error of a rule, or else a wrong type, or else any other error. A
new keyword in the schema needs a `case` here.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from jsonschema.exceptions import ValidationError

from reconciler.spec.agreement import field_conflicts
from reconciler.spec.document import Document
from reconciler.spec.example import describe_value, example, example_text
from reconciler.spec.field import Field, dotted_path, schema_field
from reconciler.spec.problem import Place, Problem, problem_at
from reconciler.spec.rules import atoms, broken_rule, broken_rules
from reconciler.spec.scalar import Misread, meaning
from reconciler.spec.shape import fields
from reconciler.spec.validator import field_validator, validator
from reconciler.spec.wording import ascii_error, count, letters, nearest, one_of, quote, shorten

# Problems that are reported for one file. Wording a problem takes milliseconds if it suggests a name, and a
# file can have 100,000 problems.
MOST_PROBLEMS = 1000
# Unknown fields of one mapping that are reported one by one. A file with more is probably not a spec.
_MANY = 20
_RULE, _TYPE, _OTHER = range(3)  # ranks: the lowest is printed


@dataclass(frozen=True, slots=True)
class _Finding:
    field: Field
    place: Place
    message: str
    rank: int = _OTHER
    intended: Field | None = None  # the field that was probably intended by an unknown one


@dataclass(frozen=True, slots=True)
class _Fault:
    """A jsonschema error: `value` violates `keyword`, for which the schema has the value `wanted`."""

    keyword: str
    wanted: Any
    value: Any
    schema: dict[str, Any]
    at: Field


def document_problems(document: Document, kind: str, most: int = MOST_PROBLEMS) -> tuple[Problem, ...]:
    """The problems of a document of this kind, without checks against other documents.

    If there are more than `most`, the last problem says that the rest of the document is not checked.
    """
    by_rules, by_schema = (
        list(islice(each, max(0, most + 1)))
        for each in (_by_rules(document, kind), _by_schema(document, kind))
    )
    findings = [*by_rules, *by_schema]
    if max(len(by_rules), len(by_schema)) > most:
        message = f"the rest of the document is not checked: correct its first {MOST_PROBLEMS:,} problems"
        unchecked = Problem(document.place, "", message)
        return (*_problems(_reported(findings[: max(0, most)], document)), unchecked)
    found = _reported(findings, document)
    # Includes fields whose error is not reported: the rules between fields must read only valid fields.
    for at, message in field_conflicts(document, kind, {finding.field for finding in findings}):
        found[at] = _Finding(at, document.values[at], message)
    return _problems(found)


def is_sound(document: Document, kind: str, at: Field) -> bool:
    """Whether the value of an existing field is valid on its own, whatever else in the document is wrong."""
    value = document.at(*at)
    wrong = (broken_rule(kind, (*at, *below), each) for below, each in atoms(value))
    return field_validator(kind, at).is_valid(value) and not any(wrong)


def _by_rules(document: Document, kind: str) -> Iterator[_Finding]:
    for at, message in broken_rules(document, kind):
        yield _Finding(at, document.values[at], message, _RULE)


def _by_schema(document: Document, kind: str) -> Iterator[_Finding]:
    for error in validator(kind).iter_errors(document.value):
        if not _is_reported_elsewhere(fault := _fault(error)):
            yield from _findings(fault, document, kind)


def _reported(findings: Sequence[_Finding], document: Document) -> dict[Field, _Finding]:
    """The most helpful finding for each field."""
    intended = {finding.intended for finding in findings}
    found: dict[Field, _Finding] = {}
    for finding in sorted(findings, key=lambda finding: finding.rank):
        # A required field that is misspelt is reported at the misspelt name only.
        misspelt = finding.field in intended and finding.field not in document.values
        if finding.field != ("kind",) and not misspelt:
            found.setdefault(finding.field, finding)
    return found


def _problems(found: dict[Field, _Finding]) -> tuple[Problem, ...]:
    return tuple(problem_at(each.place, each.field, each.message) for each in found.values())


def _fault(error: ValidationError) -> _Fault:
    assert isinstance(error.schema, dict)  # noqa: S101 - no subschema of ours is just true or false
    at: Field = tuple(error.absolute_path)
    if "propertyNames" in error.absolute_schema_path:
        return _Fault("name", error.validator_value, error.instance, error.schema, (*at, str(error.instance)))
    return _Fault(str(error.validator), error.validator_value, error.instance, error.schema, at)


def _is_reported_elsewhere(fault: _Fault) -> bool:
    """Whether the error for a wrong type already covers this fault."""
    return fault.keyword == "oneOf" and not isinstance(fault.value, dict)


def _findings(fault: _Fault, document: Document, kind: str) -> Iterator[_Finding]:
    at = fault.at
    match fault.keyword:
        case "additionalProperties":
            yield from _unknown_fields(fault, document, kind)
        case "required":
            for name in fault.wanted:
                if name not in fault.value:
                    message = f"is missing: add {example(kind, (*at, name))}"
                    yield _Finding((*at, name), document.key(at), message)
        case "minProperties":
            message = f"names no image: set exactly one of {one_of(fault.schema['properties'])}"
            yield _Finding(at, document.key(at), message)
        case "maxProperties":
            yield from _several_images(fault, document)
        case "type":
            yield _Finding(at, document.values[at], _wrong_type(fault, document, kind), _TYPE)
        case "oneOf":
            yield from _check_kinds(fault, document)
        case "name":
            yield _Finding(at, document.key(at), _label_name_error(fault))
        case _:
            yield _Finding(at, document.values[at], _wrong_value(fault, document, kind))


def _unknown_fields(fault: _Fault, document: Document, kind: str) -> Iterator[_Finding]:
    """The findings for fields of a mapping that its schema does not define."""
    allowed = list(fault.schema["properties"])
    unknown = [name for name in fault.value if name not in allowed]
    for name in unknown[:_MANY]:
        near = nearest(name, allowed)
        field, intended = (*fault.at, name), (*fault.at, near) if near else None
        known_place = None if near and letters(near) == letters(name) else _known_place(name, kind)
        if known_place:
            message, intended = f"does not belong here: move it to {dotted_path(known_place)}", known_place
        elif near:
            message = f"is not a known field: did you mean {near}?"
        else:
            message = f"is not a known field: expected {one_of(allowed)}"
        yield _Finding(field, document.key(field), message, intended=intended)
    if more := unknown[_MANY:]:
        field = (*fault.at, more[0])
        message = f"is the first of {count(len(more), 'more unknown field')}: expected {one_of(allowed)}"
        yield _Finding(field, document.key(field), message)


def _several_images(fault: _Fault, document: Document) -> Iterator[_Finding]:
    """The finding for several image kinds, where exactly one is allowed.

    Unknown kinds are reported separately.
    """
    given = [name for name in fault.value if name in fault.schema["properties"]]
    if len(given) > 1:
        where = [f"{name} (line {document.key((*fault.at, name)).line})" for name in given]
        message = f"names {len(given)} images, {one_of(where, last='and')}: keep exactly one"
        yield _Finding(fault.at, document.key(fault.at), message)


def _check_kinds(fault: _Fault, document: Document) -> Iterator[_Finding]:
    """The finding for a check with no kind or several kinds, where exactly one is required.

    A check that has an unknown field but no kind is skipped: the unknown field is reported separately.
    """
    kinds = [name for branch in fault.wanted for name in branch["required"]]
    given = [name for name in kinds if name in fault.value]
    if given:
        where = [f"{name} (line {document.key((*fault.at, name)).line})" for name in given]
        message = f"has {one_of(where, last='and')}: write {len(given)} separate checks"
        yield _Finding(fault.at, document.values[fault.at], message)
    elif all(name in fault.schema["properties"] for name in fault.value):
        yield _Finding(fault.at, document.values[fault.at], f"checks nothing: add {one_of(kinds)} below it")


def _wrong_type(fault: _Fault, document: Document, kind: str) -> str:
    at, value, name = fault.at, fault.value, shorten(str(fault.at[-1]))
    text = document.texts.get(at, "")
    write = f"write {example(kind, at)}"
    if value is None and not text:
        optional = "default" in fields(kind).get(schema_field(at), ())
        return f"is empty: {write}" + (", or remove the line" if optional else "")
    if fault.wanted == "object":
        return f"is {describe_value(value)}, but a mapping is expected: {write}"
    if fault.wanted == "array":
        fix = "begin each item with a hyphen" if isinstance(value, dict) else write
        return f"is {describe_value(value)}, but a list is expected: {fix}"
    if isinstance(value, dict | list):
        return f"is {describe_value(value)}, but a single value is expected: {write}"
    if fault.wanted == "string":
        return f"is read as {meaning(value)}: {_quoting_fix(fault, text, kind)}"
    if "boolean" not in fault.wanted:
        return f"is {meaning(value)}: {write}"
    if isinstance(value, Misread) and "boolean" in value.meaning:
        return f"{quote(text)} is a string to some YAML readers: write {name}: {value.meaning.split()[-1]}"
    if text.lower() in ("true", "false"):
        return f"{quote(text)} is a string: write {name}: {text.lower()}, without quotes"
    return f"{quote(text)} is not a boolean: write true or false"


def _quoting_fix(fault: _Fault, text: str, kind: str) -> str:
    """The fix for a value that should be a string, but that YAML reads as something else."""
    if "enum" in fault.schema:
        return f"write {one_of(fault.schema['enum'])}"
    still = broken_rule(kind, fault.at, text) or _pattern_error(fault.schema, text)
    if still and "number" not in meaning(fault.value):
        return f"write {example(kind, fault.at)}"
    name = "" if isinstance(fault.at[-1], int) else f"{shorten(fault.at[-1])}: "
    return f'quote it: {name}"{shorten(text)}"' + (f"; also, {still}" if still else "")


def _pattern_error(schema: dict[str, Any], text: str) -> str | None:
    pattern = schema.get("pattern", "")
    if re.search(pattern, text):
        return None
    if (error := ascii_error(text)) and re.search(pattern, re.sub(r"[^\x00-\x7f]", "a", text)):
        return error
    return f"{quote(text)} {schema['patternErrorMessage']}"


def _wrong_value(fault: _Fault, document: Document, kind: str) -> str:
    match fault.keyword:
        case "pattern":
            return str(_pattern_error(fault.schema, fault.value))
        case "minItems":
            return f"is an empty list: write {example(kind, fault.at)}"
        case "maxItems":
            return f"has {len(fault.value)} items, but at most {fault.wanted} are allowed: shorten the list"
        case "maxLength":
            return f"{quote(fault.value)} is longer than {fault.wanted} characters: shorten it"
        case "enum" if len(fault.wanted) == 1:
            return f"{example_text(document, fault.at)} is not supported: write {fault.wanted[0]}"
        case "enum":
            near = nearest(fault.value, fault.wanted) if isinstance(fault.value, str) else None
            fix = f"did you mean {near}?" if near else f"write {one_of(fault.wanted)}"
            return f"{example_text(document, fault.at)} is not supported: {fix}"
        case _:
            return f"{example_text(document, fault.at)} is not allowed: write {example(kind, fault.at)}"


def _label_name_error(fault: _Fault) -> str:
    if len(fault.value) > fault.schema["maxLength"]:
        return f"is longer than {fault.schema['maxLength']} characters: shorten it"
    return str(fault.schema["patternErrorMessage"])


def _known_place(name: str, kind: str) -> Field | None:
    """The only place where a field with this name is valid, or None if there is not exactly one."""
    known = [field for field in fields(kind) if isinstance(field[-1], str)]
    homes = [field for field in known if letters(str(field[-1])) == letters(name)]
    return homes[0] if len(homes) == 1 else None
