"""How fast a rollout goes: which instances go first, how long the last ones must have been back, how many may
be away or sick at once.

Both are read off the instances as they are, by Azure's own times, so that a restart changes nothing. What
does not serve anyway waits for neither; whether it waits for the gates, `remedy` says.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from reconciler.rollout.context import Context
from reconciler.rollout.decision import Decision
from reconciler.rollout.eviction import evictions
from reconciler.rollout.health import State
from reconciler.rollout.member import Member, is_behind
from reconciler.rollout.observed import Instance
from reconciler.rollout.reason import Reason
from reconciler.rollout.step import Upgrade
from reconciler.rollout.wording import describe, join
from reconciler.spec.duration import format_duration
from reconciler.spec.image import short
from reconciler.spec.scale_set import Canary

# An instance whose state last changed so soon after it was made was not upgraded: it came with the image, and
# an autoscaler that keeps making such ones must not keep a rollout waiting.
_NEWBORN = timedelta(minutes=5)

# A soak that is shorter than the time between two usual looks is looked at a few times; of what is sick every
# minute not at the same moment of each.
_LONG, _SHORTEST = timedelta(minutes=5), timedelta(seconds=25)


def batch(context: Context, candidates: Sequence[Member], most: int, why: str = "") -> Decision:
    """The upgrade of at most so many of one domain, the first in order; on the way back the last.

    `why` says what is particular about it.
    """
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
        f"({named}){f', {why}' if why else ''}; {counts.done}",
        step=Upgrade(
            tuple(each.instance.id for each in taken),
            context.image,
            unwell=frozenset(each.instance.id for each in taken if _is_unwell(each)),
            behind=frozenset(each.instance.id for each in taken if is_behind(each.instance, context.desired)),
            evicted=evictions(context),
        ),
        soon=True,
        counts=counts.taking(domain, sum(each.state is State.BACK for each in taken)),
    )


def soaking(context: Context) -> Decision | None:
    """The wait until the last batch has been back for long enough, and the canary for as long as it must, or
    None."""
    rollout, members, at = context.rollout, context.members, context.at
    soaks = [_Soak(members, rollout.soak)]
    if canary := rollout.canary:
        soaks.insert(0, _Soak(_canaries(canary, members), rollout.first_soak, "canary "))
    last = max(soaks, key=lambda each: each.until)
    if last.until <= at:
        return None
    young = _younger(last.members, at - last.length)
    return Decision(
        Reason.SOAKING,
        f"{last.who}{young}: back since {last.until - last.length:%H:%M:%S}; the next batch goes at "
        f"{last.until:%H:%M:%S} (soak {format_duration(last.length)}); {context.counts.done}",
        until=last.until,
        watch=max(last.length / 5, _SHORTEST) if last.length < _LONG else None,
        counts=context.counts,
    )


def baking(context: Context) -> Decision | None:
    """The wait until the last batch of all has been back for long enough, or None."""
    rollout, members, at = context.rollout, context.members, context.at
    since = last_back(members)
    if since is None or since + rollout.bake_time <= at:
        return None
    return Decision(
        Reason.BAKING,
        f"{_younger(members, at - rollout.bake_time)}: back since {since:%H:%M:%S}; the rollout is over at "
        f"{since + rollout.bake_time:%H:%M:%S} (bakeTime {format_duration(rollout.bake_time)}); "
        f"{context.counts.done}",
        until=since + rollout.bake_time,
        counts=context.counts,
    )


def sick(context: Context) -> Decision | None:
    """Why so many are sick that no working one may be taken down, or None."""
    rollout, members, counts = context.rollout, context.members, context.counts
    unhealthy = [each.instance for each in members if each.is_lost]
    if len(unhealthy) <= rollout.max_unhealthy.of(len(members)):
        return None
    return Decision(
        Reason.TOO_MANY_UNHEALTHY,
        f"{describe(unhealthy)}: {len(unhealthy)} of {counts.total} are unhealthy, and "
        f"spec.rollout.maxUnhealthy is {rollout.max_unhealthy.describe(len(members))}; {counts.done}",
        counts=counts,
    )


def room(context: Context, going: Sequence[Member]) -> int | Decision:
    """How many of those that may go may be taken down, or why none may.

    What is deallocated was given back on purpose. One that may go itself is not in its own way, though it
    counts as away because Azure calls it failed.
    """
    rollout, members, counts = context.rollout, context.members, context.counts
    may_go = {each.instance.id for each in going}
    others = [each for each in members if each.instance.id not in may_go]
    away = [each.instance for each in others if each.state not in {State.BACK, State.DEALLOCATED}]
    most = rollout.max_unavailable.of(len(members))
    if len(away) < most:
        return most - len(away)
    return Decision(
        Reason.TOO_MANY_UNAVAILABLE,
        f"{describe(away)}: {len(away)} of {counts.total} are unavailable already, and "
        f"spec.rollout.maxUnavailable is {rollout.max_unavailable.describe(len(members))}; {counts.done}",
        counts=counts,
    )


def is_proven(context: Context) -> bool:
    """Whether the image was healthy on an instance of this scale set through its soak, or is the last good
    one.
    """
    rollout = context.rollout
    if context.model.persisted.is_last_good(context.image):
        return True
    return any(
        since + rollout.first_soak <= context.at for each in context.members if (since := _upgraded_at(each))
    )


@dataclass(frozen=True, slots=True)
class Going:
    """The members that may go next, and how many of them at most. `has_begun`: as many as go first were
    brought to the image and are back, though somebody may have changed the model otherwise since."""

    members: Sequence[Member]
    most: int
    has_begun: bool


def missing(canary: Canary | None, members: Sequence[Member]) -> Decision | None:
    """That a canary is named by ids of which none can go or has gone: nothing then proves the image."""
    if canary is None or not isinstance(canary.instances, tuple):
        return None
    named = _by_ids(canary.instances, members)
    if any(each.is_movable or each.is_awaited or not each.is_outdated for each in named):
        return None
    return Decision(
        Reason.CANARY_MISSING,
        f"spec.rollout.canary names the instances {join(canary.instances)}, of which none is there "
        "that could be upgraded; name others, or a number of them",
    )


def first(context: Context) -> Going:
    """Which of the movable members may go now: first those that count as away already, though they serve."""
    canary, members = context.rollout.canary, context.members
    movable = _foremost(members)
    on_image = [
        each for each in members if each.instance.runs(context.image) and _back_since(each) is not None
    ]
    if canary is None:
        return Going(movable, len(movable), bool(on_image))
    if isinstance(canary.instances, tuple):
        if going := _foremost(_by_ids(canary.instances, members)):
            return Going(going, len(going), all(each in on_image for each in going))
        return Going(movable, len(movable), True)
    wanted = canary.instances.of(len(members))
    lacks = wanted - sum(not each.is_outdated for each in on_image)
    return Going(movable, lacks if lacks > 0 else len(movable), len(on_image) >= wanted)


def _foremost(members: Sequence[Member]) -> list[Member]:
    """The movable ones that failed, or else all movable ones."""
    movable = [each for each in members if each.is_movable]
    return [each for each in movable if each.state is State.BROKEN] or movable


@dataclass(frozen=True, slots=True)
class _Soak:
    """How long after their upgrade these members are waited for; `who` names them where that is worth it."""

    members: Sequence[Member]
    length: timedelta
    who: str = ""

    @property
    def until(self) -> datetime:
        """When it is over; in the distant past where none of them came back from an upgrade."""
        since = last_back(self.members)
        return since + self.length if since else datetime.min.replace(tzinfo=UTC)


def _canaries(canary: Canary, members: Sequence[Member]) -> Sequence[Member]:
    """The members that came back first of all, or those that are named: whatever else is on the image by now,
    an instance that the autoscaler made or one that was cured, is no proof of it."""
    if isinstance(canary.instances, tuple):
        return _by_ids(canary.instances, members)
    back = sorted((since, each.instance.id) for each in members if (since := _upgraded_at(each)))
    return _by_ids({id_ for _, id_ in back[: canary.instances.of(len(members))]}, members)


def _by_ids(ids: Collection[str], members: Sequence[Member]) -> list[Member]:
    return [each for each in members if each.instance.id in ids]


def last_back(members: Sequence[Member]) -> datetime | None:
    """When the last instance that was upgraded came back, by Azure's own time."""
    return max((since for each in members if (since := _upgraded_at(each))), default=None)


