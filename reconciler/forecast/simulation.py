"""A daemon at work on an imagined world: `decide` itself, at the moments at which a real one would look.

Nothing of the decision is known here. What only a person or the world outside can lift is taken for lifted
at once, and told.
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
from reconciler.rollout.step import Attempt, Upgrade
from reconciler.spec.author import Author
from reconciler.spec.image import Image
from reconciler.spec.scale_set import ScaleSet

_OPERATION = "the address of an operation"


@dataclass(frozen=True, slots=True)
class Rhythm:
    """When a daemon looks: at every `sweep`, and `again` so long after a decision, None where the next sweep
    will do."""

    sweep: timedelta
    again: Callable[[Decision, datetime], timedelta | None]


@dataclass(frozen=True, slots=True)
class Tick:
    """A look and what was decided.

    `world` is as it was found. `lifted` are the decisions that were set aside before this one.
    `is_repeated`: nothing has happened since the look before, so that this one was not really taken.
    """

    at: datetime
    world: PredictedState
    decision: Decision
    lifted: tuple[Decision, ...] = ()
    is_repeated: bool = False

    @property
    def unavailable(self) -> frozenset[str]:
        """The instances that are away once its step is taken."""
        step = self.decision.step
        return self.world.unavailable | (set(step.instance_ids) if isinstance(step, Upgrade) else set())

    @property
    def is_last(self) -> bool:
        """Whether nothing more comes of it, whenever one looks."""
        decision = self.decision
        return not (decision.step or decision.soon or decision.until or self.world.coming)


class Simulation:
    """One daemon at one imagined scale set. `image` is the exact one that is desired."""

    def __init__(
        self, desired: ScaleSet, image: Image, observed: Observed, world: PredictedState, rhythm: Rhythm
    ) -> None:
        self._desired = desired
        self._image = image
        self._observed = observed
        self._world = world
        self._rhythm = rhythm
        self._begun = observed.at  # with a sweep, and one more comes at each `rhythm.sweep`
        self._row_used: datetime | None = None
        # What a daemon knows before it looks. Gates cost Azure nothing, and whether a rolling upgrade of its
        # own runs is asked before every step and at no other time: said beforehand, a step takes one decision
        # and not three.
        self._known = Observed(
            observed.at,
            rolling_upgrade=RollingUpgrade(),
            authors=observed.authors,
            gates=observed.gates or (),
            lasting=(),
            progress=observed.progress,
        )

    def ticks(self) -> Iterator[Tick]:
        """One after the other, to the last."""
        while True:
            row_at = self._row_at(self._known.at)
            row = self._world.at(row_at) if row_at else None
            self._world = self._world.at(self._known.at)
            tick = self._tick(row)
            yield tick
            if tick.is_last:
                return
            is_behind = row is not None and row.coming != self._world.coming
            same_until = self._known.at if is_behind else self._same_until(tick.decision)
            self._go_on(tick.decision)
            while (at := self._known.at) < same_until:
                self._row_used = self._row_at(at) or self._row_used
                yield replace(tick, at=at, lifted=(), is_repeated=True)
                self._go_on(tick.decision)

    def _swept(self, at: datetime) -> datetime:
        """When the last sweep was, at `at`."""
        return self._begun + (at - self._begun) // self._rhythm.sweep * self._rhythm.sweep

    def _row_at(self, at: datetime) -> datetime | None:
        """When Azure listed the row that stands for a look at the model, None where it must be asked."""
        listed_at = self._swept(at)
        return listed_at if listed_at != self._row_used and at - listed_at <= FRESH else None

    def _tick(self, row: PredictedState | None) -> Tick:
        """A tick; `row` is the world as the last sweep has just listed it."""
        at, lifted = self._known.at, list[Decision]()
        self._row_used = self._row_at(at) or self._row_used
        decision = self._decide(row)
        while self._lift(decision):
            lifted.append(decision)
            decision = self._decide(None)
        return Tick(at, self._world, decision, tuple(lifted))

    def _decide(self, row: PredictedState | None) -> Decision:
        now = ReadTime(self._known.at, self._known.at)
        # All is read at one moment, the model last.
        seen = replace(self._known, rolling_upgrade_read=now, last_need=Need.MODEL)
        while isinstance(verdict := decide(self._desired, seen), Need):
            seen = self._look(verdict, seen, row, now)
        return verdict

    def _look(self, at: Need, seen: Observed, row: PredictedState | None, now: ReadTime) -> Observed:
        """The fact that is asked for: as it was found at the last real look, else as one would wish."""
        match at:
            case Need.MODEL:
                listed = row.model if row and seen.model is None else self._world.model
                return replace(seen, model=listed, model_read=now)
            case Need.INSTANCES:
                return replace(seen, instances=self._world.instances, instances_read=now)
            case Need.IMAGE:
                wished = Availability(self._image, Verdict.AVAILABLE)
                return replace(seen, availability=self._observed.availability or wished)
            case Need.ROLLBACK_TARGET:
                wished = Availability(self._world.model.persisted.last_good or self._image, Verdict.AVAILABLE)
                return replace(seen, rollback_target=wished)
            case Need.OPERATION:
                # One that has ended well is not asked for again.
                if self._known.attempt:
                    done = replace(self._known.attempt, operation="")
                    self._known = replace(self._known, progress=replace(self._known.progress, attempt=done))
                return replace(seen, operation=Operation("Succeeded"))
            case Need.AUTHORS:
                return replace(seen, authors=(Author("somebody else", ""),))
            case Need.HISTORY:
                return replace(seen, was_declared=self._observed.was_declared is not False)
            case Need.ROLLING_UPGRADE | Need.GATES | Need.LASTING:
                raise AssertionError(f"{at} is known beforehand")

    def _lift(self, decision: Decision) -> bool:
        """Take for lifted what closes a gate and has no time; whether there was such a thing."""
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

    def _same_until(self, decision: Decision) -> datetime:
        """Until when a look would see and say the same: nothing happens, and nothing can be overdue."""
        at, coming = self._known.at, self._world.coming
        if decision.step:
            return at
        if not coming:
            return decision.until or at
        patience = min(self._desired.health.timeout, self._desired.rollout.progress_deadline)
        if self._world.duration.whole > patience:
            return at
        return min(coming[0].at, decision.until or coming[0].at)

    def _go_on(self, decision: Decision) -> None:
        """Take the step, and be at the next look."""
        known = self._known
        if decision.step:
            self._world = self._world.after(decision.step, known.at)
        rest = self._rhythm.again(decision, known.at)
        at = self._swept(known.at) + self._rhythm.sweep if rest is None else known.at + rest
        back = decision.counts.back if decision.counts else None
        progress = progress_after(known.progress, decision.reason, back, known.at, decision.step)
        if decision.step:
            progress = replace(progress, attempt=Attempt(decision.step, known.at, _OPERATION))
        self._known = replace(
            known,
            at=at,
            # A gate that named a time is open by then.
            gates=tuple(each for each in known.gates or () if not each.until or each.until > at),
            progress=progress,
        )
