"""Outcomes: how a scale set stands after each reason, and when it is looked at next."""

from datetime import timedelta

import pytest

from reconciler.azure.failure import AzureFailure, Conflict, Refused, Throttled, Unreachable
from reconciler.daemon.outcome import Standing, bug, decided, failed
from reconciler.rollout.decision import Decision, Reason
from tests.build import NOW

FOLLOW_UP = timedelta(seconds=15)


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_has_its_standing(reason: Reason) -> None:
    outcome = decided("web", "a1", NOW, Decision(reason, "why", soon=True), FOLLOW_UP)
    assert outcome.line == f"{reason}: why"
    assert not outcome.is_error
    assert (outcome.standing is Standing.READY) is (reason is Reason.UP_TO_DATE)


def test_what_is_moving_is_never_called_settled() -> None:
    moving = {
        Reason.MODEL_DRIFT,
        Reason.UPGRADING,
        Reason.WAITING_FOR_INSTANCES,
        Reason.AZURE_BUSY,
        Reason.PARTIAL_READ,
    }
    held = {Reason.HEALTH_CHECK_FAILED, Reason.NATIVE_UPGRADE_IN_PROGRESS}
    unsettled = {
        r for r in Reason if not decided("web", "", NOW, Decision(r, ""), FOLLOW_UP).standing.settled
    }
    assert unsettled == moving | held


@pytest.mark.parametrize(
    ("failure", "standing", "again"),
    [
        pytest.param(Refused("no"), Standing.STALLED, None, id="refused: a person must act"),
        pytest.param(Conflict("no"), Standing.RECONCILING, FOLLOW_UP, id="conflict: look again soon"),
        pytest.param(
            Throttled("no", timedelta(seconds=77)),
            Standing.RECONCILING,
            timedelta(seconds=77),
            id="throttled: at the time that Azure named",
        ),
        pytest.param(Unreachable("no"), Standing.FAILING, None, id="unreachable: at the next sweep"),
    ],
)
def test_a_failure_says_what_was_being_done(
    failure: AzureFailure, standing: Standing, again: timedelta | None
) -> None:
    outcome = failed("web", "a1", NOW, failure, follow_up=FOLLOW_UP, doing="upgrading")
    assert outcome.line == f"{failure.reason}: no (while upgrading)"
    assert (outcome.standing, outcome.again, outcome.is_error) == (standing, again, True)


def test_a_bug_is_called_one() -> None:
    outcome = bug("web", "a1", NOW, KeyError("x"))
    assert outcome.line == "Bug: a bug in the reconciler, please report it: KeyError: 'x'"
    assert outcome.standing is Standing.FAILING
