"""Writes to a scale set: the body that a PATCH or PUT produces, and the writes that Azure rejects.

`amended_body` is pure: it returns the new body or raises an ArmError. `apply_body` stores the body and starts
the operation. Azure merges a PATCH as a JSON merge patch: a null removes a field, and a list is replaced as a
whole. A PUT is merged too, except for the parts in `REPLACED`. In recorded traffic, a PUT that omits the
image keeps the stored image, and the Azure CLI relies on this.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reconciler.simulator import errors, repairs
from reconciler.simulator.assigned import identify
from reconciler.simulator.catalogue import kind_of
from reconciler.simulator.defaults import complete
from reconciler.simulator.merge import merge, put_together, without_echo
from reconciler.simulator.model import health_source
from reconciler.simulator.operations import Operation
from reconciler.simulator.rolling import ROLLING_POLICY, RollingUpgrade
from reconciler.simulator.scale_set import ScaleSet
from reconciler.simulator.scaling import scale
from reconciler.simulator.shape import require_shape
from reconciler.simulator.upgrades import upgradable, upgrade
from reconciler.simulator.versions import LATEST
from reconciler.simulator.views import scale_set_view

WRITABLE = ("sku", "tags", "zones", "identity", "plan", "properties")
# A null for one of these parts is ignored, because the parts are never empty.
FILLED = ("sku", "properties")
# A PUT replaces these parts of a body completely. In all other parts, fields that the PUT omits are kept.
REPLACED = frozenset({"scaleInPolicy"})
READ_ONLY = ("provisioningState", "uniqueId", "timeCreated")


def amended_body(
    scale_set: ScaleSet, change: Mapping[str, Any], version: str = LATEST, *, whole: bool
) -> dict[str, Any]:
    """Return the scale set's body with `change` applied.

    `whole` is true for a PUT, which removes the tags that `change` omits. Clients write back everything that
    they have read, including the fields that Azure fills in for this API `version`. A field that only repeats
    Azure's value does not count as a change.
    """
    view = scale_set_view(scale_set, version, user_data=True)
    change = without_read_only(without_echo(change, view, scale_set.body))
    wanted = {
        name: change[name]
        for name in WRITABLE
        if name in change and not (change[name] is None and name in FILLED)
    }
    if whole and "tags" in scale_set.body:
        wanted.setdefault("tags", {})
    body = put_together(scale_set.body, wanted, REPLACED) if whole else merge(scale_set.body, wanted)
    require_shape(body)
    body = complete(body)
    if "identity" in wanted:
        had = scale_set.body.get("identity") or {}
        body["identity"] = identify(scale_set.id, had, wanted["identity"] or {"type": "None"})
    storage = _at(wanted, "properties", "virtualMachineProfile", "storageProfile")
    _refuse_security(_at(body, "properties", "virtualMachineProfile"))
    _refuse_image(scale_set, storage)
    if "tags" in wanted and whole:
        body["tags"] = dict(wanted["tags"] or {})
    properties = body["properties"]
    _refuse_policy(properties)
    refuse_capacity(body["sku"])
    return body


def without_read_only(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return the body without read-only fields. Empty user data becomes null, so that merging removes it."""
    properties = body.get("properties")
    if not isinstance(properties, Mapping):
        return dict(body)
    properties = {name: value for name, value in properties.items() if name not in READ_ONLY}
    if isinstance(profile := properties.get("virtualMachineProfile"), Mapping):
        kept = {name: value for name, value in profile.items() if name != "timeCreated"}
        if kept.get("userData") == "":
            kept["userData"] = None
        properties["virtualMachineProfile"] = kept
    return {**body, "properties": properties}


