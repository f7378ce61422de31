"""Counts requests to Azure by class and HTTP status, for the metrics."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from threading import Lock, local


@dataclass(frozen=True, slots=True)
class RequestsLeft:
    """The requests left in an Azure bucket, or the instances if the bucket counts instances.

    `location` is "" if the bucket covers every region.
    """

    bucket: str
    subscription: str
    location: str
    requests: int


@dataclass(frozen=True, slots=True)
class RequestIds:
    """The ids by which Microsoft can find a request: one set by the client, and two set by Azure."""

    client: str
    request: str
    correlation: str


class RequestCounter:
    """The requests sent since the process began, and the requests left. Safe to share between threads."""

    def __init__(self, left: Callable[[], Iterable[RequestsLeft]] = tuple) -> None:
        self.left = left
        self._counts: Counter[tuple[str, int]] = Counter()
        self._lock = Lock()
        self._thread = local()  # the last response of each thread

    @property
    def ids(self) -> RequestIds | None:
        """The ids of the last request of this thread, or None if the request got no response."""
        return getattr(self._thread, "ids", None)

    def note(self, ids: RequestIds | None) -> None:
        """Record the ids of a response in this thread, or None if there was no response."""
        self._thread.ids = ids

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
