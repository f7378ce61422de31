"""Azure's request budgets, as reported in its responses.

The compute provider counts requests by class (`OperationClass`). Each class has one bucket for each region of
a subscription, and one for each scale set. The gateway in front of the provider counts all reads and all
writes of the caller. Buckets refill evenly, and every response reports how many requests are left
("x-ms-ratelimit-remaining-resource"). All clients of a subscription share the buckets of the provider, so we
leave part of each bucket to other clients. Rollouts leave less, because they must not stop half-way. Routine
observations leave more. After a 429, no request of the same class is sent before the time that Azure names.

The bucket sizes come from "Throttling limits for Compute" in Azure's documentation. A budget that is not
listed there is not checked in advance. Only a 429 from Azure enforces it.

The cost of a check does not depend on the number of scale sets, because each bucket is found by its key. Only
a request that covers every region checks several buckets, one for each region.
"""

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum
from itertools import chain, product
from threading import Lock

from reconciler.azure.expiring import ExpiringMap
from reconciler.azure.request_counter import RequestsLeft
from reconciler.rollout.wording import time_of_day

# The header can also contain "VmssQueuedVMOperations;0". This is not a budget, because it counts up.
_REMAINING = "x-ms-ratelimit-remaining-resource"
# Responses to simultaneous requests arrive within this time, in any order.
_SIMULTANEOUS = timedelta(seconds=1)
# How long a bucket is remembered after it is full again. A full bucket blocks no request, but its count still
# includes requests in flight. A bucket that was forgotten is counted again from the next response.
_FULL_KEPT = timedelta(hours=1)
# Up to nine digits: far more than any budget, and too few to overflow.
_COUNT = re.compile(r"[0-9]{1,9}")
_OF_GATEWAY = re.compile(r"x-ms-ratelimit-remaining-(subscription-(?:reads|writes))", re.IGNORECASE)


class Priority(Enum):
    """The priority of a request.

    The value is the share of a budget that the request leaves to other clients.
    """

    ROLLOUT = 0.2
    ROUTINE = 0.5


class BucketScope(Enum):
    """Which requests a bucket counts."""

    CALLER = "those of this caller, in a subscription"
    REGION = "those of all callers, in one region of a subscription"
    RESOURCE = "those of all callers, for one scale set"


@dataclass(frozen=True, slots=True)
class Bucket:
    """An Azure token bucket: its size in requests, and its refill in requests per minute.

    If `counts_instances` is true, the bucket counts the instances that a request covers, and not requests.
    """

    name: str
    size: int
    refill: int
    scope: BucketScope = BucketScope.REGION
    counts_instances: bool = False


@dataclass(frozen=True, slots=True)
class Cost:
    """What a call takes from a budget: requests, such as one for each page of a list, and instances."""

    requests: int = 1
    instances: int = 0

    def of(self, bucket: Bucket) -> int:
        return self.instances if bucket.counts_instances else self.requests

    def in_flight(self, bucket: Bucket) -> int:
        """What a call is assumed to take before its next response.

        At most one request is in flight at a time, because a list is read page by page.
        """
        return self.instances if bucket.counts_instances else min(1, self.requests)


ONE_REQUEST = Cost()


_READS = Bucket("subscription-reads", 250, 1500, BucketScope.CALLER)
_WRITES = Bucket("subscription-writes", 200, 600, BucketScope.CALLER)
_ACTIONS = (
    Bucket("VMScaleSetActionsSubscriptionMaximum", 1500, 500),
    Bucket("VMScaleSetBatchedVMRequestsSubscriptionMaximum", 6000, 1200, counts_instances=True),
)


class OperationClass(Enum):
    """A class of requests: the stem of its names in Azure, and the buckets that count it."""

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
        Bucket("VMScaleSetVMViewsSubscriptionMaximum", 30_000, 10_000, counts_instances=True),
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
    TAGS = ("Tags", _READS)
    TAG_WRITES = ("Tags", _WRITES)
    ACTIVITY_LOG = ("ActivityLog", _READS)

    def __init__(self, stem: str, *buckets: Bucket) -> None:
        self.stem = stem
        self.buckets = buckets

    @property
    def gateway(self) -> Bucket:
        """The gateway's bucket for this class: the one for all reads, or the one for all writes."""
        return self.buckets[-1]


_BY_NAME = {bucket.name: bucket for operation_class in OperationClass for bucket in operation_class.buckets}


