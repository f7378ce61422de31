"""The image catalogues: whether an image exists, in which regions, and which version is the newest.

Azure has one catalogue for each kind of image. Azure sorts versions as text, with "9" after "10". This module
sorts them as numbers. To add a kind of image, add a function and a row in `_CATALOGUES`.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

from azure.core.exceptions import ResourceNotFoundError
from azure.mgmt.compute import ComputeManagementClient
from azure.mgmt.core.tools import parse_resource_id

from reconciler.azure.arm import plan, region
from reconciler.azure.budget import OperationClass, Priority
from reconciler.azure.failure import AzureFailure
from reconciler.azure.fields import (
    Json,
    mapping_in,
    number_in,
    object_from,
    objects_in,
    only_malformed,
    text_in,
)
from reconciler.azure.session import Session
from reconciler.rollout.observed import Availability, Model, Verdict
from reconciler.rollout.traits import Traits
from reconciler.spec.image import (
    CommunityGalleryImage,
    GalleryImage,
    Image,
    ManagedImage,
    PlatformImage,
    SharedGalleryImage,
    at_version,
    follows_latest,
    order,
    version,
)
from reconciler.spec.wording import one_line

Check = Callable[[Image], Availability]


def availability(session: Session, image: Image, model: Model, priority: Priority) -> Availability:
    """Whether instances of `model` can be created from `image`. Never raises.

    If the catalogue cannot be read, `latest` is reported as unreadable, and an exact version as unchecked. An
    unchecked version can still be rolled out, because Azure checks it too.
    """
    try:
        return look_up(session, image, model, priority)
    except AzureFailure as failure:
        return unread(image, failure)


def look_up(session: Session, image: Image, model: Model, priority: Priority) -> Availability:
    """Like `availability`, but raises AzureFailure if the catalogue cannot be read."""
    find = _CATALOGUES.get(type(image))
    if find is None:
        return Availability(image, Verdict.UNCHECKED)
    # A gallery or a managed image can be in a different subscription than the scale set.
    home = str(image) if isinstance(image, GalleryImage | ManagedImage) else model.id
    with session.call(OperationClass.IMAGES, home, priority) as call:
        try:
            with only_malformed("an image"):
                return find(call.client, image, model.location)
        except ResourceNotFoundError as error:
            return _missing(image, model.location, error)


def unread(image: Image, failure: AzureFailure) -> Availability:
    """The availability of an image whose catalogue cannot be read."""
    verdict = Verdict.UNREADABLE if follows_latest(image) else Verdict.UNCHECKED
    return Availability(image, verdict, str(failure))


def _platform(client: ComputeManagementClient, image: PlatformImage, location: str) -> Availability:
    images = client.virtual_machine_images

    def check(exact: Image) -> Availability:
        found = images.get(location, image.publisher, image.offer, image.sku, version(exact))
        properties = found["properties"]
        available = _deprecation(exact, properties.get("imageDeprecationStatus") or {})
        return replace(available, traits=_platform_traits(properties))

    if not follows_latest(image):
        return check(image)
    return _newest(image, images.list(location, image.publisher, image.offer, image.sku), check)


def _gallery(client: ComputeManagementClient, image: GalleryImage, location: str) -> Availability:
    parts = parse_resource_id(image.id)
    home = (str(parts["resource_group"]), str(parts["name"]), str(parts["child_name_1"]))

    def check(exact: Image) -> Availability:
        found = client.gallery_image_versions.get(*home, version(exact), expand="ReplicationStatus")
        replicated = _replication(exact, found["properties"], location)
        return replace(replicated, traits=_disk_traits(found["properties"]))

    if not follows_latest(image):
        return check(image)
    offered = client.gallery_image_versions.list_by_gallery_image(*home)
    return _newest(image, (each for each in offered if _is_offered(each["properties"], location)), check)


def _community(client: ComputeManagementClient, image: CommunityGalleryImage, location: str) -> Availability:
    return _public(client.community_gallery_image_versions, image, location)


def _shared_gallery(
    client: ComputeManagementClient, image: SharedGalleryImage, location: str
) -> Availability:
    return _public(client.shared_gallery_image_versions, image, location)


def _public(versions: Any, image: CommunityGalleryImage | SharedGalleryImage, location: str) -> Availability:
    """The availability of an image in a community gallery or a shared gallery.

    In each region, such galleries show only the versions that are replicated there.
    """
    _, _, gallery, _, name, *_ = image.id.split("/")

    def check(exact: Image) -> Availability:
        versions.get(location, gallery, name, version(exact))
        return Availability(exact, Verdict.AVAILABLE)

    if not follows_latest(image):
        return check(image)
    return _newest(image, versions.list(location, gallery, name), check)


def _managed_image(client: ComputeManagementClient, image: ManagedImage, location: str) -> Availability:
    parts = parse_resource_id(image.id)
    found = client.images.get(str(parts["resource_group"]), str(parts["name"]))
    home = region(found["location"])
    if home != location:
        return Availability(image, Verdict.NOT_REPLICATED, f"it is only in {home}")
    properties = found["properties"]
    disk = mapping_in(mapping_in(properties, "storageProfile"), "osDisk")
    traits = Traits(text_in(properties, "hyperVGeneration"), disk_size=number_in(disk, "diskSizeGB"))
    return Availability(image, Verdict.AVAILABLE, traits=traits)


def definition_traits(session: Session, image: Image, model: Model, priority: Priority) -> Traits:
    """The traits in the definition of a gallery image. Never raises.

    The traits of any other image are empty, and so are those in a definition that cannot be read. Missing
    traits do no harm, because Azure checks the image too.
    """
    if not isinstance(image, GalleryImage | CommunityGalleryImage | SharedGalleryImage):
        return Traits()
    home = str(image) if isinstance(image, GalleryImage) else model.id
    try:
        with (
            session.call(OperationClass.IMAGES, home, priority) as call,
            only_malformed("an image definition"),
        ):
            return _definition_traits(_definition(call.client, image, model.location))
    except AzureFailure:
        return Traits()


def _definition_traits(definition: Json) -> Traits:
    found = mapping_in(object_from(definition, "an image definition"), "properties")
    return Traits(
        generation=text_in(found, "hyperVGeneration"),
        architecture=text_in(found, "architecture"),
        security_type=_security_type(found),
        plan=plan(mapping_in(found, "purchasePlan")),
    )


def _definition(
    client: ComputeManagementClient,
    image: GalleryImage | CommunityGalleryImage | SharedGalleryImage,
    location: str,
) -> Json:
    if isinstance(image, GalleryImage):
        parts = parse_resource_id(image.id)
        named = (str(parts["resource_group"]), str(parts["name"]), str(parts["child_name_1"]))
        return client.gallery_images.get(*named)
    _, _, gallery, _, name, *_ = image.id.split("/")
    if isinstance(image, CommunityGalleryImage):
        return client.community_gallery_images.get(location, gallery, name)
    return client.shared_gallery_images.get(location, gallery, name)


def _platform_traits(properties: Json) -> Traits:
    return Traits(
        generation=text_in(properties, "hyperVGeneration"),
        architecture=text_in(properties, "architecture"),
        disk_size=_disk_size(mapping_in(properties, "osDiskImage")),
        security_type=_security_type(properties),
        plan=plan(mapping_in(properties, "plan")),
    )


def _disk_size(disk: Json) -> int | None:
    """The disk size in GB, rounded up as Azure does. Newer responses contain only the size in bytes."""
    size = number_in(disk, "sizeInBytes")
    return number_in(disk, "sizeInGb") if size is None else math.ceil(size / 2**30)


def _disk_traits(properties: Json) -> Traits:
    """The traits that a gallery image version states. The definition of the image states the others."""
    disk = mapping_in(mapping_in(properties, "storageProfile"), "osDiskImage")
    return Traits(disk_size=number_in(disk, "sizeInGB"))


def _security_type(properties: Json) -> str:
    features = objects_in(properties, "features")
    return next((text_in(each, "value") for each in features if text_in(each, "name") == "SecurityType"), "")


_CATALOGUES: Mapping[type[Image], Callable[[ComputeManagementClient, Any, str], Availability]] = {
    PlatformImage: _platform,
    GalleryImage: _gallery,
    CommunityGalleryImage: _community,
    SharedGalleryImage: _shared_gallery,
    ManagedImage: _managed_image,
}


def _newest(image: Image, rows: Iterable[Json], check: Check) -> Availability:
    """The newest version that instances can be created from and that is not excluded from latest."""
    offered = list(rows)
    if not offered:
        return Availability(image, Verdict.NOT_FOUND, "it has no versions there")
    names = [str(row["name"]) for row in offered if not _is_excluded(row)]
    for name in sorted(filter(order, names), key=order, reverse=True):
        try:
            found = check(at_version(image, name))
        except ResourceNotFoundError:
            continue
        if found.verdict is Verdict.AVAILABLE:
            return found
    return Availability(image, Verdict.NO_LATEST)


def _missing(image: Image, location: str, error: ResourceNotFoundError) -> Availability:
    """The availability that a 404 indicates. Azure also returns a 404 for a deprecated platform version."""
    code, message = (error.error.code, error.error.message) if error.error else ("", "")
    if code == "SubscriptionNotFound":  # perhaps of another tenant, which only Azure can read
        raise error
    if code == "ImageVersionDeprecated":
        return Availability(image, Verdict.DEPRECATED, _quote(message))
    return Availability(image, Verdict.NOT_FOUND, _quote(message) if message else location)


def _quote(message: object) -> str:
    return f'Azure: "{one_line(str(message)).removesuffix(".")}"'


def _is_excluded(row: Json) -> bool:
    properties = row.get("properties") or {}
    publishing = properties.get("publishingProfile") or properties
    # A version that is "Updating" is being copied to other regions, and is complete where it exists.
    is_half_made = properties.get("provisioningState") in {"Creating", "Failed", "Deleting"}
    return bool(publishing.get("excludeFromLatest")) or is_half_made


def _deprecation(image: Image, deprecation: Json) -> Availability:
    """The availability of a platform image, according to its "imageDeprecationStatus"."""
    match str(deprecation.get("imageState", "")):
        case "Deprecated":
            alternative = (deprecation.get("alternativeOption") or {}).get("value")
            hint = f"use {one_line(str(alternative))}" if alternative else ""
            return Availability(image, Verdict.DEPRECATED, hint)
        case "ScheduledForDeprecation":
            when = one_line(str(deprecation.get("scheduledDeprecationTime") or ""))[:10]
            return Availability(
                image, Verdict.AVAILABLE, f"scheduled for deprecation{f' on {when}' if when else ''}"
            )
        case _:
            return Availability(image, Verdict.AVAILABLE)


def _replication(image: Image, properties: Json, location: str) -> Availability:
    """The availability of a gallery image, according to its "targetRegions" and "replicationStatus"."""
    regions = _regions(properties)
    if location not in regions:
        return Availability(
            image, Verdict.NOT_REPLICATED, f"it is only in {', '.join(sorted(regions)) or 'no region'}"
        )
    summary = (properties.get("replicationStatus") or {}).get("summary") or ()
    for each in summary:
        state = each.get("state")
        if region(str(each.get("region", ""))) != location or state == "Completed":
            continue
        verdict = Verdict.NOT_REPLICATED if state == "Failed" else Verdict.REPLICATING
        details = each.get("details") or f"{each.get('progress') or 0}%"
        return Availability(image, verdict, one_line(f"Azure reports {state}, {details}"))
    return Availability(image, Verdict.AVAILABLE)


def _is_offered(properties: Json, location: str) -> bool:
    """Whether `latest` can resolve to this version in this region.

    A version can be excluded from `latest` in individual regions.
    """
    return any(
        region(str(each["name"])) == location and not each.get("excludeFromLatest")
        for each in (properties.get("publishingProfile") or {}).get("targetRegions") or ()
    )


def _regions(properties: Json) -> set[str]:
    targets = (properties.get("publishingProfile") or {}).get("targetRegions") or ()
    return {region(str(each["name"])) for each in targets}
