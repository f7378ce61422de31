"""Converts Azure's JSON to our values and back. Pure. Accepts any mapping, whether plain JSON or an SDK
model.

The conversion follows recorded traffic. A field that Azure omits or sends as null becomes "", None or False,
and a decision that needs the value refuses to act. A response that lacks a mandatory field, or that has a
field of the wrong type, raises `MalformedResponse`.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta
from typing import Any

from reconciler.azure.failure import MalformedResponse
from reconciler.azure.fields import (
    Json,
    flag_in,
    identifier_in,
    known_flag_in,
    line_in,
    list_in,
    mapping_in,
    number_in,
    object_from,
    objects_in,
    only_malformed,
    raw_text_in,
    required_in,
    text_in,
    time_in,
)
from reconciler.azure.owner import owner
from reconciler.rollout.observed import HealthSource, Instance, Model, Operation, RollingUpgrade
from reconciler.rollout.tags import persisted_state
from reconciler.rollout.traits import Plan
from reconciler.spec.image import (
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
from reconciler.spec.wording import printable

_SERVICE_FABRIC = ("microsoft.azure.servicefabric", ("servicefabricnode", "servicefabriclinuxnode"))
_APPLICATION_HEALTH = (
    "microsoft.managedservices",
    ("applicationhealthlinux", "applicationhealthwindows"),
)

# Values such as "notBeforeTimeout": "PT15M". Longer numbers are ignored: they would mean years, or overflow.
_ISO_DURATION = re.compile(
    r"PT(?:([0-9]{1,3})H)?(?:([0-9]{1,4})M)?(?:([0-9]{1,6}(?:\.[0-9]{1,9})?)S)?", re.IGNORECASE
)
_SECONDS = re.compile(r"[0-9]{1,6}")
_LONGEST_GRACE = 10**6
# The final statuses of long operations in Azure, by their folded form.
_ENDED = {"succeeded": "Succeeded", "failed": "Failed", "canceled": "Canceled", "cancelled": "Canceled"}
# The upgrade modes, by their folded form.
_MODES = {"manual": "Manual", "automatic": "Automatic", "rolling": "Rolling"}
# This is not a field of Azure. `flexible` adds it to a row.
ATTACHED = "isAttached"


def model(body: Json) -> Model:
    """A scale set, from the response to a GET or from an entry of a list. Raises only MalformedResponse."""
    with only_malformed("a scale set"):
        return _model(body)


def _model(body: Json) -> Model:
    body = object_from(body, "a scale set")
    properties = required_in(body, "properties")
    is_flexible = text_in(properties, "orchestrationMode").casefold() == "flexible"
    profile, policy = mapping_in(properties, "virtualMachineProfile"), mapping_in(properties, "upgradePolicy")
    storage, extensions = mapping_in(profile, "storageProfile"), _extensions(profile)
    tags = {str(name): value for name, value in mapping_in(body, "tags").items() if isinstance(value, str)}
    id_ = identifier_in(body, "id").casefold()
    return Model(
        id=id_,
        location=region(text_in(body, "location")),
        etag=text_in(body, "etag"),
        image=image_of(storage),
        capacity=_capacity(body, is_flexible=is_flexible),
        provisioning=text_in(properties, "provisioningState").lower(),
        # A Flexible scale set has a policy only if somebody set one. Without a policy its upgrades are
        # manual.
        mode=_mode(policy) or ("Manual" if is_flexible and not policy else ""),
        orchestration=text_in(properties, "orchestrationMode"),
        automatic_os_upgrade=flag_in(
            mapping_in(policy, "automaticOSUpgradePolicy"), "enableAutomaticOSUpgrade"
        ),
        service_fabric=_has(extensions, _SERVICE_FABRIC),
        health_source=_health_source(profile, extensions),
        owner=owner(
            id_, tags, [text_in(each, "publisher") for each in extensions], text_in(body, "managedBy")
        ),
        has_profile=bool(profile),
        health_grace=_grace(extensions),
        os_image_notice=_notice(profile, "osImageNotificationProfile"),
        terminate_notice=_notice(profile, "terminateNotificationProfile"),
        is_spot=text_in(profile, "priority").casefold() == "spot",
        eviction_policy=text_in(profile, "evictionPolicy"),
        disk_size=number_in(mapping_in(storage, "osDisk"), "diskSizeGB"),
        security_type=text_in(mapping_in(profile, "securityProfile"), "securityType"),
        plan=plan(mapping_in(body, "plan")),
        tags=tags,
        persisted=persisted_state(tags),
    )


def instance(row: Json) -> Instance:
    """An instance, from an entry of the instance list with its instance view. Raises only MalformedResponse.

    An entry of a Flexible scale set might contain only names. `flexible` completes such entries.
    """
    with only_malformed("an instance"):
        return _instance(row)


def _instance(row: Json) -> Instance:
    row = object_from(row, "an instance")
    id_ = text_in(row, "instanceId") or identifier_in(row, "name")
    properties = required_in(row, "properties")
    view = mapping_in(properties, "instanceView")
    statuses = objects_in(view, "statuses")
    provisioned = _status(statuses, "ProvisioningState/")
    # An instance that is being created has no view yet. The state in its properties is used instead.
    state = _state(provisioned) or text_in(properties, "provisioningState").lower()
    phase, skips_upgrade = _custom_metrics(view)
    health = mapping_in(mapping_in(view, "vmHealth"), "status")
    return Instance(
        id=id_,
        name=text_in(row, "name") or id_,
        image=_running(mapping_in(properties, "storageProfile")),
        latest_model=known_flag_in(properties, "latestModelApplied"),
        provisioning=state if view or state != "succeeded" else "",
        power=_state(_status(statuses, "PowerState/")),
        health=_state(_status([health], "HealthState/")),
        has_health_extension=_carries_health(view),
        since=time_in(provisioned, "time"),
        created=time_in(properties, "timeCreated"),
        error=_error(provisioned),
        protected=flag_in(mapping_in(properties, "protectionPolicy"), "protectFromScaleSetActions"),
        zone=next((printable(each) for each in list_in(row, "zones") if isinstance(each, str)), ""),
        placement_group=text_in(view, "placementGroupId"),
        update_domain=number_in(view, "platformUpdateDomain"),
        fault_domain=number_in(view, "platformFaultDomain"),
        has_own_model=text_in(properties, "modelDefinitionApplied").casefold() == "virtualmachine",
        is_attached=flag_in(row, ATTACHED),
        generation=text_in(view, "hyperVGeneration"),
        upgrade_phase=phase,
        skips_upgrade=skips_upgrade,
        health_since=time_in(health, "time"),
    )


def rolling_upgrade(body: Json) -> RollingUpgrade:
    """Azure's own rolling upgrade, from the response to "rollingUpgrades/latest"."""
    return RollingUpgrade(text_in(mapping_in(mapping_in(body, "properties"), "runningStatus"), "code"))


