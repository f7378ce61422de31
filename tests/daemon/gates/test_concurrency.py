"""The cap on concurrent rollouts: who holds a place, who gets one, and when it is given back."""

from dataclasses import replace
from typing import Any

import pytest

from reconciler.daemon.gates.concurrency import concurrency, slot_after
from reconciler.daemon.state import ScaleSetState
from reconciler.rollout.counts import DomainCounts, InstanceCounts
from reconciler.rollout.domains import Domain
from reconciler.rollout.progress import Progress
from reconciler.rollout.reason import Reason
from reconciler.rollout.step import Upgrade
from reconciler.spec.amount import Amount, Count, Percent
from reconciler.spec.fleet import Fleet
from reconciler.spec.suspension import Suspension
from tests.build import FLEET, NEW
from tests.daemon.states import outcome, state, store_of

WAITS = "AwaitingTurn"


def capped(most: Amount) -> Fleet:
    return replace(FLEET, max_concurrent=most)


TWO = Count(2)


def one(name: str, reason: str | None = "UpToDate", most: Amount = TWO, **changes: Any) -> ScaleSetState:
    return state(name, reason, fleet=capped(most), **changes)


def moving(name: str, reason: str = "Upgrading") -> ScaleSetState:
    return one(name, reason, holds_slot=True)


def ask(name: str, *states: ScaleSetState, **options: bool) -> tuple[bool, str]:
    found = concurrency(next(each for each in states if each.desired.name == name), states, **options)
    assert found.closed in {None, Reason.AWAITING_TURN}
    return found.closed is None, found.evidence


NO_SLOT = "no concurrency slot is free; spec.maxConcurrentRollouts is 2"
A_SLOT = "a concurrency slot is free; spec.maxConcurrentRollouts is 2"


@pytest.mark.parametrize(
    ("states", "is_open", "said"),
    [
        pytest.param([one("web")], True, A_SLOT, id="the only scale set gets a slot"),
        pytest.param(
            [moving("a"), one("b"), one("web", "ModelDrift")],
            True,
            f"{A_SLOT}; scale set a (Upgrading) is rolling out",
            id="one slot of two is in use",
        ),
        pytest.param(
            [moving("a"), moving("b", "HealthCheckFailed"), one("web", WAITS)],
            False,
            f"{NO_SLOT}; scale sets a (Upgrading) and b (HealthCheckFailed) are rolling out",
            id="both slots are in use, one by a failed rollout",
        ),
        pytest.param(
            [moving("a"), moving("b"), moving("web")],
            True,
            "the rollout is in progress",
            id="it already holds a slot",
        ),
        pytest.param(
            [moving("a"), one("b", None), one("web", WAITS)],
            False,
            f"{NO_SLOT}; scale set a (Upgrading) is rolling out, and scale set b has not been checked yet",
            id="a scale set that is not observed yet counts as rolling out",
        ),
        pytest.param(
            [moving("a"), one("b", "Unreachable", holds_slot=None), one("web", WAITS)],
            False,
            f"{NO_SLOT}; scale set a (Upgrading) is rolling out, and scale set b (Unreachable) may be rolling out",
            id="a scale set whose first observation failed counts as rolling out",
        ),
        pytest.param(
            [one("a", None), one("b", None, suspend=Suspension()), one("web")],
            True,
            f"{A_SLOT}; scale set a has not been checked yet",
            id="a suspended scale set does not count",
        ),
        pytest.param(
            [one("a", WAITS), one("b", WAITS), one("web", WAITS), one("x", WAITS)],
            False,
            f"{NO_SLOT}; scale sets a and b go first",
            id="others wait whose names come first",
        ),
        pytest.param(
            [one("a", WAITS), one("b", WAITS, suspend=Suspension()), one("web", WAITS)],
            True,
            f"{A_SLOT}; scale set a goes first",
            id="a suspended scale set no longer waits",
        ),
        pytest.param(
            [one("x", WAITS), one("y", WAITS), one("web", WAITS)][::-1],
            True,
            A_SLOT,
            id="those that wait and come later by name do not count",
        ),
        pytest.param(
            [one("a", WAITS, holds_slot=True), one("web", WAITS)],
            True,
            f"{A_SLOT}; scale set a (AwaitingTurn) is rolling out",
            id="a scale set that has just acquired its slot counts once",
        ),
    ],
)
def test_whether_a_slot_is_free(states: list[ScaleSetState], is_open: bool, said: str) -> None:
    assert ask("web", *states) == (is_open, said)


def test_a_percentage_is_of_all_declared_scale_sets() -> None:
    states = [one(f"s{number}", WAITS, Percent(30)) for number in range(10)]
    assert [ask(each.desired.name, *states)[0] for each in states] == [True] * 3 + [False] * 7
    assert (
        "spec.maxConcurrentRollouts is 30% (3 of 10); scale sets s0, s1 and s2 go first"
        in ask("s3", *states)[1]
    )


