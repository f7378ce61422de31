"""What Azure still lets us ask: its request budgets, as its own answers last told them.

Azure counts requests by kind (`Charge`), in a bucket for each subscription and region and in another for each
scale set, which fill again evenly. Every answer names what is left ("x-ms-ratelimit-remaining-resource"), and
everybody who works on the subscription draws on the same. So a part of each bucket stays for others: the
smaller one against rollouts, which must not stand still half-way, the larger one against routine looks. After
a 429 nothing of its kind is asked before the time that Azure named.

Sizes: Azure's "Throttling limits for Compute". A budget that is not in the table is left to Azure's own 429.
"""

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum, StrEnum
from threading import Lock

# "VmssQueuedVMOperations;0" stands in the same header and is no budget: it counts up.
_REMAINING = "x-ms-ratelimit-remaining-resource"
_OF_ARM = re.compile(r"x-ms-ratelimit-remaining-(subscription-(?:reads|writes))", re.IGNORECASE)
_RESOURCE = "Resource"


class Charge(StrEnum):
    """What a request is counted as: the stem of Azure's names."""

    GET = "GetVMScaleSet"
    HIGH_COST_GET = "HighCostGetVMScaleSet"
    ACTIONS = "VMScaleSetActions"
    OPERATION = "GetOperation"
    IMAGES = "VMImages"
    VIRTUAL_MACHINES = "VirtualMachines"
    PERMISSIONS = "Permissions"


class Share(Enum):
    """How much of a budget a request leaves to others."""

    ROLLOUT = 0.2
    ROUTINE = 0.5


@dataclass(frozen=True, slots=True)
class Policy:
    """One of Azure's buckets: so many requests at most, and so many more a minute."""

    name: str
    size: int
    refill: int


@dataclass(frozen=True, slots=True)
class Subject:
    """Who is counted: all in one region of a subscription and, in a bucket of its own, one scale set.

    Folded. `location` is "" while it is not known and of what lists every region, `resource` of what is not
    about one scale set.
    """

    subscription: str
    location: str = ""
    resource: str = ""


_READS = Policy("subscription-reads", 250, 1500)
_WRITES = Policy("subscription-writes", 200, 600)
_POLICIES: Mapping[Charge, tuple[Policy, ...]] = {
    Charge.GET: (
        Policy("GetVMScaleSetSubscriptionMaximum", 2400, 800),
        Policy("GetVMScaleSetResource", 36, 12),
    ),
    Charge.HIGH_COST_GET: (
        Policy("HighCostGetVMScaleSetSubscriptionMaximum", 1080, 360),
        Policy("HighCostGetVMScaleSetResource", 30, 10),
        Policy("VMScaleSetVMViewsSubscriptionMaximum", 30_000, 10_000),
    ),
    Charge.ACTIONS: (
        Policy("VMScaleSetActionsSubscriptionMaximum", 1500, 500),
        Policy("VMScaleSetActionsResource", 12, 4),
        Policy("VMScaleSetBatchedVMRequestsSubscriptionMaximum", 6000, 1200),
    ),
    Charge.OPERATION: (
        Policy("GetOperationSubscriptionMaximum", 15_000, 5000),
        Policy("GetOperationResource", 45, 15),
    ),
}
_BY_NAME = {
    policy.name: policy for policies in (*_POLICIES.values(), (_READS, _WRITES)) for policy in policies
}


@dataclass(frozen=True, slots=True)
class Wait:
    """How long not to ask, and why."""

    length: timedelta
    why: str


@dataclass(frozen=True, slots=True)
class _Left:
    requests: float
    at: datetime

    def by(self, now: datetime, policy: Policy) -> float:
        return min(policy.size, self.requests + policy.refill * ((now - self.at) / timedelta(minutes=1)))


@dataclass(slots=True)
class Budget:
    """Safe to share between threads."""

    _left: dict[tuple[str, Subject], _Left] = field(default_factory=dict)
    _resting: dict[tuple[str, Subject], datetime] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    def note(self, subject: Subject, headers: Mapping[str, str], at: datetime) -> None:
        """Take over what an answer about `subject` says is left."""
        with self._lock:
            for name, requests in _told(headers):
                if name in _BY_NAME:
                    self._left[name, _counted(name, subject)] = _Left(requests, at)

    def rest(self, charge: Charge, subject: Subject, policy: str, until: datetime) -> None:
        """Remember a 429. `policy` is the budget that Azure named, "" where the gateway itself refused."""
        key = (charge if policy else _verb(charge).name, _counted(policy, subject))
        with self._lock:
            self._resting[key] = max(until, self._resting.get(key, until))

    def ask(self, charge: Charge, subject: Subject, share: Share, at: datetime) -> Wait | None:
        """Why and how long a request must wait; None: it may go, and is counted."""
        policies = (*_POLICIES.get(charge, ()), _verb(charge))
        with self._lock:
            waits = [self._rest(charge, subject, at)]
            waits += [self._kept(policy, subject, share, at) for policy in policies]
            if longest := max((wait for wait in waits if wait), key=lambda wait: wait.length, default=None):
                return longest
            for policy in policies:
                key = (policy.name, _counted(policy.name, subject))
                if left := self._left.get(key):
                    self._left[key] = _Left(left.by(at, policy) - 1, at)
        return None

    def _kept(self, policy: Policy, subject: Subject, share: Share, at: datetime) -> Wait | None:
        """The wait until one request more is left than what is kept for others."""
        left = self._left.get((policy.name, _counted(policy.name, subject)))
        kept = math.ceil(policy.size * share.value)
        if left is None or (now := left.by(at, policy)) >= kept + 1:
            return None
        return Wait(
            timedelta(minutes=(kept + 1 - now) / policy.refill),
            f"{now:.0f} of {policy.size} requests of {policy.name} are left, and kept for others",
        )

    def _rest(self, charge: Charge, subject: Subject, at: datetime) -> Wait | None:
        """The longest of the rests that `subject` is under."""
        self._resting = {key: until for key, until in self._resting.items() if until > at}
        keys = [
            (what, _counted(suffix, subject))
            for what in (charge, _verb(charge).name)
            for suffix in ("", _RESOURCE)
        ]
        until = max((self._resting[key] for key in keys if key in self._resting), default=None)
        if until is None:
            return None
        return Wait(until - at, f"Azure asked for no such requests before {until:%H:%M:%S}")


def _told(headers: Mapping[str, str]) -> Iterator[tuple[str, int]]:
    """Policy and count, of "Microsoft.Compute/GetVMScaleSetResource;35,..." and of the gateway's own headers.

    >>> list(_told({"x-ms-ratelimit-remaining-resource": "Microsoft.Compute/GetVMScaleSetResource;35"}))
    [('GetVMScaleSetResource', 35)]
    """
    for part in headers.get(_REMAINING, "").split(","):
        name, _, count = part.strip().rpartition("/")[2].partition(";")
        if count.isdigit():
            yield name, int(count)
    for header, count in headers.items():
        if (match := _OF_ARM.fullmatch(header)) and count.isdigit():
            yield match[1].lower(), int(count)


def _counted(policy: str, subject: Subject) -> Subject:
    """Whose bucket it is: the scale set's own, or everybody's in its region."""
    if policy.endswith(_RESOURCE):
        return Subject(subject.subscription, subject.location, subject.resource)
    return Subject(subject.subscription, subject.location)


def _verb(charge: Charge) -> Policy:
    return _WRITES if charge is Charge.ACTIONS else _READS
