"""The clockwork: runs sweeps and ticks on threads, each at its time, until it is told to stop.

Facts about APScheduler 3.11 that shape this module: a late run is dropped unless `misfire_grace_time` is
None; a run that finds `max_instances` of its job at work is dropped, so ticks are kept apart here and a wake
that arrives during one is remembered (`_again`); an interval's jitter only adds, so follow-ups are spread
here.
"""

import logging
import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from threading import Condition, Event

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.date import DateTrigger
from apscheduler.triggers.interval import IntervalTrigger

from reconciler.daemon.outcome import Outcome
from reconciler.daemon.reconciliation import Reconciliation
from reconciler.daemon.settings import Settings

_log = logging.getLogger("reconciler")

# Ticks that one sweep asks for start this far apart: 300 a minute, where Azure refills 360 lists of instances
# a minute for a subscription and region.
_APART = timedelta(milliseconds=200)
_NO_LIMIT = 1_000_000
_JITTER = 0.1  # a follow-up comes up to a tenth of its delay sooner or later


class Loop:
    """Never two ticks of one scale set at once, never a wake lost, never one set waiting for another."""

    def __init__(self, reconciliation: Reconciliation, settings: Settings) -> None:
        self._reconciliation = reconciliation
        self._settings = settings
        self._running: set[str] = set()
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
        self._stopping.set()
        self._scheduler.shutdown(wait=True)
        with self._changed:
            self._changed.notify_all()

    def wait(self, until: Callable[[], bool], timeout: timedelta | None) -> bool:
        """Block until `until()` holds, asked after every tick and sweep; False if `timeout` passes first."""
        seconds = None if timeout is None else timeout.total_seconds()
        with self._changed:
            return self._changed.wait_for(until, seconds)

    @property
    def idle(self) -> bool:
        """Whether no tick is running or asked for."""
        jobs = {job.id for job in self._scheduler.get_jobs()} - {"sweep"}
        with self._changed:
            return not (jobs or self._running or self._again)

    def wake(self, name: str, after: timedelta = timedelta()) -> None:
        """Tick one scale set `after` this long. While its tick is running: once more when it has finished."""
        with self._changed:
            if name in self._running:
                self._again.add(name)
                return
        if not self._stopping.is_set():
            self._scheduler.add_job(
                self._tick,
                DateTrigger(datetime.now(UTC) + after, timezone=UTC),
                args=[name],
                id=f"tick {name}",
                replace_existing=True,
                max_instances=_NO_LIMIT,
            )

    def _sweep(self) -> None:
        try:
            for number, name in enumerate(self._reconciliation.sweep()):
                self.wake(name, number * _APART)
        except Exception:
            _log.exception("a bug in the reconciler, please report it: the sweep failed")
        self._notify()

    def _tick(self, name: str) -> None:
        with self._changed:
            if self._stopping.is_set():
                return
            if name in self._running:
                self._again.add(name)
                return
            self._running.add(name)
        outcome: Outcome | None = None
        try:
            outcome = self._reconciliation.tick(name)
        finally:
            with self._changed:
                self._running.discard(name)
                woken = name in self._again
                self._again.discard(name)
            if woken:
                self.wake(name)
            elif outcome and outcome.again is not None:
                self.wake(name, outcome.again * (1 + self._random.uniform(-_JITTER, _JITTER)))
            self._notify()

    def _notify(self) -> None:
        with self._changed:
            self._changed.notify_all()
