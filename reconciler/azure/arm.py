"""Azure's JSON in our words and back. Pure; takes the SDK's models or plain JSON, both being mappings.

Written against recorded traffic, and forgiving about it: whatever Azure leaves out is "", None or False
here, and the decision refuses to act on what it cannot read. Only what no answer of Azure's ever lacks is
insisted on; without it the answer is garbled (`Garbled`).
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from reconciler.rollout.marks import Began, Marks
from reconciler.rollout.observed import HealthSource, Instance, Model, Operation, RollingUpgrade
from reconciler.spec.image import (
    KINDS,
    CommunityGalleryImage,
    GalleryImage,
    Image,
    ManagedImage,
    PlatformImage,
    SharedGalleryImage,
    VhdImage,
    at_version,
    follows_latest,
)
from reconciler.spec.image_id import kind_of

Json = Mapping[str, Any]

_SERVICE_FABRIC = ("microsoft.azure.servicefabric", ("servicefabricnode", "servicefabriclinuxnode"))
_APPLICATION_HEALTH = (
    "microsoft.managedservices",
    ("applicationhealthlinux", "applicationhealthwindows"),
)

# Tags on the scale set. Azure keeps no more than 256 characters in one, and ids are longer.
_LAST_GOOD, _FAILED, _APPROVED = "reconciler-last-good", "reconciler-failed", "reconciler-approved"
_BEGAN = "reconciler-began"
_TAG = 256


class Garbled(Exception):
    """An answer without what every such answer has."""


def model(body: Json) -> Model:
    """A scale set, from GET or from a row of a list. Raises Garbled."""
    try:
        id_, properties = str(body["id"]).casefold(), dict(body["properties"])
        # A Flexible scale set may have no sku of its own, and so no capacity.
        capacity = int(body["sku"]["capacity"]) if body.get("sku") else 0
    except (KeyError, TypeError, ValueError) as error:
        raise Garbled(f"Azure sent a scale set without {error}") from error
    profile = _mapping(properties, "virtualMachineProfile")
    policy = _mapping(properties, "upgradePolicy")
    extensions = _extensions(profile)
    return Model(
        id=id_,
        location=region(_text(body, "location")),
        etag=_text(body, "etag"),
        image=_image(_mapping(profile, "storageProfile")),
        capacity=capacity,
        provisioning=_text(properties, "provisioningState").lower(),
        mode=_text(policy, "mode"),
        orchestration=_text(properties, "orchestrationMode"),
        automatic_os_upgrade=bool(
            _mapping(policy, "automaticOSUpgradePolicy").get("enableAutomaticOSUpgrade", False)
        ),
        service_fabric=_has(extensions, _SERVICE_FABRIC),
        health_source=_health_source(profile, extensions),
        tags={str(name): str(value) for name, value in _mapping(body, "tags").items()},
        marks=marks(_mapping(body, "tags")),
    )


def instance(row: Json) -> Instance:
    """A row of the list of instances, with its instance view expanded. Raises Garbled."""
    try:
        id_, properties = str(row["instanceId"]), dict(row["properties"])
    except (KeyError, TypeError, ValueError) as error:
        raise Garbled(f"Azure sent an instance without {error}") from error
    view = _mapping(properties, "instanceView")
    provisioned = _status(view.get("statuses"), "ProvisioningState/")
    # An instance that is being created has no view yet: its own state must do.
    stands = _words(provisioned) or _text(properties, "provisioningState").lower()
    return Instance(
        id=id_,
        name=_text(row, "name") or id_,
        image=_running(_mapping(properties, "storageProfile")),
        latest_model=bool(properties.get("latestModelApplied", False)),
        provisioning=stands if view or stands != "succeeded" else "",
        power=_words(_status(view.get("statuses"), "PowerState/")),
        health=_words(_status([_mapping(view, "vmHealth").get("status")], "HealthState/")),
        has_health_extension=_carries_health(view),
        since=_time(provisioned.get("time")),
        created=_time(properties.get("timeCreated")),
        error=_error(provisioned),
        protected=bool(_mapping(properties, "protectionPolicy").get("protectFromScaleSetActions", False)),
        zone=next(iter(row.get("zones") or ()), ""),
        placement_group=_text(view, "placementGroupId"),
        update_domain=view.get("platformUpdateDomain"),
        fault_domain=view.get("platformFaultDomain"),
    )


def rolling_upgrade(body: Json) -> RollingUpgrade:
    """Azure's own rolling upgrade, from "rollingUpgrades/latest"."""
    return RollingUpgrade(_text(_mapping(_mapping(body, "properties"), "runningStatus"), "code"))


