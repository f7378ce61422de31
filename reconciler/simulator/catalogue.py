"""The images there are, and how instances on them behave.

A scale set names an image in its storage profile in one of five ways: the four fields of a platform image,
the id of a managed image, of a gallery image (definition or version), of a shared or of a community gallery
image, or the address of a VHD. `Catalogue.resolve` turns any of them into an `Image`: what the instance
will say it runs, `latest` and bare definitions resolved to the newest version there is. `name` is how a
fleet file writes it: `publisher:offer:sku:version`, an id, or an address.

To add a kind: a row in `KINDS`, and a branch in `resolve` if it has versions.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from reconciler.simulator.errors import ArmError

Kind = Literal["platform", "gallery", "managed", "shared", "community", "vhd"]
Boots = Literal["well", "unhealthy", "fails", "never"]
Key = tuple[str, str, str]

KINDS: tuple[tuple[Kind, re.Pattern[str]], ...] = (
    ("gallery", re.compile(r"/galleries/[^/]+/images/", re.I)),
    ("shared", re.compile(r"^/sharedGalleries/", re.I)),
    ("community", re.compile(r"^/communityGalleries/", re.I)),
    ("managed", re.compile(r"/providers/Microsoft.Compute/images/", re.I)),
    ("vhd", re.compile(r"^https?://", re.I)),
)
# Where the wire keeps the id of each kind.
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
    """An image as one instance runs it. `reference` is its `imageReference` on the wire, None for a VHD."""

    kind: Kind
    name: str
    exact_version: str | None = None
    reference: Mapping[str, str] | None = None
    uri: str | None = None

    @property
    def follows_latest(self) -> bool:
        """Whether the model asks for whatever is newest, rather than for this version."""
        if self.reference is None or self.kind == "managed":
            return False
        if self.kind == "platform":
            return self.reference.get("version", "").lower() == "latest"
        return VERSION.search(self.reference[ID_FIELDS[self.kind]]) is None


@dataclass(slots=True)
class Catalogue:
    """Mutable: images are published while the simulator runs.

    Names are compared without regard to case, as Azure does.
    """

    location: str = "westeurope"
    platform: dict[Key, list[str]] = field(default_factory=dict)
    spelling: dict[Key, Key] = field(default_factory=dict)
    ids: dict[str, str] = field(default_factory=dict)
    behaviour: dict[str, Boots] = field(default_factory=dict)

    def publish(self, name: str, *, boots: Boots | None = None) -> None:
        """Add an image under the name a fleet file would give it.

        Publishing twice is publishing once; `boots` None leaves what was said of it, "well" at first.
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
        if boots is not None:
            self.behaviour[name.lower()] = boots

    def boots(self, image: Image) -> Boots:
        """How an instance comes up on `image`."""
        return self.behaviour.get(image.name.lower(), "well")

    def resolve(self, storage: Mapping[str, Any]) -> Image:
        """The image a `storageProfile` asks for.

        Raises ArmError, in Azure's words, when there is no such image.
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
            return self._platform_image(reference)
        if kind is None:
            raise ArmError(
                400,
                "InvalidParameter",
                "Required parameter 'imageReference' is missing (null).",
                target="imageReference",
            )
        return self._image_by_id(kind, reference[ID_FIELDS[kind]])

    def versions(self, publisher: str, offer: str, sku: str) -> list[str]:
        return self.platform.get(_key(publisher, offer, sku), [])

    def gallery_versions(self, definition: str) -> list[str]:
        """Ids of the versions of a gallery image definition, oldest first."""
        prefix = definition.lower() + "/versions/"
        found = [name for key, name in self.ids.items() if key.startswith(prefix)]
        return sorted(found, key=lambda name: _order(name.rsplit("/", 1)[1]))

    def _platform_image(self, reference: Mapping[str, str]) -> Image:
        publisher, offer, sku, version = (reference.get(name, "") for name in PLATFORM_FIELDS)
        versions = self.versions(publisher, offer, sku)
        exact = newest(versions) if version.lower() == "latest" else version
        if exact not in versions:
            raise ArmError(
                404,
                "PlatformImageNotFound",
                f"The platform image '{publisher}:{offer}:{sku}:{version}' is not available. Verify that "
                "all fields in the storage profile are correct. For more details about storage profile "
                "information, please refer to https://aka.ms/storageprofile",
                target="imageReference",
            )
        return Image("platform", f"{publisher}:{offer}:{sku}:{exact}", exact, dict(reference))

    def _image_by_id(self, kind: Kind, resource_id: str) -> Image:
        wire = {ID_FIELDS[kind]: resource_id}
        if kind == "managed":
            if resource_id.lower() not in self.ids:
                raise _no_image(
                    "ImageNotFound", f"The Image '{resource_id}' cannot be found in '{self.location}' region."
                )
            return Image(kind, resource_id, None, wire)
        match = VERSION.search(resource_id)
        definition = resource_id[: match.start()] if match else resource_id
        wanted = match.group(1) if match else "latest"
        found = self.gallery_versions(definition)
        if wanted.lower() == "latest" and found:
            exact = found[-1]
        elif (exact := self.ids.get(resource_id.lower(), "")) == "":
            raise _no_image(
                "GalleryImageNotFound",
                f"The gallery image {resource_id} is not available in {self.location} region. Please "
                "contact image owner to replicate to this region, or change your requested region.",
            )
        return Image(kind, exact, exact.rsplit("/", 1)[1], wire)

    def _vhd_image(self, uri: str) -> Image:
        if uri.lower() not in self.ids:
            # Azure's own text for a missing blob was not found; the envelope is the usual one.
            raise ArmError(
                400, "InvalidParameter", f"Unable to find VHD blob with URI {uri}.", target="osDisk.image.uri"
            )
        return Image("vhd", uri, uri=uri)


def kind_of(storage: Mapping[str, Any]) -> Kind | None:
    """The kind of image that a `storageProfile` names; None when it names none."""
    if _vhd(storage) is not None:
        return "vhd"
    reference = storage.get("imageReference") or {}
    for field_name in ("id", "sharedGalleryImageId", "communityGalleryImageId"):
        if reference.get(field_name):
            return kind_of_name(str(reference[field_name]))
    return "platform" if any(reference.get(name) for name in PLATFORM_FIELDS) else None


def kind_of_name(name: str) -> Kind:
    """
    >>> kind_of_name("Canonical:ubuntu-24_04-lts:server:24.04.202601010")
    'platform'
    >>> kind_of_name("https://acct.blob.core.windows.net/vhds/base-1.vhd")
    'vhd'
    """
    return next((kind for kind, pattern in KINDS if pattern.search(name)), "platform")


def storage_of(name: str) -> dict[str, Any]:
    """The `storageProfile` fragment that asks for the image of this name."""
    kind = kind_of_name(name)
    if kind == "vhd":
        return {"osDisk": {"image": {"uri": name}}}
    if kind == "platform":
        return {"imageReference": dict(zip(PLATFORM_FIELDS, name.split(":"), strict=True))}
    return {"imageReference": {ID_FIELDS[kind]: name}}


def newest(versions: Iterable[str]) -> str:
    """The highest version, numbers compared as numbers; "" for none.

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


def _no_image(code: str, message: str) -> ArmError:
    return ArmError(404, code, message, target="imageReference")
