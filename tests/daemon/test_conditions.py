"""Conditions: what each outcome makes of them, and the rules that hold whatever comes after what."""

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.daemon.condition import UNOBSERVED, Condition, ConditionStatus, ConditionType
from reconciler.daemon.conditions import (
    INSTANCE_DRIFT,
    MODEL_DRIFT,
    NO_DRIFT,
    SERVING,
    SUMMARY,
    conditions,
)
from reconciler.daemon.outcome import Outcome
from reconciler.daemon.revision import Revision
from reconciler.daemon.state import ScaleSetState
from reconciler.rollout.counts import DomainCounts, InstanceCounts
from reconciler.rollout.domains import Domain
from reconciler.rollout.observed import Model
from reconciler.rollout.persisted import Fingerprint, PersistedState
from reconciler.rollout.reason import Reason, Status
from reconciler.spec.image import at_version
from tests.build import FIX, NEW, NOW, OLD, model, spec
from tests.daemon import states

LATEST = at_version(NEW, "latest")
REVISION = Revision.of(spec(), "a1")


def counts(up_to_date: int, away: int, total: int = 10) -> InstanceCounts:
    """Two domains, with an upgrade in progress in the first."""
    half = total // 2
    first, second = (Domain("", "", number, "update domain") for number in (0, 1))
    return InstanceCounts(
        (
            DomainCounts(first, half, min(up_to_date, half), 0, away),
            DomainCounts(second, total - half, max(0, up_to_date - half), 0, 0),
        )
    )


def outcome(reason: str, message: str = "why", at: datetime = NOW) -> Outcome:
    return Outcome("web", "a1", at, Reason(reason), message, Reason(reason).meaning.status)


def observed(reason: str = Reason.UPGRADING, **changes: Any) -> ScaleSetState:
    """A rollout in progress: the model and four of ten instances are on NEW, and two are unavailable."""
    values: dict[str, Any] = {
        "outcome": outcome(reason),
        "model": model(),
        "counts": counts(4, 2),
        "instances_at": NOW,
        "known_at": NOW,
    }
    return states.state(**(values | {"decided": None} | changes))


def statuses(state: ScaleSetState) -> list[str]:
    return [each.status.value for each in conditions(state)]


def one(state: ScaleSetState, which: ConditionType) -> Condition:
    return next(each for each in conditions(state) if each.type is which)


# Ready, Reconciling, Stalled, Healthy, Drifted of what is half-way, by its status.
HALF_WAY = {
    Status.READY: ["True", "False", "False", "False", "True"],
    Status.RECONCILING: ["Unknown", "True", "False", "False", "True"],
    Status.WAITING: ["Unknown", "True", "False", "False", "True"],
    Status.FAILING: ["False", "True", "False", "False", "True"],
    Status.STALLED: ["False", "False", "True", "False", "True"],
    Status.SUSPENDED: ["Unknown", "False", "False", "False", "True"],
}
# Healthy and Drifted where the reason itself says that nobody knows.
NOT_KNOWN = {
    Reason.NOT_FOUND: ["Unknown", "Unknown"],
    Reason.NO_LATEST_VERSION: ["False", "Unknown"],
    Reason.CATALOGUE_UNREADABLE: ["False", "Unknown"],
}


def row(reason: Reason) -> list[str]:
    said = HALF_WAY[reason.meaning.status]
    return [*said[:3], *NOT_KNOWN.get(reason, said[3:])]


@pytest.mark.parametrize("reason", [*Reason])
def test_the_conditions_of_a_rollout_in_progress(reason: Reason) -> None:
    assert statuses(observed(reason)) == row(reason)


@pytest.mark.parametrize("reason", [*Reason])
def test_without_an_observation_only_the_decision_is_reported(reason: Reason) -> None:
    seen = observed(reason, model=None, counts=None, instances_at=None, known_at=None)
    drifted = "True" if reason == Reason.MODEL_DRIFT else "Unknown"
    assert statuses(seen) == [*row(reason)[:3], "Unknown", drifted]


def test_an_unobserved_scale_set_is_unknown() -> None:
    assert conditions(ScaleSetState(spec(), "a1")) == UNOBSERVED
    assert {(each.status, each.reason, each.since) for each in UNOBSERVED} == {
        (ConditionStatus.UNKNOWN, "NotObserved", None)
    }
    assert [each.type for each in UNOBSERVED] == list(ConditionType)


