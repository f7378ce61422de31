"""Helpers of the invariants to read the record: a write, the state before it, and the reads that it follows from."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta

from reconciler.rollout.tags import persisted_state
from reconciler.simulator import Exchange, InstanceSnapshot, Record, Stale

PATCH, UPGRADE = "VirtualMachineScaleSets_Update", "VirtualMachineScaleSets_UpdateInstances"
MODEL = "VirtualMachineScaleSets_Get"
MODELS = (
    MODEL,
    "VirtualMachineScaleSets_List",
    "VirtualMachineScaleSets_ListAll",
)
# A decision needs every row of these lists.
LISTS = ("VirtualMachineScaleSetVMs_List", "VirtualMachines_List")

Reads = Sequence[Exchange]


def writes(record: Record, *operations: str) -> Iterator[Exchange]:
    return (each for each in record.requests if each.operation in operations)


def writes_and_reads(record: Record, within: timedelta = timedelta()) -> Iterator[tuple[Exchange, Reads]]:
    """Every write, and the reads shortly before that it follows from."""
    requests = record.requests
    moments = [each.at for each in requests]
    for number, write in enumerate(requests):
        if write.operation in (PATCH, UPGRADE):
            first = bisect_left(moments, write.at - within, hi=number)
            yield write, [each for each in requests[first:number] if _concerns(each, write)]


def _concerns(read: Exchange, write: Exchange) -> bool:
    return (
        read.method == "GET"
        and read.client == write.client
        and scale_set_of(read) in ((), scale_set_of(write))
    )


def is_old(reads: Reads, *operations: str) -> bool:
    return any(isinstance(each.fault, Stale) for each in reads if each.operation in operations)


def last_list(reads: Reads, operation: str) -> Reads:
    """The pages of the last list."""
    pages: list[Exchange] = []
    for each in reads:
        if each.operation == operation:
            pages = [*pages, each] if "$skiptoken" in each.query else [each]
    return pages


def with_standing(upgrade: Exchange, standing: str) -> set[str]:
    return {id_ for id_, stand in stands_of(upgrade).items() if stand.status == standing}


def model_image(write: Exchange) -> str:
    """The image of the model before a write."""
    return write.before.image if write.before else ""


def stands_of(write: Exchange) -> Mapping[str, InstanceSnapshot]:
    return write.before.instances if write.before else {}


def named_instances(upgrade: Exchange) -> set[str]:
    return set((upgrade.body or {}).get("instanceIds") or ())


def scale_set_of(exchange: Exchange) -> tuple[str, ...]:
    """Subscription, group and name of the scale set of a request; () if it is about none, or about several."""
    path = exchange.path
    if exchange.operation == "VirtualMachines_List":
        path = exchange.query.get("$filter", "").partition("eq")[2].strip(" '")
    parts = path.lower().split("/")
    is_one = len(parts) > 8 and parts[7] == "virtualmachinescalesets"
    return (parts[2], parts[4], parts[8]) if is_one else ()


def description(exchange: Exchange) -> str:
    what = f" {exchange.body}" if exchange.body else ""
    return f"{time_of(exchange)} {exchange.method} {exchange.path.partition('Microsoft.Compute/')[2]}{what}"


def time_of(exchange: Exchange) -> str:
    return f"{exchange.at:%H:%M:%S}"


def id_list(ids: set[str]) -> str:
    return ", ".join(sorted(ids, key=lambda id_: (len(id_), id_))) or "none"


def image_of(patch: Exchange) -> str:
    """The image that a change of the model sets, as the record names it; "" if it only writes tags."""
    profile = ((patch.body or {}).get("properties") or {}).get("virtualMachineProfile") or {}
    storage = profile.get("storageProfile") or {}
    reference = storage.get("imageReference") or {}
    if "publisher" in reference:
        return ":".join(str(reference.get(part)) for part in ("publisher", "offer", "sku", "version"))
    ids = (reference.get(name) for name in ("id", "communityGalleryImageId", "sharedGalleryImageId"))
    disk = ((storage.get("osDisk") or {}).get("image") or {}).get("uri")
    return str(next((each for each in (*ids, disk) if each), ""))


def changes_only_the_claim(write: Exchange) -> bool:
    """Whether it claims the scale set, or gives the claim back, and writes nothing else."""
    if write.operation != PATCH or image_of(write) or write.before is None:
        return False
    before = persisted_state(write.before.tags)
    after = persisted_state((write.body or {}).get("tags") or {})
    return after != before and replace(after, claim=before.claim) == before


def returns_to_last_good(write: Exchange) -> bool:
    """Whether it sets the model to the last good image in its tags, by a rollback or by a revert in git."""
    good = persisted_state(write.before.tags).last_good if write.before else None
    return write.operation == PATCH and good is not None and str(good) == image_of(write)


def sets_back(write: Exchange) -> bool:
    """Whether it sets the model to the last good image after another one failed, as its own tag says."""
    state = persisted_state((write.body or {}).get("tags") or {}) if write.operation == PATCH else None
    good = state.last_good if state and state.failed else None
    return good is not None and str(good) == image_of(write)
