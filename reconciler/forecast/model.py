"""A scale set as it would become if all went well: the world that a forecast decides about.

What is under way comes back within the tempo of a batch, what is upgraded comes back healthy, and nobody
else does anything. What is sick, and not on its way back, stays so until it is upgraded.
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

# What has taken longer than a batch usually does is expected from one moment to the next.
_ANY_MOMENT = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Coming:
    """What is to happen at a moment: Azure is done with these instances, or they are healthy (`is_back`)."""

    at: datetime
    ids: frozenset[str]
    is_back: bool


@dataclass(frozen=True, slots=True)
class PredictedState:
    """The scale set at one moment, and what is coming, soonest first. `away` are the instances that do not
    serve, but for those that were given back on purpose."""

    model: Model
    instances: tuple[Instance, ...]
    unavailable: frozenset[str]
    coming: tuple[Coming, ...]
    duration: BatchDuration

    def at(self, moment: datetime) -> "PredictedState":
        """The same at a later moment."""
        world = self
        while world.coming and world.coming[0].at <= moment:
            event, *later = world.coming
            world = replace(world, coming=tuple(later))._meet(event)
        return world

    def after(self, step: Step, at: datetime) -> "PredictedState":
        """The same once Azure has accepted a step."""
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
        done, back = at + _work(self.model, self.duration), at + self.duration.whole
        return replace(
            self,
            model=replace(self.model, provisioning="updating"),
            instances=tuple(
                replace(each, provisioning="updating", power="stopping", since=at) if each.id in ids else each
                for each in self.instances
            ),
            unavailable=self.unavailable | ids,
            coming=_in_order(
                (*self.coming, Coming(done, ids, is_back=False), Coming(back, ids, is_back=True))
            ),
        )

    def _meet(self, event: Coming) -> "PredictedState":
        become = self._heal if event.is_back else self._finish
        instances = tuple(become(each, event.at) if each.id in event.ids else each for each in self.instances)
        is_resting = not any(not each.is_back for each in self.coming)
        return replace(
            self,
            model=replace(self.model, provisioning="succeeded") if is_resting else self.model,
            instances=instances,
            unavailable=self.unavailable - event.ids if event.is_back else self.unavailable,
        )

    def _finish(self, instance: Instance, at: datetime) -> Instance:
        is_told = self.model.health_source is HealthSource.EXTENSION
        return replace(
            instance,
            # What an upgrade passes over stays on its image.
            image=instance.image if instance.protected else self.model.image,
            latest_model=True,
            provisioning="succeeded",
            power="running",
            health="initializing" if is_told else "",
            has_health_extension=is_told,
            since=at,
            state_since=None,
            error="",
        )

    def _heal(self, instance: Instance, at: datetime) -> Instance:
        is_told = self.model.health_source is HealthSource.EXTENSION
        return replace(instance, health="healthy" if is_told else "", state_since=at if is_told else None)


def predict(desired: ScaleSet, observed: Observed, duration: BatchDuration) -> PredictedState | None:
    """The world that was observed, None where too little of it was."""
    model, instances = observed.model, observed.instances
    if not isinstance(model, Model) or instances is None:
        return None
    staying = members(desired, model, observed, instances)
    coming = _in_order(tuple(_returning(desired, model, staying, observed.at, duration)))
    if is_in_transition(model.provisioning) and not any(not each.is_back for each in coming):
        rests = Coming(observed.at + _work(model, duration), frozenset(), is_back=False)
        coming = _in_order((*coming, rests))
    away = frozenset(
        each.instance.id for each in staying if each.state not in {State.HEALTHY, State.DEALLOCATED}
    )
    return PredictedState(model, instances, away, coming, duration)


def _returning(
    desired: ScaleSet, model: Model, staying: Sequence[Member], at: datetime, duration: BatchDuration
) -> Iterator[Coming]:
    """When those that are on their way now come back."""
    awaited = [
        each.instance for each in staying if each.is_awaited and not is_overdue(each.instance, desired, at)
    ]
    by_stage: dict[tuple[datetime, bool], list[str]] = {}
    for each in awaited:
        is_at_work = is_in_transition(each.provisioning) or each.power != "running"
        by_stage.setdefault((each.since or at, is_at_work), []).append(each.id)
    soonest = at + _ANY_MOMENT
    for (since, is_at_work), ids in by_stage.items():
        done, work = since, _work(model, duration)
        if is_at_work:
            done = max(soonest, since + work)
            yield Coming(done, frozenset(ids), is_back=False)
        yield Coming(max(soonest, done + duration.whole - work), frozenset(ids), is_back=True)


def _work(model: Model, duration: BatchDuration) -> timedelta:
    """How long Azure is at work on a batch. Where nothing tells its health, it is back when Azure is done; a
    probe is waited for by the decision itself."""
    return duration.whole if model.health_source is HealthSource.NONE else duration.upgrade


def _in_order(coming: tuple[Coming, ...]) -> tuple[Coming, ...]:
    return tuple(sorted(coming, key=lambda each: each.at))
