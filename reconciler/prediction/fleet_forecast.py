"""The forecast for a fleet: every rollout to come, with waves, caps and windows, if all goes well.

The daemon itself decides (`Playback`) on a predicted fleet (`PredictedAzure`). If a scale set needs a person
for anything other than an approval, it stands still and is reported.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import pairwise

from reconciler.daemon.interfaces import DeclaredSpecs
from reconciler.daemon.outcome import Outcome
from reconciler.daemon.settings import Settings
from reconciler.daemon.state import ScaleSetState
from reconciler.forecast.batch_duration import BatchDuration
from reconciler.forecast.forecast import Forecast, PredictedStep, PredictedWait, forecast_of
from reconciler.prediction.declared import Base, UnchangingSpecs
from reconciler.prediction.playback import Limits, Playback, PlayedStep, Stretch
from reconciler.prediction.predicted_azure import PredictedAzure
from reconciler.prediction.recording import Snapshot
from reconciler.rollout.reason import Reason, Status
from reconciler.spec.scale_set import ScaleSet

_LIMITS = Limits(timedelta(days=60), 200_000)  # a few minutes of CPU
_SHORTEST_WAIT = timedelta(minutes=2)  # that is reported


@dataclass(frozen=True, slots=True)
class FleetForecast:
    """What will happen to each scale set, by key.

    `forecasts` has the forecasts of the scale sets that take at least one step. `began` is when each of them
    takes its first step, and `ended` is when each becomes Ready, if it does. Both times assume that approvals
    are given immediately. `last` has the last outcomes. `assumed_recoveries` counts the instances on the
    declared image that are unhealthy or stopped now, and that are assumed to recover by themselves.
    `is_whole` is False if the prediction stopped early, at `until`.
    """

    at: datetime
    forecasts: Mapping[str, Forecast] = field(default_factory=dict)
    began: Mapping[str, datetime] = field(default_factory=dict)
    ended: Mapping[str, datetime] = field(default_factory=dict)
    last: Mapping[str, Outcome] = field(default_factory=dict)
    assumed_recoveries: Mapping[str, int] = field(default_factory=dict)
    until: datetime | None = None
    is_whole: bool = True


def forecast_fleet(
    specs: DeclaredSpecs,
    snapshot: Snapshot,
    durations: Mapping[str, BatchDuration],
    settings: Settings,
    base: Base | None = None,
) -> FleetForecast:
    """Predict the rollouts of a fleet. `durations` has the usual batch durations, by scale set key.

    If `base` is given, the predicted daemon sees the specs of `base` first, and then the active specs.
    """
    unchanging = UnchangingSpecs(specs, base)
    declared = {each.target.key: each for each in unchanging.scale_sets}
    azure = PredictedAzure(snapshot, declared, durations)
    prediction = _Prediction(unchanging, azure, settings)
    if base:
        prediction.sweep()
    prediction.run()
    found = forecast_from(prediction, azure.steps, durations)
    return replace(found, assumed_recoveries=azure.assumed_recoveries)


def forecast_from(
    playback: Playback,
    steps: Iterable[PlayedStep],
    durations: Mapping[str, BatchDuration],
    *,
    is_played_out: bool = False,
) -> FleetForecast:
    """The forecast that results from a playback. `steps` are the steps that were taken, in order.

    `is_played_out` says whether the last outcome of each scale set is final.
    """
    taken: dict[str, list[PlayedStep]] = defaultdict(list)
    for step in steps:
        taken[step.key].append(step)
    states, stretches = playback.states, playback.stretches
    return FleetForecast(
        playback.at,
        {
            state.key: _forecast(
                state,
                stretches[state.key],
                taken[state.key],
                durations[state.key],
                is_over=is_played_out or stretches[state.key][-1].first.status.settled,
            )
            for state in states
            if state.key in taken
        },
        {key: each[0].at for key, each in taken.items()},
        {key: found[-1].began for key, found in stretches.items() if found[-1].first.status is Status.READY},
        {state.key: state.outcome for state in states if state.outcome},
        until=playback.until,
        is_whole=playback.is_whole,
    )


class _Prediction(Playback):
    """One daemon on a predicted fleet, where nothing fails."""

    def __init__(
        self,
        specs: UnchangingSpecs,
        azure: PredictedAzure,
        settings: Settings,
    ) -> None:
        super().__init__(specs, azure, settings, _LIMITS, sleep=_never, forecasts=False)
        self._predicted = azure

    def _is_over(self) -> bool:
        return not self._to_come and all(map(self._rests, self.states))

    def _can_skip_sweeps(self) -> bool:
        return True

    def _same_until(self, desired: ScaleSet, outcome: Outcome, now: datetime) -> datetime:
        """The time before which no event happens and nothing can become overdue."""
        key = desired.target.key
        if outcome.is_error and self._predicted.is_unread(key):
            return self.at + _LIMITS.horizon
        return now if outcome.step else self._predicted.same_until(desired, outcome.until)

    def _rests(self, state: ScaleSetState) -> bool:
        """Whether the scale set is settled, waits for others, or keeps having the same outcome."""
        outcome = state.outcome
        if outcome is None:
            return False
        if outcome.status.settled or outcome.status is Status.WAITING:
            return True
        if outcome.is_error and self._predicted.is_unread(state.key):
            return True
        return self._repeats.get(state.key, 0) > state.desired.health.passes


def _never(_seconds: float) -> None:
    """Do not sleep. No request is throttled in a prediction."""


def _forecast(
    state: ScaleSetState,
    stretches: Sequence[Stretch],
    steps: Sequence[PlayedStep],
    duration: BatchDuration,
    *,
    is_over: bool,
) -> Forecast:
    ended = stretches[-1]
    return forecast_of(
        replace(state.desired, image=state.exact),
        [PredictedStep(each.step, each.at, each.before.at(each.at)) for each in steps],
        tuple(_waits(stretches)),
        ended_at=ended.began,
        lasts=ended.began - steps[0].at,
        end_reason=ended.first.reason if is_over else None,
        duration=duration,
    )


def _waits(stretches: Sequence[Stretch]) -> Iterator[PredictedWait]:
    """Each wait for something other than instances. A wait for approval has no known end."""
    for each, after in pairwise(stretches):
        reason = each.first.reason
        if reason is Reason.AWAITING_APPROVAL:
            yield PredictedWait(reason, each.began, None)
        elif (reason.meaning.status is Status.WAITING or reason.meaning.is_pause) and (
            after.began - each.began >= _SHORTEST_WAIT
        ):
            yield PredictedWait(reason, each.began, after.began)
