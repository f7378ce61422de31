"""Since when an instance has been in its state, where Azure does not say: in transition it gives no time.

Azure says when an instance succeeded or failed. Of one that it is creating, updating or deleting it does not
say since when. That is then the earliest time known that is not before the state which the instance left: of
Azure's own, the moment at which it was created, and the moment at which a step of ours that names it was
sent. Only where there is none of these is it our own first observation, which a restart makes anew. The
`startTime` of an operation is not read: it never lies before the moment at which we sent its step.

    09:00:00  seen: succeeded, since 08:00:00
    09:00:05  an upgrade of ours is sent that names it
    09:00:20  seen: updating, without a time        since 09:00:05: our step, after the state it left
    09:01:30  seen: succeeded, since 09:01:25
    11:30:00  somebody restarts it
    11:30:40  seen: updating, without a time        since 11:30:40: our step is older than the state it left
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from reconciler.rollout.health import State, is_in_transition, state_of
from reconciler.rollout.observed import HealthSource, Instance
from reconciler.rollout.step import Attempt

# Azure might give the time of the last report instead of that of the last change, and a health extension
# reports once a minute at least. So a time that is no older than this tells of no change.
_REPORTED = timedelta(seconds=90)


@dataclass(frozen=True, slots=True)
class Sighting:
    """How an instance was seen last: its provisioning state, and since when it was in it; whether it was
    back, and since when that was so, where it is known better than by its provisioning; how often it fell
    sick since."""

    provisioning: str
    since: datetime | None
    is_back: bool = False
    state_since: datetime | None = None
    relapses: int = 0


def date_instances(
    instances: Iterable[Instance],
    before: Mapping[str, Sighting],
    attempt: Attempt | None,
    source: HealthSource,
    at: datetime,
) -> tuple[Instance, ...]:
    """The instances as listed at `at`, each with a time; `before` is how they were seen last."""
    dated = (
        replace(each, since=_since(each, before.get(each.id), attempt, at)) if _lacks_time(each) else each
        for each in instances
    )
    standing = (
        replace(each, state_since=_state_since(each, before.get(each.id), source, at)) for each in dated
    )
    return tuple(
        replace(each, relapses=_relapses(each, before.get(each.id), source, at)) for each in standing
    )


def sightings(instances: Iterable[Instance], source: HealthSource, at: datetime) -> dict[str, Sighting]:
    """What to remember of dated instances until they are listed again."""
    return {
        each.id: Sighting(
            each.provisioning, each.since, _is_back(each, source, at), each.state_since, each.relapses
        )
        for each in instances
    }


def _state_since(
    instance: Instance, before: Sighting | None, source: HealthSource, at: datetime
) -> datetime | None:
    """Since when it is back, or is not; None where its provisioning tells.

    An application that needs six minutes after its boot is back after those six, and one that falls sick an
    hour later has been so from then on: by Azure's time of its health, where there is one, else by the first
    look that found it so. At the first look there is, nobody knows better than by its provisioning.

    One that was sick between two looks, and back at both, is back since Azure says.
    """
    is_back = _is_back(instance, source, at)
    is_told = (instance.health == "healthy") if is_back else (instance.health not in {"", "healthy"})
    told = instance.health_since if is_told else None
    if before is not None and before.is_back == is_back and (before.since == instance.since or not is_back):
        known = before.state_since
        has_relapsed = is_back and known and told and told > known and at - told > _REPORTED
        return told if has_relapsed else known
    return told or (at if before else None)


def _relapses(instance: Instance, before: Sighting | None, source: HealthSource, at: datetime) -> int:
    """How often it fell sick since its provisioning: seen so at a look, or told by Azure's time of its health
    where it was back at both looks."""
    if before is None or before.since != instance.since:
        return 0
    stands = state_of(instance, source, at)
    is_new_time = before.state_since is not None and instance.state_since != before.state_since
    has_relapsed = stands is State.UNHEALTHY or (stands is State.HEALTHY and is_new_time)
    return before.relapses + (before.is_back and has_relapsed)


def _is_back(instance: Instance, source: HealthSource, at: datetime) -> bool:
    return state_of(instance, source, at) is State.HEALTHY


def _lacks_time(instance: Instance) -> bool:
    """An instance at rest without a time is not dated by us: its row lacks what every such row has."""
    return is_in_transition(instance.provisioning) or (
        instance.provisioning == "failed" and instance.since is None
    )


def _since(instance: Instance, before: Sighting | None, attempt: Attempt | None, at: datetime) -> datetime:
    floor = before.since if before else None
    known = [each for each in _known(instance, attempt) if floor is None or each >= floor]
    if known:
        return min(known)
    is_same = before is not None and before.provisioning == instance.provisioning
    return floor if is_same and floor else at


def _known(instance: Instance, attempt: Attempt | None) -> Iterator[datetime]:
    if instance.since:
        yield instance.since
    if instance.provisioning == "creating" and instance.created:
        yield instance.created
    if attempt and instance.id in attempt.instance_ids:
        yield attempt.at
