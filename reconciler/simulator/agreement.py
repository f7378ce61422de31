"""How the fields of one scale set of a fleet file must fit each other, whatever else is wrong with it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from reconciler.simulator.declared import Mistake, Place

# The fields that only a set with the priority Spot has.
_OF_SPOT = ("evictionPolicy", "evictedPowerState", "spotRestore")
_LONGEST = 80  # characters of a name


def misfits(declared: Mapping[str, Any], place: Place) -> Iterator[Mistake]:
    """What is wrong with the scale set as the file has it, without its defaults."""
    if "instances" in declared and "capacity" in declared:
        yield Mistake((*place, "capacity"), "instances says how many there are; remove one of the two")
    for field in _OF_SPOT:
        if field in declared and not declared.get("spot"):
            yield Mistake((*place, field), "only a Spot set has it; add `spot: true`, or remove it")
    name, number = declared.get("name"), declared.get("count")
    if isinstance(name, str) and isinstance(number, int):
        digits = max(4, len(str(number - 1)))
        if len(name) <= _LONGEST < len(name) + 1 + digits:
            most = _LONGEST - 1 - digits
            yield Mistake(
                (*place, "name"), f"{name!r} leaves no room for -{'0' * digits}; write at most {most}"
            )


def sound_part(description: Mapping[str, Any], mistakes: list[Mistake]) -> dict[str, Any]:
    """The description without whatever has a mistake in it; an entry that cannot do without that is None."""
    result = {name: list(value) if isinstance(value, list) else value for name, value in description.items()}
    for mistake in mistakes:
        _cut(result, mistake.place[:3] if mistake.place[:1] == ("scaleSets",) else mistake.place[:2])
    return result


def _cut(result: dict[str, Any], place: Place) -> None:
    if not place:
        result.clear()
        return
    top, *below = place
    value = result.get(str(top))
    if not below or value is None:
        result.pop(str(top), None)
    elif isinstance(value, dict):
        result[str(top)] = {name: each for name, each in value.items() if name != below[0]}
    elif isinstance(below[0], int):
        entry = value[below[0]]
        is_optional = len(below) > 1 and isinstance(entry, dict) and below[1] != "name"
        value[below[0]] = (
            {name: it for name, it in entry.items() if name != below[1]} if is_optional else None
        )


# The fields of a scale set that its other fields need not fit. Of a set where another one is wrong, or is
# unknown, nothing more is said: the mend may change what fits.
_APART = {
    "mode",
    "automaticOSUpgrade",
    "tags",
    "managedBy",
    "reportedSku",
    "protected",
    "instanceStates",
    "flapping",
    "allocationLimit",
    "automaticRepairs",
    "overprovision",
    "osImageNotification",
    "terminateNotification",
    "healthGracePeriod",
    "provisioningState",
    "placementGroupSize",
    "evictedPowerState",
    "spotRestore",
    "autoscale",
}
_OF_ALL = ("images", "location", "tenants", "subscription")


def is_known(fit: Mistake, mistakes: list[Mistake]) -> bool:
    """Whether what does not fit still does not when these mistakes of the shape are mended."""
    top = fit.place[0]
    wrong = [each.place for each in mistakes]
    if any(place[0] in _OF_ALL for place in wrong if place) and top in ("scaleSets", "images"):
        return False
    if () in wrong or fit.place in wrong:
        return False
    if top != "scaleSets":
        return True
    inside = [place for place in wrong if place[:2] == fit.place[:2]]
    return all(len(place) > 2 and place[2] in _APART for place in inside) and ("scaleSets",) not in wrong
