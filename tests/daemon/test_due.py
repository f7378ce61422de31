"""Which scale sets a sweep names for a reconcile."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from reconciler.daemon.due import due, is_quiet
from reconciler.daemon.state import LastSeen, ScaleSetState
from reconciler.rollout.observed import Model
from reconciler.rollout.reason import Reason, Status
from reconciler.rollout.step import Attempt, PatchModel
from reconciler.spec.problem import Place
from reconciler.spec.scale_set import ScaleSet
from reconciler.spec.suspension import Suspension
from tests.build import NEW, NOW, OLD, model, spec
from tests.daemon import states


def state(
    reason: str = Reason.UP_TO_DATE,
    status: Status = Status.READY,
    requeue_after: timedelta | None = None,
    **changes: Any,
) -> ScaleSetState:
    values: dict[str, Any] = {
        "model": model(),
        "instances_at": NOW - timedelta(minutes=1),
        "decided": None,
    } | changes
    return states.state(
        outcome=states.outcome("web", reason, status=status, requeue_after=requeue_after), **values
    )


def decided(known: ScaleSetState, on: ScaleSet | None) -> ScaleSetState:
    return replace(known, published=replace(known.published, decided=on))


def listed(row: Model) -> ScaleSetState:
    """A scale set before its first reconcile."""
    return ScaleSetState(spec(), "a1", seen=LastSeen(listed=row))


LEFT_OUT = state(Reason.INSTANCES_LEFT_OUT, Status.STALLED)
ROLLED_BACK = state(Reason.ROLLOUT_FAILED, Status.STALLED)
LATEST = replace(NEW, version="latest")
SET = Attempt(PatchModel(NEW, '"3"'), NOW - timedelta(minutes=5))
REFUSED = state(Reason.NOT_MANUAL_MODE, Status.STALLED, instances_at=None)
UNHEALTHY = state(Reason.HEALTH_CHECK_FAILED, Status.FAILING)
HOUR = timedelta(hours=1)
WAITING = state(Reason.DEPENDENCY_NOT_READY, Status.WAITING, requeue_after=HOUR)
BLOCKED = state(Reason.TOO_MUCH_CHANGE, Status.STALLED)
ROLLING = state(Reason.UPGRADING, Status.RECONCILING, requeue_after=timedelta(seconds=15))


@pytest.mark.parametrize(
    ("known", "before", "listed", "is_due"),
    [
        pytest.param(ScaleSetState(spec(), "a1"), None, model(), True, id="it is not observed yet"),
        pytest.param(state(), None, model(), True, id="the list had failed"),
        pytest.param(state(), spec(), model(), False, id="settled and unchanged"),
        pytest.param(state(), spec(image=OLD), model(), True, id="its spec declares another image"),
        pytest.param(
            state(), spec(suspend=Suspension()), model(), True, id="its spec is no longer suspended"
        ),
        pytest.param(
            state(), spec(place=Place("other.yaml", 7)), model(), False, id="its spec moved to another line"
        ),
        pytest.param(state(), spec(labels={"env": "dev"}), model(), False, id="its labels changed"),
        pytest.param(
            state(),
            spec("other", target=spec().target),
            model(),
            False,
            id="it was renamed, and is about the same scale set",
        ),
        pytest.param(state(), spec(), model(etag='"5"'), True, id="its etag moved"),
        pytest.param(state(), spec(), model(image=OLD), True, id="its model moved under the same etag"),
        pytest.param(state(), spec(), None, True, id="the list lacks it"),
        pytest.param(
            state(instances_at=NOW - timedelta(hours=1)), spec(), model(), True, id="its interval has passed"
        ),
        pytest.param(
            state(instances_at=NOW - timedelta(minutes=53)),
            spec(),
            model(),
            False,
            id="its interval has not quite passed",
        ),
        pytest.param(LEFT_OUT, spec(), model(), False, id="instances are left out, unchanged"),
        pytest.param(ROLLED_BACK, spec(), model(), False, id="the rollout failed, unchanged"),
        pytest.param(
            replace(ROLLED_BACK, desired=spec(image=LATEST)),
            spec(image=LATEST),
            model(),
            True,
            id="the rollout of latest failed: a newer version may be the fix",
        ),
        pytest.param(
            state(attempt=SET, instances_at=NOW - timedelta(minutes=1)),
            spec(),
            model(),
            True,
            id="settled soon after our last step: that list may have been outdated",
        ),
        pytest.param(
            state(attempt=SET, instances_at=NOW),
            spec(),
            model(),
            False,
            id="settled five minutes after our last step",
        ),
        pytest.param(
            state(
                attempt=replace(SET, at=NOW - timedelta(minutes=4)), instances_at=NOW - timedelta(minutes=1)
            ),
            spec(),
            model(),
            False,
            id="settled less than five minutes after our last step",
        ),
        pytest.param(
            REFUSED, spec(), model(), True, id="refused and unchanged: a fix would appear in the list"
        ),
        pytest.param(UNHEALTHY, spec(), model(), True, id="unhealthy: it may have recovered"),
        pytest.param(
            WAITING, spec(), model(), False, id="waiting for others: a sweep notices when they are Ready"
        ),
        pytest.param(
            WAITING,
            spec(),
            model(etag='"5"'),
            True,
            id="waiting, and its model changed: it may be approved now",
        ),
        pytest.param(
            state(Reason.OUTSIDE_WINDOW, Status.WAITING, requeue_after=HOUR, instances_at=NOW - 2 * HOUR),
            spec(),
            model(),
            False,
            id="waiting beyond its interval: a requeue is pending",
        ),
        pytest.param(WAITING, spec(image=OLD), model(), True, id="waiting, with a new commit"),
        pytest.param(BLOCKED, spec(), model(), False, id="blocked by the cap on change, unchanged"),
        pytest.param(
            state(Reason.TOO_MUCH_CHANGE, Status.STALLED, instances_at=NOW - HOUR),
            spec(),
            model(),
            True,
            id="blocked by the cap on change, after its interval",
        ),
        pytest.param(
            state(Reason.CHECK_FAILED, Status.FAILING),
            spec(),
            model(),
            True,
            id="blocked by a check: it runs at every sweep",
        ),
        pytest.param(ROLLING, spec(), model(etag='"9"'), False, id="rolling out: a requeue is pending"),
        pytest.param(ROLLING, spec(image=OLD), model(), True, id="rolling out, with a new commit"),
    ],
)
def test_due(known: ScaleSetState, before: ScaleSet | None, listed: Model | None, is_due: bool) -> None:
    assert due(decided(known, before), listed, NOW) is is_due


def test_an_unblocked_scale_set_is_due() -> None:
    waiting = decided(WAITING, spec())
    assert [due(waiting, model(), NOW, is_unblocked=let_on) for let_on in (False, True)] == [False, True]


def test_a_fleet_that_was_observed_together_is_not_due_together() -> None:
    fleet = [replace(state(instances_at=NOW), desired=spec(f"web-{number}")) for number in range(100)]
    moments = [
        next(m for m in range(61) if due(decided(each, each.desired), model(), NOW + timedelta(minutes=m)))
        for each in fleet
    ]
    assert min(moments) >= 54
    assert max(moments) <= 60
    assert len(set(moments)) > 4


@pytest.mark.parametrize(
    ("known", "quiet"),
    [
        pytest.param(listed(model(image=NEW)), True, id="on its image and succeeded: quiet"),
        pytest.param(listed(model(image=OLD)), True, id="on another image: quiet"),
        pytest.param(
            listed(model(image=NEW, provisioning="updating")), False, id="an operation in progress: first"
        ),
        pytest.param(listed(model(image=NEW, provisioning="failed")), False, id="a failed scale set: first"),
        pytest.param(ScaleSetState(spec(), "a1"), False, id="not listed: first"),
        pytest.param(UNHEALTHY, False, id="Failing at its last observation: first"),
        pytest.param(state(), True, id="Ready at its last observation: quiet"),
    ],
)
def test_which_scale_sets_are_reconciled_first(known: ScaleSetState, *, quiet: bool) -> None:
    assert is_quiet(known) is quiet
