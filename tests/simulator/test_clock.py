"""Time in the simulator: events run in order, each at its own time, and only when the clock is read."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from reconciler.simulator import VirtualClock, WallClock
from reconciler.simulator.clock import MONDAY_MORNING

SECOND = timedelta(seconds=1)


def test_events_run_in_order_each_at_its_own_time() -> None:
    clock = VirtualClock()
    seen: list[tuple[str, datetime]] = []
    clock.after(3 * SECOND, lambda: seen.append(("late", clock.now())))
    clock.after(1 * SECOND, lambda: seen.append(("early", clock.now())))
    clock.advance(10 * SECOND)
    assert seen == [("early", MONDAY_MORNING + SECOND), ("late", MONDAY_MORNING + 3 * SECOND)]
    assert clock.now() == MONDAY_MORNING + 10 * SECOND


def test_events_at_the_same_time_run_in_the_order_they_were_added() -> None:
    clock = VirtualClock()
    seen: list[int] = []
    for number in range(5):
        clock.after(SECOND, lambda number=number: seen.append(number))  # type: ignore[misc]
    clock.advance(SECOND)
    assert seen == [0, 1, 2, 3, 4]


def test_the_next_event_is_the_earliest_one() -> None:
    clock = VirtualClock()
    assert clock.next_event is None
    for seconds in (3, 1):
        clock.after(seconds * SECOND, lambda: None)
    assert clock.next_event == MONDAY_MORNING + SECOND
    clock.advance(2 * SECOND)
    assert clock.next_event == MONDAY_MORNING + 3 * SECOND


def test_an_event_may_schedule_another_within_the_same_advance() -> None:
    clock = VirtualClock()
    seen: list[datetime] = []

    def again() -> None:
        seen.append(clock.now())
        if len(seen) < 3:
            clock.after(SECOND, again)

    clock.after(SECOND, again)
    clock.advance(5 * SECOND)
    assert seen == [MONDAY_MORNING + n * SECOND for n in (1, 2, 3)]


def test_no_event_runs_before_it_is_due() -> None:
    clock = VirtualClock()
    seen: list[str] = []
    clock.after(2 * SECOND, lambda: seen.append("now"))
    clock.advance(2 * SECOND - timedelta(microseconds=1))
    assert seen == []


def test_a_held_clock_cannot_be_advanced() -> None:
    clock = VirtualClock()
    with clock.hold(), pytest.raises(RuntimeError, match="held"):
        clock.advance(SECOND)


def test_a_wall_clock_that_is_read_late_gives_each_event_its_own_time() -> None:
    clock = WallClock()
    seen: list[datetime] = []
    before = datetime.now(UTC)
    clock.after(timedelta(milliseconds=20), lambda: seen.append(clock.now()))
    clock.sleep(timedelta(milliseconds=60))
    assert seen == []
    now = clock.now()
    assert before + timedelta(milliseconds=20) <= seen[0] < now - timedelta(milliseconds=20)
