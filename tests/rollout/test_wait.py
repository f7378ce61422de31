"""Waits have an age: when what passes by itself becomes a failure, and that it stays one until something changes."""

from datetime import timedelta

import pytest

from reconciler.rollout.reason import Reason, Status
from reconciler.rollout.wait import Wait, status_after, wait_after
from tests.build import NOW

MINUTE = timedelta(minutes=1)


@pytest.mark.parametrize(
    ("before", "reason", "continues", "after"),
    [
        pytest.param(None, Reason.UPGRADING, False, None, id="a step is no wait"),
        pytest.param(None, Reason.CONFLICT, False, Wait(Reason.CONFLICT, NOW), id="a wait begins"),
        pytest.param(
            Wait(Reason.CONFLICT, NOW - MINUTE, 2),
            Reason.CONFLICT,
            False,
            Wait(Reason.CONFLICT, NOW - MINUTE, 3),
            id="a wait goes on",
        ),
        pytest.param(
            Wait(Reason.CONFLICT, NOW - MINUTE, 2),
            Reason.UNREACHABLE,
            False,
            Wait(Reason.UNREACHABLE, NOW - MINUTE, 3),
            id="calls that fail in different ways are one wait",
        ),
        pytest.param(
            Wait(Reason.AZURE_UPDATING, NOW - 9 * MINUTE, 9),
            Reason.CONFLICT,
            False,
            Wait(Reason.CONFLICT, NOW),
            id="a wait for something else begins again",
        ),
        pytest.param(Wait(Reason.CONFLICT, NOW - MINUTE, 2), Reason.SOAKING, False, None, id="it is over"),
        pytest.param(
            Wait(Reason.NO_EFFECT, NOW - MINUTE, 2),
            Reason.UPGRADING,
            True,
            Wait(Reason.NO_EFFECT, NOW - MINUTE, 2),
            id="the same step once more does not end it",
        ),
        pytest.param(
            Wait(Reason.NO_EFFECT, NOW - MINUTE, 2), Reason.UPGRADING, False, None, id="another step ends it"
        ),
        pytest.param(
            Wait(Reason.CONFLICT, NOW - 5 * MINUTE, 7),
            Reason.CONFLICT,
            False,
            Wait(Reason.CONFLICT, NOW - 5 * MINUTE, 8),
            id="five minutes of conflicts are no failure yet",
        ),
        pytest.param(
            Wait(Reason.CONFLICT, NOW - 6 * MINUTE, 7),
            Reason.CONFLICT,
            False,
            Wait(Reason.CONFLICT, NOW - 6 * MINUTE, 8, is_failing=True),
            id="six minutes of conflicts are",
        ),
        pytest.param(
            Wait(Reason.CONFLICT, NOW - 6 * MINUTE, 8, is_failing=True),
            Reason.AZURE_UPDATING,
            False,
            Wait(Reason.AZURE_UPDATING, NOW - 6 * MINUTE, 9, is_failing=True),
            id="a failure stays one whatever is waited for next",
        ),
        pytest.param(
            Wait(Reason.AZURE_UPDATING, NOW - 9 * MINUTE, 9),
            Reason.THROTTLED,
            False,
            Wait(Reason.AZURE_UPDATING, NOW - 9 * MINUTE, 9),
            id="an observation for which no request was left changes nothing of a wait",
        ),
        pytest.param(
            Wait(Reason.AZURE_UPDATING, NOW - 31 * MINUTE, 9),
            Reason.THROTTLED,
            False,
            Wait(Reason.AZURE_UPDATING, NOW - 31 * MINUTE, 9, is_failing=True),
            id="a wait gets too long though no request is left to look",
        ),
        pytest.param(
            Wait(Reason.THROTTLED, NOW - MINUTE, 4),
            Reason.THROTTLED,
            False,
            Wait(Reason.THROTTLED, NOW - MINUTE, 5),
            id="a wait for requests goes on",
        ),
        pytest.param(
            Wait(Reason.REFUSED, NOW - 60 * MINUTE, 8),
            Reason.REFUSED,
            False,
            Wait(Reason.REFUSED, NOW - 60 * MINUTE, 9),
            id="a refusal says at once what it is",
        ),
        pytest.param(
            None,
            Reason.OPERATION_FAILED,
            False,
            Wait(Reason.OPERATION_FAILED, NOW, is_failing=True),
            id="an operation that failed is failing while it is retried",
        ),
        pytest.param(
            Wait(Reason.AZURE_UPDATING, NOW - MINUTE, 2),
            Reason.OPERATION_FAILED,
            False,
            Wait(Reason.OPERATION_FAILED, NOW, is_failing=True),
            id="a wait that ends in a failed operation begins again as one for its retry",
        ),
        pytest.param(
            Wait(Reason.AZURE_UPDATING, NOW - MINUTE, 2, is_failing=True),
            Reason.OPERATION_FAILED,
            False,
            Wait(Reason.OPERATION_FAILED, NOW - MINUTE, 3, is_failing=True),
            id="a retry that fails once more is the same failure",
        ),
        pytest.param(
            None,
            Reason.HEALTH_CHECK_FAILED,
            False,
            Wait(Reason.HEALTH_CHECK_FAILED, NOW, is_failing=True),
            id="instances that stay unhealthy fail at once",
        ),
        pytest.param(
            Wait(Reason.HEALTH_CHECK_FAILED, NOW - MINUTE, 2, is_failing=True),
            Reason.AZURE_UPDATING,
            False,
            Wait(Reason.HEALTH_CHECK_FAILED, NOW - MINUTE, 2, is_failing=True),
            id="Azure repairs an instance of a failed image",
        ),
        pytest.param(
            Wait(Reason.HEALTH_CHECK_FAILED, NOW - MINUTE, 2, is_failing=True),
            Reason.WAITING_FOR_INSTANCES,
            True,
            Wait(Reason.HEALTH_CHECK_FAILED, NOW - MINUTE, 2, is_failing=True),
            id="the replacement runs the failed image",
        ),
        pytest.param(
            Wait(Reason.HEALTH_CHECK_FAILED, NOW - 60 * MINUTE, 60, is_failing=True),
            Reason.UNREACHABLE,
            False,
            Wait(Reason.UNREACHABLE, NOW, is_failing=True),
            id="nothing can be read of what is unhealthy",
        ),
        pytest.param(
            Wait(Reason.TOO_MANY_UNAVAILABLE, NOW - MINUTE, 2, is_failing=True),
            Reason.WAITING_FOR_INSTANCES,
            False,
            Wait(Reason.TOO_MANY_UNAVAILABLE, NOW - MINUTE, 2, is_failing=True),
            id="the replacement of an unavailable instance is not healthy either",
        ),
        pytest.param(
            Wait(Reason.TOO_MANY_UNAVAILABLE, NOW - MINUTE, 2, is_failing=True),
            Reason.UPGRADING,
            False,
            None,
            id="enough instances are available for the next batch",
        ),
        pytest.param(
            Wait(Reason.HEALTH_CHECK_FAILED, NOW - MINUTE, 2, is_failing=True),
            Reason.PARTIAL_READ,
            False,
            Wait(Reason.HEALTH_CHECK_FAILED, NOW - MINUTE, 2, is_failing=True),
            id="the list of unhealthy instances is incomplete",
        ),
        pytest.param(
            Wait(Reason.HEALTH_CHECK_FAILED, NOW - MINUTE, 2, is_failing=True),
            Reason.THROTTLED,
            False,
            Wait(Reason.HEALTH_CHECK_FAILED, NOW - MINUTE, 2, is_failing=True),
            id="unhealthy instances cannot be listed for lack of requests",
        ),
    ],
)
def test_a_wait(before: Wait | None, reason: Reason, continues: bool, after: Wait | None) -> None:
    assert wait_after(before, reason, NOW, continues=continues) == after


