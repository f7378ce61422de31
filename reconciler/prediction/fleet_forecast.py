"""The forecast of a fleet: every rollout to come, with waves, caps and windows, if all goes well.

The daemon itself decides (`Reconciler`), with all its gates, on a predicted fleet (`PredictedAzure`), on the
schedule of its loop. A person approves each image as soon as it needs approval. What time, another scale set
or Azure can end is waited for. What only a person can end in another way stands still, and is reported.
"""

import logging
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import pairwise

from reconciler.daemon.interfaces import DeclaredSpecs
from reconciler.daemon.outcome import Outcome
from reconciler.daemon.reconciler import Reconciler
from reconciler.daemon.settings import Settings
from reconciler.daemon.state import ScaleSetState
from reconciler.daemon.virtual_loop import VirtualLoop, requeue_exactly
from reconciler.forecast.batch_duration import BatchDuration
from reconciler.forecast.forecast import Forecast, PredictedWait, batch_of
from reconciler.prediction.declared import UnchangingSpecs
from reconciler.prediction.predicted_azure import PredictedAzure, PredictedStep
from reconciler.prediction.recording import Snapshot
from reconciler.rollout.reason import Reason, Status
from reconciler.rollout.step import Upgrade

_HORIZON = timedelta(days=60)
_MOST_RECONCILES = 200_000  # a few minutes of CPU
_SHORTEST_WAIT = timedelta(minutes=2)  # that is reported
_APPROVER = "a person"

_SILENT = logging.Logger("reconciler.prediction", logging.CRITICAL + 1)


@dataclass(frozen=True, slots=True)
class FleetForecast:
    """What is to come for each scale set, by key.

    `forecasts` are those of the scale sets that take at least one step. `began` is when they take the first
    one, and `ended` when they are settled, if they get there. Both assume that approvals are given at once.
    `last` are the last outcomes. `is_whole` is False if the prediction stopped before its end.
    """

    at: datetime
    forecasts: Mapping[str, Forecast] = field(default_factory=dict)
    began: Mapping[str, datetime] = field(default_factory=dict)
    ended: Mapping[str, datetime] = field(default_factory=dict)
    last: Mapping[str, Outcome] = field(default_factory=dict)
    is_whole: bool = True


def forecast_fleet(
    specs: DeclaredSpecs, snapshot: Snapshot, durations: Mapping[str, BatchDuration], settings: Settings
) -> FleetForecast:
    """Predict the rollouts of a fleet. `durations` are the usual durations of a batch, by key."""
    prediction = _Prediction(UnchangingSpecs(specs), snapshot, durations, settings)
    prediction.run()
    return prediction.result()


@dataclass(frozen=True, slots=True)
class _Stretch:
    """The outcomes with one reason in a row: the first of them, and when it began."""

    began: datetime
    first: Outcome


