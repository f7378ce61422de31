"""Evidence against an image: whether those on it are worse off than the others, and which of them failed."""

from datetime import timedelta
from typing import Any

import pytest

from reconciler.rollout.context import Aim, Context
from reconciler.rollout.evidence import has_failed_twice
from reconciler.rollout.observed import Instance, Operation
from reconciler.rollout.persisted import PersistedState
from reconciler.rollout.progress import Progress
from reconciler.rollout.reading import with_instances
from reconciler.rollout.step import Attempt, PatchModel, Upgrade
from reconciler.spec.amount import Count, Percent
from reconciler.spec.scale_set import OnFailure
from tests.build import FIX, NEW, NOW, OLD, decided, fleet, instance, model, observed, outdated, spec
from tests.messages import says

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
WAITING = Progress(waiting_since=NOW - 2 * MINUTE, is_under_way=True)


def lost(number: int) -> Instance:
    """An upgraded instance that has been unhealthy for an hour."""
    return instance(number, health="unhealthy", since=NOW - HOUR)


def sick(number: int) -> Instance:
    """One that is still on OLD, and became unhealthy."""
    return outdated(number, health="unhealthy")


def line(progress: Progress, instances: tuple[Instance, ...], **rollout: Any) -> str:
    seen = observed(
        model=model(persisted=PersistedState(last_good=OLD)), instances=instances, progress=progress
    )
    return decided(spec(on_failure=OnFailure.ROLLBACK, **rollout), seen).line


HELD = says("HealthCheckFailed", "update domain 0", "web_0 (unhealthy)", "10m")
GIVEN_UP = says("GivingUp", "update domain 0", "web_0 (unhealthy)", "10m", "24.04.202601010")


@pytest.mark.parametrize(
    ("instances", "said"),
    [
        pytest.param(
            fleet(lost(0), *(instance(n) for n in range(1, 5)), sick(5)),
            HELD,
            id="one of five on it, one of the five others: no evidence",
        ),
        pytest.param(
            fleet(lost(0), *(instance(n) for n in range(1, 4)), sick(5)),
            GIVEN_UP,
            id="one of four on it, one of the six others: evidence",
        ),
        pytest.param(
            fleet(lost(0), *(instance(n) for n in range(1, 6)), sick(6)),
            HELD,
            id="one of six on it, one of the four others: no evidence",
        ),
        pytest.param(
            fleet(lost(0), sick(5)), GIVEN_UP, id="the one that is on it, one of the nine others: evidence"
        ),
    ],
)
def test_evidence_needs_a_larger_share_of_failures_on_the_image(
    instances: tuple[Instance, ...], said: str
) -> None:
    assert line(WAITING, instances) == said


@pytest.mark.parametrize(
    ("progress", "said"),
    [
        pytest.param(
            Progress(waiting_since=NOW - 2 * MINUTE, is_under_way=True, relapses=2),
            says("WaitingForInstances", "update domain 0", "web_0 (unhealthy)", "1 of 10"),
            id="twice is not yet again and again",
        ),
        pytest.param(
            Progress(waiting_since=NOW - 2 * MINUTE, is_under_way=True, relapses=3),
            says("GivingUp", "update domain 0", "web_0", "3 times", "24.04.202601010"),
            id="three times is, though it is young each time",
        ),
    ],
)
def test_repeated_relapses_are_evidence(progress: Progress, said: str) -> None:
    assert line(progress, fleet(instance(0, health="unhealthy"))) == said


@pytest.mark.parametrize(
    ("waiting_since", "reason"),
    [
        pytest.param(NOW - HOUR, "HealthCheckFailed", id="for an hour: the young one has its time still"),
        pytest.param(NOW - HOUR - MINUTE, "GivingUp", id="for longer: the young one counts too"),
    ],
)
def test_a_batch_past_its_progress_deadline_is_evidence_with_its_young_instances(
    waiting_since: Any, reason: str
) -> None:
    instances = fleet(lost(0), instance(5, health="unhealthy"), rest="upgraded")
    progress = Progress(waiting_since=waiting_since, is_under_way=True)
    assert line(progress, instances, max_unhealthy_upgraded=Count(1)).startswith(f"{reason}: ")


def test_in_the_last_batch_too_a_share_is_of_all_that_were_upgraded() -> None:
    progress = Progress(waiting_since=NOW - 2 * MINUTE, is_under_way=True, not_serving=frozenset({"1", "2"}))
    instances = fleet(lost(0), lost(5), rest="upgraded")
    said = line(progress, instances, max_unhealthy_upgraded=Percent(20))
    assert said == (says("HealthCheckFailed", "update domain 0", "web_0 and web_5 (both unhealthy)", "10m"))


def test_while_a_batch_is_waited_for_nothing_is_rolled_back() -> None:
    failed = instance(0, provisioning="failed", error="VMExtensionProvisioningError")
    progress = Progress(
        waiting_since=NOW - 2 * MINUTE,
        is_under_way=True,
        attempt=Attempt(Upgrade(("0",), NEW), NOW - 2 * MINUTE),
    )
    assert line(progress, fleet(failed)) == (
        says(
            "WaitingForInstances",
            "update domain 0",
            "web_0 (failed with VMExtensionProvisioningError)",
            "1 of 10",
        )
    )


NOT_MADE = "OSProvisioningTimedOut: OS provisioning timed out."
FAILED = Attempt(Upgrade(("0", "5"), NEW), NOW - MINUTE, tries=2, error=NOT_MADE, earlier_error=NOT_MADE)


@pytest.mark.parametrize(
    ("attempt", "operation", "is_again"),
    [
        pytest.param(FAILED, None, True, id="two upgrades in a row made no instance"),
        pytest.param(
            Attempt(FAILED.step, NOW - MINUTE, earlier_error=NOT_MADE),
            Operation("Failed", NOT_MADE),
            True,
            id="the operation of the second one is read just now",
        ),
        pytest.param(
            FAILED,
            Operation("Failed", "QuotaExceeded: no"),
            False,
            id="the second one failed for want of quota, by its operation",
        ),
        pytest.param(
            Attempt(FAILED.step, NOW - MINUTE, error=NOT_MADE), None, False, id="only the last one failed"
        ),
        pytest.param(
            Attempt(Upgrade(("0", "5"), FIX), NOW - MINUTE, error=NOT_MADE, earlier_error=NOT_MADE),
            None,
            False,
            id="both were to another image",
        ),
        pytest.param(
            Attempt(PatchModel(NEW, '"3"'), NOW - MINUTE, error=NOT_MADE, earlier_error=NOT_MADE),
            None,
            False,
            id="the model was changed, and no instance upgraded",
        ),
        pytest.param(None, None, False, id="a new process knows of none"),
    ],
)
def test_two_upgrades_in_a_row_that_made_no_instance(
    attempt: Attempt | None, operation: Operation | None, *, is_again: bool
) -> None:
    seen = observed(attempt=attempt, operation=operation)
    context = with_instances(Aim(desired=spec(), model=model(), observed=seen), fleet())
    assert isinstance(context, Context)
    assert has_failed_twice(context) is is_again
