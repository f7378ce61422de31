"""Forecasts: what the decision comes to, run forward on a world in which all goes well.

That this is what then happens is shown by tests/stories/test_forecast.py.
"""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from reconciler.daemon.outcome import requeue_delay
from reconciler.forecast.batch_duration import ASSUMED, BatchDuration, usual_duration
from reconciler.forecast.forecast import Forecast, PredictedWait, forecast
from reconciler.forecast.simulation import Schedule
from reconciler.rollout.gate import Gate
from reconciler.rollout.observed import ABSENT, Availability, HealthSource, Observed, Verdict
from reconciler.rollout.persisted import Fingerprint, PersistedState, Signature
from reconciler.rollout.progress import Progress
from reconciler.rollout.reason import Reason
from reconciler.rollout.step import Attempt, Upgrade
from reconciler.spec.amount import Count, Percent
from reconciler.spec.author import Author
from reconciler.spec.image import PlatformImage
from reconciler.spec.scale_set import Approval, Approver, By, Canary, Converge, Health, OnFailure, ScaleSet
from reconciler.spec.suspension import Suspension
from reconciler.spec.window import Kind, Window
from tests.build import FLEET, NEW, NOW, OLD, fleet, instance, model, observed, outdated, spec

MINUTE = timedelta(minutes=1)
BEHIND = model(image=OLD)
LATEST = PlatformImage("Canonical", "ubuntu-24_04-lts", "server", "latest")
AT_ELEVEN = Window(Kind.ALLOW, "0 11 * * *", 4 * timedelta(hours=1), "UTC")
NEVER = Window(Kind.DENY, "0 0 * * *", timedelta(hours=24), "UTC")


def foreseen(desired: ScaleSet, seen: Observed, duration: BatchDuration = ASSUMED) -> Forecast | None:
    """By a daemon as it is set up by default."""
    return forecast(
        desired,
        seen,
        duration,
        Schedule(MINUTE, lambda decision, at: requeue_delay(decision, at, MINUTE / 4, desired.interval)),
    )


def expected(desired: ScaleSet, seen: Observed, duration: BatchDuration = ASSUMED) -> Forecast:
    found = foreseen(desired, seen, duration)
    assert found is not None
    return found


def told(found: Forecast) -> list[str]:
    """Each batch as a few words: "0: 0 5" is update domain 0 with the instances 0 and 5."""
    return [
        f"{batch.domain.removeprefix('update domain ')}: {' '.join(batch.instance_ids)}"
        f"{' canary' if batch.is_canary else ''}"
        for batch in found.batches
    ]


EVEN = ["0: 0 5", "1: 1 6", "2: 2 7", "3: 3 8", "4: 4 9"]


