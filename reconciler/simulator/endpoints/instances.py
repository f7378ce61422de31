"""Instances of a scale set: list, get, their instance views, protection, deletion."""

from __future__ import annotations

import re
from typing import Any

from reconciler.simulator import errors
from reconciler.simulator.endpoints.call import (
    Call,
    Reply,
    accepted,
    etag_header,
    next_link,
    page,
    require_match,
    under_way,
)
from reconciler.simulator.instance import Instance
from reconciler.simulator.scale_set import ScaleSet
from reconciler.simulator.shape import require_shape
from reconciler.simulator.spot import evict
from reconciler.simulator.views import flexible_row, instance_view, row, selected

BODY = {"properties": {"protectionPolicy": {"protectFromScaleIn": bool, "protectFromScaleSetActions": bool}}}
LATEST_FILTER = re.compile(r"\s*properties/latestModelApplied\s+eq\s+(true|false)\s*", re.I)


def listed(call: Call) -> Reply:
    """A page of rows, charged for each; one with none tells no charge.

    Compact, where Azure's is printed like its other answers: a page of 1,000 rows takes ten times as long so.
    """
    scale_set = _parent(call)
    query = call.request.query
    found = list(scale_set.instances.values())
    if match := LATEST_FILTER.fullmatch(query.get("$filter", "")):
        found = [instance for instance in found if instance.is_current == (match.group(1).lower() == "true")]
    rows = page(call)
    part = found[rows]
    expanded = "instanceview" in query.get("$expand", "").lower()
    if "instanceview" in query.get("$select", "").lower():
        value = [selected(instance) for instance in part]
    elif scale_set.is_flexible:
        value = [flexible_row(instance, call.request.version) for instance in part]
    else:
        value = [row(instance, call.request.version, expanded=expanded) for instance in part]
    body: dict[str, Any] = {"value": value}
    if rows.stop < len(found):
        body["nextLink"] = next_link(call, rows.stop)
    return Reply(200, body, charge=len(part) or None, pretty=False)


def get(call: Call) -> Reply:
    instance = _instance(call)
    expanded = "instanceview" in call.request.query.get("$expand", "").lower()
    body = row(instance, call.request.version, expanded=expanded)
    return Reply(200, body, etag_header(call, instance.etag), charge=1)


def view(call: Call) -> Reply:
    return Reply(200, instance_view(_instance(call)), charge=1)


def put(call: Call) -> Reply:
    """Protection; nothing else of the instance is taken, as was seen with tags."""
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
    operation = instance.owner.begin("instance")
    answer = row(instance, call.request.version, expanded=False)
    answer["properties"] = {**answer["properties"], "provisioningState": "Updating"}
    return under_way(call, operation, answer, number=instance.etag, charge=int(is_change))


def delete(call: Call) -> Reply:
    instance = _instance(call)
    owner = instance.owner
    operation = owner.begin("delete")
    owner.capacity = max(0, owner.capacity - 1)
    instance.send("delete", cause="delete", operation=operation)
    return accepted(call, operation, charge=1)


def simulate_eviction(call: Call) -> Reply:
    """What a spot instance suffers when its capacity is taken back; 204, and it happens at once."""
    instance = _instance(call)
    if instance.applied.profile.get("priority") != "Spot":
        raise errors.only_for_spot()
    evict(instance)
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
    # Instances of a Flexible set have no numbers: they are looked at as the virtual machines they are.
    if not (wanted.isascii() and wanted.isdigit()):
        raise errors.bad_instance_id()
    if (instance := owner.instances.get(wanted)) is None:
        raise errors.no_entity()
    return instance
