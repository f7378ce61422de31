"""A fleet file: what exists when the simulator starts. Only `scaleSets` is needed; the rest has defaults.

    location: westeurope               # where scale sets are that do not say
    subscription: <guid>               # which subscription they are in
    page: 50                           # rows in a page of a list
    throttling: false                  # whether quotas refuse
    timings: {model: 8s, upgrade: 60s, boot: 20s, health: 15s, create: 40s}      # see `timings.py`
    images:
      platform: [{publisher: Canonical, offer: ubuntu-24_04-lts, sku: server, versions: ["24.04.202601010"]}]
      ids: ["/subscriptions/.../galleries/g/images/i/versions/1.0.0"]    # gallery, shared, community, managed
      vhds: ["https://acct.blob.core.windows.net/vhds/base-1.vhd"]
      bad:                             # images that do not do well
        - {image: "Canonical:ubuntu-24_04-lts:server:24.04.202602020", boots: unhealthy}  # or fails, or never
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
        health: none                   # or extension, binaryExtension (silent at first), probe
        extensions: [{name, publisher, type}]
        skuName: Standard_D2s_v5
        tags: {team: web}
        spot: false                    # priority Spot; `evictionPolicy: Deallocate | Delete`
        protected: ["3"]               # protected from scale set actions
        instanceStates:                # what an interruption, or life, has left
          - {id: "3", image: ..., latestModelApplied: true}
          - {id: "4", power: deallocated, health: unhealthy, provisioning: failed}

An image names itself into the catalogue when a scale set starts on it. To add a field: a name in
`declared.FIELDS`, a line here, and its use in `_scale_set`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from reconciler.simulator.catalogue import kind_of_name, storage_of
from reconciler.simulator.cloud import Cloud
from reconciler.simulator.declared import (
    FIELDS,
    STATES,
    FleetError,
    choice,
    known,
    mapping,
    one_of,
    rows,
    time,
    whole,
)
from reconciler.simulator.domains import Placement, guid
from reconciler.simulator.errors import ArmError
from reconciler.simulator.instance import Instance
from reconciler.simulator.profile import scale_set_body
from reconciler.simulator.scale_set import ScaleSet
from reconciler.simulator.timings import Timings

SUBSCRIPTION = guid("subscription")


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
    times = known(fleet.get("timings") or {}, "timings", "timings")
    cloud.timings = Timings(**{name: time(text, f"timings.{name}") for name, text in times.items()})
    cloud.page = whole(fleet.get("page", cloud.page), "page", at_least=1)
    cloud.is_throttling = bool(fleet.get("throttling", False))
    cloud.catalogue.location = str(fleet.get("location", cloud.catalogue.location))
    _publish(known(fleet.get("images") or {}, "images", "images"), cloud)
    seen: set[tuple[str, str]] = set()
    for number, entry in enumerate(rows(fleet.get("scaleSets"), "scaleSets")):
        place = f"scaleSets[{number}]"
        declared = known(entry, "scaleSet", place)
        if "name" not in declared:
            raise FleetError(f"{place}: has no name; add `name: web`")
        if not isinstance(declared["name"], str):
            raise FleetError(f"{place}.name: {declared['name']!r} is not a name; write it as text")
        place = f"scaleSets[{number}] ({declared['name']})"
        mapping(declared.get("tags", {}), f"{place}.tags")
        for name in _names(declared, place):
            group = str(declared.get("resourceGroup", "rg"))
            if (group.lower(), name.lower()) in seen:
                raise FleetError(f"{place}: {group}/{name} is there twice; rename one")
            seen.add((group.lower(), name.lower()))
            try:
                _scale_set(fleet, {**declared, "name": name}, cloud, place)
            except ArmError as problem:
                raise FleetError(f"{place}: {problem.message}") from problem


def _publish(images: Mapping[str, Any], cloud: Cloud) -> None:
    for number, entry in enumerate(rows(images.get("platform"), "images.platform")):
        place = f"images.platform[{number}]"
        sku = known(entry, "platform", place)
        if missing := [name for name in FIELDS["platform"] if name not in sku]:
            raise FleetError(
                f"{place}: has no {missing[0]}; a platform image needs publisher, offer, sku and versions"
            )
        for version in rows(sku["versions"], f"{place}.versions"):
            cloud.catalogue.publish(f"{sku['publisher']}:{sku['offer']}:{sku['sku']}:{version}")
    for kind in ("ids", "vhds"):
        for name in rows(images.get(kind), f"images.{kind}"):
            cloud.catalogue.publish(str(name))
    for number, entry in enumerate(rows(images.get("bad"), "images.bad")):
        place = f"images.bad[{number}]"
        bad = known(entry, "bad", place)
        name = _image(bad.get("image"), f"{place}.image")
        cloud.catalogue.publish(name, boots=choice(bad, "boots", "unhealthy", place))  # type: ignore[arg-type]


def _scale_set(fleet: Mapping[str, Any], declared: Mapping[str, Any], cloud: Cloud, place: str) -> None:
    image = _image(declared.get("image"), f"{place}.image")
    if not _is_open(image):
        cloud.catalogue.publish(image)
    ids = [str(each) for each in rows(declared.get("instances"), f"{place}.instances")]
    capacity = len(ids) or whole(declared.get("capacity", 1), f"{place}.capacity", at_least=0)
    placement = _placement(declared, place)
    subscription = str(declared.get("subscription", fleet.get("subscription", SUBSCRIPTION)))
    group = str(declared.get("resourceGroup", "rg"))
    extensions = rows(declared.get("extensions"), f"{place}.extensions")
    body = scale_set_body(
        {**declared, "mode": choice(declared, "mode", "Manual", place)},
        storage=storage_of(image),
        health=choice(declared, "health", "none", place),
        extensions=[known(each, "extension", f"{place}.extensions") for each in extensions],
        group_id=f"/subscriptions/{subscription}/resourceGroups/{group}",
        is_single_group=placement.fits_one_group(capacity),
        fault_domains=placement.fault_domains,
    )
    scale_set = ScaleSet(
        cloud,
        subscription=subscription,
        group=group,
        name=str(declared["name"]),
        location=str(declared.get("location", cloud.catalogue.location)),
        body=body,
        placement=placement,
    )
    scale_set.seed(capacity, ids)
    cloud.add(scale_set)
    for each in rows(declared.get("protected"), f"{place}.protected"):
        member = _member(scale_set, each, f"{place}.protected")
        member.protected = member.protected_from_scale_in = True
    for number, state in enumerate(rows(declared.get("instanceStates"), f"{place}.instanceStates")):
        _seed(scale_set, state, f"{place}.instanceStates[{number}]")


def _placement(declared: Mapping[str, Any], place: str) -> Placement:
    zones = tuple(str(zone) for zone in rows(declared.get("zones"), f"{place}.zones"))
    flexible = choice(declared, "orchestration", "Uniform", place) == "Flexible"
    usual = 1 if zones or flexible else 5
    return Placement(
        str(declared["name"]),
        zones,
        whole(declared.get("faultDomains", usual), f"{place}.faultDomains", at_least=1),
        whole(declared.get("placementGroupSize", 100), f"{place}.placementGroupSize", at_least=1),
        bool(declared.get("zonalUpdateDomains", True)),
        flexible=flexible,
    )


def _seed(scale_set: ScaleSet, entry: Any, place: str) -> None:
    state = known(entry, "instanceState", place)
    member = _member(scale_set, state.get("id"), place)
    is_current = bool(state.get("latestModelApplied", "image" not in state))
    if "image" in state:
        image = _image(state["image"], f"{place}.image")
        scale_set.cloud.catalogue.publish(image)
        member.put_on(storage_of(image), is_current=is_current)
    elif not is_current:
        member.put_behind()
    for name, choices in STATES.items():
        if name in state:
            setattr(member, name, one_of(state[name], choices, f"{place}.{name}"))
    if member.power != "running" and "health" not in state:
        member.health = "unknown"
    member.settle(cause=_cause(state))


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
    count = whole(declared["count"], f"{place}.count", at_least=1)
    digits = max(4, len(str(count - 1)))
    return [f"{declared['name']}-{number:0{digits}}" for number in range(count)]


def _image(value: Any, place: str) -> str:
    """The name of an image, from any of the ways to write one."""
    if isinstance(value, str):
        if kind_of_name(value) == "platform" and value.count(":") != 3:
            raise FleetError(f"{place}: {value!r} is not an image; write publisher:offer:sku:version")
        return value
    if not isinstance(value, Mapping):
        raise FleetError(
            f"{place}: no image; write {{platform: ...}}, {{id: ...}}, {{vhd: ...}} or the image's name"
        )
    chosen = known(value, "image", place)
    if "platform" in chosen:
        fields = known(chosen["platform"], "platformImage", f"{place}.platform")
        if missing := [name for name in FIELDS["platformImage"] if name not in fields]:
            raise FleetError(
                f"{place}.platform: has no {missing[0]}; it needs publisher, offer, sku and version"
            )
        return ":".join(str(fields[name]) for name in FIELDS["platformImage"])
    return str(chosen.get("id", chosen.get("vhd")))


def _is_open(image: str) -> bool:
    """Whether the name leaves the version to be found, so that it publishes nothing by itself."""
    is_definition = "/galleries/" in image.lower() and "/versions/" not in image.lower()
    return is_definition or image.lower().endswith(":latest")
