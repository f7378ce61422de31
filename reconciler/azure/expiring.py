"""A mapping that forgets, for what a process remembers of scale sets that come and go for years."""

from collections import OrderedDict
from datetime import datetime, timedelta
from threading import Lock
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")

# A caller adds one entry for each call of `forget`: with one check, a mapping full of expired entries would
# keep its size.
_CHECKED = 2


class ExpiringMap(Generic[K, V]):
    """Each entry expires at a time of its own. Safe to share between threads.

    No call goes through all entries, so its cost does not depend on their number. `forget` checks the two
    entries that were checked longest ago. Called for every `put`, it leaves at most about one expired entry
    for each that has not expired.

    >>> from datetime import timedelta
    >>> noon, minute = datetime(2026, 1, 1, 12), timedelta(minutes=1)
    >>> regions: ExpiringMap[str, str] = ExpiringMap()
    >>> regions.put("web", "westeurope", until=noon + minute)
    >>> regions.get("web", noon), regions.get("web", noon + minute), len(regions)
    ('westeurope', None, 1)
    >>> print(regions.expiry("web", noon), regions.expiry("web", noon + minute))
    2026-01-01 12:01:00 None
    >>> regions.forget(noon + minute)
    >>> len(regions)
    0
    """

    def __init__(self) -> None:
        # The first entry was checked longest ago. A dict would do, but it finds its first entry by walking
        # over the places of all that were removed before it.
        self._entries: OrderedDict[K, tuple[V, datetime]] = OrderedDict()
        self._lock = Lock()

    def __len__(self) -> int:
        """The number of entries held, expired ones included."""
        return len(self._entries)

    def get(self, key: K, now: datetime) -> V | None:
        """The value of an entry that has not expired by `now`."""
        with self._lock:
            entry = self._entries.get(key)
        return entry[0] if entry and entry[1] > now else None

    def expiry(self, key: K, now: datetime) -> datetime | None:
        """When the entry expires, or None if there is none or it has expired by `now`."""
        with self._lock:
            entry = self._entries.get(key)
        return entry[1] if entry and entry[1] > now else None

    def put(self, key: K, value: V, until: datetime) -> None:
        """Add an entry, or replace it. It expires at `until`."""
        with self._lock:
            self._entries[key] = (value, until)

    def forget(self, now: datetime) -> None:
        """Drop what has expired among the next two entries."""
        with self._lock:
            for _ in range(min(_CHECKED, len(self._entries))):
                key, (_, until) = next(iter(self._entries.items()))
                if until > now:
                    self._entries.move_to_end(key)
                else:
                    del self._entries[key]

    def keep(self, key: K, value: V, now: datetime, length: timedelta) -> None:
        """Add an entry, or replace it, for `length`; and forget."""
        self.forget(now)
        self.put(key, value, now + length)
