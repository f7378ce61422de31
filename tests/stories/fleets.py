"""Questions that stories about several scale sets ask a world: writes, statuses, unavailable instances."""

from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from tests.stories.world import World, fleet, scale_set

MINUTE = timedelta(minutes=1)
WRITES = {"VirtualMachineScaleSets_Update", "VirtualMachineScaleSets_UpdateInstances"}


def sets(*names: str, **changes: Any) -> dict[str, Any]:
    """A fleet of scale sets of five, by name."""
    return fleet(*(scale_set(name, **({"capacity": 5} | changes)) for name in names))


def writes(world: World, name: str) -> list[str]:
    """The operations of the writes to one scale set."""
    found = [each for each in world.azure.record.requests if each.operation in WRITES]
    return [each.operation for each in found if f"/{name.lower()}/" in f"{each.path.lower()}/"]


def on(world: World, name: str) -> set[str]:
    return {image.rpartition(":")[2] for image in world.azure.record.images(name).values()}


def reason(world: World, name: str = "web") -> str:
    return world.lines()[name].partition(":")[0]


def is_there(world: World, wanted: str, name: str = "web") -> Callable[[], bool]:
    return lambda: reason(world, name) == wanted


def first_write(world: World, name: str) -> datetime:
    return next(
        each.at
        for each in world.azure.record.requests
        if each.operation in WRITES and f"/{name}" in each.path
    )


def most_at_once(world: World, names: list[str]) -> int:
    """The largest number of these scale sets that had unavailable instances at once, by the simulator's record."""
    changes = []
    for name in names:
        for absence in world.azure.record.absences(name):
            changes.append((absence.since, 1, name))
            if absence.until:
                changes.append((absence.until, -1, name))
    unavailable: Counter[str] = Counter()
    most = 0
    for _, change, name in sorted(changes):  # an end at the same moment counts before a beginning
        unavailable[name] += change
        most = max(most, sum(number > 0 for number in unavailable.values()))
    return most
