"""A fleet file: what exists when the simulator starts. Only `scaleSets` is needed; the rest has defaults.

    location: westeurope               # where scale sets are that do not say
    subscription: <guid>               # which subscription they are in
    page: 50                           # rows in a page of a list
    throttling: false                  # whether quotas refuse
    permissions: {actions: ["*"], notActions: []}    # what the caller may do; see `permissions.py`
    timings: {model: 8s, upgrade: 60s, boot: 20s, health: 15s, create: 40s, conflict: 0s}  # see `timings.py`
    provisioningStateDuringUpgrade: Updating         # or Succeeded: of a scale set during a manual upgrade
    flexibleRowProperties: false       # whether the instance list of a Flexible set carries `properties`
    tenants: {<subscription>: <tenant>}    # subscriptions of other tenants, which have images
    fixedImageFields: [publisher]      # of an image, which a PATCH may not change: publisher, offer, sku
    images:
      platform: [{publisher: Canonical, offer: ubuntu-24_04-lts, sku: server, versions: ["24.04.202601010"]}]
      ids: ["/subscriptions/.../galleries/g/images/i/versions/1.0.0"]    # gallery, shared, community, managed
      vhds: ["https://acct.blob.core.windows.net/vhds/base-1.vhd"]
      bad:                             # images that do not do well
        - {image: "Canonical:ubuntu-24_04-lts:server:24.04.202602020", boots: unhealthy}
          # or silent, fails, never, extensionFails
      details:                         # of images that are not simply in every region and active
        - image: ...                   # one of the above
          regions: [westeurope]        # where it is; everywhere unless said
          replicating: [northeurope]   # where its copy has not arrived yet
          deprecation: Active          # or ScheduledForDeprecation, Deprecated
          excludeFromLatest: false     # versions of galleries only
          hyperVGeneration: V2         # or V1
          architecture: x64            # or Arm64
          diskSizeGB: 30
          securityType: TrustedLaunchSupported     # or TrustedLaunch, Standard
          plan: {publisher: ..., product: ..., name: ...}
    scaleSets:
      - name: web                      # with `count: 1000`, web-0000 to web-0999
        resourceGroup: shop
        location, subscription         # when not the fleet's
        capacity: 20                   # or `instances: ["0", "3"]`, the ids there are
        image: {platform: {publisher, offer, sku, version}}  # or {id: ...}, {vhd: ...}
        mode: Manual                   # or Automatic, Rolling
        automaticOSUpgrade: false
        orchestration: Uniform         # or Flexible
        zones: ["1", "2", "3"]
        zonalUpdateDomains: true       # whether a zonal set reports update domains
        faultDomains: 5                # 1 in a zonal or a Flexible set
        placementGroupSize: 100        # instances in one placement group
        healthGracePeriod: 10m         # of the health extension
        osImageNotification: 15m       # how long Azure waits before it replaces an OS disk
        terminateNotification: 5m      # and before it deletes an instance
        health: none                   # or extension, binaryExtension (silent at first), probe
        extensions: [{name, publisher, type}]
        skuName: Standard_D2s_v5
        diskSizeGB: 30                 # of the OS disk
        plan: {publisher: ..., product: ..., name: ...}
        tags: {team: web}
        spot: false                    # priority Spot; `evictionPolicy: Deallocate | Delete`
        evictedPowerState: deallocated # or stopped: how an eviction leaves an instance
        spotRestore: 1h                # how long evicted instances are tried to be started again
        securityType: Standard         # or TrustedLaunch
        overprovision: false           # whether a scale-out creates some more, for a while
        autoscale: {minimum: 2, maximum: 10, every: 10m}    # somebody keeps changing the capacity
        automaticRepairs: {grace: 10m, action: replace}     # or restart, reimage; see `repairs.py`
        allocationLimit: 18            # how many instances Azure has room for, where less than the capacity
        managedBy: /subscriptions/...  # the resource that owns it
        reportedSku: null              # what Azure returns as its sku, where not simply that
        virtualMachineProfile: true    # false: a Flexible set without one, to which machines are attached
        attached: [{name: sql-1, image: ...}]      # machines attached by hand; without image, on a mere disk
        protected: ["3"]               # protected from scale set actions
        provisioningState: Succeeded   # or Creating, Updating, Migrating for good; or Failed
        instanceStates:                # what an interruption, or life, has left
          - {id: "3", image: ..., latestModelApplied: true}
          - {id: "4", power: deallocated, health: unhealthy, provisioning: failed}
          - {id: "5", power: unknown, health: none}     # power none: no PowerState; health none: says nothing
          - {id: "6", modelDefinitionApplied: VirtualMachine}    # a model of its own
          - {id: "7", customMetrics: {rollingUpgrade: {PhaseOrderingNumber: 2, SkipUpgrade: true}}}

An image names itself into the catalogue when a scale set starts on it. To add a field: a name in
`declared.FIELDS`, a line here, and its use in `_scale_set`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, get_args

import yaml

from reconciler.simulator.autoscale import Autoscale
from reconciler.simulator.catalogue import storage_of
from reconciler.simulator.cloud import Cloud
from reconciler.simulator.declared import (
    CHOSEN,
    FIELDS,
    STATES,
    TEXTS,
    TIMES,
    YES_OR_NO,
    FleetError,
    choice,
    guid_of,
    known,
    mapping,
    once,
    one_of,
    plan,
    rows,
    subscription_id,
    text,
    time,
    whole,
    yes,
)
from reconciler.simulator.domains import MOST_FAULT_DOMAINS, Placement, guid
from reconciler.simulator.errors import ArmError
from reconciler.simulator.instance import Instance
from reconciler.simulator.life import ReportedPower
from reconciler.simulator.permissions import Permissions
from reconciler.simulator.profile import scale_set_body
from reconciler.simulator.scale_set import GROUP, LARGEST, ScaleSet
from reconciler.simulator.stock import image_name, is_open, publish
from reconciler.simulator.timings import Timings

SUBSCRIPTION = guid("subscription")
# What of an image's name a service may refuse to change.
FIXABLE = ("publisher", "offer", "sku")


def read_fleet(path: str | Path) -> Mapping[str, Any]:
    """The parsed file. Raises FleetError for a file that is not there or is not a YAML mapping."""
    try:
        parsed = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except OSError as problem:
        raise FleetError(f"{path}: {problem.strerror}; name a fleet file that can be read") from problem
    except UnicodeDecodeError as problem:
        raise FleetError(f"{path}: not UTF-8; save it as UTF-8") from problem
    except yaml.YAMLError as problem:
        raise FleetError(f"{path}: not YAML: {' '.join(str(problem).split())}") from problem
    return mapping(parsed if parsed is not None else {}, str(path))


def build(fleet: Mapping[str, Any], cloud: Cloud) -> None:
    """Put the fleet in the cloud, settled, as if it had always been there. Raises FleetError."""
    fleet = known(fleet, "fleet", "fleet")
    _set_up(fleet, cloud)
    usual = subscription_id(fleet.get("subscription", SUBSCRIPTION), "subscription")
    seen: set[tuple[str, str, str]] = set()
    for number, entry in enumerate(rows(fleet.get("scaleSets"), "scaleSets")):
        place = f"scaleSets[{number}]"
        declared = known(entry, "scaleSet", place)
        if "name" not in declared:
            raise FleetError(f"{place}: has no name; add `name: web`")
        if not isinstance(declared["name"], str):
            raise FleetError(f"{place}.name: {declared['name']!r} is not a name; write it as text")
        place = f"scaleSets[{number}] ({declared['name']})"
        _refuse_mistakes(declared, place)
        for name in _names(declared, place):
            group = str(declared.get("resourceGroup", "rg"))
            subscription = subscription_id(declared.get("subscription", usual), f"{place}.subscription")
            key = (subscription.lower(), group.lower(), name.lower())
            if key in seen:
                raise FleetError(f"{place}: {group}/{name} is there twice; rename one")
            seen.add(key)
            try:
                _scale_set({**declared, "name": name, "subscription": subscription}, cloud, place)
            except ArmError as problem:
                raise FleetError(f"{place}: {problem.message}") from problem


def _set_up(fleet: Mapping[str, Any], cloud: Cloud) -> None:
    """What holds for every scale set."""
    times = known(fleet.get("timings") or {}, "timings", "timings")
    cloud.timings = Timings(**{name: time(value, f"timings.{name}") for name, value in times.items()})
    cloud.page = whole(fleet.get("page", cloud.page), "page", at_least=1)
    cloud.is_throttling = yes(fleet.get("throttling", False), "throttling")
    fixed = rows(fleet.get("fixedImageFields", list(cloud.fixed_image_fields)), "fixedImageFields")
    cloud.fixed_image_fields = tuple(one_of(each, FIXABLE, "fixedImageFields") for each in fixed)
    cloud.provisioning_state_during_upgrade = choice(  # type: ignore[assignment]
        fleet, "provisioningStateDuringUpgrade", cloud.provisioning_state_during_upgrade, "fleet"
    )
    cloud.flexible_row_properties = yes(fleet.get("flexibleRowProperties", False), "flexibleRowProperties")
    cloud.tenants = {
        subscription_id(name, "tenants").lower(): guid_of(tenant, "tenant", f"tenants.{name}").lower()
        for name, tenant in mapping(fleet.get("tenants") or {}, "tenants").items()
    }
    granted = known(fleet.get("permissions") or {}, "permissions", "permissions")
    cloud.permissions = Permissions(
        _actions(granted.get("actions", ["*"]), "permissions.actions"),
        _actions(granted.get("notActions"), "permissions.notActions"),
    )
    cloud.catalogue.location = text(fleet.get("location", cloud.catalogue.location), "location")
    publish(known(fleet.get("images") or {}, "images", "images"), cloud)


def _actions(value: Any, place: str) -> tuple[str, ...]:
    found = rows(value, place)
    for number, action in enumerate(found):
        if not isinstance(action, str) or not ("/" in action or "*" in action):
            mend = "write it as Microsoft.Compute/virtualMachineScaleSets/read, with * for any part"
            raise FleetError(f"{place}[{number}]: {action!r} is not an action; {mend}")
    return tuple(found)


def _refuse_mistakes(declared: Mapping[str, Any], place: str) -> None:
    """What is wrong with fields each by itself."""
    mapping(declared.get("tags", {}), f"{place}.tags")
    for sort, names in ((yes, YES_OR_NO), (text, TEXTS)):
        for name in names:
            if name in declared:
                sort(declared[name], f"{place}.{name}")
    for name in CHOSEN:
        if name in declared:
            choice(declared, name, "", place)
    _refuse_image_needs(declared, place)
    for name in TIMES:
        if name in declared:
            time(declared[name], f"{place}.{name}")
    if "automaticRepairs" in declared:
        _refuse_repairs(declared, f"{place}.automaticRepairs")


def _refuse_image_needs(declared: Mapping[str, Any], place: str) -> None:
    if "diskSizeGB" in declared:
        whole(declared["diskSizeGB"], f"{place}.diskSizeGB", at_least=1)
    if "plan" in declared:
        plan(declared["plan"], f"{place}.plan")


def _refuse_repairs(declared: Mapping[str, Any], place: str) -> None:
    repairs = known(declared["automaticRepairs"], "automaticRepairs", place)
    time(repairs.get("grace", "10m"), f"{place}.grace")
    choice(repairs, "action", "replace", place)
    if declared.get("health", "none") == "none":
        raise FleetError(f"{place}: nothing says which instances are ill; add `health: extension`, or probe")


def _extensions(declared: Mapping[str, Any], place: str) -> list[Mapping[str, Any]]:
    found = []
    for number, entry in enumerate(rows(declared.get("extensions"), place)):
        extension = known(entry, "extension", f"{place}[{number}]")
        if missing := [name for name in ("name", "publisher", "type") if name not in extension]:
            raise FleetError(f"{place}[{number}]: has no {missing[0]}; it needs name, publisher and type")
        found.append(extension)
    return found


def _scale_set(declared: Mapping[str, Any], cloud: Cloud, place: str) -> None:
    storage = _storage(declared, cloud, place)
    ids = _ids(declared, place)
    capacity = _instances(len(ids) or declared.get("capacity", int(storage is not None)), f"{place}.capacity")
    placement = _placement(declared, place)
    subscription = str(declared["subscription"])
    group = str(declared.get("resourceGroup", "rg"))
    body = scale_set_body(
        {**declared, "mode": choice(declared, "mode", "Manual", place)},
        storage=storage or {},
        health=choice(declared, "health", "none", place),
        extensions=_extensions(declared, f"{place}.extensions"),
        group_id=f"/subscriptions/{subscription}/resourceGroups/{group}",
        is_single_group=placement.fits_one_group(capacity),
        fault_domains=placement.fault_domains,
    )
    if storage is None:
        del body["properties"]["virtualMachineProfile"]
    scale_set = ScaleSet(
        cloud,
        subscription=subscription,
        group=group,
        name=str(declared["name"]),
        location=str(declared.get("location", cloud.catalogue.location)),
        body=body,
        placement=placement,
    )
    if "allocationLimit" in declared:
        scale_set.allocation_limit = _instances(declared["allocationLimit"], f"{place}.allocationLimit")
    scale_set.evicted_power = declared.get("evictedPowerState", scale_set.evicted_power)
    scale_set.seed(capacity, ids)
    _attach(scale_set, declared, f"{place}.attached")
    if "managedBy" in declared:
        scale_set.reported["managedBy"] = declared["managedBy"]
    if "reportedSku" in declared:
        scale_set.reported["sku"] = declared["reportedSku"]
    state = declared.get("provisioningState", "Succeeded")
    scale_set.failed = state == "Failed"
    scale_set.reported_state = None if state in ("Succeeded", "Failed") else state
    cloud.add(scale_set)
    for each in once(rows(declared.get("protected"), f"{place}.protected"), f"{place}.protected"):
        member = _member(scale_set, each, f"{place}.protected")
        member.protect(from_actions=True, from_scale_in=True)
    if "autoscale" in declared:
        _autoscale(scale_set, declared["autoscale"], f"{place}.autoscale").begin()
    for number, state in enumerate(rows(declared.get("instanceStates"), f"{place}.instanceStates")):
        _seed(scale_set, state, f"{place}.instanceStates[{number}]")


def _storage(declared: Mapping[str, Any], cloud: Cloud, place: str) -> dict[str, Any] | None:
    """The part of the storage profile that names the image; None where there is no profile."""
    if not declared.get("virtualMachineProfile", True):
        if declared.get("orchestration") != "Flexible":
            raise FleetError(f"{place}.virtualMachineProfile: only a Flexible set has none; leave it out")
        return None
    image = image_name(declared.get("image"), f"{place}.image")
    if not is_open(image):
        cloud.catalogue.publish(image)
    return storage_of(image)


def _attach(scale_set: ScaleSet, declared: Mapping[str, Any], place: str) -> None:
    machines = rows(declared.get("attached"), place)
    if machines and not scale_set.is_flexible:
        raise FleetError(f"{place}: only a Flexible set takes machines; add `orchestration: Flexible`")
    for number, entry in enumerate(machines):
        machine = known(entry, "attached", f"{place}[{number}]")
        name = text(machine.get("name"), f"{place}[{number}].name")
        image = image_name(machine["image"], f"{place}[{number}].image") if "image" in machine else None
        if image is not None:
            scale_set.cloud.catalogue.publish(image)
        scale_set.attach(name, image)


def _ids(declared: Mapping[str, Any], place: str) -> list[str]:
    place = f"{place}.instances"
    ids = once(rows(declared.get("instances"), place), place)
    if wrong := next((each for each in ids if not (each.isascii() and each.isdigit())), None):
        raise FleetError(f'{place}: {wrong!r} is not the id of an instance; write a number, like "3"')
    return ids


def _instances(value: Any, place: str) -> int:
    return whole(
        value, place, at_least=0, at_most=LARGEST, limit="Azure's limit of 1,000 instances in a scale set"
    )


def _autoscale(scale_set: ScaleSet, entry: Any, place: str) -> Autoscale:
    declared = known(entry, "autoscale", place)
    if missing := [name for name in FIELDS["autoscale"] if name not in declared]:
        raise FleetError(f"{place}: has no {missing[0]}; it needs minimum, maximum and every")
    minimum, maximum = (_instances(declared[name], f"{place}.{name}") for name in ("minimum", "maximum"))
    if minimum > maximum:
        raise FleetError(f"{place}.minimum: {minimum} is more than the maximum; write at most {maximum}")
    every = time(declared["every"], f"{place}.every")
    if not every:
        raise FleetError(f"{place}.every: no time at all; write one like 10m")
    return Autoscale(scale_set, minimum, maximum, every)


def _placement(declared: Mapping[str, Any], place: str) -> Placement:
    zones = tuple(once(rows(declared.get("zones"), f"{place}.zones"), f"{place}.zones"))
    flexible = choice(declared, "orchestration", "Uniform", place) == "Flexible"
    usual = 1 if zones or flexible else 5
    return Placement(
        str(declared["name"]),
        zones,
        whole(
            declared.get("faultDomains", usual),
            f"{place}.faultDomains",
            at_least=1,
            at_most=MOST_FAULT_DOMAINS,
            limit="Azure's limit of 5 fault domains",
        ),
        whole(
            declared.get("placementGroupSize", GROUP),
            f"{place}.placementGroupSize",
            at_least=1,
            at_most=GROUP,
            limit="Azure's limit of 100 instances in a placement group",
        ),
        bool(declared.get("zonalUpdateDomains", True)),
        flexible=flexible,
    )


def _seed(scale_set: ScaleSet, entry: Any, place: str) -> None:
    state = known(entry, "instanceState", place)
    member = _member(scale_set, state.get("id"), place)
    is_current = yes(state.get("latestModelApplied", "image" not in state), f"{place}.latestModelApplied")
    if "image" in state:
        image = image_name(state["image"], f"{place}.image")
        scale_set.cloud.catalogue.publish(image)
        member.put_on(storage_of(image), is_current=is_current)
    elif not is_current:
        member.put_behind()
    said = {
        name: one_of(state[name], choices, f"{place}.{name}")
        for name, choices in STATES.items()
        if name in state
    }
    member.is_silent = said.get("health") == "none"
    if said.get("power") in get_args(ReportedPower):
        member.reported_power = said.pop("power")  # type: ignore[assignment]
    for name, value in said.items():
        if value != "none":
            setattr(member, name, value)
    own = choice(state, "modelDefinitionApplied", "VirtualMachineScaleSet", place)
    member.has_own_model = own == "VirtualMachine"
    member.custom_metrics = _metrics(state, place)
    if member.power != "running" and "health" not in state:
        member.health = "unknown"
    member.settle(cause=_cause(state))


def _metrics(state: Mapping[str, Any], place: str) -> Mapping[str, Any] | None:
    if "customMetrics" not in state:
        return None
    place = f"{place}.customMetrics"
    metrics = known(state["customMetrics"], "customMetrics", place)
    upgrade = known(metrics.get("rollingUpgrade", {}), "rollingUpgrade", f"{place}.rollingUpgrade")
    if "PhaseOrderingNumber" in upgrade:
        whole(upgrade["PhaseOrderingNumber"], f"{place}.rollingUpgrade.PhaseOrderingNumber", at_least=0)
    yes(upgrade.get("SkipUpgrade", False), f"{place}.rollingUpgrade.SkipUpgrade")
    return metrics


def _cause(state: Mapping[str, Any]) -> str:
    """Why an instance is away that a fleet starts with away."""
    return next(
        (word for name, word in (("power", "deallocate"), ("provisioning", "fail")) if name in state),
        "unhealthy",
    )


def _member(scale_set: ScaleSet, instance_id: Any, place: str) -> Instance:
    found = scale_set.instances.get(str(instance_id))
    if found is None:
        there = ", ".join(list(scale_set.instances)[:5])
        raise FleetError(
            f"{place}: there is no instance {instance_id!r}; the scale set starts with {there or 'none'}"
        )
    return found


def _names(declared: Mapping[str, Any], place: str) -> Iterable[str]:
    if "count" not in declared:
        return [str(declared["name"])]
    count = whole(
        declared["count"], f"{place}.count", at_least=1, at_most=10_000, limit="a fleet can take of one kind"
    )
    digits = max(4, len(str(count - 1)))
    return [f"{declared['name']}-{number:0{digits}}" for number in range(count)]
