"""The clockwork: runs sweeps and ticks on threads, each at its time, until it is told to stop.

Facts about APScheduler 3.11 that shape this module: a late run is dropped unless `misfire_grace_time` is
None; a run that finds `max_instances` of its job at work is dropped, so ticks are kept apart here and a wake
that arrives during one is remembered (`_again`); an interval's jitter only adds, so follow-ups are spread
here; `shutdown(wait=True)` holds the lock of the job store while it waits, so a job that then asks for a
wake would wait for ever, and `stop` lets the jobs under way finish first.
"""

import logging
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from threading import Condition, Event
from typing import Protocol

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.date import DateTrigger
from apscheduler.triggers.interval import IntervalTrigger

from reconciler.daemon.outcome import Outcome
from reconciler.daemon.settings import Settings

_log = logging.getLogger("reconciler")

# Ticks that one sweep asks for start this far apart: 300 a minute, where Azure refills 360 lists of instances
# a minute for a subscription and region.
APART = timedelta(milliseconds=200)
_NO_LIMIT = 1_000_000
_JITTER = 0.1  # a follow-up comes up to a tenth of its delay later, and never before Azure's time


class Work(Protocol):
    """What the loop runs: `Reconciliation`."""

    def sweep(self) -> tuple[str, ...]:
        """The keys of the scale sets that are due for a tick."""
        ...

    def tick(self, key: str) -> Outcome | None:
        """One tick of one scale set."""
        ...


class Loop:
    """Never two ticks of one scale set at once, never a wake lost, never one set waiting for another."""

    def __init__(self, work: Work, settings: Settings) -> None:
        self._work = work
        self._settings = settings
        self._due: dict[str, datetime] = {}  # asked for and not begun
        self._running: set[str] = set()
        self._under_way = 0
        self._again: set[str] = set()
        self._changed = Condition()
        self._stopping = Event()
        self._random = random.Random()  # noqa: S311 - spreads load, guards nothing
        self._scheduler = BackgroundScheduler(
            timezone=UTC,
            executors={
                "default": ThreadPoolExecutor(settings.workers),
                # Of its own, so that slow ticks never hold up a sweep.
                "sweep": ThreadPoolExecutor(1),
            },
            job_defaults={"misfire_grace_time": None, "coalesce": True},
        )

    def start(self) -> None:
        """Begin with a sweep, now."""
        self._scheduler.add_job(
            self._sweep,
            IntervalTrigger(seconds=self._settings.sweep.total_seconds(), timezone=UTC),
            id="sweep",
            executor="sweep",
            next_run_time=datetime.now(UTC),
        )
        self._scheduler.start()

    def stop(self) -> None:
        """Start nothing more, and return when the ticks under way have finished."""
        with self._changed:
            self._stopping.set()
            self._changed.wait_for(lambda: not self._under_way)
        # Shut down in the middle of a round, the scheduler's own thread would die of a job that it no longer
        # finds. Removing all jobs takes the lock of the round, so it has ended by then.
        self._scheduler.pause()
        self._scheduler.remove_all_jobs()
        self._scheduler.shutdown(wait=True)

    def wait(self, until: Callable[[], bool], timeout: timedelta | None) -> bool:
        """Block until `until()` holds, asked after every tick and sweep; False if `timeout` passes first."""
        seconds = None if timeout is None else timeout.total_seconds()
        with self._changed:
            return self._changed.wait_for(until, seconds)

    @property
    def idle(self) -> bool:
        """Whether no sweep or tick is running, and no tick asked for."""
        with self._changed:
            return not (self._due or self._under_way)

    def wake(self, key: str, after: timedelta = timedelta()) -> None:
        """Tick one scale set within `after`. While its tick is running: once more when it has finished."""
        at = datetime.now(UTC) + after
        with self._changed:
            if key in self._running:
                self._again.add(key)
                return
            # Sweeps that come faster than ticks are spread, or than workers are free, put none off for ever
            # and pile none up.
            if self._stopping.is_set() or (key in self._due and self._due[key] <= at):
                return
            self._due[key] = at
            self._scheduler.add_job(
                self._tick,
                DateTrigger(at, timezone=UTC),
                args=[key],
                id=f"tick {key}",
                replace_existing=True,
                max_instances=_NO_LIMIT,
            )

    def _sweep(self) -> None:
        with self._job() as may:
            if not may:
                return
            try:
                for number, key in enumerate(self._work.sweep()):
                    self.wake(key, number * APART)
            except Exception:
                _log.exception("a bug in the reconciler, please report it: the sweep failed")

    def _tick(self, key: str) -> None:
        with self._job() as may:
            if not may or not self._enter(key):
                return
            outcome: Outcome | None = None
            try:
                outcome = self._work.tick(key)
            except Exception:
                _log.exception("a bug in the reconciler, please report it: the tick of %s failed", key)
            if self._leave(key):
                self.wake(key)
            elif outcome and outcome.again is not None:
                self.wake(key, outcome.again * (1 + self._random.uniform(0, _JITTER)))

    @contextmanager
    def _job(self) -> Iterator[bool]:
        """Around everything the scheduler runs; False when it may not any more. Tells those who wait."""
        with self._changed:
            may = not self._stopping.is_set()
            self._under_way += may
        try:
            yield may
        finally:
            with self._changed:
                self._under_way -= may
                self._changed.notify_all()

    def _enter(self, key: str) -> bool:
        """Begin a tick, unless one of the same scale set is running: then remember to run it again."""
        with self._changed:
            self._due.pop(key, None)
            if key in self._running:
                self._again.add(key)
                return False
            self._running.add(key)
            return True

    def _leave(self, key: str) -> bool:
        """End a tick. True if it was asked for again meanwhile."""
        with self._changed:
            self._running.discard(key)
            woken = key in self._again
            self._again.discard(key)
            return woken
