"""What a fleet file orders: faults that strike requests, and events that come by the clock.

`FAULTS` and `EVENTS` have a row for each kind that the schema knows. An event that cannot be, because an
instance is gone or Azure refuses the change, does not happen.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import timedelta
from difflib import get_close_matches
from typing import Any

from reconciler.simulator.amend import amend, take
from reconciler.simulator.catalogue import Catalogue, storage_of
from reconciler.simulator.cloud import Cloud
from reconciler.simulator.declared import Mistake, Place, Wrong, time
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
from reconciler.simulator.seed import attach, bring_into, member_of, report_state
from reconciler.simulator.spot import evict
from reconciler.simulator.stock import image_name, publish_details

# The events that are about one scale set, and the field that names it.
NAMING = {"evict": "scaleSet", "scaleSet": "name"}
Path = tuple[str, str, str]
"""Subscription, resource group and name of a scale set."""
_SCALE_SET = re.compile(
    "/subscriptions/([^/]+)/resourceGroups/([^/]+)/providers/Microsoft.Compute/virtualMachineScaleSets/([^/]+)",
    re.IGNORECASE,
)
OPERATIONS = ("*", *(route.name for route in ROUTES))


def arm(declared: Mapping[str, Any], cloud: Cloud, faults: Faults, _: Place) -> None:
    """Arm a fault of the file, from this moment on."""
    ((kind, fields),) = declared["fault"].items()
    faults.arm(
        declared["operation"],
        FAULTS[kind](fields),
        times=None if declared["times"] == "always" else declared["times"],
        after=declared["after"],
        when=_below(declared["scaleSet"]) if "scaleSet" in declared else None,
        until=cloud.clock.now() + time(declared["for"]) if "for" in declared else None,
    )


def schedule(declared: Mapping[str, Any], cloud: Cloud, faults: Faults, place: Place) -> None:
    """Write an event of the file in the clock's agenda. Raises Wrong for one that can never be."""
    ((kind, fields),) = declared["event"].items()
    where = (*place, "event", kind)
    if kind == "publish":
        publish_details(fields, Catalogue(cloud.clock), where)

    def happen() -> None:
        with contextlib.suppress(ArmError, KeyError, Wrong):
            EVENTS[kind](fields, cloud, faults, where)
        if "every" in declared:
            cloud.clock.after(time(declared["every"]), happen)

    cloud.clock.after(time(declared["after"]), happen)


def fault_mistakes(
    declared: Mapping[str, Any], place: Place, paths: Sequence[Path] | None
) -> Iterator[Mistake]:
    """What is wrong with a fault in a fleet of these scale sets. Its shape may be wrong too."""
    operation = declared.get("operation")
    if isinstance(operation, str) and operation not in OPERATIONS:
        near = get_close_matches(operation, OPERATIONS, n=1)
        fix = f"did you mean {near[0]}?" if near else "write the operationId of a request it answers"
        yield Mistake((*place, "operation"), f"the simulator has no operation {operation!r}; {fix}")
    yield from _absent(declared, "scaleSet", place, paths, just_one=False)


def event_mistakes(
    declared: Mapping[str, Any], place: Place, paths: Sequence[Path] | None
) -> Iterator[Mistake]:
    """What is wrong with an event. An instance or an image may come later; a scale set never does."""
    event = declared.get("event")
    for kind, fields in event.items() if isinstance(event, Mapping) else ():
        where = (*place, "event", kind)
        if kind == "fault" and isinstance(fields, Mapping):
            yield from fault_mistakes(fields, where, paths)
        elif kind in NAMING and isinstance(fields, Mapping):
            yield from _absent(fields, NAMING[kind], where, paths)