class _Prediction:
    """One daemon, from a start at the time of the snapshot."""

    def __init__(
        self,
        specs: UnchangingSpecs,
        snapshot: Snapshot,
        durations: Mapping[str, BatchDuration],
        settings: Settings,
    ) -> None:
        self._at = snapshot.at
        self._declared = {each.target.key: each for each in specs.scale_sets}
        self._key_of = {each.name: each.target.key for each in specs.scale_sets}
        self._durations = durations
        self._azure = PredictedAzure(snapshot, self._declared, durations)
        self._reconciler = Reconciler(
            specs,
            self._azure,
            settings,
            check_reach=None,
            finds_orphans=False,
            log=_SILENT,
            forecasts=False,
        )
        self._loop = VirtualLoop(
            self,
            settings.sweep,
            start=snapshot.at,
            now=self._azure.now,
            move_to=self._azure.move_to,
            requeue=self._requeue,
        )
        self._stretches: dict[str, list[_Stretch]] = {}
        self._repeats: dict[str, int] = {}  # reconciles in a row with one reason and no step
        self._changed = False  # whether any outcome has changed since the last sweep began
        self._was_sweep = False
        self._reconciles = 0

    def sweep(self) -> tuple[str, ...]:
        self._changed, self._was_sweep = False, True
        return self._reconciler.sweep()

    def reconcile(self, key: str) -> Outcome | None:
        self._reconciles += 1
        return self._reconciler.reconcile(key)

    def run(self) -> None:
        """Run to the end, or as far as a prediction goes."""
        while not self._is_too_long():
            self._was_sweep = False
            self._loop.step(self._note)
            if not self._was_sweep or self._changed:
                continue
            # Another sweep finds the same, until something happens.
            happens = [*self._events(), *self._loop.requeued, *self._dates()]
            if self._is_at_rest() and not [*self._events(), *self._dates()]:
                return
            self._loop.skip_sweeps(min(happens, default=self._azure.now()))

    def result(self) -> FleetForecast:
        states = self._reconciler.store.states()
        steps: dict[str, list[PredictedStep]] = defaultdict(list)
        for step in self._azure.steps:
            steps[step.key].append(step)
        return FleetForecast(
            self._at,
            {state.key: self._forecast(state, steps[state.key]) for state in states if state.key in steps},
            {key: taken[0].at for key, taken in steps.items()},
            {
                key: found[-1].began
                for key, found in self._stretches.items()
                if found[-1].first.status is Status.READY
            },
            {state.key: state.outcome for state in states if state.outcome},
            not self._is_too_long(),
        )

    def _note(self, outcome: Outcome) -> None:
        key = self._key_of[outcome.name]
        stretches = self._stretches.setdefault(key, [])
        if stretches and stretches[-1].first.reason is outcome.reason and outcome.step is None:
            self._repeats[key] += 1
            return
        self._repeats[key] = 0
        self._changed = True
        stretches.append(_Stretch(outcome.at, outcome))

    def _requeue(self, key: str, outcome: Outcome, now: datetime) -> datetime | None:
        """When to reconcile again: after the reconciles that would find nothing new."""
        if outcome.reason is Reason.AWAITING_APPROVAL and (state := self._reconciler.store.get(key)):
            self._azure.approve(key, state.exact, _APPROVER)
            return now
        at, every = requeue_exactly(key, outcome, now), outcome.requeue_after
        until = self._same_until(key, outcome, now)
        if at is None or not every or until <= at:
            return at
        return at + -(-(until - at) // every) * every

    def _same_until(self, key: str, outcome: Outcome, now: datetime) -> datetime:
        """Until when every outcome is the same, because no event happens and nothing can be overdue."""
        event, desired = self._azure.next_event(key), self._declared[key]
        if outcome.step:
            return now
        if event is None:
            return outcome.until or now
        if self._durations[key].whole > min(desired.health.timeout, desired.rollout.progress_deadline):
            return now
        return min(event, outcome.until or event)

    def _events(self) -> list[datetime]:
        """When Azure changes a scale set next, for each that it changes."""
        return [at for key in self._declared if (at := self._azure.next_event(key))]

    def _dates(self) -> list[datetime]:
        """The times in the future that an outcome names."""
        states = self._reconciler.store.states()
        outcomes = [state.outcome for state in states if state.outcome]
        named = [
            *(outcome.until for outcome in outcomes),
            *(gate.until for outcome in outcomes for gate in outcome.gates),
        ]
        return [at for at in named if at and at > self._azure.now()]

    def _is_at_rest(self) -> bool:
        """Whether every scale set is settled, waits for others, or finds the same again and again."""
        return all(map(self._rests, self._reconciler.store.states()))

    def _rests(self, state: ScaleSetState) -> bool:
        outcome = state.outcome
        if outcome is None:
            return False
        if outcome.status.settled or outcome.status is Status.WAITING:
            return True
        return self._repeats.get(state.key, 0) > state.desired.health.passes

    def _is_too_long(self) -> bool:
        return self._reconciles > _MOST_RECONCILES or self._azure.now() - self._at > _HORIZON

    def _forecast(self, state: ScaleSetState, steps: Sequence[PredictedStep]) -> Forecast:
        exact = replace(state.desired, image=state.exact)
        stretches = self._stretches[state.key]
        waits = tuple(_waits(stretches))
        undated = min((each.at for each in waits if each.until is None), default=None)
        begun, ended = steps[0].at, stretches[-1]
        upgrades = [(each, step) for each in steps if isinstance(step := each.step, Upgrade)]
        is_over = ended.first.status.settled
        return Forecast(
            batches=tuple(batch_of(exact, each.before, each.at, step) for each, step in upgrades),
            patches=len(steps) - len(upgrades),
            max_unavailable=max((len(_unavailable(each, step)) for each, step in upgrades), default=0),
            total=len(steps[-1].before.instances),
            begins=begun if undated is None or begun < undated else None,
            ends=ended.began if undated is None and is_over else None,
            lasts=ended.began - begun,
            waits=waits,
            end_reason=ended.first.reason if is_over else None,
            duration=self._durations[state.key],
        )


def _unavailable(step: PredictedStep, upgrade: Upgrade) -> frozenset[str]:
    """The instances that are unavailable once the step is taken."""
    return step.before.at(step.at).unavailable | frozenset(upgrade.instance_ids)


def _waits(stretches: Sequence[_Stretch]) -> Iterator[PredictedWait]:
    """Each wait for something other than instances. A wait for approval has no known end."""
    for each, after in pairwise(stretches):
        reason = each.first.reason
        if reason is Reason.AWAITING_APPROVAL:
            yield PredictedWait(reason, each.began, None)
        elif (reason.meaning.status is Status.WAITING or reason.meaning.is_pause) and (
            after.began - each.began >= _SHORTEST_WAIT
        ):
            yield PredictedWait(reason, each.began, after.began)
