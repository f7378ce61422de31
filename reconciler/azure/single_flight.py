"""Lets one thread look up an answer while other threads that need the same answer wait for it."""

from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from threading import Lock

_LOCKS = 64
# Longer than almost any request takes. After this time a thread does not wait any longer, so that a request
# that hangs does not delay all waiting threads one after another.
_PATIENCE = 5.0  # seconds


class SingleFlight:
    """Locks by key. The number of locks is fixed, so two keys can share a lock.

    Once it holds the lock, a thread first checks whether another thread has already stored the answer:

        with flight.of(key):
            if key not in known:
                known[key] = look_up(key)
    """

    def __init__(self, patience: float = _PATIENCE) -> None:
        self._locks = [Lock() for _ in range(_LOCKS)]
        self._patience = patience

    @contextmanager
    def of(self, key: Hashable) -> Iterator[None]:
        """Wait until no other thread is in this context for the same key, but no longer than `patience`."""
        lock = self._locks[hash(key) % _LOCKS]
        is_first = lock.acquire(timeout=self._patience)
        try:
            yield
        finally:
            if is_first:
                lock.release()
