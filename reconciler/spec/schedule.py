"""Cron schedules in a time zone: the minutes that a schedule matches.

cronsim parses the five fields and finds the matching days. This module handles clock changes the way Debian's
cron does. A time that is skipped when clocks go forward matches at the first moment after the gap. A time
that is repeated when clocks go back matches only the first time. A schedule whose minute or hour starts with
a star follows the clocks: a repeated minute matches twice, and a skipped minute does not match.

A set of minutes is one large integer, in which bit 0 is the first minute. This makes a year as cheap as a
day, and merges adjacent periods.
"""

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from cronsim import CronSim

MINUTE = timedelta(minutes=1)
_DAY = timedelta(days=1)
_PART = 20 * 24 * 60  # minutes that are assembled at once: adding each day to a whole year is slower


def minutes(schedule: str, zone: str, since: datetime, count: int) -> int:
    """One bit for each of `count` minutes from `since`: 1 if the schedule matches that minute.

    The lowest bit is the first minute. `since` must be a whole minute.

    >>> bin(minutes("*/15 * * * *", "UTC", datetime(2026, 1, 5, 9, 0, tzinfo=UTC), 31))
    '0b1000000000000001000000000000001'
    """
    cron = _read(schedule)
    # One more day on each side, so that no UTC offset causes a day to be missed.
    first, last = since.date() - _DAY, (since + count * MINUTE).date() + _DAY
    found, part, begin = 0, 0, 0  # `part` begins at minute `begin`
    for day in _days(cron.fields, first, last):
        midnight, next_midnight = (_midnight(each, zone) for each in (day, day + _DAY))
        is_usual = next_midnight - midnight == _DAY
        of_day = cron.of_day if is_usual else _of_changed_day(schedule, zone, day)
        to = (midnight - since) // MINUTE
        if to - begin > _PART:
            found |= part << begin
            part, begin = 0, to
        part |= of_day << to - begin if to >= begin else of_day >> begin - to
    return (found | part << begin) & ((1 << count) - 1)


@dataclass(frozen=True, slots=True)
class _Cron:
    """A parsed schedule. `of_day` has the minutes that the schedule matches on a matching day.

    `is_by_clocks` is true if the schedule follows the clocks through a clock change.
    """

    fields: CronSim
    of_day: int
    is_by_clocks: bool


@functools.lru_cache(maxsize=1000)
def _read(schedule: str) -> _Cron:
    cron = CronSim(schedule, datetime(2000, 1, 1))  # the start does not matter: only the fields are used
    minute, hour, *_ = schedule.split()
    of_day = sum(1 << hour * 60 + minute for hour in cron.hours for minute in cron.minutes)
    return _Cron(cron, of_day, is_by_clocks="*" in (minute[0], hour[0]))


def _days(cron: CronSim, day: date, last: date) -> Iterator[date]:
    """The matching days from `day` to `last`."""
    while day <= last:
        if day.month not in cron.months:
            day = (day.replace(day=1) + timedelta(days=31)).replace(day=1)
            continue
        if cron.match_day(day):
            yield day
        day += _DAY


@functools.lru_cache(maxsize=1000)
def _of_changed_day(schedule: str, zone: str, day: date) -> int:
    """The minutes after midnight that the schedule matches on a day with a clock change."""
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
    """The times in UTC at which this minute of the day occurs."""
    shown = [_moment(day, minute, clocks, fold) for fold in (0, 1) if _is_shown(day, minute, clocks, fold)]
    if is_by_clocks:
        return shown
    if shown:
        return shown[:1]
    later = minute
    while not _is_shown(day, later, clocks):
        later += 1
    return [_moment(day, later, clocks)]


@functools.lru_cache(maxsize=10_000)
def _midnight(day: date, zone: str) -> datetime:
    return _moment(day, 0, ZoneInfo(zone))


def _moment(day: date, minute: int, clocks: ZoneInfo, fold: int = 0) -> datetime:
    """The UTC time at which the clocks first show this minute of the day, or show it again if `fold` is 1."""
    return _text(day, minute, clocks, fold).astimezone(UTC)


def _is_shown(day: date, minute: int, clocks: ZoneInfo, fold: int = 0) -> bool:
    """Whether the clocks show this minute of the day or, if `fold` is 1, show it a second time."""
    shown = _text(day, minute, clocks, fold)
    back = shown.astimezone(UTC).astimezone(clocks)
    return (back.replace(tzinfo=None), back.fold) == (shown.replace(tzinfo=None), fold)


def _text(day: date, minute: int, clocks: ZoneInfo, fold: int) -> datetime:
    midnight = datetime(day.year, day.month, day.day, tzinfo=clocks)
    return (midnight + minute * MINUTE).replace(fold=fold)  # Python ignores clock changes when it adds
