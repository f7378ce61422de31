"""What may happen to the state of one scale set. `advance` says what becomes of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from reconciler.daemon.in_force import Behind, Origin
from reconciler.daemon.outcome import Outcome
from reconciler.daemon.state import Change, Failure
from reconciler.forecast.batch_duration import MeasuredBatch
from reconciler.forecast.forecast import Forecast
from reconciler.rollout.age import Sighting
from reconciler.rollout.gate import Gate
from reconciler.rollout.observed import Model
from reconciler.rollout.step import Attempt, Step, TagWrite
from reconciler.spec.image import Image
from reconciler.spec.scale_set import ScaleSet


@dataclass(frozen=True, slots=True)
class SpecRead:
    """A sweep has read what is declared. `removed` are failures in scale sets whose specs are gone.

    `stale_since` is since when the source
    could not be read, None if that is not too long. The other fields are those of `InForce`.
    """

    desired: ScaleSet
    commit: str
    removed: frozenset[Failure] = frozenset()
    origin: Origin | None = None
    behind: Behind | None = None
    is_newer: bool = False
    stale_since: datetime | None = None


@dataclass(frozen=True, slots=True)
class ChangeCounted:
    """A sweep has held this declared image against the cap on change."""

    image: Image
    change: Change | None


@dataclass(frozen=True, slots=True)
class Listed:
    """A sweep has seen its row, None where the list has none. `is_settled`: no tick is called for."""

    model: Model | None
    at: datetime
    is_settled: bool


@dataclass(frozen=True, slots=True)
class ListFailed:
    """The list that would tell of it could not be read."""

    outcome: Outcome


@dataclass(frozen=True, slots=True)
class GateChanged:
    """What the gate that `outcome` waits for rests on now; it is closed still."""

    outcome: Outcome
    gate: Gate


@dataclass(frozen=True, slots=True)
class ReconcileBegan:
    """A tick begins, on what is declared now."""


@dataclass(frozen=True, slots=True)
class ModelRead:
    """The tick has read the model, None where there is no such scale set. `is_row`: in a sweep's list."""

    model: Model | None
    is_row: bool = False


@dataclass(frozen=True, slots=True)
class InstancesRead:
    """The tick has listed the instances. `is_whole`: none is missing from the list."""

    at: datetime
    sightings: Mapping[str, Sighting]
    notes: tuple[str, ...]
    is_whole: bool


@dataclass(frozen=True, slots=True)
class ImageResolved:
    """The gates are asked for this exact image."""

    image: Image


@dataclass(frozen=True, slots=True)
class SlotAcquired:
    """The look under way has taken a slot of `spec.maxConcurrentRollouts`."""


@dataclass(frozen=True, slots=True)
class ForecastUpdate:
    """What is to come, None where nothing is or nothing can be said; and what the last few batches took."""

    forecast: Forecast | None
    measured: tuple[MeasuredBatch, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReconcileEnded:
    """A tick has ended. It was about `desired` as of `commit`, which a sweep may have changed since.

    `attempt` is the last step that Azure accepted, `taken` the one it accepted in this tick, and
    `tag_write` the write of the tags alone that was asked for in it. `is_decided`: it is known how the scale
    set stands, though the step may have failed. `may_have_begun`: one was sent, and no answer came.
    `foreseen` is None where nothing was decided.
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


SweepEvent = SpecRead | ChangeCounted | Listed | ListFailed | GateChanged
ReconcileEvent = ReconcileBegan | ModelRead | InstancesRead | ImageResolved | SlotAcquired | ReconcileEnded
Event = SweepEvent | ReconcileEvent
