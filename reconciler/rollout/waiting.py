"""The wait for the instances of a batch: which instances, for how long, and when the rollout has failed."""

from collections.abc import Sequence
from dataclasses import replace

from reconciler.rollout.batching import last_recovery, soak_wait
from reconciler.rollout.context import Aim, Context
from reconciler.rollout.decision import Decision
from reconciler.rollout.evidence import MOST_RELAPSES, is_flapping
from reconciler.rollout.health import State
from reconciler.rollout.member import is_overdue
from reconciler.rollout.observed import Instance
from reconciler.rollout.reason import Reason
from reconciler.rollout.step import Attempt
from reconciler.rollout.wording import describe, describe_progress, list_names, list_numbered, moment
from reconciler.spec.duration import format_duration
from reconciler.spec.image import short


def awaited_instances(context: Context, *, is_last: bool) -> list[Instance]:
    """The instances that a rollout waits for before its next batch.

    Instances that `maxUnhealthyUpgraded` tolerates are left out. The tolerance is relative to the instances
    upgraded so far, so that it never covers a canary alone. If nothing is left to upgrade (`is_last`), no
    instance is tolerated.
    """
    desired, at = context.desired, context.at
    # An instance that did not serve when it was upgraded is waited for no longer than health.timeout.
    not_serving = context.observed.progress.not_serving if _is_followed_safely(context) else frozenset()
    waited_for = [
        each
        for each in context.members
        if each.is_awaited
        and (is_last or each.instance.id not in not_serving or not is_overdue(each.instance, desired, at))
    ]
    overdue = [each for each in waited_for if each.is_tried and is_overdue(each.instance, desired, at)]
    upgraded = sum(each.is_tried for each in context.members)
    # maxUnhealthyUpgraded 1, three instances upgraded: one overdue instance is tolerated, two are waited for.
    is_tolerated = not is_last and len(overdue) <= context.rollout.max_unhealthy_upgraded.within(upgraded)
    tolerated = overdue if is_tolerated else []
    return [each.instance for each in waited_for if each not in tolerated]


def _is_followed_safely(context: Context) -> bool:
    """Whether the rollout may go on if instances that did not serve before their upgrade still do not.

    It may if a healthy upgraded instance shows that the image works, or if Azure reports whether one of the
    remaining instances serves. If Azure reports too little about all of the remaining instances, they might
    serve, and their upgrade might end that.

    20 instances, none reports its power state or its health, 4 upgraded: none of the 16 may follow
    20 instances, 6 of them report nothing: the other 14 go first, and the 6 may follow
    """
    if any(not each.is_outdated and each.state is State.HEALTHY for each in context.members):
        return True
    return not context.movable or not all(each.may_serve for each in context.movable)


def instance_wait(context: Context, instances: Sequence[Instance]) -> Decision:
    """The decision to wait for these instances, or to report that they took too long."""
    desired, counts = context.desired, context.counts
    place = _domains(context, instances)
    is_complete = counts.up_to_date == counts.total
    overdue = [each for each in instances if is_overdue(each, desired, context.at)]
    next_ = "" if is_complete else f"; the rollout is on hold until {_recovery(overdue or instances)}"
    if overdue:
        stopped = any(each.power == "stopped" for each in overdue)
        them = "it" if len(overdue) == 1 else "the stopped instances"
        fix = f"; start, deallocate or protect {them}" if stopped else ""
        cause = (
            f"{describe(overdue)}{_domains(context, overdue)} did not become healthy within "
            f"{format_duration(desired.health.timeout)}"
        )
        return Decision(Reason.HEALTH_CHECK_FAILED, f"{cause}{next_}{fix}", counts=counts, cause=cause)
    if context.observed.progress.relapses >= MOST_RELAPSES:
        is_one = len(instances) == 1
        cause = (
            f"{list_names(each.name for each in instances)}{place} {'has' if is_one else 'have'} become "
            f"unhealthy {MOST_RELAPSES} times{'' if is_one else ' in total'} since the upgrade"
        )
        return Decision(Reason.HEALTH_CHECK_FAILED, f"{cause}{next_}", counts=counts, cause=cause)
    if late := missed_progress_deadline(context):
        who = f"{describe(instances)}{place}"
        cause = f"{late.message}, and the rollout is still waiting for {who}"
        recover = "recovers" if len(instances) == 1 else "recover"
        message = cause if is_complete else f"{late.message}; the rollout is on hold until {who} {recover}"
        return replace(late, message=message, cause=cause)
    return Decision(
        Reason.WAITING_FOR_INSTANCES,
        f"waiting for {describe(instances)}{place} to become healthy; {context.summary}",
        soon=True,
        counts=counts,
        continues_failure=_has_failed(context) or _are_retried(context, instances),
    )


