"""What a decision says besides its line: when to reconcile again, and what was counted."""

from datetime import timedelta

import pytest

from reconciler.rollout.gate import Gate
from reconciler.rollout.observed import Availability, Instance, Observed, Verdict
from reconciler.rollout.persisted import Mark, PersistedState
from reconciler.rollout.progress import Progress
from reconciler.rollout.reason import Reason
from reconciler.spec.amount import Count
from reconciler.spec.scale_set import Health, OnFailure, ScaleSet
from reconciler.spec.window import Kind, Window
from tests.build import NEW, NOW, OLD, decided, fleet, instance, model, observed, outdated, spec

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
NIGHT = Window(Kind.ALLOW, "0 22 * * *", 4 * HOUR, "UTC")
LATE = PersistedState(began=Mark.of(NOW - 2 * HOUR, NEW))
DONE = fleet(rest="upgraded")


@pytest.mark.parametrize(
    ("desired", "seen", "reason"),
    [
        pytest.param(
            spec(),
            observed(model=model(provisioning="deleting")),
            Reason.AZURE_UPDATING,
            id="Azure is at work",
        ),
        pytest.param(
            spec(), observed(model=model(image=OLD)), Reason.MODEL_DRIFT, id="the model is to be set"
        ),
        pytest.param(spec(), observed(), Reason.UPGRADING, id="a batch leaves"),
        pytest.param(
            spec(),
            observed(instances=fleet(instance(0, health="initializing"))),
            Reason.WAITING_FOR_INSTANCES,
            id="a batch is waited for",
        ),
        pytest.param(
            spec(health=Health(10 * MINUTE, passes=3)),
            observed(instances=fleet(instance(0))),
            Reason.CONFIRMING_HEALTH,
            id="it is to be seen healthy once more",
        ),
    ],
)
def test_when_it_reconciles_again_soon(desired: ScaleSet, seen: Observed, reason: Reason) -> None:
    decision = decided(desired, seen)
    assert (decision.reason, decision.soon, decision.until) == (reason, True, None)


@pytest.mark.parametrize(
    ("desired", "seen", "reason", "until"),
    [
        pytest.param(
            spec(soak=5 * MINUTE),
            observed(instances=fleet(instance(0))),
            Reason.SOAKING,
            NOW + 4 * MINUTE,
            id="the batch soaks",
        ),
        pytest.param(
            spec(bake_time=HOUR),
            observed(instances=DONE),
            Reason.BAKING,
            NOW + 59 * MINUTE,
            id="the last batch bakes",
        ),
        pytest.param(
            spec(windows=(NIGHT,)),
            observed(),
            Reason.OUTSIDE_WINDOW,
            NOW.replace(hour=22),
            id="a window is closed",
        ),
    ],
)
def test_when_it_reconciles_again_at_a_time(
    desired: ScaleSet, seen: Observed, reason: Reason, until: object
) -> None:
    decision = decided(desired, seen)
    assert (decision.reason, decision.soon, decision.until) == (reason, False, until)


@pytest.mark.parametrize(
    ("desired", "seen", "reason"),
    [
        pytest.param(
            spec(),
            observed(instances=fleet(instance(0, health="initializing"))),
            Reason.WAITING_FOR_INSTANCES,
            id="a batch is waited for",
        ),
        pytest.param(
            spec(),
            observed(instances=fleet(instance(0, health="unhealthy", since=NOW - HOUR))),
            Reason.HEALTH_CHECK_FAILED,
            id="a batch has failed",
        ),
        pytest.param(
            spec(),
            observed(
                instances=fleet(instance(0, health="unhealthy")),
                progress=Progress(waiting_since=NOW - 2 * HOUR),
            ),
            Reason.PROGRESS_DEADLINE_EXCEEDED,
            id="nothing comes of a batch",
        ),
        pytest.param(
            spec(on_failure=OnFailure.REPIN),
            observed(
                instances=fleet(outdated(3, provisioning="failed")),
                progress=Progress(waiting_since=NOW - 2 * HOUR),
            ),
            Reason.PROGRESS_DEADLINE_EXCEEDED,
            id="nothing comes of a batch that is retried, and there is no image to go back to",
        ),
        pytest.param(
            spec(deadline=HOUR),
            observed(model=model(persisted=LATE), instances=fleet(instance(0))),
            Reason.DEADLINE_EXCEEDED,
            id="all of it takes too long",
        ),
        pytest.param(
            spec(health=Health(10 * MINUTE, passes=3)),
            observed(instances=fleet(instance(0))),
            Reason.CONFIRMING_HEALTH,
            id="it is to be seen healthy once more",
        ),
        pytest.param(
            spec(soak=5 * MINUTE), observed(instances=fleet(instance(0))), Reason.SOAKING, id="a batch soaks"
        ),
        pytest.param(
            spec(bake_time=HOUR), observed(instances=DONE), Reason.BAKING, id="the last batch bakes"
        ),
        pytest.param(
            spec(max_unhealthy=Count(0)),
            observed(instances=fleet(outdated(3, health="unhealthy", protected=True))),
            Reason.TOO_MANY_UNHEALTHY,
            id="too many are unhealthy",
        ),
        pytest.param(
            spec(max_unavailable=Count(1)),
            observed(instances=fleet(outdated(9, health="unhealthy", protected=True))),
            Reason.TOO_MANY_UNAVAILABLE,
            id="too many are unavailable",
        ),
        pytest.param(spec(windows=(NIGHT,)), observed(), Reason.OUTSIDE_WINDOW, id="a window is closed"),
        pytest.param(
            spec(),
            observed(gates=(Gate("turn", "no place is free", Reason.AWAITING_TURN),)),
            Reason.AWAITING_TURN,
            id="a gate outside is closed",
        ),
        pytest.param(
            spec(),
            observed(instances=fleet(outdated(0, protected=True), rest="upgraded")),
            Reason.INSTANCES_LEFT_OUT,
            id="some are left out",
        ),
        pytest.param(spec(), observed(instances=DONE), Reason.UP_TO_DATE, id="all is done"),
    ],
)
def test_the_instances_have_been_counted_where(desired: ScaleSet, seen: Observed, reason: Reason) -> None:
    decision = decided(desired, seen)
    assert decision.reason is reason
    assert decision.counts is not None
    assert decision.counts.total == 10


@pytest.mark.parametrize(
    ("instances", "with_step", "without"),
    [
        pytest.param(fleet(), 2, 0, id="a batch of two leaves"),
        pytest.param(fleet(instance(0, health="initializing")), 1, 1, id="a batch is waited for"),
    ],
)
def test_the_instances_that_are_unavailable_if_the_step_is_not_taken(
    instances: tuple[Instance, ...], with_step: int, without: int
) -> None:
    decision = decided(spec(), observed(instances=instances))
    assert decision.counts is not None
    assert decision.counts_without_step is not None
    assert (decision.counts.unavailable, decision.counts_without_step.unavailable) == (with_step, without)


@pytest.mark.parametrize("verdict", [Verdict.UNREADABLE, Verdict.NO_LATEST])
def test_the_instances_are_counted_even_if_latest_is_unknown(
    verdict: Verdict,
) -> None:
    latest = spec(image=type(NEW)(NEW.publisher, NEW.offer, NEW.sku, "latest"))
    seen = observed(instances=DONE, availability=Availability(latest.image, verdict))
    decision = decided(latest, seen)
    assert decision.reason in {Reason.CATALOGUE_UNREADABLE, Reason.NO_LATEST_VERSION}
    assert str(latest.image) in decision.message
    assert decision.counts is not None
    assert decision.counts.summary == "10 of 10 instances up to date"
