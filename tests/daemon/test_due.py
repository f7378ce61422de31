"""Which scale sets a sweep looks at closely."""

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
    """Before its first look."""
    return ScaleSetState(spec(), "a1", seen=LastSeen(listed=row))


LEFT_OUT = state(Reason.INSTANCES_LEFT_OUT, Status.STALLED)
GIVEN_UP = state(Reason.ROLLOUT_FAILED, Status.STALLED)
LATEST = replace(NEW, version="latest")
SET = Attempt(PatchModel(NEW, '"3"'), NOW - timedelta(minutes=5))
REFUSED = state(Reason.NOT_MANUAL_MODE, Status.STALLED, instances_at=None)
SICK = state(Reason.HEALTH_CHECK_FAILED, Status.FAILING)
HOUR = timedelta(hours=1)
WAITING = state(Reason.DEPENDENCY_NOT_READY, Status.WAITING, requeue_after=HOUR)
HELD = state(Reason.TOO_MUCH_CHANGE, Status.STALLED)
ROLLING = state(Reason.UPGRADING, Status.RECONCILING, requeue_after=timedelta(seconds=15))


@pytest.mark.parametrize(
    ("known", "before", "listed", "is_due"),
    [
        pytest.param(ScaleSetState(spec(), "a1"), None, model(), True, id="never looked at"),
        pytest.param(
            state(), None, model(), True, id="its outcome is not about any spec: the list had failed"
        ),
        pytest.param(state(), spec(), model(), False, id="settled, and nothing has moved"),
        pytest.param(state(), spec(image=OLD), model(), True, id="its spec names another image"),
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
        pytest.param(state(), spec(), None, True, id="the list does not have it any more"),
        pytest.param(
            state(instances_at=NOW - timedelta(hours=1)), spec(), model(), True, id="its interval has passed"
        ),
        pytest.param(
            state(instances_at=NOW - timedelta(minutes=53)),
            spec(),
            model(),
            False,
            id="its interval has nearly passed",
        ),
        pytest.param(LEFT_OUT, spec(), model(), False, id="instances were left out, and nothing has moved"),
        pytest.param(GIVEN_UP, spec(), model(), False, id="the rollout failed, and nothing has moved"),
        pytest.param(
            replace(GIVEN_UP, desired=spec(image=LATEST)),
            spec(image=LATEST),
            model(),
            True,
            id="one of latest: a newer version may be the fix",
        ),
        pytest.param(
            state(attempt=SET, instances_at=NOW - timedelta(minutes=1)),
            spec(),
            model(),
            True,
            id="settled soon after our last step: what was listed then may be behind",
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
            id="settled, and those five minutes are not over",
        ),
        pytest.param(REFUSED, spec(), model(), True, id="refused: the list alone may show that it is mended"),
        pytest.param(SICK, spec(), model(), True, id="held by its health: it may have come back"),
        pytest.param(
            WAITING, spec(), model(), False, id="waiting for others: it is seen when they are ready"
        ),
        pytest.param(
            WAITING,
            spec(),
            model(etag='"5"'),
            True,
            id="waiting, and its model moved: it may be approved now",
        ),
        pytest.param(
            state(Reason.OUTSIDE_WINDOW, Status.WAITING, requeue_after=HOUR, instances_at=NOW - 2 * HOUR),
            spec(),
            model(),
            False,
            id="waiting past its interval: its follow-up is on its way",
        ),
        pytest.param(WAITING, spec(image=OLD), model(), True, id="waiting, but a new commit goes first"),
        pytest.param(HELD, spec(), model(), False, id="held by the cap on change, and nothing has moved"),
        pytest.param(
            state(Reason.TOO_MUCH_CHANGE, Status.STALLED, instances_at=NOW - HOUR),
            spec(),
            model(),
            True,
            id="held by the cap on change, and its interval has passed",
        ),
        pytest.param(
            state(Reason.CHECK_FAILED, Status.FAILING),
            spec(),
            model(),
            True,
            id="held by a check: it is put at every sweep",
        ),
        pytest.param(ROLLING, spec(), model(etag='"9"'), False, id="rolling: its follow-up is on its way"),
        pytest.param(ROLLING, spec(image=OLD), model(), True, id="rolling, but a new commit goes first"),
    ],
)
def test_due(known: ScaleSetState, before: ScaleSet | None, listed: Model | None, is_due: bool) -> None:
    assert due(decided(known, before), listed, NOW) is is_due


def test_what_it_waits_for_has_come() -> None:
    waiting = decided(WAITING, spec())
    assert [due(waiting, model(), NOW, is_unblocked=let_on) for let_on in (False, True)] == [False, True]


def test_a_fleet_first_seen_at_one_moment_is_not_looked_at_again_at_one_moment() -> None:
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
        pytest.param(listed(model(image=NEW)), True, id="on its image, and succeeded"),
        pytest.param(
            listed(model(image=OLD)), True, id="on another image: it has to wait for those that are not"
        ),
        pytest.param(listed(model(image=NEW, provisioning="updating")), False, id="at work"),
        pytest.param(listed(model(image=NEW, provisioning="failed")), False, id="failed"),
        pytest.param(ScaleSetState(spec(), "a1"), False, id="not listed"),
        pytest.param(SICK, False, id="Failing when it was last looked at"),
        pytest.param(state(), True, id="Ready when it was last looked at"),
    ],
)
def test_what_comes_first_in_a_sweep(known: ScaleSetState, *, quiet: bool) -> None:
    assert is_quiet(known) is quiet
