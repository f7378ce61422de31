"""The domain of an instance: the unit that a rollout takes out of service as a whole.

Equal numbers do not mean equal domains. Two instances with the same number share an update domain only if
they also share the placement group and, on a zonal scale set, the zone. To add an ordering, add a value of
`By`, an entry below, a value in the schema, and a topology in the property tests.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from reconciler.rollout.observed import Instance
from reconciler.spec.scale_set import By


@dataclass(frozen=True, slots=True, order=True)
class Domain:
    """A domain. A rollout sorts domains by these fields, in this order. The number -1 means none.

    `rank` is the position of the domain in `rollout.order`. `noun` is what the number counts: "update
    domain", "fault domain", or "" if the scale set is divided only by zones, or not at all.
    """

    rank: int = field(default=0, kw_only=True)
    zone: str
    placement_group: str
    number: int
    noun: str

    def __str__(self) -> str:
        """
        >>> print(Domain("2", "", 3, "update domain"))
        zone 2, update domain 3
        >>> print(Domain("", "", -1, ""))
        the scale set
        """
        return self.name or "the scale set"

    @property
    def name(self) -> str:
        """The name of the domain, or "" if the scale set is not divided into domains."""
        parts = [f"zone {self.zone}"] if self.zone else []
        if self.number >= 0:
            parts.append(f"{self.noun} {self.number}")
        if self.placement_group:
            parts.append(f"placement group {self.placement_group[:8]}")
        return ", ".join(parts)


Grouping = Callable[[Instance], Domain]

_NOUNS = {By.UPDATE_DOMAIN: "update domains", By.ZONE: "zones", By.FAULT_DOMAIN: "fault domains"}


class DomainsUnknown(Exception):
    """The spec names a kind of domain that Azure does not report for this scale set."""


def rank(domain: Domain, order: Sequence[str]) -> Domain:
    """`domain`, ranked by the first entry of `order` that it matches, or else after all entries.

    A domain matches an entry if it has all parts of the entry.

    >>> order = ["zone 2", "update domain 4"]
    >>> [rank(Domain(zone, "", 4, "update domain"), order).rank for zone in ("1", "2")]
    [1, 0]
    """
    if not order:
        return domain
    parts = set(str(domain).split(", "))
    fitting = (number for number, entry in enumerate(order) if parts.issuperset(entry.split(", ")))
    return replace(domain, rank=next(fitting, len(order)))


def grouping(by: By, order: Sequence[str], instances: Sequence[Instance]) -> Grouping:
    """A function that maps each instance of this scale set to its domain, ranked by `order`.

    A kind of domain is used as soon as one instance reports it. Azure can be slow to assign a domain to an
    instance, but the delay must not switch the whole scale set to another ordering in the middle of a
    rollout. Raises DomainsUnknown if the spec names a kind of domain that no instance reports.
    """
    if not instances:
        return _whole
    numbered = any(instance.update_domain is not None for instance in instances)
    zonal = any(instance.zone for instance in instances)
    racked = any(instance.fault_domain is not None for instance in instances)
    many_groups = len({instance.placement_group for instance in instances} - {""}) > 1

    def update_domain(instance: Instance) -> Domain:
        return _domain(instance, instance.update_domain, "update domain", many_groups)

    def fault_domain(instance: Instance) -> Domain:
        return _domain(instance, instance.fault_domain, "fault domain", many_groups)

    def zone(instance: Instance) -> Domain:
        return update_domain(instance) if numbered else Domain(instance.zone, "", -1, "")

    reported = {By.UPDATE_DOMAIN: numbered, By.ZONE: zonal, By.FAULT_DOMAIN: racked, By.BATCH: True}
    groupings = {
        By.UPDATE_DOMAIN: update_domain,
        By.ZONE: zone,
        By.FAULT_DOMAIN: fault_domain,
        By.BATCH: _whole,
    }
    for choice in groupings if by is By.AUTO else (by,):
        if reported[choice]:
            return _remembering(groupings[choice], order)
    raise DomainsUnknown(
        f"rollout.by is {by}, but Azure reports no {_NOUNS[by]} for this scale set; set rollout.by to `auto` "
        "or `batch`"
    )


def _remembering(unranked: Grouping, order: Sequence[str]) -> Grouping:
    """Add ranks and a cache to `unranked`. A decision asks for each instance's domain several times."""
    known: dict[tuple[object, ...], Domain] = {}

    def domain(instance: Instance) -> Domain:
        place = (instance.zone, instance.placement_group, instance.update_domain, instance.fault_domain)
        found = known.get(place)
        if found is None:
            found = known[place] = rank(unranked(instance), order)
        return found

    return domain


def _whole(_: Instance) -> Domain:
    return Domain("", "", -1, "")


def _domain(instance: Instance, number: int | None, noun: str, many_groups: bool) -> Domain:
    group = instance.placement_group if many_groups else ""
    return Domain(instance.zone, group, -1 if number is None else number, noun)
