"""Outcomes: the status for each reason, and the next reconcile."""

from datetime import datetime, timedelta

import pytest

from reconciler.azure.failure import (
    AzureFailure,
    Conflict,
    NotLeading,
    NoToken,
    Refused,
    TooManyRequests,
    Unreachable,
)
from reconciler.daemon.outcome import (
    Outcome,
    outcome_of,
    outcome_of_bug,
    outcome_of_failure,
    outcome_when_throttled,
)
from reconciler.daemon.settings import Settings
from reconciler.rollout.decision import Decision
from reconciler.rollout.progress import Progress
from reconciler.rollout.reason import Reason, Status
from reconciler.rollout.wait import Wait
from tests.build import NOW, spec
from tests.daemon import states
from tests.messages import says

FOLLOW_UP = timedelta(seconds=15)
MINUTE = timedelta(minutes=1)
SETTINGS = Settings(sweep=MINUTE, requeue_after=FOLLOW_UP)


@pytest.mark.parametrize("reason", [each for each in Reason if not each.meaning.is_error])
def test_every_reason_has_its_status(reason: Reason) -> None:
    outcome = outcome_of(spec(), "a1", Decision(reason, "why", soon=True), Progress(), SETTINGS, at=NOW)
    assert outcome.line == f"{reason}: why"
    assert not outcome.is_error
    assert (outcome.status is Status.READY) is (reason in {Reason.UP_TO_DATE, Reason.INSTANCES_LEFT_OUT})


def test_a_rollout_in_progress_is_never_settled() -> None:
    moving = {
        Reason.MODEL_DRIFT,
        Reason.MODEL_UPDATE_FAILED,
        Reason.UPGRADING,
        Reason.WAITING_FOR_INSTANCES,
        Reason.AZURE_UPDATING,
        Reason.IMAGE_REPLICATING,
        Reason.SOAKING,
        Reason.GIVING_UP,
        Reason.CONFIRMING_HEALTH,
        Reason.BAKING,
        Reason.EVICTED_AFTER_UPGRADE,
    }
    waiting = {
        Reason.OUTSIDE_WINDOW,
        Reason.AWAITING_APPROVAL,
        Reason.DEPENDENCY_NOT_READY,
        Reason.AWAITING_TURN,
        Reason.SOURCE_STALE,
        Reason.CLAIMED,
        Reason.AWAITING_PILOT,
    }
    held = {
        Reason.HEALTH_CHECK_FAILED,
        Reason.NATIVE_UPGRADE_IN_PROGRESS,
        Reason.NO_EFFECT,
        Reason.OPERATION_FAILED,
        Reason.TOO_MANY_UNAVAILABLE,
        Reason.TOO_MANY_UNHEALTHY,
        Reason.PROGRESS_DEADLINE_EXCEEDED,
        Reason.DEADLINE_EXCEEDED,
        Reason.CHECK_FAILED,
        Reason.CATALOGUE_UNREADABLE,
        Reason.PARTIAL_READ,
        Reason.READS_TOO_SLOW,
        Reason.ETAG_MISSING,
        Reason.CONTESTED,
        Reason.PAUSE_UNREAD,
    }
    unsettled = {
        r
        for r in Reason
        if not r.meaning.is_error
        and not outcome_of(spec(), "", Decision(r, ""), Progress(), SETTINGS, at=NOW).status.settled
    }
    assert unsettled == moving | waiting | held


def failed(failure: AzureFailure, wait: Wait | None = None, at: datetime = NOW, step: str = "") -> Outcome:
    return outcome_of_failure("web", "a1", failure, Progress(wait=wait), SETTINGS, at=at, step=step)


@pytest.mark.parametrize(
    ("failure", "status", "again"),
    [
        pytest.param(Refused("Azure was busy"), Status.STALLED, MINUTE, id="refused: a person must act"),
        pytest.param(Conflict("Azure was busy"), Status.RECONCILING, FOLLOW_UP, id="conflict: retried soon"),
        pytest.param(
            TooManyRequests("Azure was busy", timedelta(seconds=77)),
            Status.RECONCILING,
            timedelta(seconds=77),
            id="throttled: retried at the time that Azure names",
        ),
        pytest.param(
            TooManyRequests("Azure was busy", timedelta()),
            Status.RECONCILING,
            FOLLOW_UP,
            id="throttled without a time: retried after the requeue delay",
        ),
        pytest.param(
            Unreachable("Azure was busy"),
            Status.RECONCILING,
            MINUTE,
            id="unreachable: retried at the interval of sweeps",
        ),
    ],
)
def test_a_failure_has_the_attempted_action_and_a_retry_time(
    failure: AzureFailure, status: Status, again: timedelta
) -> None:
    outcome = failed(failure, step="upgrade web_0")
    assert "upgrade web_0" in outcome.line
    assert (outcome.status, outcome.requeue_after, outcome.is_error) == (status, again, True)


