"""Azure as it will be if all goes well: the fleet from a snapshot, on a clock that a prediction moves.

Each scale set is a `PredictedState`. Steps succeed, and upgraded instances become healthy within the usual
duration of a batch. Nobody else changes anything. If something could not be read for the snapshot, reading it
here fails in the same way.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from itertools import chain

from reconciler.azure.budget import Priority
from reconciler.azure.compute import Scope
from reconciler.azure.failure import Conflict
from reconciler.azure.request_counter import RequestCounter
from reconciler.forecast.batch_duration import BatchDuration
from reconciler.forecast.model import PredictedState, assumed_recoveries, predict
from reconciler.prediction.playback import PlayedStep
from reconciler.prediction.recording import Snapshot
from reconciler.rollout.observed import (
    ABSENT,
    Absent,
    Availability,
    Instance,
    Model,
    Observed,
    Operation,
    RollingUpgrade,
    Verdict,
)
from reconciler.rollout.pause import Pause
from reconciler.rollout.persisted import PersistedState, Signature
from reconciler.rollout.preflight import exact_if_known
from reconciler.rollout.step import PatchModel, Step
from reconciler.spec.fleet import PauseTag
from reconciler.spec.image import Image
from reconciler.spec.scale_set import ScaleSet, Target

_OPERATION = "the address of an operation"


class PredictedAzure:
    """A client for the predicted fleet.

    `steps` are the steps taken so far. `assumed_recoveries` has the number of unhealthy instances that are
    assumed to recover by themselves, by scale set key.
    """

    def __init__(
        self, snapshot: Snapshot, scale_sets: Mapping[str, ScaleSet], durations: Mapping[str, BatchDuration]
    ) -> None:
        """`scale_sets` has the specs, and `durations` the usual batch durations, both by key."""
        self._snapshot = snapshot
        self._now = snapshot.at
        self._worlds: dict[str, PredictedState] = {}
        self.assumed_recoveries: dict[str, int] = {}
        for key, desired in scale_sets.items():
            observed = _observed(desired, snapshot)
            exact = exact_if_known(desired, observed)
            if world := predict(exact, observed, durations[key]):
                self._worlds[key] = world
            if recovering := assumed_recoveries(exact, observed):
                self.assumed_recoveries[key] = len(recovering)
        self._unread_models = {
            key: model for key in snapshot.failures if (model := snapshot.models.get(key)) is not None
        }
        self.steps: list[PlayedStep] = []
        self.requests = RequestCounter()

    def move_to(self, at: datetime) -> None:
        self._now = max(self._now, at)

    def next_event(self, key: str) -> datetime | None:
        world = self._worlds.get(key)
        events = world.at(self._now).events if world else ()
        return events[0].at if events else None

    def same_until(self, desired: ScaleSet, until: datetime | None) -> datetime:
        """When the decision about `desired`, which took no step, might change.

        `until` is the time that the decision names, or None.
        """
        world = self._worlds.get(desired.target.key)
        return world.at(self._now).same_until(desired, until, self._now) if world else until or self._now

    def approve_as(self, key: str, image: Image, by: str) -> None:
        model = self._unread_models.get(key) or self._world(key).model
        signature = Signature.of(image, by, self._now)
        self._set_state(key, model, replace(model.persisted, approved=image, signature=signature))

    def is_unread(self, key: str) -> bool:
        """Whether this scale set, or its instances, could not be read for the snapshot."""
        return key in self._snapshot.failures

    def now(self) -> datetime:
        return self._now

    def models(self, scope: Scope) -> Iterator[Model]:
        start = scope.path.casefold() + "/"
        unread = (model for key, model in self._unread_models.items() if key.startswith(start))
        return chain((self._world(key).model for key in self._worlds if key.startswith(start)), unread)

    def model(self, target: Target, _priority: Priority) -> Model | Absent:
        if unread := self._unread_models.get(target.key):
            return unread
        is_absent = target.key not in self._worlds and target.key not in self._snapshot.failures
        return ABSENT if is_absent else self._world(target.key).model

    def instances(self, target: Target, _model: Model, _priority: Priority) -> tuple[Instance, ...]:
        return self._world(target.key).instances

    def rolling_upgrade(self, target: Target, _priority: Priority) -> RollingUpgrade:
        return self._snapshot.rolling_upgrades.get(target.key, RollingUpgrade())

    def availability(self, image: Image, model: Model, _priority: Priority) -> Availability:
        best_case = Availability(image, Verdict.AVAILABLE)
        return self._snapshot.availabilities.get((model.id, str(image).casefold()), best_case)

    def operation(self, _url: str, _target: Target) -> Operation:
        return Operation("Succeeded")

    def fleet_pause(self, _tag: PauseTag) -> Pause | None:
        """None, because a plan says what happens once a pause has been lifted."""
        return None

    def take(self, target: Target, step: Step, *, term: int) -> str:  # noqa: ARG002 - nobody else leads
        """Take the step. Raises Conflict if a patch refers to an earlier model."""
        world = self._world(target.key)
        if isinstance(step, PatchModel) and step.etag != world.model.etag:
            raise Conflict("the predicted scale set has changed")
        self.steps.append(PlayedStep(target.key, step, self._now, world))
        self._worlds[target.key] = world.after(step, self._now)
        return _OPERATION

    def persist(
        self,
        target: Target,
        model: Model,
        persisted: PersistedState,
        *,
        term: int,  # noqa: ARG002 - nobody else leads
    ) -> None:
        self._set_state(target.key, model, persisted)

    def _set_state(self, key: str, model: Model, persisted: PersistedState) -> None:
        after = replace(model, persisted=persisted, etag=f"{model.etag}'")
        if key in self._unread_models:
            self._unread_models[key] = after
        else:
            self._worlds[key] = replace(self._world(key), model=after)

    def _world(self, key: str) -> PredictedState:
        """The current state of the scale set. Raises the failure if it could not be read."""
        if failure := self._snapshot.failures.get(key):
            raise failure.with_traceback(None)
        world = self._worlds[key] = self._worlds[key].at(self._now)
        return world


def _observed(desired: ScaleSet, snapshot: Snapshot) -> Observed:
    key = desired.target.key
    return Observed(
        snapshot.at,
        snapshot.at,
        model=snapshot.models.get(key),
        instances=snapshot.instances.get(key),
        availability=snapshot.availabilities.get((key, str(desired.image).casefold())),
    )
