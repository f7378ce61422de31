"""What time it is, by our clock and by what Azure's answers say."""

from datetime import timedelta

import pytest

from reconciler.azure.budget import Share
from reconciler.azure.clock import Clock, told
from reconciler.azure.compute import Compute
from reconciler.azure.session import Session
from reconciler.simulator import Simulator, VirtualClock
from reconciler.spec.scale_set import Target
from tests.build import NOW
from tests.stories.world import SUBSCRIPTION
from tests.token import Token

HOUR = timedelta(hours=1)


def test_until_azure_says_what_time_it_is_ours_is_as_good_as_any() -> None:
    clock = Clock(lambda: NOW)
    assert clock.now() == NOW
    clock.heed(None)
    assert clock.now() == NOW


@pytest.mark.parametrize(
    ("ahead", "taken"),
    [
        pytest.param(timedelta(), timedelta(), id="ours is right"),
        pytest.param(timedelta(seconds=5), timedelta(seconds=5), id="some seconds ahead is right enough"),
        pytest.param(timedelta(seconds=-5), timedelta(seconds=-5), id="and behind too"),
        pytest.param(timedelta(seconds=6), timedelta(), id="more is wrong"),
        pytest.param(timedelta(seconds=-6), timedelta(), id="more behind is wrong"),
        pytest.param(12 * HOUR, timedelta(), id="half a day ahead"),
    ],
)
def test_where_ours_is_wrong_azures_counts(ahead: timedelta, taken: timedelta) -> None:
    clock = Clock(lambda: NOW + ahead)
    clock.heed(NOW)
    assert clock.now() - NOW == taken


def test_a_clock_that_is_set_right_is_believed_again() -> None:
    ahead = [HOUR]
    clock = Clock(lambda: NOW + ahead[0])
    clock.heed(NOW)
    ahead[0] = timedelta(seconds=1)
    clock.heed(NOW)
    assert clock.now() == NOW + timedelta(seconds=1)


def test_every_answer_sets_the_clock(azure: Simulator, clock: VirtualClock) -> None:
    session = Session(credential=Token(), transport=azure.transport(), now=lambda: clock.now() - HOUR)
    door = Compute(session)
    assert door.now() == clock.now() - HOUR
    clock.advance(timedelta(seconds=90))
    door.model(Target(SUBSCRIPTION, "shop", "web"), Share.ROUTINE)
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
    assert told(date) is None
