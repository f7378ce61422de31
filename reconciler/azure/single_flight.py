"""Lets one thread look something up while other threads that need the same answer wait for it."""

from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from threading import Lock

_LOCKS = 64
# Longer than any usual answer. Then a thread looks for itself: one request that hangs must not hold up the
# others, one after another.
_PATIENCE = 5.0  # seconds


class SingleFlight:
    """Locks by key. Two keys may share a lock, so that their number does not grow.

    Whoever comes in looks first whether another thread has left an answer meanwhile:

        with flight.of(key):
            if key not in known:
                known[key] = look_up(key)
    """

    def __init__(self, patience: float = _PATIENCE) -> None:
        self._locks = [Lock() for _ in range(_LOCKS)]
        self._patience = patience

    @contextmanager
    def of(self, key: Hashable) -> Iterator[None]:
        """Wait until no other thread is in this context for the key, or until the patience ends."""
        lock = self._locks[hash(key) % _LOCKS]
        is_first = lock.acquire(timeout=self._patience)
        try:
            yield
        finally:
            if is_first:
                lock.release()