def operation(body: Json) -> Operation:
    """The status of a long-running operation. A response with status 200 can report a failed operation."""
    error, status = mapping_in(body, "error"), text_in(body, "status")
    if not status:
        return Operation("")
    ended = _ENDED.get(status.casefold())
    if ended is None:
        return Operation("InProgress")  # "Running", "Accepted", "Updating": any status that is not final
    if ended == "Succeeded":
        return Operation(ended)
    message = ": ".join(text for text in (line_in(error, "code"), line_in(error, "message")) if text)
    return Operation(ended, message or f"{ended}, without a code or a message")


def region(name: str) -> str:
    """The API name of a region. Galleries use display names instead.

    >>> region("West Europe")
    'westeurope'
    """
    return printable("".join(name.split()).casefold())


def model_patch(image: Image, tags: Mapping[str, str] | None) -> dict[str, Any]:
    """The body of the PATCH that sets the image of the model, and replaces all tags unless `tags` is None."""
    return image_patch(image) if tags is None else {**image_patch(image), "tags": dict(tags)}


def image_patch(image: Image) -> dict[str, Any]:
    """The body of the PATCH that sets only the image of the model.

    The body contains the whole image reference. Azure merges a PATCH, so it would keep the stored value of
    any field that the reference omits.
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


def _mode(policy: Json) -> str:
    """The upgrade mode in Azure's own spelling. Azure may return the spelling that a client sent."""
    mode = text_in(policy, "mode")
    return _MODES.get(mode.casefold(), mode)


def _running(storage: Json) -> Image | None:
    """The image that an instance runs.

    If the image reference names latest, `exactVersion` contains the running version.
    """
    image = image_of(storage)
    exact = text_in(mapping_in(storage, "imageReference"), "exactVersion")
    return at_version(image, exact) if image and exact and follows_latest(image) else image


def image_of(storage: Json) -> Image | None:
    """The image that a model or an instance refers to."""
    reference = mapping_in(storage, "imageReference")
    if id_ := text_in(reference, "communityGalleryImageId"):
        return CommunityGalleryImage(id_)
    if id_ := text_in(reference, "sharedGalleryImageId"):
        return SharedGalleryImage(id_)
    if id_ := text_in(reference, "id"):
        return GalleryImage(id_) if "/galleries/" in id_.lower() else ManagedImage(id_)
    if text_in(reference, "publisher"):
        return PlatformImage(
            publisher=text_in(reference, "publisher"),
            offer=text_in(reference, "offer"),
            sku=text_in(reference, "sku"),
            version=text_in(reference, "version"),
        )
    uri = text_in(mapping_in(mapping_in(storage, "osDisk"), "image"), "uri")
    return VhdImage(uri.split("?")[0]) if uri else None  # the query might contain a token


def plan(body: Json) -> Plan | None:
    """The purchase plan of a Marketplace image, from a scale set or a catalogue, or None if there is none."""
    found = Plan(text_in(body, "publisher"), text_in(body, "product"), text_in(body, "name"))
    return found if any((found.publisher, found.product, found.name)) else None


def _carries_health(view: Json) -> bool:
    """Whether the Application Health extension, for Linux or for Windows, is installed."""
    handlers = objects_in(mapping_in(view, "vmAgent"), "extensionHandlers")
    installed = [text_in(each, "type").lower() for each in (*objects_in(view, "extensions"), *handlers)]
    publisher, types = _APPLICATION_HEALTH
    return any(each in installed for each in (f"{publisher}.{name}" for name in types))


