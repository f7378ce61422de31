"""Validation of whole numbers, such as health passes, waves and HTTP statuses."""

from reconciler.spec.scalar import Atom, Misread
from reconciler.spec.wording import quote


def number_error(value: Atom, *, least: int, most: int) -> str | None:
    """The error if the value is not a whole number from `least` to `most`, otherwise None."""
    match value:
        case bool() | None:
            return None  # the schema reports the wrong type
        case Misread():
            return f"is read as {value.meaning}: write a plain number from {least} to {most}"
        case float():
            return f"is {value:.15g}: write a whole number from {least} to {most}"
        case str() if value.isdecimal() and value.isascii() and len(value) < 7:
            return f"{quote(value)} is a string: write {int(value)} without quotes"
        case str():
            return f"{quote(value)} is not a number: write a number from {least} to {most}"
    if least <= value <= most:
        return None
    return f"is {value}: write {least} or more" if value < least else f"is {value}: write {most} or less"
