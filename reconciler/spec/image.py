"""The images a scale set can run, as closed kinds.

Every kind knows how Azure tells two of its images apart: names and resource ids without regard to case.
A scale set can never change kind ("The Image type for a Virtual Machine Scale Set may not be changed"),
so `kind` is what the refusal compares. To add a kind: a class here, its place in `Image` and `KINDS`, the
schema, an example spec, both directions in `reconciler.azure.arm`, and its catalogue in
`reconciler.azure.catalogue`.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class PlatformImage:
    """A Marketplace image; `version` is "24.04.202601010" or the like, or "latest"."""

    kind: ClassVar[str] = "platform"
    publisher: str
    offer: str
    sku: str
    version: str

    def __str__(self) -> str:
        """Azure's own URN: publisher:offer:sku:version."""
        return f"{self.publisher}:{self.offer}:{self.sku}:{self.version}"


@dataclass(frozen=True, slots=True)
class _ById:
    id: str

    def __str__(self) -> str:
        return self.id


class GalleryImage(_ById):
    """A version in an Azure Compute Gallery: ".../galleries/G/images/I/versions/V"; V may be latest."""

    kind: ClassVar[str] = "gallery"
    __slots__ = ()


class CommunityGalleryImage(_ById):
    """A version in a community gallery: "/CommunityGalleries/G/Images/I/Versions/V"."""

    kind: ClassVar[str] = "communityGallery"
    __slots__ = ()


class SharedGalleryImage(_ById):
    """A version in a directly shared gallery: "/SharedGalleries/G/Images/I/Versions/V"."""

    kind: ClassVar[str] = "sharedGallery"
    __slots__ = ()


class ManagedImage(_ById):
    """A managed image resource: ".../providers/Microsoft.Compute/images/I"."""

    kind: ClassVar[str] = "managed"
    __slots__ = ()


@dataclass(frozen=True, slots=True)
class VhdImage:
    """The legacy custom image: the blob URI of a generalized VHD, for scale sets on unmanaged disks."""

    kind: ClassVar[str] = "vhd"
    uri: str

    def __str__(self) -> str:
        return self.uri


Image = PlatformImage | GalleryImage | CommunityGalleryImage | SharedGalleryImage | ManagedImage | VhdImage

KINDS: Mapping[str, Callable[..., Image]] = {
    kind.kind: kind
    for kind in (
        PlatformImage,
        GalleryImage,
        CommunityGalleryImage,
        SharedGalleryImage,
        ManagedImage,
        VhdImage,
    )
}


def version(image: Image) -> str:
    """The version that is named, or "" where the kind has none or the newest is meant.

    >>> version(GalleryImage("/subscriptions/S/.../galleries/g/images/web/versions/1.4.0"))
    '1.4.0'
    """
    match image:
        case PlatformImage(version=named):
            return "" if named.casefold() == "latest" else named
        case GalleryImage(id=id_) | CommunityGalleryImage(id=id_) | SharedGalleryImage(id=id_):
            named = _split(id_)[1]
            return "" if named.casefold() == "latest" else named
        case _:
            return ""


def follows_latest(image: Image) -> bool:
    """Whether it names no version where it could: the newest one is meant, which the catalogue tells."""
    return not version(image) and not isinstance(image, ManagedImage | VhdImage)


def at_version(image: Image, exact: str) -> Image:
    """The same image at the version `exact`.

    >>> print(at_version(PlatformImage("Canonical", "ubuntu", "server", "latest"), "24.04.10"))
    Canonical:ubuntu:server:24.04.10
    """
    match image:
        case PlatformImage():
            return replace(image, version=exact)
        case GalleryImage(id=id_) | CommunityGalleryImage(id=id_) | SharedGalleryImage(id=id_):
            return type(image)(f"{_split(id_)[0]}/versions/{exact}")
        case _:
            raise ValueError(f"a {image.kind} image has no versions")


def is_version_of(image: Image, latest: Image) -> bool:
    """Whether `image` names a version of what `latest` names without one.

    >>> ubuntu = PlatformImage("Canonical", "ubuntu", "server", "latest")
    >>> is_version_of(at_version(ubuntu, "24.04.10"), ubuntu), is_version_of(ubuntu, ubuntu)
    (True, False)
    """
    return bool(version(image)) and follows_latest(latest) and same(at_version(latest, version(image)), image)


def order(named: str) -> tuple[int, ...]:
    """What versions are ordered by: their numbers, as numbers. Empty, and so lowest, for what is no version.

    >>> order("24.04.9") < order("24.04.10"), order("latest")
    (True, ())
    """
    parts = named.split(".")
    return tuple(map(int, parts)) if all(part.isascii() and part.isdigit() for part in parts) else ()


def _split(id_: str) -> tuple[str, str]:
    """The id of an image definition, and the version that follows it or ""."""
    match = re.fullmatch(r"(.*?)(?:/versions/([^/]*))?", id_.rstrip("/"), re.IGNORECASE | re.DOTALL)
    assert match  # noqa: S101 - the first group takes anything
    return match[1], match[2] or ""


def same(one: Image, other: Image) -> bool:
    """Whether Azure means one and the same image by both.

    >>> same(ManagedImage("/subscriptions/S/images/a"), ManagedImage("/SUBSCRIPTIONS/s/images/A"))
    True
    >>> same(ManagedImage("/x"), GalleryImage("/x"))
    False
    """
    return key(one) == key(other)


def key(image: Image) -> tuple[str, str]:
    """What is equal of two images that Azure takes for one and the same."""
    return image.kind, str(image).casefold()


def short(image: Image) -> str:
    """What tells this image from its neighbours, for tables and one-line messages.

    >>> short(PlatformImage("Canonical", "ubuntu", "server", "24.04.1"))
    '24.04.1'
    >>> short(GalleryImage("/subscriptions/S/.../galleries/g/images/web/versions/1.4.0"))
    'web/1.4.0'
    >>> short(VhdImage("https://a.blob.core.windows.net/vhds/base-7.vhd"))
    'base-7.vhd'
    """
    match image:
        case PlatformImage(version=version):
            return version
        case VhdImage(uri=uri):
            return uri.rsplit("/", 1)[-1]
        case ManagedImage(id=id_):
            return id_.rsplit("/", 1)[-1]
        case _:
            definition, named = _split(image.id)
            return f"{definition.rsplit('/', 1)[-1]}/{named or 'latest'}"
