"""What Azure still lets us ask: its request budgets, as its own answers last told them.

The compute provider counts requests by kind (`Charge`), in a bucket for each subscription and region and in
another for each scale set; before it the gateway counts all that we ourselves read and write. Buckets fill
again evenly, and every answer names what is left ("x-ms-ratelimit-remaining-resource"). Everybody who works
on the subscription draws on the provider's buckets: so a part of each stays for others, the smaller one
against rollouts, which must not stand still half-way, the larger one against routine looks. After a 429
nothing of its kind is asked before the time that Azure named.

Sizes: Azure's "Throttling limits for Compute". A budget that is not in the table is left to Azure's own 429.

A request costs the same however many scale sets there are: every bucket is found by its key. Only a request
that covers every region goes through several, one for each region.
"""

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum
from itertools import chain
from threading import Lock

from reconciler.azure.expiring import ExpiringMap

# "VmssQueuedVMOperations;0" stands in the same header and is no budget: it counts up.
_REMAINING = "x-ms-ratelimit-remaining-resource"
# Answers to what was asked at once come within it, in any order.
_SIMULTANEOUS = timedelta(seconds=1)
# How long a bucket is remembered once it is full again. A full bucket holds nothing up, but it counts what is
# on its way. A forgotten one counts only after the next answer.
_FULL_KEPT = timedelta(hours=1)
# No budget is a thousandth of what this holds, and none overflows.
_COUNT = re.compile(r"[0-9]{1,9}")
_OF_GATEWAY = re.compile(r"x-ms-ratelimit-remaining-(subscription-(?:reads|writes))", re.IGNORECASE)


class Priority(Enum):
    """How much of a budget a request leaves to others."""

    ROLLOUT = 0.2
    ROUTINE = 0.5


class BucketScope(Enum):
    """Whose bucket it is."""

    CALLER = "what we alone draw on, in all of a subscription"
    REGION = "of everybody in one region of a subscription"
    RESOURCE = "of everybody, for one scale set"


@dataclass(frozen=True, slots=True)
class Bucket:
    """One of Azure's buckets: so many requests at most, and so many more a minute."""

    name: str
    size: int
    refill: int
    scope: BucketScope = BucketScope.REGION


_READS = Bucket("subscription-reads", 250, 1500, BucketScope.CALLER)
_WRITES = Bucket("subscription-writes", 200, 600, BucketScope.CALLER)
_ACTIONS = (
    Bucket("VMScaleSetActionsSubscriptionMaximum", 1500, 500),
    Bucket("VMScaleSetBatchedVMRequestsSubscriptionMaximum", 6000, 1200),
)


class OperationClass(Enum):
    """What a request is counted as: the stem of Azure's names for it, and the buckets that it draws on."""

    GET = (
        "GetVMScaleSet",
        Bucket("GetVMScaleSetSubscriptionMaximum", 2400, 800),
        Bucket("GetVMScaleSetResource", 36, 12, BucketScope.RESOURCE),
        _READS,
    )
    HIGH_COST_GET = (
        "HighCostGetVMScaleSet",
        Bucket("HighCostGetVMScaleSetSubscriptionMaximum", 1080, 360),
        Bucket("HighCostGetVMScaleSetResource", 30, 10, BucketScope.RESOURCE),
        Bucket("VMScaleSetVMViewsSubscriptionMaximum", 30_000, 10_000),
        _READS,
    )
    PATCH = (
        "VMScaleSetActions",
        *_ACTIONS,
        Bucket("VMScaleSetActionsResource", 12, 4, BucketScope.RESOURCE),
        _WRITES,
    )
    UPGRADE = ("VMScaleSetActions", *_ACTIONS, _WRITES)
    OPERATION = (
        "GetOperation",
        Bucket("GetOperationSubscriptionMaximum", 15_000, 5000),
        Bucket("GetOperationResource", 45, 15, BucketScope.RESOURCE),
        _READS,
    )
    IMAGES = ("VMImages", _READS)
    VIRTUAL_MACHINES = ("VirtualMachines", _READS)
    PERMISSIONS = ("Permissions", _READS)

    def __init__(self, stem: str, *buckets: Bucket) -> None:
        self.stem = stem
        self.buckets = buckets

    @property
    def gateway(self) -> Bucket:
        """The gateway's bucket, which all that we read, or write, draws on."""
        return self.buckets[-1]


