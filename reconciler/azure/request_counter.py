"""How many requests Azure was asked, by kind and by the status of the answer: for the metrics."""

from collections import Counter
from collections.abc import Mapping
from threading import Lock


class RequestCounter:
    """Since the process began. Safe to share between threads."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, int]] = Counter()
        self._lock = Lock()

    def count(self, kind: str, status: int) -> None:
        """One more, of the kind that `Charge` names; `status` is 0 where no answer came."""
        with self._lock:
            self._counts[kind, status] += 1

    def counts(self) -> Mapping[tuple[str, int], int]:
        """Those so far."""
        with self._lock:
            return dict(self._counts)