@pytest.mark.parametrize(
    ("desired", "seen", "batches", "outcome"),
    [
        pytest.param(spec(), observed(model=BEHIND), EVEN, (1, 2, "UpToDate"), id="one domain after the other"),
        pytest.param(spec(), observed(), EVEN, (0, 2, "UpToDate"), id="with a model that is set already"),
        pytest.param(
            spec(canary=Canary(Count(1), 5 * MINUTE)),
            observed(),
            ["0: 0 canary", "0: 5", *EVEN[1:]],
            (0, 2, "UpToDate"), id="a canary goes first, and is called so",
        ),
        pytest.param(
            spec(canary=Canary(("3", "9"), 5 * MINUTE)),
            observed(),
            ["3: 3 canary", "4: 9 canary", "0: 0 5", "1: 1 6", "2: 2 7", "3: 8", "4: 4"],
            (0, 2, "UpToDate"), id="two canaries of different domains",
        ),
        pytest.param(
            spec(max_batch=Percent(30), by=By.BATCH),
            observed(),
            ["the scale set: 0 1 2", "the scale set: 3 4 5", "the scale set: 6 7 8", "the scale set: 9"],
            (0, 3, "UpToDate"), id="without domains",
        ),
        pytest.param(
            spec(),
            observed(instances=fleet(instance(0), instance(5), instance(1))),
            ["1: 6", *EVEN[2:]],
            (0, 2, "UpToDate"), id="the others of a domain that is half done",
        ),
        pytest.param(
            spec(),
            observed(instances=fleet(outdated(3, health="unhealthy"), outdated(8, power="stopped"))),
            ["3: 3 8", *EVEN[:3], EVEN[4]],
            (0, 2, "UpToDate"), id="unhealthy instances go first, and become healthy",
        ),
        pytest.param(
            spec(max_batch=Count(1)),
            observed(instances=fleet(outdated(3, health="unhealthy"), of=4), model=model(capacity=4)),
            ["3: 3", "0: 0", "1: 1", "2: 2"],
            (0, 1, "UpToDate"), id="an unhealthy one that is upgraded counts once",
        ),
        pytest.param(
            spec(),
            observed(instances=fleet(outdated(3, protected=True), outdated(4, power="deallocated"))),
            [*EVEN[:3], "3: 8", "4: 9"],
            (0, 2, "InstancesLeftOut"), id="what is left out is not counted as unhealthy",
        ),
        pytest.param(
            spec(max_unhealthy=Percent(100)),
            observed(instances=fleet(outdated(3, protected=True, health="unhealthy"))),
            [*EVEN[:3], "3: 8", "4: 4 9"],
            (0, 3, "InstancesLeftOut"), id="one that is unhealthy and stays so is counted",
        ),
        pytest.param(
            spec(converge=Converge.MODEL),
            observed(model=BEHIND, instances=fleet(instance(0), instance(5))),
            EVEN,
            (1, 2, "UpToDate"), id="what is on the image already lacks the model that is set",
        ),
        pytest.param(
            spec(),
            observed(instances=fleet(outdated(3, protected=True, provisioning="updating"))),
            [*EVEN[:3], "3: 8", "4: 4 9"],
            (0, 2, "InstancesLeftOut"), id="a protected one that somebody is changing stays as it is",
        ),
        pytest.param(
            spec(deadline=5 * MINUTE), observed(model=BEHIND), EVEN[:2], (1, 2, "DeadlineExceeded"),
            id="a deadline that is too near",
        ),
        pytest.param(
            spec(image=LATEST),
            observed(model=BEHIND),
            EVEN, (1, 2, "UpToDate"), id="latest is the newest there is",
        ),
        pytest.param(
            spec(), observed(model=model(image=OLD, capacity=0), instances=()), [], (1, 0, "UpToDate"),
            id="a scale set without instances is set and no more",
        ),
        pytest.param(
            spec(on_failure=OnFailure.ROLLBACK, canary=Canary(Count(1), MINUTE)),
            observed(
                model=model(image=OLD, persisted=PersistedState(last_good=OLD, failed=Fingerprint.of(NEW))),
                instances=fleet(*map(instance, (0, 1, 5))),
            ),
            ["1: 1", "0: 5 0"], (0, 2, "RolloutFailed"), id="a rollback, last one first and without a canary",
        ),
        pytest.param(
            spec(on_failure=OnFailure.ROLLBACK, canary=Canary(Count(1), MINUTE)),
            observed(
                model=model(image=OLD, persisted=PersistedState(last_good=OLD, failed=Fingerprint.of(NEW))), instances=fleet(instance(0))
            ),
            ["0: 0"], (0, 1, "RolloutFailed"), id="that of the canary is none",
        ),
    ],
)  # fmt: skip
def test_what_comes_of_it(
    desired: ScaleSet, seen: Observed, batches: list[str], outcome: tuple[int, int, str]
) -> None:
    """`outcome` is how often the model is set, the worst loss, and the reason at the end."""
    found = expected(desired, seen)
    assert told(found) == batches
    assert (found.patches, found.max_unavailable, found.end_reason) == outcome
    assert found.writes == found.patches + len(batches)


def test_no_failure_is_predicted_however_short_the_timeout() -> None:
    desired = spec(on_failure=OnFailure.REPIN, health=Health(MINUTE, passes=1))
    found = expected(desired, observed(model=BEHIND), usual_duration((), desired.health.timeout))
    assert (told(found), found.end_reason) == (EVEN, "UpToDate")


@pytest.mark.parametrize(
    ("desired", "seen"),
    [
        pytest.param(spec(), observed(instances=fleet(rest="upgraded")), id="what is as declared"),
        pytest.param(spec(suspend=Suspension("", "", None)), observed(), id="what is suspended"),
        pytest.param(
            spec(fleet=replace(FLEET, freeze=Suspension("", "", None))), observed(), id="a frozen fleet"
        ),
        pytest.param(spec(), observed(model=ABSENT), id="what is not there"),
        pytest.param(spec(), observed(model=model(mode="Rolling")), id="what is refused"),
        pytest.param(spec(), observed(instances=None), id="instances that were not listed"),
        pytest.param(spec(), observed(model=model(capacity=11)), id="a list that is not whole"),
        pytest.param(
            spec(),
            observed(model=BEHIND, availability=Availability(NEW, Verdict.NOT_FOUND)),
            id="an image that is not there",
        ),
        pytest.param(
            spec(image=LATEST),
            observed(model=BEHIND, availability=Availability(LATEST, Verdict.NO_LATEST)),
            id="a latest that is nothing",
        ),
        pytest.param(
            spec(),
            observed(instances=fleet(instance(0, health="unhealthy", since=NOW - 20 * MINUTE))),
            id="an image that has failed",
        ),
        pytest.param(spec(windows=(NEVER,)), observed(), id="windows that never open"),
        pytest.param(
            spec(),
            observed(attempt=Attempt(Upgrade(("0", "5"), NEW), NOW - MINUTE)),
            id="an upgrade that was asked for and does not show",
        ),
    ],
)
def test_of_some_there_is_no_forecast(desired: ScaleSet, seen: Observed) -> None:
    assert foreseen(desired, seen) is None