FAILING = Wait(Reason.NO_EFFECT, NOW, is_failing=True)


@pytest.mark.parametrize(
    ("reason", "wait", "status"),
    [
        pytest.param(
            Reason.CONFLICT, Wait(Reason.CONFLICT, NOW), Status.RECONCILING, id="what passes by itself"
        ),
        pytest.param(Reason.CONFLICT, FAILING, Status.FAILING, id="what has lasted too long"),
        pytest.param(Reason.UPGRADING, FAILING, Status.FAILING, id="a retry of what failed"),
        pytest.param(Reason.UPGRADING, None, Status.RECONCILING, id="a step"),
        pytest.param(Reason.REFUSED, FAILING, Status.STALLED, id="what nobody waits for"),
        pytest.param(Reason.OUTSIDE_WINDOW, FAILING, Status.WAITING, id="what the spec asks to wait for"),
    ],
)
def test_how_it_stands(reason: Reason, wait: Wait | None, status: Status) -> None:
    assert status_after(reason, wait) is status


@pytest.mark.parametrize("reason", [each for each in Reason if each.meaning.fails_after])
def test_whatever_may_last_is_reconciling_until_then(reason: Reason) -> None:
    assert reason.meaning.status is Status.RECONCILING


SECOND = timedelta(seconds=1)
DAY = timedelta(days=1)


@pytest.mark.parametrize(
    ("tries", "first", "most", "backoff"),
    [
        pytest.param(1, 15 * SECOND, DAY, 15 * SECOND, id="first after as long as is said"),
        pytest.param(2, 15 * SECOND, DAY, 30 * SECOND, id="then after twice as long"),
        pytest.param(4, 15 * SECOND, DAY, 120 * SECOND, id="then after twice as long each time"),
        pytest.param(4, 15 * SECOND, MINUTE, MINUTE, id="after no longer than the most"),
        pytest.param(1, 2 * MINUTE, MINUTE, 2 * MINUTE, id="not before the first, whatever the most"),
        pytest.param(17, SECOND, DAY, 65536 * SECOND, id="twice as long for the sixteenth time"),
        pytest.param(18, SECOND, DAY, 65536 * SECOND, id="no longer than that, whatever the most"),
    ],
)
def test_how_soon_it_is_retried(tries: int, first: timedelta, most: timedelta, backoff: timedelta) -> None:
    assert Wait(Reason.CONFLICT, NOW, tries).backoff(first, most) == backoff
