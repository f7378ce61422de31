"""The events that change the state of one scale set. `advance` makes the next state from each."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from reconciler.daemon.in_force import Behind, Origin
from reconciler.daemon.outcome import Outcome
from reconciler.daemon.seen_instance import SeenInstance
from reconciler.daemon.state import Change, Failure, PickEnd
from reconciler.forecast.batch_duration import MeasuredBatch
from reconciler.forecast.forecast import Forecast
from reconciler.rollout.age import Sighting
from reconciler.rollout.gate import Gate
from reconciler.rollout.observed import Model
from reconciler.rollout.pause import NOT_PAUSED, FleetPause
from reconciler.rollout.pick import Pick
from reconciler.rollout.step import Attempt, Step, TagWrite
from reconciler.spec.image import Image
from reconciler.spec.scale_set import ScaleSet


@dataclass(frozen=True, slots=True)
class SpecRead:
    """A sweep has read the spec. `removed` are failures in scale sets whose specs were removed.

    `stale_since` is the time since which the source has been unreadable, or None if that is not too long.
    `fleet_pause` is as of the same sweep. The other fields are those of `InForce`.
    """

    desired: ScaleSet
    commit: str
    removed: frozenset[Failure] = frozenset()
    origin: Origin | None = None
    behind: Behind | None = None
    is_newer: bool = False
    stale_since: datetime | None = None
    fleet_pause: FleetPause = NOT_PAUSED


@dataclass(frozen=True, slots=True)
class ChangeCounted:
    """A sweep has counted the change to this declared image against `spec.maxChange`."""

    image: Image
    change: Change | None


@dataclass(frozen=True, slots=True)
class Listed:
    """A sweep has listed the model, None if the list lacks it. `is_settled`: no reconcile is due."""

    model: Model | None
    at: datetime
    is_settled: bool


@dataclass(frozen=True, slots=True)
class ListFailed:
    """The list that would contain the scale set could not be read."""

    outcome: Outcome


@dataclass(frozen=True, slots=True)
class GateChanged:
    """The gate that `outcome` waits for is still closed, on new evidence."""

    outcome: Outcome
    gate: Gate


@dataclass(frozen=True, slots=True)
class ReconcileBegan:
    """A reconcile begins, with the current spec."""


@dataclass(frozen=True, slots=True)
class ModelRead:
    """The reconcile has read the model, None if there is no such scale set. `is_row`: from a sweep's list."""

    model: Model | None
    is_row: bool = False


@dataclass(frozen=True, slots=True)
class InstancesRead:
    """The reconcile has listed the instances. `is_whole`: the list lacks none."""

    at: datetime
    sightings: Mapping[str, Sighting]
    notes: tuple[str, ...]
    is_whole: bool
    instances: tuple[SeenInstance, ...] = ()


@dataclass(frozen=True, slots=True)
class ImageResolved:
    """The gates are evaluated for this exact image."""

    image: Image


@dataclass(frozen=True, slots=True)
class SlotAcquired:
    """The reconcile in progress has acquired a slot of `spec.maxConcurrentRollouts`."""


@dataclass(frozen=True, slots=True)
class ForecastUpdate:
    """The forecast, None if nothing is to come or can be forecast, and the last measured batch durations."""

    forecast: Forecast | None
    measured: tuple[MeasuredBatch, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReconcileEnded:
    """A reconcile has ended. It was about `desired` as of `commit`, which a sweep may have changed since.

    `attempt` is the last step that Azure accepted, `taken` the one that it accepted in this reconcile, and
    `tag_write` the step of this reconcile that wrote only tags, if any. `is_decided`: there was a decision,
    even if its step failed. `may_have_begun`: a step was sent, but no response arrived. `forecast_update` is
    None without a decision.
    """

    desired: ScaleSet
    commit: str
    outcome: Outcome
    attempt: Attempt | None
    taken: Step | None = None
    is_decided: bool = False
    tag_write: TagWrite | None = None
    may_have_begun: bool = False
    forecast_update: ForecastUpdate | None = None


@dataclass(frozen=True, slots=True)
class PickMade:
    """A person has picked instances to be upgraded next. An earlier pick is over."""

    pick: Pick


@dataclass(frozen=True, slots=True)
class PickEnded:
    """This pick is over."""

    pick: Pick
    end: PickEnd


SweepEvent = SpecRead | ChangeCounted | Listed | ListFailed | GateChanged
ReconcileEvent = ReconcileBegan | ModelRead | InstancesRead | ImageResolved | SlotAcquired | ReconcileEnded
PickEvent = PickMade | PickEnded
Event = SweepEvent | ReconcileEvent | PickEvent
