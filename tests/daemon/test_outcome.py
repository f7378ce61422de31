"""Outcomes: how a scale set stands after each reason, and when it is looked at next."""

from datetime import timedelta

import pytest

from reconciler.azure.failure import AzureFailure, Conflict, Refused, Throttled, Unreachable
from reconciler.daemon.outcome import outcome_of, outcome_of_bug, outcome_of_failure, rest_after
from reconciler.daemon.settings import Settings
from reconciler.rollout.decision import Decision
from reconciler.rollout.reason import Reason, Status
from tests.build import NOW, spec

FOLLOW_UP = timedelta(seconds=15)


@pytest.mark.parametrize("reason", [each for each in Reason if not each.meaning.is_error])
def test_every_reason_has_its_standing(reason: Reason) -> None:
    outcome = outcome_of(spec(), "a1", NOW, Decision(reason, "why", soon=True), FOLLOW_UP)
    assert outcome.line == f"{reason}: why"
    assert not outcome.is_error
    assert (outcome.status is Status.READY) is (reason is Reason.UP_TO_DATE)


def test_what_is_moving_is_never_called_settled() -> None:
    moving = {
        Reason.MODEL_DRIFT,
        Reason.MODEL_UPDATE_FAILED,
        Reason.UPGRADING,
        Reason.WAITING_FOR_INSTANCES,
        Reason.AZURE_BUSY,
        Reason.IMAGE_REPLICATING,
        Reason.SOAKING,
        Reason.GIVING_UP,
        Reason.CONFIRMING_HEALTH,
        Reason.BAKING,
    }
    waiting = {
        Reason.OUTSIDE_WINDOW,
        Reason.AWAITING_APPROVAL,
        Reason.DEPENDENCY_NOT_READY,
        Reason.AWAITING_TURN,
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
    }
    unsettled = {
        r
        for r in Reason
        if not r.meaning.is_error
        and not outcome_of(spec(), "", NOW, Decision(r, ""), FOLLOW_UP).status.settled
    }
    assert unsettled == moving | waiting | held


SETTINGS = Settings(sweep=timedelta(minutes=1), follow_up=FOLLOW_UP)


@pytest.mark.parametrize(
    ("failure", "status", "again"),
    [
        pytest.param(Refused("no"), Status.STALLED, None, id="refused: a person must act"),
        pytest.param(Conflict("no"), Status.RECONCILING, FOLLOW_UP, id="conflict: look again soon"),
        pytest.param(
            Throttled("no", timedelta(seconds=77)),
            Status.RECONCILING,
            timedelta(seconds=77),
            id="throttled: at the time that Azure named",
        ),
        pytest.param(
            Throttled("no", timedelta()),
            Status.RECONCILING,
            FOLLOW_UP,
            id="throttled for no time at all: not at once all the same",
        ),
        pytest.param(
            Unreachable("no"),
            Status.FAILING,
            SETTINGS.sweep,
            id="unreachable: at the pace of sweeps, with or without",
        ),
    ],
)
def test_a_failure_says_what_was_being_done_and_when_it_is_tried_again(
    failure: AzureFailure, status: Status, again: timedelta | None
) -> None:
    outcome = outcome_of_failure(
        "web", "a1", NOW, failure, again=rest_after(failure, None, SETTINGS), doing="upgrading"
    )
    assert outcome.line == f"{failure.reason}: no (while upgrading)"
    assert (outcome.status, outcome.again, outcome.is_error) == (status, again, True)


def test_a_conflict_that_lasts_is_waited_for_longer_each_time_up_to_a_sweep() -> None:
    outcome, rests = None, []
    for _ in range(4):
        rest = rest_after(Conflict("no"), outcome, SETTINGS)
        outcome = outcome_of_failure("web", "a1", NOW, Conflict("no"), again=rest)
        rests.append(rest)
    minute = timedelta(minutes=1)
    assert rests == [FOLLOW_UP, 2 * FOLLOW_UP, minute, minute]
    assert (
        rest_after(Conflict("no"), outcome_of_failure("web", "a1", NOW, Throttled("no", FOLLOW_UP)), SETTINGS)
        == FOLLOW_UP
    )


def test_a_bug_is_called_one() -> None:
    outcome = outcome_of_bug("web", "a1", NOW, KeyError("x"))
    assert outcome.line == "Bug: a bug in the reconciler, please report it: KeyError: 'x'"
    assert outcome.status is Status.FAILING
