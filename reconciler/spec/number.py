"""Whole numbers: looks in a row, waves, HTTP statuses."""

from reconciler.spec.scalar import Atom, Misread
from reconciler.spec.wording import quote


def number_error(value: Atom, *, least: int, most: int) -> str | None:
    """What is wrong with the value as a whole number from `least` to `most`, and the mend."""
    match value:
        case bool() | None:
            return None  # the shape says what is wrong
        case Misread():
            return f"is read as {value.meaning}: write a plain number from {least} to {most}"
        case float():
            return f"is {value:.15g}: write a whole number from {least} to {most}"
        case str() if value.isdecimal() and value.isascii() and len(value) < 7:
            return f"{quote(value)} is text: write {int(value)} without quotes"
        case str():
            return f"{quote(value)} is no number: write one from {least} to {most}"
    if least <= value <= most:
        return None
    return f"is {value}: write {least} or more" if value < least else f"is {value}: write {most} or less"
