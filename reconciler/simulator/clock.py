"""Time in the simulator: a clock with an agenda of what falls due.

Nothing in the simulator sleeps and nothing runs in the background. Whatever takes time is an event written
in the clock's agenda, and the events that fell due are lived in order, each at its own exact time, when
somebody next looks: on a `VirtualClock` when it is advanced, on a `WallClock` when it is read or a request
comes in. While an event is lived `now()` is the time it was due, so a wall clock that is looked at late
still tells the right story.

The clock's lock is the simulator's only lock: hold the clock (`with clock.held()`) to read or change
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
    """A reading, an agenda and the lock over both."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._agenda: list[tuple[datetime, int, Callback]] = []
        self._order = itertools.count()
        self._event_time: datetime | None = None

    @abstractmethod
    def _reading(self) -> datetime:
        """The time on the dial, whatever is being lived."""

    @abstractmethod
    def sleep(self, duration: timedelta) -> None:
        """Let `duration` pass, the way this clock passes it."""

    def now(self) -> datetime:
        """The moment being lived; outside of one, the dial, once everything due by then has happened."""
        with self.hold() as now:
            return now

    def after(self, delay: timedelta, event: Callback) -> None:
        """Write `event` in the agenda, `delay` from now.

        Events due at one time happen in the order they were written.
        """
        with self.hold() as now:
            heapq.heappush(self._agenda, (now + delay, next(self._order), event))

    @contextmanager
    def hold(self) -> Iterator[datetime]:
        """Bring everything up to now, and stop time until the block ends."""
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
    """A clock that moves only when told to."""

    def __init__(self, start: datetime = MONDAY_MORNING) -> None:
        super().__init__()
        self._now = start

    def advance(self, duration: timedelta) -> None:
        """Move on by `duration`, living every event on the way. Not from within an event or a held clock."""
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
    """The computer's own clock."""

    def __init__(self) -> None:
        super().__init__()
        self._wait = threading.Event()

    def sleep(self, duration: timedelta) -> None:
        self._wait.wait(duration.total_seconds())

    def _reading(self) -> datetime:
        return datetime.now(UTC)
