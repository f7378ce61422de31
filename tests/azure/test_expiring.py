"""A mapping that forgets: what has expired is not seen, and does not pile up."""

from datetime import timedelta

import pytest

from reconciler.azure.expiring import ExpiringMap
from tests.build import NOW

MINUTE = timedelta(minutes=1)


@pytest.mark.parametrize(
    ("after", "value"),
    [
        pytest.param(-MINUTE, "web", id="found by a clock that is set back"),
        pytest.param(timedelta(), "web", id="found at once"),
        pytest.param(MINUTE - timedelta.resolution, "web", id="found until it expires"),
        pytest.param(MINUTE, None, id="gone when it expires"),
    ],
)
def test_an_entry_is_found_until_it_expires(after: timedelta, value: str | None) -> None:
    entries: ExpiringMap[int, str] = ExpiringMap()
    entries.put(1, "web", NOW + MINUTE)
    assert entries.get(1, NOW + after) == value


def test_an_entry_that_is_put_again_expires_later() -> None:
    entries: ExpiringMap[int, str] = ExpiringMap()
    entries.put(1, "web", NOW + MINUTE)
    entries.put(1, "api", NOW + 2 * MINUTE)
    entries.forget(NOW + MINUTE)
    assert entries.get(1, NOW + MINUTE) == "api"
    assert len(entries) == 1


@pytest.mark.parametrize("lasting", [0, 1, 100])
def test_expired_entries_never_outnumber_the_others_by_much(lasting: int) -> None:
    """One entry a second, each for a minute, among some that outlast them."""
    entries: ExpiringMap[int, str] = ExpiringMap()
    for number in range(lasting):
        entries.put(-number - 1, "lasting", NOW + timedelta(days=1))
    for second in range(10_000):
        at = NOW + timedelta(seconds=second)
        entries.forget(at)
        entries.put(second, "short", at + MINUTE)
        assert len(entries) <= 2 * (lasting + 60) + 2
    assert all(entries.get(-number - 1, at) for number in range(lasting))


def test_nothing_is_left_once_all_have_expired() -> None:
    entries: ExpiringMap[int, str] = ExpiringMap()
    for number in range(101):
        entries.put(number, "web", NOW + MINUTE)
    for _ in range(51):
        entries.forget(NOW + MINUTE)
    assert len(entries) == 0
