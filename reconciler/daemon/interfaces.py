"""What the reconciler depends on: a client of Azure, and the specs in force.

`azure.compute.Compute` and `specs.Specs` are the real ones. A prediction runs the same reconciler on others.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Protocol

from reconciler.azure.budget import Priority
from reconciler.azure.compute import Scope
from reconciler.azure.request_counter import RequestCounter
from reconciler.daemon.in_force import InForce, RefusedCommit
from reconciler.rollout.observed import Absent, Availability, Instance, Model, Operation, RollingUpgrade
from reconciler.rollout.pause import Pause
from reconciler.rollout.persisted import PersistedState
from reconciler.rollout.step import Step
from reconciler.spec.author import Author
from reconciler.spec.fleet import PauseTag
from reconciler.spec.image import Image
from reconciler.spec.scale_set import ScaleSet, Target
from reconciler.spec.shard import Shard


class AzureClient(Protocol):
    """A client of Azure Compute. Each call may raise AzureFailure."""

    @property
    def requests(self) -> RequestCounter:
        """The number of requests so far."""
        ...

    def now(self) -> datetime:
        """The current time in Azure."""
        ...

    def models(self, scope: Scope) -> Iterable[Model]:
        """Every scale set of `scope`."""
        ...

    def model(self, target: Target, priority: Priority) -> Model | Absent:
        """One scale set as it is now."""
        ...

    def instances(self, target: Target, model: Model, priority: Priority) -> tuple[Instance, ...]:
        """Every instance of that scale set."""
        ...

    def rolling_upgrade(self, target: Target, priority: Priority) -> RollingUpgrade:
        """The latest rolling upgrade by Azure, running or not."""
        ...

    def availability(self, image: Image, model: Model, priority: Priority) -> Availability:
        """Whether instances of that scale set can be created from `image`."""
        ...

    def operation(self, url: str, target: Target) -> Operation:
        """The status of a long operation."""
        ...

    def fleet_pause(self, tag: PauseTag) -> Pause | None:
        """The pause that the tag of this resource group declares, None without the tag."""
        ...

    def take(self, target: Target, step: Step, *, term: int) -> str:
        """Request `step`, which was decided in this term. Returns the URL of the operation, "" if there is
        none."""
        ...

    def persist(self, target: Target, model: Model, persisted: PersistedState, *, term: int) -> None:
        """Write the state, decided in this term, to the tags of the scale set, unless it has changed since
        `model` was read."""
        ...


class DeclaredHistory(Protocol):
    """What the source of the specs knows about earlier commits."""

    def authors(self, desired: ScaleSet, commit: str) -> tuple[Author, ...]:
        """The authors of the lines that declare the image at this commit. Empty if unknown."""
        ...

    def was_declared(self, desired: ScaleSet, image: Image, commit: str) -> bool:
        """Whether an earlier commit declared the image for this scale set. False if unknown."""
        ...


class DeclaredSpecs(DeclaredHistory, Protocol):
    """The specs in force, and the errors of those that are not. See `specs.Specs`."""

    @property
    def in_force(self) -> tuple[InForce, ...]: ...
    @property
    def scale_sets(self) -> tuple[ScaleSet, ...]: ...
    @property
    def in_force_since(self) -> datetime | None: ...
    @property
    def commit(self) -> str: ...
    @property
    def subject(self) -> str: ...
    @property
    def author(self) -> str: ...
    @property
    def is_partial(self) -> bool: ...
    @property
    def read_at(self) -> datetime | None: ...
    @property
    def refused(self) -> RefusedCommit | None: ...
    @property
    def warnings(self) -> tuple[str, ...]: ...
    @property
    def errors(self) -> tuple[str, ...]: ...
    @property
    def shard(self) -> Shard | None: ...
    @property
    def total(self) -> int: ...

    def refresh(self) -> None:
        """Read the specs again."""
        ...

    def stale_since(self, max_age: timedelta) -> datetime | None:
        """The time since which the specs have been unreadable, or None if that is no longer than
        `max_age`."""
        ...