def operation(body: Json) -> Operation:
    """What became of a long operation. It may fail though the answer itself is a 200."""
    error = _mapping(body, "error")
    said = ": ".join(text for text in (_text(error, "code"), _text(error, "message")) if text)
    return Operation(_text(body, "status"), " ".join(said.split()))


def joined(rows: Iterable[Json], machines: Iterable[Json]) -> list[Json]:
    """The instances of a Flexible scale set, each with what its virtual machine says of itself.

    Only the scale set's own rows know `latestModelApplied`; only the machines know how they are.
    """
    by_id = {_text(machine, "id").casefold(): machine for machine in machines}
    return [_joined(row, by_id.get(_text(row, "id").casefold(), {})) for row in rows]


def region(name: str) -> str:
    """A region as the API names it; galleries spell it as people do.

    >>> region("West Europe")
    'westeurope'
    """
    return "".join(name.split()).casefold()


def model_patch(image: Image, marks: Marks | None, tags: Mapping[str, str]) -> dict[str, Any]:
    """The body of the PATCH that sets the image of the model and, with it, what it is to remember.

    Whether Azure merges tags or replaces them is not known for sure: all there are are sent, so that either
    comes to the same.
    """
    if marks is None:
        return image_patch(image)
    return {**image_patch(image), "tags": _beside(tags, mark_tags(marks))}


def approval_patch(image: Image, tags: Mapping[str, str]) -> dict[str, Any]:
    """The body of the PATCH that says that a person has approved `image`, and nothing else."""
    return {"tags": _beside(tags, _image_tags(_APPROVED, image))}


def image_patch(image: Image) -> dict[str, Any]:
    """The body of the PATCH that sets the image of the model, and nothing else of it.

    Azure merges: what the new kind of reference leaves out keeps its stored value, so the whole reference is
    sent.
    """
    match image:
        case VhdImage(uri=uri):
            storage: dict[str, Any] = {"osDisk": {"image": {"uri": uri}}}
        case PlatformImage():
            storage = {
                "imageReference": {
                    "publisher": image.publisher,
                    "offer": image.offer,
                    "sku": image.sku,
                    "version": image.version,
                }
            }
        case CommunityGalleryImage(id=id_):
            storage = {"imageReference": {"communityGalleryImageId": id_}}
        case SharedGalleryImage(id=id_):
            storage = {"imageReference": {"sharedGalleryImageId": id_}}
        case GalleryImage(id=id_) | ManagedImage(id=id_):
            storage = {"imageReference": {"id": id_}}
    return {"properties": {"virtualMachineProfile": {"storageProfile": storage}}}


def _joined(row: Json, machine: Json) -> Json:
    # The machine says what it runs and how it is in one breath: of two lists read apart one may lag behind.
    properties = {**_mapping(row, "properties"), **_mapping(machine, "properties")}
    view = _mapping(_mapping(machine, "properties"), "instanceView")
    return {
        **row,
        "zones": machine.get("zones") or row.get("zones"),
        "properties": {**properties, "instanceView": view},
    }


def mark_tags(marks: Marks) -> dict[str, str]:
    """The tags that marks are kept on, but for the approval. What is not known is "", for a tag that is
    left out may stay.

    >>> list(mark_tags(Marks()).values())
    ['', '', '', '', '']
    """
    began = f"{marks.began.at.isoformat(timespec='seconds')} {marks.began.image}" if marks.began else ""
    return {
        **_image_tags(_LAST_GOOD, marks.last_good),
        **_image_tags(_FAILED, marks.failed),
        _BEGAN: began[:_TAG],
    }


def _beside(tags: Mapping[str, str], ours: Mapping[str, str]) -> dict[str, str]:
    """Everybody's tags with ours among them. Azure compares their names without regard to case."""
    return {name: value for name, value in tags.items() if name.casefold() not in ours} | dict(ours)


def _image_tags(tag: str, image: Image | None) -> dict[str, str]:
    text = str(image) if image else ""
    return {tag: text[:_TAG], f"{tag}-2": text[_TAG:]}


