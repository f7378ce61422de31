"""A fleet file: the state in which the simulator starts. `docs/fleet.md` shows every field by example.

To add a field, add it to the schema `fleet.schema.json` with its default. Use it in `seed`, `stock` or
`orders`, or here if it concerns the whole fleet. Add an example to `docs/fleet.md`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from reconciler.simulator.cloud import Cloud
from reconciler.simulator.consistency import inconsistencies, is_certain, valid_part
from reconciler.simulator.declared import (
    FieldError,
    FleetError,
    InvalidField,
    collect_errors,
    shape_errors,
    time,
    with_defaults,
)
from reconciler.simulator.domains import guid
from reconciler.simulator.errors import ArmError
from reconciler.simulator.faults import Faults
from reconciler.simulator.orders import arm, event_errors, fault_errors, schedule
from reconciler.simulator.permissions import Permissions
from reconciler.simulator.seed import add_scale_set
from reconciler.simulator.stock import publish
from reconciler.simulator.timings import Timings

SUBSCRIPTION = guid("subscription")


def build(description: Mapping[str, Any], cloud: Cloud, faults: Faults) -> None:
    """Create the fleet in the cloud in a settled state, arm its faults, and schedule its events.

    Raises FleetError with every error that can be found.
    """
    shape = shape_errors(description)
    found = _build(with_defaults(valid_part(description, shape)), cloud, faults)
    found += _inconsistencies(description)
    errors = [*shape, *(each for each in found if is_certain(each, shape))]
    if errors:
        raise FleetError.of(
            list({each.location: each for each in reversed(errors)}.values())[::-1], description
        )


def _build(fleet: Mapping[str, Any], cloud: Cloud, faults: Faults) -> list[FieldError]:
    """Create the fleet in the cloud, and return the errors found while doing so."""
    found: list[FieldError] = []
    _set_up(fleet, cloud)
    with collect_errors(found):
        publish(fleet["images"], cloud.catalogue)
    found += _add_scale_sets(fleet, cloud)
    for name, order in (("faults", arm), ("events", schedule)):
        for number, declared in enumerate(fleet[name]):
            if declared is not None:
                with collect_errors(found):
                    order(declared, cloud, faults, (name, number))
    return found


def _inconsistencies(description: Mapping[str, Any]) -> Iterator[FieldError]:
    """Yield the inconsistencies in all entries of the file, even in entries whose structure is invalid."""
    paths: list[tuple[str, str, str]] | None = []
    for number, declared in _entries(description, "scaleSets"):
        yield from inconsistencies(declared, ("scaleSets", number))
        group = str(declared.get("resourceGroup", "rg"))
        subscription = str(declared.get("subscription", description.get("subscription", SUBSCRIPTION)))
        if paths is not None and isinstance(declared.get("name"), str):
            paths += [(subscription, group, name) for name in _names(declared)]
        else:
            paths = None
    for top, check in (("faults", fault_errors), ("events", event_errors)):
        for number, declared in _entries(description, top):
            yield from check(declared, (top, number), paths)


def _entries(description: Mapping[str, Any], name: str) -> Iterator[tuple[int, Mapping[str, Any]]]:
    value = description.get(name)
    for number, each in enumerate(value if isinstance(value, list) else ()):
        if isinstance(each, Mapping):
            yield number, each


def _set_up(fleet: Mapping[str, Any], cloud: Cloud) -> None:
    """Apply the settings that concern the whole fleet."""
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


def _add_scale_sets(fleet: Mapping[str, Any], cloud: Cloud) -> list[FieldError]:
    found: list[FieldError] = []
    seen: set[tuple[str, str, str]] = set()
    for number, entry in enumerate(fleet["scaleSets"]):
        if entry is None:
            continue
        declared = {"subscription": fleet.get("subscription", SUBSCRIPTION), **entry}
        group, location = declared["resourceGroup"], ("scaleSets", number)
        for name in _names(declared):
            key = (declared["subscription"].lower(), group.lower(), name.lower())
            try:
                if key in seen:
                    raise InvalidField(location, f"declares {group}/{name} a second time: rename one")
                seen.add(key)
                errors = add_scale_set({**declared, "name": name}, cloud, location)
            except InvalidField as invalid:
                errors = [invalid.error]
            except ArmError as problem:
                errors = [FieldError(location, f"is invalid: {problem.message}")]
            found += errors
            if errors:
                break  # the other scale sets of this entry have the same errors
    return found


def _names(declared: Mapping[str, Any]) -> Iterable[str]:
    if not isinstance(declared.get("count"), int) or not 0 < declared["count"] <= 10_000:
        return [declared["name"]]
    digits = max(4, len(str(declared["count"] - 1)))
    return [f"{declared['name']}-{number:0{digits}}" for number in range(declared["count"])]
