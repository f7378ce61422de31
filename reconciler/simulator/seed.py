"""Creates one scale set of a fleet file in the cloud, in a settled state.

The structure of the declaration has already been checked, and its defaults have been filled in. This module
finds fields that are inconsistent with each other or with the cloud. It raises `InvalidField`, or returns the
errors.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, get_args

from reconciler.simulator.autoscale import Autoscale
from reconciler.simulator.catalogue import storage_of
from reconciler.simulator.cloud import Cloud
from reconciler.simulator.declared import FieldError, InvalidField, Location, collect_errors, time
from reconciler.simulator.domains import Placement
from reconciler.simulator.flapping import Flapping
from reconciler.simulator.instance import Instance
from reconciler.simulator.life import ReportedPower, Stage
from reconciler.simulator.profile import scale_set_body
from reconciler.simulator.scale_set import ScaleSet
from reconciler.simulator.stock import image_name, is_open

STATES = ("provisioning", "power", "health")
# The fields of a placement in a fleet file, and the attributes of a `Domain` that they set.
PLACES = {
    "zone": "zone",
    "placementGroup": "placement_group",
    "updateDomain": "update_domain",
    "faultDomain": "fault_domain",
}


def add_scale_set(declared: Mapping[str, Any], cloud: Cloud, location: Location) -> list[FieldError]:
    """Add the scale set to the cloud and return the errors in its fields.

    Raises InvalidField if the scale set cannot exist, or ArmError if Azure would reject it.
    """
    storage = _storage(declared, cloud, location)
    ids = _ids(declared, location)
    capacity = len(ids) or declared.get("capacity", int(storage is not None))
    placement = _placement(declared)
    group_id = f"/subscriptions/{declared['subscription']}/resourceGroups/{declared['resourceGroup']}"
    body = scale_set_body(
        declared,
        storage=storage,
        group_id=group_id,
        is_single_group=placement.fits_one_group(capacity),
        fault_domains=placement.fault_domains,
    )
    scale_set = ScaleSet(
        cloud=cloud,
        subscription=declared["subscription"],
        group=declared["resourceGroup"],
        name=declared["name"],
        location=declared.get("location", cloud.catalogue.location),
        body=body,
        placement=placement,
    )
    _report(scale_set, declared)
    scale_set.allocation_limit = declared.get("allocationLimit")
    scale_set.evicted_power = declared["evictedPowerState"]
    scale_set.seed(capacity, ids)
    cloud.add(scale_set)
    found: list[FieldError] = []
    with collect_errors(found):
        attach(scale_set, declared.get("attached", ()), (*location, "attached"))
    for instance in scale_set.instances.values():
        instance.backdate(time(declared["settledFor"]))
    for number, place in enumerate(declared.get("placements", ())):
        with collect_errors(found):
            _place(member_of(scale_set, place["id"], (*location, "placements", number)), place)
    for number, instance_id in enumerate(declared.get("protected", ())):
        with collect_errors(found):
            member = member_of(scale_set, instance_id, (*location, "protected", number))
            member.protect(from_actions=True, from_scale_in=True)
    for number, state in enumerate(declared.get("instanceStates", ())):
        with collect_errors(found):
            _seed_state(member_of(scale_set, state["id"], (*location, "instanceStates", number)), state)
    _start_activity(scale_set, declared, location, found)
    return found


def attach(scale_set: ScaleSet, machines: Any, location: Location) -> None:
    """Attach manually created machines. Raises InvalidField if the scale set is not Flexible."""
    if machines and not scale_set.is_flexible:
        raise InvalidField(
            location,
            "applies only to a Flexible scale set: add `orchestration: Flexible`",
        )
    for machine in machines:
        scale_set.attach(machine["name"], image_name(machine["image"]) if "image" in machine else None)


def member_of(scale_set: ScaleSet, instance_id: str, location: Location) -> Instance:
    found = scale_set.instances.get(instance_id)
    if found is None:
        there = ", ".join(list(scale_set.instances)[:5]) or "none"
        raise InvalidField(
            location,
            f"names instance {instance_id!r}, which does not exist: the scale set starts with {there}",
        )
    return found


def apply_state(member: Instance, state: Mapping[str, Any]) -> None:
    """Put an instance into a declared state while the simulator runs, and end its running transition."""
    words = _apply_overrides(member, state)
    if words:
        member.force(Stage("", **words), _cause(state))
    if state.get("health") == "none":
        member.is_silent = True
    if "settledFor" in state:
        member.backdate(time(state["settledFor"]))


def _place(member: Instance, place: Mapping[str, Any]) -> None:
    member.domain = replace(
        member.domain, **{part: place[name] for name, part in PLACES.items() if name in place}
    )


def _seed_state(member: Instance, state: Mapping[str, Any]) -> None:
    for name, word in _apply_overrides(member, state).items():
        setattr(member, name, word)
    if member.power != "running" and "health" not in state:
        member.health = "unknown"
    member.is_silent = state.get("health") == "none"
    if "settledFor" in state:
        member.backdate(time(state["settledFor"]))
    member.settle(cause=_cause(state))


def _apply_overrides(member: Instance, state: Mapping[str, Any]) -> dict[str, Any]:
    """Apply the overrides in a declared state.

    Returns the provisioning state, power state and health that remain to be set.
    """
    is_current = state.get("latestModelApplied", "image" not in state)
    if "image" in state:
        image = image_name(state["image"])
        member.owner.cloud.catalogue.publish(image)
        member.put_on(storage_of(image), is_current=is_current)
    elif not is_current:
        member.put_behind()
    words = {name: state[name] for name in STATES if state.get(name, "none") != "none"}
    if state.get("power") in get_args(ReportedPower):
        member.reported_power = state["power"]
        words.pop("power", None)
    member.has_own_model = state["modelDefinitionApplied"] == "VirtualMachine"
    member.custom_metrics = state.get("customMetrics", member.custom_metrics)
    return words


def _cause(state: Mapping[str, Any]) -> str:
    """Return why an instance in this state is unavailable."""
    return next(
        (word for name, word in (("power", "deallocate"), ("provisioning", "fail")) if name in state),
        "unhealthy",
    )


def _ids(declared: Mapping[str, Any], location: Location) -> Sequence[str]:
    """Return the declared instance ids. Raises InvalidField for a name in a Uniform scale set."""
    ids: Sequence[str] = declared.get("instances", ())
    for position, each in enumerate(ids):
        if declared["orchestration"] == "Uniform" and not each.isdecimal():
            raise InvalidField(
                (*location, "instances", position),
                f'{each!r} is not the id of an instance: write a number, like "3", or add '
                "`orchestration: Flexible`",
            )
    return ids


def _storage(declared: Mapping[str, Any], cloud: Cloud, location: Location) -> dict[str, Any] | None:
    """Return the `storageProfile` fragment that names the image, or None if there is no profile."""
    if not declared["virtualMachineProfile"]:
        if declared["orchestration"] != "Flexible":
            raise InvalidField(
                (*location, "virtualMachineProfile"),
                "can be false only for a Flexible scale set: remove this field",
            )
        return None
    if "image" not in declared:
        raise InvalidField(location, "has no image: add `image: publisher:offer:sku:version`, or an id")
    image = image_name(declared["image"])
    if not is_open(image):
        cloud.catalogue.publish(image)
    return storage_of(image)


def _placement(declared: Mapping[str, Any]) -> Placement:
    zones, is_flexible = tuple(declared.get("zones", ())), declared["orchestration"] == "Flexible"
    return Placement(
        declared["name"],
        zones,
        declared.get("faultDomains", 1 if zones or is_flexible else 5),
        declared["placementGroupSize"],
        declared["zonalUpdateDomains"],
        flexible=is_flexible,
    )


def _report(scale_set: ScaleSet, declared: Mapping[str, Any]) -> None:
    """Set the values that the scale set reports instead of its real ones."""
    report_state(scale_set, declared["provisioningState"])
    if "managedBy" in declared:
        scale_set.reported["managedBy"] = declared["managedBy"]
    if "reportedSku" in declared:
        scale_set.reported["sku"] = declared["reportedSku"]


def report_state(scale_set: ScaleSet, state: str) -> None:
    """Set the reported state. `Failed` lasts only until an operation succeeds."""
    scale_set.failed = state == "Failed"
    scale_set.reported_state = None if state in ("Succeeded", "Failed") else state


def _start_activity(
    scale_set: ScaleSet, declared: Mapping[str, Any], location: Location, found: list[FieldError]
) -> None:
    """Start autoscaling and flapping. Errors are added to `found`."""
    if "automaticRepairs" in declared and declared["health"] == "none":
        fix = "needs a health source: add `health: extension` or `health: probe`"
        found.append(FieldError((*location, "automaticRepairs"), fix))
    if "autoscale" in declared:
        scaler = declared["autoscale"]
        minimum, maximum = scaler["minimum"], scaler["maximum"]
        if minimum > maximum:
            fix = f"{minimum} is more than the maximum: write at most {maximum}"
            found.append(FieldError((*location, "autoscale", "minimum"), fix))
        else:
            Autoscale(scale_set, minimum, maximum, time(scaler["every"])).begin()
    for number, each in enumerate(declared.get("flapping", ())):
        with collect_errors(found):
            member = member_of(scale_set, each["id"], (*location, "flapping", number))
            Flapping(member, time(each["healthy"]), time(each["unhealthy"])).begin()
