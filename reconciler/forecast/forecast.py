"""The forecast: the batches to come, and when it is over, if all goes well.

It is `decide` run forward (`simulation.py`) on the scale set as it would become (`predict.py`): it knows no
more of the decision than what came of each tick.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from reconciler.forecast.batch_duration import BatchDuration
from reconciler.forecast.model import predict
from reconciler.forecast.simulation import Rhythm, Simulation, Tick
from reconciler.rollout.domains import grouping
from reconciler.rollout.member import members
from reconciler.rollout.observed import Observed
from reconciler.rollout.preflight import exact_if_known
from reconciler.rollout.reason import Reason
from reconciler.rollout.step import Upgrade
from reconciler.spec.scale_set import ScaleSet

# Instances decided about one after the other: a second of CPU. A scale set of 1,000 in 50 domains needs half.
_MOST = 200_000


@dataclass(frozen=True, slots=True)
class Batch:
    """Instances that are taken down together, and when; `domain` as messages name it."""

    domain: str
    instance_ids: tuple[str, ...]
    at: datetime
    is_canary: bool


@dataclass(frozen=True, slots=True)
class Hold:
    """A wait from `at` on for something else than instances; `until` is None where nobody can say."""

    reason: Reason
    at: datetime
    until: datetime | None


@dataclass(frozen=True, slots=True)
class Forecast:
    """What is to come, from the step that is due next.

    Most at once `worst_loss` instances of `total` are away, among them those that are sick already.
    `begins` is when the first step is taken and `ends` when nothing is left to do, None where that hangs on a
    hold that has no time; what comes after one is told as if it were lifted at once. `lasts` is from when no
    gate holds it to the end. `end_reason` is what is said then, None where it was not followed that far.
    """

    batches: tuple[Batch, ...]
    patches: int
    worst_loss: int
    total: int
    begins: datetime | None
    ends: datetime | None
    lasts: timedelta
    holds: tuple[Hold, ...]
    end_reason: Reason | None
    duration: BatchDuration

    @property
    def writes(self) -> int:
        return self.patches + len(self.batches)


def forecast(
    desired: ScaleSet, observed: Observed, duration: BatchDuration, rhythm: Rhythm
) -> Forecast | None:
    """What comes of `desired` from what was observed; None where no step is to come, or too little was seen
    to say."""
    exact = exact_if_known(desired, observed)
    world = predict(exact, observed, duration)
    if world is None:
        return None
    ticks = _follow(Simulation(desired, exact.image, observed, world, rhythm).ticks())
    steps = [tick for tick in ticks if tick.decision.step]
    if not steps:
        return None
    upgrades = [(tick, step) for tick in steps if isinstance(step := tick.decision.step, Upgrade)]
    begun, last = steps[0].at, ticks[-1]
    let_on = next(tick.at for tick in ticks if not tick.decision.gates)
    holds = tuple(_holds(ticks))
    undated = min((hold.at for hold in holds if hold.until is None), default=None)
    return Forecast(
        batches=tuple(_batch(exact, tick, step) for tick, step in upgrades),
        patches=len(steps) - len(upgrades),
        worst_loss=max((len(tick.unavailable) for tick, _ in upgrades), default=0),
        total=last.decision.counts.total if last.decision.counts else len(world.instances),
        begins=begun if undated is None or begun < undated else None,
        ends=last.at if undated is None and last.is_last else None,
        lasts=last.at - let_on,
        holds=holds,
        end_reason=last.decision.reason if last.is_last else None,
        duration=duration,
    )


def _follow(ticks: Iterable[Tick]) -> list[Tick]:
    """As many as are worth their time."""
    followed, effort = [], 0
    for tick in ticks:
        followed.append(tick)
        is_dear = tick.decision.counts is not None and not tick.is_repeated
        effort += len(tick.world.instances) if is_dear else 1
        if effort > _MOST:
            break
    return followed


def _holds(ticks: Iterable[Tick]) -> Iterator[Hold]:
    """Each wait once, in order."""
    last = None
    for tick in ticks:
        yield from (Hold(each.reason, tick.at, None) for each in tick.lifted)
        wait = (tick.decision.reason, tick.decision.until)
        if tick.decision.until and wait != last:
            yield Hold(tick.decision.reason, tick.at, tick.decision.until)
        last = wait


def _batch(exact: ScaleSet, tick: Tick, step: Upgrade) -> Batch:
    """`exact` is the spec with the exact image."""
    instances = tick.world.instances
    domain_of = grouping(exact.rollout.by, exact.rollout.order, instances)
    domain = next(domain_of(each) for each in instances if each.id in step.instance_ids)
    return Batch(str(domain), step.instance_ids, tick.at, is_canary=_is_canary(exact, tick, step))


def _is_canary(exact: ScaleSet, tick: Tick, step: Upgrade) -> bool:
    """Whether nothing but the canary will be on the image after this batch."""
    canary, world = exact.rollout.canary, tick.world
    if canary is None or step.image != exact.image:
        return False
    staying = members(exact, world.model, Observed(tick.at, model=world.model), world.instances)
    upgraded = {each.instance.id for each in staying if not each.is_outdated} | set(step.instance_ids)
    if isinstance(canary.instances, tuple):
        return upgraded <= set(canary.instances)
    return len(upgraded) <= canary.instances.of(len(staying))
