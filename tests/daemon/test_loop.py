"""The loop on real threads: it neither loses nor repeats a reconcile."""

import signal
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta
from threading import Event, Lock

import pytest

from reconciler.daemon.loop import Loop
from reconciler.daemon.outcome import Outcome
from reconciler.daemon.settings import Settings
from reconciler.rollout.reason import Reason, Status
from tests.build import NOW

DEADLINE = timedelta(seconds=20)  # far more than any of these takes; a lost wake is what reaches it
SOON = timedelta(milliseconds=20)


class Work:
    """Sweeps and reconciles with settable behaviour."""

    def __init__(self, due: tuple[str, ...] = ()) -> None:
        self.due = due
        self.sweeps = 0
        self.reconciles: Counter[str] = Counter()
        self.at_once: Counter[str] = Counter()
        self.most_at_once: Counter[str] = Counter()
        self.during: Callable[[str], timedelta | None] = lambda _: None
        self._lock = Lock()

    def sweep(self) -> tuple[str, ...]:
        self.sweeps += 1
        return self.due

    def reconcile(self, name: str) -> Outcome | None:
        with self._lock:
            self.reconciles[name] += 1
            self.at_once[name] += 1
            self.most_at_once[name] = max(self.most_at_once[name], self.at_once[name])
        try:
            again = self.during(name)
        finally:
            with self._lock:
                self.at_once[name] -= 1
        return Outcome(name, "", NOW, Reason.UP_TO_DATE, "", Status.READY, requeue_after=again)


@pytest.fixture
def running() -> Iterator[Callable[..., Loop]]:
    loops: list[Loop] = []

    def run(work: Work, **settings: timedelta | int) -> Loop:
        loop = Loop(work, Settings(**({"sweep": timedelta(hours=1)} | settings)))  # type: ignore[arg-type]
        loops.append(loop)
        loop.start()
        return loop

    yield run
    for loop in loops:
        loop.stop()


Running = Callable[..., Loop]


def test_it_begins_with_a_sweep_and_reconciles_what_is_due(running: Running) -> None:
    work = Work(("a", "b"))
    assert running(work).wait(lambda: work.reconciles == {"a": 1, "b": 1}, DEADLINE)
    assert work.sweeps == 1


def test_sweeps_run_at_their_interval(running: Running) -> None:
    work = Work()
    assert running(work, sweep=SOON).wait(lambda: work.sweeps >= 3, DEADLINE)


def test_many_webhooks_cause_one_sweep_at_once(running: Running) -> None:
    work = Work()
    loop = running(work, sweep=timedelta(hours=1))
    assert loop.wait(lambda: work.sweeps == 1 and loop.idle, DEADLINE)
    for _ in range(100):
        loop.sweep_soon()
    assert loop.wait(lambda: work.sweeps == 2 and loop.idle, DEADLINE)


def test_a_webhook_during_a_sweep_causes_one_more(running: Running) -> None:
    """The sweep in progress may have read the specs before the push."""
    inside, leave = Event(), Event()

    class Slow(Work):
        def sweep(self) -> tuple[str, ...]:
            inside.set()
            leave.wait(DEADLINE.total_seconds())
            return super().sweep()

    work = Slow()
    loop = running(work, sweep=timedelta(hours=1))
    assert inside.wait(DEADLINE.total_seconds())
    loop.sweep_soon()
    loop.sweep_soon()
    leave.set()
    assert loop.wait(lambda: work.sweeps == 2 and loop.idle, DEADLINE)


def test_a_webhook_after_the_stop_has_no_effect() -> None:
    work = Work()
    loop = Loop(work, Settings(sweep=timedelta(hours=1)))
    loop.start()
    assert loop.wait(lambda: work.sweeps == 1, DEADLINE)
    loop.stop()
    loop.sweep_soon()
    assert work.sweeps == 1


def test_frequent_sweeps_postpone_no_reconcile(running: Running) -> None:
    work = Work(("a", "b", "c"))
    assert running(work, sweep=SOON).wait(lambda: len(work.reconciles) == 3, DEADLINE), work.reconciles


def test_a_requeue_is_reconciled_again(running: Running) -> None:
    work = Work(("a",))
    work.during = lambda _: SOON if work.reconciles["a"] < 4 else None
    loop = running(work)
    assert loop.wait(lambda: work.reconciles["a"] == 4 and loop.idle, DEADLINE)


def test_a_scale_set_is_never_reconciled_twice_at_once(running: Running) -> None:
    work = Work(("a", "b"))
    gate = Event()

    def during(name: str) -> timedelta | None:
        gate.wait(0.002)
        return SOON / 20 if work.reconciles[name] < 50 else None

    work.during = during
    loop = running(work, sweep=SOON)
    for _ in range(200):
        loop.wake("a")
    assert loop.wait(lambda: work.reconciles["a"] >= 50 and work.reconciles["b"] >= 50, DEADLINE)
    assert work.most_at_once == {"a": 1, "b": 1}