def _has_failed(context: Context) -> bool:
    """Whether the image has failed in this scale set, according to the tags or to this process."""
    blamed = context.observed.progress.blamed
    return context.model.persisted.has_failed(context.image) or bool(blamed and blamed.is_of(context.image))


def _are_retried(context: Context, instances: Sequence[Instance]) -> bool:
    """Whether the last upgrade retried these instances, and has brought none of them to the image yet."""
    attempt = context.observed.attempt
    if attempt is None or attempt.tries == 1 or not attempt.is_upgrade_to(context.image):
        return False
    return all(each.id in attempt.instance_ids and not each.runs(context.image) for each in instances)


def relapse_during_soak(context: Context) -> Decision | None:
    """The failure of instances that became unhealthy too often during their soak, or None.

    The instances are healthy now. If every observation found an instance healthy, only the time that Azure
    reports for its health shows that it relapsed.
    """
    flapping = [each.instance for each in context.members if is_flapping(each)]
    if not flapping or soak_wait(context) is None:
        return None
    is_one = len(flapping) == 1
    cause = (
        f"{list_names(each.name for each in flapping)}{_domains(context, flapping)} "
        f"{'has' if is_one else 'have each'} become unhealthy {MOST_RELAPSES} times since the upgrade"
    )
    staying = f"{flapping[0].name} stays" if is_one else "these instances stay"
    return Decision(
        Reason.HEALTH_CHECK_FAILED,
        f"{cause}; the rollout is on hold until {staying} healthy for a full soak",
        counts=context.counts,
        cause=cause,
    )


def missed_progress_deadline(context: Context) -> Decision | None:
    """The failure of a batch if `progressDeadline` passed before another instance became healthy, or None."""
    since, deadline = context.observed.progress.waiting_since, context.rollout.progress_deadline
    if since is None or context.at - since <= deadline:
        return None
    return Decision(
        Reason.PROGRESS_DEADLINE_EXCEEDED,
        f"{format_duration(deadline)} passed without another instance becoming healthy",
        counts=context.counts,
    )


def endless_upgrade(aim: Aim, attempt: Attempt) -> Decision | None:
    """The failure of a batch that Azure has been upgrading for longer than `progressDeadline`, or None.

    What the instances report does not matter.
    """
    deadline = aim.rollout.progress_deadline
    if aim.at - attempt.at <= deadline:
        return None
    return Decision(
        Reason.PROGRESS_DEADLINE_EXCEEDED,
        f"{describe_progress(attempt)}, longer than progressDeadline ({format_duration(deadline)})",
    )


def missed_rollout_deadline(context: Context) -> Decision | None:
    """The failure of a rollout that has taken longer than `deadline`, not counting its holds, or None.

    A missed deadline is no evidence against the image, so the rollout only stops.

    The tags record when the rollout began. That time stays in the tags after the rollout, so it no longer
    counts once this process has seen the rollout end. If this process has seen neither the beginning nor the
    end, the rollout counts as ended if the last instance became healthy longer ago than the deadline. An
    instance that was left out then and can be upgraded now is not part of that rollout.

    deadline 4h, began at 09:00, suspended for 1h: exceeded after 14:00
    """
    at, deadline, counts = context.at, context.rollout.deadline, context.counts
    began = context.model.persisted.began_at(context.image)
    if began is None or deadline is None:
        return None
    if at - began - context.observed.progress.hold_until(at) <= deadline:
        return None
    is_under_way, latest = context.observed.progress.is_under_way, last_recovery(context.members)
    if is_under_way is None:
        is_under_way = latest is None or at - latest <= deadline
    if not is_under_way:
        return None
    return Decision(
        Reason.DEADLINE_EXCEEDED,
        f"the rollout to {short(context.image)} began at {moment(began)} and is past its deadline of "
        f"{format_duration(deadline)}; extend it, or declare another image; {counts.summary}",
        counts=counts,
    )


def health_confirmation(context: Context) -> Decision | None:
    """The decision to wait for further observations that find every upgraded instance healthy, or None.

    passes 3, two observations in a row found all healthy: one more
    """
    seen, wanted = context.observed.progress.passes + 1, context.desired.health.passes
    upgraded = [each for each in context.members if not each.is_outdated and each.state is State.HEALTHY]
    if seen >= wanted or not upgraded:
        return None
    return Decision(
        Reason.CONFIRMING_HEALTH,
        f"all upgraded instances passed health check {seen} of {wanted} (health.passes); {context.summary}",
        soon=True,
        counts=context.counts,
    )


def _recovery(instances: Sequence[Instance]) -> str:
    return f"{instances[0].name} recovers" if len(instances) == 1 else "these instances recover"


def _domains(context: Context, instances: Sequence[Instance]) -> str:
    """The domains of these instances as a phrase: " in update domain 0", or "" if no domain has a name."""
    names = [domain.name for domain in sorted({context.domain_of(each) for each in instances}) if domain.name]
    return f" in {list_numbered(names)}" if names else ""
