"""A count of the instances of a scale set by domain: where a rollout stands, for tables and messages."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from reconciler.rollout.domains import Domain, Grouping
from reconciler.rollout.health import State
from reconciler.rollout.observed import Instance


@dataclass(frozen=True, slots=True)
class Tally:
    """The instances of one domain: all, those up to date, and those not serving just now."""

    domain: Domain
    total: int
    up_to_date: int
    away: int


@dataclass(frozen=True, slots=True)
class Survey:
    """Every domain of a scale set, in rollout order."""

    tallies: tuple[Tally, ...]

    def taking(self, domain: Domain, instances: int) -> "Survey":
        """The same with so many instances of `domain` away: what it comes to once a batch is taken."""
        return Survey(
            tuple(
                replace(tally, away=max(tally.away, instances)) if tally.domain == domain else tally
                for tally in self.tallies
            )
        )

    @property
    def total(self) -> int:
        return sum(tally.total for tally in self.tallies)

    @property
    def up_to_date(self) -> int:
        return sum(tally.up_to_date for tally in self.tallies)

    @property
    def away(self) -> int:
        return sum(tally.away for tally in self.tallies)


def survey(
    instances: Iterable[Instance], grouping: Grouping, standing: Mapping[str, State], outdated: frozenset[str]
) -> Survey:
    """Count `instances` by domain; `standing` and `outdated` go by instance id."""
    by_domain: dict[Domain, list[Instance]] = {}
    for instance in instances:
        by_domain.setdefault(grouping(instance), []).append(instance)
    return Survey(
        tuple(
            Tally(
                domain=domain,
                total=len(members),
                up_to_date=sum(member.id not in outdated for member in members),
                away=sum(standing[member.id] is not State.BACK for member in members),
            )
            for domain, members in sorted(by_domain.items())
        )
    )
