"""A rehearsal: the change that the specs declare, played forward on a copy of the fleet in the simulator.

The daemon is the real one, with the real SDK, and the simulator answers in this process. A virtual clock
moves from one event to the next, so that windows and soaks take no real time.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median_low
from typing import Any

from reconciler.daemon.interfaces import DeclaredSpecs
from reconciler.daemon.outcome import Outcome
from reconciler.daemon.settings import Settings
from reconciler.daemon.state import ScaleSetState
from reconciler.forecast.batch_duration import ASSUMED, BatchDuration
from reconciler.prediction.declared import UnchangingSpecs
from reconciler.prediction.fleet_forecast import forecast_from
from reconciler.prediction.plan import Plan
from reconciler.prediction.playback import Limits, Playback, Stretch
from reconciler.rehearsal.expected import expected_upgrades
from reconciler.rehearsal.fault import Fault
from reconciler.rehearsal.injection import Happening, Injection
from reconciler.rehearsal.rehearsed_azure import RehearsedAzure
from reconciler.rehearsal.simulated_azure import SimulatedAzure, simulate
from reconciler.rollout.reason import Status
from reconciler.rollout.step import Upgrade
from reconciler.spec.scale_set import ScaleSet

LIMITS = Limits(timedelta(days=30), 60_000)  # about ten minutes of CPU
# If nothing has changed for this long, nothing will. For a failed scale set, several of its timeouts must
# have passed too.
_QUIET = timedelta(hours=1)
_QUIET_TIMEOUTS = 3


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """The result of a rehearsal.

    plan: the scale sets as they were at the end, and the steps that were taken.
    until: the simulated time at the end.
    stretches: the outcomes for each scale set, by key, in order.
    happened: the effects of faults on scale sets, in order.
    faults: each fault, with a description of its effect.
    stopped_after: the limit at which the rehearsal stopped, or "" if it came to its end.
    """

    plan: Plan
    until: datetime
    stretches: Mapping[str, Sequence[Stretch]]
    happened: Sequence[Happening]
    faults: Sequence[tuple[Fault, str]]
    seed: int
    stopped_after: str

    @property
    def states(self) -> Sequence[ScaleSetState]:
        return self.plan.states

    @property
    def not_as_declared(self) -> Sequence[ScaleSetState]:
        """The scale sets that do not reach the declared state, except those that are suspended."""
        return [each for each in self.states if not each.is_as_declared]

    @property
    def is_as_declared(self) -> bool:
        """Whether every scale set reaches the declared state, or is suspended."""
        return not self.stopped_after and not self.not_as_declared


def rehearse(
    fleet: Mapping[str, Any],
    specs: DeclaredSpecs,
    at: datetime,
    faults: Sequence[Fault] = (),
    *,
    seed: int = 0,
    limits: Limits = LIMITS,
) -> Rehearsal:
    """Rehearse the change that `specs` declare for `fleet`, starting at the time `at`.

    Raises FleetError if `fleet` is invalid, and NoTarget if a fault cannot happen in the fleet.
    """
    unchanging = UnchangingSpecs(specs)
    declared = {each.target.key: each for each in unchanging.scale_sets}
    expected = expected_upgrades(fleet, unchanging, at) if faults else {}
    with simulate(fleet, at) as azure:
        injection = Injection(azure, declared, expected, faults, seed)
        client = RehearsedAzure(azure, declared, injection)
        playback = _RehearsalPlayback(unchanging, client, azure, limits)
        playback.run()
        durations = {key: _duration(playback.stretches.get(key, ())) for key in declared}
        found = forecast_from(playback, client.steps, durations, is_played_out=playback.is_whole)
        return Rehearsal(
            Plan(playback.states, client.first, found),
            azure.clock.now(),
            playback.stretches,
            injection.happened,
            tuple(injection.results()),
            seed,
            _limit(playback, azure.clock.now(), limits),
        )


class _RehearsalPlayback(Playback):
    """The playback of a daemon on the simulator. Unlike in a plan, steps can fail."""

    def __init__(
        self, specs: UnchangingSpecs, client: RehearsedAzure, azure: SimulatedAzure, limits: Limits
    ) -> None:
        super().__init__(specs, client, Settings(), limits, sleep=azure.sleep, forecasts=False)

    def _is_over(self) -> bool:
        if all(each.outcome and each.outcome.status.settled for each in self.states):
            return True
        return self._can_skip_sweeps() and not self._dates() and self._azure.now() - self._changed_at > _QUIET

    def _can_skip_sweeps(self) -> bool:
        return not self._is_throttled() and all(map(self._is_still, self.states))

    def _same_until(self, _desired: ScaleSet, outcome: Outcome, now: datetime) -> datetime:
        """The next time at which the outcome might change: the next event, or the end of the wait."""
        if outcome.step or not _waits(outcome):
            return now
        event = self._azure.next_event("")
        return min((each for each in (event, outcome.until) if each), default=now)

    def _is_throttled(self) -> bool:
        """Whether Azure throttled the daemon, so that the last sweep could not read everything."""
        sweep = self._reconciler.store.last_sweep
        return bool(sweep and sweep.throttled_lists) or any(each.is_throttled for each in self.states)

    def _is_still(self, state: ScaleSetState) -> bool:
        """Whether a scale set is settled, is waiting, or has not changed for several of its timeouts."""
        outcome = state.outcome
        if outcome is None:
            return False
        if outcome.status.settled or _waits(outcome):
            return True
        timeouts = (state.desired.health.timeout, state.desired.rollout.progress_deadline)
        quiet = max(_QUIET, _QUIET_TIMEOUTS * max(timeouts))
        return self._azure.now() - self._stretches[state.key][-1].began > quiet


def _limit(playback: Playback, until: datetime, limits: Limits) -> str:
    """The limit at which a playback stopped, in words, or "" if it came to its end."""
    if playback.is_whole:
        return ""
    if until - playback.at > limits.horizon:
        return f"{limits.horizon.days} simulated days"
    return f"{limits.reconciles:,} reconciles"


def _waits(outcome: Outcome) -> bool:
    return outcome.status is Status.WAITING or (outcome.reason.meaning.is_pause and outcome.until is not None)


def _duration(stretches: Sequence[Stretch]) -> BatchDuration:
    """The median time from the start of a batch until it was healthy, or ASSUMED if none became healthy."""
    took = list(_batch_lengths(stretches))
    return BatchDuration(median_low(took), timedelta()) if took else ASSUMED


def _batch_lengths(stretches: Sequence[Stretch]) -> Iterator[timedelta]:
    for number, each in enumerate(stretches):
        if not isinstance(each.first.step, Upgrade):
            continue
        after = next(
            (one for one in stretches[number + 1 :] if not one.first.reason.meaning.keeps_batch), None
        )
        if after is not None:
            yield after.began - each.began
