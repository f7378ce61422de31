"""Lengths of time in a column of a table."""

from datetime import datetime, timedelta

_MINUTE, _HOUR, _DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


def age(since: str | None, now: datetime) -> str:
    """The time since a moment in the form of the JSON, "-" if it is unknown.

    >>> now = datetime.fromisoformat("2026-01-05T09:12:00+00:00")
    >>> age("2026-01-05T09:00:00+00:00", now), age(None, now)
    ('12m', '-')
    """
    return short_length(now - datetime.fromisoformat(since)) if since else "-"


def short_length(length: timedelta) -> str:
    """A length in at most two units, never negative: two machines may disagree about the time.

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
