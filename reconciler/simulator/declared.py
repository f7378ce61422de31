"""What a fleet file may say: fields, choices, and the error that says where, why, and how to mend it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from difflib import get_close_matches
from typing import Any, get_args

from reconciler.simulator.catalogue import Architecture, Boots, Deprecation, SecurityType
from reconciler.simulator.cloud import DuringUpgrade
from reconciler.simulator.generations import Generation
from reconciler.simulator.life import EvictedPower, Health, Power, Provisioning, ReportedPower
from reconciler.simulator.repairs import ACTIONS
from reconciler.simulator.timings import duration

FIELDS: Mapping[str, tuple[str, ...]] = {
    "fleet": (
        "location", "subscription", "timings", "page", "throttling", "permissions",
        "fixedImageFields", "provisioningStateDuringUpgrade", "flexibleRowProperties", "tenants", "images",
        "scaleSets",
    ),
    "permissions": ("actions", "notActions"),
    "timings": ("model", "upgrade", "boot", "health", "create", "conflict"),
    "images": ("platform", "ids", "vhds", "bad", "details"),
    "platform": ("publisher", "offer", "sku", "versions"),
    "bad": ("image", "boots"),
    "details": (
        "image", "regions", "deprecation", "excludeFromLatest", "replicating", "hyperVGeneration",
        "architecture", "diskSizeGB", "securityType", "plan",
    ),
    "scaleSet": (
        "name", "resourceGroup", "location", "subscription", "count", "capacity", "instances", "image",
        "mode", "automaticOSUpgrade", "orchestration", "zones", "zonalUpdateDomains", "faultDomains",
        "placementGroupSize", "health", "extensions", "skuName", "tags", "spot", "evictionPolicy",
        "spotRestore", "securityType", "overprovision", "autoscale", "automaticRepairs", "protected",
        "provisioningState", "healthGracePeriod", "osImageNotification", "terminateNotification",
        "diskSizeGB", "plan", "managedBy", "reportedSku", "virtualMachineProfile", "attached",
        "allocationLimit", "evictedPowerState", "instanceStates",
    ),
    "autoscale": ("minimum", "maximum", "every"),
    "automaticRepairs": ("grace", "action"),
    "instanceState": (
        "id", "image", "power", "health", "provisioning", "latestModelApplied", "modelDefinitionApplied",
        "customMetrics",
    ),
    "customMetrics": ("rollingUpgrade",),
    "rollingUpgrade": ("PhaseOrderingNumber", "SkipUpgrade"),
    "extension": ("name", "publisher", "type", "settings"),
    "attached": ("name", "image"),
    "plan": ("publisher", "product", "name"),
    "image": ("platform", "id", "vhd"),
    "platformImage": ("publisher", "offer", "sku", "version"),
}  # fmt: skip

CHOICES: Mapping[str, tuple[str, ...]] = {
    "mode": ("Manual", "Automatic", "Rolling"),
    "orchestration": ("Uniform", "Flexible"),
    "health": ("extension", "binaryExtension", "probe", "none"),
    "evictionPolicy": ("Deallocate", "Delete"),
    "securityType": ("Standard", "TrustedLaunch"),
    "action": tuple(ACTIONS),
    "boots": get_args(Boots),
    "deprecation": get_args(Deprecation),
    "hyperVGeneration": get_args(Generation),
    "architecture": get_args(Architecture),
    "imageSecurityType": get_args(SecurityType),
    "evictedPowerState": get_args(EvictedPower),
    "modelDefinitionApplied": ("VirtualMachineScaleSet", "VirtualMachine"),
    "provisioningState": ("Succeeded", "Creating", "Updating", "Migrating", "Failed"),
    "provisioningStateDuringUpgrade": get_args(DuringUpgrade),
}
# Fields of a scale set that are all of one sort.
CHOSEN = (
    "mode", "orchestration", "health", "evictionPolicy", "securityType", "provisioningState",
    "evictedPowerState",
)  # fmt: skip
TIMES = ("spotRestore", "healthGracePeriod", "osImageNotification", "terminateNotification")
YES_OR_NO = ("automaticOSUpgrade", "zonalUpdateDomains", "spot", "overprovision", "virtualMachineProfile")
TEXTS = ("resourceGroup", "location", "skuName", "managedBy")
GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.I)

STATES: Mapping[str, tuple[str, ...]] = {
    "power": (*get_args(Power), *get_args(ReportedPower)),
    "health": (*get_args(Health), "none"),
    "provisioning": get_args(Provisioning),
}


class FleetError(ValueError):
    """A fleet file that cannot be: the message says where, why, and how to mend it."""


def known(value: Any, kind: str, place: str) -> Mapping[str, Any]:
    """The mapping, once every field in it is one there is."""
    for name in mapping(value, place):
        if name not in FIELDS[kind]:
            near = get_close_matches(str(name), FIELDS[kind], n=1)
            mend = f"did you mean {near[0]}?" if near else f"there are {', '.join(FIELDS[kind])}"
            raise FleetError(f"{place}: there is no field {name!r}; {mend}")
    return mapping(value, place)


def mapping(value: Any, place: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise FleetError(f"{place}: {value!r} is not a mapping; write `name: value` lines")
    return value


def rows(value: Any, place: str) -> list[Any]:
    if value is not None and not isinstance(value, list):
        raise FleetError(f"{place}: {value!r} is not a list; begin each entry with `- `")
    return value or []


def choice(declared: Mapping[str, Any], name: str, default: str, place: str) -> str:
    return one_of(declared.get(name, default), CHOICES[name], f"{place}.{name}")


def one_of(value: Any, choices: tuple[str, ...], place: str) -> str:
    if value not in choices:
        near = get_close_matches(str(value), choices, n=1, cutoff=0.5)
        mend = f"did you mean {near[0]}?" if near else f"choose one of {', '.join(choices)}"
        raise FleetError(f"{place}: {value!r} is not a choice; {mend}")
    return str(value)


def yes(value: Any, place: str) -> bool:
    if not isinstance(value, bool):
        raise FleetError(f"{place}: {value!r} is neither true nor false; write one of them")
    return value


def whole(value: Any, place: str, *, at_least: int, at_most: int | None = None, limit: str = "") -> int:
    """`limit` says whose limit `at_most` is, and of what."""
    if not isinstance(value, int) or isinstance(value, bool) or value < at_least:
        raise FleetError(f"{place}: {value!r} is not a whole number of at least {at_least}")
    if at_most is not None and value > at_most:
        raise FleetError(f"{place}: {value} is more than {limit}; write at most {at_most}")
    return value


def text(value: Any, place: str) -> str:
    if not isinstance(value, str) or not value:
        raise FleetError(f"{place}: {value!r} is not a name; write it as text")
    return value


def subscription_id(value: Any, place: str) -> str:
    return guid_of(value, "subscription", place)


def guid_of(value: Any, what: str, place: str) -> str:
    if GUID.fullmatch(str(value)) is None:
        example = "11111111-1111-1111-1111-111111111111"
        raise FleetError(f"{place}: {value!r} is not a {what} id; write its GUID, like {example}")
    return str(value)


def once(values: list[Any], place: str) -> list[str]:
    """The entries of a list as text, once none of them is there twice."""
    found = [str(value) for value in values]
    if twice := next((each for each in found if found.count(each) > 1), None):
        raise FleetError(f"{place}: {twice!r} is there twice; leave one out")
    return found


def plan(value: Any, place: str) -> dict[str, str]:
    found = known(value, "plan", place)
    if missing := [name for name in FIELDS["plan"] if name not in found]:
        raise FleetError(f"{place}: has no {missing[0]}; it needs publisher, product and name")
    return {name: text(found[name], f"{place}.{name}") for name in FIELDS["plan"]}


def time(value: Any, place: str) -> timedelta:
    try:
        return duration(str(value))
    except ValueError as problem:
        raise FleetError(f"{place}: {problem}") from problem
