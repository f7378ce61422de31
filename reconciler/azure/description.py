"""Describes a scale set in enough detail to make a copy of it. Pure.

A copy needs more than a decision reads.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from azure.mgmt.core.tools import parse_resource_id

from reconciler.azure import arm
from reconciler.azure.failure import MalformedResponse
from reconciler.azure.fields import (
    Json,
    flag_in,
    identifier_in,
    list_in,
    mapping_in,
    number_in,
    object_from,
    objects_in,
    only_malformed,
    text_in,
)
from reconciler.rollout.observed import Instance, Model, RollingUpgrade
from reconciler.spec.scale_set import Target


@dataclass(frozen=True, slots=True)
class Extension:
    """An extension of the model. Its settings are not read, because they might contain secrets."""

    name: str
    publisher: str
    type: str


@dataclass(frozen=True, slots=True)
class Repairs:
    """Azure's automatic repairs. `action` is "replace", "restart" or "reimage"."""

    grace: timedelta
    action: str


@dataclass(frozen=True, slots=True)
class Description:
    """A scale set with its instances.

    target: the id of the scale set, in Azure's spelling.
    size: the name of the SKU, or "" if there is none.
    health: the version of the Application Health extension, or "" if it is not installed.
    extensions: all other extensions.
    kept: the ids of the instances that are protected from scale-in.
    rolling_upgrade: the latest rolling upgrade that Azure itself began.

    A field is None if it is unknown or unset.
    """

    target: Target
    model: Model
    instances: tuple[Instance, ...]
    size: str
    zones: tuple[str, ...]
    fault_domains: int | None
    overprovision: bool
    managed_by: str
    health: str
    extensions: tuple[Extension, ...]
    repairs: Repairs | None
    spot_restore: timedelta | None
    kept: frozenset[str]
    rolling_upgrade: RollingUpgrade


def describe(body: Json, rows: Sequence[Json], rolling_upgrade: RollingUpgrade) -> Description:
    """The description, from the response to a GET and the entries of the instance list.

    Raises only MalformedResponse.
    """
    with only_malformed("a scale set"):
        model, instances = arm.model(body), tuple(map(arm.instance, rows))
        properties = mapping_in(body, "properties")
        profile = mapping_in(properties, "virtualMachineProfile")
        health = next(arm.health_extensions(profile), {})
        restore = mapping_in(properties, "spotRestorePolicy")
        return Description(
            target=target_of(body),
            model=model,
            instances=instances,
            size=text_in(mapping_in(body, "sku"), "name"),
            zones=tuple(each for each in list_in(body, "zones") if isinstance(each, str)),
            fault_domains=number_in(properties, "platformFaultDomainCount"),
            overprovision=flag_in(properties, "overprovision"),
            managed_by=text_in(body, "managedBy"),
            health=text_in(health, "typeHandlerVersion"),
            extensions=tuple(_others(profile)),
            repairs=_repairs(mapping_in(properties, "automaticRepairsPolicy")),
            spot_restore=arm.iso_duration(text_in(restore, "restoreTimeout"))
            if flag_in(restore, "enabled")
            else None,
            kept=frozenset(_kept(rows)),
            rolling_upgrade=rolling_upgrade,
        )


def target_of(row: Json) -> Target:
    """The target in Azure's spelling. A resource group in all capitals is converted to lower case.

    Raises MalformedResponse if the entry names no scale set.
    """
    parts = parse_resource_id(identifier_in(object_from(row, "a scale set"), "id"))
    if not {"subscription", "resource_group", "name"} <= parts.keys():
        raise MalformedResponse("Azure sent a scale set without its id")
    group = str(parts["resource_group"])
    name = str(parts["name"])
    return Target(str(parts["subscription"]), group.lower() if group.isupper() else group, name)


def _others(profile: Json) -> Iterable[Extension]:
    """All extensions except Application Health."""
    health = list(arm.health_extensions(profile))
    for each in objects_in(mapping_in(profile, "extensionProfile"), "extensions"):
        found = mapping_in(each, "properties")
        if found not in health:
            yield Extension(text_in(each, "name"), text_in(found, "publisher"), text_in(found, "type"))


def _repairs(policy: Json) -> Repairs | None:
    if not flag_in(policy, "enabled"):
        return None
    grace = arm.iso_duration(text_in(policy, "gracePeriod"))
    return Repairs(grace, text_in(policy, "repairAction").lower() or "replace")


def _kept(rows: Iterable[Json]) -> Iterable[str]:
    for row in rows:
        policy = mapping_in(mapping_in(row, "properties"), "protectionPolicy")
        if flag_in(policy, "protectFromScaleIn"):
            yield arm.instance(row).id
