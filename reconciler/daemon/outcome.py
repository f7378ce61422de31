"""What came of one tick of one scale set: a decision, or a failure on the way to one or of its step."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from reconciler.azure.failure import AzureFailure, Conflict, Refused, Throttled
from reconciler.daemon.settings import Settings
from reconciler.rollout.counts import InstanceCounts
from reconciler.rollout.decision import Decision
from reconciler.rollout.gate import Gate
from reconciler.rollout.persisted import Fingerprint
from reconciler.rollout.progress import Progress
from reconciler.rollout.reason import Reason, Status
from reconciler.rollout.step import Step
from reconciler.rollout.wait import LONGEST, Wait, status_after, wait_after
from reconciler.rollout.wording import moment
from reconciler.spec.scale_set import ScaleSet

# A canary that falls sick while it soaks is told within this time.
_WATCH = timedelta(minutes=5)
# For as long as the upgrade of a batch may well take, a look comes as often as at first.
_USUAL = timedelta(minutes=10)
_REFUSED = timedelta(minutes=10)  # at most between two tries of what Azure refuses


@dataclass(frozen=True, slots=True)
class Outcome:
    """One tick of one scale set. `commit` is the id the spec was read at, "" for a plain directory.

    `doing` is what a closed gate of `gates` holds up, `blamed` an image that there is evidence against.
    `step` is the one that was decided on and, where steps are taken at all, that Azure accepted. `again` is
    when to look next, None for the next sweep. `wait` says for how long this, or what it is a retry of, has
    been waited for. `as_of` is when it was so, where there was no request left to look since.
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
    blamed: Fingerprint | None = None
    again: timedelta | None = None
    wait: Wait | None = None
    as_of: datetime | None = None

    @property
    def line(self) -> str:
        """The whole outcome in one line, as it is logged, shown and answered everywhere."""
        return f"{self.reason}: {self.told}"

    @property
    def told(self) -> str:
        """The message, with how old it is and since when it is a failure."""
        is_aged = self.wait and self.wait.is_failing and not self.reason.meaning.is_retried
        since = f"; since {moment(self.wait.since)}" if self.wait and is_aged else ""
        old = f" (as of {self.as_of:%H:%M:%S}; throttled)" if self.as_of else ""
        return f"{self.message}{since}{old}"

    @property
    def is_error(self) -> bool:
        """Whether nothing could be decided or done: a call failed, or we did."""
        return self.reason.meaning.is_error


def outcome_of(
    desired: ScaleSet, commit: str, decision: Decision, before: Progress, settings: Settings, *, at: datetime
) -> Outcome:
    """A decision was reached; `before` is the progress before it."""
    is_repeated = before.attempt is not None and decision.step == before.attempt.step
    wait = wait_after(before.wait, decision.reason, at, is_repeated=is_repeated)
    return Outcome(
        name=desired.name,
        commit=commit,
        at=at,
        reason=decision.reason,
        message=decision.message,
        status=status_after(decision.reason, wait),
        step=decision.step,
        counts=decision.counts,
        gates=decision.gates,
        doing=decision.doing,
        blamed=decision.blamed,
        again=_again(decision, wait, settings, desired.interval, at),
        wait=wait,
    )


def _again(
    decision: Decision, wait: Wait | None, settings: Settings, interval: timedelta, at: datetime
) -> timedelta | None:
    rest = rest_until(decision, at, settings.requeue_after, interval)
    if wait is None or decision.reason.meaning.fails_after is None:
        return rest
    # What lasts is looked at less often: after 18 minutes every minute, after 50 every five.
    return max(rest or settings.sweep, min((at - wait.since - _USUAL) / 8, LONGEST))


def rest_until(
    decision: Decision, at: datetime, requeue_after: timedelta, interval: timedelta
) -> timedelta | None:
    """How soon to look again, None for the next sweep.

    What must not go wrong meanwhile is looked at meanwhile. Where nothing has been upgraded yet there is
    nothing to watch.
    """
    if decision.until is None and decision.reason.meaning.status is not Status.WAITING:
        return requeue_after if decision.soon else None
    watch = _WATCH if decision.counts and decision.counts.up_to_date else max(interval, _WATCH)
    if decision.until is None:
        return watch
    return min(max(decision.until - at, requeue_after), decision.watch or watch)


def outcome_of_failure(
    name: str,
    commit: str,
    failure: AzureFailure,
    before: Progress,
    settings: Settings,
    *,
    at: datetime,
    doing: str = "",
) -> Outcome:
    """A call failed: on the way to a decision, or taking its step, which `doing` then words.

    It is looked at again by itself, and not at the next sweep: the list itself may be what fails. What is
    under way is tried again after seconds, what Azure refuses after minutes, and twice as long each time.
    """
    message = f"{failure} (while {doing})" if doing else str(failure)
    wait = wait_after(before.wait, failure.reason, at, is_repeated=False) or Wait(failure.reason, at)
    match failure:
        case Throttled(retry_after=asked_for):
            again = max(asked_for, settings.requeue_after)
        case Conflict():
            again = wait.backoff(settings.requeue_after)
        case Refused():
            again = wait.backoff(settings.sweep, _REFUSED)
        case _:
            again = wait.backoff(settings.sweep)
    status = status_after(failure.reason, wait)
    return Outcome(name, commit, at, failure.reason, message, status, again=again, wait=wait)


def outcome_of_bug(name: str, commit: str, at: datetime, error: Exception) -> Outcome:
    """An error of our own: it costs this scale set its tick and nothing else."""
    message = f"a bug in the reconciler, please report it: {type(error).__name__}: {error}"
    return Outcome(name, commit, at, Reason.BUG, message, Reason.BUG.meaning.status)


def outcome_when_throttled(before: Outcome, throttled: Outcome) -> Outcome:
    """How it stood at the last look, and that there was no request left to look since."""
    return replace(before, at=throttled.at, again=throttled.again, as_of=before.as_of or before.at)
