"""All resources: resource groups, scale sets, images and operations, and the clock that they share.

A `Cloud` holds resources but makes no decisions. Names are looked up regardless of case, as in Azure, and
shown as first written.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from reconciler.simulator import errors, repairs
from reconciler.simulator.activity_log import ActivityLog
from reconciler.simulator.catalogue import Catalogue
from reconciler.simulator.domains import guid
from reconciler.simulator.fabric import Fabric
from reconciler.simulator.operations import Operation, Operations
from reconciler.simulator.permissions import Permissions
from reconciler.simulator.quota import Quotas
from reconciler.simulator.record import Record, is_called
from reconciler.simulator.regions import region
from reconciler.simulator.scale_set import ScaleSet
from reconciler.simulator.tokens import TENANT

PAGE = 50


@dataclass(slots=True)
class Group:
    name: str
    location: str
    scale_sets: dict[str, ScaleSet] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Capture:
    """A managed image that a client creates from a virtual machine. `source` is the machine's id."""

    source: str
    tags: Mapping[str, str]
    operation: Operation


@dataclass(slots=True, eq=False)
class Cloud(Fabric):
    """The simulated cloud.

    `groups` is keyed by subscription, then by resource group. `captures` is keyed by id. All keys are in
    lower case.
    """

    page: int = PAGE
    is_throttling: bool = False
    # The tenant of each subscription that is not in the tenant of the fleet. Keyed by subscription, in lower
    # case.
    tenants: dict[str, str] = field(default_factory=dict)
    permissions: Permissions = field(default_factory=Permissions)
    groups: dict[str, dict[str, Group]] = field(default_factory=dict)
    captures: dict[str, Capture] = field(default_factory=dict)
    quotas: Quotas = field(init=False)
    activity_log: ActivityLog = field(default_factory=ActivityLog)
    serial: Iterator[int] = field(default_factory=itertools.count)

    def __post_init__(self) -> None:
        self.catalogue = Catalogue(self.clock)
        self.record = Record(self.images)
        self.operations = Operations(self.clock)
        self.quotas = Quotas(self.clock)

    def group(self, subscription: str, name: str) -> Group:
        """Return a resource group. Raises Azure's 404 if the subscription or the group does not exist."""
        groups = self.subscription(subscription)
        if (group := groups.get(name.lower())) is None:
            raise errors.no_group(name)
        return group

    def tenant(self, subscription: str) -> str:
        return self.tenants.get(subscription.lower(), TENANT)

    def subscription(self, subscription: str) -> dict[str, Group]:
        if (groups := self.groups.get(subscription.lower())) is None:
            raise errors.no_subscription(subscription)
        return groups

    def scale_set(self, subscription: str, group: str, name: str) -> ScaleSet:
        """Return a scale set. Raises Azure's 404 if the subscription, group or scale set does not exist."""
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
        """Add a scale set, and let automatic repairs watch its instances."""
        group = self.put_group(scale_set.subscription, scale_set.group, scale_set.location)
        group.scale_sets[scale_set.name.lower()] = scale_set
        scale_set.when_changed.append(partial(repairs.watch, scale_set))
        scale_set.when_deleted.append(self._remove)

    def regions(self) -> list[str]:
        """Return the catalogue's region, followed by the other regions that have scale sets."""
        found = (
            each.location
            for groups in self.groups.values()
            for group in groups.values()
            for each in group.scale_sets.values()
        )
        return list(dict.fromkeys(map(region, (self.catalogue.location, *found))))

    def find_scale_set(self, name: str) -> ScaleSet:
        """Find a scale set by "name", "group/name" or "subscription/group/name".

        Raises KeyError if none or several match. If several match, the message lists them.
        """
        found = [each for each in self._find(name.rpartition("/")[2]) if is_called(name, *_path(each))]
        if len(found) == 1:
            return found[0]
        if found:
            several = ", ".join("/".join(_path(each)) for each in found)
            raise KeyError(f"{name!r} matches several scale sets: {several}")
        raise KeyError(f"unknown scale set {name!r}")

    def _remove(self, scale_set: ScaleSet) -> None:
        group = self.group(scale_set.subscription, scale_set.group)
        group.scale_sets.pop(scale_set.name.lower(), None)

    def _find(self, plain: str) -> Iterator[ScaleSet]:
        for groups in self.groups.values():
            for group in groups.values():
                if (scale_set := group.scale_sets.get(plain.lower())) is not None:
                    yield scale_set

    def images(self, name: str) -> dict[str, str]:
        return {
            instance.id: instance.applied.image.name
            for instance in self.find_scale_set(name).instances.values()
        }

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


def _path(scale_set: ScaleSet) -> tuple[str, str, str]:
    return scale_set.subscription, scale_set.group, scale_set.name
