"""The schedule: APScheduler starts sweeps and requeues, a work queue holds the keys, and workers reconcile.

Facts about APScheduler 3.11 that shape this module:

- It drops a late run unless `misfire_grace_time` is None.
- The jitter of an interval only adds time, so requeues are spread here.
- Its waits follow the system clock. If the clock were set back by an hour, every job would be an hour late,
  so the jobs are moved. A clock that is set forward only makes them early.
- `shutdown(wait=True)` holds the lock of the job store while it waits. A job that calls `wake` then would
  block forever, so `stop` lets the sweep in progress finish first.
"""

import logging
import random
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from threading import Condition, Event, Lock, Thread
from typing import Protocol

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.jobstores.base import JobLookupError
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.date import DateTrigger
from apscheduler.triggers.interval import IntervalTrigger

from reconciler.azure.clock import steady
from reconciler.daemon.clock_watch import ClockWatch
from reconciler.daemon.jitter import spread_interval, spread_start
from reconciler.daemon.outcome import Outcome
from reconciler.daemon.settings import Settings
from reconciler.daemon.workqueue import WorkQueue

_log = logging.getLogger("reconciler")

# The reconciles of one sweep start this far apart: 300 a minute. Azure allows 360 lists of instances a minute
# for each subscription and region.
APART = timedelta(milliseconds=200)
# Webhooks cause sweeps at most this often: each lists the fleet. A fetch and a list take less than a second
# more, so the first PATCH follows a webhook within five.
SWEEPS_APART = timedelta(seconds=4)
_LONGEST_WAIT = 1.0  # seconds
_JITTER = 0.1  # a requeue is late by up to a tenth of its delay, and never earlier than Azure allows


class Work(Protocol):
    """What the loop runs, such as `Reconciler`."""

    def sweep(self) -> tuple[str, ...]:
        """Run a sweep. Returns the keys of the scale sets that are due for a reconcile."""
        ...

    def reconcile(self, key: str) -> Outcome | None:
        """Reconcile one scale set."""
        ...


