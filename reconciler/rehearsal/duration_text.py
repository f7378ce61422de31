"""Writes durations in the form that a fleet file uses."""

from datetime import timedelta

_UNITS = {"h": timedelta(hours=1), "m": timedelta(minutes=1), "s": timedelta(seconds=1)}


def duration_text(length: timedelta) -> str:
    """The duration in the largest unit that divides it evenly, or else in seconds.

    >>> [duration_text(timedelta(seconds=seconds)) for seconds in (7200, 5400, 90, 0, 0.5)]
    ['2h', '90m', '90s', '0s', '0.5s']
    """
    for unit, one in _UNITS.items():
        if length and length % one == timedelta():
            return f"{length // one}{unit}"
    return f"{length.total_seconds():g}s"
