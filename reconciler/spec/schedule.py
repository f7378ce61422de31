"""Cron schedules on the clocks of a time zone: the minutes at which one comes.

cronsim reads the five fields and knows the days they name. The clocks are ours, as Debian's cron has them: a
time that is skipped when clocks go forward comes at the first moment after the gap, and one that is there
twice when they go back comes the first time alone. But a schedule whose minute or hour begins with a star
comes at every minute that the clocks show, twice or never.

Minutes are bits of one large number, bit 0 the first of them: that makes a year of any schedule as quick as
a day, and two spans of time that touch are one.
"""

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from cronsim import CronSim

MINUTE = timedelta(minutes=1)
_DAY = timedelta(days=1)


def minutes(schedule: str, zone: str, since: datetime, count: int) -> int:
    """Of the `count` minutes from `since`, a whole minute in UTC, those at which the schedule comes.

    >>> bin(minutes("*/15 * * * *", "UTC", datetime(2026, 1, 5, 9, 0, tzinfo=UTC), 31))
    '0b1000000000000001000000000000001'
    """
    clocks, cron = ZoneInfo(zone), _read(schedule)
    # A day more on each side: whatever the offset, no day is missed.
    first, last = since.date() - _DAY, (since + count * MINUTE).date() + _DAY
    found = 0
    for day in _days(cron.fields, first, last):
        midnight, next_midnight = (_moment(each, 0, clocks) for each in (day, day + _DAY))
        is_usual = next_midnight - midnight == _DAY
        of_day = cron.of_day if is_usual else _of_changed_day(schedule, zone, day)
        to = (midnight - since) // MINUTE
        found |= of_day << to if to >= 0 else of_day >> -to
    return found & ((1 << count) - 1)


@dataclass(frozen=True, slots=True)
class _Cron:
    """`of_day` are the minutes of a day on which it comes; `is_by_clocks` whether every one that clocks show
    counts, and no other."""

    fields: CronSim
    of_day: int
    is_by_clocks: bool


@functools.lru_cache(maxsize=1000)
def _read(schedule: str) -> _Cron:
    cron = CronSim(schedule, datetime(2000, 1, 1))  # for its fields: where it would start does not matter
    minute, hour, *_ = schedule.split()
    of_day = sum(1 << hour * 60 + minute for hour in cron.hours for minute in cron.minutes)
    return _Cron(cron, of_day, is_by_clocks="*" in (minute[0], hour[0]))


def _days(cron: CronSim, day: date, last: date) -> Iterator[date]:
    """The days on which it comes, from `day` to `last`."""
    while day <= last:
        if day.month not in cron.months:
            day = (day.replace(day=1) + timedelta(days=31)).replace(day=1)
            continue
        if cron.match_day(day):
            yield day
        day += _DAY


@functools.lru_cache(maxsize=1000)
def _of_changed_day(schedule: str, zone: str, day: date) -> int:
    """The minutes after midnight at which it comes on a day on which clocks are changed."""
    clocks, cron = ZoneInfo(zone), _read(schedule)
    moments = {
        moment
        for minute in range(24 * 60)
        if cron.of_day >> minute & 1
        for moment in _moments(day, minute, clocks, is_by_clocks=cron.is_by_clocks)
    }
    midnight = _moment(day, 0, clocks)
    return sum(1 << (moment - midnight) // MINUTE for moment in moments)


def _moments(day: date, minute: int, clocks: ZoneInfo, *, is_by_clocks: bool) -> list[datetime]:
    """When what comes at this minute of the day does come, in UTC."""
    shown = [_moment(day, minute, clocks, fold) for fold in (0, 1) if _is_shown(day, minute, clocks, fold)]
    if is_by_clocks:
        return shown
    if shown:
        return shown[:1]
    later = minute
    while not _is_shown(day, later, clocks):
        later += 1
    return [_moment(day, later, clocks)]


def _moment(day: date, minute: int, clocks: ZoneInfo, fold: int = 0) -> datetime:
    """The moment in UTC at which clocks show this minute of the day: the first such moment, or the second."""
    return _text(day, minute, clocks, fold).astimezone(UTC)


def _is_shown(day: date, minute: int, clocks: ZoneInfo, fold: int = 0) -> bool:
    """Whether clocks ever show this minute of the day, a second time if `fold` is 1."""
    shown = _text(day, minute, clocks, fold)
    back = shown.astimezone(UTC).astimezone(clocks)
    return (back.replace(tzinfo=None), back.fold) == (shown.replace(tzinfo=None), fold)


def _text(day: date, minute: int, clocks: ZoneInfo, fold: int) -> datetime:
    midnight = datetime(day.year, day.month, day.day, tzinfo=clocks)
    return (midnight + minute * MINUTE).replace(fold=fold)  # by the calendar: Python adds as if it were naive