_BY_NAME = {bucket.name: bucket for operation_class in OperationClass for bucket in operation_class.buckets}


@dataclass(frozen=True, slots=True)
class Subject:
    """What a request is about: a scale set, its region and subscription. Folded.

    `location` is "" while it is not known and of what covers every region, `resource` of what is not about
    one scale set.
    """

    subscription: str
    location: str = ""
    resource: str = ""

    def of(self, scope: BucketScope) -> "Subject":
        """Whose bucket a request about this is counted in."""
        match scope:
            case BucketScope.CALLER:
                return Subject(self.subscription)
            case BucketScope.REGION:
                return Subject(self.subscription, self.location)
            case BucketScope.RESOURCE:
                return self


@dataclass(frozen=True, slots=True)
class Delay:
    """How long not to ask, and why."""

    length: timedelta
    why: str


@dataclass(frozen=True, slots=True)
class _Left:
    requests: float
    at: datetime

    def by(self, now: datetime, bucket: Bucket) -> float:
        # No bucket empties because a clock is set back.
        passed = max(timedelta(), now - self.at)
        filled = self.requests + bucket.refill * (passed / timedelta(minutes=1))
        # Rounded, so that who waits as long as was said finds a whole request.
        return round(min(bucket.size, filled), 6)

    def full_at(self, bucket: Bucket) -> datetime:
        missing = max(0, bucket.size - self.requests)
        return self.at + timedelta(minutes=missing / bucket.refill)


_Key = tuple[str, Subject]


@dataclass(slots=True)
class Budget:
    """Safe to share between threads."""

    _left: ExpiringMap[_Key, _Left] = field(default_factory=ExpiringMap)
    _in_flight: Counter[_Key] = field(default_factory=Counter)
    _backoffs: ExpiringMap[_Key, None] = field(default_factory=ExpiringMap)
    # The regions of each subscription, in the order of their first answers. They stay: Azure has fewer than a
    # hundred.
    _regions: defaultdict[str, dict[str, None]] = field(default_factory=lambda: defaultdict(dict))
    _lock: Lock = field(default_factory=Lock)

    def note(self, subject: Subject, headers: Mapping[str, str], at: datetime) -> None:
        """Take over what an answer about `subject` says is left.

        It knows nothing of others under way, and may be overtaken by later ones: what we reckon with it may
        raise only once nothing was asked for a moment.
        """
        with self._lock:
            self._add_region(subject)
            for name, requests in _remaining(headers):
                if bucket := _BY_NAME.get(name):
                    key = _key(bucket, subject)
                    reported = _Left(requests - max(0, self._in_flight[key] - 1), at)
                    known = self._left.get(key, at)
                    is_busy = known is not None and at - known.at < _SIMULTANEOUS
                    if not known or not is_busy or reported.requests < known.by(at, bucket):
                        self._put(key, reported, bucket)

    def back_off(
        self, operation_class: OperationClass, subject: Subject, policy: str, until: datetime
    ) -> None:
        """Remember a 429. `policy` is the budget that Azure named, "" where the gateway itself refused."""
        if not policy:
            key = (operation_class.gateway.name, subject.of(BucketScope.CALLER))
        else:
            scope = BucketScope.RESOURCE if policy.endswith("Resource") else BucketScope.REGION
            key = (operation_class.stem, subject.of(scope))
        with self._lock:
            self._add_region(subject)
            if not self._backoffs.expiry(key, until):  # a longer rest stays
                self._backoffs.put(key, None, until)

    def acquire(
        self,
        operation_class: OperationClass,
        subject: Subject,
        priority: Priority,
        at: datetime,
        requests: int = 1,
    ) -> Delay | None:
        """Why and how long a request must wait; None: it may go, and is counted.

        `requests` are as many as it takes in one go, such as the pages of a list: half of one helps nobody.
        """
        with self._lock:
            self._backoffs.forget(at)
            waits = [self._backoff(operation_class, subject, at)]
            waits += [
                _reserve(bucket, left, priority, at, requests)
                for bucket in operation_class.buckets
                for key in self._keys(bucket.name, bucket.scope, subject)
                if (left := self._left.get(key, at))
            ]
            if longest := max((wait for wait in waits if wait), key=lambda wait: wait.length, default=None):
                return longest
            for bucket in operation_class.buckets:
                key = _key(bucket, subject)
                self._in_flight[key] += 1
                if left := self._left.get(key, at):
                    self._put(key, _Left(left.by(at, bucket) - requests, at), bucket)
        return None

    def release(self, operation_class: OperationClass, subject: Subject) -> None:
        """What could go has come to its end, whichever."""
        with self._lock:
            for bucket in operation_class.buckets:
                key = _key(bucket, subject)
                self._in_flight[key] -= 1
                if self._in_flight[key] <= 0:
                    del self._in_flight[key]

    def _put(self, key: _Key, left: _Left, bucket: Bucket) -> None:
        self._left.forget(left.at)
        self._left.put(key, left, until=left.full_at(bucket) + _FULL_KEPT)

    def _add_region(self, subject: Subject) -> None:
        if subject.location:
            self._regions[subject.subscription][subject.location] = None

    def _keys(self, name: str, scope: BucketScope, subject: Subject) -> Iterator[_Key]:
        """Where to look for what holds up `subject`: what covers every region draws on the bucket of each."""
        own = subject.of(scope)
        yield name, own
        if scope is BucketScope.REGION and not own.location:
            for location in self._regions.get(own.subscription, ()):
                yield name, Subject(own.subscription, location)

    def _backoff(self, operation_class: OperationClass, subject: Subject, at: datetime) -> Delay | None:
        """The longest of the rests that `subject` is under."""
        keys = chain(
            self._keys(operation_class.gateway.name, BucketScope.CALLER, subject),
            self._keys(operation_class.stem, BucketScope.REGION, subject),
            self._keys(operation_class.stem, BucketScope.RESOURCE, subject),
        )
        backoffs = [until for key in keys if (until := self._backoffs.expiry(key, at))]
        if not backoffs:
            return None
        until = max(backoffs)
        return Delay(until - at, f"Azure asked for no such requests before {until:%H:%M:%S}")


