"""The Azure client for a rehearsal.

Records each step, with the scale set as it was before the step, and moves the clock.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from reconciler.azure.budget import Priority
from reconciler.azure.compute import Compute, Scope
from reconciler.azure.failure import AzureFailure, TooManyRequests
from reconciler.forecast.batch_duration import ASSUMED
from reconciler.forecast.model import PredictedState, predict
from reconciler.prediction.playback import PlayedStep
from reconciler.prediction.recording import Snapshot
from reconciler.rehearsal.injection import Injection
from reconciler.rehearsal.simulated_azure import SimulatedAzure
from reconciler.rollout.health import State, state_of
from reconciler.rollout.observed import Absent, Instance, Model, Observed
from reconciler.rollout.persisted import Signature
from reconciler.rollout.step import Step, Upgrade
from reconciler.spec.image import Image
from reconciler.spec.scale_set import ScaleSet, Target

_TRIES = 10  # to write an approval
_PAUSE = timedelta(seconds=15)  # between two tries


class RehearsedAzure(Compute):
    """An Azure client that sends its requests to the simulator. `steps` are the steps taken so far."""

    def __init__(
        self, azure: SimulatedAzure, scale_sets: Mapping[str, ScaleSet], injection: Injection
    ) -> None:
        """`scale_sets` has the specs, by key."""
        super().__init__(azure.session)
        self._simulated = azure
        self._scale_sets = scale_sets
        self._injection = injection
        self._at = azure.clock.now()
        self._first_models: dict[str, Model] = {}
        self._first_instances: dict[str, tuple[Instance, ...]] = {}
        self._models: dict[str, Model] = {}
        self._instances: dict[str, tuple[Instance, ...]] = {}
        self.steps: list[PlayedStep] = []

    @property
    def first(self) -> Snapshot:
        """The fleet at the start."""
        return Snapshot(self._at, self._first_models, self._first_instances)

    def move_to(self, at: datetime) -> None:
        if at > self._simulated.clock.now():
            self._simulated.clock.advance(at - self._simulated.clock.now())

    def next_event(self, _key: str) -> datetime | None:
        """When the next event happens to any scale set in the simulator, or None if no event is due."""
        return self._simulated.clock.next_event

    def approve_as(self, key: str, image: Image, by: str) -> None:
        """Approve the image in the name of `by`. If a request fails, tries again, up to ten times in all."""
        target = self._scale_sets[key].target
        for _ in range(_TRIES):
            try:
                model = self.model(target, Priority.ROLLOUT)
                if isinstance(model, Model):
                    self.approve(target, model, image, Signature.of(image, by, self.now()))
                return
            except AzureFailure as failure:
                asked = failure.retry_after if isinstance(failure, TooManyRequests) else _PAUSE
                self._simulated.sleep(max(asked, _PAUSE).total_seconds())

    def models(self, scope: Scope) -> Iterator[Model]:
        for each in super().models(scope):
            self._keep(each)
            yield each

    def model(self, target: Target, priority: Priority) -> Model | Absent:
        found = super().model(target, priority)
        if isinstance(found, Model):
            self._keep(found)
        return found

    def instances(self, target: Target, model: Model, priority: Priority) -> tuple[Instance, ...]:
        found = super().instances(target, model, priority)
        self._instances[target.key] = found
        self._first_instances.setdefault(target.key, found)
        return found

    def take(self, target: Target, step: Step, *, term: int | None = None) -> str:
        before = self._before(target.key, step)
        url = super().take(target, step, term=term)
        if before:
            self.steps.append(PlayedStep(target.key, step, self.now(), before))
        if isinstance(step, Upgrade):
            self._injection.note_upgrade(target.key, step)
        return url

    def _keep(self, model: Model) -> None:
        self._models[model.id] = model
        self._first_models.setdefault(model.id, model)

    def _before(self, key: str, step: Step) -> PredictedState | None:
        """The scale set as it was last read before `step`, with the image of `step` as the desired image.

        Instances that were evicted during the rehearsal count as unavailable. Instances that were deallocated
        before the rehearsal do not.
        """
        at, desired = self.now(), replace(self._scale_sets[key], image=step.image)
        instances = self._instances.get(key, ())
        before = predict(desired, Observed(at, at, model=self._models[key], instances=instances), ASSUMED)
        if before is None:
            return None
        first = _deallocated_ids(self._first_instances.get(key, ()), self._first_models[key], self._at)
        evicted = _deallocated_ids(instances, self._models[key], at) - first
        return replace(before, unavailable=before.unavailable | evicted)


def _deallocated_ids(instances: Iterable[Instance], model: Model, at: datetime) -> frozenset[str]:
    states = ((each.id, state_of(each, model.health_source, at)) for each in instances)
    return frozenset(id_ for id_, state in states if state is State.DEALLOCATED)
