"""The next batch: which instances of which domain are taken together."""

from collections.abc import Sequence

from reconciler.rollout.decision import Decision
from reconciler.rollout.domains import Grouping
from reconciler.rollout.observed import Instance
from reconciler.rollout.reason import Reason
from reconciler.rollout.step import Upgrade
from reconciler.rollout.survey import Survey
from reconciler.rollout.wording import listed
from reconciler.spec.image import short
from reconciler.spec.scale_set import ScaleSet


def batch(
    desired: ScaleSet,
    candidates: Sequence[Instance],
    most: int,
    domain_of: Grouping,
    counts: Survey,
    *,
    is_return: bool,
) -> Decision:
    """The upgrade of at most so many of one domain, the first in order; on the way back the last."""
    foremost = max if is_return else min
    domain = foremost(domain_of(each) for each in candidates)
    inside = sorted((each for each in candidates if domain_of(each) == domain), key=_by_id, reverse=is_return)
    taken = inside[: min(most, desired.rollout.max_batch.of(counts.total))]
    named = listed(each.name for each in taken)
    return Decision(
        Reason.UPGRADING,
        f"{domain}: {'returning' if is_return else 'upgrading'} {_counted(taken)} to {short(desired.image)} "
        f"({named}); {counts.done}",
        step=Upgrade(tuple(each.id for each in taken), desired.image),
        soon=True,
        survey=counts.taking(domain, len(taken)),
    )


def _by_id(instance: Instance) -> tuple[int, str]:
    """The order of ids, of which most are numbers without leading zeros."""
    return len(instance.id), instance.id


def _counted(taken: Sequence[Instance]) -> str:
    return "1 instance" if len(taken) == 1 else f"{len(taken)} instances"
