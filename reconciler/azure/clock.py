"""What time it is: by Azure's clock where ours is wrong, since all that it is held against is Azure's time.

A clock that is minutes ahead, or set forward in the middle, would otherwise have instances that are just
coming back called late, and a good image given up for them.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime

# An answer says its time in whole seconds, and was some time on its way.
_ALIKE = timedelta(seconds=5)
# A moment of another year says nothing: "0001-01-01" stands for none, and one near the year 9999 overflows as
# soon as a wait is added.
_YEARS = range(2000, 2200)


class Clock:
    """Safe to share between threads."""

    def __init__(self, reading: Callable[[], datetime]) -> None:
        """`reading` is our own clock."""
        self.reading = reading
        self._behind = timedelta()

    def now(self) -> datetime:
        """By Azure's clock, as its last answer told it."""
        return self.reading() + self._behind

    def heed(self, date: datetime | None) -> None:
        """Take over what time it is in Azure at this moment."""
        if date is not None:
            behind = date - self.reading()
            self._behind = behind if abs(behind) > _ALIKE else timedelta()


def is_plausible(moment: datetime) -> bool:
    """Whether a moment that Azure names can be meant."""
    return moment.year in _YEARS


def told(date: str | None) -> datetime | None:
    """The time in the "Date" of an answer, None where it says none.

    >>> print(told("Mon, 05 Jan 2026 09:00:00 GMT"))
    2026-01-05 09:00:00+00:00
    >>> [told(text) for text in (None, "", "yesterday", "Mon, 05 Jan 2026 09:00:00 -0000")]
    [None, None, None, None]
    """
    try:
        found = parsedate_to_datetime(date) if date else None
    except (ValueError, OverflowError):
        return None
    return found if found and found.tzinfo and is_plausible(found) else None
