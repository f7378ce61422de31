"""Scale sets: list, get, patch, put, delete, instance view and upgrade history."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from itertools import islice
from typing import Any

from reconciler.simulator import errors
from reconciler.simulator.amend import amended_body, apply_body, refuse_capacity, without_read_only
from reconciler.simulator.assigned import USERS, identify, without_new_users
from reconciler.simulator.defaults import complete
from reconciler.simulator.domains import MOST_FAULT_DOMAINS, Placement
from reconciler.simulator.endpoints.call import (
    Call,
    Reply,
    accept,
    accept_write,
    etag_header,
    next_link,
    page,
    require_match,
)
from reconciler.simulator.merge import merge
from reconciler.simulator.operations import Operation
from reconciler.simulator.scale_set import ScaleSet
from reconciler.simulator.scaling import scale
from reconciler.simulator.shape import require_shape
from reconciler.simulator.views import scale_set_instance_view, scale_set_view

# Before this version, the response to a change of identities has no principal of any identity.
IDENTITIES_KNOWN_SINCE = "2022-03-01"


def in_subscription(call: Call) -> Reply:
    """Return the list that the gateway merges from all regions, with resource groups in upper case."""
    return _list(call, call.cloud.scale_sets(call.subscription), uppercase_group=True)


def in_group(call: Call) -> Reply:
    group = call.cloud.group(call.subscription, call.names["group"])
    return _list(call, group.scale_sets.values(), uppercase_group=False)


def get(call: Call) -> Reply:
    scale_set = call.scale_set()
    view = scale_set_view(scale_set, call.request.version, user_data=call.expands("userData"))
    return Reply(200, view, etag_header(call, scale_set.etag))


def instance_view(call: Call) -> Reply:
    scale_set = call.scale_set()
    if scale_set.is_flexible:
        where = f"Virtual Machine Scale Set '{scale_set.name}' in Flexible orchestration mode"
        raise errors.not_allowed(f"Instance view is not supported for {where}.")
    return Reply(200, scale_set_instance_view(scale_set))


def patch(call: Call) -> Reply:
    scale_set = call.scale_set()
    _refuse_deleted(scale_set)
    require_match(call, scale_set.etag)
    scale_set.refuse_haste()
    return _change(call, scale_set, "patch")


def put(call: Call) -> Reply:
    group = call.cloud.group(call.subscription, call.names["group"])
    scale_set = group.scale_sets.get(call.names["name"].lower())
    if scale_set is None:
        return _create(call)
    _refuse_deleted(scale_set)
    if call.request.header("If-None-Match") == "*":
        raise errors.etag_mismatch("*", f'"{scale_set.etag}"')
    require_match(call, scale_set.etag)
    scale_set.refuse_haste()
    return _change(call, scale_set, "put")


def delete(call: Call) -> Reply:
    group = call.cloud.group(call.subscription, call.names["group"])
    scale_set = group.scale_sets.get(call.names["name"].lower())
    if scale_set is None:
        return Reply(204, gateway=True)
    charge = len(scale_set.instances)
    operation = scale_set.remove()
    return accept(call, operation, charge=charge)


def os_upgrade_history(call: Call) -> Reply:
    """Return the platform's OS upgrades, latest first."""
    return Reply(200, {"value": [each.history() for each in reversed(call.scale_set().history)]})


def _create(call: Call) -> Reply:
    change = without_read_only(merge({}, call.request.json()))
    require_shape(change)
    refuse_capacity(change.get("sku") or {})
    properties: dict[str, Any] = dict(change.get("properties") or {})
    flexible = properties.get("orchestrationMode") == "Flexible"
    if "virtualMachineProfile" not in properties and not flexible:
        raise errors.missing_parameter("virtualMachineProfile")
    sku = dict(change.get("sku") or {"name": "Standard_D2s_v5"})
    capacity = sku.pop("capacity", None) or 0
    zones = tuple(str(zone) for zone in change.get("zones") or ())
    properties.setdefault("singlePlacementGroup", not (flexible or zones))
    priority = str((properties.get("virtualMachineProfile") or {}).get("priority")).lower()
    is_compact = properties["singlePlacementGroup"] and priority not in ("spot", "low")
    faults = properties.get("platformFaultDomainCount") or (MOST_FAULT_DOMAINS if is_compact else 1)
    if not 1 <= faults <= MOST_FAULT_DOMAINS:
        raise errors.bad_value("platformFaultDomainCount")
    body: dict[str, Any] = {
        name: change[name] for name in ("tags", "zones", "identity", "plan") if change.get(name) is not None
    }
    if len(zones) > 1 and not flexible:
        properties.setdefault("zoneBalance", False)
    scale_set = ScaleSet(
        cloud=call.cloud,
        subscription=call.subscription,
        group=call.names["group"],
        name=call.names["name"],
        location=str(change.get("location", call.cloud.catalogue.location)),
        body=complete({**body, "sku": sku, "properties": {"orchestrationMode": "Uniform", **properties}}),
        placement=Placement(call.names["name"], zones, fault_domains=faults, flexible=flexible),
    )
    scale_set.admit(scale_set.body, capacity)
    if "identity" in body:
        identity = identify(scale_set.id, {}, body["identity"])
        scale_set.body = {**scale_set.body, "identity": identity}
    call.cloud.add(scale_set)
    operation = scale_set.begin("create")
    scale(scale_set, capacity, operation)
    return _accept_write(call, scale_set, operation, status=201)


def _change(call: Call, scale_set: ScaleSet, kind: str) -> Reply:
    known = (scale_set.body.get("identity") or {}).get(USERS) or {}
    if call.request.version < IDENTITIES_KNOWN_SINCE and "identity" in call.request.json():
        known = {}
    body = amended_body(scale_set, call.request.json(), call.request.version, whole=kind == "put")
    return _accept_write(call, scale_set, apply_body(scale_set, body, kind=kind), known=known)


def _accept_write(
    call: Call,
    scale_set: ScaleSet,
    operation: Operation,
    *,
    status: int = 200,
    known: Collection[str] | None = None,
) -> Reply:
    """Return the response to a write, charged for the instances that the operation changes.

    A Flexible scale set reports no charge. Identities that are not in `known` have no ids yet, because Azure
    fills in the ids after the response.
    """
    view = scale_set_view(scale_set, call.request.version)
    if known is not None and USERS in view.get("identity", {}):
        view["identity"] = without_new_users(view["identity"], known)
    charge = None if scale_set.is_flexible else operation.waits_for(scale_set.instances.keys())
    return accept_write(call, operation, view, number=scale_set.etag, charge=charge, status=status)


def _list(call: Call, scale_sets: Iterable[ScaleSet], *, uppercase_group: bool) -> Reply:
    rows = page(call)
    found = list(islice(scale_sets, rows.start, rows.stop + 1))
    size = rows.stop - rows.start
    value = [
        scale_set_view(each, call.request.version, uppercase_group=uppercase_group) for each in found[:size]
    ]
    body: dict[str, Any] = {"value": value}
    if len(found) > size:
        body["nextLink"] = next_link(call, rows.stop)
    return Reply(200, body, pretty=False, gathered=uppercase_group)


def _refuse_deleted(scale_set: ScaleSet) -> None:
    if scale_set.is_deleting:
        raise errors.marked_for_deletion(scale_set.name)
