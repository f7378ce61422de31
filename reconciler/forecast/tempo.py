"""How long the upgrade of a batch takes: from the batches that were seen, else a stated assumption."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median_low

from reconciler.rollout.health import State, state
from reconciler.rollout.observed import Model, Observed
from reconciler.rollout.step import Upgrade

_KEPT = 5  # laps: enough for one slow batch not to count, and few enough to follow a change


@dataclass(frozen=True, slots=True)
class Tempo:
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
ASSUMED = Tempo(timedelta(minutes=2, seconds=30), timedelta(seconds=30), is_assumed=True)


@dataclass(frozen=True, slots=True)
class Lap:
    """What one batch took, and when Azure was asked for it."""

    asked_at: datetime
    took: Tempo


def tempo(laps: Sequence[Lap]) -> Tempo:
    """What a batch usually takes, by the last few."""
    if not laps:
        return ASSUMED
    return Tempo(median_low(lap.took.upgrade for lap in laps), median_low(lap.took.health for lap in laps))


def lapped(laps: tuple[Lap, ...], observed: Observed) -> tuple[Lap, ...]:
    """The last few laps, once this look finds the batch back that was asked for last.

    Azure tells when it was done with each instance. That the last of them is healthy is known at this look,
    which is when the next batch goes.
    """
    tried, model = observed.tried, observed.model
    if tried is None or not isinstance(tried.step, Upgrade) or not isinstance(model, Model):
        return laps
    if laps and laps[-1].asked_at == tried.at:
        return laps
    batch = [each for each in observed.instances or () if each.id in tried.step.instance_ids]
    image = tried.step.image
    is_back = all(
        each.runs(image) and state(each, model.health_source, observed.at) is State.BACK for each in batch
    )
    done = max((each.since for each in batch if each.since), default=None)
    if not is_back or done is None or done < tried.at:
        return laps
    return (*laps, Lap(tried.at, Tempo(done - tried.at, observed.at - done)))[-_KEPT:]
