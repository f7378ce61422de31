"""The faults and the scheduled events in a fleet file.

`FAULTS` and `EVENTS` have a row for each kind in the schema. An event is skipped if its instance no longer
exists or Azure rejects the change.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import timedelta
from difflib import get_close_matches
from typing import Any

from reconciler.simulator.amend import amended_body, apply_body
from reconciler.simulator.catalogue import Catalogue, storage_of
from reconciler.simulator.cloud import Cloud
from reconciler.simulator.declared import FieldError, InvalidField, Location, time
from reconciler.simulator.errors import ArmError
from reconciler.simulator.faults import (
    UNAVAILABLE,
    Fault,
    Faults,
    ForeignLinks,
    Malformed,
    Misdated,
    OperationFails,
    OperationKeepsImage,
    OperationLost,
    Page,
    Partial,
    Reset,
    Slow,
    Stale,
    Status,
    Throttled,
    Timeout,
    Truncated,
)
from reconciler.simulator.message import Request
from reconciler.simulator.record import is_called
from reconciler.simulator.routes import ROUTES
from reconciler.simulator.scale_set import ScaleSet
from reconciler.simulator.seed import apply_state, attach, member_of, report_state
from reconciler.simulator.spot import evict
from reconciler.simulator.stock import image_name, publish_details

# The events that concern one scale set, and the field that names it.
NAMING = {"evict": "scaleSet", "scaleSet": "name"}
Path = tuple[str, str, str]
"""Subscription, resource group and name of a scale set."""
_SCALE_SET = re.compile(
    "/subscriptions/([^/]+)/resourceGroups/([^/]+)/providers/Microsoft.Compute/virtualMachineScaleSets/([^/]+)",
    re.IGNORECASE,
)
OPERATIONS = ("*", *dict.fromkeys(route.name for route in ROUTES))


def arm(declared: Mapping[str, Any], cloud: Cloud, faults: Faults, _: Location) -> None:
    """Arm a fault that the file declares."""
    ((kind, fields),) = declared["fault"].items()
    faults.arm(
        declared["operation"],
        FAULTS[kind](fields),
        times=None if declared["times"] == "always" else declared["times"],
        after=declared["after"],
        when=_below(declared["scaleSet"]) if "scaleSet" in declared else None,
        until=cloud.clock.now() + time(declared["for"]) if "for" in declared else None,
    )


def schedule(declared: Mapping[str, Any], cloud: Cloud, faults: Faults, location: Location) -> None:
    """Schedule an event that the file declares. Raises InvalidField if the event can never happen."""
    ((kind, fields),) = declared["event"].items()
    where = (*location, "event", kind)
    if kind == "publish":
        publish_details(fields, Catalogue(cloud.clock), where)

    def happen() -> None:
        with contextlib.suppress(ArmError, KeyError, InvalidField):
            EVENTS[kind](fields, cloud, faults, where)
        if "every" in declared:
            cloud.clock.after(time(declared["every"]), happen)

    cloud.clock.after(time(declared["after"]), happen)


def fault_errors(
    declared: Mapping[str, Any], location: Location, paths: Sequence[Path] | None
) -> Iterator[FieldError]:
    """Yield the errors in a declared fault, even if its structure is invalid.

    `paths` are the paths of all scale sets, or None if they are not known.
    """
    operation = declared.get("operation")
    if isinstance(operation, str) and operation not in OPERATIONS:
        near = get_close_matches(operation, OPERATIONS, n=1)
        fix = f"did you mean {near[0]}?" if near else "write the operationId of a supported request"
        yield FieldError((*location, "operation"), f"{operation!r} is not a known operation: {fix}")
    yield from _absent(declared, "scaleSet", location, paths, just_one=False)


def event_errors(
    declared: Mapping[str, Any], location: Location, paths: Sequence[Path] | None
) -> Iterator[FieldError]:
    """Yield the errors in an event, which can name instances and images that do not exist yet.

    Scale sets are never created later, so an unknown scale set is an error.
    """
    event = declared.get("event")
    for kind, fields in event.items() if isinstance(event, Mapping) else ():
        where = (*location, "event", kind)
        if kind == "fault" and isinstance(fields, Mapping):
            yield from fault_errors(fields, where, paths)
        elif kind in NAMING and isinstance(fields, Mapping):
            yield from _absent(fields, NAMING[kind], where, paths)


def _absent(
    declared: Mapping[str, Any],
    field: str,
    location: Location,
    paths: Sequence[Path] | None,
    *,
    just_one: bool = True,
) -> Iterator[FieldError]:
    name = declared.get(field)
    if paths is None or not isinstance(name, str):
        return
    found = ["/".join(path) for path in paths if is_called(name, *path)]
    if not found:
        problem = f"names the scale set {name!r}, which does not exist"
    elif just_one and len(found) > 1:
        problem = f"{name!r} matches several scale sets ({', '.join(found[:5])})"
    else:
        return
    yield FieldError(
        (*location, field), f"{problem}: write the name of one in the fleet, or group/name if several have it"
    )


def _below(name: str) -> Callable[[Request], bool]:
    """Return a predicate for requests to scale sets with this name, or to their parts."""

    def is_below(request: Request) -> bool:
        match = _SCALE_SET.match(request.path)
        return match is not None and is_called(name, *match.groups())

    return is_below


def _wait(fields: Mapping[str, Any], name: str) -> timedelta | None:
    return time(fields[name]) if name in fields else None


FAULTS: Mapping[str, Callable[[Mapping[str, Any]], Fault]] = {
    "status": lambda fields: Status(
        fields["code"], fields["errorCode"], fields["message"], _wait(fields, "retryAfter")
    ),
    "throttled": lambda fields: Throttled(time(fields["retryAfter"]), fields["group"]),
    "page": lambda fields: Page(fields["code"], fields.get("body", UNAVAILABLE)),
    "timeout": lambda fields: Timeout(fields["lostAnswer"]),
    "reset": lambda fields: Reset(fields["lostAnswer"]),
    "truncated": lambda _: Truncated(),
    "slow": lambda fields: Slow(time(fields["delay"]), fields["late"]),
    "stale": lambda fields: Stale(time(fields["age"])),
    "partial": lambda fields: Partial(fields["lacks"]),
    "malformed": lambda fields: Malformed(fields["field"], fields["value"], fields.get("name")),
    "misdated": lambda fields: Misdated(time(fields["by"])),
    "foreignLinks": lambda fields: ForeignLinks(fields["host"]),
    "operationFails": lambda fields: OperationFails(fields["code"], fields["message"]),
    "operationLost": lambda _: OperationLost(),
    "operationKeepsImage": lambda fields: OperationKeepsImage(fields["latestModelApplied"]),
}


def _evict(fields: Mapping[str, Any], cloud: Cloud, _: Faults, location: Location) -> None:
    scale_set = cloud.find_scale_set(fields["scaleSet"])
    evict(scale_set, member_of(scale_set, fields["id"], location), fields.get("power"))


def _change(fields: Mapping[str, Any], cloud: Cloud, _: Faults, location: Location) -> None:
    scale_set = cloud.find_scale_set(fields["name"])
    if "provisioningState" in fields:
        report_state(scale_set, fields["provisioningState"])
    scale_set.allocation_limit = fields.get("allocationLimit", scale_set.allocation_limit)
    attach(scale_set, fields.get("attached", ()), location)
    for state in fields.get("instanceStates", ()):
        apply_state(member_of(scale_set, state["id"], location), state)
    if change := _patch_body(fields, scale_set):
        apply_body(scale_set, amended_body(scale_set, change, whole=False), kind="patch")


def _patch_body(fields: Mapping[str, Any], scale_set: ScaleSet) -> dict[str, Any]:
    """Return the body of the PATCH that a client would send for this change."""
    properties: dict[str, Any] = {}
    if "image" in fields:
        properties["virtualMachineProfile"] = {"storageProfile": storage_of(image_name(fields["image"]))}
    if "mode" in fields:
        properties["upgradePolicy"] = {"mode": fields["mode"]}
    change: dict[str, Any] = {"properties": properties} if properties else {}
    if "capacity" in fields:
        change["sku"] = {**scale_set.body["sku"], "capacity": fields["capacity"]}
    return change | ({"tags": fields["tags"]} if "tags" in fields else {})


EVENTS: Mapping[str, Callable[[Any, Cloud, Faults, Location], None]] = {
    "publish": lambda fields, cloud, _, location: publish_details(fields, cloud.catalogue, location),
    "withdraw": lambda fields, cloud, _, __: cloud.catalogue.withdraw(image_name(fields)),
    "evict": _evict,
    "scaleSet": _change,
    "fault": arm,
}
