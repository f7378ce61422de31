"""Lists the images of a fleet for a fleet file, with what the catalogue knows about them. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from reconciler.rehearsal.fleet_entry import image_reference
from reconciler.rehearsal.reading import Catalogued, FleetReading
from reconciler.rollout.observed import Verdict
from reconciler.rollout.traits import Plan, Traits
from reconciler.spec.image import (
    Image,
    ManagedImage,
    PlatformImage,
    VhdImage,
    follows_latest,
    is_version_of,
    key,
    order,
    same,
    version,
)

Json = dict[str, Any]

_UNKNOWN = frozenset({Verdict.NOT_FOUND, Verdict.NO_LATEST, Verdict.UNREADABLE})
_ELSEWHERE = frozenset({*_UNKNOWN, Verdict.NOT_REPLICATED})


def images(live: FleetReading, copy: FleetReading | None = None) -> Json:
    """The `images` field of a fleet file.

    `copy` is a copy of the fleet, loaded from a fleet file without image details. If `copy` is given, the
    field includes the details in which the copy differs from the live fleet.
    """
    known = {name: rows for name, rows in _by_image(live).items() if _exists(rows)}
    exact = [rows[0].found.image for rows in known.values()]
    found: Json = {
        "platform": _platform(each for each in exact if isinstance(each, PlatformImage)),
        "ids": [image_reference(each) for each in exact if not isinstance(each, PlatformImage | VhdImage)],
        "vhds": [str(each) for each in exact if isinstance(each, VhdImage)],
        "details": [each for each in _details(known.values(), live, copy) if len(each) > 1] if copy else [],
    }
    return {name: rows for name, rows in found.items() if rows}


def withdrawals(live: FleetReading) -> list[Json]:
    """Withdrawal events for the images that the fleet still uses but that are in no catalogue."""
    gone = [rows[0].image for rows in _by_image(live).values() if not _exists(rows)]
    running = [
        image
        for each in live.scale_sets
        for image in (each.model.image, *(one.image for one in each.instances if not one.is_attached))
        if image is not None
    ]
    return [
        {"after": "0s", "event": {"withdraw": image_reference(each)}}
        for each in gone
        if not follows_latest(each) and any(same(each, one) for one in running)
    ]


def unread_catalogues(live: FleetReading) -> Iterator[str]:
    """A line for each image whose catalogue could not be read."""
    for each in live.images:
        if each.found.evidence and each.found.verdict in {Verdict.UNCHECKED, Verdict.UNREADABLE}:
            yield f"{image_reference(each.image)}: its catalogue could not be read: {each.found.evidence}"


def _by_image(live: FleetReading) -> dict[tuple[str, str], list[Catalogued]]:
    """What the catalogue knows about each exact image, with one entry for each look-up of the image."""
    found: dict[tuple[str, str], list[Catalogued]] = defaultdict(list)
    for each in live.images:
        found[key(each.found.image)].append(each)
    return found


def _exists(rows: Sequence[Catalogued]) -> bool:
    return any(each.found.verdict not in _UNKNOWN and _is_single(each.found.image) for each in rows)


def _is_single(image: Image) -> bool:
    """Whether the reference names one image, and not the latest of several versions."""
    return bool(version(image)) or isinstance(image, ManagedImage | VhdImage)


def _platform(exact: Iterable[PlatformImage]) -> list[Json]:
    groups: dict[tuple[str, str, str], list[PlatformImage]] = defaultdict(list)
    for each in exact:
        groups[each.publisher.casefold(), each.offer.casefold(), each.sku.casefold()].append(each)
    return [
        {
            "publisher": group[0].publisher,
            "offer": group[0].offer,
            "sku": group[0].sku,
            "versions": sorted((each.version for each in group), key=lambda each: (order(each), each)),
        }
        for group in groups.values()
    ]


def _details(known: Iterable[Sequence[Catalogued]], live: FleetReading, copy: FleetReading) -> Iterator[Json]:
    copies = {(key(each.image), each.location): each.found for each in copy.images}
    for rows in known:
        image = rows[0].found.image
        found: Json = {"image": image_reference(image), **_places(rows)}
        if isinstance(image, PlatformImage):
            found |= _deprecation(rows)
        elif version(image) and _is_skipped(image, live):
            found["excludeFromLatest"] = True
        own = next((each.found.traits for each in rows if each.found.traits), None)
        others = next(
            (made.traits for each in rows if (made := copies.get((key(each.image), each.location)))), None
        )
        yield found | _traits(image, own, others or Traits()) if own else found


def _places(rows: Sequence[Catalogued]) -> Json:
    """The fields that name the regions with the image, and those to which the image is still being
    replicated.

    The first field is left out if the image is in every region that was asked.
    """
    lacking = {each.location for each in rows if each.found.verdict in _ELSEWHERE}
    late = sorted({each.location for each in rows if each.found.verdict is Verdict.REPLICATING})
    having = sorted({each.location for each in rows} - lacking)
    return ({"regions": having} if lacking else {}) | ({"replicating": late} if late else {})


def _deprecation(rows: Sequence[Catalogued]) -> Json:
    """The field for the deprecation of a platform image, or {} if there is none.

    For an available image, evidence means that a deprecation is scheduled.
    """
    if any(each.found.verdict is Verdict.DEPRECATED for each in rows):
        return {"deprecation": "Deprecated"}
    is_ending = any(each.found.verdict is Verdict.AVAILABLE and each.found.evidence for each in rows)
    return {"deprecation": "ScheduledForDeprecation"} if is_ending else {}


def _is_skipped(image: Image, live: FleetReading) -> bool:
    """Whether `latest` resolves to an earlier version than `image`."""
    return any(
        follows_latest(each.image)
        and is_version_of(image, each.image)
        and each.found.verdict is Verdict.AVAILABLE
        and order(version(image)) > order(version(each.found.image))
        for each in live.images
    )


def _traits(image: Image, own: Traits, other: Traits) -> Json:
    """The fields for the known traits in `own` that differ from those in `other`."""
    found: Json = {}
    if own.generation and own.generation != other.generation:
        found["hyperVGeneration"] = own.generation
    if own.architecture and own.architecture != other.architecture:
        found["architecture"] = own.architecture
    if own.disk_size and own.disk_size != other.disk_size:
        # The disk of a platform image contains the footer of a VHD, so its size was rounded up by one GB.
        footer = 1 if isinstance(image, PlatformImage) else 0
        found["diskSizeGB"] = own.disk_size - footer
    if own.generation and own.security_type != other.security_type:
        found["securityType"] = own.security_type or "Standard"
    if own.plan and own.plan != other.plan:
        found["plan"] = _plan(own.plan)
    return found


def _plan(plan: Plan) -> Json:
    return {"publisher": plan.publisher, "product": plan.product, "name": plan.name}
