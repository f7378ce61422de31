"""The pace of a rollout: its order, its soaks, and its limits on unavailable and unhealthy instances.

The pace is derived from the current instances and Azure's own times, so a restart changes nothing. It does
not apply to instances that are out of service. `remedy` decides whether those instances wait for the gates.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from reconciler.rollout.context import Context
from reconciler.rollout.decision import Decision
from reconciler.rollout.eviction import count_evictions
from reconciler.rollout.health import State
from reconciler.rollout.member import Member, is_behind
from reconciler.rollout.observed import Instance, id_order
from reconciler.rollout.reason import Reason
from reconciler.rollout.step import Upgrade
from reconciler.rollout.wording import describe, join, list_names, time_of_day
from reconciler.spec.duration import format_duration
from reconciler.spec.image import short
from reconciler.spec.scale_set import Canary
from reconciler.spec.wording import count

# During a soak that is shorter than `_LONG`, observations are more frequent: 5 times in 2m30s, at intervals
# of 30 s. The shortest interval is not a divisor of a minute, so that the observations also find an instance
# that is unhealthy for the same few seconds of each minute.
_LONG, _SHORTEST = timedelta(minutes=5), timedelta(seconds=25)


def upgrade_batch(context: Context, candidates: Sequence[Member], most: int, why: str = "") -> Decision:
    """The decision to upgrade at most `most` candidates, all in the first domain in rollout order.

    A rollback takes the last domain instead. If a person has picked any of the candidates, only those are
    considered. `why` says why the batch is limited to one instance, for the message.
    """
    domain_of, counts, is_return = context.domain_of, context.counts, context.is_return
    picked = _picks(context, candidates)
    candidates = picked or candidates
    foremost = max if is_return else min
    domain = foremost(domain_of(each.instance) for each in candidates)
    inside = [each for each in candidates if domain_of(each.instance) == domain]
    inside.sort(key=lambda each: id_order(each.instance.id), reverse=is_return)
    # Of ten instances with maxBatch 20%, two. Fewer if maxUnavailable or a canary allows fewer.
    taken = inside[: min(most, context.rollout.max_batch.of(counts.total))]
    names = tuple(each.instance.name for each in taken)
    place = f" in {domain.name}" if domain.name else ""
    verb, size = "rolling back" if is_return else "upgrading", count(len(taken), "instance")
    picker = f", {_picked_by(context)}," if picked else ""
    return Decision(
        Reason.UPGRADING,
        f"{verb} {'only ' if why else ''}{size}{place} ({join(names)}){picker} to {short(context.image)}"
        f"{f', {why}' if why else ''}; {context.summary}",
        step=Upgrade(
            tuple(each.instance.id for each in taken),
            context.image,
            not_serving=frozenset(each.instance.id for each in taken if _is_not_serving(each)),
            behind=frozenset(each.instance.id for each in taken if is_behind(each.instance, context.desired)),
            evicted=count_evictions(context),
            domain=domain.name,
            names=names,
        ),
        soon=True,
        counts=counts.with_batch(domain, sum(each.state is State.HEALTHY for each in taken)),
        observed_counts=counts,
    )


def _picks(context: Context, candidates: Sequence[Member]) -> Sequence[Member]:
    """The candidates that a person has picked. A rollback ignores the pick, which was made for another image.

    pick of 3 and 8, both serving, 5 unhealthy: first 5, which is the only candidate, and then 3 and 8
    canary of 0, pick of 3: first 0, and after its soak 3
    """
    pick = context.observed.pick
    if pick is None or context.is_return:
        return ()
    return [each for each in candidates if each.instance.id in pick.instances]


def _picked_by(context: Context) -> str:
    pick = context.observed.pick
    return f"picked by {pick.by}" if pick and pick.by else "picked by hand"


def soak_wait(context: Context) -> Decision | None:
    """The decision to wait for the soak of the last batch or of the canary, or None if both have passed."""
    rollout, members, at = context.rollout, context.members, context.at
    soaks = [_Soak(members, rollout.soak)]
    if canary := rollout.canary:
        soaks.insert(0, _Soak(_canary_members(canary, members), rollout.first_soak, is_canary=True))
    last = max(soaks, key=lambda each: each.until)
    if last.until <= at:
        return None
    young = _still_soaking(last.members, at - last.length)
    canary_noun = "canary " if len(young) == 1 else "canaries "
    return Decision(
        Reason.SOAKING,
        f"{canary_noun if last.is_canary else ''}{list_names(young)} {_has(young)} been healthy since "
        f"{time_of_day(last.until - last.length)}; the next batch will start after "
        f"{time_of_day(last.until)} (soak {format_duration(last.length)}); {context.summary}",
        until=last.until,
        watch=max(last.length / 5, _SHORTEST) if last.length < _LONG else None,
        counts=context.counts,
    )


def bake_wait(context: Context) -> Decision | None:
    """The decision to wait for the bake time of the last batch, or None if it has passed."""
    rollout, members, at = context.rollout, context.members, context.at
    since = last_recovery(members)
    if since is None or since + rollout.bake_time <= at:
        return None
    young = _still_soaking(members, at - rollout.bake_time)
    return Decision(
        Reason.BAKING,
        f"{list_names(young)} {_has(young)} been healthy since {time_of_day(since)}; the rollout will end at "
        f"{time_of_day(since + rollout.bake_time)} (bakeTime {format_duration(rollout.bake_time)}); "
        f"{context.summary}",
        until=since + rollout.bake_time,
        counts=context.counts,
    )


def too_many_unhealthy(context: Context) -> Decision | None:
    """The decision not to upgrade serving instances because too many are unhealthy, or None.

    10 instances, maxUnhealthy 20%: 2 may be unhealthy. With 3 unhealthy, no serving instance is upgraded.
    """
    rollout, members, counts = context.rollout, context.members, context.counts
    unhealthy = [each.instance for each in members if each.is_not_serving]
    if len(unhealthy) <= rollout.max_unhealthy.of(len(members)):
        return None
    return Decision(
        Reason.TOO_MANY_UNHEALTHY,
        f"{unhealthy_share(context, unhealthy)}, so no serving instance will be upgraded; {context.summary}",
        counts=counts,
    )


def unhealthy_share(context: Context, names: Sequence[Instance] = ()) -> str:
    """A phrase that says how many instances are unhealthy, and how many `maxUnhealthy` allows.

    The phrase lists the instances in `names`.
    """
    number = sum(each.is_not_serving for each in context.members)
    limit = context.rollout.max_unhealthy.describe(len(context.members))
    who = f": {describe(names)};" if names else ", and"
    return f"{number} of {context.counts.total} instances are unhealthy{who} maxUnhealthy is {limit}"


def disruption_budget(context: Context, going: Sequence[Member]) -> int | Decision:
    """How many of the candidates `going` may be taken out of service, or the decision that none may.

    10 instances, maxUnavailable 30%, 1 of the others unavailable: 2 candidates may be taken out of service.

    Deallocated instances do not count as unavailable. Neither do candidates, even if Azure reports them as
    failed.
    """
    rollout, members, counts = context.rollout, context.members, context.counts
    may_go = {each.instance.id for each in going}
    others = [each for each in members if each.instance.id not in may_go]
    unavailable = [each.instance for each in others if each.state not in {State.HEALTHY, State.DEALLOCATED}]
    most = rollout.max_unavailable.of(len(members))
    if len(unavailable) < most:
        return most - len(unavailable)
    verb = "is" if len(unavailable) == 1 else "are"
    return Decision(
        Reason.TOO_MANY_UNAVAILABLE,
        f"{len(unavailable)} of {counts.total} instances {verb} unavailable: {describe(unavailable)}; "
        f"maxUnavailable is {rollout.max_unavailable.describe(len(members))}, so no other instance will be "
        f"upgraded; {context.summary}",
        counts=counts,
    )


def is_proven(context: Context) -> bool:
    """Whether the image is the last good one, or an upgraded instance has been healthy on it for its soak.

    soak 10m, one instance upgraded and healthy since 09:00: proven from 09:10 on
    """
    rollout = context.rollout
    if context.model.persisted.is_last_good(context.image):
        return True
    return any(
        since + rollout.first_soak <= context.at
        for each in context.members
        if (since := _upgraded_since(each))
    )


@dataclass(frozen=True, slots=True)
class Candidates:
    """The members that may be upgraded next, and the maximum number to upgrade.

    `has_begun` says whether the canary, or any instance if there is no canary, is healthy on the image. Later
    changes to other parts of the model do not affect `has_begun`.
    """

    members: Sequence[Member]
    most: int
    has_begun: bool


def missing_canary(canary: Canary | None, members: Sequence[Member]) -> Decision | None:
    """The decision to do nothing because the canary that the spec names cannot prove the image, or None.

    A canary cannot prove the image if none of its instances has been upgraded or can be.
    """
    if canary is None or not isinstance(canary.instances, tuple):
        return None
    named = _by_ids(canary.instances, members)
    if any(each.is_movable or each.is_awaited or not each.is_outdated for each in named):
        return None
    return Decision(
        Reason.CANARY_MISSING,
        "rollout.canary names only instances that do not exist or cannot be upgraded "
        f"(ids: {join(canary.instances)}); name other instances, or set rollout.canary to a number",
    )


def next_candidates(context: Context) -> Candidates:
    """The movable members that may be upgraded now. Members that Azure reports as failed go first.

    canary 3, 1 upgraded: 2 of the movable members; once 3 are upgraded: all of them

    A canary instance counts as upgraded if it runs the image, even if the rest of the model has changed
    since. Otherwise, a change by another writer during the rollout would start a new canary, and an
    unapproved image would reach more instances.
    """
    canary, members = context.rollout.canary, context.members
    movable = _failed_first(members)
    on_image = [
        each for each in members if each.instance.runs(context.image) and _healthy_since(each) is not None
    ]
    if canary is None:
        return Candidates(movable, len(movable), bool(on_image))
    if isinstance(canary.instances, tuple):
        if going := _failed_first(_by_ids(canary.instances, members)):
            return Candidates(going, len(going), all(each in on_image for each in going))
        return Candidates(movable, len(movable), True)
    wanted = canary.instances.of(len(members))
    lacks = wanted - sum(not each.is_outdated for each in on_image)
    return Candidates(movable, lacks if lacks > 0 else len(movable), len(on_image) >= wanted)


def _failed_first(members: Sequence[Member]) -> list[Member]:
    """The movable members to upgrade first: those that are unhealthy or, if there are none, all of them.

    A member that may or may not serve is included only if there are no others, because it cannot prove the
    image.
    """
    movable = [each for each in members if each.is_movable]
    known = [each for each in movable if not each.may_serve] or movable
    return [each for each in known if each.state is State.UNHEALTHY] or known


@dataclass(frozen=True, slots=True)
class _Soak:
    """A soak: the members must stay healthy for `length` after their upgrade."""

    members: Sequence[Member]
    length: timedelta
    is_canary: bool = False

    @property
    def until(self) -> datetime:
        """When the soak ends, or the distant past if no member was upgraded."""
        since = last_recovery(self.members)
        return since + self.length if since else datetime.min.replace(tzinfo=UTC)


def _canary_members(canary: Canary, members: Sequence[Member]) -> Sequence[Member]:
    """The members that form the canary: the ones that the spec names, or else the first that were upgraded.

    Other instances on the image do not count, for example an instance that an autoscaler created.
    """
    if isinstance(canary.instances, tuple):
        return _by_ids(canary.instances, members)
    back = sorted((since, each.instance.id) for each in members if (since := _upgraded_since(each)))
    return _by_ids({id_ for _, id_ in back[: canary.instances.of(len(members))]}, members)


def _by_ids(ids: Collection[str], members: Sequence[Member]) -> list[Member]:
    return [each for each in members if each.instance.id in ids]


def last_recovery(members: Sequence[Member]) -> datetime | None:
    """When an upgraded instance last became healthy, or None if no upgraded instance is healthy."""
    return max((since for each in members if (since := _upgraded_since(each))), default=None)


def _still_soaking(members: Sequence[Member], than: datetime) -> list[str]:
    """The names of the upgraded instances that became healthy after `than`."""
    return [
        each.instance.name
        for each in members
        if (since := _upgraded_since(each)) is not None and since > than
    ]


def _has(names: Sequence[str]) -> str:
    return "has" if len(names) == 1 else "have"


def _upgraded_since(member: Member) -> datetime | None:
    """When the member became healthy after an upgrade, or None if it is not healthy or was not upgraded.

    A member that was created on the image does not count as upgraded.
    """
    return None if member.is_outdated else _healthy_since(member)


def _healthy_since(member: Member) -> datetime | None:
    """When the member became healthy on the image that it runs, even if other model changes are missing.

    None if the member is not healthy, or was created on that image.
    """
    instance = member.instance
    if member.state is not State.HEALTHY or instance.since is None or member.is_newborn:
        return None
    return max(instance.since, instance.state_since or instance.since)


def _is_not_serving(member: Member) -> bool:
    """Whether the member is out of service when its upgrade begins.

    False for a member in transition, which might already serve, because Azure's lists can be out of date.
    """
    return not member.is_serving and member.state is not State.IN_TRANSITION
