"""Finds when each instance entered its current state, because Azure reports no time for a transition.

Azure reports when the provisioning of an instance succeeded or failed, but not when Azure began to create,
update or delete the instance. If an instance is in transition, or failed without a time, this module uses the
earliest known time that is not before the previous state began. The known times are any time that Azure
reports for the state, the time at which the instance was created, and the time at which our last step was
sent, if that step names the instance. If no known time qualifies, the time of our first observation of the
state counts. After a restart, that is the first observation by the new process. The `startTime` of an
operation is not read, because it is never earlier than the time at which we sent the step.

    09:00:00  seen: succeeded, since 08:00:00
    09:00:05  our upgrade of the instance is sent
    09:00:20  seen: updating, without a time        since 09:00:05: our upgrade, which is after 08:00:00
    09:01:30  seen: succeeded, since 09:01:25
    11:30:00  someone restarts the instance
    11:30:40  seen: updating, without a time        since 11:30:40: our upgrade was before 09:01:25
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from reconciler.rollout.health import State, is_in_transition, state_of
from reconciler.rollout.observed import HealthSource, Instance
from reconciler.rollout.step import Attempt

# Azure might give the time of the last health report instead of the time of the last change, and a health
# extension reports at least once a minute. A time no older than this is therefore no sign of a change.
_REPORTED = timedelta(seconds=90)


@dataclass(frozen=True, slots=True)
class Sighting:
    """What the last observation of an instance found.

    `provisioning` is the provisioning state, which began at `since`. `is_back` says whether the instance was
    healthy. `state_since` is when the instance became healthy or unhealthy, or None if no better time than
    `since` is known. `relapses` is how many times the instance has become unhealthy since `since`.
    """

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
    """The instances listed at `at`, with missing times filled in. `before` has each id's last sighting."""
    return tuple(_date(each, before.get(each.id), attempt, source, at) for each in instances)


def _date(
    instance: Instance, before: Sighting | None, attempt: Attempt | None, source: HealthSource, at: datetime
) -> Instance:
    """The instance with its times, copied only if one changes: most instances have their times already."""
    if _lacks_time(instance):
        instance = replace(instance, since=_since(instance, before, attempt, at))
    state_since = _state_since(instance, before, source, at)
    if state_since != instance.state_since:
        instance = replace(instance, state_since=state_since)
    relapses = _relapses(instance, before, source, at)
    return instance if relapses == instance.relapses else replace(instance, relapses=relapses)


def sightings(instances: Iterable[Instance], source: HealthSource, at: datetime) -> dict[str, Sighting]:
    """The sightings to pass to `date_instances` at the next listing. `instances` already have their times."""
    return {
        each.id: Sighting(
            each.provisioning, each.since, _is_back(each, source, at), each.state_since, each.relapses
        )
        for each in instances
    }


def _state_since(
    instance: Instance, before: Sighting | None, source: HealthSource, at: datetime
) -> datetime | None:
    """When the instance became healthy or, if it is not healthy now, when it stopped being healthy.

    None if no better time than that of the provisioning state is known. An instance whose application starts
    slowly becomes healthy minutes after its provisioning has succeeded, and it might become unhealthy hours
    later. The result is the time that Azure reports for the health of the instance. If Azure reports none,
    the result is the time of the observation that first found the instance in this state, unless that was the
    very first observation.

    If two observations found the instance healthy, but Azure's time shows that its health changed in between,
    the instance has been healthy since Azure's time.
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
    """How many times the instance has become unhealthy since its provisioning state last changed.

    A relapse is either observed directly, or inferred if two observations found the instance healthy but
    Azure's time shows that its health changed in between.
    """
    if before is None or before.since != instance.since:
        return 0
    stands = state_of(instance, source, at)
    is_new_time = before.state_since is not None and instance.state_since != before.state_since
    has_relapsed = stands is State.UNHEALTHY or (stands is State.HEALTHY and is_new_time)
    return before.relapses + (before.is_back and has_relapsed)


def _is_back(instance: Instance, source: HealthSource, at: datetime) -> bool:
    return state_of(instance, source, at) is State.HEALTHY


def _lacks_time(instance: Instance) -> bool:
    """Whether this module must find the time of the instance's state.

    If the instance succeeded but has no time, its list entry is incomplete, and no time is filled in.
    """
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
