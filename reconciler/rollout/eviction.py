"""Spot instances that Azure evicts soon after their upgrade. An eviction proves nothing about the image.

The next domain is upgraded only once an instance of the last batch is healthy. If no instance of that batch
is left, one other instance is upgraded alone. If more instances were evicted than tolerated, the rollout
continues one instance at a time and at growing intervals. The rollout never stops, because evictions are
normal for Spot.

    5 of 20 upgraded, 1 evicted, 4 healthy: the next 5 are upgraded
    5 of 20 upgraded, all 5 evicted: 1 is upgraded 8 minutes later, alone
    once that 1 is healthy: 1 more is upgraded, and so on; each further eviction doubles the 8 minutes, up
    to 30 minutes
"""

from datetime import timedelta

from reconciler.rollout.context import Context
from reconciler.rollout.decision import Decision
from reconciler.rollout.health import State
from reconciler.rollout.reason import Reason
from reconciler.rollout.step import Attempt, Upgrade
from reconciler.rollout.wording import time_of_day
from reconciler.spec.image import same
from reconciler.spec.wording import count

_TOLERATED = 2
_LONGEST = 30  # minutes


def count_evictions(context: Context) -> int:
    """How many instances Azure evicted within `health.timeout` of their upgrade in this rollout.

    Counts only evictions that this process observed.
    """
    if not context.model.is_spot or (attempt := _batch(context)) is None:
        return 0
    assert isinstance(attempt.step, Upgrade)  # noqa: S101 - `_batch` gives no other
    return attempt.step.evicted + len(_evicted_ids(context, attempt))


def single_instance_reason(context: Context) -> str:
    """Why the next batch is limited to one instance, or "" if it is not."""
    if _excess(context) > 0:
        evicted = count(count_evictions(context), "instance")
        return f"because Azure evicted {evicted} soon after their upgrade"
    return "because the instances of the last batch no longer exist" if _is_last_batch_gone(context) else ""


def eviction_backoff(context: Context) -> Decision | None:
    """The decision to wait before the next upgrade if too many instances were evicted, or None."""
    excess, attempt = _excess(context), context.observed.attempt
    if excess <= 0 or attempt is None:
        return None
    until = attempt.at + timedelta(minutes=min(2**excess, _LONGEST))
    if context.at >= until:
        return None
    return Decision(
        Reason.EVICTED_AFTER_UPGRADE,
        f"Azure evicted {count_evictions(context)} instances soon after their upgrade; "
        f"the next instance will be upgraded after {time_of_day(until)}; {context.summary}",
        until=until,
        counts=context.counts,
    )


def _excess(context: Context) -> int:
    """The number of evicted instances minus the number tolerated."""
    upgraded = sum(not each.is_outdated for each in context.members)
    most = max(_TOLERATED, context.rollout.max_unhealthy_upgraded.within(upgraded))
    return count_evictions(context) - most


def _is_last_batch_gone(context: Context) -> bool:
    """Whether instances of the last batch are gone, and no healthy instance on the image replaces them.

    A healthy instance replaces them if it belongs to the batch or is newer than the batch.
    """
    back = [each.instance for each in context.members if not each.is_outdated and each.state is State.HEALTHY]
    attempt = _batch(context)
    if attempt is None:
        # This process did not start the batch.
        gone = [each for each in context.members if not each.is_outdated and each.state is State.DEALLOCATED]
        return bool(gone) and not back
    of_batch = {each.id for each in back} & set(attempt.instance_ids)
    is_made_since = any(each.created is not None and each.created >= attempt.at for each in back)
    return bool(_evicted_ids(context, attempt)) and not of_batch and not is_made_since


def _evicted_ids(context: Context, attempt: Attempt) -> list[str]:
    """The ids of the instances in the batch that are gone, or were deallocated soon after the upgrade."""
    left = {each.instance.id: each for each in context.members}
    latest = attempt.at + context.desired.health.timeout
    return [
        id_
        for id_ in attempt.instance_ids
        if (member := left.get(id_)) is None
        or (
            member.state is State.DEALLOCATED
            and (member.instance.since is None or member.instance.since <= latest)
        )
    ]


def _batch(context: Context) -> Attempt | None:
    """The last step if it was an upgrade to this image, or None."""
    attempt = context.observed.attempt
    is_ours = attempt and isinstance(attempt.step, Upgrade) and same(attempt.step.image, context.image)
    return attempt if is_ours else None
