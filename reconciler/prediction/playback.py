"""The daemon itself, run forward on an Azure whose clock is moved from one event to the next.

The `Reconciler` decides, with all its gates, on the schedule of its loop. Each image is approved as soon as
it needs approval. The playback waits for any condition that can end by itself, through time, Azure or another
scale set.
"""

import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from reconciler.daemon.interfaces import AzureClient, DeclaredSpecs
from reconciler.daemon.outcome import Outcome
from reconciler.daemon.reconciler import Reconciler
from reconciler.daemon.settings import Settings
from reconciler.daemon.state import ScaleSetState
from reconciler.daemon.virtual_loop import VirtualLoop, requeue_exactly
from reconciler.forecast.model import PredictedState
from reconciler.prediction.garbage import rare_collection
from reconciler.rollout.reason import Reason
from reconciler.rollout.step import Step
from reconciler.spec.image import Image
from reconciler.spec.scale_set import ScaleSet

_APPROVER = "a person"

_SILENT = logging.Logger("reconciler.prediction", logging.CRITICAL + 1)


class PlayedAzure(AzureClient, Protocol):
    """A client for an Azure whose clock can be moved."""

    def move_to(self, at: datetime) -> None:
        """Move the clock forward to `at`, unless it is already later."""
        ...

    def next_event(self, key: str) -> datetime | None:
        """The earliest time at which Azure might next change this scale set, or None if it will not."""
        ...

    def approve_as(self, key: str, image: Image, by: str) -> None:
        """Approve the image for this scale set, as a person would."""
        ...


@dataclass(frozen=True, slots=True)
class PlayedStep:
    """A step that was taken, with the scale set as it was right before the step."""

    key: str
    step: Step
    at: datetime
    before: PredictedState


