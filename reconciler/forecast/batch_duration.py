"""How long the upgrade of a batch takes: measured on earlier batches, or assumed."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median_low

from reconciler.rollout.health import State, state_of
from reconciler.rollout.observed import Model, Observed
from reconciler.rollout.step import Upgrade

_KEPT = 5  # batches: enough that one slow batch does not count, and few enough to follow a change


@dataclass(frozen=True, slots=True)
class BatchDuration:
    """How long a batch takes.

    `upgrade` is how long Azure takes to upgrade the batch. `health` is how long the whole batch then takes to
    become healthy. `is_assumed` is true if no batch of this scale set has been measured yet.
    """

    upgrade: timedelta
    health: timedelta
    is_assumed: bool = False

    @property
    def whole(self) -> timedelta:
        """The time from the request until all instances of the batch are healthy."""
        return self.upgrade + self.health


# A new disk and a boot take minutes. The application then needs some seconds until it reports that it is
# healthy.
ASSUMED = BatchDuration(timedelta(minutes=2, seconds=30), timedelta(seconds=30), is_assumed=True)


@dataclass(frozen=True, slots=True)
class MeasuredBatch:
    """How long one batch took, and when its upgrade was requested."""

    requested_at: datetime
    took: BatchDuration


def usual_duration(measured: Sequence[MeasuredBatch], most: timedelta) -> BatchDuration:
    """The median of the measured batches or, if none was measured, the assumed duration.

    The assumed duration is at most `most`, which is `health.timeout`.
    """
    if not measured:
        return _assumed_within(most)
    return BatchDuration(
        median_low(each.took.upgrade for each in measured), median_low(each.took.health for each in measured)
    )


def _assumed_within(most: timedelta) -> BatchDuration:
    """The assumed duration, but at most `most`.

    >>> print(_assumed_within(timedelta(minutes=2)).whole, _assumed_within(timedelta(hours=1)).whole)
    0:02:00 0:03:00
    """
    if most >= ASSUMED.whole:
        return ASSUMED
    return BatchDuration(most - most / 6, most / 6, is_assumed=True)


def measure(measured: tuple[MeasuredBatch, ...], observed: Observed) -> tuple[MeasuredBatch, ...]:
    """The last few measurements, with the last batch added if this observation finds the batch healthy.

    Azure reports when it finished each instance. Only an observation shows that the last instance has become
    healthy, and the next batch starts right after that observation.
    """
    attempt, model = observed.attempt, observed.model
    if attempt is None or not isinstance(attempt.step, Upgrade) or not isinstance(model, Model):
        return measured
    if measured and measured[-1].requested_at == attempt.at:
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
