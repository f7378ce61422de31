"""What a fleet file may say: fields, choices, and the error that says where, why, and how to mend it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from difflib import get_close_matches
from typing import Any, get_args

from reconciler.simulator.catalogue import Boots
from reconciler.simulator.life import Health, Power, Provisioning
from reconciler.simulator.timings import duration

FIELDS: Mapping[str, tuple[str, ...]] = {
    "fleet": ("location", "subscription", "timings", "page", "throttling", "images", "scaleSets"),
    "timings": ("model", "upgrade", "boot", "health", "create"),
    "images": ("platform", "ids", "vhds", "bad"),
    "platform": ("publisher", "offer", "sku", "versions"),
    "bad": ("image", "boots"),
    "scaleSet": (
        "name", "resourceGroup", "location", "subscription", "count", "capacity", "instances", "image",
        "mode", "automaticOSUpgrade", "orchestration", "zones", "zonalUpdateDomains", "faultDomains",
        "placementGroupSize", "health", "extensions", "skuName", "tags", "spot", "evictionPolicy",
        "protected", "instanceStates",
    ),
    "instanceState": ("id", "image", "power", "health", "provisioning", "latestModelApplied"),
    "extension": ("name", "publisher", "type", "settings"),
    "image": ("platform", "id", "vhd"),
    "platformImage": ("publisher", "offer", "sku", "version"),
}  # fmt: skip

CHOICES: Mapping[str, tuple[str, ...]] = {
    "mode": ("Manual", "Automatic", "Rolling"),
    "orchestration": ("Uniform", "Flexible"),
    "health": ("extension", "binaryExtension", "probe", "none"),
    "evictionPolicy": ("Deallocate", "Delete"),
    "boots": get_args(Boots),
}
STATES: Mapping[str, tuple[str, ...]] = {
    "power": get_args(Power),
    "health": get_args(Health),
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


def whole(value: Any, place: str, *, at_least: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < at_least:
        raise FleetError(f"{place}: {value!r} is not a whole number of at least {at_least}")
    return value


def time(value: Any, place: str) -> timedelta:
    try:
        return duration(str(value))
    except ValueError as problem:
        raise FleetError(f"{place}: {problem}") from problem