def apply_body(scale_set: ScaleSet, body: Mapping[str, Any], *, kind: str) -> Operation:
    """Store the body and start what the change requires: scaling, upgrades or a rolling upgrade.

    The caller must check the etag first.
    """
    capacity = body["sku"].pop("capacity", scale_set.capacity)
    if capacity > scale_set.capacity:
        scale_set.admit(body, capacity)
    is_changed = body != scale_set.body or capacity != scale_set.capacity
    is_new_model = scale_set.change(body, cause=kind)
    for earlier in [operation for operation in scale_set.running if operation.kind in ("patch", "put")]:
        if is_changed:
            earlier.fail(errors.preemption_error())
    operation = scale_set.begin(kind)
    if is_changed or is_new_model:
        scale_set.bump()
        operation.wait("model", scale_set.cloud.timings.model)
    if capacity != scale_set.capacity:
        scale(scale_set, capacity, operation)
    if is_new_model or (is_changed and scale_set.mode != "Manual"):
        follow_mode(scale_set, operation)
    if is_changed:
        repairs.watch_all(scale_set)
    return operation


def follow_mode(scale_set: ScaleSet, operation: Operation) -> None:
    """Start the upgrades that the upgrade mode requires after a change to the model."""
    behind = upgradable(scale_set.instances.values())
    if not behind:
        return
    if scale_set.mode == "Automatic":
        upgrade(scale_set, behind, operation, cause="automatic")
    elif scale_set.mode == "Rolling" and not (scale_set.rolling and scale_set.rolling.is_running):
        scale_set.rolling = RollingUpgrade(scale_set, operation, by="User")
        scale_set.rolling.proceed()


def _refuse_image(scale_set: ScaleSet, wanted: Mapping[str, Any]) -> None:
    """Raise Azure's error if the change removes the image or alters a fixed part of the image.

    The kind of an image is always fixed. `fixed_image_fields` names the other fixed fields. By default, only
    the publisher is fixed.
    """
    if "imageReference" in wanted and wanted["imageReference"] is None:
        raise errors.missing_parameter("imageReference")
    current = scale_set.profile.get("storageProfile") or {}
    kind = kind_of(wanted)
    if kind is not None and kind != kind_of(current):
        raise errors.image_type_fixed()
    for name in scale_set.cloud.fixed_image_fields:
        value = (wanted.get("imageReference") or {}).get(name)
        fixed = (current.get("imageReference") or {}).get(name)
        if value and str(value).lower() != str(fixed).lower():
            raise errors.property_fixed(f"imageReference.{name}")


def _refuse_security(profile: Mapping[str, Any]) -> None:
    is_trusted = (profile.get("securityProfile") or {}).get("securityType") == "TrustedLaunch"
    if is_trusted and kind_of(profile.get("storageProfile") or {}) == "managed":
        raise errors.no_managed_image_with_trusted_launch()


def refuse_capacity(sku: Mapping[str, Any]) -> None:
    """Raise Azure's error if the capacity is negative."""
    if (sku.get("capacity") or 0) < 0:
        raise errors.bad_value("sku.capacity")


def _refuse_policy(properties: dict[str, Any]) -> None:
    policy = properties.get("upgradePolicy") or {}
    profile = properties.get("virtualMachineProfile") or {}
    if policy.get("mode") == "Rolling":
        if health_source(profile) == "none":
            # No recording of Azure's own text was found.
            message = (
                "Rolling Upgrade mode is not supported for this Virtual Machine Scale Set because a "
                "health probe or health extension was not provided."
            )
            raise errors.ArmError(400, "BadRequest", message)
        own = policy.get("rollingUpgradePolicy") or {}
        properties["upgradePolicy"] = {**policy, "rollingUpgradePolicy": {**ROLLING_POLICY, **own}}
    automatic = (policy.get("automaticOSUpgradePolicy") or {}).get("enableAutomaticOSUpgrade")
    version = str(_at(profile, "storageProfile", "imageReference").get("version", "latest"))
    if automatic and version.lower() != "latest":
        raise errors.automatic_upgrade_needs_latest()


def _at(body: Mapping[str, Any], *names: str) -> Mapping[str, Any]:
    for name in names:
        body = body.get(name) or {}
    return body
