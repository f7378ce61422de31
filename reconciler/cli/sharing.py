"""Chooses the documents of kind Image that the specs of `adopt --share-images` refer to. Pure."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence

from reconciler.spec import image as images
from reconciler.spec.declared import NamedImage
from reconciler.spec.image import Image
from reconciler.spec.naming import image_names
from reconciler.spec.problem import Place

ImageKey = tuple[str, str]


def shared_images(
    used: Sequence[Image], existing: Iterable[NamedImage], is_free: Callable[[str], bool]
) -> dict[ImageKey, NamedImage]:
    """The document for each image that already has one, or that at least two scale sets use.

    `used` has the image of each new spec. A new document has no place yet. `is_free` says whether a name is
    still available. The most common image is named first and, among equally common ones, the newest version.
    """
    known: dict[ImageKey, NamedImage] = {}
    for each in sorted(existing, key=lambda each: each.name):
        known.setdefault(images.key(each.image), each)
    numbers = Counter(map(images.key, used))
    spelling: Mapping[ImageKey, Image] = {images.key(each): each for each in sorted(used, key=str)}
    new = [key for key, number in numbers.items() if number > 1 and key not in known]
    new.sort(key=lambda key: (numbers[key], images.order(images.version(spelling[key])), key), reverse=True)
    names = image_names([spelling[key] for key in new], {each.name: each.image for each in existing}, is_free)
    declared = {key: NamedImage(name, spelling[key], Place("")) for key, name in zip(new, names, strict=True)}
    return {key: known[key] for key in numbers if key in known} | declared
