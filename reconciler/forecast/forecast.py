"""The forecast: the batches to come, and when the rollout is complete, if everything succeeds.

This module runs `decide` forward (`simulation`) on the predicted scale set (`model`), and reads only the
result of each predicted reconcile.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from reconciler.forecast.batch_duration import BatchDuration
from reconciler.forecast.model import PredictedState, predict
from reconciler.forecast.simulation import PredictedReconcile, Schedule, Simulation
from reconciler.rollout.domains import grouping
from reconciler.rollout.member import members
from reconciler.rollout.observed import Observed
from reconciler.rollout.preflight import exact_if_known
from reconciler.rollout.reason import Reason
from reconciler.rollout.step import Step, Upgrade
from reconciler.spec.scale_set import ScaleSet

# The sum of instances over all reconciles, which take about a second of CPU. 1,000 instances in 50 domains
# need half of this limit.
_EFFORT_LIMIT = 200_000


@dataclass(frozen=True, slots=True)
class Batch:
    """Instances that are upgraded together, at the time `at`. `domain` is named as in messages.

    `unavailable` is the number of instances of the scale set that are unavailable at that time, including the
    batch.
    """

    domain: str
    instance_ids: tuple[str, ...]
    at: datetime
    is_canary: bool
    unavailable: int


@dataclass(frozen=True, slots=True)
class PredictedWait:
    """A wait, from `at` to `until`, for something other than instances.

    `until` is None if the end of the wait is unknown.
    """

    reason: Reason
    at: datetime
    until: datetime | None


@dataclass(frozen=True, slots=True)
class Forecast:
    """The predicted course of a rollout, from its next step on.

    At most `max_unavailable` of `total` instances are unavailable at once, including instances that are
    already unhealthy. `begins` is when the first step is taken, and `ends` is when nothing is left to do.
    Either time is None if it depends on a wait whose end is unknown. The prediction continues as if such a
    wait ended immediately. `lasts` is the time from the first reconcile without a closed gate to the end of
    the rollout. `end_reason` is the reason of the last decision, or None if the prediction stopped before the
    end.
    """

    batches: tuple[Batch, ...]
    patches: int
    max_unavailable: int
    total: int
    begins: datetime | None
    ends: datetime | None
    lasts: timedelta
    waits: tuple[PredictedWait, ...]
    end_reason: Reason | None
    duration: BatchDuration

    @property
    def writes(self) -> int:
        return self.patches + len(self.batches)


def forecast(
    desired: ScaleSet, observed: Observed, duration: BatchDuration, schedule: Schedule
) -> Forecast | None:
    """Predict the rollout to `desired`. Returns None if no step follows, or if too little was observed."""
    exact = exact_if_known(desired, observed)
    world = predict(exact, observed, duration)
    if world is None:
        return None
    reconciles = _follow(Simulation(desired, exact.image, observed, world, schedule).reconciles())
    steps = [each for each in reconciles if each.decision.step]
    if not steps:
        return None
    last = reconciles[-1]
    open_at = next(each.at for each in reconciles if not each.decision.gates)
    return forecast_of(
        exact,
        [PredictedStep(each.decision.step, each.at, each.world) for each in steps if each.decision.step],
        tuple(_waits(reconciles)),
        ended_at=last.at,
        lasts=last.at - open_at,
        end_reason=last.decision.reason if last.is_last else None,
        duration=duration,
    )


@dataclass(frozen=True, slots=True)
class PredictedStep:
    """A step predicted for the time `at`, with the scale set as it was right before the step."""

    step: Step
    at: datetime
    before: PredictedState


def forecast_of(
    exact: ScaleSet,
    steps: Sequence[PredictedStep],
    waits: tuple[PredictedWait, ...],
    *,
    ended_at: datetime,
    lasts: timedelta,
    end_reason: Reason | None,
    duration: BatchDuration,
) -> Forecast:
    """Build a forecast from predicted steps (at least one) and predicted waits.

    `exact` is the spec with its exact image. `end_reason` is None if the prediction stopped before the end.
    """
    upgrades = [(each, step) for each in steps if isinstance(step := each.step, Upgrade)]
    undated = min((each.at for each in waits if each.until is None), default=None)
    begun = steps[0].at
    batches = tuple(batch_of(exact, each.before, each.at, step) for each, step in upgrades)
    return Forecast(
        batches=batches,
        patches=len(steps) - len(upgrades),
        max_unavailable=max((each.unavailable for each in batches), default=0),
        total=len(members(exact, steps[-1].before.model, Observed(ended_at), steps[-1].before.instances)),
        begins=begun if undated is None or begun < undated else None,
        ends=ended_at if undated is None and end_reason is not None else None,
        lasts=lasts,
        waits=waits,
        end_reason=end_reason,
        duration=duration,
    )


def _follow(reconciles: Iterable[PredictedReconcile]) -> list[PredictedReconcile]:
    """The reconciles up to the effort limit."""
    followed, effort = [], 0
    for each in reconciles:
        followed.append(each)
        is_costly = each.decision.counts is not None and not each.is_repeated
        effort += len(each.world.instances) if is_costly else 1
        if effort > _EFFORT_LIMIT:
            break
    return followed


def _waits(reconciles: Iterable[PredictedReconcile]) -> Iterator[PredictedWait]:
    """The waits in these reconciles, each once and in order."""
    last = None
    for each in reconciles:
        yield from (PredictedWait(lifted.reason, each.at, None) for lifted in each.lifted)
        wait = (each.decision.reason, each.decision.until)
        if each.decision.until and wait != last:
            yield PredictedWait(each.decision.reason, each.at, each.decision.until)
        last = wait


def batch_of(exact: ScaleSet, before: PredictedState, at: datetime, step: Upgrade) -> Batch:
    """The batch that `step` upgrades at the time `at`.

    `exact` is the spec with its exact image, and `before` is the scale set right before the step.
    """
    domain_of = grouping(exact.rollout.by, exact.rollout.order, before.instances)
    domain = next(domain_of(each) for each in before.instances if each.id in step.instance_ids)
    return Batch(
        str(domain),
        step.instance_ids,
        at,
        is_canary=_is_canary(exact, before, at, step),
        unavailable=len(before.unavailable_after(step)),
    )


def _is_canary(exact: ScaleSet, before: PredictedState, at: datetime, step: Upgrade) -> bool:
    """Whether only canary instances run the image after this batch."""
    canary = exact.rollout.canary
    if canary is None or step.image != exact.image:
        return False
    staying = members(exact, before.model, Observed(at, model=before.model), before.instances)
    upgraded = {each.instance.id for each in staying if not each.is_outdated} | set(step.instance_ids)
    if isinstance(canary.instances, tuple):
        return upgraded <= set(canary.instances)
    return len(upgraded) <= canary.instances.of(len(staying))
