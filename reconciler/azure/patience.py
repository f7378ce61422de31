"""Waits while Azure throttles."""

import time
from collections.abc import Callable
from datetime import timedelta
from typing import TypeVar

from reconciler.azure.failure import TooManyRequests

_T = TypeVar("_T")


def patiently(
    request: Callable[[], _T], longest: timedelta, sleep: Callable[[float], None] = time.sleep
) -> _T:
    """The answer to a request, after the time that Azure asks for if it throttles.

    `longest` is how long it waits in all. Raises AzureFailure.
    """
    waited = timedelta()
    while True:
        try:
            return request()
        except TooManyRequests as throttled:
            if (waited := waited + throttled.retry_after) > longest:
                raise
            sleep(throttled.retry_after.total_seconds())
