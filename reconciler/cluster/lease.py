"""Converts a Lease of coordination.k8s.io/v1 from JSON and back.

Anyone with permission may write a Lease, so a field of an unexpected type or form counts as absent. The
holder is the exception: whatever its form, somebody holds the Lease.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

ADDRESS = "vmss-reconciler/address"
"""The annotation with the address of the holder."""

_RELEASED = timedelta(seconds=1)  # as client-go writes it: Kubernetes refuses a duration of zero
_ADDRESS = re.compile(r"(\[[0-9a-fA-F:.]+\]|[0-9A-Za-z.-]{1,253}):[0-9]{1,5}")
_OURS = frozenset({"name", "namespace", "annotations", "resourceVersion", "managedFields"})
_UNREADABLE = "a holder without a name"

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Lease:
    """One version of a Lease.

    `holder` is "" if nobody holds the Lease. `duration` is None if the Lease has no valid duration.
    `acquired` and `renewed` are times on the holder's clock, and no election depends on them. `version` is ""
    if Kubernetes does not have the Lease yet. `address` is where other replicas reach the holder, or "" if
    unknown. `metadata` is the metadata as it was read. A write preserves the labels and annotations of
    others.
    """

    holder: str = ""
    duration: timedelta | None = None
    acquired: datetime | None = None
    renewed: datetime | None = None
    transitions: int = 0
    version: str = ""
    address: str = ""
    metadata: Json = field(default_factory=dict, compare=False, repr=False)

    def as_released(self, at: datetime) -> "Lease":
        """This Lease after its release, which the next candidate can take immediately."""
        return replace(self, holder="", duration=_RELEASED, acquired=at, renewed=at, address="")

    @property
    def is_released(self) -> bool:
        """Whether the last holder released the Lease. False if a person removed the holder."""
        return not self.holder and self.duration == _RELEASED


def lease_of(body: object) -> Lease:
    """The Lease in a response. Fields that are missing or malformed count as absent."""
    metadata, spec = _mapping(_mapping(body).get("metadata")), _mapping(_mapping(body).get("spec"))
    address = _mapping(metadata.get("annotations")).get(ADDRESS)
    version = metadata.get("resourceVersion")
    return Lease(
        holder=_holder(spec.get("holderIdentity")),
        duration=_duration(spec.get("leaseDurationSeconds")),
        acquired=_time(spec.get("acquireTime")),
        renewed=_time(spec.get("renewTime")),
        transitions=_number(spec.get("leaseTransitions")) or 0,
        version=version if isinstance(version, str) else "",
        address=address if isinstance(address, str) and _ADDRESS.fullmatch(address) else "",
        metadata=metadata,
    )


def json_of(lease: Lease, name: str, namespace: str) -> dict[str, Any]:
    """The body of a request that creates the Lease, or replaces exactly this version of it."""
    others = {key: value for key, value in lease.metadata.items() if key not in _OURS}
    annotations = dict(_mapping(lease.metadata.get("annotations")))
    annotations.pop(ADDRESS, None)
    if lease.address:
        annotations[ADDRESS] = lease.address
    metadata = others | {"name": name, "namespace": namespace, "annotations": annotations}
    if lease.version:
        metadata["resourceVersion"] = lease.version
    spec = {
        "holderIdentity": lease.holder,
        "leaseDurationSeconds": int(lease.duration.total_seconds()) if lease.duration else None,
        "acquireTime": _micro_time(lease.acquired),
        "renewTime": _micro_time(lease.renewed),
        "leaseTransitions": lease.transitions,
    }
    return {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": metadata,
        "spec": {name: value for name, value in spec.items() if value is not None},
    }


def _mapping(value: object) -> Json:
    return value if isinstance(value, Mapping) else {}


def _holder(value: object) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else _UNREADABLE


def _number(value: object) -> int | None:
    is_number = isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 31
    return int(str(value)) if is_number else None


def _duration(value: object) -> timedelta | None:
    seconds = _number(value)
    return timedelta(seconds=seconds) if seconds else None


def _time(value: object) -> datetime | None:
    try:
        at = datetime.fromisoformat(value) if isinstance(value, str) else None
        return at.astimezone(UTC) if at and at.tzinfo else None
    except (ValueError, OverflowError):
        return None


def _micro_time(at: datetime | None) -> str | None:
    return None if at is None else at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