def _absent(
    declared: Mapping[str, Any],
    field: str,
    place: Place,
    paths: Sequence[Path] | None,
    *,
    just_one: bool = True,
) -> Iterator[Mistake]:
    name = declared.get(field)
    if paths is None or not isinstance(name, str):
        return
    found = ["/".join(path) for path in paths if is_called(name, *path)]
    if not found:
        problem = f"there is no scale set {name!r}"
    elif just_one and len(found) > 1:
        problem = f"{name!r} could be any of {', '.join(found[:5])}"
    else:
        return
    yield Mistake((*place, field), f"{problem}; name one of the fleet, as group/name where there are several")


def _below(name: str) -> Callable[[Request], bool]:
    """Whether a request is about a scale set of this name, or what is in it."""

    def is_below(request: Request) -> bool:
        match = _SCALE_SET.match(request.path)
        return match is not None and is_called(name, *match.groups())

    return is_below


def _wait(fields: Mapping[str, Any], name: str) -> timedelta | None:
    return time(fields[name]) if name in fields else None


FAULTS: Mapping[str, Callable[[Mapping[str, Any]], Fault]] = {
    "status": lambda said: Status(
        said["code"], said["errorCode"], said["message"], _wait(said, "retryAfter")
    ),
    "throttled": lambda said: Throttled(time(said["retryAfter"]), said["group"]),
    "page": lambda said: Page(said["code"], said.get("body", UNAVAILABLE)),
    "timeout": lambda said: Timeout(said["lostAnswer"]),
    "reset": lambda said: Reset(said["lostAnswer"]),
    "truncated": lambda _: Truncated(),
    "slow": lambda said: Slow(time(said["delay"]), said["late"]),
    "stale": lambda said: Stale(time(said["age"])),
    "partial": lambda said: Partial(said["lacks"]),
    "malformed": lambda said: Malformed(said["field"], said["value"], said.get("name")),
    "misdated": lambda said: Misdated(time(said["by"])),
    "foreignLinks": lambda said: ForeignLinks(said["host"]),
    "operationFails": lambda said: OperationFails(said["code"], said["message"]),
    "operationLost": lambda _: OperationLost(),
    "operationKeepsImage": lambda said: OperationKeepsImage(said["latestModelApplied"]),
}


def _evict(said: Mapping[str, Any], cloud: Cloud, _: Faults, place: Place) -> None:
    scale_set = cloud.named(said["scaleSet"])
    evict(scale_set, member_of(scale_set, said["id"], place), said.get("power"))


def _change(said: Mapping[str, Any], cloud: Cloud, _: Faults, place: Place) -> None:
    scale_set = cloud.named(said["name"])
    if "provisioningState" in said:
        report_state(scale_set, said["provisioningState"])
    scale_set.allocation_limit = said.get("allocationLimit", scale_set.allocation_limit)
    attach(scale_set, said.get("attached", ()), place)
    for state in said.get("instanceStates", ()):
        bring_into(member_of(scale_set, state["id"], place), state)
    if change := _patch_body(said, scale_set):
        take(scale_set, amend(scale_set, change, whole=False), kind="patch")


def _patch_body(said: Mapping[str, Any], scale_set: ScaleSet) -> dict[str, Any]:
    """What a client would PATCH to have it so."""
    properties: dict[str, Any] = {}
    if "image" in said:
        properties["virtualMachineProfile"] = {"storageProfile": storage_of(image_name(said["image"]))}
    if "mode" in said:
        properties["upgradePolicy"] = {"mode": said["mode"]}
    change: dict[str, Any] = {"properties": properties} if properties else {}
    if "capacity" in said:
        change["sku"] = {**scale_set.body["sku"], "capacity": said["capacity"]}
    return change | ({"tags": said["tags"]} if "tags" in said else {})


EVENTS: Mapping[str, Callable[[Any, Cloud, Faults, Place], None]] = {
    "publish": lambda said, cloud, _, place: publish_details(said, cloud.catalogue, place),
    "withdraw": lambda said, cloud, _, __: cloud.catalogue.withdraw(image_name(said)),
    "evict": _evict,
    "scaleSet": _change,
    "fault": arm,
}