class Loop:
    """Runs sweeps and reconciles.

    A scale set is never reconciled twice at the same time. No wakeup is lost, and a slow scale set does not
    delay others.
    """

    def __init__(self, work: Work, settings: Settings, share: float = 0.0) -> None:
        """`share` is the share of this daemon among those that read from the same server (see `jitter`)."""
        self._work = work
        self._interval = spread_interval(settings.sweep, share)
        self._first = spread_start(settings.sweep, share)
        self._now = steady()
        self._queue = WorkQueue()
        self._workers = [Thread(target=self._run_worker, name=f"worker-{n}") for n in range(settings.workers)]
        self._sweeping = Lock()
        self._sweep_wanted = Event()
        self._swept_at = datetime.min.replace(tzinfo=UTC)  # when the last sweep began, by `_now`
        self._delayed: dict[str, datetime] = {}  # when each is to be queued, by `_now`
        self._delaying = Lock()
        self._changed = Condition()
        self._clock = ClockWatch(self._now, self._move_jobs)
        self._random = random.Random()  # noqa: S311 - spreads load, no security
        self._scheduler = BackgroundScheduler(
            timezone=UTC,
            executors={"default": ThreadPoolExecutor(1), "sweep": ThreadPoolExecutor(1)},
            job_defaults={"misfire_grace_time": None, "coalesce": True},
        )

    def start(self) -> None:
        """Start. The first sweep begins immediately or within seconds."""
        self._scheduler.add_job(
            self._sweep,
            IntervalTrigger(seconds=self._interval.total_seconds(), timezone=UTC),
            id="sweep",
            executor="sweep",
            next_run_time=datetime.now(UTC) + self._first,
        )
        for worker in self._workers:
            worker.start()
        self._clock.start()
        self._scheduler.start()

    def stop(self) -> None:
        """Stop starting work, and return once the sweep and the reconciles in progress have finished."""
        self._queue.shut_down()
        self._clock.stop()
        for worker in self._workers:
            worker.join()
        with self._sweeping:
            # If the scheduler is shut down while it processes jobs, its thread fails on a job that is gone.
            # `remove_all_jobs` takes the lock of that processing, so it has ended by then.
            self._scheduler.pause()
            self._scheduler.remove_all_jobs()
        self._scheduler.shutdown(wait=True)
        self._notify()

    def wait(self, until: Callable[[], bool], timeout: timedelta | None) -> bool:
        """Block until `until()` is true. Returns False on timeout.

        `until()` is checked after every reconcile and sweep, and at least once a second. Python handles
        signals in its main thread, and a signal that arrives just before a wait, or in another thread, does
        not end the wait. That is why no wait is longer than a second.
        """
        end = None if timeout is None else time.monotonic() + timeout.total_seconds()
        with self._changed:
            while not until():
                left = _LONGEST_WAIT if end is None else min(_LONGEST_WAIT, end - time.monotonic())
                if left <= 0:
                    return False
                self._changed.wait(left)
        return True

    @property
    def idle(self) -> bool:
        """Whether no sweep or reconcile is running, and no reconcile is queued."""
        with self._delaying:
            is_delayed = bool(self._delayed)
        return not (self._sweeping.locked() or is_delayed or len(self._queue))

    def wake(self, key: str, after: timedelta = timedelta()) -> None:
        """Reconcile one scale set after this delay, or earlier if it is due earlier.

        If it is being reconciled now, it is reconciled once more afterwards.
        """
        if after <= timedelta():
            self._queue.add(key)
            return
        at = self._now() + after
        with self._delaying:
            # Keep the earlier time, or frequent sweeps would postpone a reconcile forever.
            if self._queue.is_shut_down or self._delayed.get(key, at + after) <= at:
                return
            self._delayed[key] = at
            trigger = DateTrigger(self._clock.time_of_day(at), timezone=UTC)
            self._scheduler.add_job(self._queue_delayed, trigger, args=[key], id=key, replace_existing=True)

    def sweep_soon(self) -> None:
        """Sweep within a few seconds. If a sweep is running now, another one follows it."""
        self._sweep_wanted.set()
        if not self._sweeping.locked():
            self._advance_sweep()

    def _advance_sweep(self) -> None:
        at = max(self._now(), self._swept_at + SWEEPS_APART)
        with suppress(JobLookupError):  # the loop is stopping
            self._scheduler.modify_job("sweep", next_run_time=self._clock.time_of_day(at))

    def _move_jobs(self) -> None:
        """Move all jobs after the system clock has been set, so that their delays stay the same."""
        with self._delaying:
            for key, at in self._delayed.items():
                with suppress(JobLookupError):  # it runs now
                    self._scheduler.modify_job(key, next_run_time=self._clock.time_of_day(at))
        sweep, latest = self._scheduler.get_job("sweep"), datetime.now(UTC) + self._interval
        if sweep and sweep.next_run_time > latest:
            with suppress(JobLookupError):  # the loop is stopping
                sweep.modify(next_run_time=latest)

    def _queue_delayed(self, key: str) -> None:
        with self._delaying:
            if key in self._delayed:
                self._queue.add(key)
                del self._delayed[key]

    def _sweep(self) -> None:
        with self._sweeping:
            if self._queue.is_shut_down:
                return
            self._sweep_wanted.clear()
            self._swept_at = self._now()
            try:
                for number, key in enumerate(self._work.sweep()):
                    self.wake(key, number * APART)
            except Exception:
                _log.exception("the sweep failed because of a bug in the reconciler; please report it")
        if self._sweep_wanted.is_set():
            self._advance_sweep()
        self._notify()

    def _run_worker(self) -> None:
        while (key := self._queue.get()) is not None:
            with self._delaying:  # this reconcile replaces a delayed one; its outcome says when to requeue
                self._delayed.pop(key, None)
            try:
                outcome = self._work.reconcile(key)
                if outcome and outcome.requeue_after is not None:
                    self.wake(key, outcome.requeue_after * (1 + self._random.uniform(0, _JITTER)))
            except Exception:
                _log.exception(
                    "the reconcile of %s failed because of a bug in the reconciler; please report it", key
                )
            self._queue.done(key)
            self._notify()

    def _notify(self) -> None:
        """Wake the threads in `wait`."""
        with self._changed:
            self._changed.notify_all()
