"""The simulator's own record of requests and events, which tests use to judge a run.

The record is append-only and does not depend on any client. `requests` contains all exchanges in order.
`events` contains all changes to scale sets and their instances. An instance becomes *unavailable* when it is
created, is taken out of service, crashes, turns unhealthy or is deallocated. It becomes available when it
runs and, if it has a health source, is healthy.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Literal

from reconciler.simulator.domains import Domain
from reconciler.simulator.faults import Fault

EventKind = Literal["available", "unavailable", "created", "deleted", "model", "upgraded"]
InstanceStatus = Literal["serving", "unavailable", "deallocated", "deleting"]


@dataclass(frozen=True, slots=True)
class InstanceSnapshot:
    """One instance at one moment. `is_behind` says whether the instance is not on the latest model."""

    status: InstanceStatus
    domain: Domain
    image: str
    is_behind: bool
    is_protected: bool


@dataclass(frozen=True, slots=True)
class ScaleSetSnapshot:
    """A scale set at one moment: the image of its model, its tags, and its instances by id."""

    image: str
    tags: Mapping[str, str]
    instances: Mapping[str, InstanceSnapshot]


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request and its response.

    `status` is 0 if the client got no response. `body` is the body of a write, and `before` is the scale set
    before the write. `client` is the number of the client, and `fault` is the injected fault, if any.
    `if_match` is the etag that a write requires, or "" if it requires none.
    """

    at: datetime
    method: str
    path: str
    query: Mapping[str, str]
    status: int
    request_bytes: int
    response_bytes: int
    operation: str
    body: Any = None
    client: int = 0
    fault: Fault | None = None
    before: ScaleSetSnapshot | None = None
    if_match: str = ""


@dataclass(frozen=True, slots=True)
class Event:
    """A change to a scale set or an instance.

    `instance_id` and `domain` are None if the event concerns the whole scale set. The kind of such an event
    is "model".
    """

    at: datetime
    kind: EventKind
    scale_set: str
    instance_id: str | None
    domain: Domain | None
    cause: str
    group: str = ""
    subscription: str = ""


@dataclass(frozen=True, slots=True)
class Absence:
    """A period during which an instance was unavailable. `until` is None if the period has not ended."""

    scale_set: str
    instance_id: str
    domain: Domain
    cause: str
    since: datetime
    until: datetime | None


def by_update_domain(domain: Domain) -> Hashable:
    """Return a key that identifies an update domain. Numbers restart in each zone and placement group."""
    return (domain.zone, domain.placement_group, domain.update_domain)


@dataclass(slots=True)
class Record:
    """The exchanges and events of a run.

    `images_of` looks up the image that each instance of a scale set currently runs.
    """

    images_of: Callable[[str], Mapping[str, str]]
    _requests: list[Exchange] = field(default_factory=list)
    _events: list[Event] = field(default_factory=list)

    @property
    def requests(self) -> tuple[Exchange, ...]:
        return tuple(self._requests)

    @property
    def events(self) -> tuple[Event, ...]:
        return tuple(self._events)

    def add(self, entry: Exchange | Event) -> None:
        if isinstance(entry, Exchange):
            self._requests.append(entry)
        else:
            self._events.append(entry)

    def images(self, scale_set: str) -> Mapping[str, str]:
        """Map the id of each instance to the name of the image that it currently runs."""
        return self.images_of(scale_set)

    def absences(self, scale_set: str) -> tuple[Absence, ...]:
        """Return all periods during which an instance was unavailable, ordered by start time.

        `scale_set` is a name, "group/name" or "subscription/group/name".
        """
        return tuple(sorted(_absences(self._events, scale_set), key=lambda absence: absence.since))

    def unavailable_at(self, scale_set: str, at: datetime) -> frozenset[str]:
        """Return the ids of the instances that were unavailable at this moment.

        An instance that became available at exactly this moment is not included.
        """
        return frozenset(absence.instance_id for absence in self.absences(scale_set) if _covers(absence, at))

    def max_unavailable_domains(
        self,
        scale_set: str,
        cause: str | None = "manualupgrade",
        key: Callable[[Domain], Hashable] = by_update_domain,
    ) -> int:
        """Return the maximum number of domains that were unavailable at the same time.

        If `cause` is not None, only absences with this cause count. A domain is unavailable while any of its
        instances is unavailable. Two domains do not overlap if one becomes available at the moment when the
        other becomes unavailable.
        """
        wanted = [absence for absence in self.absences(scale_set) if cause is None or absence.cause == cause]
        return max(
            (
                len({key(other.domain) for other in wanted if _covers(other, absence.since)})
                for absence in wanted
                if absence.until != absence.since
            ),
            default=0,
        )


def _covers(absence: Absence, at: datetime) -> bool:
    return absence.since <= at and (absence.until is None or at < absence.until)


def _absences(events: list[Event], scale_set: str) -> Iterator[Absence]:
    open_ones: dict[tuple[str, str], Absence] = {}
    for event in events:
        if event.instance_id is None or event.domain is None or not _is_of(event, scale_set):
            continue
        key = (f"{event.subscription}/{event.group}".lower(), event.instance_id)
        if event.kind == "unavailable":
            open_ones[key] = Absence(
                event.scale_set, event.instance_id, event.domain, event.cause, event.at, None
            )
        elif event.kind in ("available", "deleted") and key in open_ones:
            yield replace(open_ones.pop(key), until=event.at)
    yield from open_ones.values()


def _is_of(event: Event, scale_set: str) -> bool:
    return is_called(scale_set, event.subscription, event.group, event.scale_set)


def is_called(name: str, *path: str) -> bool:
    """Whether `name` matches the end of a scale set's path: subscription, group, name.

    >>> [is_called(name, "s", "shop", "web") for name in ("web", "Shop/web", "s/shop/web", "other/web")]
    [True, True, True, False]
    """
    wanted = name.lower().split("/")
    return [part.lower() for part in path][-len(wanted) :] == wanted
