"""Which model an observation begins with, and when it is read again."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, cast

import pytest

from reconciler.azure.budget import Priority
from reconciler.daemon.interfaces import AzureClient, DeclaredHistory
from reconciler.daemon.observer import Observer
from reconciler.daemon.state import ScaleSetState
from reconciler.rollout.age import Sighting
from reconciler.rollout.observed import ABSENT, FRESH, Absent, Availability, Instance, Model, Verdict
from reconciler.rollout.reason import Reason
from reconciler.spec.image import Image
from reconciler.spec.scale_set import Target
from tests.build import NOW, instance, model
from tests.daemon.states import outcome, state, store_of

AGO = NOW - timedelta(minutes=5)
EARLIER = AGO - timedelta(minutes=5)
RECENT = NOW - FRESH
READ, ROW, KEPT = (model(etag=each, capacity=1) for each in ("read", "row", "kept"))
REQUEUED = outcome(requeue_after=timedelta(minutes=1))


class Azure:
    """Answers with one model, at NOW, and notes what it is asked for."""

    def __init__(self, found: Model | Absent = READ) -> None:
        self._found = found
        self.requests: list[str] = []

    def now(self) -> datetime:
        return NOW

    def model(self, *_: object) -> Model | Absent:
        self.requests.append("model")
        return self._found

    def availability(self, image: Image, *_: object) -> Availability:
        return Availability(image, Verdict.AVAILABLE)

    def instances(self, _target: Target, model: Model, _priority: Priority) -> tuple[Instance, ...]:
        self.requests.append(f"instances of {model.etag}")
        return (instance(1),)


def observer_of(azure: Azure, known: ScaleSetState) -> Observer:
    return Observer(cast("AzureClient", azure), store_of(known), cast("DeclaredHistory", None), None)


LIST = {etag: [f"instances of {etag}"] for etag in ("row", "kept")}


@pytest.mark.parametrize(
    ("seen", "requests"),
    [
        pytest.param({}, ["model", "instances of read"], id="nothing known"),
        pytest.param({"listed": ROW, "listed_at": AGO}, LIST["row"], id="a row for the first time"),
        pytest.param({"listed": ROW}, ["model", "instances of read"], id="a row that was used"),
        pytest.param(
            {"listed": ROW, "listed_at": AGO, "outcome": REQUEUED},
            ["model", "instances of read"],
            id="an old row after a requeue",
        ),
        pytest.param(
            {"listed": ROW, "listed_at": RECENT, "outcome": REQUEUED},
            LIST["row"],
            id="a fresh row after a requeue",
        ),
        pytest.param({"model": KEPT}, ["model", "instances of read"], id="the model of an earlier decision"),
        pytest.param(
            {"model": KEPT, "model_at": AGO, "outcome": REQUEUED},
            [*LIST["kept"], "model"],
            id="an old model after a throttled reconcile",
        ),
        pytest.param(
            {"model": KEPT, "model_at": RECENT, "outcome": REQUEUED},
            LIST["kept"],
            id="a fresh model after a throttled reconcile",
        ),
        pytest.param(
            {"model": KEPT, "model_at": AGO, "listed": ROW, "listed_at": EARLIER, "outcome": REQUEUED},
            [*LIST["kept"], "model"],
            id="a row older than the model after a throttled reconcile",
        ),
        pytest.param(
            {"model": KEPT, "model_at": EARLIER, "listed": ROW, "listed_at": AGO, "outcome": REQUEUED},
            [*LIST["row"], "model"],
            id="a row newer than the model after a throttled reconcile",
        ),
        pytest.param(
            {"model": ROW, "model_at": AGO, "listed": ROW, "listed_at": AGO, "outcome": REQUEUED},
            [*LIST["row"], "model"],
            id="the row that a throttled reconcile used",
        ),
        pytest.param(
            {"model": KEPT, "model_at": EARLIER, "listed": ROW, "listed_at": RECENT, "outcome": REQUEUED},
            LIST["row"],
            id="a fresh row newer than the model after a throttled reconcile",
        ),
    ],
)
def test_an_observation_uses_a_known_model_and_reads_one_that_it_cannot_rely_on(
    seen: dict[str, Any], requests: list[str]
) -> None:
    azure, known = Azure(), state(**seen)
    _, observed = observer_of(azure, known).decide(known, Priority.ROUTINE)
    assert azure.requests == requests
    assert observed.model_read is not None
    is_read = "model" in requests
    assert observed.model == (READ if is_read else {"row": ROW, "kept": KEPT}[requests[0].rpartition(" ")[2]])
    assert NOW - observed.model_read.ended <= FRESH or not known.seen.model_at


@pytest.mark.parametrize(
    ("kept", "found", "requests", "reason"),
    [
        pytest.param(KEPT, ABSENT, [*LIST["kept"], "model"], Reason.NOT_FOUND, id="deleted meanwhile"),
        pytest.param(
            replace(KEPT, automatic_os_upgrade=True),
            READ,
            ["model", "instances of read"],
            Reason.UP_TO_DATE,
            id="refused without a list of instances",
        ),
    ],
)
def test_nothing_is_concluded_from_the_old_model_of_a_throttled_reconcile(
    kept: Model, found: Model | Absent, requests: list[str], reason: Reason
) -> None:
    azure, known = Azure(found), state(model=kept, model_at=AGO, outcome=REQUEUED)
    decision, _ = observer_of(azure, known).decide(known, Priority.ROUTINE)
    assert (decision.reason, azure.requests) == (reason, requests)


def test_a_list_that_waited_is_compared_with_the_model_that_is_read_after_it() -> None:
    """Scaled in from 2 to 1 during the wait, so the list is complete, and what left is forgotten."""
    gone = {"7": Sighting("succeeded", AGO)}
    known = state(model=replace(KEPT, capacity=2), model_at=AGO, outcome=REQUEUED, sightings=gone)
    azure, store = Azure(), store_of(known)
    Observer(cast("AzureClient", azure), store, cast("DeclaredHistory", None), None).decide(
        known, Priority.ROUTINE
    )
    after = store.get(known.key)
    assert after is not None
    assert set(after.seen.sightings) == {"1"}
