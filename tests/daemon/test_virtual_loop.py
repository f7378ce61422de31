"""The schedule of a loop on a clock that is moved."""

from datetime import UTC, datetime, timedelta

from reconciler.daemon.outcome import Outcome
from reconciler.daemon.virtual_loop import VirtualLoop
from reconciler.rollout.reason import Reason, Status

START = datetime(2026, 1, 5, 9, tzinfo=UTC)
SECOND = timedelta(seconds=1)


class Work:
    """A sweep names the scale sets of `due`. A reconcile asks for the next one after the first of `delays`."""

    def __init__(self, due: list[tuple[str, ...]], delays: dict[str, list[int | None]]) -> None:
        self.now = START
        self.done: list[tuple[str, int]] = []
        self._due = due
        self._delays = delays
        self.loop = VirtualLoop(
            self, timedelta(minutes=1), start=START, now=lambda: self.now, move_to=self._move_to
        )

    def sweep(self) -> tuple[str, ...]:
        return self._due.pop(0) if self._due else ()

    def reconcile(self, key: str) -> Outcome | None:
        self.done.append((key, int((self.now - START) / SECOND)))
        delay = self._delays[key].pop(0) if self._delays[key] else None
        after = None if delay is None else delay * SECOND
        return Outcome(key, "", self.now, Reason.SOAKING, "", Status.RECONCILING, requeue_after=after)

    def run(self, seconds: int) -> list[tuple[str, int]]:
        while self.loop.due < START + seconds * SECOND:
            self.loop.step(lambda _: None)
        return self.done

    def _move_to(self, at: datetime) -> None:
        self.now = max(self.now, at)


def test_requeued_reconciles_run_in_the_order_of_their_times() -> None:
    work = Work([("a", "b", "c")], {"a": [30, 20], "b": [10, 15], "c": [40]})
    assert work.run(120) == [
        ("a", 0),
        ("b", 0),
        ("c", 0),
        ("b", 10),
        ("b", 25),
        ("a", 30),
        ("c", 40),
        ("a", 50),
    ]


def test_a_sweep_that_names_a_requeued_scale_set_replaces_its_reconcile() -> None:
    work = Work([("a",), ("a",)], {"a": [90, 50]})
    assert work.run(180) == [("a", 0), ("a", 60), ("a", 110)]
    assert work.loop.requeued_at is None


def test_sweeps_that_are_skipped_keep_their_interval() -> None:
    work = Work([(), ("a",)], {"a": []})
    work.loop.step(lambda _: None)
    work.loop.skip_sweeps(START + 150 * SECOND)
    assert work.run(200) == [("a", 180)]
