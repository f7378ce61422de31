"""The catalogue of images: which images exist, in which regions, and how instances boot on them.

The storage profile of a scale set names an image in one of five ways: by the four fields of a platform image,
by the id of a managed image, by the id of a gallery image (definition or version), by the id of a shared or
community gallery image, or by the address of a VHD. `Catalogue.find` resolves each of these to an `Image`.
`latest` and bare definitions resolve to the newest version in the region. `Catalogue.admit` then decides
whether new instances may use the image. `Image.name` is the name that a fleet file uses:
`publisher:offer:sku:version`, an id, or an address.

To add a kind of image, add a row to `KINDS`, and a branch to `find` if the kind has versions.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Literal

from reconciler.simulator.clock import Clock
from reconciler.simulator.errors import ArmError
from reconciler.simulator.generations import Generation, generation_of, system_of
from reconciler.simulator.regions import region

Kind = Literal["platform", "gallery", "managed", "shared", "community", "vhd", "none"]
Boots = Literal["well", "unhealthy", "silent", "fails", "never", "extensionFails"]
Architecture = Literal["x64", "Arm64"]
# The image's feature SecurityType. An image that is Standard has no such feature.
SecurityType = Literal["Standard", "TrustedLaunch", "TrustedLaunchSupported"]
Deprecation = Literal["Active", "ScheduledForDeprecation", "Deprecated"]
Key = tuple[str, str, str]

KINDS: tuple[tuple[Kind, re.Pattern[str]], ...] = (
    ("gallery", re.compile(r"/galleries/[^/]+/images/", re.I)),
    ("shared", re.compile(r"^/sharedGalleries/", re.I)),
    ("community", re.compile(r"^/communityGalleries/", re.I)),
    ("managed", re.compile(r"/providers/Microsoft.Compute/images/", re.I)),
    ("vhd", re.compile(r"^https?://", re.I)),
)
# For each kind of image, the field of an image reference that contains the id.
ID_FIELDS: Mapping[Kind, str] = {
    "gallery": "id",
    "managed": "id",
    "shared": "sharedGalleryImageId",
    "community": "communityGalleryImageId",
}
PLATFORM_FIELDS = ("publisher", "offer", "sku", "version")
VERSION = re.compile(r"/versions/([^/]+)$", re.I)


@dataclass(frozen=True, slots=True)
class Image:
    """An image that an instance runs.

    `reference` is the `imageReference` in JSON, or None for a VHD and for `NO_IMAGE`.
    """

    kind: Kind
    name: str
    exact_version: str | None = None
    reference: Mapping[str, str] | None = None
    uri: str | None = None

    @property
    def follows_latest(self) -> bool:
        """Whether the reference asks for the newest version instead of an exact one."""
        if self.reference is None or self.kind == "managed":
            return False
        if self.kind == "platform":
            return self.reference.get("version", "").lower() == "latest"
        return _parts(self.reference[ID_FIELDS[self.kind]])[1] == "latest"


# The image of a machine whose disk was attached, and of a scale set without a profile.
NO_IMAGE = Image("none", "")


@dataclass(frozen=True, slots=True)
class Details:
    """The properties of one image. `regions` is None if the image is available in all regions."""

    published: datetime
    boots: Boots = "well"
    regions: tuple[str, ...] | None = None
    deprecation: Deprecation = "Active"
    exclude_from_latest: bool = False
    replicating: tuple[str, ...] = ()
    generation: Generation = "V2"
    architecture: Architecture = "x64"
    disk_size_gb: int = 30
    security_type: SecurityType = "TrustedLaunchSupported"
    plan: Mapping[str, str] | None = None
    is_withdrawn: bool = False

    @property
    def features(self) -> list[dict[str, str]]:
        """The image features, as the API lists them."""
        return (
            []
            if self.security_type == "Standard"
            else [{"name": "SecurityType", "value": self.security_type}]
        )

    def is_in(self, location: str) -> bool:
        """Whether the image is available in the region.

        An image that is still being replicated to the region is not available there.
        """
        return (self.regions is None or location in self.regions) and location not in self.replicating


@dataclass(slots=True)
class Catalogue:
    """The published images. Images can be published while the simulator runs.

    Names are case-insensitive, as in Azure.
    """

    clock: Clock
    location: str = "westeurope"
    platform: dict[Key, list[str]] = field(default_factory=dict)
    spelling: dict[Key, Key] = field(default_factory=dict)
    ids: dict[str, str] = field(default_factory=dict)
    details_by_name: dict[str, Details] = field(default_factory=dict)

    def publish(
        self,
        name: str,
        *,
        boots: Boots | None = None,
        regions: Iterable[str] | None = None,
        deprecation: Deprecation | None = None,
        exclude_from_latest: bool | None = None,
        replicating: Iterable[str] | None = None,
        **others: Any,
    ) -> None:
        """Add an image, or update the properties of an existing image.

        `name` is written as in a fleet file. An argument of None leaves the property unchanged. By default, a
        new image is active, is available in all regions, and boots well. The other properties of a new image
        are derived from the name. `others` sets further fields of `Details`.
        """
        if kind_of_name(name) == "platform":
            publisher, offer, sku, version = name.split(":")
            key = _key(publisher, offer, sku)
            self.spelling.setdefault(key, (publisher, offer, sku))
            versions = self.platform.setdefault(key, [])
            if version not in versions:
                versions.append(version)
        else:
            self.ids.setdefault(name.lower(), name)
        given: dict[str, Any] = {
            "boots": boots,
            "regions": None if regions is None else tuple(map(region, regions)),
            "deprecation": deprecation,
            "exclude_from_latest": exclude_from_latest,
            "replicating": None if replicating is None else tuple(map(region, replicating)),
            "is_withdrawn": False,
            **others,
        }
        before = self.details_by_name.get(name.lower()) or _default_details(name, self.clock.now())
        self.details_by_name[name.lower()] = replace(
            before, **{part: value for part, value in given.items() if value is not None}
        )

    def withdraw(self, name: str) -> None:
        """Delete an image. Instances that run it keep running. No other instance can use it."""
        self.details_by_name[name.lower()] = replace(self.details(name), is_withdrawn=True)
        self.ids.pop(name.lower(), None)
        publisher, offer, sku, version = name.split(":") if kind_of_name(name) == "platform" else [""] * 4
        versions = self.platform.get(_key(publisher, offer, sku), [])
        if version in versions:
            versions.remove(version)

    def has(self, name: str) -> bool:
        """Whether an image with this name exists in any region."""
        found = self.details_by_name.get(name.lower())
        return found is not None and not found.is_withdrawn

    def details(self, name: str) -> Details:
        return self.details_by_name[name.lower()]

    def boots(self, image: Image) -> Boots:
        """Return how an instance boots on `image`."""
        return "well" if image.kind == "none" else self.details_by_name[image.name.lower()].boots

    def find(self, storage: Mapping[str, Any], location: str) -> Image:
        """Return the image that a `storageProfile` asks for in a region.

        Raises Azure's error if the image does not exist. Does not check whether an explicit version is
        available in the region: `admit` does that.
        """
        uri = _vhd(storage)
        if uri is not None:
            return self._vhd_image(uri)
        reference = {
            key: value for key, value in (storage.get("imageReference") or {}).items() if value is not None
        }
        reference.pop("exactVersion", None)
        kind = kind_of(storage)
        if kind == "platform":
            return self._platform_image(reference, location)
        if kind is None:
            raise ArmError(
                400,
                "InvalidParameter",
                "Required parameter 'imageReference' is missing (null).",
                target="imageReference",
            )
        return self._image_by_id(kind, reference[ID_FIELDS[kind]], location)

    def admit(self, image: Image, location: str) -> None:
        """Raise Azure's error if new instances in the region cannot use the image.

        Instances that already run the image are not affected.
        """
        details = self.details(image.name)
        if not details.is_in(region(location)):
            raise _not_available(image, location)
        if details.deprecation == "Deprecated":
            raise _no_image("ImageVersionDeprecated", f"The platform image '{image.name}' is deprecated.")

    def with_version(self, image: Image, version: str, location: str) -> Image:
        """Return `image` at another exact version, with the same reference."""
        if image.reference is None or image.exact_version is None:
            return image
        separator = ":" if image.kind == "platform" else "/"
        name = f"{image.name.rpartition(separator)[0]}{separator}{version}"
        exact = replace(image, name=name, exact_version=version)
        if not self.has(name):
            raise _not_available(exact, location)
        self.admit(exact, location)
        return exact

    def versions(self, publisher: str, offer: str, sku: str, location: str) -> list[str]:
        """Return the versions that are available in the region, except deprecated ones."""
        name = f"{publisher}:{offer}:{sku}".lower()
        return [
            version
            for version in self.platform.get(_key(publisher, offer, sku), [])
            if _is_offered(self.details_by_name[f"{name}:{version.lower()}"], region(location))
        ]

    def gallery_versions(self, definition: str) -> list[str]:
        """Return the ids of all versions of a gallery image definition, lowest version first."""
        prefix = definition.lower() + "/versions/"
        found = [name for key, name in self.ids.items() if key.startswith(prefix)]
        return sorted(found, key=lambda name: _order(name.rsplit("/", 1)[1]))

    def _platform_image(self, reference: Mapping[str, str], location: str) -> Image:
        publisher, offer, sku, version = (reference.get(name, "") for name in PLATFORM_FIELDS)
        offered = self.versions(publisher, offer, sku, location)
        exact = newest(offered) if version.lower() == "latest" else version
        name = f"{publisher}:{offer}:{sku}:{exact}"
        if not self.has(name):
            raise _no_platform_image(f"{publisher}:{offer}:{sku}:{version}")
        return Image("platform", name, exact, dict(reference))

    def _image_by_id(self, kind: Kind, resource_id: str, location: str) -> Image:
        wire = {ID_FIELDS[kind]: resource_id}
        if kind == "managed":
            found = Image(kind, resource_id, None, wire)
            if resource_id.lower() not in self.ids:
                raise _not_available(found, location)
            return found
        definition, wanted = _parts(resource_id)
        name = f"{definition}/versions/{wanted}"
        if wanted == "latest":
            offered = [
                name
                for name in self.gallery_versions(definition)
                if _is_offered(self.details(name), region(location))
            ]
            name = offered[-1] if offered else resource_id
        exact = self.ids.get(name.lower())
        if exact is None:
            raise _not_available(Image(kind, resource_id), location)
        return Image(kind, exact, exact.rsplit("/", 1)[1], wire)

    def _vhd_image(self, uri: str) -> Image:
        if uri.lower() not in self.ids:
            # Azure's own text for a missing blob was not found; the envelope is the usual one.
            raise ArmError(
                400, "InvalidParameter", f"Unable to find VHD blob with URI {uri}.", target="osDisk.image.uri"
            )
        return Image("vhd", uri, uri=uri)


def _default_details(name: str, now: datetime) -> Details:
    generation = generation_of(name)
    return Details(
        now,
        generation=generation,
        security_type="Standard" if generation == "V1" else "TrustedLaunchSupported",
        disk_size_gb=127 if system_of(name) == "Windows" else 30,
    )


def kind_of(storage: Mapping[str, Any]) -> Kind | None:
    """Return the kind of image that a `storageProfile` names, or None if it names no image."""
    if _vhd(storage) is not None:
        return "vhd"
    reference = storage.get("imageReference") or {}
    for field_name in ("id", "sharedGalleryImageId", "communityGalleryImageId"):
        if reference.get(field_name):
            return kind_of_name(str(reference[field_name]))
    return "platform" if any(reference.get(name) for name in PLATFORM_FIELDS) else None


def kind_of_name(name: str) -> Kind:
    """Return the kind of the image with this name.

    >>> kind_of_name("Canonical:ubuntu-24_04-lts:server:24.04.202601010")
    'platform'
    >>> kind_of_name("https://acct.blob.core.windows.net/vhds/base-1.vhd")
    'vhd'
    """
    return next((kind for kind, pattern in KINDS if pattern.search(name)), "platform")


def storage_of(name: str) -> dict[str, Any]:
    """Return the `storageProfile` fragment that asks for the image with this name."""
    kind = kind_of_name(name)
    if kind == "vhd":
        return {"osDisk": {"image": {"uri": name}}}
    if kind == "platform":
        return {"imageReference": dict(zip(PLATFORM_FIELDS, name.split(":"), strict=True))}
    return {"imageReference": {ID_FIELDS[kind]: name}}


def newest(versions: Iterable[str]) -> str:
    """Return the highest version, or "" if there are no versions. Numeric parts are compared as numbers.

    >>> newest(["24.04.9", "24.04.10"])
    '24.04.10'
    """
    return max(versions, key=_order, default="")


def _order(version: str) -> tuple[tuple[int, str], ...]:
    return tuple((int(part), "") if part.isdigit() else (-1, part) for part in version.split("."))


def _vhd(storage: Mapping[str, Any]) -> str | None:
    image = (storage.get("osDisk") or {}).get("image") or {}
    return image.get("uri")


def _key(publisher: str, offer: str, sku: str) -> Key:
    return (publisher.lower(), offer.lower(), sku.lower())


def _parts(resource_id: str) -> tuple[str, str]:
    """Split a gallery image id into definition and version. A bare definition gets the version `latest`."""
    match = VERSION.search(resource_id)
    if match is None:
        return resource_id, "latest"
    wanted = match.group(1)
    return resource_id[: match.start()], "latest" if wanted.lower() == "latest" else wanted


def _is_offered(details: Details, location: str) -> bool:
    """Whether `latest` can resolve to the image in the region."""
    return details.is_in(location) and details.deprecation != "Deprecated" and not details.exclude_from_latest


def _not_available(image: Image, location: str) -> ArmError:
    """Return the error for an image that is not available in the region.

    The quotes around the message about a gallery image are Azure's own.
    """
    if image.kind == "platform":
        return _no_platform_image(image.name)
    if image.kind == "managed":
        message = f"The Image '{image.name}' cannot be found in '{location}' region."
        return _no_image("ImageNotFound", message)
    return _no_image(
        "GalleryImageNotFound",
        f'"The gallery image {image.name} is not available in {region(location)} region. Please contact '
        'image owner to replicate to this region, or change your requested region."',
    )


def _no_platform_image(name: str) -> ArmError:
    return _no_image(
        "PlatformImageNotFound",
        f"The platform image '{name}' is not available. Verify that all fields in the storage profile are "
        "correct. For more details about storage profile information, please refer to "
        "https://aka.ms/storageprofile",
    )


def _no_image(code: str, message: str) -> ArmError:
    return ArmError(404, code, message, target="imageReference")