TURN = Gate("fleet", "2 of 2 roll", Reason.AWAITING_TURN)
ADA = Author("Ada", "ada@example.com")
SIGNED = PersistedState(approved=NEW, signature=Signature.of(NEW, "ada", NOW))
BY_ADA = {"model": model(image=OLD, persisted=SIGNED)}
LATER = replace(TURN, until=NOW + 20 * MINUTE)


@pytest.mark.parametrize(
    ("desired", "seen", "begins", "is_dated", "holds"),
    [
        pytest.param(spec(), {}, 0, True, [], id="nothing is waited for"),
        pytest.param(
            spec(windows=(AT_ELEVEN,)), {}, 120, True, [(Reason.OUTSIDE_WINDOW, 0, 120)], id="a window that opens"
        ),
        pytest.param(
            spec(approval=Approval.START), {}, None, False, [(Reason.AWAITING_APPROVAL, 0, None)],
            id="an approval, taken for given at once",
        ),
        pytest.param(
            spec(approval=Approval.START), {"model": model(image=OLD, persisted=PersistedState(approved=NEW))}, 0, True, [],
            id="one that was given",
        ),
        pytest.param(
            spec(approval=Approval.START), {"model": model(image=OLD, persisted=PersistedState(approved=OLD))}, None, False,
            [(Reason.AWAITING_APPROVAL, 0, None)], id="one that was given to another image",
        ),
        pytest.param(
            spec(approval=Approval.START, approver=Approver.ANOTHER), BY_ADA | {"authors": (ADA,)}, None, False,
            [(Reason.AWAITING_APPROVAL, 0, None)], id="one that its author gave, and another is asked for",
        ),
        pytest.param(
            spec(approval=Approval.START, approver=Approver.ANOTHER), BY_ADA, 0, True, [],
            id="one whose author is not read yet, and another approver is required",
        ),
        pytest.param(
            spec(approval=Approval.START, on_failure=OnFailure.REPIN), {}, None, False,
            [(Reason.AWAITING_APPROVAL, 0, None)], id="one that the state of the patch keeps",
        ),
        pytest.param(
            spec(approval=Approval.START, image=LATEST), {}, None, False, [(Reason.AWAITING_APPROVAL, 0, None)],
            id="one of the exact version that latest means",
        ),
        pytest.param(
            spec(approval=Approval.CANARY), {}, 0, False, [(Reason.AWAITING_APPROVAL, 3.25, None)],
            id="an approval half-way leaves the beginning dated",
        ),
        pytest.param(
            spec(), {"gates": (TURN,)}, None, False, [(Reason.AWAITING_TURN, 0, None)],
            id="a gate outside that says no time is taken for opened",
        ),
        pytest.param(
            spec(), {"gates": (LATER,)}, 20, True, [(Reason.AWAITING_TURN, 0, 20)],
            id="one that says a time is open by then",
        ),
        pytest.param(
            spec(approval=Approval.START, windows=(AT_ELEVEN,)), {"gates": (TURN,)}, None, False,
            [
                (Reason.AWAITING_APPROVAL, 0, None),
                (Reason.OUTSIDE_WINDOW, 0, 120),
                (Reason.AWAITING_TURN, 120, None),
            ],
            id="one after the other",
        ),
        pytest.param(
            spec(bake_time=30 * MINUTE), {}, 0, True, [(Reason.BAKING, 15.25, 45.25)], id="the end of a bake"
        ),
    ],
)  # fmt: skip
def test_what_is_waited_for(
    desired: ScaleSet,
    seen: dict[str, Any],
    begins: float | None,
    is_dated: bool,
    holds: list[tuple[Reason, float, float | None]],
) -> None:
    """Moments in minutes from now."""
    found = expected(desired, observed(**{"model": BEHIND} | seen))
    assert told(found) == EVEN
    assert found.begins == (None if begins is None else NOW + begins * MINUTE)
    assert (found.ends is not None) is is_dated
    assert found.waits == tuple(
        PredictedWait(reason, NOW + at * MINUTE, None if until is None else NOW + until * MINUTE)
        for reason, at, until in holds
    )


