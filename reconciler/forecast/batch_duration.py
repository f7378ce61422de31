"""How long the upgrade of a batch takes: from the batches that were seen, else a stated assumption."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median_low

from reconciler.rollout.health import State, state_of
from reconciler.rollout.observed import Model, Observed
from reconciler.rollout.step import Upgrade

_KEPT = 5  # laps: enough for one slow batch not to count, and few enough to follow a change


@dataclass(frozen=True, slots=True)
class BatchDuration:
    """`upgrade` is how long Azure is at work on a batch, `health` how long it then takes until all of it is
    healthy. `is_assumed`: no batch of this scale set was seen yet."""

    upgrade: timedelta
    health: timedelta
    is_assumed: bool = False

    @property
    def whole(self) -> timedelta:
        """From the request until the instances are back."""
        return self.upgrade + self.health


# A new disk and a boot take minutes, and an application some seconds more until it says that it is well.
ASSUMED = BatchDuration(timedelta(minutes=2, seconds=30), timedelta(seconds=30), is_assumed=True)


@dataclass(frozen=True, slots=True)
class MeasuredBatch:
    """What one batch took, and when Azure was asked for it."""

    asked_at: datetime
    took: BatchDuration


def duration(measured: Sequence[MeasuredBatch], most: timedelta) -> BatchDuration:
    """What a batch usually takes, by the last few. `most` is how long it may take to be healthy: without any
    that was seen it is taken to be done within that."""
    if not measured:
        return _assumed_within(most)
    return BatchDuration(
        median_low(lap.took.upgrade for lap in measured), median_low(lap.took.health for lap in measured)
    )


def _assumed_within(most: timedelta) -> BatchDuration:
    """
    >>> print(_assumed_within(timedelta(minutes=2)).whole, _assumed_within(timedelta(hours=1)).whole)
    0:02:00 0:03:00
    """
    if most >= ASSUMED.whole:
        return ASSUMED
    return BatchDuration(most - most / 6, most / 6, is_assumed=True)


def measure(measured: tuple[MeasuredBatch, ...], observed: Observed) -> tuple[MeasuredBatch, ...]:
    """The last few laps, once this look finds the batch back that was asked for last.

    Azure tells when it was done with each instance. That the last of them is healthy is known at this look,
    which is when the next batch goes.
    """
    attempt, model = observed.attempt, observed.model
    if attempt is None or not isinstance(attempt.step, Upgrade) or not isinstance(model, Model):
        return measured
    if measured and measured[-1].asked_at == attempt.at:
        return measured
    batch = [each for each in observed.instances or () if each.id in attempt.step.instance_ids]
    image = attempt.step.image
    is_back = all(
        each.runs(image) and state_of(each, model.health_source, observed.at) is State.HEALTHY
        for each in batch
    )
    done = max((each.since for each in batch if each.since), default=None)
    if not is_back or done is None or done < attempt.at:
        return measured
    return (*measured, MeasuredBatch(attempt.at, BatchDuration(done - attempt.at, observed.at - done)))[
        -_KEPT:
    ]
