"""What time it is: by Azure's clock where ours is wrong, since all that it is held against is Azure's time.

A clock that is minutes ahead, or set forward in the middle, would otherwise have instances that are just
coming back called late, and a good image given up for them. So would a proxy that dates three answers a day
ahead: what most of the last answers say counts.
"""

import time
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from statistics import median_low
from threading import Lock

# An answer says its time in whole seconds.
_TOLERANCE = timedelta(seconds=5)
_KEPT = 9  # answers: four that are wrong in a row change nothing
# A moment of another year says nothing: "0001-01-01" stands for none, and one near the year 9999 overflows as
# soon as a wait is added.
_YEARS = range(2000, 2200)


def steady() -> Callable[[], datetime]:
    """Our own clock as it stands now, carried on by the time since boot: nobody sets that one."""
    clock = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
    began, ticks = datetime.now(UTC), time.clock_gettime(clock)
    return lambda: began + timedelta(seconds=time.clock_gettime(clock) - ticks)


class AzureClock:
    """Safe to share between threads."""

    def __init__(self, read: Callable[[], datetime]) -> None:
        """`reading` is our own clock."""
        self.read = read
        self._offsets: deque[timedelta] = deque(maxlen=_KEPT)
        self._offset = timedelta()
        self._lock = Lock()

    def now(self) -> datetime:
        """By Azure's clock, as most of its last answers told it."""
        return self.read() + self._offset

    def note_date(self, date: datetime | None, sent_at: datetime) -> None:
        """Take over what an answer that has just come says of the time; `asked_at` is by our own clock."""
        if date is None:
            return
        # It was `date` at some moment since it was asked. An answer that took 20 seconds, dated when Azure
        # began it, does not set the clock back: 0 lies between -20 and 0.
        least, most = date - self.read(), date - sent_at
        offset = least if least > _TOLERANCE else most if most < -_TOLERANCE else timedelta()
        with self._lock:
            self._offsets.append(offset)
            self._offset = median_low(self._offsets)


def is_plausible(moment: datetime) -> bool:
    """Whether a moment that Azure names can be meant."""
    return moment.year in _YEARS


def parse_date(date: str | None) -> datetime | None:
    """The time in the "Date" of an answer, None where it says none.

    >>> print(parse_date("Mon, 05 Jan 2026 09:00:00 GMT"))
    2026-01-05 09:00:00+00:00
    >>> [parse_date(text) for text in (None, "", "yesterday", "Mon, 05 Jan 2026 09:00:00 -0000")]
    [None, None, None, None]
    """
    try:
        found = parsedate_to_datetime(date) if date else None
    except (ValueError, OverflowError):
        return None
    return found if found and found.tzinfo and is_plausible(found) else None
