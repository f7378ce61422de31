"""Everything that exists: resource groups, scale sets, images, operations, and the clock they live by.

A `Cloud` holds; it decides nothing. Names are looked up without regard to case, as Azure does, and shown as
first written.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from reconciler.simulator import errors
from reconciler.simulator.catalogue import Catalogue
from reconciler.simulator.clock import Clock
from reconciler.simulator.domains import guid
from reconciler.simulator.operations import Operations
from reconciler.simulator.quota import Quotas
from reconciler.simulator.record import Record
from reconciler.simulator.scale_set import ScaleSet
from reconciler.simulator.timings import Timings

TENANT = guid("tenant")
PAGE = 50


@dataclass(slots=True)
class Group:
    name: str
    location: str
    scale_sets: dict[str, ScaleSet] = field(default_factory=dict)


@dataclass(slots=True, eq=False)
class Cloud:
    """`groups` is by subscription, then by resource group, both in lower case."""

    clock: Clock
    timings: Timings = field(default_factory=Timings)
    catalogue: Catalogue = field(default_factory=Catalogue)
    page: int = PAGE
    is_throttling: bool = False
    groups: dict[str, dict[str, Group]] = field(default_factory=dict)
    record: Record = field(init=False)
    operations: Operations = field(init=False)
    quotas: Quotas = field(init=False)
    serial: Iterator[int] = field(default_factory=itertools.count)

    def __post_init__(self) -> None:
        self.record = Record(self.images)
        self.operations = Operations(self.clock)
        self.quotas = Quotas(self.clock)

    def group(self, subscription: str, name: str) -> Group:
        """Raises Azure's 404 for the subscription or the group."""
        groups = self.subscription(subscription)
        if (group := groups.get(name.lower())) is None:
            raise errors.no_group(name)
        return group

    def subscription(self, subscription: str) -> dict[str, Group]:
        if (groups := self.groups.get(subscription.lower())) is None:
            raise errors.no_subscription(subscription)
        return groups

    def scale_set(self, subscription: str, group: str, name: str) -> ScaleSet:
        """Raises Azure's 404 for whichever of the three is not there."""
        found = self.group(subscription, group).scale_sets.get(name.lower())
        if found is None:
            raise errors.no_scale_set(group, name)
        return found

    def scale_sets(self, subscription: str) -> Iterator[ScaleSet]:
        for group in self.subscription(subscription).values():
            yield from group.scale_sets.values()

    def put_group(self, subscription: str, name: str, location: str) -> Group:
        return self.groups.setdefault(subscription.lower(), {}).setdefault(
            name.lower(), Group(name, location)
        )

    def add(self, scale_set: ScaleSet) -> None:
        group = self.put_group(scale_set.subscription, scale_set.group, scale_set.location)
        group.scale_sets[scale_set.name.lower()] = scale_set

    def remove(self, scale_set: ScaleSet) -> None:
        group = self.group(scale_set.subscription, scale_set.group)
        group.scale_sets.pop(scale_set.name.lower(), None)

    def named(self, name: str) -> ScaleSet:
        """By name, or by "group/name" where the name alone is ambiguous. KeyError says which there are."""
        group, _, plain = name.lower().rpartition("/")
        found = [
            scale_set
            for groups in self.groups.values()
            for key, members in groups.items()
            if group in ("", key) and (scale_set := members.scale_sets.get(plain)) is not None
        ]
        if len(found) == 1:
            return found[0]
        if found:
            several = ", ".join(f"{scale_set.group}/{scale_set.name}" for scale_set in found)
            raise KeyError(f"{name!r} could be any of {several}")
        raise KeyError(f"there is no scale set {name!r}")

    def images(self, name: str) -> dict[str, str]:
        return {instance.id: instance.applied.image.name for instance in self.named(name).instances.values()}

    def next_guid(self, kind: str) -> str:
        return guid(kind, next(self.serial))

    def subscriptions(self) -> Iterator[dict[str, Any]]:
        for subscription in self.groups:
            yield {
                "id": f"/subscriptions/{subscription}",
                "subscriptionId": subscription,
                "tenantId": TENANT,
                "displayName": "Simulated",
                "state": "Enabled",
                "subscriptionPolicies": {"quotaId": "Simulated", "spendingLimit": "Off"},
                "authorizationSource": "RoleBased",
                "managedByTenants": [],
            }
