"""Describes a scale set as an entry of a fleet file. Pure.

`entry` describes the scale set as a whole. The simulator creates a copy of the scale set from this entry.
`instance_rows` then describes the instances that differ from those of the copy.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

from reconciler.azure.description import Description
from reconciler.forecast.batch_duration import ASSUMED
from reconciler.rehearsal.duration_text import duration_text
from reconciler.rollout.health import is_in_transition
from reconciler.rollout.observed import HealthSource, Instance
from reconciler.spec.image import Image, at_version, follows_latest, same

Json = dict[str, Any]

# The greatest age of a state. Older states get this age, so that most instances need no age of their own.
OLDEST = timedelta(hours=24)
_STATES = {"creating": "Creating", "updating": "Updating", "migrating": "Migrating", "failed": "Failed"}
_PROVISIONING = frozenset({"creating", "updating", "succeeded", "failed"})
_POWER = frozenset({"starting", "running", "stopping", "stopped", "deallocating", "deallocated", "unknown"})
_HEALTH = frozenset({"initializing", "healthy", "unhealthy", "unknown"})
_BECOMES = {"starting": "running", "stopping": "stopped", "deallocating": "deallocated"}
_MOST_FAULT_DOMAINS = 5


def entry(live: Description, at: datetime) -> Json:
    """The entry without the states and placements of individual instances. `at` is when `live` was read."""
    model = live.model
    found: Json = {
        "name": live.target.name,
        "resourceGroup": live.target.resource_group,
        "subscription": live.target.subscription,
        "location": model.location,
        "image": image_reference(model.image) if model.image else None,
        "virtualMachineProfile": None if model.has_profile else False,
        "orchestration": "Flexible" if model.is_flexible else None,
        **_instances(live),
        **_domains(live),
        **_model(live),
        **_health(live),
        **_spot(live),
        "tags": dict(model.tags) or None,
        "managedBy": live.managed_by or None,
        "provisioningState": _STATES.get(model.provisioning),
        "protected": [each.id for each in present(live) if each.protected] or None,
        "settledFor": _age_text(usual_age(live.instances, at)),
    }
    kept = {name: value for name, value in found.items() if value is not None}
    return kept if live.size else kept | {"reportedSku": None}


def image_reference(image: Image) -> str:
    """The image in the form that a fleet file uses.

    The latest version of a gallery image is written as the id of its definition.
    """
    if follows_latest(image) and image.kind != "platform":
        return str(at_version(image, "latest")).removesuffix("/versions/latest")
    return str(image)


def usual_age(instances: Iterable[Instance], at: datetime) -> timedelta:
    """The most common age of the instances' states: at most OLDEST, or zero if no age is known."""
    ages = [age for each in instances if (age := age_of(each, at)) is not None]
    return max(set(ages), key=lambda each: (ages.count(each), each), default=timedelta())


def age_of(instance: Instance, at: datetime) -> timedelta | None:
    """How long the instance has been in its state: whole seconds, at most OLDEST, or None if unknown."""
    since = max((each for each in (instance.since, instance.health_since) if each), default=None)
    if since is None:
        return None
    age = min(OLDEST, max(timedelta(), at - since))
    return timedelta(seconds=int(age.total_seconds()))


def instance_rows(live: Description, copy: Description, at: datetime) -> Json:
    """The fields of the entry for the instances that differ from those of `copy`.

    `copy` is the scale set that the simulator created from the entry without these fields.
    """
    copies = {each.id: each for each in copy.instances}
    pairs = [(each, copies[each.id]) for each in live.instances if each.id in copies]
    usual, has_groups = usual_age(live.instances, at), _differ_in_groups(pairs)
    placed = [dict(_placement(one, other, with_group=has_groups)) for one, other in pairs]
    states = [dict(_state(one, other, at, usual)) for one, other in pairs]
    found = {
        "placements": [each for each in placed if len(each) > 1],
        "instanceStates": [each for each in states if len(each) > 1],
    }
    return {name: rows for name, rows in found.items() if rows}


def ending(live: Description, resolved: Image | None) -> Json | None:
    """The event that completes Azure's current operation on the scale set, or None if there is none.

    The event happens after the time that a plan assumes for an upgrade. `resolved` is the model's image as an
    exact version, or None if that version is unknown.
    """
    rows = [dict(_end_state(each, resolved)) for each in present(live) if _is_moving(each)]
    is_busy = live.model.provisioning in {"creating", "updating", "migrating"}
    if not rows and not is_busy:
        return None
    target = live.target
    fields: Json = {"name": f"{target.subscription}/{target.resource_group}/{target.name}"}
    if is_busy:
        fields["provisioningState"] = "Succeeded"
    if rows:
        fields["instanceStates"] = rows
    return {"after": duration_text(ASSUMED.whole), "event": {"scaleSet": fields}}


def present(live: Description) -> list[Instance]:
    """The instances that a copy has: all except those being deleted."""
    return [each for each in live.instances if each.provisioning != "deleting"]


def _instances(live: Description) -> Json:
    own = [each.id for each in present(live) if not each.is_attached]
    attached = [
        {"name": each.id, **({"image": image_reference(each.image)} if each.image else {})}
        for each in present(live)
        if each.is_attached
    ]
    found: Json = {"attached": attached or None}
    if live.model.is_flexible:
        return found | ({"instances": own} if own else {"capacity": 0})
    if sorted(own, key=int) != list(map(str, range(len(own)))):
        return found | {"instances": own}
    missing = live.model.capacity > len(own)
    limit = {"allocationLimit": len(own)} if missing else {}
    return found | {"capacity": max(live.model.capacity, len(own))} | limit


