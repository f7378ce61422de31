"""Detects that the system clock has been set."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from threading import Event, Thread

_INTERVAL = 1.0  # seconds
_STEP = timedelta(seconds=2)  # NTP corrects smaller differences without a step


class ClockWatch:
    """Compares the system clock with a clock that cannot be set, and calls `on_step` after each step."""

    def __init__(self, now: Callable[[], datetime], on_step: Callable[[], None]) -> None:
        """`now` reads the clock that cannot be set."""
        self._now = now
        self._on_step = on_step
        self._is_stopping = Event()
        self._thread = Thread(target=self._run, name="clock-watch")

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Stop watching. Once this has returned, `on_step` is not called again."""
        self._is_stopping.set()
        self._thread.join()

    def time_of_day(self, at: datetime) -> datetime:
        """The time on the system clock when `now` reaches `at`, unless the clock is set before then."""
        return datetime.now(UTC) + (at - self._now())

    def _run(self) -> None:
        known = self._offset()
        while not self._is_stopping.wait(_INTERVAL):
            if abs(self._offset() - known) > _STEP:
                known = self._offset()
                self._on_step()

    def _offset(self) -> timedelta:
        return datetime.now(UTC) - self._now()