def _key(bucket: Bucket, subject: Subject) -> _Key:
    return bucket.name, subject.of(bucket.scope)


def _reserve(bucket: Bucket, left: _Left, priority: Priority, at: datetime, requests: int) -> Delay | None:
    """The wait until so many are left besides what is kept for others, if anybody else draws on it.

    What takes nearly all of a bucket in one go can leave no more to others than the rest.
    """
    share_kept = 0 if bucket.scope is BucketScope.CALLER else math.ceil(bucket.size * priority.value)
    kept = max(0, min(share_kept, bucket.size - requests))
    needed = min(bucket.size, kept + requests)
    now = left.by(at, bucket)
    if now >= needed:
        return None
    seconds = math.ceil((needed - now) / bucket.refill * 60_000) / 1000
    for_others = ", and kept for others" if kept else ""
    return Delay(
        timedelta(seconds=seconds),
        f"{now:.0f} of {bucket.size} requests of {bucket.name} are left{for_others}",
    )


def _remaining(headers: Mapping[str, str]) -> Iterator[tuple[str, int]]:
    """Policy and count, of "Microsoft.Compute/GetVMScaleSetResource;35,..." and of the gateway's own headers.

    >>> list(_remaining({"x-ms-ratelimit-remaining-resource": "Microsoft.Compute/GetVMScaleSetResource;35"}))
    [('GetVMScaleSetResource', 35)]
    """
    for part in headers.get(_REMAINING, "").split(","):
        name, _, count = part.strip().rpartition("/")[2].partition(";")
        if _COUNT.fullmatch(count):
            yield name, int(count)
    for header, count in headers.items():
        if (match := _OF_GATEWAY.fullmatch(header)) and _COUNT.fullmatch(count):
            yield match[1].lower(), int(count)