def _custom_metrics(view: Json) -> tuple[int | None, bool]:
    """The upgrade phase that an application reports, and whether it asks Azure to skip its instance.

    An application reports the phase and the request through version 2.0 of Application Health, as JSON in the
    text of a message. Any other message is ignored.
    """
    reports = [
        each for extension in objects_in(view, "extensions") for each in objects_in(extension, "substatuses")
    ]
    message = raw_text_in(_status(reports, "ComponentStatus/CustomMetrics"), "message")
    try:
        metrics = json.loads(message or "{}")
    except (ValueError, RecursionError):
        return None, False
    upgrade = metrics.get("rollingUpgrade") if isinstance(metrics, dict) else None
    if not isinstance(upgrade, dict):
        return None, False
    phase = upgrade.get("PhaseOrderingNumber")
    return phase if type(phase) is int else None, upgrade.get("SkipUpgrade") is True


def _health_source(profile: Json, extensions: Iterable[Json]) -> HealthSource:
    if _has(extensions, _APPLICATION_HEALTH):
        return HealthSource.EXTENSION
    probe = mapping_in(mapping_in(profile, "networkProfile"), "healthProbe")
    return HealthSource.PROBE if probe else HealthSource.NONE


def _grace(extensions: Iterable[Json]) -> timedelta:
    """The "gracePeriod" that Application Health gives a new instance. Azure reports it in seconds."""
    settings = next((each.get("settings") for each in extensions if _is(each, *_APPLICATION_HEALTH)), None)
    # The user writes the settings, as JSON of any shape.
    seconds = settings.get("gracePeriod") if isinstance(settings, Mapping) else None
    if isinstance(seconds, str) and _SECONDS.fullmatch(seconds):
        seconds = int(seconds)
    if not isinstance(seconds, int) or isinstance(seconds, bool) or not 0 <= seconds < _LONGEST_GRACE:
        return timedelta()
    return timedelta(seconds=seconds)


def _notice(profile: Json, name: str) -> timedelta:
    """How long in advance Azure notifies an instance that it will be taken out of service.

    The setting is in the "scheduledEventsProfile".
    """
    notice = mapping_in(mapping_in(profile, "scheduledEventsProfile"), name)
    if not flag_in(notice, "enable"):
        return timedelta()
    return iso_duration(text_in(notice, "notBeforeTimeout"))


def iso_duration(text: str) -> timedelta:
    """The length of an ISO 8601 duration such as "PT1H30M". Zero for any other text.

    >>> print(iso_duration("PT1H30M"), iso_duration("soon"))
    1:30:00 0:00:00
    """
    match = _ISO_DURATION.fullmatch(text)
    hours, minutes, seconds = match.groups() if match else (None, None, None)
    return timedelta(hours=int(hours or 0), minutes=int(minutes or 0), seconds=float(seconds or 0))


def health_extensions(profile: Json) -> Iterator[Json]:
    """The properties of each Application Health extension in a profile."""
    return (each for each in _extensions(profile) if _is(each, *_APPLICATION_HEALTH))


def _extensions(profile: Json) -> list[Json]:
    listed = objects_in(mapping_in(profile, "extensionProfile"), "extensions")
    return [mapping_in(extension, "properties") for extension in listed]


def _has(extensions: Iterable[Json], wanted: tuple[str, tuple[str, ...]]) -> bool:
    return any(_is(each, *wanted) for each in extensions)


def _is(extension: Json, publisher: str, types: tuple[str, ...]) -> bool:
    return (
        text_in(extension, "publisher").lower() == publisher and text_in(extension, "type").lower() in types
    )


def _status(statuses: Iterable[Json], prefix: str) -> Json:
    """The first status whose code begins with `prefix`, or {} if there is none.

    Azure does not guarantee the order of the statuses.
    """
    for status in statuses:
        if text_in(status, "code").lower().startswith(prefix.lower()):
            return status
    return {}


def _state(status: Json) -> str:
    """The state in a status code, in lower case: "running" for "PowerState/running"."""
    parts = text_in(status, "code").lower().split("/")
    return parts[1] if len(parts) > 1 else ""


def _error(provisioned: Json) -> str:
    """Why provisioning failed, or "" if it did not: an error code, or Azure's message if there is no code.

    The code is the last part of "ProvisioningState/failed/VMExtensionProvisioningError".
    """
    parts = text_in(provisioned, "code").split("/")
    if len(parts) < 2 or parts[1].lower() != "failed":
        return ""
    return parts[2] if len(parts) > 2 else line_in(provisioned, "message")


def _capacity(body: Json, *, is_flexible: bool) -> int:
    """The capacity. A Flexible scale set without a SKU, or whose SKU has no capacity, has capacity 0."""
    capacity = number_in(mapping_in(body, "sku"), "capacity")
    if capacity is None and not is_flexible:
        raise MalformedResponse("Azure sent a scale set without its sku.capacity")
    return capacity or 0
