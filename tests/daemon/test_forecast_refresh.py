"""When the daemon refreshes a forecast, when it keeps it, and when there is none."""

import logging
from datetime import timedelta
from typing import Any

import pytest

from reconciler.azure.compute import Compute
from reconciler.azure.session import Session
from reconciler.daemon.forecast_refresh import refresh_forecast
from reconciler.daemon.outcome import Outcome, outcome_of
from reconciler.daemon.reconciler import Reconciler
from reconciler.daemon.settings import Settings
from reconciler.daemon.specs import Specs
from reconciler.forecast.batch_duration import BatchDuration, MeasuredBatch
from reconciler.rollout.decision import Decision
from reconciler.rollout.gate import Gate
from reconciler.rollout.observed import Observed
from reconciler.rollout.progress import Progress
from reconciler.rollout.reason import Reason
from reconciler.rollout.step import Upgrade
from tests.build import NEW, NOW, instance, observed, spec
from tests.build import fleet as instances
from tests.daemon.states import state
from tests.stories.world import World, fleet, scale_set
from tests.stories.world import spec as document
from tests.token import Token

STEP = Upgrade(("0", "5"), NEW)
HALF_WAY = observed(instances=instances(*map(instance, (0, 1, 2, 5, 6, 7))))


def outcome(reason: Reason, **changes: Any) -> Outcome:
    return outcome_of(spec(), "a1", Decision(reason, "why", **changes), Progress(), Settings(), at=NOW)


KNOWN = refresh_forecast(
    state(reason=None), outcome(Reason.UPGRADING, step=STEP), observed(), Settings()
).forecast


def held(reason: Reason) -> Outcome:
    return outcome(reason, gates=(Gate("gate", "evidence", reason),))


SOAKING, TURN = outcome(Reason.SOAKING), held(Reason.AWAITING_TURN)


def test_the_first_forecast_has_five_batches() -> None:
    assert KNOWN
    assert len(KNOWN.batches) == 5


@pytest.mark.parametrize(
    ("before", "now", "seen", "batches"),
    [
        pytest.param(SOAKING, outcome(Reason.UPGRADING, step=STEP), HALF_WAY, 2, id="a step refreshes it"),
        pytest.param(SOAKING, TURN, HALF_WAY, 2, id="another wait refreshes it"),
        pytest.param(TURN, TURN, HALF_WAY, 5, id="the same wait keeps it"),
        pytest.param(SOAKING, outcome(Reason.AZURE_UPDATING), HALF_WAY, 5, id="waiting for instances keeps it"),
        pytest.param(SOAKING, outcome(Reason.HEALTH_CHECK_FAILED), HALF_WAY, None, id="none while it is unhealthy"),
        pytest.param(SOAKING, outcome(Reason.UP_TO_DATE), HALF_WAY, None, id="none for a settled scale set"),
        pytest.param(SOAKING, outcome(Reason.SUSPENDED), HALF_WAY, None, id="none for a suspended scale set"),
        pytest.param(outcome(Reason.WAITING_FOR_INSTANCES), SOAKING, HALF_WAY, 2, id="the begin of a soak refreshes it"),
        pytest.param(SOAKING, SOAKING, HALF_WAY, 5, id="the same soak keeps it"),
        pytest.param(SOAKING, held(Reason.CHECK_FAILED), HALF_WAY, 2, id="a failed check refreshes it"),
        pytest.param(SOAKING, held(Reason.TOO_MUCH_CHANGE), HALF_WAY, 2, id="the cap on change refreshes it"),
        pytest.param(SOAKING, outcome(Reason.CANARY_MISSING), HALF_WAY, None, id="none for a stalled scale set"),
    ],
)  # fmt: skip
def test_a_forecast(before: Outcome, now: Outcome, seen: Observed, batches: int | None) -> None:
    found = refresh_forecast(state(outcome=before, forecast=KNOWN), now, seen, Settings()).forecast
    assert (len(found.batches) if found else None) == batches


@pytest.mark.parametrize(
    ("seen", "batches"),
    [
        pytest.param(HALF_WAY, 2, id="a rollout in progress at the first observation has one"),
        pytest.param(observed(instances=None), None, id="none without observed instances"),
    ],
)
def test_a_daemon_that_starts_during_a_rollout(seen: Observed, batches: int | None) -> None:
    found = refresh_forecast(state(reason=None), outcome(Reason.AZURE_UPDATING), seen, Settings()).forecast
    assert (len(found.batches) if found else None) == batches


def test_it_uses_the_settings_and_the_measured_batches() -> None:
    measured = (MeasuredBatch(NOW, BatchDuration(timedelta(minutes=4), timedelta(minutes=2))),)
    known, settings = state(reason=None, measured=measured), Settings(requeue_after=timedelta(minutes=5))
    found = refresh_forecast(known, outcome(Reason.UPGRADING), observed(), settings).forecast
    assert found
    assert found.batches[1].at - found.batches[0].at == timedelta(minutes=10), "a check comes every five"


def test_an_error_in_a_forecast_does_not_prevent_a_step(caplog: pytest.LogCaptureFixture) -> None:
    world = World(fleet(scale_set(capacity=5)), document())
    session = Session(credential=Token(), transport=world.azure.transport(), now=world.clock.now)
    without_time = Settings(sweep=timedelta())
    work = Reconciler(Specs(world.source, world.clock.now), Compute(session), without_time)
    (key,) = work.sweep()
    with caplog.at_level(logging.ERROR, "reconciler"):
        told = work.reconcile(key)
    assert told
    assert told.reason == Reason.MODEL_DRIFT
    assert world.requests().count("VirtualMachineScaleSets_Update") == 1
    assert [each.message for each in caplog.records if each.levelno >= logging.ERROR] == [
        "the forecast of web failed because of a bug in the reconciler; please report it"
    ]
