"""The clock of a small world: it always shows `NOW`. When time passes, everything else is longer ago."""

from datetime import datetime, timedelta

from tests.build import NOW

UNIT = timedelta(minutes=5)
_AGO = [NOW - UNIT * number for number in range(64)]


def ago(units: int) -> datetime:
    return _AGO[units] if units < len(_AGO) else NOW - UNIT * units


def age(at: datetime) -> int:
    units, remainder = divmod(NOW - at, UNIT)
    assert not remainder, f"{at} is no number of units ago"
    return units


def maybe_ago(units: int | None) -> datetime | None:
    return None if units is None else ago(units)


def maybe_age(at: datetime | None) -> int | None:
    return None if at is None else age(at)
