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


CAP = "spec.maxConcurrentRollouts of the Fleet is 2"
NO_SLOT = "no concurrency slot is free"
A_SLOT = "a concurrency slot is free"


@pytest.mark.parametrize(
    ("states", "is_open", "said"),
    [
        pytest.param([one("web")], True, f"{A_SLOT}: {CAP}", id="it is the only one"),
        pytest.param(
            [moving("a"), one("b"), one("web", "ModelDrift")],
            True,
            f"{A_SLOT}: a (Upgrading) is rolling out; {CAP}",
            id="one moves",
        ),
        pytest.param(
            [moving("a"), moving("b", "HealthCheckFailed"), one("web", WAITS)],
            False,
            f"{NO_SLOT}: a (Upgrading), b (HealthCheckFailed) are rolling out; {CAP}",
            id="two do, of which one has failed",
        ),
        pytest.param(
            [moving("a"), moving("b"), moving("web")],
            True,
            "its rollout is in progress",
            id="its own rollout is in progress",
        ),
        pytest.param(
            [moving("a"), one("b", None), one("web", WAITS)],
            False,
            f"{NO_SLOT}: a (Upgrading) is rolling out; b is not checked yet; {CAP}",
            id="nobody knows of one whether it is",
        ),
        pytest.param(
            [moving("a"), one("b", "Unreachable", holds_slot=None), one("web", WAITS)],
            False,
            f"{NO_SLOT}: a (Upgrading) is rolling out; b (Unreachable) may be rolling out; {CAP}",
            id="a look at one failed, and nobody knows of it",
        ),
        pytest.param(
            [one("a", None), one("b", None, suspend=Suspension()), one("web")],
            True,
            f"{A_SLOT}: a is not checked yet; {CAP}",
            id="what is suspended need not be known",
        ),
        pytest.param(
            [one("a", WAITS), one("b", WAITS), one("web", WAITS), one("x", WAITS)],
            False,
            f"{NO_SLOT}: a, b go first; {CAP}",
            id="others wait that go first by name",
        ),
        pytest.param(
            [one("a", WAITS), one("b", WAITS, suspend=Suspension()), one("web", WAITS)],
            True,
            f"{A_SLOT}: a goes first; {CAP}",
            id="one that waited and is suspended now goes no more",
        ),
        pytest.param(
            [one("x", WAITS), one("y", WAITS), one("web", WAITS)][::-1],
            True,
            f"{A_SLOT}: {CAP}",
            id="those that wait and come after it do not count",
        ),
        pytest.param(
            [one("a", WAITS, holds_slot=True), one("web", WAITS)],
            True,
            f"{A_SLOT}: a (AwaitingTurn) is rolling out; {CAP}",
            id="one that has just taken its place counts once",
        ),
    ],
)
def test_a_place_is_free_or_not(states: list[ScaleSetState], is_open: bool, said: str) -> None:
    assert ask("web", *states) == (is_open, said)


def test_a_share_is_of_all_that_are_declared() -> None:
    states = [one(f"s{number}", WAITS, Percent(30)) for number in range(10)]
    assert [ask(each.desired.name, *states)[0] for each in states] == [True] * 3 + [False] * 7
    assert (
        "s0, s1, s2 go first; spec.maxConcurrentRollouts of the Fleet is 30% (3 of 10)"
        in ask("s3", *states)[1]
    )


@pytest.mark.parametrize(
    ("known", "has_begun", "is_open"),
    [
        pytest.param(None, True, True, id="never looked at, and half-way: it goes on"),
        pytest.param(None, False, False, id="never looked at, and not begun"),
        pytest.param(False, True, False, id="half-way, and it gave its place back"),
    ],
)
def test_a_process_that_starts_goes_by_what_it_sees(
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
        pytest.param("UpToDate", {}, (False, False, False), id="done"),
        pytest.param(
            "InstancesLeftOut", {"counts": HALF}, (False, False, False), id="done, but for those left out"
        ),
        pytest.param("Suspended", {}, (False, False, False), id="suspended: it takes part in nothing"),
        pytest.param("NotFound", {}, (False, False, False), id="gone"),
        pytest.param(
            "DependencyNotReady",
            {"counts": HALF},
            (False, False, False),
            id="waiting for another, which may need it",
        ),
        pytest.param(
            "WaitingForInstances", {"counts": HALF}, (True, False, True), id="waiting for its instances"
        ),
        pytest.param("HealthCheckFailed", {"counts": NONE}, (True, False, True), id="failed on the way"),
        pytest.param("RolloutFailed", {}, (True, False, True), id="given up"),
        pytest.param(
            "OutsideWindow", {"counts": HALF}, (True, False, True), id="half-way, its window closed"
        ),
        pytest.param(
            "OutsideWindow", {"counts": NONE}, (False, False, True), id="not begun, its window closed"
        ),
        pytest.param("AwaitingTurn", {}, (False, False, True), id="told to wait for its turn"),
        pytest.param("NotManualMode", {}, (False, False, True), id="refused"),
        pytest.param("AzureBusy", {}, (None, False, True), id="Azure is at work: that says nothing"),
        pytest.param("PartialRead", {}, (None, False, True), id="half a list says nothing"),
        pytest.param("Frozen", {}, (None, False, True), id="a freeze says nothing"),
        pytest.param("Refused", {}, (False, False, True), id="Azure lets us do nothing"),
        pytest.param("ModelDrift", {"step": STEP}, (True, True, True), id="a fix that claimed no place"),
        pytest.param("Throttled", {}, (None, False, True), id="a call that failed says nothing"),
        pytest.param(
            "Upgrading", {"step": STEP}, (True, False, True), id="the cure of a sick one, without a place"
        ),
    ],
)
def test_who_holds_a_place_after_a_look(
    before: bool | None, reason: str, changes: dict[str, Any], after: tuple[bool | None, ...]
) -> None:
    expected = dict(zip((None, False, True), after, strict=True))[before]
    assert (
        slot_after(Progress(holds_slot=before), outcome(reason=reason, **changes), may_have_begun=False)
        is expected
    )


@pytest.mark.parametrize(
    ("reason", "changes", "after"),
    [
        pytest.param("Upgrading", {"step": STEP}, True, id="a step: it keeps the place"),
        pytest.param("NoEffect", {}, False, id="no step: it gives the place back"),
        pytest.param("OutsideWindow", {}, False, id="its window closed at that moment"),
        pytest.param("Refused", {}, False, id="Azure refused the step"),
    ],
)
def test_a_place_that_a_look_took_is_kept_only_by_what_began(
    reason: str, changes: dict[str, Any], after: bool
) -> None:
    before = Progress(holds_slot=False, has_acquired=True)
    assert slot_after(before, outcome(reason=reason, **changes), may_have_begun=False) is after


def test_two_who_ask_at_one_moment_do_not_both_get_the_last_place() -> None:
    store = store_of(one("a", most=Count(1)), one("b", most=Count(1)))
    found = [store.acquire(each.key, concurrency).closed for each in store.states()]
    assert found == [None, Reason.AWAITING_TURN]
    assert [each.progress.has_slot for each in store.states()] == [True, False]
