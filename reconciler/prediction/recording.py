"""An Azure client that keeps what it reads, so that a prediction can begin without reading again.

A scale set that was listed is not read again individually. A plan changes nothing, so the model need not be
fresh.
"""

from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime

from reconciler.azure.budget import Priority
from reconciler.azure.compute import Scope
from reconciler.azure.failure import AzureFailure
from reconciler.azure.request_counter import RequestCounter
from reconciler.daemon.interfaces import AzureClient
from reconciler.rollout.observed import Absent, Availability, Instance, Model, Operation, RollingUpgrade
from reconciler.rollout.pause import Pause
from reconciler.rollout.persisted import PersistedState
from reconciler.rollout.step import Step
from reconciler.spec.fleet import PauseTag
from reconciler.spec.image import Image
from reconciler.spec.scale_set import ScaleSet, Target


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What was last read of a fleet, by scale set key. `at` is when the last answer arrived.

    The key of an availability also contains the requested image, in lower case. `failures` says why scale
    sets, or their instances, could not be read.
    """

    at: datetime
    models: Mapping[str, Model] = field(default_factory=dict)
    instances: Mapping[str, tuple[Instance, ...]] = field(default_factory=dict)
    rolling_upgrades: Mapping[str, RollingUpgrade] = field(default_factory=dict)
    availabilities: Mapping[tuple[str, str], Availability] = field(default_factory=dict)
    failures: Mapping[str, AzureFailure] = field(default_factory=dict)


class Recording:
    """Passes each call on to another client, and keeps the answers. Safe to share between threads."""

    def __init__(self, azure: AzureClient) -> None:
        self._azure = azure
        self._failed_lists: dict[str, AzureFailure] = {}  # by the path of the scope
        self._failed_models: dict[str, AzureFailure] = {}
        self._lists: dict[Scope, tuple[Model, ...]] = {}
        self._models: dict[str, Model] = {}
        self._instances: dict[str, tuple[Instance, ...]] = {}
        self._rolling_upgrades: dict[str, RollingUpgrade] = {}
        self._availabilities: dict[tuple[str, str], Availability] = {}

    def snapshot(self, scale_sets: Iterable[ScaleSet], *, readers: int = 1) -> Snapshot:
        """The snapshot of everything that is known.

        Instances that no decision has asked for yet are read now, in `readers` threads.
        """
        targets = [each.target for each in scale_sets]
        unread = [each for each in targets if each.key in self._models and each.key not in self._instances]
        with ThreadPoolExecutor(readers) as pool:
            found = dict(
                zip((each.key for each in unread), pool.map(self._try_instances, unread), strict=True)
            )
        failures = {each.key: self._failure_of_model(each) for each in targets} | found
        return Snapshot(
            self.now(),
            dict(self._models),
            dict(self._instances),
            dict(self._rolling_upgrades),
            dict(self._availabilities),
            {key: failure for key, failure in failures.items() if failure},
        )

    def _try_instances(self, target: Target) -> AzureFailure | None:
        """Read the instances. Returns the failure if they could not be read, or None."""
        try:
            self.instances(target, self._models[target.key], Priority.ROLLOUT)
        except AzureFailure as failure:
            return failure
        return None

    def _failure_of_model(self, target: Target) -> AzureFailure | None:
        """Why a scale set could be read neither individually nor in a list, or None if it was read."""
        if target.key in self._models:
            return None
        if failure := self._failed_models.get(target.key):
            return failure
        failed = self._failed_lists.items()
        return next((each for path, each in failed if target.key.startswith(f"{path}/")), None)

    @property
    def requests(self) -> RequestCounter:
        return self._azure.requests

    def now(self) -> datetime:
        return self._azure.now()

    def models(self, scope: Scope) -> Iterator[Model]:
        """The scale sets in a scope. Each scope is listed only once."""
        if scope not in self._lists:
            try:
                self._lists[scope] = tuple(self._azure.models(scope))
            except AzureFailure as failure:
                self._failed_lists[scope.path.casefold()] = failure
                raise
            self._models |= {each.id: each for each in self._lists[scope]}
        yield from self._lists[scope]

    def model(self, target: Target, priority: Priority) -> Model | Absent:
        if known := self._models.get(target.key):
            return known
        try:
            found = self._azure.model(target, priority)
        except AzureFailure as failure:
            self._failed_models[target.key] = failure
            raise
        self._failed_models.pop(target.key, None)
        if isinstance(found, Model):
            self._models[target.key] = found
        return found

    def instances(self, target: Target, model: Model, priority: Priority) -> tuple[Instance, ...]:
        found = self._azure.instances(target, model, priority)
        self._instances[target.key] = found
        return found

    def rolling_upgrade(self, target: Target, priority: Priority) -> RollingUpgrade:
        found = self._azure.rolling_upgrade(target, priority)
        self._rolling_upgrades[target.key] = found
        return found

    def availability(self, image: Image, model: Model, priority: Priority) -> Availability:
        found = self._azure.availability(image, model, priority)
        self._availabilities[model.id, str(image).casefold()] = found
        return found

    def operation(self, url: str, target: Target) -> Operation:
        return self._azure.operation(url, target)

    def fleet_pause(self, tag: PauseTag) -> Pause | None:
        return self._azure.fleet_pause(tag)

    def take(self, target: Target, step: Step, *, term: int) -> str:
        return self._azure.take(target, step, term=term)

    def persist(self, target: Target, model: Model, persisted: PersistedState, *, term: int) -> None:
        self._azure.persist(target, model, persisted, term=term)
