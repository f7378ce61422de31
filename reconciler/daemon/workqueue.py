"""A queue of keys to work on. Each key is in it at most once, and held by at most one worker.

The semantics are those of client-go's workqueue. A key that is added while a worker holds it is queued again
when that worker is done, so no wakeup is lost. There is one difference: `shut_down` drops the queued keys
instead of draining them, because the next process reconciles every scale set anyway.
"""

from collections import deque
from threading import Condition


class WorkQueue:
    """A queue that is safe to share between threads."""

    def __init__(self) -> None:
        self._queue: deque[str] = deque()
        self._dirty: set[str] = set()  # queued, or to be queued when their worker is done
        self._processing: set[str] = set()
        self._is_shut_down = False
        self._changed = Condition()

    def __len__(self) -> int:
        """The number of keys that are queued or held by a worker."""
        with self._changed:
            return len(self._dirty | self._processing)

    @property
    def is_shut_down(self) -> bool:
        """Whether the queue has stopped accepting and returning keys."""
        with self._changed:
            return self._is_shut_down

    def add(self, key: str) -> None:
        """Queue this key, unless it is already queued."""
        with self._changed:
            if self._is_shut_down or key in self._dirty:
                return
            self._dirty.add(key)
            if key not in self._processing:
                self._queue.append(key)
                self._changed.notify()

    def get(self) -> str | None:
        """Block until there is a key to work on. Returns None once the queue is shut down.

        The worker must call `done` for each key.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._queue or self._is_shut_down)
            if not self._queue:
                return None
            key = self._queue.popleft()
            self._dirty.remove(key)
            self._processing.add(key)
            return key

    def done(self, key: str) -> None:
        """Report that the worker has finished with this key."""
        with self._changed:
            self._processing.remove(key)
            if key in self._dirty:
                self._queue.append(key)
                self._changed.notify()

    def shut_down(self) -> None:
        """Drop the queued keys, and stop accepting and returning keys."""
        with self._changed:
            self._is_shut_down = True
            self._dirty.clear()
            self._queue.clear()
            self._changed.notify_all()
