"""How a person names the place of instances in a scale set: by zone, domain or placement group."""

from collections.abc import Iterable, Sequence
from typing import Protocol, TypeVar

from reconciler.rollout.domains import Domain


class Placed(Protocol):
    """The part of an instance that shows its place."""

    @property
    def id(self) -> str: ...
    @property
    def zone(self) -> str: ...
    @property
    def placement_group(self) -> str: ...
    @property
    def update_domain(self) -> int | None: ...
    @property
    def fault_domain(self) -> int | None: ...


_Instance = TypeVar("_Instance", bound=Placed)


def place_names(instance: Placed) -> tuple[str, ...]:
    """The names of the zone, domains and placement group of the instance, as in messages and specs."""
    update = Domain(instance.zone, instance.placement_group, _number(instance.update_domain), "update domain")
    fault = Domain("", "", _number(instance.fault_domain), "fault domain")
    return tuple(name for each in (update, fault) for name in each.name.split(", ") if name)


def whole_name(place: str, instances: Sequence[Placed]) -> str:
    """The full name of a place, from what a person wrote.

    A number alone means an update domain or, where Azure reports none, a zone, and otherwise a fault domain.
    """
    if place.strip().isdecimal():
        return f"{_kind_of_number(instances)} {int(place)}"
    return ", ".join(" ".join(part.split()) for part in place.casefold().split(","))


def instances_at(place: str, instances: Sequence[_Instance]) -> list[_Instance]:
    """The instances at the place with this full name: "update domain 3", or "zone 1, update domain 3".

    As in `rollout.order`, a domain without a zone means the domain in every zone.
    """
    wanted = set(place.split(", "))
    return [each for each in instances if wanted.issubset(place_names(each))]


def places(instances: Iterable[Placed]) -> list[str]:
    """The names of all places of these instances, sorted by kind and then by number."""
    named = {name for each in instances for name in place_names(each)}
    return sorted(named, key=lambda name: (name.rpartition(" ")[0], len(name), name))


def _kind_of_number(instances: Sequence[Placed]) -> str:
    if any(each.update_domain is not None for each in instances):
        return "update domain"
    return "zone" if any(each.zone for each in instances) else "fault domain"


def _number(domain: int | None) -> int:
    return -1 if domain is None else domain
