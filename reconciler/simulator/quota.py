"""How often Azure may be asked: the compute provider's token buckets, one per policy and subject.

Names, sizes and refills are those of the documented limits and of the `x-ms-ratelimit-remaining-resource`
headers of recorded traffic. A call takes a token from each policy of its operation (one per instance where
the policy is charged per instance) and reports what is left. Buckets run dry only in a simulator that
throttles; otherwise they stay at zero.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

from reconciler.simulator import errors
from reconciler.simulator.clock import Clock

Subject = Literal["subscription", "resource"]


@dataclass(frozen=True, slots=True)
class Policy:
    """`size` tokens at most, `refill` more each minute; `per_vm` charges instances instead of the call."""

    name: str
    size: int
    refill: int
    subject: Subject = "subscription"
    per_vm: bool = False


GET_SET = (
    Policy("GetVMScaleSetSubscriptionMaximum", 2400, 800),
    Policy("GetVMScaleSetResource", 36, 12, "resource"),
)
HIGH_COST = Policy("HighCostGetVMScaleSetSubscriptionMaximum", 1080, 360)
HIGH_COST_RESOURCE = Policy("HighCostGetVMScaleSetResource", 30, 10, "resource")
VIEWS = Policy("VMScaleSetVMViewsSubscriptionMaximum", 30000, 10000, per_vm=True)
BATCHED = Policy("VMScaleSetBatchedVMRequestsSubscriptionMaximum", 6000, 1200, per_vm=True)
ACTIONS = Policy("VMScaleSetActionsSubscriptionMaximum", 1500, 500)
ACTIONS_RESOURCE = Policy("VMScaleSetActionsResource", 12, 4, "resource")
DELETES = Policy("DeleteVMScaleSetSubscriptionMaximum", 525, 175)
GET_INSTANCE = (
    Policy("GetVMScaleSetVMSubscriptionMaximum", 6000, 2000),
    Policy("GetVMScaleSetVMResource", 36, 12, "resource"),
    VIEWS,
)
INSTANCE_ACTIONS = (
    Policy("VMScaleSetVMActionsSubscriptionMaximum", 2000, 500),
    Policy("VMScaleSetVMActionsResource", 12, 4, "resource"),
    BATCHED,
)
BULK = (ACTIONS, BATCHED)

POLICIES: Mapping[str, tuple[Policy, ...]] = {
    "scaleSets.get": GET_SET,
    "scaleSets.list": (HIGH_COST,),
    "scaleSets.instanceView": (HIGH_COST, HIGH_COST_RESOURCE),
    "scaleSets.instances": (HIGH_COST, HIGH_COST_RESOURCE, VIEWS),
    "scaleSets.osUpgradeHistory": GET_SET,
    "rollingUpgrades.latest": GET_SET,
    "scaleSets.put": (
        Policy("CreateVMScaleSetSubscriptionMaximum", 375, 125),
        Policy("CreateVMScaleSetResource", 12, 4, "resource"),
        BATCHED,
    ),
    "scaleSets.patch": (ACTIONS, ACTIONS_RESOURCE, BATCHED),
    "scaleSets.delete": (DELETES, Policy("DeleteVMScaleSetResource", 12, 4, "resource"), BATCHED),
    "scaleSets.manualUpgrade": BULK,
    "scaleSets.reimage": BULK,
    "scaleSets.reimageAll": BULK,
    "scaleSets.restart": BULK,
    "scaleSets.start": BULK,
    "scaleSets.deleteInstances": BULK,
    "scaleSets.osRollingUpgrade": (ACTIONS,),
    "rollingUpgrades.cancel": (ACTIONS,),
    "scaleSets.deallocate": (DELETES, BATCHED),
    "scaleSets.powerOff": (DELETES, BATCHED),
    "instances.get": GET_INSTANCE,
    "instances.instanceView": GET_INSTANCE,
    "instances.put": INSTANCE_ACTIONS,
    "instances.delete": INSTANCE_ACTIONS,
    "instances.act": INSTANCE_ACTIONS,
    "operations.get": (
        Policy("GetOperationResource", 45, 15, "resource"),
        Policy("GetOperationSubscriptionMaximum", 15000, 5000),
    ),
    "images.versions": (
        Policy("ListVMImagesVersionsFromLocation3Min", 16000, 5333),
        Policy("ListVMImagesVersionsFromLocation30Min", 44000, 1466),
    ),
    "images.version": (
        Policy("GetVMImageFromLocation3Min", 13000, 4333),
        Policy("GetVMImageFromLocation30Min", 74000, 2466),
    ),
}


@dataclass(slots=True)
class _Bucket:
    tokens: float
    filled: datetime

    def fill(self, policy: Policy, now: datetime) -> None:
        minutes = (now - self.filled) / timedelta(minutes=1)
        self.tokens = min(policy.size, self.tokens + minutes * policy.refill)
        self.filled = now


@dataclass(slots=True)
class Quotas:
    clock: Clock
    _buckets: dict[tuple[str, str], _Bucket] = field(default_factory=dict)

    def admit(self, operation: str, subjects: Mapping[Subject, str]) -> None:
        """Raise Azure's 429 when a policy of `operation` has no token left."""
        for policy in POLICIES.get(operation, ()):
            bucket = self._bucket(policy, subjects)
            if bucket.tokens < 1 and not policy.per_vm:
                raise self._refusal(policy, bucket)

    def charge(self, operation: str, subjects: Mapping[Subject, str], vms: int) -> str:
        """Take the tokens.

        Returns `x-ms-ratelimit-remaining-resource`, "" for an operation without policies.
        """
        left = []
        for policy in POLICIES.get(operation, ()):
            bucket = self._bucket(policy, subjects)
            bucket.tokens = max(0.0, bucket.tokens - (vms if policy.per_vm else 1))
            left.append(f"Microsoft.Compute/{policy.name};{math.floor(bucket.tokens)}")
            if policy is BATCHED:
                left.append("Microsoft.Compute/VmssQueuedVMOperations;0")
        return ",".join(left)

    def _bucket(self, policy: Policy, subjects: Mapping[Subject, str]) -> _Bucket:
        now = self.clock.now()
        key = (policy.name, subjects[policy.subject])
        bucket = self._buckets.setdefault(key, _Bucket(policy.size, now))
        bucket.fill(policy, now)
        return bucket

    def _refusal(self, policy: Policy, bucket: _Bucket) -> errors.ArmError:
        now = self.clock.now()
        wait = math.ceil((1 - bucket.tokens) * 60 / policy.refill)
        window = (now.isoformat(), (now + timedelta(minutes=1)).isoformat())
        return errors.too_many_requests(
            policy.name, window=window, allowed=policy.size, measured=policy.size + 1, retry_after=wait
        )
