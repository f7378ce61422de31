"""The durations of the simulated platform, and how a fleet file writes durations: `8s`, `2m`, `0.5s`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta

ISO = re.compile(r"PT(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?")
DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h)")
UNITS = {"ms": "milliseconds", "s": "seconds", "m": "minutes", "h": "hours"}
# An operation without any work still takes a moment: 0.6 s in recorded traffic.
NOTHING_TO_DO = timedelta(seconds=0.6)


def duration(text: str) -> timedelta:
    """Parse a duration as a fleet file writes it. Raises ValueError if `text` is not a duration.

    >>> duration("1.5m")
    datetime.timedelta(seconds=90)
    """
    match = DURATION.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is not a duration: write one like 8s, 2m or 0.5s")
    return timedelta(**{UNITS[match.group(2)]: float(match.group(1))})


def iso_duration(text: str) -> timedelta:
    """Parse the hours, minutes and seconds of an ISO 8601 duration, as the API writes it.

    Returns zero for any other text.

    >>> iso_duration("PT1M30S")
    datetime.timedelta(seconds=90)
    """
    match = ISO.fullmatch(text)
    hours, minutes, seconds = match.groups() if match else (None, None, None)
    return timedelta(hours=float(hours or 0), minutes=float(minutes or 0), seconds=float(seconds or 0))


def iso_text(wait: timedelta) -> str:
    """Return a duration in ISO 8601, as the API writes it.

    >>> iso_text(timedelta(minutes=30)), iso_text(timedelta(seconds=0.5))
    ('PT30M', 'PT0.5S')
    """
    minutes = wait / timedelta(minutes=1)
    return f"PT{int(minutes)}M" if minutes.is_integer() else f"PT{wait.total_seconds():g}S"


@dataclass(frozen=True, slots=True)
class Timings:
    """The durations of the simulated platform.

    `model` is the time to update the scale set's own model, or an instance that needs no new disk. `upgrade`
    is the time to stop an instance and replace its OS disk. `boot` is the time to start an instance. `health`
    is the time from running to the first health report. `create` is the time to create an instance until it
    runs. `conflict` is the time after an operation during which writes get a 409. In Azure, a few seconds
    were observed. `log` is the time until the activity log shows an event. According to the documentation,
    this takes a few minutes.
    """

    model: timedelta = timedelta(seconds=8)
    upgrade: timedelta = timedelta(seconds=60)
    boot: timedelta = timedelta(seconds=20)
    health: timedelta = timedelta(seconds=15)
    create: timedelta = timedelta(seconds=40)
    conflict: timedelta = timedelta(0)
    log: timedelta = timedelta(minutes=3)

    def of(self, name: str) -> timedelta:
        """Return the duration with this name, or zero for "".

        >>> Timings().of("boot")
        datetime.timedelta(seconds=20)
        """
        wait: timedelta = getattr(self, name) if name else timedelta(0)
        return wait

    @property
    def retry_after(self) -> int:
        """The number of seconds that a client must wait before it polls an operation again."""
        return max(1, min(10, round((self.upgrade + self.boot).total_seconds() / 4)))
