"""What came of one tick of one scale set: a decision, or a failure on the way to one or of its step."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from reconciler.azure.failure import AzureFailure, Conflict, Throttled, Unreachable
from reconciler.daemon.settings import Settings
from reconciler.rollout.counts import InstanceCounts
from reconciler.rollout.decision import Decision
from reconciler.rollout.gate import Gate
from reconciler.rollout.reason import Reason, Status
from reconciler.rollout.step import Step
from reconciler.spec.scale_set import ScaleSet

# A canary that falls sick while it soaks is told within this time.
_WATCH = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Outcome:
    """One tick of one scale set. `commit` is the id the spec was read at, "" for a plain directory.

    `doing` is what a closed gate of `gates` holds up. `step` is the one that was decided on and, where steps
    are taken at all, that Azure accepted. `again` is when to look next, None for the next sweep.
    """

    name: str
    commit: str
    at: datetime
    reason: Reason
    message: str
    status: Status
    step: Step | None = None
    counts: InstanceCounts | None = None
    gates: tuple[Gate, ...] = ()
    doing: str = ""
    again: timedelta | None = None

    @property
    def line(self) -> str:
        """The whole outcome in one line, as it is logged, shown and answered everywhere."""
        return f"{self.reason}: {self.message}"

    @property
    def is_error(self) -> bool:
        """Whether nothing could be decided or done: a call failed, or we did."""
        return self.reason.meaning.is_error


def outcome_of(
    desired: ScaleSet, commit: str, at: datetime, decision: Decision, follow_up: timedelta
) -> Outcome:
    """A decision was reached."""
    return Outcome(
        name=desired.name,
        commit=commit,
        at=at,
        reason=decision.reason,
        message=decision.message,
        status=decision.reason.meaning.status,
        step=decision.step,
        counts=decision.counts,
        gates=decision.gates,
        doing=decision.doing,
        again=rest_until(decision, at, follow_up, desired.interval),
    )


def rest_until(
    decision: Decision, at: datetime, follow_up: timedelta, interval: timedelta
) -> timedelta | None:
    """How soon to look again, None for the next sweep.

    What must not go wrong meanwhile is looked at meanwhile. Where nothing has been upgraded yet there is
    nothing to watch.
    """
    if decision.until is None and decision.reason.meaning.status is not Status.WAITING:
        return follow_up if decision.soon else None
    watch = _WATCH if decision.counts and decision.counts.up_to_date else max(interval, _WATCH)
    return watch if decision.until is None else min(max(decision.until - at, follow_up), watch)


def outcome_of_failure(
    name: str,
    commit: str,
    at: datetime,
    failure: AzureFailure,
    *,
    again: timedelta | None = None,
    doing: str = "",
) -> Outcome:
    """A call failed: on the way to a decision, or taking its step, which `doing` then words."""
    message = f"{failure} (while {doing})" if doing else str(failure)
    return Outcome(name, commit, at, failure.reason, message, failure.reason.meaning.status, again=again)


def rest_after(failure: AzureFailure, before: Outcome | None, settings: Settings) -> timedelta | None:
    """When to look again after a failure; None for the next sweep. `before` is what came of the last look.

    Not the next sweep where the list itself may be what fails: what is rolling goes on without it. A conflict
    that lasts is waited for twice as long each time, up to a sweep: 15, 30 and 60 seconds.
    """
    match failure:
        case Throttled(retry_after=asked_for):
            return max(asked_for, settings.follow_up)
        case Conflict():
            if before is None or before.reason is not Reason.CONFLICT or before.again is None:
                return settings.follow_up
            return max(min(2 * before.again, settings.sweep), settings.follow_up)
        case Unreachable():
            return settings.sweep
        case _:
            return None


def outcome_of_bug(name: str, commit: str, at: datetime, error: Exception) -> Outcome:
    """An error of our own: it costs this scale set its tick and nothing else."""
    message = f"a bug in the reconciler, please report it: {type(error).__name__}: {error}"
    return Outcome(name, commit, at, Reason.BUG, message, Reason.BUG.meaning.status)