@dataclass(frozen=True, slots=True)
class Subject:
    """What a request is about: a scale set, its region and its subscription, all in lower case.

    `location` is "" if it is unknown, or if the request covers every region. `resource` is "" if the request
    is not about one scale set.
    """

    subscription: str
    location: str = ""
    resource: str = ""

    def of(self, scope: BucketScope) -> "Subject":
        """The part of this subject that identifies a bucket with this scope."""
        match scope:
            case BucketScope.CALLER:
                return Subject(self.subscription)
            case BucketScope.REGION:
                return Subject(self.subscription, self.location)
            case BucketScope.RESOURCE:
                return self


@dataclass(frozen=True, slots=True)
class Delay:
    """How long a request must wait, and why."""

    length: timedelta
    why: str


@dataclass(frozen=True, slots=True)
class _Left:
    requests: float
    at: datetime

    def by(self, now: datetime, bucket: Bucket) -> float:
        # Setting the clock back must not empty a bucket.
        passed = max(timedelta(), now - self.at)
        filled = self.requests + bucket.refill * (passed / timedelta(minutes=1))
        # Rounded, so that a whole request is left after the announced delay.
        return round(min(bucket.size, filled), 6)

    def full_at(self, bucket: Bucket) -> datetime:
        missing = max(0, bucket.size - self.requests)
        return self.at + timedelta(minutes=missing / bucket.refill)


_Key = tuple[str, Subject]