def _domains(live: Description) -> Json:
    usual = 1 if live.zones or live.model.is_flexible else _MOST_FAULT_DOMAINS
    has_own = live.fault_domains not in {None, usual} and live.fault_domains in range(
        1, _MOST_FAULT_DOMAINS + 1
    )
    lacks_domains = bool(live.instances) and all(each.update_domain is None for each in live.instances)
    return {
        "zones": list(live.zones) or None,
        "zonalUpdateDomains": False if live.zones and lacks_domains and not live.model.is_flexible else None,
        "faultDomains": live.fault_domains if has_own else None,
    }


def _model(live: Description) -> Json:
    model = live.model
    plan = model.plan
    return {
        "skuName": live.size or None,
        "diskSizeGB": model.disk_size,
        "securityType": "TrustedLaunch" if model.security_type == "TrustedLaunch" else None,
        "plan": {"publisher": plan.publisher, "product": plan.product, "name": plan.name} if plan else None,
        "mode": model.mode if model.mode not in {"", "Manual"} else None,
        "automaticOSUpgrade": model.automatic_os_upgrade or None,
        "overprovision": live.overprovision or None,
        "osImageNotification": _age_text(model.os_image_notice),
        "terminateNotification": _age_text(model.terminate_notice),
        "extensions": [
            {"name": each.name, "publisher": each.publisher, "type": each.type} for each in live.extensions
        ]
        or None,
    }


def _health(live: Description) -> Json:
    source = live.model.health_source
    extension = "binaryExtension" if live.health.startswith("1") else "extension"
    names = {HealthSource.EXTENSION: extension, HealthSource.PROBE: "probe"}
    repairs = live.repairs
    return {
        "health": names.get(source),
        "healthGracePeriod": _age_text(live.model.health_grace),
        "automaticRepairs": {"grace": duration_text(repairs.grace), "action": repairs.action}
        if repairs
        else None,
    }


def _spot(live: Description) -> Json:
    model = live.model
    if not model.is_spot:
        return {}
    return {
        "spot": True,
        "evictionPolicy": model.eviction_policy if model.eviction_policy == "Delete" else None,
        "spotRestore": duration_text(live.spot_restore) if live.spot_restore is not None else None,
    }


def _placement(one: Instance, other: Instance, *, with_group: bool) -> Iterator[tuple[str, Any]]:
    yield "id", one.id
    if one.zone and one.zone != other.zone:
        yield "zone", one.zone
    if with_group and one.placement_group:
        yield "placementGroup", one.placement_group
    if one.update_domain is not None and one.update_domain != other.update_domain:
        yield "updateDomain", one.update_domain
    if one.fault_domain is not None and one.fault_domain != other.fault_domain:
        yield "faultDomain", one.fault_domain


def _differ_in_groups(pairs: Sequence[tuple[Instance, Instance]]) -> bool:
    """Whether the entries of the instances must name their placement groups.

    If all instances are in a single group, the id of the group does not matter.
    """
    is_divided = len({one.placement_group for one, _ in pairs}) > 1
    return is_divided and any(one.placement_group != other.placement_group for one, other in pairs)


def _state(one: Instance, other: Instance, at: datetime, usual: timedelta) -> Iterator[tuple[str, Any]]:
    yield "id", one.id
    has_other_image = one.image is not None and other.image is not None and not same(one.image, other.image)
    if has_other_image and one.image:
        yield "image", image_reference(one.image)
    if one.latest_model is not None and one.latest_model == has_other_image:
        yield "latestModelApplied", one.latest_model
    if one.provisioning != other.provisioning and one.provisioning in _PROVISIONING:
        yield "provisioning", one.provisioning
    if one.power != other.power and (not one.power or one.power in _POWER):
        yield "power", one.power or "none"
    if one.health != other.health and one.power in {"running", "", "unknown"}:
        yield from (("health", each) for each in [one.health or "none"] if each in {*_HEALTH, "none"})
    age = age_of(one, at)
    if age is not None and age != usual:
        yield "settledFor", duration_text(age)
    if one.has_own_model:
        yield "modelDefinitionApplied", "VirtualMachine"
    if upgrade := _wishes(one):
        yield "customMetrics", {"rollingUpgrade": upgrade}


def _wishes(instance: Instance) -> Json:
    """What the application of an instance asks of a rolling upgrade, as custom metrics."""
    phase = {} if instance.upgrade_phase is None else {"PhaseOrderingNumber": instance.upgrade_phase}
    return phase | ({"SkipUpgrade": True} if instance.skips_upgrade else {})


def _is_moving(instance: Instance) -> bool:
    """Whether Azure is changing the instance, or the instance has just started."""
    is_new = instance.power == "running" and instance.health == "initializing"
    return is_in_transition(instance.provisioning) or instance.power in _BECOMES or is_new


def _end_state(instance: Instance, resolved: Image | None) -> Iterator[tuple[str, Any]]:
    """The fields for the state that an instance will have once Azure has finished changing it."""
    yield "id", instance.id
    is_upgrade = instance.provisioning == "updating"
    if is_upgrade and resolved and instance.image and not same(instance.image, resolved):
        yield "image", image_reference(resolved)
        yield "latestModelApplied", True
    yield "provisioning", "succeeded"
    power = "running" if is_upgrade else _BECOMES.get(instance.power, instance.power)
    yield "power", power if power in _POWER - {"unknown"} else "running"
    if power == "running":
        yield "health", "healthy"


def _age_text(length: timedelta) -> str | None:
    return duration_text(length) if length else None