@pytest.mark.parametrize(
    ("failure", "message"),
    [
        pytest.param(Refused("no"), "could not upgrade web_0: no", id="refused: nothing was done"),
        pytest.param(Conflict("no"), "could not upgrade web_0: no", id="conflict: nothing was done"),
        pytest.param(NotLeading("no"), "could not upgrade web_0: no", id="not leading: nothing was sent"),
        pytest.param(NoToken("no"), "could not upgrade web_0: no", id="no token: nothing was sent"),
        pytest.param(
            Unreachable("no answer"),
            "tried to upgrade web_0, but no answer",
            id="no response: the step may have been taken",
        ),
    ],
)
def test_only_a_step_that_was_certainly_not_taken_is_said_to_have_failed(
    failure: AzureFailure, message: str
) -> None:
    assert failed(failure, step="upgrade web_0").message == message


@pytest.mark.parametrize(
    ("failure", "rests"),
    [
        pytest.param(
            Conflict("Azure was busy"),
            [15, 30, 60, 120, 240, 300, 300],
            id="a conflict: from seconds to minutes",
        ),
        pytest.param(
            Unreachable("Azure was busy"),
            [60, 120, 240, 300, 300],
            id="no response: from a sweep to five minutes",
        ),
        pytest.param(
            Refused("Azure was busy"), [60, 120, 240, 480, 600, 600], id="a refusal: to ten minutes"
        ),
    ],
)
def test_repeated_failures_are_retried_with_backoff(failure: AzureFailure, rests: list[int]) -> None:
    at, wait, found = NOW, None, list[float]()
    for _ in rests:
        outcome = failed(failure, wait, at)
        assert outcome.requeue_after
        wait, at = outcome.wait, at + outcome.requeue_after
        found.append(outcome.requeue_after.total_seconds())
    assert found == rests


def test_a_lasting_condition_is_a_failure_with_its_begin() -> None:
    wait = Wait(Reason.CONFLICT, NOW - timedelta(minutes=5), tries=6)
    assert failed(Conflict("Azure was busy"), wait).line == says("Conflict")
    outcome = failed(Conflict("Azure was busy"), wait, NOW + timedelta(seconds=1))
    assert (outcome.status, outcome.line) == (Status.FAILING, says("Conflict", "2026-01-05 08:55 UTC"))


@pytest.mark.parametrize(
    ("waited", "again"),
    [
        pytest.param(timedelta(), FOLLOW_UP, id="at first: checked again soon"),
        pytest.param(timedelta(minutes=12), FOLLOW_UP, id="after twelve minutes: checked again soon"),
        pytest.param(timedelta(minutes=18), MINUTE, id="after eighteen minutes: every minute"),
        pytest.param(timedelta(hours=24), 5 * MINUTE, id="after a day: every five minutes"),
    ],
)
def test_a_long_operation_is_checked_less_often(waited: timedelta, again: timedelta) -> None:
    busy = Decision(Reason.AZURE_UPDATING, "Azure is at work", soon=True)
    before = Progress(wait=Wait(Reason.AZURE_UPDATING, NOW - waited))
    assert outcome_of(spec(), "", busy, before, SETTINGS, at=NOW).requeue_after == again


def test_a_throttled_observation_keeps_the_previous_status_and_its_time() -> None:
    known = states.outcome("web", "Soaking", message="web_0 has been healthy since 09:00:00 UTC")
    later, last = (
        failed(TooManyRequests("Azure was busy", MINUTE), at=NOW + number * MINUTE) for number in (1, 2)
    )
    found = outcome_when_throttled(outcome_when_throttled(known, later), last)
    assert found.line == says("Soaking", "web_0", "09:00:00")
    assert (found.at, found.requeue_after, found.status) == (NOW + 2 * MINUTE, MINUTE, known.status)


def test_an_unexpected_error_is_reported_as_a_bug() -> None:
    outcome = outcome_of_bug("web", "a1", NOW, KeyError("x"))
    assert outcome.line == says("Bug", "KeyError")
    assert outcome.status is Status.FAILING
