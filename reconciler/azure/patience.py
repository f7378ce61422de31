"""Retries a request that Azure throttles."""

import time
from collections.abc import Callable
from datetime import timedelta
from typing import TypeVar

from reconciler.azure.failure import TooManyRequests

_T = TypeVar("_T")
_LEAST = timedelta(milliseconds=100)  # so that "Retry-After: 0" does not repeat a request for ever


def patiently(
    request: Callable[[], _T], longest: timedelta, sleep: Callable[[float], None] = time.sleep
) -> _T:
    """The result of `request`. If Azure throttles the request, waits as long as Azure asks, and tries again.

    `longest` limits the sum of all waits. `sleep` takes seconds. Raises TooManyRequests if the waits would
    exceed `longest`, and any other AzureFailure immediately.
    """
    waited = timedelta()
    while True:
        try:
            return request()
        except TooManyRequests as throttled:
            delay = max(throttled.retry_after, _LEAST)
            if (waited := waited + delay) > longest:
                raise
            sleep(delay.total_seconds())
