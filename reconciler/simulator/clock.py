"""Time in the simulator: a clock with an agenda of events.

Nothing in the simulator sleeps, and nothing runs in the background. Everything that takes time is an event in
the clock's agenda. When the clock is next read, it runs the events that are due, in order, each at its own
exact time: a `VirtualClock` runs them when it is advanced, a `WallClock` when it is read or a request
arrives. While an event runs, `now()` is the time at which the event was due. A wall clock that is read late
therefore still produces correct times.

The clock's lock is the only lock of the simulator. Hold the clock (`with clock.hold()`) to read or change
anything.
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
    """A source of time, an agenda, and the lock over both."""

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
        """Return the time of the event that runs, or else the current time after all due events have run."""
        with self._lock:
            if self._event_time is not None:
                return self._event_time
            now = self._reading()
            self._run_until(now)
            return now

    def after(self, delay: timedelta, event: Callback) -> None:
        """Add `event` to the agenda, `delay` from now.

        Events that are due at the same time run in the order in which they were added.
        """
        with self.hold() as now:
            heapq.heappush(self._agenda, (now + delay, next(self._order), event))

    @property
    def next_event(self) -> datetime | None:
        """When the next event of the agenda is due, None if there is none."""
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
        """Move forward by `duration` and run every event on the way.

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
    """The clock of this computer."""

    def __init__(self) -> None:
        super().__init__()
        self._wait = threading.Event()

    def sleep(self, duration: timedelta) -> None:
        self._wait.wait(duration.total_seconds())

    def _reading(self) -> datetime:
        return datetime.now(UTC)
