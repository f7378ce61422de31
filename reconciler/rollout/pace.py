"""How fast a rollout goes: which instances go first, and how long the last ones must have been back.

Both are read off the instances as they are, by Azure's own times, so that a restart changes nothing. What
does no work anyway is cured without either: a gate never bars its own cure.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from reconciler.rollout.decision import Decision, Reason
from reconciler.rollout.health import State
from reconciler.rollout.member import Member
from reconciler.rollout.survey import Survey
from reconciler.rollout.wording import ailing, listed
from reconciler.spec.duration import written
from reconciler.spec.scale_set import Canary, Rollout

# An instance whose state last changed so soon after it was made was not upgraded: it came with the image, and
# an autoscaler that keeps making such ones must not keep a rollout waiting.
_NEWBORN = timedelta(minutes=5)


def soaking(rollout: Rollout, members: Sequence[Member], at: datetime, counts: Survey) -> Decision | None:
    """The wait until the last batch has been back for long enough, or None."""
    canary = rollout.canary
    is_canary = canary is not None and _is_all(canary, members)
    length = max(rollout.soak, canary.soak) if canary and is_canary else rollout.soak
    upgraded = [each.instance for each in members if not each.is_outdated and each.state is State.BACK]
    since = max(
        (each.since for each in upgraded if each.since and not _is_newborn(each.since, each.created)),
        default=None,
    )
    if since is None or since + length <= at:
        return None
    young = listed(each.name for each in upgraded if each.since and each.since + length > at)
    return Decision(
        Reason.SOAKING,
        f"{'canary ' if is_canary else ''}{young}: back since {since:%H:%M:%S}; the next batch goes at "
        f"{since + length:%H:%M:%S} (soak {written(length)}); {counts.up_to_date} of {counts.total} up to "
        "date",
        until=since + length,
        survey=counts,
    )


def room(rollout: Rollout, members: Sequence[Member], counts: Survey) -> int | Decision:
    """How many more may be taken down, or why none may.

    What is deallocated was given back on purpose.
    """
    away = [each.instance for each in members if each.state not in {State.BACK, State.DEALLOCATED}]
    most = rollout.max_unavailable.of(len(members))
    if len(away) < most:
        return most - len(away)
    return Decision(
        Reason.TOO_MANY_UNAVAILABLE,
        f"{ailing(away)}: {len(away)} of {counts.total} are away already, and spec.rollout.maxUnavailable is "
        f"{rollout.max_unavailable}; {counts.up_to_date} of {counts.total} up to date",
        survey=counts,
    )


def first(canary: Canary | None, members: Sequence[Member]) -> tuple[list[Member], int] | Decision:
    """Which of the movable members may go now, and how many of them at most.

    Where a canary is named by ids of which none can go or has gone, there is nothing to prove the image by.
    """
    movable = [each for each in members if each.is_movable]
    if canary is None:
        return movable, len(movable)
    if isinstance(canary.instances, tuple):
        named = [each for each in members if each.instance.id in canary.instances]
        going = [each for each in named if each.is_movable]
        if not any(each.is_movable or not each.is_outdated for each in named):
            return Decision(
                Reason.CANARY_MISSING,
                f"spec.rollout.canary names the instances {listed(canary.instances)}, of which none is there "
                "that could be upgraded; name others, or a number of them",
            )
        return (going, len(going)) if going else (movable, len(movable))
    proven = sum(not each.is_outdated for each in members)
    missing = canary.instances.of(len(members)) - proven
    return movable, missing if missing > 0 else len(movable)


def _is_all(canary: Canary, members: Sequence[Member]) -> bool:
    """Whether what is up to date is the canary and no more."""
    upgraded = [each for each in members if not each.is_outdated]
    if isinstance(canary.instances, tuple):
        return all(each.instance.id in canary.instances for each in upgraded)
    return len(upgraded) <= canary.instances.of(len(members))


def _is_newborn(since: datetime, created: datetime | None) -> bool:
    return created is not None and since - created < _NEWBORN
