"""Maintenance windows: when working instances may be taken down, by cron, a duration and a time zone.

Without windows it is always allowed. Where one of kind `allow` is declared, one of them must be open; while
one of kind `deny` is open nothing is allowed, whatever else is. All pure: the moment is given.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from cronsim import CronSim

# How far ahead the next opening is looked for; windows that never leave room open nothing.
_HORIZON = timedelta(days=366)


class Kind(StrEnum):
    """What a window does while it is open."""

    ALLOW = "allow"
    DENY = "deny"


@dataclass(frozen=True, slots=True)
class Window:
    """Opens at every match of `schedule` (five cron fields) on the clocks of `zone`, for `duration`."""

    kind: Kind
    schedule: str
    duration: timedelta
    zone: str

    def __str__(self) -> str:
        return f"{self.kind} {self.schedule} {self.zone}"


@dataclass(frozen=True, slots=True)
class Opening:
    """Whether it is allowed, until when, and by which window it is so.

    `until` is when that ends: None where it never does, or not within a year.
    """

    is_open: bool
    until: datetime | None
    window: Window | None = None


def opening(windows: Sequence[Window], at: datetime) -> Opening:
    """How it stands at `at`."""
    denied = _open(windows, Kind.DENY, at)
    if denied is not None:
        return Opening(False, _next(windows, at), denied)
    allowed = _open(windows, Kind.ALLOW, at)
    if allowed is not None or not any(each.kind is Kind.ALLOW for each in windows):
        return Opening(True, _closing(windows, at), allowed)
    return Opening(False, _next(windows, at))


def _open(windows: Sequence[Window], kind: Kind, at: datetime) -> Window | None:
    return next((each for each in windows if each.kind is kind and _end(each, at) is not None), None)


def _is_open(windows: Sequence[Window], at: datetime) -> bool:
    if _open(windows, Kind.DENY, at):
        return False
    return _open(windows, Kind.ALLOW, at) is not None or not any(each.kind is Kind.ALLOW for each in windows)


def _next(windows: Sequence[Window], at: datetime) -> datetime | None:
    """The first moment after `at` at which it is allowed: where a window of kind allow opens, or one of deny
    ends."""
    return _first(windows, at, is_open=True)


def _closing(windows: Sequence[Window], at: datetime) -> datetime | None:
    return _first(windows, at, is_open=False)


def _first(windows: Sequence[Window], at: datetime, *, is_open: bool) -> datetime | None:
    """The first change of a window after `at` at which it is as asked for."""
    moment: datetime | None = at
    while moment is not None and moment - at <= _HORIZON:
        moment = min((found for each in windows if (found := _change(each, moment))), default=None)
        if moment is not None and _is_open(windows, moment) is is_open:
            return moment
    return None


def _change(window: Window, at: datetime) -> datetime | None:
    """When this window opens or ends next, after `at`."""
    ends = _end(window, at)
    starts = next(_starts(window, at), None)
    return min((each for each in (ends, starts) if each), default=None)


def _end(window: Window, at: datetime) -> datetime | None:
    """When the window that is open at `at` ends, None where it is not open."""
    started = next(_starts(window, at + timedelta(seconds=1), is_backwards=True), None)
    if started is None or at - started >= window.duration:
        return None
    return started + window.duration


def _starts(window: Window, at: datetime, *, is_backwards: bool = False) -> Iterator[datetime]:
    """The moments at which it opens, in UTC: after `at`, or before it."""
    for local in CronSim(window.schedule, at.astimezone(ZoneInfo(window.zone)), reverse=is_backwards):
        yield local.astimezone(UTC)
