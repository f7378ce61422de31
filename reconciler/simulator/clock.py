"""Time in the simulator: a clock with an agenda of events.

Nothing in the simulator runs in the background. Everything that takes time is an event in the clock's agenda.
Reading, holding or advancing the clock runs the events that are due, in order. While an event runs, `now()`
returns the time at which the event was due. Times are therefore correct even if a wall clock is read late.

The simulator has a single lock, which belongs to the clock. Hold the clock (`with clock.hold()`) to read or
change any state.
"""

from __future__ import annotations

import heapq
import itertools
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

MONDAY_MORNING = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)

Callback = Callable[[], None]


class Clock(ABC):
    """A source of time, an agenda, and the lock that protects both."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._agenda: list[tuple[datetime, int, Callback]] = []
        self._order = itertools.count()
        self._event_time: datetime | None = None

    @abstractmethod
    def _reading(self) -> datetime:
        """Return the current time, even while an event runs."""

    @abstractmethod
    def sleep(self, duration: timedelta) -> None:
        """Let `duration` pass on this clock."""

    def now(self) -> datetime:
        """Run all due events and return the current time.

        Within an event, return the time at which the event was due. While the clock is held, time stands
        still.
        """
        with self._lock:
            if self._event_time is not None:
                return self._event_time
            now = self._reading()
            self._run_until(now)
            return now

    def after(self, delay: timedelta, event: Callback) -> None:
        """Schedule `event` to run after `delay`.

        Events that are due at the same time run in the order in which they were added.
        """
        with self.hold() as now:
            heapq.heappush(self._agenda, (now + delay, next(self._order), event))

    @property
    def next_event(self) -> datetime | None:
        """The time at which the next event is due, or None if the agenda is empty."""
        with self._lock:
            return self._agenda[0][0] if self._agenda else None

    @contextmanager
    def hold(self) -> Iterator[datetime]:
        """Run all due events, and stop time until the block ends."""
        with self._lock:
            if self._event_time is not None:
                yield self._event_time
                return
            now = self._reading()
            self._run_until(now)
            self._event_time = now
            try:
                yield now
            finally:
                self._event_time = None

    def _run_until(self, end: datetime) -> None:
        while self._agenda and self._agenda[0][0] <= end:
            when, _, event = heapq.heappop(self._agenda)
            self._event_time = when
            try:
                event()
            finally:
                self._event_time = None


class VirtualClock(Clock):
    """A clock that moves only when it is advanced."""

    def __init__(self, start: datetime = MONDAY_MORNING) -> None:
        super().__init__()
        self._now = start

    def advance(self, duration: timedelta) -> None:
        """Move the clock forward by `duration`, running every event that becomes due.

        Raises RuntimeError within an event or while the clock is held.
        """
        with self._lock:
            if self._event_time is not None:
                raise RuntimeError("a virtual clock cannot be advanced while it is held")
            end = self._now + duration
            self._run_until(end)
            self._now = end

    def sleep(self, duration: timedelta) -> None:
        self.advance(duration)

    def _reading(self) -> datetime:
        return self._now


class WallClock(Clock):
    """The system clock."""

    def __init__(self) -> None:
        super().__init__()
        self._wait = threading.Event()

    def sleep(self, duration: timedelta) -> None:
        self._wait.wait(duration.total_seconds())

    def _reading(self) -> datetime:
        return datetime.now(UTC)
