"""Image ids: the form that each image kind requires, and the errors for ids of any other form.

Azure compares ids without regard to case, and so does this module. An id of a kind with versions must name an
exact version or "latest". Azure also accepts an id without a version, and takes it as the latest version.
Here a missing version is an error, because it is probably unintended.
"""

import re
from urllib.parse import urlsplit

from reconciler.spec.wording import ascii_error, quote, shorten

_ARM = "/subscriptions/[^/]+/resourceGroups/[^/]+/providers/Microsoft.Compute"
_ARM_FORM = "/subscriptions/S/resourceGroups/R/providers/Microsoft.Compute"
_ROOTS = {
    "gallery": f"{_ARM}/galleries/[^/]+",
    "communityGallery": "/CommunityGalleries/[^/]+",
    "sharedGallery": "/SharedGalleries/[^/]+",
    "managed": _ARM,
}
_VERSION = re.compile(r"[0-9]+\.[0-9]+\.[0-9]+|latest", re.IGNORECASE)
_PATTERNS = {
    kind: re.compile(f"{root}/images/[^/]+(?P<versions>/versions(?:/(?P<version>[^/]*))?)?/?", re.IGNORECASE)
    for kind, root in _ROOTS.items()
}
_FORMS = {
    "gallery": f"{_ARM_FORM}/galleries/G/images/I/versions/1.2.3",
    "communityGallery": "/CommunityGalleries/G/Images/I/Versions/1.2.3",
    "sharedGallery": "/SharedGalleries/G/Images/I/Versions/1.2.3",
    "managed": f"{_ARM_FORM}/images/I",
    "vhd": "https://ACCOUNT.blob.core.windows.net/CONTAINER/NAME.vhd",
}
_NAMES = {
    "platform": "a platform image",
    "gallery": "a gallery image",
    "communityGallery": "a community gallery image",
    "sharedGallery": "a shared gallery image",
    "managed": "a managed image",
    "vhd": "a VHD",
}
# Kinds whose ids are ASCII, apart from the resource group.
_ASCII = frozenset(("gallery", "communityGallery", "sharedGallery"))
_GROUP = re.compile("/resourceGroups/[^/]+", re.IGNORECASE)
_PORTAL = re.compile(
    r"https://(?:management\.azure\.com|portal\.azure\.com/\S*?/resource)(?=/)", re.IGNORECASE
)


def kind_of(text: str) -> str | None:
    """The image kind that the form of the text indicates, even if the text is not entirely valid.

    >>> kind_of("/communitygalleries/g/images/i"), kind_of("Canonical:ubuntu:server:1.2.3"), kind_of("web")
    ('communityGallery', 'platform', None)
    """
    for kind, pattern in _PATTERNS.items():
        if pattern.fullmatch(text):
            return kind
    if text.lower().split("?")[0].endswith(".vhd"):
        return "vhd"
    return "platform" if re.fullmatch(r"[^\s:/]+(?::[^\s:/]+){3}", text) else None


def image_id_error(kind: str, text: str) -> str | None:
    """The error if the text is not a valid id (or URI) of an image of this kind, otherwise None."""
    found = kind_of(text)
    if found and found != kind:
        return f"is the id of {_NAMES[found]}: write {_entry(found, text)} instead of {kind}"
    if kind in _ASCII and (error := ascii_error(_GROUP.sub("", text))):
        return error
    if kind == "vhd":
        return _uri_error(text)
    if found is None:
        return _form_error(kind, text)
    version = _PATTERNS[kind].fullmatch(text)
    assert version  # noqa: S101 - kind_of has just matched it
    if kind == "managed":
        return _managed_image_error(version["versions"], text)
    return _gallery_version_error(version["version"], text)


def misplaced_id_error(text: str) -> str | None:
    """The error if the text is an id where a mapping is expected, otherwise None."""
    found = kind_of(text)
    return f"is the id of {_NAMES[found]}: write {_entry(found, text)} below it" if found else None


def platform_version_error(text: str) -> str | None:
    """The error if the text is not a valid platform image version, otherwise None."""
    if _VERSION.fullmatch(text):
        return None
    return f'{quote(text)} is not a version: write three numbers such as "24.04.202601140", or latest'


def _gallery_version_error(version: str | None, text: str) -> str | None:
    if not version:
        return "names an image without a version: add /versions/1.2.3, or /versions/latest for the newest"
    if not _VERSION.fullmatch(version):
        written = "write three numbers such as /versions/1.2.3, or /versions/latest"
        return f"{quote(version)} is not a version: {written}"
    return "ends in a slash: remove the slash" if text.endswith("/") else None


def _managed_image_error(versions: str | None, text: str) -> str | None:
    if versions:
        return "names a version, but a managed image has none: remove /versions and everything after it"
    return "ends in a slash: remove the slash" if text.endswith("/") else None


def _uri_error(text: str) -> str | None:
    try:
        parts = urlsplit(text)
        host = parts.hostname or ""
    except ValueError:
        return _form_error("vhd", text)
    if parts.query or parts.fragment or "@" in parts.netloc:  # never repeat the text: it can contain a token
        return "contains a token or query string, which must not be stored in git: end the URI with .vhd"
    if error := ascii_error(text):
        return error
    if parts.scheme == "http":
        return "begins with http://: use https://"
    if parts.scheme != "https" or ".blob." not in host or parts.path.count("/") < 2:
        return _form_error("vhd", text)
    if parts.path.endswith(".vhd"):
        return None
    return f"{quote(text)} does not end in .vhd: write the URI of a VHD blob"


def _form_error(kind: str, text: str) -> str:
    if portal := _PORTAL.match(text):
        return f"is a URL, not an id: remove {shorten(portal[0])}"
    if kind != "vhd" and kind_of(f"/{text}") == kind:
        return "has no leading slash: add it"
    return f"{quote(text)} is not the id of {_NAMES[kind]}: write {_FORMS[kind]}"


def _entry(kind: str, text: str) -> str:
    """The spec entry that declares the image with this id."""
    if kind != "platform":
        return f"{kind}: {{{'uri' if kind == 'vhd' else 'id'}: ...}}"
    publisher, offer, sku, version = (shorten(part) for part in text.split(":"))
    return f'platform: {{publisher: {publisher}, offer: {offer}, sku: {sku}, version: "{version}"}}'
