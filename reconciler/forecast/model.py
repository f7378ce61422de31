"""A scale set as it will be if everything succeeds. A forecast runs the decision on this model.

Instances in transition become healthy within the usual duration of a batch, upgraded instances become
healthy, and nobody else changes anything. Other unhealthy instances stay unhealthy until they are upgraded.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from reconciler.forecast.batch_duration import BatchDuration
from reconciler.rollout.health import State, is_in_transition
from reconciler.rollout.member import Member, is_overdue, members
from reconciler.rollout.observed import HealthSource, Instance, Model, Observed
from reconciler.rollout.step import PatchModel, Step, Upgrade
from reconciler.spec.scale_set import ScaleSet

# Something that has taken longer than a batch usually takes is expected at any moment.
_ANY_MOMENT = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class PredictedEvent:
    """A predicted event at the time `at`.

    If `is_healthy` is true, the instances with these ids become healthy. Otherwise, Azure finishes upgrading
    them.
    """

    at: datetime
    ids: frozenset[str]
    is_healthy: bool


@dataclass(frozen=True, slots=True)
class PredictedState:
    """The scale set at one moment, and the next events, soonest first.

    `unavailable` holds the ids of the instances that are neither serving nor deallocated.
    """

    model: Model
    instances: tuple[Instance, ...]
    unavailable: frozenset[str]
    events: tuple[PredictedEvent, ...]
    duration: BatchDuration

    def at(self, moment: datetime) -> "PredictedState":
        """The state at a later moment."""
        world = self
        while world.events and world.events[0].at <= moment:
            event, *later = world.events
            world = replace(world, events=tuple(later))._apply(event)
        return world

    def same_until(self, desired: ScaleSet, until: datetime | None, at: datetime) -> datetime:
        """The next time at which the decision made at `at` might change, or `at` if that is unknown.

        The decision must have no step. Before the result, no event happens, and nothing can become overdue.
        `until` is the time that the decision names, if any.
        """
        if not self.events:
            return until or at
        if self.duration.whole > min(desired.health.timeout, desired.rollout.progress_deadline):
            return at
        return min(self.events[0].at, until or self.events[0].at)

    def unavailable_after(self, step: Step) -> frozenset[str]:
        """The ids of the instances that will be unavailable once this step is taken."""
        return self.unavailable | (set(step.instance_ids) if isinstance(step, Upgrade) else set())

    def after(self, step: Step, at: datetime) -> "PredictedState":
        """The state after Azure has accepted a step."""
        match step:
            case PatchModel():
                return self._patch(step)
            case Upgrade(instance_ids=ids):
                return self._upgrade(frozenset(ids), at)

    def _patch(self, step: PatchModel) -> "PredictedState":
        persisted = step.persisted or self.model.persisted
        return replace(
            self,
            model=replace(self.model, image=step.image, etag=f"{step.etag}'", persisted=persisted),
            instances=tuple(replace(each, latest_model=False) for each in self.instances),
        )

    def _upgrade(self, ids: frozenset[str], at: datetime) -> "PredictedState":
        done, healthy = at + _work(self.model, self.duration), at + self.duration.whole
        return replace(
            self,
            model=replace(self.model, provisioning="updating"),
            instances=tuple(
                replace(each, provisioning="updating", power="stopping", since=at) if each.id in ids else each
                for each in self.instances
            ),
            unavailable=self.unavailable | ids,
            events=_in_order(
                (
                    *self.events,
                    PredictedEvent(done, ids, is_healthy=False),
                    PredictedEvent(healthy, ids, is_healthy=True),
                )
            ),
        )

    def _apply(self, event: PredictedEvent) -> "PredictedState":
        become = self._recover if event.is_healthy else self._finish
        instances = tuple(become(each, event.at) if each.id in event.ids else each for each in self.instances)
        is_idle = not any(not each.is_healthy for each in self.events)
        return replace(
            self,
            model=replace(self.model, provisioning="succeeded") if is_idle else self.model,
            instances=instances,
            unavailable=self.unavailable - event.ids if event.is_healthy else self.unavailable,
        )

    def _finish(self, instance: Instance, at: datetime) -> Instance:
        has_health = self.model.health_source is HealthSource.EXTENSION
        return replace(
            instance,
            # A protected instance stays on its image.
            image=instance.image if instance.protected else self.model.image,
            latest_model=True,
            provisioning="succeeded",
            power="running",
            health="initializing" if has_health else "",
            has_health_extension=has_health,
            health_since=at if has_health else None,
            since=at,
            state_since=None,
            error="",
        )

    def _recover(self, instance: Instance, at: datetime) -> Instance:
        if self.model.health_source is not HealthSource.EXTENSION:
            return replace(instance, health="", state_since=None)
        return replace(instance, health="healthy", health_since=at, state_since=at)


def predict(desired: ScaleSet, observed: Observed, duration: BatchDuration) -> PredictedState | None:
    """The observed scale set and the events to expect, or None if too little was observed."""
    model, instances = observed.model, observed.instances
    if not isinstance(model, Model) or instances is None:
        return None
    staying = members(desired, model, observed, instances)
    events = _in_order(tuple(_recoveries(desired, model, staying, observed.at, duration)))
    if is_in_transition(model.provisioning) and not any(not each.is_healthy for each in events):
        idle = PredictedEvent(observed.at + _work(model, duration), frozenset(), is_healthy=False)
        events = _in_order((*events, idle))
    unavailable = frozenset(
        each.instance.id for each in staying if each.state not in {State.HEALTHY, State.DEALLOCATED}
    )
    return PredictedState(model, instances, unavailable, events, duration)


def assumed_recoveries(desired: ScaleSet, observed: Observed) -> frozenset[str]:
    """The ids of the instances that are predicted to become healthy without being upgraded.

    These instances are on the desired image, and have been unhealthy or stopped for no longer than
    `health.timeout`.
    """
    model, instances = observed.model, observed.instances
    if not isinstance(model, Model) or instances is None:
        return frozenset()
    found = _recovering(desired, members(desired, model, observed, instances), observed.at)
    return frozenset(each.instance.id for each in found if each.state is State.UNHEALTHY)


def _recovering(desired: ScaleSet, staying: Sequence[Member], at: datetime) -> list[Member]:
    """The members that a rollout waits for, except those that have already taken too long."""
    return [each for each in staying if each.is_awaited and not is_overdue(each.instance, desired, at)]


def _recoveries(
    desired: ScaleSet, model: Model, staying: Sequence[Member], at: datetime, duration: BatchDuration
) -> Iterator[PredictedEvent]:
    """The events by which the instances that a rollout waits for will become healthy."""
    by_stage: dict[tuple[datetime, bool], list[str]] = {}
    for each in (member.instance for member in _recovering(desired, staying, at)):
        is_moving = is_in_transition(each.provisioning) or each.power != "running"
        by_stage.setdefault((each.since or at, is_moving), []).append(each.id)
    soonest = at + _ANY_MOMENT
    for (since, is_moving), ids in by_stage.items():
        done, work = since, _work(model, duration)
        if is_moving:
            done = max(soonest, since + work)
            yield PredictedEvent(done, frozenset(ids), is_healthy=False)
        yield PredictedEvent(max(soonest, done + duration.whole - work), frozenset(ids), is_healthy=True)


def _work(model: Model, duration: BatchDuration) -> timedelta:
    """How long Azure takes to upgrade a batch.

    If nothing reports health, this is the whole duration: the batch counts as healthy as soon as Azure has
    finished. If a probe reports health, the decision itself waits for the probe.
    """
    return duration.whole if model.health_source is HealthSource.NONE else duration.upgrade


def _in_order(events: tuple[PredictedEvent, ...]) -> tuple[PredictedEvent, ...]:
    return tuple(sorted(events, key=lambda each: each.at))
