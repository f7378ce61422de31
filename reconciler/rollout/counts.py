"""The instances of a scale set, counted by domain for tables and messages."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from reconciler.rollout.domains import Domain, Grouping
from reconciler.rollout.health import State
from reconciler.rollout.member import Member
from reconciler.spec.wording import count


@dataclass(frozen=True, slots=True)
class DomainCounts:
    """How many instances one domain has, in total and by state.

    `back` instances are up to date and healthy. `unavailable` instances are not healthy. `left_out` instances
    are outdated, but neither upgraded nor waited for: for example, they are protected, deallocated, or
    without a known image. `unhealthy` instances are unavailable, but neither left out nor deallocated.
    `not_serving` instances are known not to serve, and count against `maxUnhealthy`.
    """

    domain: Domain
    total: int
    up_to_date: int
    back: int
    unavailable: int
    left_out: int = 0
    unhealthy: int = 0
    deallocated: int = 0
    not_serving: int = 0


@dataclass(frozen=True, slots=True)
class InstanceCounts:
    """The counts of every domain of a scale set, in rollout order."""

    domains: tuple[DomainCounts, ...]

    def with_batch(self, domain: Domain, serving: int) -> "InstanceCounts":
        """The counts once a batch has started: `serving` more instances of `domain` are unavailable."""
        return InstanceCounts(
            tuple(
                replace(each, unavailable=each.unavailable + serving) if each.domain == domain else each
                for each in self.domains
            )
        )

    @property
    def total(self) -> int:
        return sum(each.total for each in self.domains)

    @property
    def up_to_date(self) -> int:
        return sum(each.up_to_date for each in self.domains)

    @property
    def left_out(self) -> int:
        return sum(each.left_out for each in self.domains)

    @property
    def unhealthy(self) -> int:
        return sum(each.unhealthy for each in self.domains)

    @property
    def deallocated(self) -> int:
        return sum(each.deallocated for each in self.domains)

    @property
    def not_serving(self) -> int:
        return sum(each.not_serving for each in self.domains)

    @property
    def summary(self) -> str:
        """The progress of the rollout: "3 of 10 instances up to date"."""
        return f"{self.up_to_date} of {count(self.total, 'instance')} up to date"

    @property
    def back(self) -> int:
        return sum(each.back for each in self.domains)

    @property
    def unavailable(self) -> int:
        return sum(each.unavailable for each in self.domains)


def count_instances(members: Iterable[Member], grouping: Grouping) -> InstanceCounts:
    by_domain: dict[Domain, list[Member]] = {}
    for member in members:
        by_domain.setdefault(grouping(member.instance), []).append(member)
    return InstanceCounts(tuple(_count_domain(domain, by_domain[domain]) for domain in sorted(by_domain)))


def _count_domain(domain: Domain, inside: Sequence[Member]) -> DomainCounts:
    # A healthy instance counts in none of the other ways unless it is outdated, and most are healthy.
    outdated = [member for member in inside if member.is_outdated]
    unavailable = [member for member in inside if member.state is not State.HEALTHY]
    return DomainCounts(
        domain=domain,
        total=len(inside),
        up_to_date=len(inside) - len(outdated),
        back=sum(not member.is_outdated and member.state is State.HEALTHY for member in inside),
        unavailable=len(unavailable),
        left_out=sum(member.is_left_out for member in outdated),
        unhealthy=sum(member.is_unhealthy for member in unavailable),
        deallocated=sum(member.state is State.DEALLOCATED for member in unavailable),
        not_serving=sum(member.is_not_serving for member in unavailable),
    )
