"""The next batch: which instances of which domain are taken together."""

from collections.abc import Sequence

from reconciler.rollout.decision import Decision
from reconciler.rollout.domains import Grouping
from reconciler.rollout.health import State
from reconciler.rollout.member import Member
from reconciler.rollout.reason import Reason
from reconciler.rollout.step import Upgrade
from reconciler.rollout.survey import Survey
from reconciler.rollout.wording import listed
from reconciler.spec.image import short
from reconciler.spec.scale_set import ScaleSet


def batch(
    desired: ScaleSet,
    candidates: Sequence[Member],
    most: int,
    domain_of: Grouping,
    counts: Survey,
    *,
    is_return: bool,
) -> Decision:
    """The upgrade of at most so many of one domain, the first in order; on the way back the last."""
    foremost = max if is_return else min
    domain = foremost(domain_of(each.instance) for each in candidates)
    inside = [each for each in candidates if domain_of(each.instance) == domain]
    inside.sort(key=_by_id, reverse=is_return)
    taken = inside[: min(most, desired.rollout.max_batch.of(counts.total))]
    named = listed(each.instance.name for each in taken)
    return Decision(
        Reason.UPGRADING,
        f"{domain}: {'returning' if is_return else 'upgrading'} {_counted(taken)} to {short(desired.image)} "
        f"({named}); {counts.done}",
        step=Upgrade(tuple(each.instance.id for each in taken), desired.image),
        soon=True,
        survey=counts.taking(domain, sum(each.state is State.BACK for each in taken)),
    )


def _by_id(member: Member) -> tuple[int, str]:
    """The order of ids, of which most are numbers without leading zeros."""
    return len(member.instance.id), member.instance.id


def _counted(taken: Sequence[Member]) -> str:
    return "1 instance" if len(taken) == 1 else f"{len(taken)} instances"
