"""The simulator's own record of what was asked and what happened, for tests to judge by.

It is append-only and owes nothing to any client: `requests` is every exchange in order, `events` is what
became of scale sets and their instances. An instance is *away* from the instant something begins to take it
down (or it crashes, turns unhealthy, is deallocated, or is being created) until it runs and, where it has a
health source, is healthy.
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
    """How one instance stood at a moment, and on which image; `is_behind` where the model would change it."""

    status: InstanceStatus
    domain: Domain
    image: str
    is_behind: bool
    is_protected: bool


@dataclass(frozen=True, slots=True)
class ScaleSetSnapshot:
    """A scale set at a moment: the image of its model, its tags, and its instances by id."""

    image: str
    tags: Mapping[str, str]
    instances: Mapping[str, InstanceSnapshot]


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request and what became of it.

    `status` is 0 when the client got no answer; `body` is what a write said, `before` the scale set that it
    found. `door` is that of the request, and `fault` what struck on the way. `if_match` is the etag that a
    write asks for, "" where it asks for none.
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
    """`instance_id` and `domain` are None for events of the whole scale set ("model")."""

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
    """One stretch of one instance being away; `until` is None while it still is."""

    scale_set: str
    instance_id: str
    domain: Domain
    cause: str
    since: datetime
    until: datetime | None


def by_update_domain(domain: Domain) -> Hashable:
    """One domain, unless a test says otherwise: numbers start again in each zone and placement group."""
    return (domain.zone, domain.placement_group, domain.update_domain)


@dataclass(slots=True)
class Record:
    """`images_of` looks up the image each instance of a scale set runs now."""

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
        """Instance id to the name of the image it runs now."""
        return self.images_of(scale_set)

    def absences(self, scale_set: str) -> tuple[Absence, ...]:
        """Every stretch of an instance being away, in order of beginning.

        `scale_set` is a name, "group/name" or "subscription/group/name".
        """
        return tuple(sorted(_absences(self._events, scale_set), key=lambda absence: absence.since))

    def unavailable_at(self, scale_set: str, at: datetime) -> frozenset[str]:
        """Ids of the instances away at a moment; one that came back at that very moment is back."""
        return frozenset(absence.instance_id for absence in self.absences(scale_set) if _covers(absence, at))

    def max_unavailable_domains(
        self,
        scale_set: str,
        cause: str | None = "manualupgrade",
        key: Callable[[Domain], Hashable] = by_update_domain,
    ) -> int:
        """The most distinct domains that had an instance away for `cause` (None: any) at one moment.

        A domain that comes back at the instant another goes does not overlap it.
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
    """Whether `name` is the end of the path of a scale set: subscription, group, name.

    >>> [is_called(name, "s", "shop", "web") for name in ("web", "Shop/web", "s/shop/web", "other/web")]
    [True, True, True, False]
    """
    wanted = name.lower().split("/")
    return [part.lower() for part in path][-len(wanted) :] == wanted
