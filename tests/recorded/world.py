"""The cloud that a cassette plays in, as far as its answers tell: groups, images, scale sets, the ids of instances.

A cassette often begins after a scale set was made, or leaves out how. Such a set is created from its next full answer,
as if a client had sent that, so its defaults, its instances and its etag are the simulator's own.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta
from typing import Any, cast
from urllib.parse import unquote

from reconciler.simulator import Simulator
from reconciler.simulator.catalogue import ID_FIELDS, kind_of, kind_of_name
from reconciler.simulator.generations import generation_of
from reconciler.simulator.instance import Instance
from reconciler.simulator.life import Stage
from reconciler.simulator.merge import merged
from reconciler.simulator.scale_set import ScaleSet
from tests.recorded.cassette import Cassette, Interaction

SET = re.compile(
    r"(?P<id>/subscriptions/(?P<subscription>[^/]+)/resourceGroups/(?P<group>[^/]+)"
    r"/providers/Microsoft\.Compute/virtualMachineScaleSets/(?P<name>[^/]+))(?P<rest>/.*)?",
    re.I,
)
GROUP = re.compile(r"/subscriptions/(?P<subscription>[^/]+)(?:/resourceGroups/(?P<group>[^/]+))?", re.I)
INSTANCE = re.compile(r"/virtualMachines/(?P<id>[^/*]+)", re.I)
VERSION = re.compile(
    r"/publishers/(?P<publisher>[^/]+)/artifacttypes/vmimage"
    r"/offers/(?P<offer>[^/]+)/skus/(?P<sku>[^/]+)/versions(/(?P<version>[^/]+))?",
    re.I,
)
STATUS = re.compile(r'"(Provisioning|Power)State/(\w+)"')
READ_ONLY = ("provisioningState", "uniqueId", "timeCreated")
SETS = "microsoft.compute/virtualmachinescalesets"
INSTANCES = f"{SETS}/virtualmachines"
# The version of an image that was only ever asked for as the latest.
SOME_VERSION = "0.0.1"
CREATED, REFUSED, CONFLICT = 201, 400, 409
MOVING = ("creating", "updating", "deleting", "succeeded")
UNSEEN = "unseen"
# What instances show as their model has it.
SHARED = ("priority", "evictionPolicy", "billingProfile", "licenseType", "securityProfile")
SETTLED, SOON = Stage("", "succeeded"), timedelta(seconds=1)


def prepare(simulator: Simulator, cassette: Cassette) -> None:
    """Groups and images: what there is before anything is asked."""
    for each in cassette.interactions:
        match = GROUP.match(each.path)
        if match and error_of(each) != "ResourceGroupNotFound":
            simulator.cloud.put_group(match["subscription"], match["group"] or UNSEEN, _location(each))
        for row in scale_sets(each.answer):
            place = GROUP.match(row["id"])
            if place and place["group"]:
                simulator.cloud.put_group(place["subscription"], place["group"], str(row["location"]))
    made_here = {each.path.lower() for each in cassette.interactions if each.status == CREATED}
    for name in _images(cassette):
        if name.lower() not in made_here:
            # An image that has an id fits every size: nothing recorded tells which it was made for.
            generation = generation_of(name) if kind_of_name(name) == "platform" else "V1"
            simulator.cloud.catalogue.publish(name, generation=generation)


def scale_sets(answer: Any) -> Iterator[Mapping[str, Any]]:
    """The scale sets that an answer holds whole."""
    return (row for row in _rows(answer) if str(row.get("type", "")).lower() == SETS and "properties" in row)


def wanted(interaction: Interaction, rest: Iterable[Interaction]) -> Iterator[Mapping[str, Any]]:
    """The scale sets that must be there for the recorded answer, as the rest of the cassette shows them."""
    if interaction.status == CREATED or (interaction.status >= REFUSED and interaction.status != CONFLICT):
        return
    match = SET.match(interaction.path)
    if match is None:
        return
    rest = list(rest)
    own = match["id"].lower()
    rows = (row for each in rest for row in scale_sets(each.answer) if row["id"].lower() == own)
    found = list(rows)
    yield found[0] if found else _guess(match["id"], rest)


def without_strangers(answer: Any, cassette: Cassette) -> Any:
    """The answer without the scale sets in a list that no request of the cassette is about."""
    rows = list(scale_sets(answer))
    if not rows or "value" not in answer:
        return answer
    told = (each.answer for each in cassette.interactions if SET.match(each.path))
    own = {row["properties"].get("uniqueId") for each in told for row in scale_sets(each)}
    return {**answer, "value": [row for row in rows if row["properties"].get("uniqueId") in own]}


def body_of(row: Mapping[str, Any]) -> dict[str, Any]:
    """What a client would have sent to get this scale set."""
    properties = {name: value for name, value in row["properties"].items() if name not in READ_ONLY}
    kept = ("location", "tags", "zones", "identity", "plan", "sku")
    return {**{name: row[name] for name in kept if name in row}, "properties": properties}


def with_policies(interaction: Interaction) -> Any:
    """The body of a request with what policies of the subscription wrote into it before Azure took it.

    When a set is made, tags and extensions that the answer has and the request has not are theirs, and so is then the
    rest of the guest's configuration.
    """
    sent, row = interaction.sent, next(scale_sets(interaction.answer), None)
    if interaction.method != "PUT" or row is None or not isinstance(sent, Mapping):
        return sent
    tags, extensions = _strange(sent, row)
    if not (tags or extensions):
        return sent
    change = {
        "tags": {**tags, **(sent.get("tags") or {})},
        "properties": {
            "virtualMachineProfile": {
                "extensionProfile": {"extensions": _in_order([*_extensions(sent), *extensions], row)},
                "osProfile": row["properties"]["virtualMachineProfile"].get("osProfile"),
            }
        },
    }
    return merged(change, {**sent, "properties": _without_extensions(sent)})


def _without_extensions(sent: Mapping[str, Any]) -> dict[str, Any]:
    properties = dict(sent.get("properties") or {})
    profile = {**(properties.get("virtualMachineProfile") or {})}
    profile.pop("extensionProfile", None)
    return {**properties, "virtualMachineProfile": profile}


def _in_order(extensions: list[Mapping[str, Any]], row: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    names = [each["name"] for each in _extensions(row)]
    return sorted(
        extensions, key=lambda each: names.index(each["name"]) if each["name"] in names else len(names)
    )


def _strange(
    sent: Mapping[str, Any], row: Mapping[str, Any]
) -> tuple[dict[str, str], list[Mapping[str, Any]]]:
    own = sent.get("tags") or {}
    tags = {name: value for name, value in (row.get("tags") or {}).items() if name not in own}
    names = {each["name"] for each in _extensions(sent)}
    return tags, [each for each in _extensions(row) if each["name"] not in names]


def _extensions(row: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    profile = (row.get("properties") or {}).get("virtualMachineProfile") or {}
    return list((profile.get("extensionProfile") or {}).get("extensions") or [])


def error_of(interaction: Interaction) -> str:
    answer = interaction.answer if isinstance(interaction.answer, Mapping) else {}
    return str((answer.get("error") or {}).get("code", ""))


def all_ids(interactions: Iterable[Interaction]) -> list[str]:
    return [name for each in interactions for name in instance_ids(each)]


def instance_ids(interaction: Interaction) -> list[str]:
    """The instances that an interaction is about and that were there."""
    match = SET.match(interaction.path)
    if match is None or interaction.status >= REFUSED:
        return []
    rest = unquote(match["rest"] or "")
    if one := INSTANCE.match(rest):
        return [one["id"]]
    if rest.lower() == "/virtualmachines":
        return [
            str(row.get("instanceId") or row["id"].rpartition("/")[2]) for row in _rows(interaction.answer)
        ]
    sent = interaction.sent if isinstance(interaction.sent, Mapping) else {}
    return [str(each) for each in sent.get("instanceIds") or [] if each != "*"]


def settle(scale_set: ScaleSet, interaction: Interaction, *, is_first: bool) -> None:
    """Put the instances that are looked at into the states they were recorded in.

    Azure is still at work on some when their set has settled, and on others when a cassette begins; `is_first`: nothing
    here has led to their power state yet.
    """
    ids = instance_ids(interaction)
    rows = _rows(interaction.answer)
    if scale_set.running or len(ids) != len(rows):
        return
    for instance_id, row in zip(ids, rows, strict=True):
        text = json.dumps(row)
        found = dict(STATUS.findall(text))
        provisioning = found.get("Provisioning") or _provisioning(row)
        instance = scale_set.instances.get(instance_id)
        if instance is not None and provisioning in MOVING:
            power = found.get("Power") if is_first else None
            _move(instance, Stage("", cast(Any, provisioning), cast(Any, power)))


def _move(instance: Instance, stage: Stage) -> None:
    """Whatever Azure was at is over soon."""
    instance.take(stage, cause="recorded", target=instance.applied)
    clock = instance.owner.cloud.clock
    clock.after(SOON, lambda: instance.take(SETTLED, cause="recorded", target=instance.applied))


def _provisioning(row: Mapping[str, Any]) -> str:
    return str((row.get("properties") or {}).get("provisioningState", "")).lower()


def rename(scale_set: ScaleSet, wanted: Iterable[str], kept: frozenset[str]) -> None:
    """Let the set have the instances `wanted`, by giving their ids to others that are not among `kept`."""
    lacking = [each for each in wanted if each not in scale_set.instances]
    spare = [each for each in scale_set.instances if each not in kept]
    names = dict(zip(spare, lacking, strict=False))
    if not names:
        return
    instances = list(scale_set.instances.values())
    scale_set.instances.clear()
    for instance in instances:
        instance.id = names.get(instance.id, instance.id)
        if instance.id.isdigit():
            instance.number = instance.slot = int(instance.id)
            instance.domain = scale_set.placement.of(instance.slot)
        scale_set.instances[instance.id] = instance
    scale_set.instances = dict(sorted(scale_set.instances.items(), key=lambda each: each[1].number))
    scale_set.next_number = 1 + max(each.number for each in scale_set.instances.values())


def _rows(answer: Any) -> list[Mapping[str, Any]]:
    found = answer.get("value", answer) if isinstance(answer, Mapping) else []
    rows = found if isinstance(found, list) else [found]
    return [row for row in rows if isinstance(row, Mapping)]


def _location(interaction: Interaction) -> str:
    return next((str(row["location"]) for row in scale_sets(interaction.answer)), "westus")


def _guess(resource_id: str, rest: Iterable[Interaction]) -> Mapping[str, Any]:
    """A scale set that only its instances tell of."""
    rest = list(rest)
    rows = (
        row for each in rest for row in _rows(each.answer) if str(row.get("type", "")).lower() == INSTANCES
    )
    row = next(rows, {})
    properties = row.get("properties") or {}
    storage = json.loads(json.dumps(properties.get("storageProfile") or {}))
    (storage.get("imageReference") or {}).pop("exactVersion", None)
    disk = storage.setdefault("osDisk", {})
    disk.pop("name", None)
    (disk.get("managedDisk") or {}).pop("id", None)
    guest = dict(properties.get("osProfile") or {})
    guest["computerNamePrefix"] = str(guest.pop("computerName", "vm000000"))[:-6]
    extensions = [
        {"name": each["name"], "properties": each["properties"]} for each in row.get("resources") or []
    ]
    profile = {
        "storageProfile": storage if storage.get("imageReference") else {"imageReference": GUESSED_IMAGE},
        "osProfile": guest,
        "networkProfile": properties.get("networkProfileConfiguration") or _cards(properties),
        "extensionProfile": {"extensions": extensions},
        **{name: properties[name] for name in SHARED if name in properties},
    }
    return {
        "id": resource_id,
        "location": row.get("location", "westus"),
        "tags": row.get("tags") or {},
        "sku": {**(row.get("sku") or {"name": "Standard_DS1_v2"}), "capacity": len(set(all_ids(rest)))},
        "properties": {"virtualMachineProfile": profile, "overprovision": False},
    }


GUESSED_IMAGE = {"publisher": "Canonical", "offer": "UbuntuServer", "sku": UNSEEN, "version": SOME_VERSION}


def _cards(properties: Mapping[str, Any]) -> dict[str, Any]:
    """Cards of which only the ids are told."""
    found = (properties.get("networkProfile") or {}).get("networkInterfaces") or []
    names = (each["id"].rpartition("/")[2] for each in found)
    cards = [{"name": name, "properties": {"ipConfigurations": [{"name": name}]}} for name in names]
    return {"networkInterfaceConfigurations": cards}


def _images(cassette: Cassette) -> Iterator[str]:
    """The names of the images that the cassette tells of."""
    yield ":".join(GUESSED_IMAGE.values())
    for each in cassette.interactions:
        yield from _versions(each)
        for part in (each.sent, each.answer):
            for storage in _storages(part):
                yield from _names(storage)


def _versions(interaction: Interaction) -> Iterator[str]:
    match = VERSION.search(interaction.path)
    if match is None or interaction.status >= REFUSED:
        return
    family = [unquote(match[part]) for part in ("publisher", "offer", "sku")]
    rows = interaction.answer if isinstance(interaction.answer, list) else [interaction.answer]
    for row in rows:
        yield ":".join((*family, row["name"]))


def _storages(body: Any) -> Iterator[Mapping[str, Any]]:
    if isinstance(body, Mapping):
        if isinstance(body.get("storageProfile"), Mapping):
            yield body["storageProfile"]
        for each in body.values():
            yield from _storages(each)
    elif isinstance(body, list):
        for each in body:
            yield from _storages(each)


def _names(storage: Mapping[str, Any]) -> Iterator[str]:
    reference = storage.get("imageReference") or {}
    kind = kind_of(storage)
    exact = reference.get("exactVersion") or reference.get("version") or "latest"
    exact = SOME_VERSION if exact.lower() == "latest" else exact
    if kind == "vhd":
        yield storage["osDisk"]["image"]["uri"]
    elif kind == "platform":
        yield ":".join((*(reference.get(part, "") for part in ("publisher", "offer", "sku")), exact))
    elif kind is not None:
        name = str(reference[ID_FIELDS[kind]])
        has_version = kind == "managed" or "/versions/" in name.lower()
        yield name if has_version else f"{name}/versions/{exact}"
