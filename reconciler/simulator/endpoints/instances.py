"""Instances of a scale set: list, get, instance view, update, eviction and deletion."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from reconciler.simulator import errors
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
from reconciler.simulator.instance import Instance
from reconciler.simulator.operations import Operation
from reconciler.simulator.scale_set import ScaleSet
from reconciler.simulator.shape import require_shape
from reconciler.simulator.spot import evict
from reconciler.simulator.versions import LATEST
from reconciler.simulator.views import Detail, data_disks, flexible_row, instance_view, row, select

BODY = {"properties": {"protectionPolicy": {"protectFromScaleIn": bool, "protectFromScaleSetActions": bool}}}
LATEST_FILTER = re.compile(r"\s*properties/latestModelApplied\s+eq\s+(true|false)\s*", re.I)


def list_instances(call: Call) -> Reply:
    """Return a page of rows. The charge is the number of rows. A page without rows reports no charge.

    Unlike in Azure, the JSON is compact, because indenting a page of 1,000 rows takes ten times as long.
    """
    scale_set = _parent(call)
    query = call.request.query
    found = list(scale_set.instances.values())
    if match := LATEST_FILTER.fullmatch(query.get("$filter", "")):
        found = [instance for instance in found if instance.is_current == (match.group(1).lower() == "true")]
    rows = page(call)
    part = found[rows]
    detail = Detail(call.request.version, view=call.expands("instanceView"))
    if "instanceview" in query.get("$select", "").lower():
        value = [select(instance, detail) for instance in part]
    elif scale_set.is_flexible:
        value = [flexible_row(instance, detail) for instance in part]
    else:
        value = [row(instance, detail) for instance in part]
    body: dict[str, Any] = {"value": value}
    if rows.stop < len(found):
        body["nextLink"] = next_link(call, rows.stop)
    return Reply(200, body, charge=len(part) or None, pretty=False)


def get(call: Call) -> Reply:
    instance = _instance(call)
    detail = Detail(
        call.request.version, view=call.expands("instanceView"), user_data=call.expands("userData")
    )
    body = row(instance, detail)
    return Reply(200, body, etag_header(call, instance.etag), charge=1)


def view(call: Call) -> Reply:
    return Reply(200, instance_view(_instance(call), Detail(call.request.version)), charge=1)


def put(call: Call) -> Reply:
    """Set the protection and the data disks. Other fields are ignored, as Azure ignores tags here."""
    instance = _instance(call)
    require_match(call, instance.etag)
    body = call.request.json()
    require_shape(body, BODY)
    policy = (body.get("properties") or {}).get("protectionPolicy") or {}
    before = (instance.protected, instance.protected_from_scale_in)
    whole = bool(policy.get("protectFromScaleSetActions", instance.protected))
    scale_in = bool(policy.get("protectFromScaleIn", instance.protected_from_scale_in or whole))
    if whole and not scale_in:
        # The rule is documented; the text is not recorded.
        raise errors.invalid("protectFromScaleSetActions requires protectFromScaleIn.", "protectionPolicy")
    is_change = bool(policy) and before != (whole, scale_in)
    if is_change:
        instance.protect(from_actions=whole, from_scale_in=scale_in)
        instance.etag += 1
    operation = _parent(call).begin("instance")
    is_change = _update_data_disks(call, instance, operation) or is_change
    answer = row(instance, Detail(call.request.version))
    answer["properties"] = {**answer["properties"], "provisioningState": "Updating"}
    return accept_write(call, operation, answer, number=instance.etag, charge=int(is_change))


def _update_data_disks(call: Call, instance: Instance, operation: Operation) -> bool:
    """Attach the data disks that the body adds. Returns whether the body changes any disk.

    The disks that the body omits are detached when the operation ends.
    """
    wanted = ((call.request.json().get("properties") or {}).get("storageProfile") or {}).get("dataDisks")
    if wanted is None:
        return False
    present = {_lun(each): each for each in data_disks(instance, Detail(LATEST))}
    kept = {_lun(each): each for each in wanted}
    disks = [{**disk, "toBeDetached": lun not in kept} for lun, disk in present.items()]
    disks += [_attachment(each) for lun, each in kept.items() if lun not in present]
    if disks == list(present.values()):
        return False

    def detach(_: Operation) -> None:
        instance.disks = [each for each in instance.disks or [] if not each.get("toBeDetached")]

    instance.disks = list(disks)
    instance.etag += 1
    operation.when_ended.append(detach)
    return True


def _attachment(disk: Mapping[str, Any]) -> dict[str, Any]:
    """Fill in the fields of a newly attached data disk.

    Disks are not simulated, so the default size is 1 GB.
    """
    managed = {"storageAccountType": "Standard_LRS", **(disk.get("managedDisk") or {})}
    name = str(managed.get("id", "")).rpartition("/")[2]
    usual = {"caching": "None", "name": name, "diskSizeGB": 1}
    return {**usual, **disk, "managedDisk": managed, "toBeDetached": False}


def _lun(disk: Mapping[str, Any]) -> int:
    return int(disk.get("lun", 0))


def delete(call: Call) -> Reply:
    """Delete one instance, or all if the path contains `*`."""
    owner = _parent(call)
    chosen = list(owner.instances.values()) if call.names["instance"] == "*" else [_instance(call)]
    operation = owner.begin("delete")
    owner.capacity = max(0, owner.capacity - len(chosen))
    for instance in chosen:
        instance.run("delete", cause="delete", operation=operation)
    return accept(call, operation, charge=len(chosen))


def simulate_eviction(call: Call) -> Reply:
    """Evict a spot instance immediately, and return 204."""
    instance = _instance(call)
    # Spot was called Low at first.
    if instance.applied.profile.get("priority") not in ("Spot", "Low"):
        raise errors.only_for_spot()
    evict(_parent(call), instance)
    return Reply(204)


def _parent(call: Call) -> ScaleSet:
    try:
        return call.scale_set()
    except errors.ArmError as problem:
        if problem.code == "ResourceNotFound":
            raise errors.no_parent(call.request.path.rpartition("/")[0]) from None
        raise


def _instance(call: Call) -> Instance:
    owner, wanted = _parent(call), call.names["instance"]
    # Instances of a Flexible scale set have no numbers; they are read as virtual machines.
    if not (wanted.isascii() and wanted.isdigit()):
        raise errors.bad_instance_id()
    if (instance := owner.instances.get(wanted)) is None:
        raise errors.no_entity()
    return instance
