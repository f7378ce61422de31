"""Maintenance windows: when healthy instances may be taken out of service.

A window has a cron schedule, a duration and a time zone. Without windows, upgrades are always allowed. If any
window of kind `allow` is declared, upgrades are allowed only while one of these windows is open. While a
window of kind `deny` is open, no upgrade is allowed. All functions are pure: the time is a parameter.
"""

import functools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from reconciler.spec.schedule import MINUTE, minutes

# The search for the next change covers periods of these numbers of days, one after the other, because most
# windows recur every week. A window that does not change within a year is treated as one that never changes.
_YEAR = (8, 56, 302)
# Windows that never open in these four years are treated as never opening: the four years contain every day
# of the calendar.
_YEARS = tuple(datetime(year, 1, 1, tzinfo=UTC) for year in range(2024, 2028))


class Kind(StrEnum):
    """What a window does while it is open."""

    ALLOW = "allow"
    DENY = "deny"


@dataclass(frozen=True, slots=True)
class Window:
    """A window that opens for `duration` at every time that matches `schedule` in the time zone `zone`.

    `schedule` has five cron fields. `duration` is elapsed time in whole minutes, which clock changes do not
    affect.
    """

    kind: Kind
    schedule: str
    duration: timedelta
    zone: str

    def __str__(self) -> str:
        return f"{self.kind} {self.schedule} {self.zone}"


@dataclass(frozen=True, slots=True)
class Opening:
    """Whether upgrades are allowed, and until when.

    `until` is the time of the next change, or None if there is no change within a year. `window` is the
    window that decides whether upgrades are allowed, or None if no window does.
    """

    is_open: bool
    until: datetime | None
    window: Window | None = None


def opening(windows: Sequence[Window], at: datetime) -> Opening:
    """Whether the windows allow an upgrade at `at`, and when that changes."""
    now = at.astimezone(UTC).replace(second=0, microsecond=0)
    denying, allowing = (
        next((each for each in windows if each.kind is kind and _open(each, now, 1)), None)
        for kind in (Kind.DENY, Kind.ALLOW)
    )
    is_open = bool(_allowed_minutes(windows, now, 1))
    return Opening(is_open, _change(windows, now, is_open=is_open), denying or allowing)


@functools.lru_cache(maxsize=1000)
def never_opens(windows: tuple[Window, ...]) -> bool:
    """Whether these windows never allow an upgrade.

    Checks four years, which contain every day of the calendar.
    """
    return not any(
        _allowed_minutes(windows, since, count) for year in _YEARS for since, count in _stretches(year)
    )


@functools.lru_cache(maxsize=1000)
def shadowed_windows(windows: tuple[Window, ...]) -> Mapping[int, frozenset[int] | None]:
    """The allow windows that have no effect in the four years that `never_opens` checks, by index.

    Each value has the indexes of the deny windows that each cover the whole allow window alone, or is None if
    the allow window itself never opens.
    """
    denying = [index for index, each in enumerate(windows) if each.kind is Kind.DENY]
    left = {index: frozenset(denying) for index, each in enumerate(windows) if each.kind is Kind.ALLOW}
    opening = set[int]()
    for since, count in (stretch for year in _YEARS for stretch in _stretches(year)):
        if not left:
            break
        denied = {index: _open(windows[index], since, count) for index in denying}
        all_denied = functools.reduce(int.__or__, denied.values(), 0)
        for index in tuple(left):
            allowed = _open(windows[index], since, count)
            opening |= {index} if allowed else set()
            if allowed & ~all_denied:
                del left[index]
            else:
                left[index] = frozenset(each for each in left[index] if not allowed & ~denied[each])
    return {index: alone if index in opening else None for index, alone in left.items()}


def _change(windows: Sequence[Window], now: datetime, *, is_open: bool) -> datetime | None:
    """The first minute after `now` in which `is_open` changes, or None if there is none within a year."""
    if not windows:
        return None
    for since, count in _stretches(now):
        allowed = _allowed_minutes(windows, since, count)
        if changed := _every(count) ^ allowed if is_open else allowed:
            return since + _lowest(changed) * MINUTE
    return None


def _stretches(since: datetime) -> Iterator[tuple[datetime, int]]:
    """The periods that make up the year from `since`: the start and the number of minutes of each."""
    for days in _YEAR:
        yield since, days * _DAY
        since += days * _DAY * MINUTE


# Below, a set of minutes is one large integer, in which bit 0 is the first minute.

_DAY = 24 * 60


def _allowed_minutes(windows: Sequence[Window], since: datetime, count: int) -> int:
    """Those of the `count` minutes starting at `since` during which upgrades are allowed."""
    denied = allowed = 0
    for each in windows:
        if each.kind is Kind.DENY:
            denied |= _open(each, since, count)
        else:
            allowed |= _open(each, since, count)
    if all(each.kind is Kind.DENY for each in windows):
        allowed = _every(count)
    return allowed & ~denied


def _open(window: Window, since: datetime, count: int) -> int:
    """The minutes during which the window is open, among `count` minutes from `since`."""
    length = window.duration // MINUTE
    opened = minutes(window.schedule, window.zone, since - length * MINUTE, length + count)
    done = 1  # minutes after each opening that are already set
    while done < length:
        more = min(done, length - done)
        opened |= opened << more
        done += more
    return opened >> length & _every(count)


def _every(count: int) -> int:
    return (1 << count) - 1


def _lowest(bits: int) -> int:
    return (bits & -bits).bit_length() - 1
