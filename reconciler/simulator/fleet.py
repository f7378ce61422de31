"""A fleet file: what exists when the simulator starts. `docs/fleet.md` shows every field by example.

To add a field: the schema `fleet.schema.json`, with its default; its use in `seed`, `stock` or `orders`, or
below where it holds for the whole fleet; an example in `docs/fleet.md`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from reconciler.simulator.cloud import Cloud
from reconciler.simulator.declared import FleetError, Mistake, Wrong, mistakes, time, with_defaults
from reconciler.simulator.domains import guid
from reconciler.simulator.errors import ArmError
from reconciler.simulator.faults import Faults
from reconciler.simulator.orders import arm, schedule
from reconciler.simulator.permissions import Permissions
from reconciler.simulator.seed import plant
from reconciler.simulator.stock import publish
from reconciler.simulator.timings import Timings

SUBSCRIPTION = guid("subscription")


def build(description: Mapping[str, Any], cloud: Cloud, faults: Faults) -> None:
    """Put the fleet in the cloud, settled, as if it had always been there, and order what is to go wrong.

    Raises FleetError with every mistake that can be found.
    """
    found = mistakes(description)
    if not found:
        found = _build(with_defaults(description), cloud, faults)
    if found:
        raise FleetError.of(found, description)


def _build(fleet: Mapping[str, Any], cloud: Cloud, faults: Faults) -> list[Mistake]:
    """The mistakes that only show when the fleet is put together."""
    found: list[Mistake] = []
    _set_up(fleet, cloud)
    try:
        publish(fleet["images"], cloud.catalogue)
    except Wrong as wrong:
        found.append(wrong.mistake)
    found += _plant(fleet, cloud)
    for name, order in (("faults", arm), ("events", schedule)):
        for number, declared in enumerate(fleet[name]):
            try:
                order(declared, cloud, faults, (name, number))
            except Wrong as wrong:
                found.append(wrong.mistake)
    return found


def _set_up(fleet: Mapping[str, Any], cloud: Cloud) -> None:
    """What holds for every scale set."""
    cloud.timings = Timings(**{name: time(value) for name, value in fleet["timings"].items()})
    cloud.page = fleet["page"]
    cloud.is_throttling = fleet["throttling"]
    cloud.fixed_image_fields = tuple(fleet["fixedImageFields"])
    cloud.provisioning_state_during_upgrade = fleet["provisioningStateDuringUpgrade"]
    cloud.flexible_row_properties = fleet["flexibleRowProperties"]
    cloud.tenants = {name.lower(): tenant.lower() for name, tenant in fleet.get("tenants", {}).items()}
    granted = fleet["permissions"]
    cloud.permissions = Permissions(tuple(granted["actions"]), tuple(granted["notActions"]))
    cloud.catalogue.location = fleet["location"]


def _plant(fleet: Mapping[str, Any], cloud: Cloud) -> list[Mistake]:
    found: list[Mistake] = []
    seen: set[tuple[str, str, str]] = set()
    for number, entry in enumerate(fleet["scaleSets"]):
        declared = {"subscription": fleet.get("subscription", SUBSCRIPTION), **entry}
        group, place = declared["resourceGroup"], ("scaleSets", number)
        for name in _names(declared):
            key = (declared["subscription"].lower(), group.lower(), name.lower())
            try:
                if key in seen:
                    raise Wrong(place, f"{group}/{name} is declared twice; rename one")
                seen.add(key)
                plant({**declared, "name": name}, cloud, place)
            except Wrong as wrong:
                found.append(wrong.mistake)
            except ArmError as problem:
                found.append(Mistake(place, problem.message))
    return found


def _names(declared: Mapping[str, Any]) -> Iterable[str]:
    if "count" not in declared:
        return [declared["name"]]
    digits = max(4, len(str(declared["count"] - 1)))
    return [f"{declared['name']}-{number:0{digits}}" for number in range(declared["count"])]
