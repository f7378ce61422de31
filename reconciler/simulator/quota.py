"""Request quotas: token buckets of the compute provider, and of Resource Manager in front of it.

Names, sizes and refill rates come from the documented limits and from the `x-ms-ratelimit-remaining-*`
headers in recorded traffic. For each policy, the provider has a bucket per resource, or per subscription and
region. A call takes one token for each policy of its operation, or one token per instance if the policy
counts instances. The response reports the remaining tokens. Requests are rejected only if the simulator is
throttling. Otherwise, an empty bucket has no effect.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

from reconciler.simulator import errors
from reconciler.simulator.clock import Clock

Subject = Literal["subscription", "resource"]
Verbs = Literal["reads", "writes", "deletes"]


@dataclass(frozen=True, slots=True)
class Policy:
    """A quota limit. Its bucket holds up to `size` tokens and gains `refill` tokens per minute.

    With `per_vm`, a call takes one token for each instance. Otherwise, it takes one token.
    """

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
# Not recorded, except for a deallocation of all instances.
INSTANCE_DELETES = (
    Policy("DeleteVMScaleSetVMSubscriptionMaximum", 2000, 500),
    Policy("DeleteVMScaleSetVMResource", 12, 4, "resource"),
    BATCHED,
)
# The sizes are documented; the names are by analogy with those of scale sets.
GET_MACHINE = (
    Policy("LowCostGetSubscriptionMaximum", 24000, 8000),
    Policy("LowCostGetResource", 36, 12, "resource"),
)
MACHINES = Policy("HighCostGetSubscriptionMaximum", 900, 300)
BULK = (ACTIONS, BATCHED)
GET_OPERATION = (
    Policy("GetOperationResource", 45, 15, "resource"),
    Policy("GetOperationSubscriptionMaximum", 15000, 5000),
)
# Not recorded for the images of extensions.
GET_IMAGE = (
    Policy("GetVMImageFromLocation3Min", 13000, 4333),
    Policy("GetVMImageFromLocation30Min", 74000, 2466),
)

POLICIES: Mapping[str, tuple[Policy, ...]] = {
    "VirtualMachineScaleSets_Get": GET_SET,
    "VirtualMachineScaleSets_ListAll": (HIGH_COST,),
    "VirtualMachineScaleSets_List": (HIGH_COST,),
    "VirtualMachineScaleSets_GetInstanceView": (HIGH_COST, HIGH_COST_RESOURCE),
    "VirtualMachineScaleSetVMs_List": (HIGH_COST, HIGH_COST_RESOURCE, VIEWS),
    "VirtualMachineScaleSets_GetOSUpgradeHistory": GET_SET,
    "VirtualMachineScaleSets_ListSkus": GET_SET,
    "VirtualMachineScaleSetRollingUpgrades_GetLatest": GET_SET,
    "VirtualMachineScaleSets_CreateOrUpdate": (
        Policy("CreateVMScaleSetSubscriptionMaximum", 375, 125),
        Policy("CreateVMScaleSetResource", 12, 4, "resource"),
        BATCHED,
    ),
    "VirtualMachineScaleSets_Update": (ACTIONS, ACTIONS_RESOURCE, BATCHED),
    "VirtualMachineScaleSetExtensions_List": GET_SET,
    "VirtualMachineScaleSetExtensions_Get": GET_SET,
    "VirtualMachineScaleSetExtensions_CreateOrUpdate": (ACTIONS, ACTIONS_RESOURCE, BATCHED),
    "VirtualMachineScaleSetExtensions_Update": (ACTIONS, ACTIONS_RESOURCE, BATCHED),
    "VirtualMachineScaleSetExtensions_Delete": (ACTIONS, ACTIONS_RESOURCE, BATCHED),
    "VirtualMachineScaleSets_Delete": (
        DELETES,
        Policy("DeleteVMScaleSetResource", 12, 4, "resource"),
        BATCHED,
    ),
    "VirtualMachineScaleSets_UpdateInstances": BULK,
    "VirtualMachineScaleSets_Reimage": BULK,
    "VirtualMachineScaleSets_ReimageAll": BULK,
    "VirtualMachineScaleSets_Restart": BULK,
    "VirtualMachineScaleSets_Start": BULK,
    "VirtualMachineScaleSets_DeleteInstances": BULK,
    "VirtualMachineScaleSetRollingUpgrades_StartOSUpgrade": (ACTIONS,),
    "VirtualMachineScaleSetRollingUpgrades_StartExtensionUpgrade": (ACTIONS,),
    "VirtualMachineScaleSets_SetOrchestrationServiceState": (ACTIONS,),
    "VirtualMachineScaleSetRollingUpgrades_Cancel": (ACTIONS,),
    "VirtualMachineScaleSets_Deallocate": (DELETES, BATCHED),
    "VirtualMachineScaleSets_PowerOff": (DELETES, BATCHED),
    "VirtualMachineScaleSetVMs_Get": GET_INSTANCE,
    "VirtualMachineScaleSetVMs_GetInstanceView": GET_INSTANCE,
    "VirtualMachineScaleSetVMs_Update": INSTANCE_ACTIONS,
    "VirtualMachineScaleSetVMs_Delete": INSTANCE_DELETES,
    "VirtualMachineScaleSetVMs_Reimage": INSTANCE_ACTIONS,
    "VirtualMachineScaleSetVMs_ReimageAll": INSTANCE_ACTIONS,
    "VirtualMachineScaleSetVMs_Restart": INSTANCE_ACTIONS,
    "VirtualMachineScaleSetVMs_Start": INSTANCE_ACTIONS,
    "VirtualMachineScaleSetVMs_PowerOff": INSTANCE_DELETES,
    "VirtualMachineScaleSetVMs_Deallocate": INSTANCE_DELETES,
    "VirtualMachineScaleSetVMs_SimulateEviction": INSTANCE_ACTIONS,
    "VirtualMachines_ListAll": (MACHINES,),
    "VirtualMachines_List": (MACHINES,),
    "VirtualMachines_Get": GET_MACHINE,
    "VirtualMachines_InstanceView": GET_MACHINE,
    "Operations_Get": GET_OPERATION,
    "DiskOperations_Get": GET_OPERATION,
    "VirtualMachineImages_List": (
        Policy("ListVMImagesVersionsFromLocation3Min", 16000, 5333),
        Policy("ListVMImagesVersionsFromLocation30Min", 44000, 1466),
    ),
    "VirtualMachineImages_Get": GET_IMAGE,
    # How fast these refill is not documented.
    "Images_Get": (Policy("GetImagesSubscriptionMaximum", 360, 120),),
    "Images_CreateOrUpdate": (Policy("CreateImagesSubscriptionMaximum", 60, 20),),
    "VirtualMachineExtensionImages_ListTypes": GET_IMAGE,
    "VirtualMachineExtensionImages_ListVersions": GET_IMAGE,
    "VirtualMachineExtensionImages_Get": GET_IMAGE,
}


# Resource Manager's own limits for all providers: a bucket per caller, and one that is fifteen times as large
# and that all callers of a subscription share.
GATEWAY: Mapping[Verbs, Policy] = {
    "reads": Policy("reads", 250, 25 * 60),
    "writes": Policy("writes", 200, 10 * 60),
    "deletes": Policy("deletes", 200, 10 * 60),
}
CALLERS = 15


@dataclass(frozen=True, slots=True)
class Payer:
    """What a call is charged to: its resource, and its subscription in each region that the call covers."""

    subscription: str
    regions: tuple[str, ...]
    resource: str

    def keys(self, policy: Policy) -> Iterator[tuple[str, ...]]:
        if policy.subject == "resource":
            yield (policy.name, self.resource)
        else:
            yield from ((policy.name, self.subscription, region) for region in self.regions)


@dataclass(slots=True)
class _Bucket:
    """A bucket of tokens. `tokens` is the number of tokens that were left at the time `taken`."""

    tokens: float
    taken: datetime

    def level(self, policy: Policy, now: datetime) -> float:
        minutes = (now - self.taken) / timedelta(minutes=1)
        # Rounded, so that a client that waits for this time finds a whole token.
        return round(min(policy.size, self.tokens + minutes * policy.refill), 9)

    def take(self, policy: Policy, now: datetime, tokens: int) -> int:
        """Take `tokens` and return the number of whole tokens that remain."""
        level = self.level(policy, now)
        if tokens:
            level = max(0.0, level - tokens)
            self.tokens, self.taken = level, now
        return math.floor(level)


@dataclass(slots=True)
class Quotas:
    clock: Clock
    _buckets: dict[tuple[str, ...], _Bucket] = field(default_factory=dict)

    def admit(self, operation: str, payer: Payer) -> None:
        """Raise the compute provider's 429 if a policy of `operation` has no token left.

        A call is admitted even if it is charged for more instances than there are tokens. Azure's behaviour
        in this case is not known.
        """
        for policy in _policies(operation):
            for key in payer.keys(policy):
                if wait := self._wait(key, policy):
                    raise self._refusal(policy, wait)

    def charge(self, operation: str, payer: Payer, *, calls: int, vms: int | None) -> str:
        """Take the tokens for these calls, each of which is charged for `vms` instances.

        Returns the value of `x-ms-ratelimit-remaining-resource`, or "" if the operation has no policies. If
        `vms` is None, the policy for batched instance requests does not apply.
        """
        left = []
        for policy in _policies(operation):
            if policy is BATCHED and vms is None:
                continue
            tokens = calls * (vms or 0) if policy.per_vm else calls
            remaining = [self._take(key, policy, tokens) for key in payer.keys(policy)]
            if remaining:
                left.append(f"Microsoft.Compute/{policy.name};{min(remaining)}")
            if policy is BATCHED:
                left.append("Microsoft.Compute/VmssQueuedVMOperations;0")
        return ",".join(left)

    def admit_to_gateway(self, verbs: Verbs, subscription: str, caller: str) -> None:
        """Raise Resource Manager's 429 if `caller`, or the whole subscription, has no token left."""
        for policy, key in _gateway(verbs, subscription, caller):
            if wait := self._wait(key, policy):
                raise errors.too_many_for_gateway(verbs.rstrip("s"), subscription, caller, retry_after=wait)

    def charge_gateway(self, verbs: Verbs, subscription: str, caller: str, *, calls: int) -> dict[str, str]:
        """Take a token for each call, and return the headers that report the remaining tokens."""
        own, everybody = (
            self._take(key, policy, calls) for policy, key in _gateway(verbs, subscription, caller)
        )
        scope = "subscription" if subscription else "tenant"
        return {
            f"x-ms-ratelimit-remaining-{scope}-{verbs}": str(own),
            f"x-ms-ratelimit-remaining-{scope}-global-{verbs}": str(everybody),
        }

    def _wait(self, key: tuple[str, ...], policy: Policy) -> int:
        """Return the number of seconds until a token is available, or 0 if the bucket has a token now."""
        bucket = self._buckets.get(key)
        missing = 0.0 if bucket is None else 1 - bucket.level(policy, self.clock.now())
        return math.ceil(missing * 60 / policy.refill) if missing > 0 else 0

    def _take(self, key: tuple[str, ...], policy: Policy, tokens: int) -> int:
        now = self.clock.now()
        bucket = self._buckets.get(key)
        if bucket is None:
            bucket = self._buckets[key] = _Bucket(policy.size, now)
        return bucket.take(policy, now, tokens)

    def _refusal(self, policy: Policy, wait: int) -> errors.ArmError:
        now = self.clock.now()
        window = (now.isoformat(), (now + timedelta(minutes=1)).isoformat())
        return errors.too_many_requests(
            policy.name, window=window, allowed=policy.size, measured=policy.size + 1, retry_after=wait
        )


def _gateway(verbs: Verbs, subscription: str, caller: str) -> Iterator[tuple[Policy, tuple[str, ...]]]:
    own = GATEWAY[verbs]
    yield own, (verbs, subscription, caller)
    yield Policy(own.name, own.size * CALLERS, own.refill * CALLERS), (verbs, subscription)


def _policies(operation: str) -> tuple[Policy, ...]:
    return POLICIES.get(operation, ())
