"""What Azure takes back soon after its upgrade, as it does with Spot: it proves nothing about the image.

The next domain goes only once something of the last batch is back. Where nothing of it is left, one further
instance is taken, alone, as a new probe. Where more were evicted than may be, the set goes on one instance at
a time and ever more slowly, but it goes on: evictions are the normal life of Spot.

    5 of 20 are taken, 1 is evicted, 4 are back: the next 5 are taken
    5 of 20 are taken, all 5 are evicted: 1 is taken 8 minutes later, alone
    that one is back: 1 is taken, and so on to the end; each eviction more doubles the 8 minutes, up to 30
"""

from datetime import timedelta

from reconciler.rollout.context import Context
from reconciler.rollout.decision import Decision
from reconciler.rollout.health import State
from reconciler.rollout.reason import Reason
from reconciler.rollout.step import Attempt, Upgrade
from reconciler.spec.image import same

_BORNE = 2
_LONGEST = 30  # minutes


def evictions(context: Context) -> int:
    """How many instances Azure has taken back within `health.timeout` of their upgrade in this rollout, as
    far as this process has seen."""
    if not context.model.is_spot or (attempt := _batch(context)) is None:
        return 0
    assert isinstance(attempt.step, Upgrade)  # noqa: S101 - `_batch` gives no other
    return attempt.step.evicted + len(_gone(context, attempt))


def lone_reason(context: Context) -> str:
    """Why the next instance goes alone, in words, or ""."""
    if _excess(context) > 0:
        return f"alone, because Azure has evicted {evictions(context)} soon after their upgrade"
    return "alone, because nothing of the last batch is left" if _is_unproven(context) else ""


def backing_off(context: Context) -> Decision | None:
    """The wait before the next instance, where too many were evicted; or None."""
    excess, attempt = _excess(context), context.observed.attempt
    if excess <= 0 or attempt is None:
        return None
    until = attempt.at + timedelta(minutes=min(2**excess, _LONGEST))
    if context.at >= until:
        return None
    return Decision(
        Reason.EVICTED_AFTER_UPGRADE,
        f"Azure has evicted {evictions(context)} instances soon after their upgrade; the next one goes alone "
        f"at {until:%H:%M:%S}; {context.counts.done}",
        until=until,
        counts=context.counts,
    )


def _excess(context: Context) -> int:
    """By how many there were more evictions than may be."""
    upgraded = sum(not each.is_outdated for each in context.members)
    most = max(_BORNE, context.rollout.max_unhealthy_upgraded.within(upgraded))
    return evictions(context) - most


def _is_unproven(context: Context) -> bool:
    """Whether something of the last batch is gone, and neither the rest of it nor what was made since is
    back on the image."""
    back = [each.instance for each in context.members if not each.is_outdated and each.state is State.BACK]
    attempt = _batch(context)
    if attempt is None:
        # A process that did not see the batch.
        gone = [each for each in context.members if not each.is_outdated and each.state is State.DEALLOCATED]
        return bool(gone) and not back
    of_batch = {each.id for each in back} & set(attempt.instance_ids)
    is_made_since = any(each.created is not None and each.created >= attempt.at for each in back)
    return bool(_gone(context, attempt)) and not of_batch and not is_made_since


def _gone(context: Context, attempt: Attempt) -> list[str]:
    """Those of the batch that are deallocated, or no longer there."""
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
    """The last upgrade, where it was to this image."""
    attempt = context.observed.attempt
    is_ours = attempt and isinstance(attempt.step, Upgrade) and same(attempt.step.image, context.image)
    return attempt if is_ours else None
