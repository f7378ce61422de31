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
    """After answers of these dates, each of which came at once."""
    for date in dates:
        clock.note_date(date, clock.read())
    return clock


def test_until_azure_says_what_time_it_is_ours_is_as_good_as_any() -> None:
    clock = AzureClock(lambda: NOW)
    assert clock.now() == NOW
    assert heeding(clock, None).now() == NOW


@pytest.mark.parametrize(
    ("ahead", "taken"),
    [
        pytest.param(timedelta(), timedelta(), id="ours is right"),
        pytest.param(timedelta(seconds=5), timedelta(seconds=5), id="some seconds ahead is right enough"),
        pytest.param(timedelta(seconds=-5), timedelta(seconds=-5), id="some seconds behind is right enough"),
        pytest.param(timedelta(seconds=6), timedelta(), id="more is wrong"),
        pytest.param(timedelta(seconds=-6), timedelta(), id="more behind is wrong"),
        pytest.param(12 * HOUR, timedelta(), id="half a day ahead"),
    ],
)
def test_where_ours_is_wrong_azures_counts(ahead: timedelta, taken: timedelta) -> None:
    assert heeding(AzureClock(lambda: NOW + ahead), NOW).now() - NOW == taken


@pytest.mark.parametrize(
    ("dated", "now"),
    [
        pytest.param(-60, NOW, id="an answer dated when it was asked for"),
        pytest.param(-30, NOW, id="an answer dated half-way"),
        pytest.param(0, NOW, id="an answer dated when it came"),
        pytest.param(-65, NOW, id="an answer dated some seconds before it was asked for"),
        pytest.param(-66, NOW - timedelta(seconds=6), id="an answer dated long before it was asked for"),
        pytest.param(6, NOW + timedelta(seconds=6), id="an answer dated long after it came"),
    ],
)
def test_an_answer_that_takes_a_minute_sets_no_clock_back(dated: int, now: datetime) -> None:
    clock = AzureClock(lambda: NOW)
    clock.note_date(NOW + timedelta(seconds=dated), NOW - timedelta(minutes=1))
    assert clock.now() == now


@pytest.mark.parametrize(
    ("wrong", "now"),
    [
        pytest.param(3, NOW, id="three answers of tomorrow change nothing"),
        pytest.param(4, NOW, id="four of nine change nothing"),
        pytest.param(5, NOW + 24 * HOUR, id="five of nine do"),
    ],
)
def test_what_most_of_the_last_answers_say_counts(wrong: int, now: datetime) -> None:
    clock = heeding(AzureClock(lambda: NOW), *[NOW] * 20)
    assert heeding(clock, *[NOW + 24 * HOUR] * wrong).now() == now


def test_a_clock_that_is_set_right_is_believed_again() -> None:
    ahead = [HOUR]
    clock = heeding(AzureClock(lambda: NOW + ahead[0]), *[NOW] * 9)
    ahead[0] = timedelta(seconds=1)
    heeding(clock, *[NOW] * 5)
    assert clock.now() == NOW + timedelta(seconds=1)


def test_our_own_clock_goes_on_whoever_sets_it(monkeypatch: pytest.MonkeyPatch) -> None:
    reading = steady()
    before = reading()
    assert abs(before - datetime.now(UTC)) < timedelta(seconds=5)
    monkeypatch.setattr("reconciler.azure.clock.datetime", None)
    assert timedelta() <= reading() - before < timedelta(seconds=5)


def test_every_answer_sets_the_clock(azure: Simulator, clock: VirtualClock) -> None:
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
def test_a_date_that_nobody_means_tells_no_time(date: str) -> None:
    assert parse_date(date) is None
