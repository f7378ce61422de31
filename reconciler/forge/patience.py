"""How long a command keeps trying, and how long it waits between attempts."""

import time
from collections.abc import Callable
from datetime import timedelta

from reconciler.forge.failure import ForgeFailure, Transient
from reconciler.spec.duration import format_duration

_FIRST_WAIT = timedelta(seconds=1)
_LONGEST_WAIT = timedelta(seconds=30)


class Patience:
    """A limit on the total time of a command. `elapsed` and `sleep` use seconds."""

    def __init__(
        self,
        limit: timedelta,
        elapsed: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._limit = limit
        self._elapsed = elapsed
        self._sleep = sleep
        self._start = elapsed()
        self._next = _FIRST_WAIT

    @property
    def left(self) -> timedelta:
        """The remaining time, which is never negative."""
        return max(timedelta(), self._limit - self._age)

    def wait(self, failure: Transient) -> None:
        """Wait as long as the forge asks. If it names no time, wait longer after each failure.

        Raises ForgeFailure immediately if the remaining time is too short for the wait.
        """
        wait = failure.wait
        if wait is None:
            wait = self._next
            self._next = min(2 * self._next, _LONGEST_WAIT)
        if wait >= self.left:
            raise ForgeFailure(f"{failure}; {self._end(failure)}") from failure
        self._sleep(wait.total_seconds())

    def _end(self, failure: Transient) -> str:
        asked = f"it asks for a wait of {format_duration(failure.wait)}; " if failure.wait else ""
        age, limit = format_duration(self._age), format_duration(self._limit)
        return f"{asked}gave up after {age}; retry later, or pass a --timeout above {limit}"

    @property
    def _age(self) -> timedelta:
        return timedelta(seconds=self._elapsed() - self._start)
