"""How long a request is repeated while Azure throttles."""

from datetime import timedelta

import pytest

from reconciler.azure.failure import TooManyRequests
from reconciler.azure.patience import patiently

SECOND = timedelta(seconds=1)


class Throttling:
    """A request that is throttled a number of times."""

    def __init__(self, times: int, retry_after: timedelta) -> None:
        self.left = times
        self.retry_after = retry_after

    def __call__(self) -> str:
        if self.left:
            self.left -= 1
            raise TooManyRequests("slowly", self.retry_after)
        return "the answer"


def test_it_waits_as_long_as_azure_asks_for() -> None:
    slept: list[float] = []
    assert patiently(Throttling(2, 5 * SECOND), 10 * SECOND, slept.append) == "the answer"
    assert slept == [5.0, 5.0]


def test_it_waits_no_longer_than_that_in_all() -> None:
    slept: list[float] = []
    with pytest.raises(TooManyRequests):
        patiently(Throttling(9, 5 * SECOND), 10 * SECOND, slept.append)
    assert slept == [5.0, 5.0]


def test_retry_after_zero_does_not_repeat_for_ever() -> None:
    slept: list[float] = []
    with pytest.raises(TooManyRequests):
        patiently(Throttling(99, timedelta()), SECOND, slept.append)
    assert len(slept) == 10
