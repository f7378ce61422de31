"""Checks that the fields of a scale set in a fleet file are consistent with each other.

These checks also run on a scale set that has other errors.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from reconciler.simulator.declared import FieldError, Location

# Only a scale set with the priority Spot has these fields.
_SPOT_ONLY = ("evictionPolicy", "evictedPowerState", "spotRestore")
_MAX_NAME_LENGTH = 80  # characters


def inconsistencies(declared: Mapping[str, Any], location: Location) -> Iterator[FieldError]:
    """Yield the inconsistencies in a scale set. `declared` is its entry in the file, without defaults."""
    if "instances" in declared and "capacity" in declared:
        yield FieldError(
            (*location, "capacity"),
            "conflicts with instances, which sets the capacity: remove one of the two",
        )
    for field in _SPOT_ONLY:
        if field in declared and not declared.get("spot"):
            yield FieldError(
                (*location, field), "applies only to a Spot scale set: add `spot: true`, or remove it"
            )
    name, number = declared.get("name"), declared.get("count")
    if isinstance(name, str) and isinstance(number, int):
        digits = max(4, len(str(number - 1)))
        if len(name) <= _MAX_NAME_LENGTH < len(name) + 1 + digits:
            most = _MAX_NAME_LENGTH - 1 - digits
            yield FieldError(
                (*location, "name"),
                f"{name!r} is too long for the suffix -{'0' * digits}: write at most {most} characters",
            )


def valid_part(description: Mapping[str, Any], errors: list[FieldError]) -> dict[str, Any]:
    """Return the description without its invalid fields.

    A list entry becomes None if it is unusable once its invalid fields are removed.
    """
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


# The other fields of a scale set do not depend on these. If any other field is invalid or unknown, no further
# errors are reported for the scale set, because the fix might change what is consistent.
_INDEPENDENT = {
    "mode",
    "automaticOSUpgrade",
    "tags",
    "managedBy",
    "reportedSku",
    "protected",
    "instanceStates",
    "placements",
    "settledFor",
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
    """Whether this error is certain to remain after the structural errors in `errors` are fixed."""
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