@pytest.mark.parametrize(
    ("state", "said"),
    [
        pytest.param(observed(counts=counts(10, 0)), "True Serving", id="all instances serve"),
        pytest.param(observed(counts=counts(0, 0, total=0)), "True Serving", id="there are no instances"),
        pytest.param(
            observed(Reason.UPGRADING),
            "False Upgrading: why",
            id="the message names the unavailable instances",
        ),
        pytest.param(
            observed(Reason.AZURE_UPDATING),
            "False InstancesUnavailable: 2 of 10 instances are out of service: 2 of update domain 0",
            id="the message names no instances, so they are counted",
        ),
        pytest.param(observed(counts=None), "Unknown NotObserved", id="no instances were counted"),
        pytest.param(
            observed(counts=counts(10, 0), instances_at=NOW - timedelta(hours=1)),
            "True Serving",
            id="the counts are as old as the interval",
        ),
        pytest.param(
            observed(counts=counts(10, 0), instances_at=NOW - timedelta(hours=1, seconds=1)),
            "Unknown NotObserved",
            id="the counts are older than the interval",
        ),
        pytest.param(
            observed(Reason.SUSPENDED),
            "False InstancesUnavailable: 2 of 10 instances are out of service: 2 of update domain 0",
            id="a suspended scale set is counted too",
        ),
    ],
)
def test_healthy_is(state: ScaleSetState, said: str) -> None:
    assert worded(one(state, ConditionType.HEALTHY)) == said


GIVEN_UP = PersistedState(last_good=OLD, failed=Fingerprint.of(NEW))


@pytest.mark.parametrize(
    ("state", "said"),
    [
        pytest.param(observed(counts=counts(10, 0)), "False NoDrift", id="all instances are on the image"),
        pytest.param(
            observed(),
            "True InstanceDrift: 4 of 10 instances up to date",
            id="some instances are not on the image",
        ),
        pytest.param(
            observed(model=model(image=OLD), counts=counts(10, 0)),
            f"True ModelDrift: the model is on {OLD.version}; {NEW.version} is declared",
            id="the model is not on the image",
        ),
        pytest.param(
            observed(Reason.MODEL_DRIFT), "True ModelDrift: why", id="the message is about the model"
        ),
        pytest.param(
            observed(desired=spec(image=LATEST), counts=counts(10, 0)),
            "False NoDrift",
            id="latest: the model and all instances are on a version of it",
        ),
        pytest.param(
            observed(Reason.CATALOGUE_UNREADABLE, desired=spec(image=LATEST), counts=counts(10, 0)),
            "Unknown CatalogueUnreadable: why",
            id="latest: the version is unknown",
        ),
        pytest.param(
            observed(Reason.NOT_MANUAL_MODE, desired=spec(image=LATEST), model=model(image=LATEST)),
            "True ModelDrift: the model is on latest; latest is declared",
            id="latest: the model is on latest itself",
        ),
        pytest.param(
            observed(
                Reason.ROLLOUT_FAILED, desired=spec(image=LATEST), model=model(image=OLD, persisted=GIVEN_UP)
            ),
            f"True ModelDrift: the model is on {OLD.version}; latest is declared",
            id="latest: the newest version failed and was rolled back",
        ),
        pytest.param(
            observed(
                Reason.UP_TO_DATE,
                desired=spec(image=LATEST),
                model=model(image=OLD, persisted=GIVEN_UP),
                counts=counts(10, 0),
            ),
            "False NoDrift",
            id="latest: the failed version was withdrawn",
        ),
        pytest.param(
            observed(Reason.ROLLOUT_FAILED, model=model(image=OLD, persisted=GIVEN_UP)),
            f"True ModelDrift: the model is on {OLD.version}; {NEW.version} is declared",
            id="the declared image failed and was rolled back",
        ),
        pytest.param(
            observed(Reason.IMAGE_UNREADABLE, model=model(image=None)),
            "Unknown ImageUnreadable",
            id="the image of the model is unreadable",
        ),
        pytest.param(
            observed(counts=None),
            "Unknown NotObserved",
            id="the model is on the image, no instances were counted",
        ),
        pytest.param(
            observed("Unreachable", known_at=NOW - timedelta(hours=2)),
            "Unknown NotObserved",
            id="the observation is older than the interval",
        ),
        pytest.param(observed(Reason.NOT_FOUND), "Unknown NotFound: why", id="there is no scale set"),
    ],
)
def test_drifted_is(state: ScaleSetState, said: str) -> None:
    assert worded(one(state, ConditionType.DRIFTED)) == said


def worded(condition: Condition) -> str:
    message = f": {condition.message}" if condition.message else ""
    return f"{condition.status} {condition.reason}{message}"


