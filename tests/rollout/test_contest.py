"""How often an instance is brought to the model that something else changes again, and how long it rests then."""

from datetime import UTC, datetime, timedelta

import pytest

from reconciler.rollout.contest import Contest, contested_until, contests_after
from reconciler.rollout.step import Upgrade
from reconciler.spec.image import PlatformImage

AT = datetime(2026, 1, 5, 9, tzinfo=UTC)
HOUR = timedelta(hours=1)
IMAGE = PlatformImage("Canonical", "ubuntu-24_04-lts", "server", "24.04.202601140")


@pytest.mark.parametrize(
    ("times", "rest"),
    [
        pytest.param(0, None, id="one that is not contested does not rest"),
        pytest.param(2, None, id="it is taken twice without a rest"),
        pytest.param(3, timedelta(minutes=20), id="it is left alone after the third time"),
        pytest.param(4, timedelta(minutes=40), id="it rests twice as long after the fourth"),
        pytest.param(7, timedelta(minutes=320), id="it rests for more than five hours after the seventh"),
        pytest.param(70, timedelta(minutes=320), id="it never rests for longer than that"),
    ],
)
def test_how_long_it_is_left_alone(times: int, rest: timedelta | None) -> None:
    until = contested_until(Contest(times, AT) if times else None)
    assert until == (None if rest is None else AT + rest)


@pytest.mark.parametrize(
    ("before", "behind", "after"),
    [
        pytest.param({}, {"1"}, {"1": Contest(1, AT)}, id="the first time counts one"),
        pytest.param({}, set(), {}, id="one that is brought to another image counts none"),
        pytest.param(
            {"1": Contest(2, AT - HOUR)}, {"1"}, {"1": Contest(3, AT)}, id="an hour later it counts on"
        ),
        pytest.param(
            {"1": Contest(2, AT - 24 * HOUR)}, {"1"}, {"1": Contest(1, AT)}, id="a day later it counts again"
        ),
        pytest.param(
            {"1": Contest(2, AT - HOUR), "2": Contest(5, AT - 25 * HOUR)},
            set(),
            {"1": Contest(2, AT - HOUR)},
            id="others are kept for a day",
        ),
    ],
)
def test_what_an_upgrade_counts(
    before: dict[str, Contest], behind: set[str], after: dict[str, Contest]
) -> None:
    upgrade = Upgrade(("1",), IMAGE, behind=frozenset(behind))
    assert contests_after(before, upgrade, AT) == after
