"""Counts requests to Azure by class and HTTP status, for the metrics."""

from collections import Counter
from collections.abc import Mapping
from threading import Lock


class RequestCounter:
    """The number of requests since the process began. Safe to share between threads."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, int]] = Counter()
        self._lock = Lock()

    def count(self, kind: str, status: int) -> None:
        """Count a request.

        `kind` is the name of its OperationClass. `status` is 0 if there was no response.
        """
        with self._lock:
            self._counts[kind, status] += 1

    def counts(self) -> Mapping[tuple[str, int], int]:
        """The number of requests so far, by class and status."""
        with self._lock:
            return dict(self._counts)
