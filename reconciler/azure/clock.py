"""The current time, corrected to Azure's clock, because it is compared only with times from Azure.

If our clock were minutes ahead, instances that have just started would count as late, and a good image as
failed. A proxy that dates a few responses a day ahead would have the same effect, so the majority of the most
recent responses decides.
"""

import time
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from statistics import median_low
from threading import Lock

# The date of a response is in whole seconds.
_TOLERANCE = timedelta(seconds=5)
_KEPT = 9  # responses; four wrong ones in a row have no effect
# Times in other years are ignored: "0001-01-01" means that there is no time, and a time near the year 9999
# overflows when a duration is added.
_YEARS = range(2000, 2200)


def steady() -> Callable[[], datetime]:
    """A clock that starts at the current time and advances with the time since boot.

    Changing the system time does not affect it.
    """
    clock = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
    began, ticks = datetime.now(UTC), time.clock_gettime(clock)
    return lambda: began + timedelta(seconds=time.clock_gettime(clock) - ticks)


class AzureClock:
    """Our own clock, corrected with the dates of Azure's responses. Safe to share between threads."""

    def __init__(self, read: Callable[[], datetime]) -> None:
        """`read` returns the time of our own clock."""
        self.read = read
        self._offsets: deque[timedelta] = deque(maxlen=_KEPT)
        self._offset = timedelta()
        self._lock = Lock()

    def now(self) -> datetime:
        """The current time in Azure, according to the majority of its recent responses."""
        return self.read() + self._offset

    def note_date(self, date: datetime | None, sent_at: datetime) -> None:
        """Record the date of a response that has just arrived.

        `sent_at` is the time when the request was sent, according to our own clock.
        """
        if date is None:
            return
        # Azure wrote `date` at some time between the request and now, so the offset is between these two. If
        # a response took 20 seconds and is dated at its start, the offset is between -20 and 0, and 0 is
        # kept.
        least, most = date - self.read(), date - sent_at
        offset = least if least > _TOLERANCE else most if most < -_TOLERANCE else timedelta()
        with self._lock:
            self._offsets.append(offset)
            self._offset = median_low(self._offsets)


def is_plausible(moment: datetime) -> bool:
    """Whether a time from Azure is in a plausible year."""
    return moment.year in _YEARS


def parse_date(date: str | None) -> datetime | None:
    """The time in the "Date" header of a response, or None if the header has no valid date.

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
