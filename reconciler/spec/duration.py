"""Durations, written as in Go and Kubernetes (5m, 1h30m, 90s) or as in ISO 8601 (PT5M)."""

import re
from datetime import timedelta

from reconciler.spec.scalar import Atom, Misread, meaning
from reconciler.spec.wording import quote

_SHORT = re.compile(r"(?=[0-9])(?:([0-9]{1,6})h)?(?:([0-9]{1,6})m)?(?:([0-9]{1,6})s)?")
_ISO = re.compile(r"PT(?=[0-9])(?:([0-9]{1,6})H)?(?:([0-9]{1,6})M)?(?:([0-9]{1,6})S)?")
_LOOSE = re.compile(
    r"\s*([0-9]{1,6})\s*(?:([dhms])(?:ays?|rs?|ours?|ins?|inutes?|ecs?|econds?)?)\s*", re.IGNORECASE
)
_HOW = "write it like 5m, 1h30m or 90s"
_MINUTE, _HOUR, _DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


def parse_duration(text: str) -> timedelta | None:
    """The duration that the text describes, or None if the text is not a duration.

    >>> str(parse_duration("1h30m")), str(parse_duration("PT90S")), parse_duration("1 hour")
    ('1:30:00', '0:01:30', None)
    """
    match = _SHORT.fullmatch(text) or _ISO.fullmatch(text)
    if not match:
        return None
    hours, minutes, seconds = (int(digits or 0) for digits in match.groups())
    return timedelta(hours=hours, minutes=minutes, seconds=seconds)


def format_duration(length: timedelta) -> str:
    """The duration as written in a spec. Fractions of a second are dropped.

    >>> tuple(map(format_duration, (timedelta(minutes=90), timedelta(hours=24), timedelta(0))))
    ('1h30m', '24h', '0s')
    """
    minutes, seconds = divmod(int(length.total_seconds()), 60)
    hours, minutes = divmod(minutes, 60)
    parts = ((hours, "h"), (minutes, "m"), (seconds, "s"))
    return "".join(f"{number}{unit}" for number, unit in parts if number) or "0s"


def short_length(length: timedelta) -> str:
    """The length in at most two units. Never negative, even if the clocks of two machines disagree.

    >>> [short_length(timedelta(minutes=minutes)) for minutes in (-1, 0.75, 12, 185, 1500, 4500)]
    ['0s', '45s', '12m', '3h5m', '1d1h', '3d']
    """
    length = max(length, timedelta())
    if length < _MINUTE:
        return f"{length.seconds}s"
    if length < _HOUR:
        return f"{length // _MINUTE}m"
    if length < _DAY:
        return _two(length // _HOUR, "h", length % _HOUR // _MINUTE, "m")
    if length < 3 * _DAY:
        return _two(length // _DAY, "d", length % _DAY // _HOUR, "h")
    return f"{length // _DAY}d"


def _two(large: int, unit: str, small: int, smaller: str) -> str:
    return f"{large}{unit}{f'{small}{smaller}' if small else ''}"


def duration_error(value: Atom, *, least: timedelta, most: timedelta) -> str | None:
    """The error if the value is not a duration from `least` to `most`, otherwise None."""
    if isinstance(value, bool | float | Misread):
        return f"is read as {meaning(value)}: {_HOW}"
    if isinstance(value, int):
        fitting = [text for text in (f"{value}s", f"{value}m") if _fits(text, least, most)]
        return f"is {value}, a number without a unit: " + (f"write {fitting[0]}" if fitting else _HOW)
    if not isinstance(value, str):
        return None  # the schema reports the wrong type
    if (length := parse_duration(value)) is None:
        meant = _suggestion(value)
        fix = f"write {meant}" if meant and _fits(meant, least, most) else _HOW
        return f"{quote(value)} is not a duration: {fix}"
    if length < least:
        return f"{quote(value)} is too short: write {format_duration(least)} or more"
    if length > most:
        return f"{quote(value)} is too long: write {format_duration(most)} or less"
    return None


def _fits(text: str, least: timedelta, most: timedelta) -> bool:
    length = parse_duration(text)
    return length is not None and least <= length <= most


def _suggestion(text: str) -> str | None:
    """The valid form of a common variant such as "5 minutes", "10min", "1d" or "300"."""
    if text.isdecimal() and text.isascii() and len(text) < 7:
        return f"{int(text)}s"
    if not (match := _LOOSE.fullmatch(text)):
        return None
    number, unit = int(match[1]), match[2].lower()
    return f"{number * 24}h" if unit == "d" else f"{number}{unit}"
