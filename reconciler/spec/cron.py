"""Validates cron schedules with five fields. cronsim finds the errors, and this module words them."""

import re
from collections.abc import Iterator
from datetime import datetime

from cronsim import CronSim, CronSimError

from reconciler.spec.wording import one_of, quote, shorten

_NAMES = ("minute", "hour", "day of the month", "month", "day of the week")
_FIVE = f'{one_of(_NAMES, last="and")}, such as "0 2 * * 6"'
_EVERY = ("*", "*", "*", "*", "*")
_BOUNDS = ("0 to 59", "0 to 23", "1 to 31", "1 to 12 or JAN to DEC", "0 to 7 or SUN to SAT")
_RANGES = (("0", "59"), ("0", "23"), ("1", "31"), ("1", "12"), ("0", "6"))
_NAMED_RANGES = {3: ("JAN", "DEC"), 4: ("SUN", "SAT")}
_NICKNAMES = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
_LONGEST = 200  # characters; no schedule needs more, and the time that cronsim takes grows with the length


def schedule_error(text: str) -> str | None:
    """The error if the text is not a valid schedule, otherwise None."""
    fields = text.split()
    if meant := _NICKNAMES.get(text.strip().casefold()):
        return f'{quote(text)} is a cron nickname, which is not supported: write "{meant}"'
    if len(fields) != len(_NAMES):
        return f"{quote(text)} has {_count(fields)}, but a cron schedule has five: {_field_count_fix(fields)}"
    if text != " ".join(fields):
        return f'{quote(text)} contains extra whitespace: write "{shorten(" ".join(fields))}"'
    if len(text) > _LONGEST:
        return f"{quote(text)} is longer than {_LONGEST} characters: split it into two windows"
    wrong = list(_field_errors(fields))
    if len(wrong) > 2:
        return f"{quote(text)} is not a cron schedule: write {_FIVE}"
    if wrong:
        return f"{quote(text)}: {'; '.join(wrong)}"
    return (
        None
        if _ever_comes(text)
        else f"{quote(text)} never occurs: {_impossible_day(fields)}; name another day"
    )


def _count(fields: list[str]) -> str:
    return {0: "no field", 1: "one field"}.get(len(fields), f"{len(fields)} fields")


def _field_count_fix(fields: list[str]) -> str:
    if len(fields) == len(_NAMES) + 1:
        return "remove the seconds or the year"
    return _FIVE


def _field_errors(fields: list[str]) -> Iterator[str]:
    """The error for each field that is invalid on its own."""
    for number, field in enumerate(fields):
        if not _is_valid(*_EVERY[:number], field, *_EVERY[number + 1 :]):
            yield f"the {_NAMES[number]} {_field_error(field, number)}"


def _is_valid(*fields: str) -> bool:
    try:
        CronSim(" ".join(fields), datetime(2000, 1, 1))
    except CronSimError:
        return False
    return True


def _field_error(field: str, number: int) -> str:
    if "?" in field:
        return "contains ?, which cron does not support: write *"
    if backwards := re.fullmatch(r"(\w+)-(\w+)", field):
        first, last = (each.upper() for each in backwards.groups())
        least, most = _NAMED_RANGES.get(number, _RANGES[number]) if first.isalpha() else _RANGES[number]
        rearranged = (_range(first, most), _range(least, last))
        if all(_is_valid(*_EVERY[:number], each, *_EVERY[number + 1 :]) for each in rearranged):
            return f"runs backwards from {quote(first)} to {quote(last)}: write {','.join(rearranged)}"
    for named in (_NAMED_RANGES.get(number) and re.findall("[A-Za-z]{4,}", field)) or ():
        short = named[:3].upper()
        if _is_valid(*_EVERY[:number], short, *_EVERY[number + 1 :]):
            return f"{quote(named)} must be abbreviated: write {short}"
    return f"{quote(field)} is invalid: write {_BOUNDS[number]}, a list 1,3, a range 1-3, a step */2 or *"


def _range(first: str, last: str) -> str:
    return first if first == last else f"{first}-{last}"


def _ever_comes(text: str) -> bool:
    try:
        return next(CronSim(text, datetime(2000, 1, 1)), None) is not None
    except CronSimError:  # every field is valid by itself, but no month has this day
        return False


def _impossible_day(fields: list[str]) -> str:
    day, month, weekday = fields[2:]
    if weekday == "*":
        return f"there is no day {day}" + ("" if month == "*" else f" in month {month}")
    return f"no day matches all of {one_of(map(quote, (day, month, weekday)), last='and')}"
