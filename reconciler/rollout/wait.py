"""How long a scale set has waited for a condition to clear, and when to check the condition again.

During a condition that should clear by itself, the scale set is Reconciling at first, and Failing once the
condition has lasted longer than `fails_after` in its row of the reason table. The scale set then stays
Failing through other waits and every retry, until something changes. An alert for half an hour of Failing
must not resolve between two tries.

    09:00:00  Conflict                                   Reconciling
    09:05:15  Conflict, for the sixth time               Failing since 09:00:00: fails_after is 5m
    09:10:15  the same step is retried                   Failing
    09:10:30  Conflict                                   Failing
    09:15:30  the step is accepted and has an effect     Reconciling

A scale set whose instances stay unhealthy is Failing at once. It stays so while Azure repairs the instances,
and while nothing can be read. A step that Azure refuses begins another wait, because only healthy instances
or a fix lead to a step.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from reconciler.rollout.reason import Phase, Reason, Status

LONGEST = timedelta(minutes=5)  # between two reconciles during a wait


@dataclass(frozen=True, slots=True)
class Wait:
    """A wait for a condition to clear. `tries` counts the consecutive reconciles with this reason."""

    reason: Reason
    since: datetime
    tries: int = 1
    is_failing: bool = False

    def backoff(self, first: timedelta, most: timedelta = LONGEST) -> timedelta:
        """The delay before the next try. It doubles with each try.

        >>> wait = Wait(Reason.CONFLICT, datetime(2026, 1, 5, 9), tries=3)
        >>> print(wait.backoff(timedelta(seconds=15)), wait.backoff(timedelta(minutes=2)))
        0:01:00 0:05:00
        """
        doubled: timedelta = first * 2 ** min(self.tries - 1, 16)
        return max(first, min(doubled, most))


def wait_after(before: Wait | None, reason: Reason, at: datetime, *, continues: bool) -> Wait | None:
    """The wait after a reconcile at `at` with this reason, or None if nothing is waited for.

    `continues` says whether this reconcile repeats the last step, waits for a repeated step that has had no
    effect yet, or waits for instances on an image that has failed.
    """
    meaning = reason.meaning
    is_failing = meaning.is_retried or meaning.is_about_health
    is_ill = before is not None and before.reason.meaning.is_about_health and not is_failing
    if is_ill and meaning.keeps_batch and meaning.phase is not Phase.BEGINS:
        return before
    if meaning.fails_after is None and not meaning.is_error and not is_failing:
        return before if continues else None
    if is_ill and reason is not Reason.THROTTLED:
        return Wait(reason, at, is_failing=True) if meaning.is_error else before
    if before is not None and reason is Reason.THROTTLED and before.reason is not reason:
        # Nothing could be observed, so nothing is known to have changed, and the wait continues.
        return replace(before, is_failing=before.is_failing or _is_over(before.reason, before, at))
    if before is None or not (before.is_failing or _is_alike(before.reason, reason)):
        return Wait(reason, at, is_failing=is_failing)
    is_failing = is_failing or before.is_failing or _is_over(reason, before, at)
    return Wait(reason, before.since, before.tries + 1, is_failing)


def status_after(reason: Reason, wait: Wait | None) -> Status:
    """The status for this reason, after this wait."""
    status = reason.meaning.status
    return Status.FAILING if status is Status.RECONCILING and wait and wait.is_failing else status


def _is_over(reason: Reason, wait: Wait, at: datetime) -> bool:
    """Whether the wait is longer than `fails_after`."""
    lasts = reason.meaning.fails_after
    return lasts is not None and at - wait.since > lasts


def _is_alike(before: Reason, reason: Reason) -> bool:
    """Whether `reason` continues the wait of `before`. Any error continues the wait of any other error.

    One cause can make calls fail in many ways.
    """
    return before is reason or (before.meaning.is_error and reason.meaning.is_error)