@pytest.mark.parametrize(
    ("known", "has_begun", "is_open"),
    [
        pytest.param(None, True, True, id="not observed before, half done: it continues"),
        pytest.param(None, False, False, id="not observed before, not begun"),
        pytest.param(False, True, False, id="half done, its slot was released"),
    ],
)
def test_a_new_process_goes_by_its_first_observation(
    known: bool | None, has_begun: bool, is_open: bool
) -> None:
    states = (moving("a"), moving("b"), one("web", None, holds_slot=known))
    assert ask("web", *states, has_begun=has_begun)[0] is is_open


HALF = InstanceCounts((DomainCounts(Domain("", "", 0, "update domain"), 4, 2, 2, 0),))
NONE = InstanceCounts((DomainCounts(Domain("", "", 0, "update domain"), 4, 0, 0, 0),))
STEP = Upgrade(("1",), NEW)


@pytest.mark.parametrize("before", [None, False, True])
@pytest.mark.parametrize(
    ("reason", "changes", "after"),
    [
        pytest.param("UpToDate", {}, (False, False, False), id="a completed rollout"),
        pytest.param(
            "InstancesLeftOut",
            {"counts": HALF},
            (False, False, False),
            id="completed except for instances that are left out",
        ),
        pytest.param("Suspended", {}, (False, False, False), id="a suspended scale set"),
        pytest.param("NotFound", {}, (False, False, False), id="a deleted scale set"),
        pytest.param(
            "DependencyNotReady",
            {"counts": HALF},
            (False, False, False),
            id="waiting for another scale set, which may need the slot",
        ),
        pytest.param(
            "WaitingForInstances", {"counts": HALF}, (True, False, True), id="waiting for its instances"
        ),
        pytest.param(
            "HealthCheckFailed", {"counts": NONE}, (True, False, True), id="failed during the rollout"
        ),
        pytest.param(
            "RolloutFailed", {}, (True, False, True), id="the image failed and the rollout was aborted"
        ),
        pytest.param(
            "OutsideWindow", {"counts": HALF}, (True, False, True), id="half done, outside its window"
        ),
        pytest.param(
            "OutsideWindow", {"counts": NONE}, (False, False, True), id="not begun, outside its window"
        ),
        pytest.param("AwaitingTurn", {}, (False, False, True), id="waiting for a slot"),
        pytest.param("NotManualMode", {}, (False, False, True), id="refused by its own settings"),
        pytest.param("AzureUpdating", {}, (None, False, True), id="Azure is updating: unchanged"),
        pytest.param("PartialRead", {}, (None, False, True), id="a partial list: unchanged"),
        pytest.param("Frozen", {}, (None, False, True), id="a freeze: unchanged"),
        pytest.param("Refused", {}, (False, False, True), id="Azure refuses every call"),
        pytest.param("ModelDrift", {"step": STEP}, (True, True, True), id="a fix that acquired no slot"),
        pytest.param("Throttled", {}, (None, False, True), id="a failed call: unchanged"),
        pytest.param(
            "Upgrading",
            {"step": STEP},
            (True, False, True),
            id="remediation of an unhealthy instance, without a slot",
        ),
    ],
)
def test_whether_a_slot_is_held_after_a_reconcile(
    before: bool | None, reason: str, changes: dict[str, Any], after: tuple[bool | None, ...]
) -> None:
    expected = dict(zip((None, False, True), after, strict=True))[before]
    assert (
        slot_after(
            Progress(holds_slot=before),
            outcome(reason=reason, **changes),
            is_on_image=True,
            may_have_begun=False,
        )
        is expected
    )


@pytest.mark.parametrize(
    ("reason", "changes", "after"),
    [
        pytest.param("Upgrading", {"step": STEP}, True, id="a step was taken: the slot is kept"),
        pytest.param("NoEffect", {}, False, id="no step was taken: the slot is released"),
        pytest.param("OutsideWindow", {}, False, id="the window closed meanwhile: the slot is released"),
        pytest.param("Refused", {}, False, id="Azure refused the step: the slot is released"),
    ],
)
def test_an_acquired_slot_is_kept_only_if_a_rollout_began(
    reason: str, changes: dict[str, Any], after: bool
) -> None:
    before = Progress(holds_slot=False, has_acquired=True)
    assert (
        slot_after(before, outcome(reason=reason, **changes), is_on_image=True, may_have_begun=False) is after
    )


@pytest.mark.parametrize("reason", ["AwaitingTurn", "OutsideWindow", "AwaitingApproval"])
@pytest.mark.parametrize("is_on_image", [True, False], ids=["the model is on it", "the model is on another"])
def test_after_a_start_instances_on_the_image_show_a_rollout_only_if_the_model_is_on_it(
    reason: str, is_on_image: bool
) -> None:
    half = outcome(reason=reason, counts=HALF)
    found = slot_after(Progress(holds_slot=None), half, is_on_image=is_on_image, may_have_begun=False)
    assert found is is_on_image


def test_two_concurrent_requests_do_not_both_get_the_last_slot() -> None:
    store = store_of(one("a", most=Count(1)), one("b", most=Count(1)))
    found = [store.acquire(each.key, concurrency).closed for each in store.states()]
    assert found == [None, Reason.AWAITING_TURN]
    assert [each.progress.has_slot for each in store.states()] == [True, False]
