"""The outcome of a reconcile: a decision, or the failure that prevented the decision or its step."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from reconciler.azure.failure import (
    AzureFailure,
    Conflict,
    NotLeading,
    NoToken,
    Refused,
    TooManyRequests,
    Unreachable,
)
from reconciler.daemon.settings import Settings
from reconciler.rollout.counts import InstanceCounts
from reconciler.rollout.decision import Decision
from reconciler.rollout.gate import Gate
from reconciler.rollout.persisted import Fingerprint
from reconciler.rollout.progress import Progress
from reconciler.rollout.reason import Reason, Status
from reconciler.rollout.step import Step
from reconciler.rollout.wait import LONGEST, Wait, status_after, wait_after
from reconciler.rollout.wording import moment, time_of_day
from reconciler.spec.scale_set import ScaleSet
from reconciler.spec.wording import one_line

# A canary that becomes unhealthy during its soak is reported within this time.
_WATCH = timedelta(minutes=5)
# While a batch takes no longer than usual, the interval between observations does not grow.
_USUAL = timedelta(minutes=10)
_REFUSED = timedelta(minutes=10)  # at most between retries of what Azure refuses


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome of one reconcile. `commit` is the commit of the spec, or "" for a plain directory.

    `doing` is what a closed gate in `gates` blocks. `blamed` is an image with evidence against it. `step` is
    the step of the decision. Azure has accepted it, unless this is a dry run. `requeue_after` is None if the
    next sweep decides. `until` is when the next step may be taken, if known. `wait` says how long this
    condition, or the condition being retried, has lasted. `as_of` is when the outcome was observed, if every
    later observation was throttled.
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
    requeue_after: timedelta | None = None
    until: datetime | None = None
    wait: Wait | None = None
    as_of: datetime | None = None

    @property
    def line(self) -> str:
        """The outcome on one line, as logs, tables and `/status` show it."""
        return f"{self.reason}: {self.full_message}"

    @property
    def full_message(self) -> str:
        """The message. It also says when a failing condition began, and when a throttled one was observed."""
        throttled = "reads have been throttled since then"
        old = f" (as of {time_of_day(self.as_of)}; {throttled})" if self.as_of else ""
        return f"{self.message}{self._since}{old}"

    @property
    def _since(self) -> str:
        meaning, wait = self.reason.meaning, self.wait
        if wait is None or not wait.is_failing or meaning.is_retried or meaning.is_about_health:
            return ""
        if wait.reason.meaning.is_about_health:
            return f"; failing since {moment(wait.since)} ({wait.reason})"
        return f"; {'failing' if self.is_error else 'waiting'} since {moment(wait.since)}"

    @property
    def is_error(self) -> bool:
        """Whether a call or the program failed, so that nothing could be decided or done."""
        return self.reason.meaning.is_error


def outcome_of(
    desired: ScaleSet, commit: str, decision: Decision, before: Progress, settings: Settings, *, at: datetime
) -> Outcome:
    """The outcome of a decision. `before` is the progress before the decision."""
    is_repeated = before.attempt is not None and decision.step == before.attempt.step
    earlier = before.wait
    if decision.continues_failure and earlier is None and before.is_under_way is None:
        # A new process knows of the failure only from the tags.
        earlier = Wait(Reason.HEALTH_CHECK_FAILED, at, is_failing=True)
    wait = wait_after(earlier, decision.reason, at, continues=is_repeated or decision.continues_failure)
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
        requeue_after=_requeue_after(decision, wait, settings, desired.interval, at),
        until=decision.until,
        wait=wait,
    )


def _requeue_after(
    decision: Decision, wait: Wait | None, settings: Settings, interval: timedelta, at: datetime
) -> timedelta | None:
    delay = requeue_delay(decision, at, settings.requeue_after, interval)
    if wait is None or wait.reason is not decision.reason or decision.reason.meaning.fails_after is None:
        return delay
    # A long wait is observed less often: every minute after 18 minutes, every five minutes after 50.
    return max(delay or settings.sweep, min((at - wait.since - _USUAL) / 8, LONGEST))


def requeue_delay(
    decision: Decision, at: datetime, requeue_after: timedelta, interval: timedelta
) -> timedelta | None:
    """The delay before the next reconcile, or None if the next sweep decides.

    While a scale set waits, upgraded instances are observed regularly. If none has been upgraded yet, there
    is nothing to watch.
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
    decision: Decision | None = None,
    step: str = "",
) -> Outcome:
    """The outcome of a failed call. `step` describes the step that failed, or is "" if none did.

    `decision` is what was decided before the call, or None if the call was needed to decide. The evidence of
    the decision counts even if its step failed. Otherwise, other scale sets would start a rollout of an image
    whose rollback Azure refuses.

    The scale set is requeued, because the next sweep may fail too. Conflicts and writes that were not sent
    are retried after seconds, and refusals after minutes, each with exponential backoff.
    """
    message = _step_failure(step, failure) if step else str(failure)
    if step and decision and decision.cause:
        message = f"{decision.cause}; {message}"
    # A step follows only from instances that are healthy again, or from a fix.
    has_ended = step and before.wait is not None and before.wait.reason.meaning.is_about_health
    earlier = None if has_ended else before.wait
    wait = wait_after(earlier, failure.reason, at, continues=False) or Wait(failure.reason, at)
    match failure:
        case TooManyRequests(retry_after=requested):
            after = max(requested, settings.requeue_after)
        case Conflict() | NotLeading():
            after = wait.backoff(settings.requeue_after)
        case Refused():
            after = wait.backoff(settings.sweep, _REFUSED)
        case _:
            after = wait.backoff(settings.sweep)
    status = status_after(failure.reason, wait)
    return Outcome(
        name,
        commit,
        at,
        failure.reason,
        message,
        status,
        blamed=decision.blamed if decision else None,
        requeue_after=after,
        wait=wait,
    )


def _step_failure(step: str, failure: AzureFailure) -> str:
    # An unreachable Azure may have taken the step.
    if isinstance(failure, Unreachable) and not isinstance(failure, NoToken):
        return f"tried to {step}, but {failure}"
    return f"could not {step}: {failure}"


def outcome_of_bug(name: str, commit: str, at: datetime, error: Exception) -> Outcome:
    """The outcome of a bug in this program. It affects only this scale set."""
    message = one_line(
        "the reconcile failed because of a bug in the reconciler "
        f"({type(error).__name__}: {error}); please report it"
    )
    return Outcome(name, commit, at, Reason.BUG, message, Reason.BUG.meaning.status)


def outcome_when_throttled(before: Outcome, throttled: Outcome) -> Outcome:
    """The previous outcome, marked as observed before the throttling."""
    return replace(
        before, at=throttled.at, requeue_after=throttled.requeue_after, as_of=before.as_of or before.at
    )