@dataclass(slots=True)
class Budget:
    """The requests that are left in each bucket. Safe to share between threads."""

    _left: ExpiringMap[_Key, _Left] = field(default_factory=ExpiringMap)
    _in_flight: Counter[_Key] = field(default_factory=Counter)
    _backoffs: ExpiringMap[_Key, None] = field(default_factory=ExpiringMap)
    # The subscriptions, and the regions of each, in the order of their first responses. They are never
    # removed, because Azure has fewer than a hundred regions.
    _regions: defaultdict[str, dict[str, None]] = field(default_factory=lambda: defaultdict(dict))
    _lock: Lock = field(default_factory=Lock)

    def note(
        self, subject: Subject, headers: Mapping[str, str], at: datetime, cost: Cost = ONE_REQUEST
    ) -> None:
        """Record the number of remaining requests that a response about `subject` reports.

        `cost` is the cost of the call. A response does not count other requests in flight, and might be older
        than the previous response. A response therefore raises our count only if the count has not changed
        within the last second.
        """
        with self._lock:
            self._add_region(subject)
            for name, requests in _remaining(headers):
                if bucket := _BY_NAME.get(name):
                    key = _key(bucket, subject)
                    others = max(0, self._in_flight[key] - cost.in_flight(bucket))
                    reported = _Left(requests - others, at)
                    known = self._left.get(key, at)
                    is_busy = known is not None and at - known.at < _SIMULTANEOUS
                    if not known or not is_busy or reported.requests < known.by(at, bucket):
                        self._put(key, reported, bucket)

    def back_off(
        self, operation_class: OperationClass, subject: Subject, policy: str, until: datetime
    ) -> None:
        """Record a 429 response.

        `policy` is the budget that Azure named, or "" if the gateway rejected the request.
        """
        if not policy:
            key = (operation_class.gateway.name, subject.of(BucketScope.CALLER))
        else:
            scope = BucketScope.RESOURCE if policy.endswith("Resource") else BucketScope.REGION
            key = (operation_class.stem, subject.of(scope))
        with self._lock:
            self._add_region(subject)
            if not self._backoffs.expiry(key, until):  # unless a longer back-off is recorded
                self._backoffs.put(key, None, until)

    def acquire(
        self,
        operation_class: OperationClass,
        subject: Subject,
        priority: Priority,
        at: datetime,
        cost: Cost = ONE_REQUEST,
    ) -> Delay | None:
        """Reserve budget for a call.

        Returns None if the call may be sent now. Otherwise reserves nothing, and returns the delay and its
        reason.
        """
        buckets = [bucket for bucket in operation_class.buckets if cost.of(bucket)]
        with self._lock:
            self._backoffs.forget(at)
            waits = [self._backoff(operation_class, subject, at)]
            waits += [
                _reserve(bucket, left, priority, at, cost.of(bucket))
                for bucket in buckets
                for key in self._keys(bucket.name, bucket.scope, subject)
                if (left := self._left.get(key, at))
            ]
            if longest := max((wait for wait in waits if wait), key=lambda wait: wait.length, default=None):
                return longest
            for bucket in buckets:
                key = _key(bucket, subject)
                self._in_flight[key] += cost.in_flight(bucket)
                if left := self._left.get(key, at):
                    self._put(key, _Left(left.by(at, bucket) - cost.of(bucket), at), bucket)
        return None

    def release(self, operation_class: OperationClass, subject: Subject, cost: Cost = ONE_REQUEST) -> None:
        """Stop counting a call as in flight, whether it succeeded or failed.

        To release part of a call, pass the cost of that part, such as the instances of a page that has
        arrived.
        """
        with self._lock:
            for bucket in operation_class.buckets:
                key = _key(bucket, subject)
                self._in_flight[key] -= cost.in_flight(bucket)
                if self._in_flight[key] <= 0:
                    del self._in_flight[key]

    def requests_left(self, at: datetime) -> Iterator[RequestsLeft]:
        """The requests or instances left in each known bucket, except buckets that count only one scale set.

        The number is never negative, even if calls in flight will take more than is left.
        """
        with self._lock:
            subscriptions = {subscription: tuple(regions) for subscription, regions in self._regions.items()}
        for subscription, regions in subscriptions.items():
            subjects = (Subject(subscription), *(Subject(subscription, region) for region in regions))
            for bucket, subject in product(_BY_NAME.values(), subjects):
                is_counted = bucket.scope is not BucketScope.RESOURCE and subject == subject.of(bucket.scope)
                if is_counted and (left := self._left.get((bucket.name, subject), at)):
                    requests = max(0, math.floor(left.by(at, bucket)))
                    yield RequestsLeft(bucket.name, subscription, subject.location, requests)

    def _put(self, key: _Key, left: _Left, bucket: Bucket) -> None:
        self._left.forget(left.at)
        self._left.put(key, left, until=left.full_at(bucket) + _FULL_KEPT)

    def _add_region(self, subject: Subject) -> None:
        regions = self._regions[subject.subscription]
        if subject.location:
            regions[subject.location] = None

    def _keys(self, name: str, scope: BucketScope, subject: Subject) -> Iterator[_Key]:
        """The keys of the buckets with this name that apply to `subject`.

        If a bucket counts by region and `subject` has no region, all known regions of the subscription apply.
        """
        own = subject.of(scope)
        yield name, own
        if scope is BucketScope.REGION and not own.location:
            for location in self._regions.get(own.subscription, ()):
                yield name, Subject(own.subscription, location)

    def _backoff(self, operation_class: OperationClass, subject: Subject, at: datetime) -> Delay | None:
        """The longest back-off that applies to `subject`, as a delay from `at`, or None if none applies."""
        keys = chain(
            self._keys(operation_class.gateway.name, BucketScope.CALLER, subject),
            self._keys(operation_class.stem, BucketScope.REGION, subject),
            self._keys(operation_class.stem, BucketScope.RESOURCE, subject),
        )
        backoffs = [until for key in keys if (until := self._backoffs.expiry(key, at))]
        if not backoffs:
            return None
        until = max(backoffs)
        return Delay(until - at, f"Azure allows no request of this kind before {time_of_day(until)}")


def _key(bucket: Bucket, subject: Subject) -> _Key:
    return bucket.name, subject.of(bucket.scope)


def _reserve(bucket: Bucket, left: _Left, priority: Priority, at: datetime, requests: int) -> Delay | None:
    """The delay until the bucket has `requests` left, and more than its reserve, or None if it has both now.

    The reserve for other clients is the same for small and for large calls, so a large call may take some of
    the reserve. If large calls had to leave all of it, small calls would keep the bucket just above the
    reserve, and a large scale set would wait for as long as there are small calls.
    """
    kept = 0 if bucket.scope is BucketScope.CALLER else math.ceil(bucket.size * priority.value)
    needed = max(kept + 1, min(bucket.size, requests))
    now = left.by(at, bucket)
    if now >= needed:
        return None
    seconds = math.ceil((needed - now) / bucket.refill * 60_000) / 1000
    what = "instances" if bucket.counts_instances else "requests"
    for_others = ", reserved for other clients" if kept else ""
    return Delay(
        timedelta(seconds=seconds),
        f"only {max(0, now):.0f} of {bucket.size} {what} are left in {bucket.name}{for_others}",
    )


def _remaining(headers: Mapping[str, str]) -> Iterator[tuple[str, int]]:
    """Each bucket that the headers of the provider and the gateway name, with its remaining requests.

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
