"""How the fields of one scale set of a fleet file must fit each other, whatever else is wrong with it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from reconciler.simulator.declared import FieldError, Location

# The fields that only a set with the priority Spot has.
_SPOT_ONLY = ("evictionPolicy", "evictedPowerState", "spotRestore")
_MAX_NAME_LENGTH = 80  # characters of a name


def inconsistencies(declared: Mapping[str, Any], location: Location) -> Iterator[FieldError]:
    """What is wrong with the scale set as the file has it, without its defaults."""
    if "instances" in declared and "capacity" in declared:
        yield FieldError((*location, "capacity"), "instances says how many there are; remove one of the two")
    for field in _SPOT_ONLY:
        if field in declared and not declared.get("spot"):
            yield FieldError((*location, field), "only a Spot set has it; add `spot: true`, or remove it")
    name, number = declared.get("name"), declared.get("count")
    if isinstance(name, str) and isinstance(number, int):
        digits = max(4, len(str(number - 1)))
        if len(name) <= _MAX_NAME_LENGTH < len(name) + 1 + digits:
            most = _MAX_NAME_LENGTH - 1 - digits
            yield FieldError(
                (*location, "name"), f"{name!r} leaves no room for -{'0' * digits}; write at most {most}"
            )


def valid_part(description: Mapping[str, Any], errors: list[FieldError]) -> dict[str, Any]:
    """The description without whatever has a mistake in it; an entry that cannot do without that is None."""
    result = {name: list(value) if isinstance(value, list) else value for name, value in description.items()}
    for error in errors:
        _cut(result, error.location[:3] if error.location[:1] == ("scaleSets",) else error.location[:2])
    return result


def _cut(result: dict[str, Any], location: Location) -> None:
    if not location:
        result.clear()
        return
    top, *below = location
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
_INDEPENDENT = {
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
_FLEET_WIDE = ("images", "location", "tenants", "subscription")


def is_certain(error: FieldError, errors: list[FieldError]) -> bool:
    """Whether what does not fit still does not when these mistakes of the shape are mended."""
    top = error.location[0]
    invalid = [each.location for each in errors]
    if any(location[0] in _FLEET_WIDE for location in invalid if location) and top in ("scaleSets", "images"):
        return False
    if () in invalid or error.location in invalid:
        return False
    if top != "scaleSets":
        return True
    inside = [location for location in invalid if location[:2] == error.location[:2]]
    return (
        all(len(location) > 2 and location[2] in _INDEPENDENT for location in inside)
        and ("scaleSets",) not in invalid
    )