def test_a_wake_during_a_reconcile_is_not_lost(running: Running) -> None:
    work = Work(("a",))
    inside, leave = Event(), Event()

    def during(_: str) -> None:
        inside.set()
        leave.wait(20)

    work.during = during
    loop = running(work)
    assert inside.wait(20)
    loop.wake("a")
    loop.wake("a")
    leave.set()
    assert loop.wait(lambda: work.reconciles["a"] == 2 and loop.idle, DEADLINE), work.reconciles


def test_a_wake_while_every_worker_is_busy_is_not_lost(running: Running) -> None:
    work = Work(("slow",))
    inside, leave = Event(), Event()

    def during(name: str) -> None:
        if name == "slow":
            inside.set()
            leave.wait(20)

    work.during = during
    loop = running(work, workers=1)
    assert inside.wait(20)
    loop.wake("a")
    loop.wake("a")
    leave.set()
    assert loop.wait(lambda: work.reconciles["a"] >= 1 and loop.idle, DEADLINE), work.reconciles


def test_a_slow_scale_set_delays_no_other_and_no_sweep(running: Running) -> None:
    work = Work(("slow", "quick"))
    leave = Event()

    def during(name: str) -> timedelta | None:
        if name == "slow":
            leave.wait(20)
            return None
        return SOON

    work.during = during
    loop = running(work, sweep=SOON)
    done = loop.wait(lambda: work.reconciles["quick"] >= 5 and work.sweeps >= 5, DEADLINE)
    assert (done, work.reconciles["slow"]) == (True, 1)
    leave.set()


def test_a_reconcile_that_raises_is_repeated_and_stops_no_other(running: Running) -> None:
    work = Work(("bad", "good"))

    def during(name: str) -> timedelta | None:
        if name == "bad":
            raise RuntimeError("a bug")
        return SOON

    work.during = during
    loop = running(work, sweep=SOON)
    assert loop.wait(lambda: work.reconciles["good"] >= 3 and work.reconciles["bad"] >= 2, DEADLINE)


def test_a_sweep_that_raises_is_followed_by_the_next(
    running: Running, caplog: pytest.LogCaptureFixture
) -> None:
    class Failing(Work):
        def sweep(self) -> tuple[str, ...]:
            super().sweep()
            raise RuntimeError("a bug")

    work = Failing()
    assert running(work, sweep=SOON).wait(lambda: work.sweeps >= 3, DEADLINE)
    assert "the sweep failed because of a bug in the reconciler; please report it" in caplog.text


def test_stop_finishes_the_reconciles_in_progress_and_starts_no_more() -> None:
    work = Work(("a", "b", "c"))
    inside, leave, finished = Event(), Event(), Event()

    def during(_: str) -> timedelta:
        inside.set()
        leave.wait(0.2)
        finished.set()
        return timedelta()

    work.during = during
    loop = Loop(work, Settings(sweep=timedelta(hours=1), workers=1))
    loop.start()
    assert inside.wait(20)
    loop.stop()
    reconciles = sum(work.reconciles.values())
    assert (finished.is_set(), sum(work.at_once.values())) == (True, 0)
    assert not loop.wait(lambda: sum(work.reconciles.values()) > reconciles, timedelta(milliseconds=300))


def test_stop_right_after_a_reconcile_causes_no_error_in_a_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    errors: list[object] = []
    monkeypatch.setattr(threading, "excepthook", errors.append)
    for _ in range(20):
        work = Work(("a",))
        loop = Loop(work, Settings(sweep=timedelta(hours=1)))
        loop.start()
        assert loop.wait(lambda work=work, loop=loop: work.reconciles["a"] == 1 and loop.idle, DEADLINE)  # type: ignore[misc]
        loop.stop()
    assert errors == []


def test_a_signal_is_handled_during_a_wait_even_if_another_thread_receives_it(running: Running) -> None:
    work, seen, is_waiting, is_late = Work(), Event(), Event(), Event()
    loop = running(work)
    assert loop.wait(lambda: work.sweeps == 1 and loop.idle, DEADLINE)

    def rescue() -> None:
        is_late.set()
        loop.wake("a")

    def kill() -> None:
        is_waiting.wait(20)
        Event().wait(0.2)  # between that and the wait itself
        signal.pthread_kill(threading.get_ident(), signal.SIGUSR1)

    def until() -> bool:
        is_waiting.set()
        return seen.is_set()

    timer = threading.Timer(DEADLINE.total_seconds(), rescue)
    before = signal.signal(signal.SIGUSR1, lambda *_: seen.set())
    try:
        timer.start()
        threading.Thread(target=kill).start()
        assert loop.wait(until, None)
    finally:
        timer.cancel()
        signal.signal(signal.SIGUSR1, before)
    assert not is_late.is_set()


def test_wait_returns_at_its_timeout(running: Running) -> None:
    assert not running(Work()).wait(lambda: False, timedelta(milliseconds=50))
