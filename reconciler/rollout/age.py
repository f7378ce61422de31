"""How long an instance has been in its state. Azure reports no time for an instance in transition.

Azure reports when an instance succeeded or failed, but not when it began creating, updating or
deleting one. That time is then the earliest known time that is not before the state which the instance left.
Known times are Azure's own, when the instance was created, and when a step of ours that names it was sent.
Only without any of these it is our own first observation, which a restart repeats. The `startTime` of an
operation is not read, because it is never before the moment at which we sent its step.

    09:00:00  seen: succeeded, since 08:00:00
    09:00:05  an upgrade of ours is sent that names it
    09:00:20  seen: updating, without a time        since 09:00:05: our step, after the state it left
    09:01:30  seen: succeeded, since 09:01:25
    11:30:00  someone restarts it
    11:30:40  seen: updating, without a time        since 11:30:40: our step is older than the state it left
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from reconciler.rollout.health import State, is_in_transition, state_of
from reconciler.rollout.observed import HealthSource, Instance
from reconciler.rollout.step import Attempt

# Azure might report the time of the last report instead of that of the last change, and a health extension
# reports at least once a minute. A time that is no older than this is therefore no sign of a change.
_REPORTED = timedelta(seconds=90)


@dataclass(frozen=True, slots=True)
class Sighting:
    """How an instance was observed last: its provisioning state and since when, whether it was healthy and
    since when (if known better than by its provisioning), and how often it became unhealthy since."""

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
    """The instances as listed at `at`, each with a time. `before` is how they were observed last."""
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
    """What the next list needs to know about these instances, whose times are already filled in."""
    return {
        each.id: Sighting(
            each.provisioning, each.since, _is_back(each, source, at), each.state_since, each.relapses
        )
        for each in instances
    }


def _state_since(
    instance: Instance, before: Sighting | None, source: HealthSource, at: datetime
) -> datetime | None:
    """Since when it has been healthy, or not. None if the time of its provisioning is the best known.

    An application that needs six minutes after its boot is healthy after those six. One that becomes
    unhealthy an hour later is so from then on. The time is Azure's time of its health if there is one, or
    else the first observation that found it so. At the very first observation only the time of its
    provisioning is known.

    An instance that was healthy at two observations, and unhealthy in between by Azure's time, is healthy
    since that time.
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
    """How often it became unhealthy since its provisioning: observed, or shown by a new time of its health
    between two observations that found it healthy."""
    if before is None or before.since != instance.since:
        return 0
    stands = state_of(instance, source, at)
    is_new_time = before.state_since is not None and instance.state_since != before.state_since
    has_relapsed = stands is State.UNHEALTHY or (stands is State.HEALTHY and is_new_time)
    return before.relapses + (before.is_back and has_relapsed)


def _is_back(instance: Instance, source: HealthSource, at: datetime) -> bool:
    return state_of(instance, source, at) is State.HEALTHY


def _lacks_time(instance: Instance) -> bool:
    """Whether we date it. One that succeeded without a time is not dated: its row is incomplete."""
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