def test_a_window_that_closes_is_waited_for_again() -> None:
    short = Window(Kind.ALLOW, "0 * * * *", 8 * MINUTE, "UTC")
    found = expected(spec(windows=(short,)), observed())
    assert [batch.at - NOW for batch in found.batches] == [
        0 * MINUTE, 3 * MINUTE, 6 * MINUTE, 60 * MINUTE, 63 * MINUTE
    ]  # fmt: skip
    assert found.waits == (PredictedWait(Reason.OUTSIDE_WINDOW, NOW + 9 * MINUTE, NOW + 60 * MINUTE),)
    assert found.lasts == 66 * MINUTE


@pytest.mark.parametrize(
    ("on_failure", "end", "patches", "batches"),
    [
        pytest.param(OnFailure.HOLD, "UpToDate", 1, 5, id="is held, and goes on once it is back"),
        pytest.param(OnFailure.REPIN, "RolloutFailed", 2, 2, id="failed and returns, where the spec says so"),
    ],
)
def test_a_batch_that_takes_longer_than_its_patience(
    on_failure: OnFailure, end: str, patches: int, batches: int
) -> None:
    slow = BatchDuration(2 * MINUTE, 15 * MINUTE)
    desired = spec(on_failure=on_failure, health=Health(10 * MINUTE, passes=1))
    found = expected(desired, observed(model=BEHIND), slow)
    assert (found.end_reason, found.patches, len(found.batches)) == (end, patches, batches)


@pytest.mark.parametrize(
    ("away", "at"),
    [
        pytest.param(
            {"provisioning": "updating", "image": OLD, "since": NOW - MINUTE}, 2, id="under upgrade"
        ),
        pytest.param({"provisioning": "creating", "since": NOW}, 3, id="being made"),
        pytest.param({"provisioning": "updating", "since": None}, 3, id="an instance without a known time"),
        pytest.param({"health": "initializing", "since": NOW}, 0.5, id="just up"),
        pytest.param({"health": "unhealthy", "since": NOW - 5 * MINUTE}, 0.25, id="late, so any moment"),
    ],
)
def test_instances_in_transition_become_healthy_first(away: dict[str, Any], at: float) -> None:
    seen = observed(instances=fleet(instance(0, **away), instance(5)))
    found = expected(spec(), seen)
    assert told(found) == EVEN[1:]
    assert found.begins == NOW + at * MINUTE


def test_azure_is_waited_for_where_it_is_at_work_on_the_scale_set() -> None:
    found = expected(spec(), observed(model=model(image=OLD, provisioning="updating")))
    assert found.begins == NOW + 2.5 * MINUTE
    assert told(found) == EVEN


@pytest.mark.parametrize(("seen", "begins"), [(0, 30), (1, 15), (2, 0)])
def test_earlier_healthy_observations_count(seen: int, begins: int) -> None:
    desired = spec(health=Health(10 * MINUTE, passes=3))
    found = expected(
        desired, observed(instances=fleet(instance(0), instance(5)), progress=Progress(passes=seen))
    )
    assert found.begins == NOW + timedelta(seconds=begins)


@pytest.mark.parametrize(
    ("source", "minutes"),
    [
        pytest.param(HealthSource.EXTENSION, 3, id="an instance whose health is reported"),
        pytest.param(HealthSource.PROBE, 3.5, id="of a probe, which is given a minute"),
        pytest.param(HealthSource.NONE, 3, id="of none"),
    ],
)
def test_how_long_a_batch_takes(source: HealthSource, minutes: float) -> None:
    health = "healthy" if source is HealthSource.EXTENSION else ""
    found = expected(
        spec(),
        observed(
            model=model(health_source=source),
            instances=fleet(*(outdated(each, health=health) for each in range(10))),
        ),
    )
    assert found.batches[1].at - found.batches[0].at == minutes * MINUTE
    assert found.lasts == 5 * minutes * MINUTE


def test_a_scale_set_of_many_batches_is_not_followed_for_ever() -> None:
    many = tuple(outdated(number) for number in range(1000))
    found = expected(spec(max_batch=Count(1)), observed(instances=many, model=model(capacity=1000)))
    assert 50 < len(found.batches) < 1000
    assert (found.ends, found.end_reason) == (None, None)