def test_a_true_condition_carries_the_message_of_the_outcome() -> None:
    ready, reconciling, stalled, *_ = conditions(observed(Reason.HEALTH_CHECK_FAILED))
    assert [worded(each) for each in (ready, reconciling, stalled)] == [
        "False HealthCheckFailed: why",
        "True HealthCheckFailed: why",
        "False HealthCheckFailed",
    ]


def test_a_condition_has_its_transition_time_and_revision() -> None:
    before = conditions(observed(Reason.UPGRADING))
    later = outcome(Reason.WAITING_FOR_INSTANCES, at=NOW + timedelta(minutes=1))
    after = conditions(observed(outcome=later, conditions=before, counts=counts(10, 0)))
    assert {(each.since, each.revision) for each in before} == {(NOW, REVISION)}
    assert [each.since == NOW for each in after] == [True, True, True, False, False]
    assert {each.since for each in after[3:]} == {later.at}


def test_a_clock_that_is_set_back_moves_no_transition_time() -> None:
    before = conditions(observed(Reason.UPGRADING))
    earlier = outcome(Reason.UP_TO_DATE, at=NOW - timedelta(hours=3))
    assert {each.since for each in conditions(observed(outcome=earlier, conditions=before))} == {NOW}


def test_a_throttled_observation_changes_no_condition() -> None:
    before = conditions(observed(Reason.UP_TO_DATE, counts=counts(10, 0)))
    throttled = replace(outcome("UpToDate", at=NOW + timedelta(hours=9)), as_of=NOW)
    assert conditions(observed(outcome=throttled, conditions=before)) == before
    # A spec that was declared since is not observed yet.
    moved = observed("Throttled", desired=spec(image=FIX), conditions=before)
    assert statuses(moved)[:3] == ["Unknown", "True", "False"]


REASONS = st.sampled_from([*Reason])
COUNTS = st.none() | st.builds(counts, st.integers(0, 10), st.integers(0, 5))
SEEN = st.none() | st.builds(lambda image: model(image=image), st.sampled_from([NEW, OLD, FIX, None]))
DECLARED = st.sampled_from([spec(), spec(image=OLD), spec(image=LATEST)])
STEPS = st.integers(-30, 120).map(lambda minutes: timedelta(minutes=minutes))


@given(st.lists(st.tuples(REASONS, COUNTS, SEEN, DECLARED, STEPS), min_size=1, max_size=12))
def test_the_rules_hold_for_every_sequence_of_outcomes(
    observations: list[tuple[str, InstanceCounts | None, Model | None, Any, timedelta]],
) -> None:
    known, at = UNOBSERVED, NOW
    for reason, counts, seen, desired, step in observations:
        at += step
        state = observed(
            outcome=outcome(reason, at=at),
            counts=counts,
            model=seen,
            desired=desired,
            conditions=known,
            instances_at=at,
            known_at=at,
        )
        before, known = known, conditions(state)
        ready, reconciling, stalled, healthy, drifted = known
        true = [each.type for each in (ready, reconciling, stalled) if each.status is ConditionStatus.TRUE]
        assert len(true) <= 1
        if reason != "Throttled":
            assert (ready.status is ConditionStatus.TRUE) is (Reason(reason).meaning.status is Status.READY)
            assert (stalled.status is ConditionStatus.TRUE) is (state.outcome.status is Status.STALLED)  # type: ignore[union-attr]
            assert (ready.status is ConditionStatus.FALSE) is (
                state.outcome is not None and state.outcome.status in {Status.FAILING, Status.STALLED}
            )
        for was, now in zip(before, known, strict=True):
            assert now.type is was.type
            assert now.reason
            assert now.since is not None
            if was.since is not None:
                assert now.since >= was.since
                assert now.status is not was.status or now.since == was.since
        assert (
            healthy.status is not ConditionStatus.TRUE
            or counts is None
            or not counts.unavailable
            or reason == "Throttled"
        )
        assert drifted.reason != "NoDrift" or reason == "Throttled" or counts is not None


DOCS = Path(__file__).parents[2] / "docs" / "conditions.md"


def test_the_docs_have_the_table_of_the_code() -> None:
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in DOCS.read_text().splitlines()
        if line.startswith("|")
    ]
    assert [row for row in rows if row[0] in set(Status)] == [
        [status, *(status.value for status in SUMMARY[status])] for status in Status
    ]
    told = {row[2].strip("`") for row in rows if row[0] in {"Healthy", "Drifted"} and " " not in row[2]}
    assert told == {SERVING, MODEL_DRIFT, INSTANCE_DRIFT, NO_DRIFT}
