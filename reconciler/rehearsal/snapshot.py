"""Makes a fleet file from real scale sets.

The simulator itself shows what a fleet file lacks. A first fleet file is loaded, read back, and compared with
the real scale sets. The differences become entries for individual instances, and image details. A second
fleet file includes these entries and details, and is compared in the same way. The remaining differences are
reported as left out.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from reconciler.azure.description import Description
from reconciler.forecast.batch_duration import ASSUMED
from reconciler.rehearsal.duration_text import duration_text
from reconciler.rehearsal.fleet_entry import ending, entry, instance_rows
from reconciler.rehearsal.fleet_images import images, unread_catalogues, withdrawals
from reconciler.rehearsal.omissions import omissions
from reconciler.rehearsal.reading import FleetReader, FleetReading
from reconciler.rehearsal.simulated_azure import simulate
from reconciler.rollout.observed import Model
from reconciler.simulator import FleetError
from reconciler.spec.image import Image, follows_latest, key

Json = dict[str, Any]

_BOOT = timedelta(seconds=20)  # the part of an upgrade in which the instance boots


@dataclass(frozen=True, slots=True)
class FleetCopy:
    """A fleet file, and a line for each fact that it leaves out."""

    fleet: Json
    left_out: tuple[str, ...]

    @property
    def instances(self) -> int:
        return sum(_size(each) for each in self.fleet["scaleSets"])


def snapshot(live: FleetReading) -> FleetCopy:
    """The fleet file for the scale sets and images that were read."""
    entries = {
        each.target.key: entry(each, live.at)
        for each in live.scale_sets
        if each.model.image or not each.model.has_profile
    }
    bare = _draft(live, entries, images(live))
    detailed = {
        each.target.key: entries[each.target.key] | instance_rows(each, copy, live.at)
        for each in live.scale_sets
        if (copy := bare.copies.get(each.target.key))
    }
    whole = _draft(live, detailed, images(live, bare.read))
    rejected = {**bare.rejected, **whole.rejected}
    lines = [line for each in live.scale_sets for line in _omissions(each, whole, rejected)]
    events = [*withdrawals(live), *_endings(live, whole.copies)]
    return FleetCopy(whole.fleet | ({"events": events} if events else {}), (*lines, *unread_catalogues(live)))


@dataclass(frozen=True, slots=True)
class _Draft:
    """A draft of a fleet file. `read` is what was read back after the simulator loaded the draft.

    `rejected` has the reason for each entry that the simulator does not accept, by scale set key.
    """

    fleet: Json
    read: FleetReading
    rejected: Mapping[str, str]

    @property
    def copies(self) -> Mapping[str, Description]:
        return {each.target.key: each for each in self.read.scale_sets}


def _draft(live: FleetReading, entries: Mapping[str, Json], found: Json) -> _Draft:
    kept, rejected = dict(entries), dict[str, str]()
    try:
        simulated = simulate(_fleet(live, kept, found), live.at)
    except FleetError as error:
        rejected = _rejections(error, list(entries))
        kept = {name: each for name, each in entries.items() if name not in rejected}
        simulated = simulate(_fleet(live, kept, found), live.at)
    with simulated:
        targets = [each.target for each in live.scale_sets if each.target.key in kept]
        reader = FleetReader(simulated.compute, simulated.sleep, workers=1)
        return _Draft(_fleet(live, kept, found), reader.read_copy(targets, live), rejected)


def _rejections(error: FleetError, keys: Sequence[str]) -> dict[str, str]:
    return {
        keys[each.location[1]]: each.message
        for each in error.errors
        if each.location[:1] == ("scaleSets",) and isinstance(each.location[1], int)
    }


def _omissions(live: Description, whole: _Draft, rejected: Mapping[str, str]) -> Iterable[str]:
    copy = whole.copies.get(live.target.key)
    if copy is not None:
        return omissions(live, copy)
    why = rejected.get(live.target.key, "its model has no supported image")
    return [f"{live.target.name}: the whole scale set: {why}"]


def _fleet(live: FleetReading, entries: Mapping[str, Json], found: Json) -> Json:
    has_row_properties = any(
        one.latest_model is not None
        for each in live.scale_sets
        if each.model.is_flexible
        for one in each.instances
    )
    return {
        "timings": {
            "upgrade": duration_text(ASSUMED.upgrade - _BOOT),
            "boot": duration_text(_BOOT),
            "health": duration_text(ASSUMED.health),
        },
        **({"flexibleRowProperties": True} if has_row_properties else {}),
        **({"images": found} if found else {}),
        "scaleSets": list(entries.values()),
    }


def _endings(live: FleetReading, entries: Mapping[str, Description]) -> list[Json]:
    found = [
        ending(each, _resolved(each.model, live)) for each in live.scale_sets if each.target.key in entries
    ]
    return [each for each in found if each]


def _resolved(model: Model, live: FleetReading) -> Image | None:
    """The model's image as an exact version, or None if that version is unknown."""
    image = model.image
    if image is None or not follows_latest(image):
        return image
    found = (
        each.found.image
        for each in live.images
        if key(each.image) == key(image) and each.location == model.location
    )
    return next((each for each in found if not follows_latest(each)), None)


def _size(entry: Mapping[str, Any]) -> int:
    number: int = len(entry.get("instances", ())) or entry.get("allocationLimit", entry.get("capacity", 0))
    return number + len(entry.get("attached", ()))
