"""The differences between a recorded response and the simulator's, except the inevitable ones.

Names, ids and times, what the guest reports, and the content of an image are bound to differ. Only the types
of the parts of an id are compared. For the others the comparison only checks that both exist, and the content
of an image is not compared at all.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tests.simulator.likeness import ETAG, GUID, TIME

# Fields whose text only the recorded cloud can know.
FREE = frozenset(
    {
        "name", "computerName", "computerNamePrefix", "osName", "osVersion", "vmAgentVersion", "exactVersion",
        "typeHandlerVersion", "keyData", "message", "vmId", "uniqueId", "nextLink",
        "macAddress", "privateIPAddress", "internalDomainNameSuffix",
    }
)  # fmt: skip
# Fields that only the image itself can provide.
OF_IMAGES = frozenset({"features", "automaticOSUpgradeSupported", "sizeInGb", "sizeInBytes"})
ANY_GUID = re.compile(GUID.pattern, re.I)
WEAK_ETAG = re.compile(r'W/"[^"]+"')
MOMENT = re.compile(TIME.pattern + "|" + r"\d{4}-\d\d-\d\dT[\d:.]+([+-]\d\d:\d\d|Z)?")
NOTHING = object()


@dataclass(frozen=True, slots=True)
class Difference:
    """`path` is that of a field, with [] for any entry of a list. `kind` is missing, added or changed."""

    path: str
    kind: str
    recorded: Any = None
    found: Any = None

    def __str__(self) -> str:
        return f"{self.kind} {self.path}"


def compare(recorded: Any, found: Any) -> list[Difference]:
    return list(_differences(recorded, found, "", ""))


def _differences(recorded: Any, found: Any, path: str, name: str) -> Iterator[Difference]:
    if isinstance(recorded, Mapping) and isinstance(found, Mapping):
        yield from _of_fields(recorded, found, path)
    elif isinstance(recorded, list) and isinstance(found, list):
        pairs = list(_paired(recorded, found))
        for one, other in pairs:
            if one is NOTHING or other is NOTHING:
                kind = "added" if one is NOTHING else "missing"
                yield Difference(
                    f"{path}[]", kind, *(None if each is NOTHING else each for each in (one, other))
                )
            else:
                yield from _differences(one, other, f"{path}[]", name)
    elif not _agree(recorded, found, name):
        yield Difference(path, "changed", recorded, found)


def _of_fields(recorded: Mapping[str, Any], found: Mapping[str, Any], path: str) -> Iterator[Difference]:
    # Ids also occur as keys, and Azure's own casing of them is inconsistent.
    theirs, ours = ({_key(each): each for each in side} for side in (recorded, found))
    for key in dict.fromkeys((*theirs, *ours)):
        at = f"{path}.{key}"
        if key == "features" or (key in OF_IMAGES and key in ours and key in theirs):
            continue
        if key not in ours:
            yield Difference(at, "missing", recorded[theirs[key]])
        elif key not in theirs:
            yield Difference(at, "added", None, found[ours[key]])
        else:
            yield from _differences(recorded[theirs[key]], found[ours[key]], at, key)


def _paired(recorded: list[Any], found: list[Any]) -> Iterator[tuple[Any, Any]]:
    """Pair the entries: by the ends of their ids if all have one, otherwise by their position."""
    if all(
        isinstance(each, Mapping) and "id" in each and "properties" in each for each in (*recorded, *found)
    ):
        ours = {_last(each["id"]): each for each in found}
        theirs = {_last(each["id"]): each for each in recorded}
        if len(ours) == len(found) and len(theirs) == len(recorded) and set(ours) & set(theirs):
            for key in dict.fromkeys((*theirs, *ours)):
                yield theirs.get(key, NOTHING), ours.get(key, NOTHING)
            return
    for place in range(max(len(recorded), len(found))):
        yield (
            recorded[place] if place < len(recorded) else NOTHING,
            found[place] if place < len(found) else NOTHING,
        )


def _agree(recorded: Any, found: Any, name: str) -> bool:
    if type(recorded) is not type(found):
        return False
    if not isinstance(recorded, str) or recorded == found:
        return bool(recorded == found)
    if name in FREE:
        return True
    if any(
        form.fullmatch(recorded) and form.fullmatch(found) for form in (ANY_GUID, MOMENT, ETAG, WEAK_ETAG)
    ):
        return True
    return recorded.startswith("/") and _types(recorded) == _types(found)


def _types(resource_id: str) -> list[str]:
    return resource_id.lower().split("/")[1::2]


def _last(resource_id: str) -> str:
    return resource_id.lower().rpartition("/")[2]


def _key(name: str) -> str:
    return name.lower() if name.startswith("/") else name
