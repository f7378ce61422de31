"""What time it is, by our clock and by what Azure's answers say."""

from datetime import UTC, datetime, timedelta

import pytest

from reconciler.azure.budget import Priority
from reconciler.azure.clock import AzureClock, parse_date, steady
from reconciler.azure.compute import Compute
from reconciler.azure.session import Session
from reconciler.simulator import Simulator, VirtualClock
from reconciler.spec.scale_set import Target
from tests.build import NOW
from tests.stories.world import SUBSCRIPTION
from tests.token import Token

HOUR = timedelta(hours=1)


def heeding(clock: AzureClock, *dates: datetime | None) -> AzureClock:
    """A clock after responses with these dates, each of which came immediately."""
    for date in dates:
        clock.note_date(date, clock.read())
    return clock


def test_before_the_first_response_our_clock_counts() -> None:
    clock = AzureClock(lambda: NOW)
    assert clock.now() == NOW
    assert heeding(clock, None).now() == NOW


@pytest.mark.parametrize(
    ("ahead", "taken"),
    [
        pytest.param(timedelta(), timedelta(), id="our clock is right"),
        pytest.param(timedelta(seconds=5), timedelta(seconds=5), id="some seconds ahead is tolerated"),
        pytest.param(timedelta(seconds=-5), timedelta(seconds=-5), id="some seconds behind is tolerated"),
        pytest.param(timedelta(seconds=6), timedelta(), id="further ahead is corrected"),
        pytest.param(timedelta(seconds=-6), timedelta(), id="further behind is corrected"),
        pytest.param(12 * HOUR, timedelta(), id="half a day ahead"),
    ],
)
def test_if_our_clock_is_wrong_that_of_azure_counts(ahead: timedelta, taken: timedelta) -> None:
    assert heeding(AzureClock(lambda: NOW + ahead), NOW).now() - NOW == taken


@pytest.mark.parametrize(
    ("dated", "now"),
    [
        pytest.param(-60, NOW, id="a response dated at its request"),
        pytest.param(-30, NOW, id="a response dated half-way"),
        pytest.param(0, NOW, id="a response dated at its arrival"),
        pytest.param(-65, NOW, id="a response dated some seconds before its request"),
        pytest.param(-66, NOW - timedelta(seconds=6), id="a response dated long before its request"),
        pytest.param(6, NOW + timedelta(seconds=6), id="a response dated long after its arrival"),
    ],
)
def test_a_response_that_takes_a_minute_does_not_set_the_clock_back(dated: int, now: datetime) -> None:
    clock = AzureClock(lambda: NOW)
    clock.note_date(NOW + timedelta(seconds=dated), NOW - timedelta(minutes=1))
    assert clock.now() == now


@pytest.mark.parametrize(
    ("wrong", "now"),
    [
        pytest.param(3, NOW, id="three responses dated tomorrow change nothing"),
        pytest.param(4, NOW, id="four wrong dates of nine change nothing"),
        pytest.param(5, NOW + 24 * HOUR, id="five wrong dates of nine count"),
    ],
)
def test_the_majority_of_the_last_responses_counts(wrong: int, now: datetime) -> None:
    clock = heeding(AzureClock(lambda: NOW), *[NOW] * 20)
    assert heeding(clock, *[NOW + 24 * HOUR] * wrong).now() == now


def test_a_corrected_clock_counts_again() -> None:
    ahead = [HOUR]
    clock = heeding(AzureClock(lambda: NOW + ahead[0]), *[NOW] * 9)
    ahead[0] = timedelta(seconds=1)
    heeding(clock, *[NOW] * 5)
    assert clock.now() == NOW + timedelta(seconds=1)


def test_our_own_clock_ignores_changes_of_the_system_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    reading = steady()
    before = reading()
    assert abs(before - datetime.now(UTC)) < timedelta(seconds=5)
    monkeypatch.setattr("reconciler.azure.clock.datetime", None)
    assert timedelta() <= reading() - before < timedelta(seconds=5)


def test_every_response_sets_the_clock(azure: Simulator, clock: VirtualClock) -> None:
    session = Session(credential=Token(), transport=azure.transport(), now=lambda: clock.now() - HOUR)
    door = Compute(session)
    assert door.now() == clock.now() - HOUR
    clock.advance(timedelta(seconds=90))
    door.model(Target(SUBSCRIPTION, "shop", "web"), Priority.ROUTINE)
    assert door.now() == clock.now()
    clock.advance(timedelta(minutes=7))
    assert door.now() == clock.now()


@pytest.mark.parametrize(
    "date",
    [
        "Fri, 31 Dec 9999 23:59:59 GMT",
        "Mon, 01 Jan 1900 00:00:00 GMT",
        f"Mon, 05 Jan {'9' * 20} 09:00:00 GMT",
        f"Mon, 05 Jan 2026 09:00:00 +{'9' * 20}",
        f"Mon, {'9' * 5000} Jan 2026 09:00:00 GMT",
    ],
)
def test_an_implausible_date_is_ignored(date: str) -> None:
    assert parse_date(date) is None
