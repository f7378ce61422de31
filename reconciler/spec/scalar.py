"""Reads a plain YAML scalar: unquoted text without a tag.

YAML 1.1 (PyYAML, Ansible) and YAML 1.2 (editors) read unquoted text differently: `yes`, `0123`, `1:30` and
`2024-01-01` are strings in one version and other values in the other. A spec must mean the same to every YAML
reader, so such text becomes a `Misread`. A `Misread` is not a JSON type, so it is an error in every field.
The fix is to quote the text, or to write the value in an unambiguous form.
"""

import json
import math
import re
from dataclasses import dataclass

_LONGEST = 64  # characters; longer text is a string, so the patterns below never run on a hostile megabyte
_DIGITS = 18  # of an integer; no valid count has more

_NOTHING = frozenset(("", "~", "null", "Null", "NULL"))
_BOOLEANS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_SOMETIMES_BOOLEANS = {"yes": "true", "on": "true", "no": "false", "off": "false"}
_INTEGER = re.compile(r"[-+]?(?:0|[1-9][0-9]*)")
_FLOAT = re.compile(r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?")
_DATE = re.compile(r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(?:[Tt \t].*)?")
_SEXAGESIMAL = re.compile(r"[-+]?[0-9]+(?::[0-5]?[0-9])+")
_OTHER_BASE = re.compile(r"(?P<sign>[-+]?)0(?:x(?P<hex>[0-9a-fA-F_]+)|b(?P<bin>[01_]+)|o?(?P<oct>[0-7_]+))")
_SOME_NUMBER = re.compile(
    r"[-+]?(?:\.(?:inf|Inf|INF)|[0-9][0-9_]*(?::[0-5]?[0-9])*(?:\.[0-9_]*)?(?:[eE][-+]?[0-9]+)?)|\.(?:nan|NaN|NAN)"
)
# Text that needs no quotes, if its `atom` is the text itself.
_PLAIN = re.compile(r"[A-Za-z0-9/][A-Za-z0-9_./()%-]*(?:://[A-Za-z0-9_./()%-]+)?")


@dataclass(frozen=True, slots=True)
class Misread:
    """Unquoted text that YAML readers interpret differently. `meaning` is how some of them read it."""

    text: str
    meaning: str


Atom = str | int | float | bool | Misread | None


def atom(text: str) -> Atom:
    """The value of a plain (unquoted, untagged) scalar.

    >>> atom("web"), atom("5"), atom("24.10"), atom("true"), atom("~")
    ('web', 5, 24.1, True, None)
    >>> atom("off"), atom("0123")
    (Misread(text='off', meaning='the boolean false'), Misread(text='0123', meaning='the number 83'))
    """
    if text in _NOTHING:
        return None
    if text in _BOOLEANS:
        return _BOOLEANS[text]
    if len(text) > _LONGEST:
        return text
    if _INTEGER.fullmatch(text):
        return int(text) if len(text) <= _DIGITS else Misread(text, "a number")
    if _FLOAT.fullmatch(text) and not _leading_zero(text):
        number = float(text)
        return number if math.isfinite(number) else Misread(text, "a number")
    return _misread(text)


def scalar_text(value: str | int | None) -> str:
    r"""The value as YAML. A string is quoted if any YAML reader could take the plain text for something else.

    >>> print(scalar_text("web"), scalar_text("1.10"), scalar_text(True), scalar_text("a\x85b"))
    web "1.10" true "a\U00000085b"
    """
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return str(value)
    is_sure = _PLAIN.fullmatch(value) and atom(value) == value and not value.replace(".", "").isdecimal()
    return value if is_sure else _quoted(value)


def _quoted(text: str) -> str:
    """The text in double quotes, with escapes for the characters that JSON accepts and YAML does not."""
    return "".join(
        each if each.isprintable() else f"\\U{ord(each):08x}" for each in json.dumps(text, ensure_ascii=False)
    )


def meaning(value: Atom) -> str:
    """The value as a YAML reader sees it, in words: "the number 24.04", "the boolean true", "null"."""
    match value:
        case Misread():
            return value.meaning
        case bool():
            return f"the boolean {str(value).lower()}"
        case None:
            return "null"
        case str():
            return "a string"
    return f"the number {value:.15g}" if isinstance(value, float) else f"the number {value}"


def _misread(text: str) -> Misread | str:
    if text.lower() in _SOMETIMES_BOOLEANS and text in (text.lower(), text.upper(), text.capitalize()):
        return Misread(text, f"the boolean {_SOMETIMES_BOOLEANS[text.lower()]}")
    if _DATE.fullmatch(text):
        return Misread(text, "a date")
    if _SEXAGESIMAL.fullmatch(text):
        return Misread(text, f"the number {_sexagesimal(text)}")
    if other := _OTHER_BASE.fullmatch(text):
        return Misread(text, _in_other_base(other))
    return Misread(text, "a number") if _SOME_NUMBER.fullmatch(text) else text


def _sexagesimal(text: str) -> int:
    """The base-60 number that YAML 1.1 reads, such as 90 for 1:30."""
    value = 0
    for digits in text.lstrip("+-").split(":"):
        value = value * 60 + int(digits)
    return -value if text.startswith("-") else value


def _in_other_base(match: re.Match[str]) -> str:
    for name, base in (("hex", 16), ("bin", 2), ("oct", 8)):
        if digits := (match[name] or "").replace("_", ""):
            return f"the number {match['sign'].strip('+')}{int(digits, base)}"
    return "a number"


def _leading_zero(text: str) -> bool:
    """Whether the text is a whole number with a leading zero, such as 089.

    YAML 1.2 reads it as a number, and YAML 1.1 as a string.
    """
    digits = text.lstrip("+-")
    return digits.isdigit() and digits != "0" and digits.startswith("0")
