"""The state of one scale set: its spec, its last observation, its progress, and what is published.

States are frozen, and exist only in memory. Only `advance` makes the next state.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from reconciler.daemon.condition import UNOBSERVED, Condition
from reconciler.daemon.history import History
from reconciler.daemon.in_force import Behind, Origin
from reconciler.daemon.outcome import Outcome
from reconciler.daemon.revision import Revision
from reconciler.daemon.seen_instance import SeenInstance
from reconciler.forecast.batch_duration import MeasuredBatch
from reconciler.forecast.forecast import Forecast
from reconciler.rollout.age import Sighting
from reconciler.rollout.counts import InstanceCounts
from reconciler.rollout.observed import Model
from reconciler.rollout.pause import NOT_PAUSED, FleetPause
from reconciler.rollout.persisted import Fingerprint
from reconciler.rollout.pick import Pick
from reconciler.rollout.progress import Progress
from reconciler.rollout.reason import Reason, Status
from reconciler.spec.image import Image
from reconciler.spec.scale_set import ScaleSet


@dataclass(frozen=True, slots=True)
class Change:
    """The commit that changes the image of a scale set, and when it became active.

    `is_held` means that the commit changes more scale sets than `spec.maxChange` of the Fleet allows.
    """

    commit: str
    at: datetime
    is_held: bool


@dataclass(frozen=True, slots=True)
class Failure:
    """An image that failed in the scale set called `name`."""

    name: str
    image: Fingerprint


@dataclass(frozen=True, slots=True)
class LastSeen:
    """The last observation of a scale set.

    `model` is the model that the last reconcile read. `model_at` is when it was read, or None once a
    reconcile has ended without being throttled, because that reconcile may have changed the model. `counts`,
    `instances`, `notes`, and `sightings` by instance id, are from the last list of instances, read at
    `instances_at`. `listed` is the list entry of the last sweep. `listed_at` is None once a reconcile has
    used that entry. `exact` is the version of the declared image for which the gates were last evaluated.
    """

    model: Model | None = None
    model_at: datetime | None = None
    counts: InstanceCounts | None = None
    instances_at: datetime | None = None
    instances: tuple[SeenInstance, ...] = ()
    sightings: Mapping[str, Sighting] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    listed: Model | None = None
    listed_at: datetime | None = None
    exact: Image | None = None

    @property
    def listed_or_read(self) -> Model | None:
        """The model that the last sweep listed, even if a reconcile has read the model since.

        If no sweep has listed the scale set yet, this is the model that a reconcile read.
        """
        return self.listed or self.model


@dataclass(frozen=True, slots=True)
class Published:
    """What is published about a scale set. The function `due` depends on it too.

    `outcome` is that of the last reconcile. `decided` is the spec that the last reconcile was about, or None
    before the first reconcile. `concluded` is what the last decision, or the last refusal by Azure, was
    about. `since` is when this process first saw the current status and reason. `known_at` is when the status
    was last known, because a reconcile reached a decision or a sweep found that no reconcile was due.
    `forecast` is as of the last step or wait. `measured` has the durations of the last batches.
    """

    outcome: Outcome | None = None
    decided: ScaleSet | None = None
    concluded: Revision | None = None
    since: datetime | None = None
    known_at: datetime | None = None
    forecast: Forecast | None = None
    measured: tuple[MeasuredBatch, ...] = ()
    conditions: tuple[Condition, ...] = UNOBSERVED
    history: History = field(default_factory=History)


@dataclass(frozen=True, slots=True)
class PickEnd:
    """When a pick ended, and why. `is_served` means that every picked instance runs the image."""

    at: datetime
    message: str
    is_served: bool = False


@dataclass(frozen=True, slots=True)
class PickState:
    """The last pick that a person made, for the declared image `image`. It is over once `end` is set.

    `moved_at` is when the pick was made, or when the rollout was last in progress since then.
    """

    pick: Pick
    image: Image
    moved_at: datetime
    end: PickEnd | None = None


@dataclass(frozen=True, slots=True)
class ScaleSetState:
    """The state of one scale set.

    `declared_at` is when this process first read its spec. `counted_image` is the declared image for which
    changes were last counted. `change` is the result of that count, or None if the image changes nothing.
    `removed` has the failures in other scale sets whose specs have since been removed. For `origin`, `behind`
    and `is_newer`, see `InForce`. For `stale_since` and `fleet_pause`, see `SpecRead`.
    """

    desired: ScaleSet
    commit: str
    declared_at: datetime | None = None
    origin: Origin | None = None
    behind: Behind | None = None
    is_newer: bool = False
    stale_since: datetime | None = None
    fleet_pause: FleetPause = NOT_PAUSED
    counted_image: Image | None = None
    change: Change | None = None
    removed: frozenset[Failure] = frozenset()
    seen: LastSeen = field(default_factory=LastSeen)
    progress: Progress = field(default_factory=Progress)
    pick: PickState | None = None
    published: Published = field(default_factory=Published)

    @property
    def key(self) -> str:
        """The key of the target, which stays the same if the spec is renamed."""
        return self.desired.target.key

    @property
    def exact(self) -> Image:
        """The exact version of the declared image, or the declared image itself if no version is resolved."""
        return self.seen.exact or self.desired.image

    @property
    def outcome(self) -> Outcome | None:
        """The outcome of the last reconcile, or None before the first."""
        return self.published.outcome

    @property
    def is_as_declared(self) -> bool:
        """Whether the last reconcile found the scale set Ready or Suspended."""
        return self.outcome is not None and self.outcome.status in {Status.READY, Status.SUSPENDED}

    @property
    def failures(self) -> frozenset[Failure]:
        """The images that failed in this scale set, as observed by this process or persisted."""
        model = self.seen.listed_or_read
        failed = (self.progress.blamed, model.persisted.failed if model else None)
        return frozenset(Failure(self.desired.name, each) for each in failed if each)

    @property
    def is_throttled(self) -> bool:
        """Whether the last observation was throttled."""
        outcome = self.outcome
        return outcome is not None and (outcome.as_of is not None or outcome.reason is Reason.THROTTLED)

    @property
    def revision(self) -> Revision:
        """The revision that is declared now."""
        return Revision.of(self.desired, self.commit)

    @property
    def observed_revision(self) -> Revision | None:
        """The revision that the last decision was about, or None before the first.

        A commit that changes nothing for this scale set counts as observed as soon as it is active.
        """
        declared, concluded = self.revision, self.published.concluded
        return declared if concluded and concluded.spec == declared.spec else concluded
