"""What the reconciler depends on: an Azure client, and the active specs.

The real implementations are `azure.compute.Compute` and `specs.Specs`. A prediction runs the same reconciler
with other implementations.
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
    """A client for Azure Compute. Each call may raise AzureFailure."""

    @property
    def requests(self) -> RequestCounter:
        """The requests sent so far."""
        ...

    def now(self) -> datetime:
        """The current time on Azure's clock."""
        ...

    def models(self, scope: Scope) -> Iterable[Model]:
        """Every scale set in `scope`."""
        ...

    def model(self, target: Target, priority: Priority) -> Model | Absent:
        """The scale set as it is now, or Absent if it does not exist."""
        ...

    def instances(self, target: Target, model: Model, priority: Priority) -> tuple[Instance, ...]:
        """Every instance of the scale set."""
        ...

    def rolling_upgrade(self, target: Target, priority: Priority) -> RollingUpgrade:
        """The latest rolling upgrade that Azure ran or is running."""
        ...

    def availability(self, image: Image, model: Model, priority: Priority) -> Availability:
        """Whether new instances of this scale set can be created from `image`."""
        ...

    def operation(self, url: str, target: Target) -> Operation:
        """The status of a long-running operation."""
        ...

    def fleet_pause(self, tag: PauseTag) -> Pause | None:
        """The pause that this tag of a resource group declares, or None if there is no such tag."""
        ...

    def take(self, target: Target, step: Step, *, term: int) -> str:
        """Request `step`, which was decided in this term.

        Returns the URL of the operation, or "" if there is none.
        """
        ...

    def persist(self, target: Target, model: Model, persisted: PersistedState, *, term: int) -> None:
        """Write the state, which was decided in this term, to the tags.

        Nothing is written if the scale set has changed since `model` was read.
        """
        ...


class DeclaredHistory(Protocol):
    """What the source of the specs knows about earlier commits."""

    def authors(self, desired: ScaleSet, commit: str) -> tuple[Author, ...]:
        """The authors of the lines that declare the image at this commit, or () if unknown."""
        ...

    def was_declared(self, desired: ScaleSet, image: Image, commit: str) -> bool:
        """Whether an earlier commit declared the image for this scale set. False if unknown."""
        ...


class DeclaredSpecs(DeclaredHistory, Protocol):
    """The active specs, and the errors in the others. See `specs.Specs`."""

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
    def read_age(self) -> timedelta | None: ...
    @property
    def unread_for(self) -> timedelta | None: ...
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
    @property
    def elsewhere(self) -> frozenset[str]: ...

    def refresh(self) -> None:
        """Read the specs again."""
        ...