def _younger(members: Sequence[Member], than: datetime) -> str:
    """The upgraded instances that came back later than that, by name."""
    return join(
        each.instance.name for each in members if (since := _upgraded_at(each)) is not None and since > than
    )


def _upgraded_at(member: Member) -> datetime | None:
    """Since when it has been back from an upgrade, healthy and all; None where it is not, or was made on the
    image."""
    return None if member.is_outdated else _back_since(member)


def _back_since(member: Member) -> datetime | None:
    """The same of the image that it runs, whatever else of the model it lacks."""
    instance = member.instance
    if member.state is not State.BACK or instance.since is None or is_newborn(instance):
        return None
    return max(instance.since, instance.stands_since or instance.since)


def is_newborn(instance: Instance) -> bool:
    """Whether it was made on its image, and never upgraded."""
    since, created = instance.since, instance.created
    return since is not None and created is not None and since - created < _NEWBORN


def _by_id(member: Member) -> tuple[int, str]:
    """The order of ids, of which most are numbers without leading zeros."""
    return len(member.instance.id), member.instance.id


def _is_unwell(member: Member) -> bool:
    """Whether it does not serve as it is taken. One that Azure was at work on for too long may be back by
    now: lists are behind."""
    return not member.is_serving and member.state is not State.RETURNING


def _count(taken: Sequence[Member]) -> str:
    return "1 instance" if len(taken) == 1 else f"{len(taken)} instances"
