"""Names for new documents: the name in Azure, with more parts of the resource id until it is unique."""

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from itertools import count
from typing import TypeVar

from reconciler.spec.image import Image, ManagedImage, PlatformImage, VhdImage, at_version
from reconciler.spec.scale_set import Target
from reconciler.spec.shape import fields

_Named = TypeVar("_Named", bound=Hashable)
_LONGEST = int(fields("ScaleSet")["metadata", "name"]["maxLength"])


def names(targets: Iterable[Target], taken: Collection[str]) -> dict[Target, str]:
    """The shortest unique name for each target. No name is in `taken`.

    >>> names([Target("S", "shop", "web"), Target("S", "Blog", "web"), Target("S", "shop", "API_1")], ["a"])
    {Target(subscription='S', resource_group='shop', name='API_1'): 'api-1',\
 Target(subscription='S', resource_group='shop', name='web'): 'shop-web',\
 Target(subscription='S', resource_group='Blog', name='web'): 'blog-web'}
    """
    return _shortest(targets, taken, _TARGET_FORMS)


def image_names(
    images: Sequence[Image], existing: Mapping[str, Image], is_free: Callable[[str], bool]
) -> list[str]:
    """A unique name for each image, in the order of `images`. No two images may be equal.

    A name contains no version, because the version in a document changes while its name stays. Of several
    versions of one image, the first gets the plain name, and the others get a number. `existing` are the
    images that already have names. `is_free` tells whether a name outside `existing` may be used.

    >>> ubuntu = PlatformImage("Canonical", "ubuntu-24_04-lts", "server", "24.04.2")
    >>> image_names([ubuntu, at_version(ubuntu, "24.04.1")], {}, lambda name: True)
    ['ubuntu-24-04-lts-server', 'ubuntu-24-04-lts-server-2']
    """
    definitions = dict.fromkeys(map(_definition, images))
    others = {name for name, image in existing.items() if _definition(image) not in definitions}
    plain = _shortest(definitions, others, _IMAGE_FORMS)
    used = set(existing)
    found: list[str] = []
    for image in images:
        name = next(
            each for each in _numbered(plain[_definition(image)]) if each not in used and is_free(each)
        )
        used.add(name)
        found.append(name)
    return found


def _shortest(
    named: Iterable[_Named], taken: Collection[str], forms: Iterable[Callable[[_Named], str]]
) -> dict[_Named, str]:
    """For each item, the first of its `forms` that is not in `taken` and not shared with another item."""
    found: dict[_Named, str] = {}
    used = set(taken)
    left: Sequence[_Named] = tuple(named)
    for form in forms:
        wanted = Counter(map(form, left))
        fitting = [each for each in left if wanted[form(each)] == 1 and form(each) not in used | {""}]
        found |= {each: form(each) for each in fitting}
        used |= {form(each) for each in fitting}
        left = [each for each in left if each not in found]
    return found


def _join(*parts: str) -> str:
    """The parts as one name, or "" if the result is empty or too long."""
    words = _words(*parts)
    return words if len(words) <= _LONGEST else ""


def _mark(key: str, name: str) -> str:
    """A name that is always unique, for an item whose other forms are too long, empty or taken."""
    digest = hashlib.sha256(key.encode()).hexdigest()[:12]
    return _words(_words(name)[: _LONGEST - len(digest) - 1], digest)


def _numbered(name: str) -> Iterator[str]:
    """The name itself, then the name with 2, 3 and so on appended."""
    yield name
    for number in count(2):
        yield _words(name[: _LONGEST - len(f"-{number}")], str(number))


_Definition = tuple[str, tuple[str, ...]]


def _definition(image: Image) -> _Definition:
    """What all versions of an image share: its kind, and the parts of its name, least specific part first.

    The parts are in lower case, because Azure ignores case.
    """
    parts: Sequence[str]
    match image:
        case PlatformImage(publisher=publisher, offer=offer, sku=sku):
            parts = (publisher, f"{offer}-{sku}")
        case VhdImage(uri=uri):
            parts = uri.removeprefix("https://").removesuffix(".vhd").split("/")
        case ManagedImage(id=id_):
            parts = _values(id_)
        case _:
            parts = _values(str(at_version(image, "0")).removesuffix("/versions/0"))
    return image.kind, tuple(part.casefold() for part in parts)


def _values(id_: str) -> list[str]:
    """The values in a resource id, without the provider, and with the subscription cut to eight characters.

    >>> _values("/subscriptions/11111111-1111/resourceGroups/R/providers/Microsoft.Compute/images/I")
    ['11111111', 'R', 'I']
    """
    segments = id_.strip("/").split("/")
    pairs = zip(segments[::2], segments[1::2], strict=False)
    short = {"subscriptions": 8}
    return [
        value[: short.get(name.casefold(), len(value))]
        for name, value in pairs
        if name.casefold() != "providers"
    ]


def _words(*parts: str) -> str:
    """The parts in lower case, joined by hyphens. Characters that a name cannot contain become hyphens.

    >>> _words("Shop", "api_1.(x)")
    'shop-api-1-x'
    """
    return "-".join(word for part in parts for word in re.findall("[a-z0-9]+", part.casefold()))


_TARGET_FORMS: tuple[Callable[[Target], str], ...] = (
    lambda target: _join(target.name),
    lambda target: _join(target.resource_group, target.name),
    lambda target: _join(target.subscription[:8], target.resource_group, target.name),
    lambda target: _mark(target.key, target.name),
)
_IMAGE_FORMS: tuple[Callable[[_Definition], str], ...] = (
    lambda definition: _join(*definition[1][-1:]),
    lambda definition: _join(*definition[1][-2:]),
    lambda definition: _join(*definition[1][-3:]),
    lambda definition: _join(*definition[1]),
    lambda definition: _mark("/".join((definition[0], *definition[1])), definition[1][-1]),
)
