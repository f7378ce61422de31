"""Waiting for instances: how long, what may fail meanwhile, and when the rollout has failed."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from reconciler.rollout.observed import Observed
from reconciler.rollout.persisted import Fingerprint, Mark, PersistedState
from reconciler.rollout.progress import Progress, progress_after
from reconciler.rollout.reason import Reason
from reconciler.rollout.step import Attempt, PatchModel, Step, Upgrade
from reconciler.spec.amount import Count, Percent
from reconciler.spec.scale_set import By, Health, OnFailure, ScaleSet
from tests.build import FIX, NEW, NOW, OLD, decided, fleet, instance, model, observed, outdated, spec
from tests.messages import says

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
LONG_AGO = NOW - HOUR
BATCH = Upgrade(("1", "6"), NEW, domain="update domain 1", names=("web_1", "web_6"))


def lost(number: int) -> Any:
    """An upgraded instance that has not been healthy for an hour."""
    return instance(number, health="unhealthy", since=LONG_AGO)


def began(at: datetime, **changes: Any) -> PersistedState:
    return PersistedState(began=Mark.of(at, NEW), **changes)


@pytest.mark.parametrize(
    ("allowed", "instances", "ids"),
    [
        pytest.param(Count(1), fleet(lost(0), instance(5)), ["1", "6"], id="one may fail, and one does"),
        pytest.param(Count(1), fleet(lost(0), lost(5)), None, id="one may fail, and two do"),
        pytest.param(Count(0), fleet(lost(0), instance(5)), None, id="none may fail"),
        pytest.param(Percent(20), fleet(lost(0)), None, id="a share of the canary alone is no instance"),
        pytest.param(
            Percent(20),
            fleet(lost(0), *(instance(n) for n in (1, 2, 5, 6))),
            ["7"],
            id="a fifth of five upgraded is one",
        ),
        pytest.param(
            Count(1),
            fleet(instance(0, health="unhealthy")),
            None,
            id="one that may still come back is waited for",
        ),
    ],
)
def test_upgraded_instances_may_fail_if_the_spec_allows_it(
    allowed: Any, instances: Any, ids: list[str] | None
) -> None:
    decision = decided(spec(max_unhealthy_upgraded=allowed), observed(instances=instances))
    assert decision.step == (Upgrade(tuple(ids), NEW) if ids else None)


RETRIED = Attempt(Upgrade(("0", "5"), NEW), NOW - MINUTE, tries=2)
RESTARTING = tuple(outdated(number, provisioning="updating") for number in (0, 5))


@pytest.mark.parametrize(
    ("attempt", "instances", "continues"),
    [
        pytest.param(RETRIED, RESTARTING, True, id="a second try restarts its instances"),
        pytest.param(replace(RETRIED, tries=1), RESTARTING, False, id="the first try restarts its instances"),
        pytest.param(None, RESTARTING, False, id="something else restarts instances"),
        pytest.param(
            replace(RETRIED, step=Upgrade(("0", "5"), FIX)),
            RESTARTING,
            False,
            id="a second try of another image restarts its instances",
        ),
        pytest.param(
            RETRIED,
            (RESTARTING[0], instance(5, health="unhealthy")),
            False,
            id="a second try has brought an instance to the image, on which it is unhealthy",
        ),
        pytest.param(
            RETRIED,
            (*RESTARTING, outdated(3, provisioning="updating")),
            False,
            id="an instance that the second try does not name restarts too",
        ),
    ],
)
def test_the_wait_for_a_retried_upgrade_continues_its_failure(
    attempt: Attempt | None, instances: Any, *, continues: bool
) -> None:
    decision = decided(spec(), observed(instances=fleet(*instances), attempt=attempt))
    assert decision.reason is Reason.WAITING_FOR_INSTANCES
    assert decision.continues_failure is continues


@pytest.mark.parametrize(
    ("failed", "blamed", "continues"),
    [
        pytest.param(None, None, False, id="no failure is known"),
        pytest.param(NEW, None, True, id="a tag records that the image failed"),
        pytest.param(None, NEW, True, id="this process blamed the image"),
        pytest.param(FIX, FIX, False, id="another image failed"),
    ],
)
def test_the_wait_for_an_instance_on_a_failed_image_continues_the_failure(
    failed: Any, blamed: Any, *, continues: bool
) -> None:
    seen = observed(
        model=model(persisted=PersistedState(failed=failed and Fingerprint.of(failed))),
        instances=fleet(instance(0, health="unhealthy")),
        progress=Progress(blamed=blamed and Fingerprint.of(blamed)),
    )
    decision = decided(spec(), seen)
    assert decision.reason is Reason.WAITING_FOR_INSTANCES
    assert decision.continues_failure is continues


def silent(number: int) -> Any:
    """An instance that is still on OLD, and reports neither power nor health, so it may serve."""
    return outdated(number, power="", health="")


@pytest.mark.parametrize(
    ("instances", "ids"),
    [
        pytest.param((lost(0), *map(silent, range(1, 10))), None, id="all others may serve"),
        pytest.param(
            (lost(0), instance(1), *map(silent, range(2, 10))),
            ["5"],
            id="all others may serve, but an upgraded one shows that the image works",
        ),
        pytest.param(
            (lost(0), outdated(1), *map(silent, range(2, 10))), ["1"], id="one of the others serves"
        ),
        pytest.param(
            (lost(0), outdated(1, health="unhealthy"), *map(silent, range(2, 10))),
            ["1"],
            id="one of the others does not serve either",
        ),
    ],
)
def test_who_follows_an_instance_that_did_not_serve_and_does_not_recover(
    instances: Any, ids: list[str] | None
) -> None:
    seen = observed(instances=instances, progress=Progress(not_serving=frozenset({"0"})))
    decision = decided(spec(max_unhealthy=Count(10)), seen)
    assert decision.step == (Upgrade(tuple(ids), NEW) if ids else None)


def test_tolerated_failures_are_waited_for_in_the_end() -> None:
    desired = spec(max_unhealthy_upgraded=Count(1))
    decision = decided(desired, observed(instances=fleet(lost(0), rest="upgraded")))
    assert decision.line == says("HealthCheckFailed", "update domain 0", "web_0 (unhealthy)", "10m")


def test_of_those_that_took_too_long_alone_the_domains_are_named() -> None:
    young = [instance(number, health="unhealthy") for number in (1, 2)]
    assert decided(spec(), observed(instances=fleet(lost(0), *young))).line == (
        says("HealthCheckFailed", "update domain 0", "web_0 (unhealthy)", "10m")
    )


@pytest.mark.parametrize(
    ("waiting_since", "line"),
    [
        pytest.param(
            NOW - HOUR,
            says("WaitingForInstances", "update domain 0", "web_0 (unhealthy)", "1 of 10"),
            id="an hour is not more than an hour",
        ),
        pytest.param(
            NOW - HOUR - MINUTE,
            says(
                "ProgressDeadlineExceeded",
                "update domain 0",
                "web_0 (unhealthy)",
                "1h",
            ),
            id="longer, though the instance itself is young",
        ),
    ],
)
def test_a_batch_of_which_nothing_comes_is_not_waited_for_for_ever(
    waiting_since: datetime, line: str
) -> None:
    seen = observed(
        instances=fleet(instance(0, health="unhealthy")), progress=Progress(waiting_since=waiting_since)
    )
    assert decided(spec(), seen).line == line


STOPPED = tuple(instance(number, power="stopped", since=LONG_AGO) for number in (0, 5))
UNHEALTHY = tuple(instance(number, health="unhealthy") for number in (0, 5))
ENDLESS, RELAPSED = Progress(waiting_since=NOW - 2 * HOUR), Progress(relapses=3)
NAMED = ("update domain 0", "web_0 and web_5")


FAILED_BATCHES = pytest.mark.parametrize(
    ("instances", "progress", "facts"),
    [
        pytest.param(
            fleet(STOPPED[0]),
            Progress(),
            ("HealthCheckFailed", "update domain 0", "web_0 (stopped)", "10m"),
            id="one is stopped",
        ),
        pytest.param(
            fleet(*STOPPED),
            Progress(),
            ("HealthCheckFailed", *NAMED, "both stopped", "10m"),
            id="two are stopped",
        ),
        pytest.param(
            fleet(UNHEALTHY[0]),
            RELAPSED,
            ("HealthCheckFailed", "update domain 0", "web_0", "3 times"),
            id="one has relapsed",
        ),
        pytest.param(
            fleet(*UNHEALTHY),
            RELAPSED,
            ("HealthCheckFailed", *NAMED, "3 times"),
            id="two have relapsed",
        ),
        pytest.param(
            fleet(UNHEALTHY[0]),
            ENDLESS,
            ("ProgressDeadlineExceeded", "update domain 0", "web_0 (unhealthy)", "1h"),
            id="one is waited for past the deadline",
        ),
        pytest.param(
            fleet(*UNHEALTHY),
            ENDLESS,
            ("ProgressDeadlineExceeded", *NAMED, "both unhealthy", "1h"),
            id="two are waited for past the deadline",
        ),
        pytest.param(
            fleet(*UNHEALTHY, rest="upgraded"),
            ENDLESS,
            ("ProgressDeadlineExceeded", *NAMED, "both unhealthy", "1h"),
            id="two of the last batch are waited for past the deadline",
        ),
    ],
)


@FAILED_BATCHES
def test_the_line_about_a_failed_batch(instances: Any, progress: Progress, facts: tuple[str, ...]) -> None:
    assert decided(spec(), observed(instances=instances, progress=progress)).line == says(*facts)


@FAILED_BATCHES
def test_the_cause_of_a_failed_batch_does_not_say_what_is_next(
    instances: Any, progress: Progress, facts: tuple[str, ...]
) -> None:
    decision = decided(spec(), observed(instances=instances, progress=progress))
    assert f"{decision.reason}: {decision.cause}" == says(*facts)


def test_the_cause_of_a_failed_soak_does_not_say_what_is_next() -> None:
    decision = decided(spec(soak=5 * MINUTE), observed(instances=fleet(instance(0, relapses=3))))
    cause = f"{decision.reason}: {decision.cause}"
    assert cause == says("HealthCheckFailed", "update domain 0", "web_0", "3")
    assert decision.line.startswith(f"{cause}; ")


def test_the_line_names_no_domain_if_domains_have_no_names() -> None:
    decision = decided(spec(by=By.BATCH), observed(instances=fleet(instance(0, health="unhealthy"))))
    assert decision.line == says("WaitingForInstances", "web_0 (unhealthy)", "1 of 10")


def test_a_batch_that_takes_too_long_is_rolled_back_if_the_spec_says_so() -> None:
    seen = observed(
        model=model(persisted=PersistedState(last_good=OLD)),
        instances=fleet(instance(0, health="unhealthy")),
        progress=Progress(waiting_since=NOW - 2 * HOUR),
    )
    decision = decided(spec(on_failure=OnFailure.REPIN), seen)
    assert (decision.reason, decision.step) == (Reason.GIVING_UP, PatchModel(OLD, '"4"'))


@pytest.mark.parametrize(
    ("desired", "persisted", "instances", "reason"),
    [
        pytest.param(spec(deadline=HOUR), began(NOW - HOUR), fleet(), Reason.UPGRADING, id="in time"),
        pytest.param(
            spec(deadline=HOUR), began(NOW - HOUR - MINUTE), fleet(), Reason.DEADLINE_EXCEEDED, id="too late"
        ),
        pytest.param(
            spec(deadline=HOUR),
            began(NOW - 2 * HOUR),
            fleet(rest="upgraded"),
            Reason.UP_TO_DATE,
            id="too late, but done",
        ),
        pytest.param(spec(), began(NOW - 99 * HOUR), fleet(), Reason.UPGRADING, id="no deadline"),
        pytest.param(
            spec(deadline=HOUR), PersistedState(), fleet(), Reason.UPGRADING, id="nobody knows when it began"
        ),
        pytest.param(
            spec(deadline=HOUR),
            PersistedState(began=Mark.of(LONG_AGO - HOUR, OLD)),
            fleet(),
            Reason.UPGRADING,
            id="what began was another rollout",
        ),
        pytest.param(
            spec(deadline=HOUR, on_failure=OnFailure.REPIN),
            began(NOW - 2 * HOUR, last_good=OLD),
            fleet(instance(0)),
            Reason.DEADLINE_EXCEEDED,
            id="held also where the spec asks to give up: a deadline is no evidence",
        ),
    ],
)
def test_the_rollout_as_a_whole_has_its_deadline(
    desired: ScaleSet, persisted: PersistedState, instances: Any, reason: Reason
) -> None:
    assert decided(desired, observed(model=model(persisted=persisted), instances=instances)).reason is reason


@pytest.mark.parametrize(
    ("progress", "others", "reason"),
    [
        pytest.param(Progress(is_under_way=True), NOW - 9 * HOUR, Reason.DEADLINE_EXCEEDED, id="under way"),
        pytest.param(Progress(), NOW - HOUR, Reason.DEADLINE_EXCEEDED, id="under way a while ago"),
        pytest.param(Progress(), NOW - 2 * HOUR, Reason.DEADLINE_EXCEEDED, id="as long ago as the deadline"),
        pytest.param(Progress(is_under_way=False), NOW, Reason.UPGRADING, id="seen to end"),
        pytest.param(Progress(), NOW - 9 * HOUR, Reason.UPGRADING, id="nothing has come back for long"),
    ],
)
def test_an_instance_that_was_left_out_is_no_part_of_a_rollout_long_over(
    progress: Progress, others: datetime, reason: Reason
) -> None:
    instances = fleet(outdated(0), *(instance(n, since=others) for n in range(1, 10)))
    seen = observed(model=model(persisted=began(NOW - 9 * HOUR)), instances=instances, progress=progress)
    assert decided(spec(deadline=2 * HOUR), seen).reason is reason


def test_a_passed_deadline_blocks_no_remediation() -> None:
    seen = observed(
        model=model(persisted=began(NOW - 9 * HOUR)), instances=fleet(outdated(3, health="unhealthy"))
    )
    assert decided(spec(deadline=HOUR), seen).step == Upgrade(("3",), NEW)


@pytest.mark.parametrize(
    ("allowed", "reason"),
    [
        pytest.param(Count(1), Reason.HEALTH_CHECK_FAILED, id="tolerated, and reported"),
        pytest.param(Count(0), Reason.GIVING_UP, id="too many"),
    ],
)
def test_a_tolerated_failure_rolls_nothing_back_in_the_end(allowed: Any, reason: Reason) -> None:
    seen = observed(
        model=model(persisted=PersistedState(last_good=OLD)),
        instances=fleet(lost(0), rest="upgraded"),
        progress=Progress(waiting_since=NOW - 2 * MINUTE, is_under_way=True),
    )
    desired = spec(max_unhealthy_upgraded=allowed, on_failure=OnFailure.ROLLBACK)
    assert decided(desired, seen).reason is reason


@pytest.mark.parametrize("seen_to_begin", [True, None], ids=["seen to begin", "found under way"])
@pytest.mark.parametrize("on_failure", [*OnFailure])
@pytest.mark.parametrize(
    ("error", "is_of_the_image"),
    [
        pytest.param("OSProvisioningTimedOut", True, id="it does not boot"),
        pytest.param("VMExtensionProvisioningError", True, id="an extension fails on it"),
        pytest.param("AllocationFailed", False, id="there is no room for it"),
        pytest.param("", False, id="Azure does not say why"),
    ],
)
def test_an_upgrade_that_fails_again_and_again(
    on_failure: OnFailure, error: str, is_of_the_image: bool, seen_to_begin: Any
) -> None:
    seen = observed(
        model=model(persisted=PersistedState(last_good=OLD)),
        instances=fleet(outdated(3, provisioning="failed", error=error)),
        progress=Progress(
            waiting_since=NOW - HOUR - MINUTE,
            is_under_way=seen_to_begin,
            attempt=Attempt(Upgrade(("3",), NEW), NOW - HOUR),
        ),
    )
    is_given_up = is_of_the_image and on_failure is not OnFailure.HOLD
    expected = Reason.GIVING_UP if is_given_up else Reason.PROGRESS_DEADLINE_EXCEEDED
    assert decided(spec(on_failure=on_failure), seen).reason is expected


def test_the_line_about_a_passed_deadline() -> None:
    seen = observed(model=model(persisted=began(NOW - 2 * HOUR)), instances=fleet(instance(0)))
    assert decided(spec(deadline=HOUR), seen).line == (
        says(
            "DeadlineExceeded",
            "24.04.202601140",
            "2026-01-05 07:00 UTC",
            "1h",
            "deadline",
            "1 of 10",
        )
    )


@pytest.mark.parametrize(
    ("passes", "before", "line"),
    [
        pytest.param(
            3,
            0,
            says("ConfirmingHealth", "1 of 3", "health.passes", "1 of 10"),
            id="the first observation",
        ),
        pytest.param(
            3,
            1,
            says("ConfirmingHealth", "2 of 3", "health.passes", "1 of 10"),
            id="the second",
        ),
        pytest.param(
            3,
            2,
            says("Upgrading", "update domain 0", "24.04.202601140", "web_5", "1 of 10"),
            id="the last that is asked for",
        ),
        pytest.param(
            1,
            0,
            says("Upgrading", "update domain 0", "24.04.202601140", "web_5", "1 of 10"),
            id="one look is enough",
        ),
    ],
)
def test_passes_observations_in_a_row_must_find_the_upgraded_healthy(
    passes: int, before: int, line: str
) -> None:
    seen = observed(instances=fleet(instance(0)), progress=Progress(passes=before))
    assert decided(spec(health=Health(10 * MINUTE, passes=passes)), seen).line == line


def test_before_anything_is_upgraded_there_is_nothing_to_confirm() -> None:
    assert decided(spec(health=Health(10 * MINUTE, passes=3)), observed()).step == Upgrade(("0", "5"), NEW)


@pytest.mark.parametrize(
    ("before", "reason", "back", "after"),
    [
        pytest.param(
            Progress(), Reason.SOAKING, 2, Progress(passes=1), id="an observation that finds all healthy"
        ),
        pytest.param(Progress(passes=4), Reason.OUTSIDE_WINDOW, 2, Progress(passes=5), id="one more"),
        pytest.param(
            Progress(passes=4),
            Reason.WAITING_FOR_INSTANCES,
            2,
            Progress(0, NOW, 2),
            id="one that has to wait begins to count again",
        ),
        pytest.param(
            Progress(0, LONG_AGO, 2),
            Reason.WAITING_FOR_INSTANCES,
            2,
            Progress(0, LONG_AGO, 2),
            id="while nothing comes back the clock runs",
        ),
        pytest.param(
            Progress(0, LONG_AGO, 2),
            Reason.HEALTH_CHECK_FAILED,
            3,
            Progress(0, NOW, 3),
            id="one more that came back is progress",
        ),
        pytest.param(
            Progress(0, LONG_AGO, 3),
            Reason.PROGRESS_DEADLINE_EXCEEDED,
            2,
            Progress(0, LONG_AGO, 3),
            id="one that left again is none",
        ),
        pytest.param(
            Progress(2, LONG_AGO, 3),
            Reason.HEALTH_CHECK_FAILED,
            3,
            Progress(0, LONG_AGO, 3),
            id="an instance that becomes unhealthy ends the run of healthy observations",
        ),
        pytest.param(
            Progress(2, LONG_AGO, 3),
            Reason.UPGRADING,
            3,
            Progress(2, LONG_AGO, 3, is_under_way=True),
            id="a retried batch ends neither the wait nor the run, and is in progress",
        ),
        pytest.param(
            Progress(2, LONG_AGO, 3),
            Reason.AZURE_UPDATING,
            None,
            Progress(2, LONG_AGO, 3),
            id="no look at the instances",
        ),
        pytest.param(
            Progress(2, None, 3, is_under_way=None),
            Reason.UPGRADING,
            3,
            Progress(is_under_way=True),
            id="a batch begins",
        ),
        pytest.param(
            Progress(0, LONG_AGO, 3, is_under_way=True),
            Reason.UPGRADING,
            3,
            Progress(0, LONG_AGO, 3, is_under_way=True),
            id="a batch that is retried is no progress",
        ),
        pytest.param(
            Progress(2, None, 3),
            Reason.OPERATION_FAILED,
            3,
            Progress(2, NOW, 3),
            id="a failed batch is no progress, and says nothing new about health",
        ),
        pytest.param(
            Progress(2), Reason.MODEL_DRIFT, None, Progress(is_under_way=True), id="a rollout begins"
        ),
        pytest.param(
            Progress(2, is_under_way=True),
            Reason.BAKING,
            3,
            Progress(3, is_under_way=True),
            id="it bakes, and is not over",
        ),
        pytest.param(
            Progress(2, is_under_way=True),
            Reason.UP_TO_DATE,
            3,
            Progress(3, is_under_way=False),
            id="it is over",
        ),
        pytest.param(
            Progress(0, LONG_AGO, 1, is_under_way=True),
            Reason.WAITING_FOR_INSTANCES,
            2,
            Progress(0, NOW, 2, is_under_way=True),
            id="progress does not end it",
        ),
    ],
)
def test_progress_over_observations_in_a_row(
    before: Progress, reason: Reason, back: int | None, after: Progress
) -> None:
    found = progress_after(before, reason, back, NOW)
    assert replace(
        found, seen_at=None, most_healthy=0, relapses=0, has_soaked=False, has_seen_all_steps=False
    ) == replace(after, last_reason=reason)


@pytest.mark.parametrize(
    ("progress", "instances", "reason"),
    [
        pytest.param(
            Progress(waiting_since=None), fleet(lost(0)), Reason.HEALTH_CHECK_FAILED, id="seen once"
        ),
        pytest.param(
            Progress(waiting_since=NOW - MINUTE / 2),
            fleet(lost(0)),
            Reason.HEALTH_CHECK_FAILED,
            id="for half a minute",
        ),
        pytest.param(
            Progress(waiting_since=NOW - MINUTE), fleet(lost(0)), Reason.GIVING_UP, id="for a minute"
        ),
        pytest.param(
            Progress(waiting_since=NOW - MINUTE, is_under_way=True),
            fleet(lost(0), rest="upgraded"),
            Reason.GIVING_UP,
            id="in the last batch of all",
        ),
        pytest.param(
            Progress(waiting_since=NOW - MINUTE, is_under_way=False),
            fleet(lost(0), rest="upgraded"),
            Reason.HEALTH_CHECK_FAILED,
            id="once it was over",
        ),
        pytest.param(
            Progress(waiting_since=NOW - MINUTE),
            fleet(lost(0), *(instance(n, since=LONG_AGO) for n in range(1, 10))),
            Reason.HEALTH_CHECK_FAILED,
            id="over, as far as a new process can tell",
        ),
        pytest.param(
            Progress(waiting_since=NOW - MINUTE),
            fleet(instance(0, health="unhealthy", since=NOW - 11 * MINUTE), rest="upgraded"),
            Reason.GIVING_UP,
            id="in a last batch that a new process finds failing",
        ),
        pytest.param(
            Progress(waiting_since=NOW - MINUTE, is_under_way=False),
            fleet(lost(0), outdated(1, protected=True), rest="upgraded"),
            Reason.HEALTH_CHECK_FAILED,
            id="once it was over, though one was left out",
        ),
    ],
)
def test_an_image_fails_only_for_a_failure_that_lasts(
    progress: Progress, instances: Any, reason: Reason
) -> None:
    seen = observed(
        model=model(persisted=PersistedState(last_good=OLD)), instances=instances, progress=progress
    )
    decision = decided(spec(on_failure=OnFailure.ROLLBACK), seen)
    assert decision.reason is reason


BAKING = spec(bake_time=HOUR, on_failure=OnFailure.REPIN)


@pytest.mark.parametrize(
    ("progress", "seen", "line"),
    [
        pytest.param(
            Progress(is_under_way=True),
            fleet(instance(3, since=NOW - HOUR / 2), rest="upgraded"),
            says("Baking", "web_0", "web_1", "web_2", "web_3", "6", "08:59:00", "09:59:00", "1h", "10 of 10"),
            id="until the last batch has been back for so long",
        ),
        pytest.param(
            Progress(is_under_way=True),
            fleet(*(instance(n, since=NOW - HOUR) for n in range(10))),
            says("UpToDate", "10", "24.04.202601140"),
            id="then it is over",
        ),
        pytest.param(
            Progress(is_under_way=False),
            fleet(rest="upgraded"),
            says("UpToDate", "10", "24.04.202601140"),
            id="one that was over does not begin again",
        ),
        pytest.param(
            Progress(),
            fleet(rest="upgraded"),
            says("Baking", "web_0", "web_1", "web_2", "web_3", "6", "08:59:00", "09:59:00", "1h", "10 of 10"),
            id="a new process goes by the times alone",
        ),
        pytest.param(
            Progress(waiting_since=NOW - MINUTE),
            fleet(lost(0), rest="upgraded"),
            says("GivingUp", "update domain 0", "web_0 (unhealthy)", "10m", "24.04.202601010"),
            id="one that becomes unhealthy meanwhile counts against the image",
        ),
    ],
)
def test_the_end_bakes(progress: Progress, seen: Any, line: str) -> None:
    looked = observed(model=model(persisted=PersistedState(last_good=OLD)), instances=seen, progress=progress)
    assert decided(BAKING, looked).line == line


def sick(*numbers: int, **changes: Any) -> Observed:
    return observed(
        instances=fleet(*(outdated(n, health="unhealthy", protected=True) for n in numbers)), **changes
    )


@pytest.mark.parametrize(
    ("desired", "seen", "line"),
    [
        pytest.param(
            spec(),
            sick(3, 7),
            says("Upgrading", "update domain 0", "2", "24.04.202601140", "web_0", "web_5", "0 of 10"),
            id="as many as may be",
        ),
        pytest.param(
            spec(),
            sick(3, 7, 8),
            says(
                "TooManyUnhealthy",
                "web_3, web_7 and web_8 (all unhealthy)",
                "3 of 10",
                "maxUnhealthy",
                "20%",
                "2 of 10",
                "0 of 10",
            ),
            id="one more",
        ),
        pytest.param(
            spec(max_unhealthy=Count(3)),
            sick(3, 7, 8),
            says("Upgrading", "update domain 0", "2", "24.04.202601140", "web_0", "web_5", "0 of 10"),
            id="a count",
        ),
    ],
)
def test_while_too_many_are_unhealthy_no_serving_instance_is_upgraded(
    desired: ScaleSet, seen: Observed, line: str
) -> None:
    assert decided(desired, seen).line == line


@pytest.mark.parametrize(
    ("ago", "expected"),
    [
        pytest.param(
            HOUR,
            says("AzureUpdating", "instances 0 and 5", "08:00:00", "0 of 2"),
            id="an hour is not more than an hour",
        ),
        pytest.param(
            HOUR + MINUTE,
            says("ProgressDeadlineExceeded", "instances 0 and 5", "07:59:00", "1h"),
            id="longer",
        ),
    ],
)
def test_the_line_about_a_scale_set_that_updates_forever(ago: timedelta, expected: str) -> None:
    seen = observed(
        model=model(provisioning="updating"), attempt=Attempt(Upgrade(("0", "5"), NEW), NOW - ago)
    )
    assert decided(spec(), seen).line == expected


@pytest.mark.parametrize(
    ("step", "progress", "line"),
    [
        pytest.param(
            BATCH,
            Progress(),
            says(
                "AzureUpdating",
                "Azure has been upgrading 2 instances in update domain 1",
                "(web_1, web_6)",
                "08:59:15",
            ),
            id="our batch",
        ),
        pytest.param(
            replace(BATCH, domain="", names=()),
            Progress(),
            says("AzureUpdating", "Azure has been upgrading instances 1 and 6", "08:59:15"),
            id="our batch, whose names are unknown",
        ),
        pytest.param(
            BATCH,
            Progress(seen_at=NOW - MINUTE / 2),
            says("AzureUpdating", "updating"),
            id="the instances were counted since",
        ),
        pytest.param(
            BATCH,
            Progress(seen_at=NOW - 3 * MINUTE / 4),
            says("AzureUpdating", "(web_1, web_6)", "08:59:15"),
            id="our batch, and the instances were counted at the time of the request",
        ),
        pytest.param(
            BATCH,
            Progress(seen_at=NOW - MINUTE, waiting_since=NOW - HOUR, passes=1),
            says("AzureUpdating", "(web_1, web_6)", "08:59:15"),
            id="a retry of our batch, and the instances were counted before",
        ),
        pytest.param(
            BATCH,
            Progress(is_under_way=False),
            says("AzureUpdating", "updating"),
            id="the rollout was seen to end",
        ),
        pytest.param(
            PatchModel(NEW, '"4"'),
            Progress(),
            says("AzureUpdating", "updating"),
            id="our last step was a patch",
        ),
    ],
)
def test_the_line_while_azure_is_busy(step: Step, progress: Progress, line: str) -> None:
    attempt = Attempt(step, NOW - 3 * MINUTE / 4)
    seen = observed(
        model=model(provisioning="updating"), instances=None, progress=replace(progress, attempt=attempt)
    )
    if isinstance(step, PatchModel):
        seen = replace(seen, instances=fleet())
    assert decided(spec(), seen).line == line


UNREPORTED = instance(0, health="")
WITHOUT_EXTENSION = instance(0, health="", latest_model=False, has_health_extension=False, since=LONG_AGO)


@pytest.mark.parametrize(
    ("instances", "number"),
    [
        pytest.param(fleet(), "0 of 2", id="neither is on the image"),
        pytest.param(fleet(instance(0)), "1 of 2", id="one is healthy on the image"),
        pytest.param(
            fleet(instance(0), instance(5, health="unhealthy")), "1 of 2", id="one is unhealthy on it"
        ),
        pytest.param(
            fleet(UNREPORTED, instance(5)), "1 of 2", id="the extension of one has not reported yet"
        ),
        pytest.param(fleet(WITHOUT_EXTENSION, instance(5)), "2 of 2", id="nothing reports the health of one"),
        pytest.param(fleet(instance(0), instance(5)), "2 of 2", id="both are healthy on the image"),
    ],
)
def test_the_line_while_azure_is_busy_counts_the_healthy_instances_of_the_batch(
    instances: Any, number: str
) -> None:
    attempt = Attempt(Upgrade(("0", "5"), NEW), NOW - MINUTE)
    seen = observed(model=model(provisioning="updating"), instances=instances, attempt=attempt)
    assert decided(spec(), seen).line == says("AzureUpdating", number)


@pytest.mark.parametrize(
    ("progress", "reason"),
    [
        pytest.param(Progress(), Reason.DEADLINE_EXCEEDED, id="it never was"),
        pytest.param(Progress(time_on_hold=HOUR), Reason.UPGRADING, id="for an hour, once"),
        pytest.param(
            Progress(time_on_hold=HOUR / 2, on_hold_since=NOW - HOUR / 2),
            Reason.UPGRADING,
            id="up to this look",
        ),
        pytest.param(
            Progress(time_on_hold=HOUR / 2, on_hold_since=NOW - HOUR / 3),
            Reason.DEADLINE_EXCEEDED,
            id="for less than it is late",
        ),
    ],
)
def test_what_was_suspended_has_its_deadline_that_much_later(progress: Progress, reason: Reason) -> None:
    seen = observed(model=model(persisted=began(NOW - 2 * HOUR)), progress=progress)
    assert decided(spec(deadline=HOUR), seen).reason is reason


@pytest.mark.parametrize(
    ("relapses", "line"),
    [
        pytest.param(
            2,
            says("WaitingForInstances", "update domain 0", "web_0 (unhealthy)", "1 of 10"),
            id="twice",
        ),
        pytest.param(
            3,
            says("HealthCheckFailed", "update domain 0", "web_0", "3 times"),
            id="three times",
        ),
    ],
)
def test_the_line_about_repeated_relapses(relapses: int, line: str) -> None:
    decision = decided(
        spec(),
        observed(instances=fleet(instance(0, health="unhealthy")), progress=Progress(relapses=relapses)),
    )
    assert (decision.line, decision.step) == (line, None)
    assert decision.counts is not None
    assert decision.counts.summary == "1 of 10 instances up to date"


def relapsed(number: int, times: int, **changes: Any) -> Any:
    """An upgraded instance that is back just now, and fell sick so often since."""
    return instance(number, relapses=times, **changes)


@pytest.mark.parametrize(
    ("instances", "soak", "line"),
    [
        pytest.param(
            fleet(relapsed(0, 2)),
            5 * MINUTE,
            says("Soaking", "web_0", "08:59:00", "09:04:00", "5m", "1 of 10"),
            id="it fell sick twice",
        ),
        pytest.param(
            fleet(relapsed(0, 3), instance(5)),
            5 * MINUTE,
            says("HealthCheckFailed", "update domain 0", "web_0", "3"),
            id="it fell sick three times",
        ),
        pytest.param(
            fleet(relapsed(0, 3), relapsed(6, 4)),
            5 * MINUTE,
            says("HealthCheckFailed", "update domains 0 and 1", "web_0", "web_6", "3"),
            id="two of two domains did",
        ),
        pytest.param(
            fleet(instance(0), outdated(3, relapses=3)),
            5 * MINUTE,
            says("Soaking", "web_0", "08:59:00", "09:04:00", "5m", "1 of 10"),
            id="one that was not upgraded did",
        ),
        pytest.param(
            fleet(relapsed(0, 3, since=NOW - 5 * MINUTE)),
            5 * MINUTE,
            says("Upgrading", "update domain 0", "24.04.202601140", "web_5", "1 of 10"),
            id="it has been well for its soak",
        ),
    ],
)
def test_one_that_is_back_and_fell_sick_too_often_holds_the_rollout_while_it_soaks(
    instances: Any, soak: timedelta, line: str
) -> None:
    decision = decided(spec(soak=soak), observed(instances=instances))
    assert decision.line == line
    assert decision.counts is not None
    assert decision.counts.total == 10


@pytest.mark.parametrize(
    ("upgraded", "reason"),
    [
        pytest.param("0", "ProgressDeadlineExceeded", id="one of its instances is still there"),
        pytest.param("77", "AzureUpdating", id="repairs have replaced its instances"),
    ],
)
def test_what_azure_updates_long_after_an_upgrade(upgraded: str, reason: str) -> None:
    seen = observed(
        model=model(provisioning="updating"),
        instances=fleet(instance(0)),
        attempt=Attempt(Upgrade((upgraded,), NEW), NOW - 2 * HOUR),
    )
    assert decided(spec(), seen).reason == reason
