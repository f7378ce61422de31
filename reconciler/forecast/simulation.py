"""A simulated daemon, which runs `decide` itself whenever a real daemon would reconcile.

This module contains no part of the decision. A gate that only a person or an outside system can open is
assumed to open immediately, and is reported.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from reconciler.forecast.model import PredictedState
from reconciler.rollout.decide import decide
from reconciler.rollout.decision import Decision
from reconciler.rollout.observed import (
    FRESH,
    Availability,
    Need,
    Observed,
    Operation,
    ReadTime,
    RollingUpgrade,
    Verdict,
)
from reconciler.rollout.progress import progress_after
from reconciler.rollout.reason import Reason
from reconciler.rollout.step import Attempt
from reconciler.spec.author import Author
from reconciler.spec.image import Image
from reconciler.spec.scale_set import ScaleSet

_OPERATION = "the address of an operation"


@dataclass(frozen=True, slots=True)
class Schedule:
    """When a daemon reconciles.

    `sweep` is the interval between sweeps. `requeue_after` returns the delay after a decision, or None to
    wait for the next sweep.
    """

    sweep: timedelta
    requeue_after: Callable[[Decision, datetime], timedelta | None]


@dataclass(frozen=True, slots=True)
class PredictedReconcile:
    """One observation and its decision.

    `world` is the state before the step. `lifted` has the decisions that closed gates held up until the gates
    were assumed to open. `is_repeated` is true if the previous decision was reused, because nothing had
    changed.
    """

    at: datetime
    world: PredictedState
    decision: Decision
    lifted: tuple[Decision, ...] = ()
    is_repeated: bool = False

    @property
    def is_last(self) -> bool:
        """Whether no later reconcile will do anything."""
        decision = self.decision
        return not (decision.step or decision.soon or decision.until or self.world.events)


class Simulation:
    """One daemon and one predicted scale set. `image` is the desired image with its exact version."""

    def __init__(
        self, desired: ScaleSet, image: Image, observed: Observed, world: PredictedState, schedule: Schedule
    ) -> None:
        self._desired = desired
        self._image = image
        self._observed = observed
        self._world = world
        self._schedule = schedule
        self._begun = observed.at  # the time of the first sweep; `schedule.sweep` is the interval
        self._row_used: datetime | None = None
        # What is known before a reconcile. Gates cost no request to Azure. A decision asks whether Azure's
        # own rolling upgrade is running only before a step. With both known, a step takes one decision
        # instead of three.
        self._known = Observed(
            observed.at,
            rolling_upgrade=RollingUpgrade(),
            authors=observed.authors,
            gates=observed.gates or (),
            lasting=(),
            pick=observed.pick,
            progress=observed.progress,
        )

    def reconciles(self) -> Iterator[PredictedReconcile]:
        while True:
            row_at = self._row_at(self._known.at)
            row = self._world.at(row_at) if row_at else None
            self._world = self._world.at(self._known.at)
            found = self._reconcile(row)
            yield found
            if found.is_last:
                return
            is_behind = row is not None and row.events != self._world.events
            same_until = found.at
            if not (is_behind or found.decision.step):
                same_until = self._world.same_until(self._desired, found.decision.until, found.at)
            self._advance(found.decision)
            while (at := self._known.at) < same_until:
                self._row_used = self._row_at(at) or self._row_used
                yield replace(found, at=at, lifted=(), is_repeated=True)
                self._advance(found.decision)

    def _last_sweep(self, at: datetime) -> datetime:
        """The time of the last sweep, at or before `at`."""
        return self._begun + (at - self._begun) // self._schedule.sweep * self._schedule.sweep

    def _row_at(self, at: datetime) -> datetime | None:
        """When the list that supplies the model was read, or None if the model itself must be read."""
        listed_at = self._last_sweep(at)
        return listed_at if listed_at != self._row_used and at - listed_at <= FRESH else None

    def _reconcile(self, row: PredictedState | None) -> PredictedReconcile:
        """Reconcile once. `row` is the state that the last sweep listed."""
        at, lifted = self._known.at, list[Decision]()
        self._row_used = self._row_at(at) or self._row_used
        decision = self._decide(row)
        while self._assume_open(decision):
            lifted.append(decision)
            decision = self._decide(None)
        return PredictedReconcile(at, self._world, decision, tuple(lifted))

    def _decide(self, row: PredictedState | None) -> Decision:
        now = ReadTime(self._known.at, self._known.at)
        # Everything is read at one moment, the model last.
        seen = replace(self._known, rolling_upgrade_read=now, last_need=Need.MODEL)
        while isinstance(found := decide(self._desired, seen), Need):
            seen = self._supply(found, seen, row, now)
        return found

    def _supply(self, need: Need, seen: Observed, row: PredictedState | None, now: ReadTime) -> Observed:
        """`seen` plus the fact that the decision needs: the last observed value, or else the best case."""
        match need:
            case Need.MODEL:
                listed = row.model if row and seen.model is None else self._world.model
                return replace(seen, model=listed, model_read=now)
            case Need.INSTANCES:
                return replace(seen, instances=self._world.instances, instances_read=now)
            case Need.IMAGE:
                best_case = Availability(self._image, Verdict.AVAILABLE)
                return replace(seen, availability=self._observed.availability or best_case)
            case Need.ROLLBACK_TARGET:
                best_case = Availability(
                    self._world.model.persisted.last_good or self._image, Verdict.AVAILABLE
                )
                return replace(seen, rollback_target=best_case)
            case Need.OPERATION:
                # An operation that has succeeded is not read again.
                if self._known.attempt:
                    done = replace(self._known.attempt, operation="")
                    self._known = replace(self._known, progress=replace(self._known.progress, attempt=done))
                return replace(seen, operation=Operation("Succeeded"))
            case Need.AUTHORS:
                return replace(seen, authors=(Author("somebody else", ""),))
            case Need.HISTORY:
                return replace(seen, was_declared=self._observed.was_declared is not False)
            case Need.ROLLING_UPGRADE | Need.GATES | Need.LASTING:
                raise AssertionError(f"{need} is known in advance")

    def _assume_open(self, decision: Decision) -> bool:
        """Assume that the first closed gate opens, unless this gate names a time.

        Returns whether a gate was opened.
        """
        closed = next((each for each in decision.gates if each.closed), None)
        if closed is None or closed.until:
            return False
        if closed.closed is Reason.AWAITING_APPROVAL:
            rollout = replace(self._desired.rollout, approval=None)
            self._desired = replace(self._desired, rollout=rollout)
            return True
        gates = self._known.gates or ()
        self._known = replace(self._known, gates=tuple(each for each in gates if each != closed))
        return closed in gates

    def _advance(self, decision: Decision) -> None:
        """Take the step, if there is one, and move on to the next reconcile."""
        known = self._known
        if decision.step:
            self._world = self._world.after(decision.step, known.at)
        delay = self._schedule.requeue_after(decision, known.at)
        at = self._last_sweep(known.at) + self._schedule.sweep if delay is None else known.at + delay
        back = decision.counts.back if decision.counts else None
        progress = progress_after(known.progress, decision.reason, back, known.at, decision.step)
        if decision.step:
            progress = replace(progress, attempt=Attempt(decision.step, known.at, _OPERATION))
        self._known = replace(
            known,
            at=at,
            # A gate that named a time is open from that time on.
            gates=tuple(each for each in known.gates or () if not each.until or each.until > at),
            progress=progress,
        )
