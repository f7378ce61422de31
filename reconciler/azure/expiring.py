"""A mapping whose entries expire. Scale sets come and go while a process runs for years."""

from collections import OrderedDict
from datetime import datetime, timedelta
from threading import Lock
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")

# A caller adds one entry for each call of `forget`. If a call checked only one entry, a mapping full of
# expired entries would never shrink.
_CHECKED = 2


class ExpiringMap(Generic[K, V]):
    """A mapping in which each entry expires at its own time. Safe to share between threads.

    No call visits every entry, so the cost of a call does not depend on the number of entries. `forget`
    checks the two entries that were checked longest ago. If every `put` comes with one call to `forget`, at
    most about half of the entries have expired.

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
        # The first entry was checked longest ago. A dict keeps the order too, but to find its first entry it
        # passes over the places of all entries that were removed before that entry.
        self._entries: OrderedDict[K, tuple[V, datetime]] = OrderedDict()
        self._lock = Lock()

    def __len__(self) -> int:
        """The number of entries, including expired entries that have not been dropped yet."""
        return len(self._entries)

    def get(self, key: K, now: datetime) -> V | None:
        """The value of the entry, or None if there is no entry or it has expired by `now`."""
        with self._lock:
            entry = self._entries.get(key)
        return entry[0] if entry and entry[1] > now else None

    def expiry(self, key: K, now: datetime) -> datetime | None:
        """The time when the entry expires, or None if there is no entry or it has expired by `now`."""
        with self._lock:
            entry = self._entries.get(key)
        return entry[1] if entry and entry[1] > now else None

    def put(self, key: K, value: V, until: datetime) -> None:
        """Add or replace an entry, which expires at `until`."""
        with self._lock:
            self._entries[key] = (value, until)

    def forget(self, now: datetime) -> None:
        """Check the two entries that were checked longest ago, and drop those that have expired by `now`."""
        with self._lock:
            for _ in range(min(_CHECKED, len(self._entries))):
                key, (_, until) = next(iter(self._entries.items()))
                if until > now:
                    self._entries.move_to_end(key)
                else:
                    del self._entries[key]

    def keep(self, key: K, value: V, now: datetime, length: timedelta) -> None:
        """Add or replace an entry, which expires after `length`, and call `forget`."""
        self.forget(now)
        self.put(key, value, now + length)
