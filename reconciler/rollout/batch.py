"""The next batch: which instances of which domain are taken together."""

from collections.abc import Sequence

from reconciler.rollout.context import Context
from reconciler.rollout.decision import Decision
from reconciler.rollout.health import State
from reconciler.rollout.member import Member
from reconciler.rollout.reason import Reason
from reconciler.rollout.step import Upgrade
from reconciler.rollout.wording import join
from reconciler.spec.image import short


def batch(context: Context, candidates: Sequence[Member], most: int) -> Decision:
    """The upgrade of at most so many of one domain, the first in order; on the way back the last."""
    domain_of, counts, is_return = context.domain_of, context.counts, context.is_return
    foremost = max if is_return else min
    domain = foremost(domain_of(each.instance) for each in candidates)
    inside = [each for each in candidates if domain_of(each.instance) == domain]
    inside.sort(key=_by_id, reverse=is_return)
    # Of ten instances with maxBatch 20%, two; fewer where maxUnavailable or a canary leaves less room.
    taken = inside[: min(most, context.rollout.max_batch.of(counts.total))]
    named = join(each.instance.name for each in taken)
    return Decision(
        Reason.UPGRADING,
        f"{domain}: {'returning' if is_return else 'upgrading'} {_count(taken)} to {short(context.image)} "
        f"({named}); {counts.done}",
        step=Upgrade(tuple(each.instance.id for each in taken), context.image),
        soon=True,
        counts=counts.taking(domain, sum(each.state is State.BACK for each in taken)),
    )


def _by_id(member: Member) -> tuple[int, str]:
    """The order of ids, of which most are numbers without leading zeros."""
    return len(member.instance.id), member.instance.id


def _count(taken: Sequence[Member]) -> str:
    return "1 instance" if len(taken) == 1 else f"{len(taken)} instances"
