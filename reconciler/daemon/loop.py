"""The clockwork: APScheduler says when, a work queue what, and a few workers do it, until they are told to
stop.

Facts about APScheduler 3.11 that shape this module: a late run is dropped unless `misfire_grace_time` is
None; an interval's jitter only adds, so follow-ups are spread here; `shutdown(wait=True)` holds the lock of
the job store while it waits, so a job that then asks for a wake would wait for ever, and `stop` lets the
sweep under way finish first.
"""

import logging
import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from threading import Condition, Lock, Thread
from typing import Protocol

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.date import DateTrigger
from apscheduler.triggers.interval import IntervalTrigger

from reconciler.daemon.outcome import Outcome
from reconciler.daemon.settings import Settings
from reconciler.daemon.workqueue import WorkQueue

_log = logging.getLogger("reconciler")

# Ticks that one sweep asks for start this far apart: 300 a minute, where Azure refills 360 lists of instances
# a minute for a subscription and region.
APART = timedelta(milliseconds=200)
_JITTER = 0.1  # a follow-up comes up to a tenth of its delay later, and never before Azure's time


class Work(Protocol):
    """What the loop runs: `Reconciler`."""

    def sweep(self) -> tuple[str, ...]:
        """The keys of the scale sets that are due for a tick."""
        ...

    def reconcile(self, key: str) -> Outcome | None:
        """One tick of one scale set."""
        ...


class Loop:
    """Never two ticks of one scale set at once, never a wake lost, never one set waiting for another."""

    def __init__(self, work: Work, settings: Settings) -> None:
        self._work = work
        self._settings = settings
        self._queue = WorkQueue()
        self._workers = [Thread(target=self._run_worker, name=f"worker-{n}") for n in range(settings.workers)]
        self._sweeping = Lock()
        self._delayed: dict[str, datetime] = {}  # when each is to be queued
        self._delaying = Lock()
        self._changed = Condition()
        self._random = random.Random()  # noqa: S311 - spreads load, guards nothing
        self._scheduler = BackgroundScheduler(
            timezone=UTC,
            executors={"default": ThreadPoolExecutor(1), "sweep": ThreadPoolExecutor(1)},
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
        for worker in self._workers:
            worker.start()
        self._scheduler.start()

    def stop(self) -> None:
        """Start nothing more, and return when the ticks under way have finished."""
        self._queue.shut_down()
        for worker in self._workers:
            worker.join()
        with self._sweeping:
            # Shut down in the middle of a round, the scheduler's own thread would die of a job that it no
            # longer finds. Removing all jobs takes the lock of the round, so it has ended by then.
            self._scheduler.pause()
            self._scheduler.remove_all_jobs()
        self._scheduler.shutdown(wait=True)
        self._notify()

    def wait(self, until: Callable[[], bool], timeout: timedelta | None) -> bool:
        """Block until `until()` holds, asked after every tick and sweep; False if `timeout` passes first."""
        seconds = None if timeout is None else timeout.total_seconds()
        with self._changed:
            return self._changed.wait_for(until, seconds)

    @property
    def idle(self) -> bool:
        """Whether no sweep or tick is running, and no tick asked for."""
        with self._delaying:
            is_delayed = bool(self._delayed)
        return not (self._sweeping.locked() or is_delayed or len(self._queue))

    def wake(self, key: str, after: timedelta = timedelta()) -> None:
        """Tick one scale set within `after`. While its tick is running: once more when it has finished."""
        if after <= timedelta():
            self._queue.add(key)
            return
        at = datetime.now(UTC) + after
        with self._delaying:
            # Sweeps that come faster than ticks are spread put none off for ever.
            if self._queue.is_shut_down or self._delayed.get(key, at + after) <= at:
                return
            self._delayed[key] = at
            self._scheduler.add_job(
                self._queue_delayed, DateTrigger(at, timezone=UTC), args=[key], id=key, replace_existing=True
            )

    def _queue_delayed(self, key: str) -> None:
        with self._delaying:
            if key in self._delayed:
                self._queue.add(key)
                del self._delayed[key]

    def _sweep(self) -> None:
        with self._sweeping:
            if self._queue.is_shut_down:
                return
            try:
                for number, key in enumerate(self._work.sweep()):
                    self.wake(key, number * APART)
            except Exception:
                _log.exception("a bug in the reconciler, please report it: the sweep failed")
        self._notify()

    def _run_worker(self) -> None:
        """What each worker does."""
        while (key := self._queue.get()) is not None:
            with self._delaying:  # what was to come later is this tick: it says itself when to come again
                self._delayed.pop(key, None)
            try:
                outcome = self._work.reconcile(key)
                if outcome and outcome.requeue_after is not None:
                    self.wake(key, outcome.requeue_after * (1 + self._random.uniform(0, _JITTER)))
            except Exception:
                _log.exception("a bug in the reconciler, please report it: the tick of %s failed", key)
            self._queue.done(key)
            self._notify()

    def _notify(self) -> None:
        """Have those who wait ask again."""
        with self._changed:
            self._changed.notify_all()
