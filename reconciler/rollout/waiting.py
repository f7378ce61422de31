"""Waiting for the instances of a batch: which of them, how long, and when the rollout has failed at it."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from reconciler.rollout.decision import Decision
from reconciler.rollout.domains import Domain, Grouping
from reconciler.rollout.health import State
from reconciler.rollout.member import Member, is_overdue
from reconciler.rollout.observed import Instance, Model, Observed
from reconciler.rollout.pace import last_back
from reconciler.rollout.reason import Reason
from reconciler.rollout.survey import Survey
from reconciler.rollout.wording import ailing, listed, moment
from reconciler.spec.duration import written
from reconciler.spec.image import short
from reconciler.spec.scale_set import ScaleSet


def awaited(desired: ScaleSet, staying: Sequence[Member], at: datetime, *, is_last: bool) -> list[Instance]:
    """The instances that a rollout waits for before it goes on: none that `maxUnhealthyUpgraded` gives up
    for lost.

    Judged by those upgraded so far, so that a share never gives the canary up. Where nothing is left to go on
    to (`is_last`), all are waited for.
    """
    waited_for = [each for each in staying if each.is_awaited]
    lost = [each for each in waited_for if not each.is_outdated and is_overdue(each.instance, desired, at)]
    upgraded = sum(not each.is_outdated for each in staying)
    is_tolerated = not is_last and len(lost) <= desired.rollout.max_unhealthy_upgraded.within(upgraded)
    given_up = lost if is_tolerated else []
    return [each.instance for each in waited_for if each not in given_up]


def waiting(
    instances: Sequence[Instance], domain_of: Grouping, desired: ScaleSet, observed: Observed, counts: Survey
) -> Decision:
    """What is said while these are waited for, and of those that took too long."""
    domains = _named(sorted({domain_of(each) for each in instances}))
    holds = "" if counts.up_to_date == counts.total else "; no other instance is touched until then"
    if overdue := [each for each in instances if is_overdue(each, desired, observed.at)]:
        stopped = any(each.power == "stopped" for each in overdue)
        mend = " (start, deallocate or protect what is stopped)" if stopped else ""
        return Decision(
            Reason.HEALTH_CHECK_FAILED,
            f"{domains}: {ailing(overdue)}, not healthy within {written(desired.health.timeout)} of the last "
            f"change{mend}{holds}",
            survey=counts,
        )
    if late := stalled(desired, observed, counts):
        return replace(late, message=f"{domains}: waiting for {ailing(instances)}, and {late.message}{holds}")
    return Decision(
        Reason.WAITING_FOR_INSTANCES,
        f"{domains}: waiting for {ailing(instances)}; {counts.done}",
        soon=True,
        survey=counts,
    )


def stalled(desired: ScaleSet, observed: Observed, counts: Survey) -> Decision | None:
    """A batch has been waited for or tried again for too long, and nothing comes of it; or None."""
    since, patience = observed.streak.waiting_since, desired.rollout.progress_deadline
    if since is None or observed.at - since <= patience:
        return None
    return Decision(
        Reason.PROGRESS_DEADLINE_EXCEEDED,
        f"no further instance has come back within {written(patience)} (spec.rollout.progressDeadline)",
        survey=counts,
    )


def overrun(
    desired: ScaleSet, model: Model, observed: Observed, staying: Sequence[Member], counts: Survey
) -> Decision | None:
    """The rollout as a whole has taken too long, by the moment that is marked on the scale set.

    The mark outlives the rollout: one that was seen to end is none any more; nor, to a process that saw
    neither its beginning nor its end, is one of which nothing came back for as long as the deadline. An
    instance that was left out then and may go now is no part of it.
    """
    at, deadline = observed.at, desired.rollout.deadline
    began = model.marks.began_at(desired.image)
    if began is None or deadline is None or at - began <= deadline:
        return None
    is_under_way, latest = observed.streak.is_under_way, last_back(staying)
    if is_under_way is None:
        is_under_way = latest is None or at - latest <= deadline
    if not is_under_way:
        return None
    return Decision(
        Reason.DEADLINE_EXCEEDED,
        f"the rollout to {short(desired.image)} began at {moment(began)} and is not done within "
        f"{written(deadline)} (spec.rollout.deadline); {counts.done}; extend it, or name another image",
        survey=counts,
    )


def confirming(
    desired: ScaleSet, staying: Sequence[Member], observed: Observed, counts: Survey
) -> Decision | None:
    """The looks that are still to find every upgraded instance healthy, or None."""
    seen = observed.streak.passes + 1
    upgraded = [each for each in staying if not each.is_outdated and each.state is State.BACK]
    if seen >= desired.health.passes or not upgraded:
        return None
    return Decision(
        Reason.CONFIRMING_HEALTH,
        f"every upgraded instance is healthy, seen {seen} of {desired.health.passes} times in a row "
        f"(spec.health.passes); {counts.done}",
        soon=True,
        survey=counts,
    )


def _named(domains: Sequence[Domain]) -> str:
    return listed(str(domain) for domain in domains)
