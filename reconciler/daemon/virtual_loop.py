"""The schedule of the loop without threads, on a clock that is moved from one event to the next.

Sweeps follow each other at a fixed interval, and a requeued reconcile runs at its exact time. A reconcile
itself takes no time.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from heapq import heappop, heappush
from itertools import count

from reconciler.daemon.loop import APART, Work
from reconciler.daemon.outcome import Outcome


def requeue_exactly(_key: str, outcome: Outcome, now: datetime) -> datetime | None:
    """The time at which an outcome asks for the next reconcile, or None if the next sweep decides."""
    return None if outcome.requeue_after is None else now + outcome.requeue_after


class VirtualLoop:
    """Runs the sweeps and reconciles of one daemon, one `step` at a time.

    `move_to` moves the clock forward, unless the clock is already later. `requeue` returns when to reconcile
    a scale set again, given its key, its outcome and the time.
    """

    def __init__(
        self,
        work: Work,
        sweep: timedelta,
        *,
        start: datetime,
        now: Callable[[], datetime],
        move_to: Callable[[datetime], None],
        requeue: Callable[[str, Outcome, datetime], datetime | None] = requeue_exactly,
    ) -> None:
        self._work = work
        self._sweep = sweep
        self._sweep_at = start
        self._now = now
        self._move_to = move_to
        self._requeue = requeue
        self._queue: list[tuple[datetime, int, str]] = []  # a heap of the times below, and of earlier ones
        self._requeued: dict[str, datetime] = {}
        self._number = count()

    @property
    def due(self) -> datetime:
        """When the next sweep or reconcile is due."""
        return min(self._sweep_at, self.requeued_at or self._sweep_at)

    @property
    def requeued_at(self) -> datetime | None:
        """When the next requeued reconcile is due, or None if there is none."""
        while self._queue:
            at, _, key = self._queue[0]
            if self._requeued.get(key) == at:
                return at
            heappop(self._queue)  # it was reconciled earlier
        return None

    def skip_sweeps(self, until: datetime) -> None:
        """Skip the sweeps before `until`. Later sweeps keep their times."""
        if until > self._sweep_at:
            self._sweep_at += -(-(until - self._sweep_at) // self._sweep) * self._sweep

    def step(self, note: Callable[[Outcome], None]) -> None:
        """Advance to the next sweep or requeued reconcile, and run it. `note` is called with each outcome."""
        at = self.requeued_at
        if at is not None and at < self._sweep_at:
            self._move_to(at)
            self._reconcile(self._queue[0][2], note)
            return
        self._move_to(self._sweep_at)
        at, self._sweep_at = self._sweep_at, self._sweep_at + self._sweep
        for number, key in enumerate(self._work.sweep()):
            self._move_to(at + number * APART)
            self._reconcile(key, note)

    def _reconcile(self, key: str, note: Callable[[Outcome], None]) -> None:
        self._requeued.pop(key, None)
        outcome = self._work.reconcile(key)
        if outcome is None:
            return
        note(outcome)
        if (at := self._requeue(key, outcome, self._now())) is not None:
            self._requeued[key] = at
            heappush(self._queue, (at, next(self._number), key))
