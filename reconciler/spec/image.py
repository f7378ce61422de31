"""The kinds of images that a scale set can run.

Azure compares image names and resource ids without regard to case, and so does this module. A scale set
cannot change to an image of a different kind ("The Image type for a Virtual Machine Scale Set may not be
changed"), so the reconciler compares `kind` and refuses such changes.

To add a kind, add a class here and list it in `Image` and `KINDS`. Extend the schema, and add an example
spec, both conversions in `reconciler.azure.arm`, and the catalogue in `reconciler.azure.catalogue`.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class PlatformImage:
    """A Marketplace image. `version` is a version such as "24.04.202601010", or "latest"."""

    kind: ClassVar[str] = "platform"
    words: ClassVar[str] = "platform"
    publisher: str
    offer: str
    sku: str
    version: str

    def __str__(self) -> str:
        """The URN that Azure uses: publisher:offer:sku:version."""
        return f"{self.publisher}:{self.offer}:{self.sku}:{self.version}"


@dataclass(frozen=True, slots=True)
class _ById:
    id: str

    def __str__(self) -> str:
        return self.id


class GalleryImage(_ById):
    """A version in an Azure Compute Gallery: ".../galleries/G/images/I/versions/V". V may be "latest"."""

    kind: ClassVar[str] = "gallery"
    words: ClassVar[str] = "gallery"
    __slots__ = ()


class CommunityGalleryImage(_ById):
    """A version in a community gallery: "/CommunityGalleries/G/Images/I/Versions/V"."""

    kind: ClassVar[str] = "communityGallery"
    words: ClassVar[str] = "community gallery"
    __slots__ = ()


class SharedGalleryImage(_ById):
    """A version in a direct shared gallery: "/SharedGalleries/G/Images/I/Versions/V"."""

    kind: ClassVar[str] = "sharedGallery"
    words: ClassVar[str] = "shared gallery"
    __slots__ = ()


class ManagedImage(_ById):
    """A managed image resource: ".../providers/Microsoft.Compute/images/I"."""

    kind: ClassVar[str] = "managed"
    words: ClassVar[str] = "managed"
    __slots__ = ()


@dataclass(frozen=True, slots=True)
class VhdImage:
    """A legacy custom image: the blob URI of a generalized VHD, for scale sets on unmanaged disks."""

    kind: ClassVar[str] = "vhd"
    words: ClassVar[str] = "VHD"
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
    """The exact version that the image names, or "" for `latest` and for kinds of images without versions.

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
    """Whether the image names `latest` instead of a version. The catalogue then supplies the version."""
    return not version(image) and not isinstance(image, ManagedImage | VhdImage)


def at_version(image: Image, exact: str) -> Image:
    """The image with the version `exact`. Raises ValueError if this kind of image has no versions.

    >>> print(at_version(PlatformImage("Canonical", "ubuntu", "server", "latest"), "24.04.10"))
    Canonical:ubuntu:server:24.04.10
    """
    match image:
        case PlatformImage():
            return replace(image, version=exact)
        case GalleryImage(id=id_) | CommunityGalleryImage(id=id_) | SharedGalleryImage(id=id_):
            return type(image)(f"{_split(id_)[0]}/versions/{exact}")
        case _:
            raise ValueError(f"a {image.words} image has no versions")


def is_version_of(image: Image, latest: Image) -> bool:
    """Whether `image` is an exact version of the image that `latest` follows.

    >>> ubuntu = PlatformImage("Canonical", "ubuntu", "server", "latest")
    >>> is_version_of(at_version(ubuntu, "24.04.10"), ubuntu), is_version_of(ubuntu, ubuntu)
    (True, False)
    """
    return bool(version(image)) and follows_latest(latest) and same(at_version(latest, version(image)), image)


def order(named: str) -> tuple[int, ...]:
    """The sort key of a version: its parts as numbers. Any other text has an empty key, which sorts first.

    >>> order("24.04.9") < order("24.04.10"), order("latest")
    (True, ())
    """
    parts = named.split(".")
    return tuple(map(int, parts)) if all(part.isascii() and part.isdigit() for part in parts) else ()


def _split(id_: str) -> tuple[str, str]:
    """The id of the image definition and the version, which is "" if the id names none."""
    match = re.fullmatch(r"(.*?)(?:/versions/([^/]*))?", id_.rstrip("/"), re.IGNORECASE | re.DOTALL)
    assert match  # noqa: S101 - the first group takes anything
    return match[1], match[2] or ""


def same(one: Image, other: Image) -> bool:
    """Whether Azure treats the two images as the same.

    >>> same(ManagedImage("/subscriptions/S/images/a"), ManagedImage("/SUBSCRIPTIONS/s/images/A"))
    True
    >>> same(ManagedImage("/x"), GalleryImage("/x"))
    False
    """
    return one is other or key(one) == key(other)


def is_related(one: Image, other: Image) -> bool:
    """Whether two images can be versions of the same image. Two images of a kind without versions always can.

    >>> ubuntu = PlatformImage("Canonical", "ubuntu", "server", "24.04.1")
    >>> is_related(ubuntu, at_version(ubuntu, "24.04.2")), is_related(ubuntu, ManagedImage("/x"))
    (True, False)
    """
    if isinstance(one, ManagedImage | VhdImage):
        return one.kind == other.kind
    return one.kind == other.kind and same(at_version(one, "0"), at_version(other, "0"))


def key(image: Image) -> tuple[str, str]:
    """A key that is equal for two images that Azure treats as the same."""
    return image.kind, str(image).casefold()


def short(image: Image) -> str:
    """A short name for the image, for tables and one-line messages.

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