def marks(tags: Json) -> Marks:
    """The marks that the tags of a scale set hold; what is no image there counts for nothing."""
    known = {str(name).casefold(): str(value) for name, value in tags.items()}
    last_good, failed, approved = (
        _named(known.get(tag, "") + known.get(f"{tag}-2", "")) for tag in (_LAST_GOOD, _FAILED, _APPROVED)
    )
    return Marks(last_good, failed, _began(known.get(_BEGAN, "")), approved)


def _began(text: str) -> Began | None:
    at, _, image = text.partition(" ")
    moment = _time(at)
    return Began(moment, image) if moment and image else None


def _named(text: str) -> Image | None:
    kind = kind_of(text)
    if kind == "platform":
        return PlatformImage(*text.split(":"))
    return KINDS[kind](text) if kind else None


def _running(storage: Json) -> Image | None:
    """The image of an instance, whose `exactVersion` says more than its `version`."""
    image = _image(storage)
    exact = _text(_mapping(storage, "imageReference"), "exactVersion")
    return at_version(image, exact) if image and exact and follows_latest(image) else image


def _image(storage: Json) -> Image | None:
    """The image that a model or an instance refers to."""
    reference = _mapping(storage, "imageReference")
    if id_ := _text(reference, "communityGalleryImageId"):
        return CommunityGalleryImage(id_)
    if id_ := _text(reference, "sharedGalleryImageId"):
        return SharedGalleryImage(id_)
    if id_ := _text(reference, "id"):
        return GalleryImage(id_) if "/galleries/" in id_.lower() else ManagedImage(id_)
    if _text(reference, "publisher"):
        return PlatformImage(
            publisher=_text(reference, "publisher"),
            offer=_text(reference, "offer"),
            sku=_text(reference, "sku"),
            version=_text(reference, "version"),
        )
    uri = _text(_mapping(_mapping(storage, "osDisk"), "image"), "uri")
    return VhdImage(uri.split("?")[0]) if uri else None  # what follows may be a token


def _carries_health(view: Json) -> bool:
    """Whether "Microsoft.ManagedServices.ApplicationHealthLinux", or Windows', is among those installed."""
    handlers = _mapping(view, "vmAgent").get("extensionHandlers") or ()
    installed = [_text(each, "type").lower() for each in (*(view.get("extensions") or ()), *handlers)]
    publisher, types = _APPLICATION_HEALTH
    return any(each in installed for each in (f"{publisher}.{name}" for name in types))


def _health_source(profile: Json, extensions: Iterable[Json]) -> HealthSource:
    if _has(extensions, _APPLICATION_HEALTH):
        return HealthSource.EXTENSION
    probe = _mapping(_mapping(profile, "networkProfile"), "healthProbe")
    return HealthSource.PROBE if probe else HealthSource.NONE


def _extensions(profile: Json) -> list[Json]:
    listed = _mapping(profile, "extensionProfile").get("extensions") or ()
    return [_mapping(extension, "properties") for extension in listed]


def _has(extensions: Iterable[Json], wanted: tuple[str, tuple[str, ...]]) -> bool:
    publisher, types = wanted
    return any(
        _text(each, "publisher").lower() == publisher and _text(each, "type").lower() in types
        for each in extensions
    )


def _status(statuses: Iterable[Json | None] | None, prefix: str) -> Json:
    """The status of one family. Selected by its code: the order of a list of statuses is not promised."""
    for status in statuses or ():
        if status and _text(status, "code").lower().startswith(prefix.lower()):
            return status
    return {}


def _words(status: Json) -> str:
    """The state in a status code, folded: "running" of "PowerState/running"."""
    parts = _text(status, "code").lower().split("/")
    return parts[1] if len(parts) > 1 else ""


def _error(provisioned: Json) -> str:
    """The error code of "ProvisioningState/failed/VMExtensionProvisioningError", or Azure's message."""
    parts = _text(provisioned, "code").split("/")
    if len(parts) < 2 or parts[1].lower() != "failed":
        return ""
    return parts[2] if len(parts) > 2 else _text(provisioned, "message")


def _time(text: str | None) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text) if text else None
    except ValueError:
        return None
    return moment.replace(tzinfo=UTC) if moment and moment.tzinfo is None else moment


def _mapping(body: Json, key: str) -> Json:
    value = body.get(key)
    return value if isinstance(value, Mapping) else {}


def _text(body: Json, key: str) -> str:
    value = body.get(key)
    return value if isinstance(value, str) else ""
