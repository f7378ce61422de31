"""The events that change the state of one scale set. `advance` applies them."""

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
    """A sweep has read the spec.

    `removed` has the failures in scale sets whose specs were removed. If the source has been unreadable for
    too long, `stale_since` is when that began. `fleet_pause` is the pause as of the same sweep. The other
    fields are those of `InForce`.
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
    """A sweep has listed the scale set.

    `model` is None if the list does not contain the scale set. `is_settled` means that no reconcile is due.
    """

    model: Model | None
    at: datetime
    is_settled: bool


@dataclass(frozen=True, slots=True)
class ListFailed:
    """The list that would contain the scale set could not be read.

    The outcome is published only until the first reconcile. After that, the last known status stays.
    """

    outcome: Outcome


@dataclass(frozen=True, slots=True)
class GateChanged:
    """The gate that `outcome` waits for is still closed, but its evidence has changed."""

    outcome: Outcome
    gate: Gate


@dataclass(frozen=True, slots=True)
class ReconcileBegan:
    """A reconcile of the current spec has begun."""


@dataclass(frozen=True, slots=True)
class ModelRead:
    """The reconcile has read the model.

    `model` is None if the scale set does not exist. `is_row` means that the model is an entry in the list of
    a sweep. `at` is when the model or that list was read.
    """

    model: Model | None
    at: datetime
    is_row: bool = False


@dataclass(frozen=True, slots=True)
class InstancesRead:
    """The reconcile has listed the instances. `is_whole` means that the list is complete."""

    at: datetime
    sightings: Mapping[str, Sighting]
    notes: tuple[str, ...]
    is_whole: bool
    instances: tuple[SeenInstance, ...] = ()


@dataclass(frozen=True, slots=True)
class ImageResolved:
    """The reconcile has found the image for which it evaluates the gates.

    This is the exact version of the declared image, if that version is known.
    """

    image: Image


@dataclass(frozen=True, slots=True)
class SlotAcquired:
    """The reconcile in progress has acquired a slot of `spec.maxConcurrentRollouts`."""


@dataclass(frozen=True, slots=True)
class ForecastUpdate:
    """A new forecast, and the last measured batch durations.

    `forecast` is None if there is nothing to forecast, or if the forecast failed.
    """

    forecast: Forecast | None
    measured: tuple[MeasuredBatch, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReconcileEnded:
    """A reconcile has ended.

    The reconcile was about `desired` as of `commit`. A sweep may have applied another spec since. `attempt`
    is the last step that Azure accepted. `taken` is the step that Azure accepted in this reconcile, or None.
    `tag_write` is the write of tags alone in this reconcile, or None. `is_decided` means that the reconcile
    failed after its decision. `may_have_begun` means that the step may have taken effect even though no
    response arrived. `forecast_update` is None if there was no decision. `pick_end` is the end of the pick if
    the claim did not permit the step, or None.
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
    pick_end: PickEnd | None = None


@dataclass(frozen=True, slots=True)
class PickMade:
    """A person has picked instances to be upgraded next. This ends any earlier pick."""

    pick: Pick


@dataclass(frozen=True, slots=True)
class PickEnded:
    """A pick has ended."""

    pick: Pick
    end: PickEnd


SweepEvent = SpecRead | ChangeCounted | Listed | ListFailed | GateChanged
ReconcileEvent = ReconcileBegan | ModelRead | InstancesRead | ImageResolved | SlotAcquired | ReconcileEnded
PickEvent = PickMade | PickEnded
Event = SweepEvent | ReconcileEvent | PickEvent
