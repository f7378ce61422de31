"""Notices that the clock of the machine has been set."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from threading import Event, Thread

_INTERVAL = 1.0  # seconds
_STEP = timedelta(seconds=2)  # NTP corrects smaller differences without a step


class ClockWatch:
    """Compares the time of day with a clock that nobody can set, and calls `on_step` after each step."""

    def __init__(self, now: Callable[[], datetime], on_step: Callable[[], None]) -> None:
        """`now` is the clock that nobody can set."""
        self._now = now
        self._on_step = on_step
        self._is_stopping = Event()
        self._thread = Thread(target=self._run, name="clock-watch")

    def start(self) -> None:
        """Begin to watch."""
        self._thread.start()

    def stop(self) -> None:
        """Return when `on_step` will be called no more."""
        self._is_stopping.set()
        self._thread.join()

    def time_of_day(self, at: datetime) -> datetime:
        """What the clock of the machine will show when `now` is `at`, unless it is set before then."""
        return datetime.now(UTC) + (at - self._now())

    def _run(self) -> None:
        known = self._offset()
        while not self._is_stopping.wait(_INTERVAL):
            if abs(self._offset() - known) > _STEP:
                known = self._offset()
                self._on_step()

    def _offset(self) -> timedelta:
        return datetime.now(UTC) - self._now()
