"""Many daemons of one server: each has its own share of a tenth of the interval, and keeps it."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.daemon.jitter import share_of, spread_interval, spread_start

HOSTS = [f"reconciler-{number}" for number in range(200)]
REMOTE = "https://git.example.com/platform/fleet.git"
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


def test_the_share_stays_the_same_after_a_restart() -> None:
    assert share_of(REMOTE, "reconciler-0") == pytest.approx(0.41130362745563787)


def test_the_shares_of_many_daemons_are_spread_evenly() -> None:
    shares = [share_of(REMOTE, host) for host in HOSTS]
    assert len(set(shares)) == len(HOSTS)
    assert all(10 < sum(low <= each < low + 0.2 for each in shares) < 80 for low in (0, 0.2, 0.4, 0.6, 0.8))


def test_two_servers_are_asked_at_different_times() -> None:
    assert share_of(REMOTE, "reconciler-0") != share_of(f"{REMOTE}/other", "reconciler-0")


def test_a_directory_is_read_at_the_interval_and_at_once() -> None:
    share = share_of("", "reconciler-0")
    assert (spread_interval(MINUTE, share), spread_start(MINUTE, share)) == (MINUTE, timedelta())


@pytest.mark.parametrize(
    ("interval", "share", "every", "first"),
    [
        pytest.param(MINUTE, 0.0, MINUTE, timedelta(), id="the least share"),
        pytest.param(MINUTE, 0.5, timedelta(seconds=63), timedelta(seconds=2.5), id="a middle share"),
        pytest.param(HOUR, 0.5, timedelta(minutes=63), timedelta(seconds=2.5), id="a long interval"),
        pytest.param(
            10 * timedelta(seconds=1),
            0.5,
            timedelta(seconds=10.5),
            timedelta(seconds=0.5),
            id="a short interval",
        ),
    ],
)
def test_how_far_a_share_spreads(
    interval: timedelta, share: float, every: timedelta, first: timedelta
) -> None:
    assert (spread_interval(interval, share), spread_start(interval, share)) == (every, first)


@given(st.text(min_size=1), st.text(), st.timedeltas(timedelta(seconds=1), timedelta(days=1)))
def test_no_interval_is_shorter_than_declared_or_longer_by_more_than_a_tenth(
    remote: str, host: str, interval: timedelta
) -> None:
    share = share_of(remote, host)
    assert 0 <= share < 1
    assert interval <= spread_interval(interval, share) <= interval * 1.1
    assert timedelta() <= spread_start(interval, share) <= min(interval / 10, timedelta(seconds=5))