@dataclass(frozen=True, slots=True)
class Stretch:
    """A run of outcomes with the same reason and status: when it began, and its first outcome."""

    began: datetime
    first: Outcome


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of a playback: how much time it may cover, and how many reconciles it may run."""

    horizon: timedelta
    reconciles: int


class Playback(ABC):
    """The playback of one daemon, beginning at the current time of its Azure."""

    def __init__(
        self,
        specs: DeclaredSpecs,
        azure: PlayedAzure,
        settings: Settings,
        limits: Limits,
        *,
        sleep: Callable[[float], None],
        forecasts: bool,
    ) -> None:
        """`sleep` and `forecasts` are those of a `Reconciler`."""
        self.at = azure.now()
        self._declared = {each.target.key: each for each in specs.scale_sets}
        self._key_of = {each.name: each.target.key for each in specs.scale_sets}
        self._azure = azure
        self._limits = limits
        self._settings = settings
        self._reconciler = Reconciler(
            specs,
            azure,
            settings,
            check_reach=None,
            finds_orphans=False,
            log=_SILENT,
            sleep=sleep,
            forecasts=forecasts,
        )
        self._loop = VirtualLoop(
            self,
            settings.sweep,
            start=self.at,
            now=azure.now,
            move_to=azure.move_to,
            requeue=self._requeue,
        )
        self._stretches: dict[str, list[Stretch]] = {}
        self._repeats: dict[str, int] = {}  # reconciles in a row with one reason and no step
        self._changed = False  # whether any outcome has changed since the last sweep began
        self._changed_at = self.at
        self._was_sweep = False
        self._to_come: tuple[datetime, ...] = ()  # events and dates, as of the last sweep without any change
        self._reconciles = 0

    @property
    def states(self) -> Sequence[ScaleSetState]:
        return self._reconciler.store.states()

    @property
    def stretches(self) -> Mapping[str, Sequence[Stretch]]:
        """The outcomes for each scale set, in order, by key."""
        return self._stretches

    @property
    def is_whole(self) -> bool:
        """Whether the playback has stayed within its limits."""
        is_too_late = self._azure.now() - self.at > self._limits.horizon
        return not is_too_late and self._reconciles <= self._limits.reconciles

    @property
    def until(self) -> datetime:
        """The time that the playback has reached, but no later than its horizon."""
        return min(self._azure.now(), self.at + self._limits.horizon)

    def sweep(self) -> tuple[str, ...]:
        self._changed, self._was_sweep = False, True
        due = self._reconciler.sweep()
        for state in self.states:  # a list that fails is the outcome of each scale set on it
            stretches = self._stretches.get(state.key)
            if state.outcome and not (stretches and _is_alike(stretches[-1].first, state.outcome)):
                self._begin_stretch(state.key, state.outcome)
        return due

    def reconcile(self, key: str) -> Outcome | None:
        self._reconciles += 1
        return self._reconciler.reconcile(key)

    def run(self) -> None:
        """Run to the end, or to a limit."""
        with rare_collection():
            self._run()

    def _run(self) -> None:
        while self.is_whole:
            self._was_sweep = False
            if self._loop.due > self.at + self._limits.horizon:
                self._azure.move_to(self._loop.due)
                return
            self._loop.step(self._note)
            if not self._was_sweep or self._changed:
                continue
            self._to_come = (*self._events(), *self._dates())
            if self._is_over():
                return
            if self._can_skip_sweeps():
                # Another sweep finds the same, until something happens.
                requeued = self._loop.requeued_at
                happens = (*self._to_come, requeued) if requeued else self._to_come
                self._loop.skip_sweeps(min(happens, default=self._azure.now()))

    @abstractmethod
    def _is_over(self) -> bool:
        """Whether nothing more will happen. Called after a sweep without any change."""

    @abstractmethod
    def _can_skip_sweeps(self) -> bool:
        """Whether no sweep can find anything new before the next event, requeued reconcile or date."""

    @abstractmethod
    def _same_until(self, desired: ScaleSet, outcome: Outcome, now: datetime) -> datetime:
        """When the outcome of a scale set might next change, or `now` if that is unknown."""

    def _note(self, outcome: Outcome) -> None:
        key = self._key_of[outcome.name]
        stretches = self._stretches.get(key)
        if stretches and outcome.step is None and _is_alike(stretches[-1].first, outcome):
            self._repeats[key] += 1
            return
        self._begin_stretch(key, outcome)

    def _begin_stretch(self, key: str, outcome: Outcome) -> None:
        self._repeats[key] = 0
        self._changed, self._changed_at = True, outcome.at
        self._stretches.setdefault(key, []).append(Stretch(outcome.at, outcome))

    def _requeue(self, key: str, outcome: Outcome, now: datetime) -> datetime | None:
        """The time of the next reconcile that can find something new, or None."""
        if outcome.reason is Reason.AWAITING_APPROVAL and (state := self._reconciler.store.get(key)):
            self._azure.approve_as(key, state.exact, _APPROVER)
            return now
        at, every = requeue_exactly(key, outcome, now), outcome.requeue_after
        until = self._same_until(self._declared[key], outcome, now)
        if at is None or not every or until <= at or self._confirms_health(key, outcome):
            return at
        at += -(-(until - at) // every) * every
        if outcome.until is None or at <= outcome.until:
            return at
        # A soak of 12 minutes is observed after 5, 10 and 12 minutes.
        return max(outcome.until, at - every + self._settings.requeue_after)

    def _confirms_health(self, key: str, outcome: Outcome) -> bool:
        """Whether observations before the end of a soak still count towards `health.passes`."""
        state = self._reconciler.store.get(key)
        # The observation at the end of the soak counts as well.
        return bool(outcome.until and state and state.progress.passes + 1 < state.desired.health.passes)

    def _events(self) -> list[datetime]:
        """The time of Azure's next change to each scale set, if there is one."""
        return [at for key in self._declared if (at := self._azure.next_event(key))]

    def _dates(self) -> list[datetime]:
        """The future times at which something changes.

        These are the times in an outcome, the end of a soak, and when a batch becomes overdue.
        """
        outcomes = [state.outcome for state in self.states if state.outcome]
        named = [
            *(outcome.until for outcome in outcomes),
            *(gate.until for outcome in outcomes for gate in outcome.gates),
            *(at for state in self.states for at in _dates_of_batch(state)),
        ]
        return [at for at in named if at and at > self._azure.now()]


def _dates_of_batch(state: ScaleSetState) -> tuple[datetime, ...]:
    """The times at which the last batch completes its soak, and at which it becomes overdue.

    The end of the soak opens the gate of a pilot.
    """
    attempt, desired = state.progress.attempt, state.desired
    if attempt is None:
        return ()
    return (attempt.at + desired.rollout.first_soak, attempt.at + desired.health.timeout)


def _is_alike(one: Outcome, other: Outcome) -> bool:
    return (one.reason, one.status) == (other.reason, other.status)
