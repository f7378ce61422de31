"""Makes garbage collection rare while fleets are played back."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

_RARE = (100_000, 50, 100)


class _Thresholds:
    """The thresholds of the collector. All threads of the process share them."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._users = 0
        self._usual = gc.get_threshold()

    def raise_once(self) -> None:
        with self._lock:
            if self._users == 0:
                self._usual = gc.get_threshold()
                gc.set_threshold(*_RARE)
            self._users += 1

    def restore_at_last(self) -> None:
        with self._lock:
            self._users -= 1
            if self._users == 0:
                gc.set_threshold(*self._usual)


_thresholds = _Thresholds()


@contextmanager
def rare_collection() -> Iterator[None]:
    """Inside the context, look for cyclic garbage only rarely. Contexts in several threads may overlap.

    A playback makes and drops millions of values, and hardly any of them is in a cycle. Each search visits
    the whole fleet. With the usual thresholds, searches would take a fifth of the time of a playback of 1,000
    scale sets.
    """
    _thresholds.raise_once()
    try:
        yield
    finally:
        _thresholds.restore_at_last()
