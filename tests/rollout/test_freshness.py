"""How old the facts may be that a step is decided on, and in which order they are read again."""

from datetime import timedelta
from typing import Any

import pytest

from reconciler.rollout.decide import decide
from reconciler.rollout.decision import Decision
from reconciler.rollout.observed import Need, ReadTime
from reconciler.rollout.persisted import Fingerprint, PersistedState
from reconciler.rollout.step import Attempt, PatchModel, Upgrade
from reconciler.spec.scale_set import OnFailure
from tests.build import FIX, NEW, NOW, OLD, READ_NOW, model, observed, spec
from tests.messages import says

SECOND = timedelta(seconds=1)
SET = PatchModel(NEW, '"1"')


def read(began: float, ended: float = 0) -> ReadTime:
    """That took from so many seconds ago until so many seconds ago."""
    return ReadTime(NOW - began * SECOND, NOW - ended * SECOND)


@pytest.mark.parametrize(
    ("changes", "look"),
    [
        pytest.param({"instances_read": read(10, 10)}, None, id="instances listed ten seconds ago will do"),
        pytest.param(
            {"instances_read": read(11, 11)},
            Need.INSTANCES,
            id="instances listed eleven seconds ago will not",
        ),
        pytest.param(
            {"instances_read": read(60, 10)}, None, id="a list that took long stands for ten seconds after"
        ),
        pytest.param(
            {"instances_read": read(61, 1)},
            Need.INSTANCES,
            id="a list whose first page is a minute old is too old",
        ),
        pytest.param({"instances_read": None}, Need.INSTANCES, id="instances read nobody knows when"),
        pytest.param(
            {"rolling_upgrade": None},
            Need.ROLLING_UPGRADE,
            id="Azure's own rolling upgrade was not read",
        ),
        pytest.param(
            {"rolling_upgrade_read": read(11, 11)},
            Need.ROLLING_UPGRADE,
            id="Azure's own rolling upgrade long ago",
        ),
        pytest.param({"model_read": read(11, 11)}, Need.MODEL, id="a model read eleven seconds ago"),
        pytest.param({"model_read": None}, Need.MODEL, id="a model read nobody knows when"),
        pytest.param({"last_need": Need.INSTANCES}, Need.MODEL, id="the model was read before the instances"),
        pytest.param(
            {"last_need": Need.ROLLING_UPGRADE},
            Need.MODEL,
            id="the model was read before the rolling upgrade",
        ),
        pytest.param(
            {"last_need": Need.INSTANCES, "model_read": read(12, 1)},
            None,
            id="a model that is read slowly need not be last",
        ),
        pytest.param(
            {"last_need": Need.INSTANCES, "model_read": read(10)},
            Need.MODEL,
            id="ten seconds are not slow yet",
        ),
        pytest.param(
            {"instances_read": read(11, 11), "rolling_upgrade": None, "model_read": read(11, 11)},
            Need.INSTANCES,
            id="of several the model is read last",
        ),
    ],
)
def test_what_an_upgrade_reads_again(changes: dict[str, Any], look: Need | None) -> None:
    verdict = decide(spec(), observed(**changes))
    if look is None:
        assert isinstance(verdict, Decision)
        assert isinstance(verdict.step, Upgrade)
    else:
        assert verdict is look


@pytest.mark.parametrize(
    ("changes", "look"),
    [
        pytest.param(
            {"last_need": Need.INSTANCES},
            None,
            id="its If-Match guards it, so the model need not be read last",
        ),
        pytest.param(
            {"instances_read": read(11, 11)}, Need.INSTANCES, id="instances listed eleven seconds ago"
        ),
        pytest.param({"model_read": read(11, 11)}, Need.MODEL, id="a model read eleven seconds ago"),
    ],
)
def test_what_a_change_of_the_model_reads_again(changes: dict[str, Any], look: Need | None) -> None:
    verdict = decide(spec(), observed(**({"model": model(image=OLD)} | changes)))
    if look is None:
        assert isinstance(verdict, Decision)
        assert isinstance(verdict.step, PatchModel)
    else:
        assert verdict is look


def test_a_step_that_rests_on_no_instances_lists_none() -> None:
    """An image that failed, and to which another writer has set the model again."""
    given_up = PersistedState(last_good=OLD, failed=Fingerprint.of(FIX))
    seen = observed(model=model(image=FIX, persisted=given_up), instances=None, instances_read=None)
    verdict = decide(spec(image=FIX, on_failure=OnFailure.REPIN), seen)
    assert isinstance(verdict, Decision)
    assert verdict.reason == "GivingUp"


@pytest.mark.parametrize(
    ("sent_at", "look"),
    [
        pytest.param(NOW - SECOND, Need.INSTANCES, id="what was read before our last step is read again"),
        pytest.param(NOW, Need.INSTANCES, id="our last step was sent this very moment"),
        pytest.param(NOW - 2 * SECOND, None, id="what was read as it was sent will do"),
        pytest.param(NOW + timedelta(days=1), None, id="a step of tomorrow: the clock was set back since"),
    ],
)
def test_facts_are_younger_than_our_last_step(sent_at: Any, look: Need | None) -> None:
    times = dict.fromkeys(("instances_read", "rolling_upgrade_read"), read(2, 2))
    verdict = decide(spec(), observed(**times, model_read=READ_NOW, attempt=Attempt(SET, sent_at)))
    assert verdict is look if look else isinstance(verdict, Decision)


def test_where_nothing_can_be_read_fast_enough_it_says_so() -> None:
    old = {"instances_read": read(30, 11)}
    assert decide(spec(), observed(began=NOW - 120 * SECOND, **old)) is Need.INSTANCES
    verdict = decide(spec(), observed(began=NOW - 121 * SECOND, **old))
    assert isinstance(verdict, Decision)
    assert (verdict.step, verdict.line) == (
        None,
        says("ReadsTooSlow", "2m1s"),
    )
