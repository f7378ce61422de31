"""What became of the last step, where nothing else tells: the operation itself is asked."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from reconciler.rollout.decide import decide
from reconciler.rollout.decision import Decision
from reconciler.rollout.gate import Gate
from reconciler.rollout.observed import Instance, Need, Operation
from reconciler.rollout.persisted import Fingerprint, PersistedState
from reconciler.rollout.progress import Progress
from reconciler.rollout.reason import Reason
from reconciler.rollout.step import Attempt, PatchModel, Upgrade
from reconciler.rollout.tags import with_state
from reconciler.spec.amount import Count
from reconciler.spec.image import Image
from reconciler.spec.scale_set import Approval, Converge, OnFailure, ScaleSet
from reconciler.spec.window import Kind, Window
from tests.build import FIX, FLEET, NEW, NOW, OLD, decided, fleet, instance, model, observed, outdated, spec
from tests.messages import says

NIGHT = Window(Kind.ALLOW, "0 22 * * *", timedelta(hours=4), "UTC")
ATTEMPT = Attempt(
    Upgrade(("0", "5"), NEW), NOW - timedelta(minutes=1), "https://management.azure.com/operations/1"
)
ASKED = ("0 and 5", "24.04.202601140", "08:59:00")


def test_the_operation_is_asked_for_only_where_its_effect_does_not_show() -> None:
    assert decide(spec(), observed(attempt=ATTEMPT)) is Need.OPERATION
    done = fleet(instance(0), instance(5))
    assert isinstance(decide(spec(), observed(attempt=ATTEMPT, instances=done)), Decision)


NOT_MADE, EXTENSION = (
    "OSProvisioningTimedOut: OS provisioning timed out.",
    "VMExtensionProvisioningError: VM has reported a failure.",
)
QUOTA = "QuotaExceeded: No cores are left."
TWICE = (*ASKED, *NOT_MADE[:-1].split(": "))
BACK = "24.04.202601010"
ONCE = says("OperationFailed", *TWICE, "09:09:00")


@pytest.mark.parametrize(
    ("now", "before", "on_failure", "line"),
    [
        pytest.param(NOT_MADE, NOT_MADE, OnFailure.ROLLBACK, says("GivingUp", *TWICE, BACK), id="twice"),
        pytest.param(
            NOT_MADE, EXTENSION, OnFailure.REPIN, says("GivingUp", *TWICE, BACK), id="first for an extension"
        ),
        pytest.param(NOT_MADE, "", OnFailure.ROLLBACK, ONCE, id="once: it may be a hiccup"),
        pytest.param(NOT_MADE, QUOTA, OnFailure.ROLLBACK, ONCE, id="first for want of quota"),
        pytest.param(
            QUOTA,
            NOT_MADE,
            OnFailure.ROLLBACK,
            says("OperationFailed", *ASKED, *QUOTA[:-1].split(": "), "09:09:00"),
            id="then for want of quota",
        ),
        pytest.param(
            NOT_MADE,
            NOT_MADE,
            OnFailure.HOLD,
            says("OperationFailed", *TWICE, "09:09:00"),
            id="twice, and the spec asks to hold",
        ),
    ],
)
def test_two_upgrades_in_a_row_of_which_no_instance_came_are_evidence(
    now: str, before: str, on_failure: OnFailure, line: str
) -> None:
    """All of them serve on what they ran."""
    attempt = replace(ATTEMPT, tries=2, earlier_error=before)
    seen = observed(
        model=model(persisted=PersistedState(last_good=OLD)),
        attempt=attempt,
        operation=Operation("Failed", now),
        progress=Progress(is_under_way=True),
    )
    assert decided(spec(on_failure=on_failure), seen).line == line


@pytest.mark.parametrize(
    ("said", "progress", "good", "reason"),
    [
        pytest.param({}, Progress(is_under_way=True), OLD, "GivingUp", id="it served"),
        pytest.param(
            {},
            Progress(is_under_way=True, not_serving=frozenset({"0", "5"})),
            OLD,
            "OperationFailed",
            id="neither served when it was taken",
        ),
        pytest.param(
            {"max_unhealthy_upgraded": Count(2)},
            Progress(is_under_way=True),
            OLD,
            "OperationFailed",
            id="no more failed than maxUnhealthyUpgraded tolerates",
        ),
        pytest.param({}, Progress(is_under_way=True), NEW, "OperationFailed", id="it is the last good image"),
    ],
)
def test_what_such_upgrades_are_no_evidence_against(
    said: dict[str, Any], progress: Progress, good: Image, reason: str
) -> None:
    seen = observed(
        model=model(persisted=PersistedState(last_good=good)),
        attempt=replace(ATTEMPT, tries=2, earlier_error=NOT_MADE),
        operation=Operation("Failed", NOT_MADE),
        progress=progress,
    )
    assert decided(spec(on_failure=OnFailure.ROLLBACK, **said), seen).reason == reason


@pytest.mark.parametrize(
    ("step", "earlier"),
    [
        pytest.param(ATTEMPT.step, NOT_MADE, id="the same upgrade"),
        pytest.param(Upgrade(("1",), NEW), NOT_MADE, id="that of another instance to the same image"),
        pytest.param(Upgrade(("0", "5"), FIX), "", id="that to another image"),
        pytest.param(PatchModel(NEW, '"7"'), "", id="a change of the model"),
    ],
)
def test_an_attempt_knows_what_the_one_before_failed_with(step: Any, earlier: str) -> None:
    after = replace(ATTEMPT, error=NOT_MADE).then(step, NOW, "")
    assert (after.error, after.earlier_error) == ("", earlier)


@pytest.mark.parametrize(
    ("operation", "line", "soon"),
    [
        pytest.param(
            Operation("InProgress"),
            says("AzureUpdating", *ASKED),
            True,
            id="it is under way: wait",
        ),
        pytest.param(
            Operation("Failed", "VMExtensionProvisioningError: VM has reported a failure."),
            says("OperationFailed", *ASKED, "09:04:00"),
            False,
            id="it failed: in Azure's words",
        ),
        pytest.param(
            Operation("Succeeded"),
            says("NoEffect", *ASKED, "09:04:00"),
            False,
            id="it succeeded and nothing shows: the list may be behind",
        ),
        pytest.param(
            Operation(""),
            says("NoEffect", *ASKED, "09:04:00"),
            False,
            id="Azure does not know it any more",
        ),
    ],
)
def test_the_line_about_the_operation_of_an_upgrade(operation: Operation, line: str, soon: bool) -> None:
    decision = decided(spec(), observed(attempt=ATTEMPT, operation=operation))
    assert (decision.line, decision.step, decision.soon) == (line, None, soon)
    assert decision.counts is not None
    assert decision.counts.total == 10


SECOND_TRY = replace(ATTEMPT, tries=2)


def kept(since: datetime = NOW - timedelta(seconds=30), **changes: Any) -> tuple[Instance, Instance]:
    """The two instances of that upgrade, still on their image, with the latest model since then."""
    first, second = (
        replace(outdated(number, latest_model=True, since=since), **changes) for number in (0, 5)
    )
    return first, second


UNCHANGED = kept(NOW - timedelta(hours=1))


@pytest.mark.parametrize(
    ("attempt", "instances", "facts"),
    [
        pytest.param(
            ATTEMPT,
            kept(),
            ("they have the latest model", "web_0 and web_5 still run", "09:04:00"),
            id="two, which have the latest model",
        ),
        pytest.param(
            ATTEMPT,
            kept(latest_model=None),
            ("the upgrade succeeded", "web_0 and web_5 still run", "09:04:00"),
            id="two of a Flexible scale set, which does not report whether they have the latest model",
        ),
        pytest.param(
            SECOND_TRY,
            (instance(0), UNCHANGED[1]),
            ("it has the latest model", "web_5 still runs", "09:09:00"),
            id="one of two, which has the latest model",
        ),
        pytest.param(
            SECOND_TRY,
            (instance(0), replace(UNCHANGED[1], latest_model=None)),
            ("the upgrade succeeded", "web_5 still runs", "09:09:00"),
            id="one of two in a Flexible scale set",
        ),
        pytest.param(
            SECOND_TRY,
            UNCHANGED,
            ("they have the latest model", "web_0 and web_5 still run", "09:09:00"),
            id="two that have not changed since the second request",
        ),
    ],
)
def test_instances_that_an_upgrade_left_on_their_image_are_to_be_reimaged(
    attempt: Attempt, instances: tuple[Instance, ...], facts: tuple[str, ...]
) -> None:
    seen = observed(attempt=attempt, operation=Operation("Succeeded"), instances=fleet(*instances))
    assert decided(spec(), seen).line == says("NoEffect", *ASKED, *facts, OLD.version, "reimage or replace")


@pytest.mark.parametrize(
    ("attempt", "operation", "instances"),
    [
        pytest.param(ATTEMPT, "", kept(), id="Azure does not know the operation any more"),
        pytest.param(
            ATTEMPT,
            "Succeeded",
            kept(ATTEMPT.at),
            id="neither has changed since the first request: the list may be old",
        ),
        pytest.param(
            ATTEMPT,
            "Succeeded",
            (kept()[0], kept(ATTEMPT.at)[1]),
            id="one has not changed since the first request: the list may be old",
        ),
        pytest.param(
            ATTEMPT,
            "Succeeded",
            (kept()[0], kept(latest_model=False)[1]),
            id="one lacks the latest model",
        ),
        pytest.param(
            SECOND_TRY,
            "Succeeded",
            (UNCHANGED[0], replace(UNCHANGED[1], provisioning="failed")),
            id="one failed",
        ),
        pytest.param(
            SECOND_TRY,
            "Succeeded",
            tuple(replace(each, image=None) for each in UNCHANGED),
            id="Azure reports no image of either",
        ),
    ],
)
def test_what_does_not_show_that_an_upgrade_left_instances_on_their_image(
    attempt: Attempt, operation: str, instances: tuple[Instance, ...]
) -> None:
    seen = observed(attempt=attempt, operation=Operation(operation), instances=fleet(*instances))
    decision = decided(spec(), seen)
    assert decision.reason is Reason.NO_EFFECT
    assert "reimage" not in decision.message


def test_an_upgrade_that_put_its_instances_on_the_image_left_none_behind() -> None:
    """They lack another change of the model, so they are upgraded again."""
    behind = (instance(number, latest_model=False, since=NOW) for number in (0, 5))
    seen = observed(attempt=ATTEMPT, operation=Operation("Succeeded"), instances=fleet(*behind))
    decision = decided(spec(converge=Converge.MODEL), seen)
    assert decision.reason is Reason.NO_EFFECT
    assert "reimage" not in decision.message


LATE = says("ProgressDeadlineExceeded", "1h")


@pytest.mark.parametrize(
    ("attempt", "operation", "line"),
    [
        pytest.param(
            replace(ATTEMPT, tries=4),
            Operation("Failed", "QuotaExceeded: No cores are left."),
            LATE.and_names(*ASKED, "4", "QuotaExceeded", "No cores are left"),
            id="its last try failed",
        ),
        pytest.param(
            ATTEMPT,
            Operation("Succeeded"),
            LATE.and_names(*ASKED),
            id="it succeeded, and does not show",
        ),
        pytest.param(
            replace(ATTEMPT, operation=""),
            None,
            LATE.and_names(*ASKED),
            id="it has no operation that could be asked for",
        ),
        pytest.param(None, None, LATE, id="a new process knows of none"),
        pytest.param(
            replace(ATTEMPT, step=PatchModel(NEW, "4")),
            Operation("Succeeded"),
            LATE,
            id="the last step was no upgrade",
        ),
    ],
)
def test_the_line_about_an_upgrade_without_effect_past_its_deadline(
    attempt: Attempt | None, operation: Operation | None, line: str
) -> None:
    waited = Progress(waiting_since=NOW - timedelta(minutes=61), is_under_way=True)
    seen = observed(instances=fleet(), attempt=attempt, operation=operation, progress=waited)
    assert decided(spec(), seen).line == line


def test_the_operation_of_an_overdue_upgrade_is_read() -> None:
    waited = Progress(waiting_since=NOW - timedelta(minutes=61), is_under_way=True)
    assert decide(spec(), observed(instances=fleet(), attempt=ATTEMPT, progress=waited)) is Need.OPERATION


def test_the_line_about_an_upgrade_of_one_instance() -> None:
    attempt = Attempt(Upgrade(("0",), NEW), NOW - timedelta(minutes=1))
    seen = observed(attempt=attempt, instances=fleet(outdated(0), of=1), model=model(capacity=1))
    assert decided(spec(), seen).line == says("NoEffect", "instance 0", "08:59:00")


def test_the_line_about_a_failed_patch() -> None:
    attempt = Attempt(PatchModel(NEW, '"3"'), NOW - timedelta(minutes=1), "https://...")
    seen = observed(
        model=model(image=OLD, capacity=1),
        instances=fleet(outdated(0, latest_model=True), of=1),
        attempt=attempt,
        operation=Operation("Failed", "NetworkingInternalOperationError: An unexpected error occurred."),
    )
    assert decided(spec(), seen).line == says("OperationFailed", "24.04.202601140", "08:59:00", "09:04:00")


@pytest.mark.parametrize(
    ("image", "ago", "reason"),
    [
        pytest.param(OLD, timedelta(minutes=1), "NoEffect", id="it was set to another: the read is behind"),
        pytest.param(
            OLD, timedelta(minutes=5), "Upgrading", id="five minutes ago: another writer has set it since"
        ),
        pytest.param(NEW, timedelta(minutes=1), "Upgrading", id="it was set to this one"),
    ],
)
def test_nothing_is_upgraded_to_a_model_that_is_not_the_one_that_was_set(
    image: Image, ago: timedelta, reason: str
) -> None:
    attempt = Attempt(PatchModel(image, '"3"'), NOW - ago)
    assert decided(spec(), observed(attempt=attempt)).reason == reason


SET = Attempt(PatchModel(OLD, '"3"'), NOW - timedelta(minutes=1), "https://management.azure.com/operations/1")


@pytest.mark.parametrize("status", ["InProgress", "Succeeded", ""])
def test_the_line_names_what_the_model_was_set_to(status: str) -> None:
    decision = decided(spec(), observed(attempt=SET, operation=Operation(status)))
    assert decision.line == says("NoEffect", "24.04.202601010", "08:59:00", "24.04.202601140", "09:04:00")
    assert (decision.step, decision.counts) == (None, None)


URL = "https://management.azure.com/operations/1"
DONE = Attempt(PatchModel(NEW, '"3"'), NOW - timedelta(minutes=1), URL)
PREEMPTED = Operation("Failed", "OperationPreempted: preempted by a more recent operation.")


def test_no_instance_follows_a_model_before_the_operation_that_set_it_is_read() -> None:
    assert decide(spec(), observed(attempt=DONE)) is Need.OPERATION
    assert decide(spec(), observed(attempt=DONE, instances=None)) is Need.OPERATION


@pytest.mark.parametrize(
    ("operation", "provisioning", "reason"),
    [
        pytest.param(Operation("Succeeded"), "succeeded", "Upgrading", id="it ended well"),
        pytest.param(Operation("Succeeded"), "failed", "Upgrading", id="it ended well, in a set that failed"),
        pytest.param(Operation("InProgress"), "succeeded", "AzureUpdating", id="it is under way"),
        pytest.param(Operation("Failed", "X: no"), "succeeded", "OperationFailed", id="it failed"),
        pytest.param(
            Operation(""), "succeeded", "Upgrading", id="it is not reported, and the scale set succeeded"
        ),
        pytest.param(Operation(""), "failed", "NoEffect", id="it is not reported, and the scale set failed"),
        pytest.param(PREEMPTED, "succeeded", "Upgrading", id="another took its place, and the set is well"),
        pytest.param(PREEMPTED, "failed", "OperationFailed", id="another took its place, and the set failed"),
    ],
)
def test_what_becomes_of_a_model_that_was_set(operation: Operation, provisioning: str, reason: str) -> None:
    seen = observed(attempt=DONE, operation=operation, model=model(provisioning=provisioning))
    assert decided(spec(), seen).reason == reason


@pytest.mark.parametrize(
    ("attempt", "expected"),
    [
        pytest.param(
            Attempt(PatchModel(OLD, '"3"'), NOW - timedelta(hours=1), URL), None, id="of another image"
        ),
        pytest.param(
            Attempt(PatchModel(NEW, '"3"'), NOW - timedelta(hours=1)), None, id="that named no operation"
        ),
        pytest.param(
            Attempt(PatchModel(NEW, '"3"'), NOW - timedelta(hours=1), URL),
            "ModelUpdateFailed",
            id="of this image, long ago",
        ),
    ],
)
def test_a_change_of_the_model_that_failed_is_made_again(attempt: Attempt, expected: str | None) -> None:
    decision = decided(spec(), observed(attempt=attempt, operation=Operation("Failed", "X: no")))
    assert decision.reason == (expected or "Upgrading")
    if expected:
        assert decision.step == PatchModel(NEW, '"4"')
        assert decision.line == says("ModelUpdateFailed", "24.04.202601140")
        assert decision.soon


def test_what_it_was_to_remember_is_written_again_beside_the_tags_of_now() -> None:
    persisted = PersistedState(last_good=OLD, fleet="shop")
    attempt = Attempt(PatchModel(NEW, '"3"', persisted, {"team": "then"}), NOW - timedelta(hours=1), URL)
    seen = observed(
        attempt=attempt, operation=Operation("Failed", "X: no"), model=model(tags={"team": "now"})
    )
    step = decided(spec(fleet=replace(FLEET, name="shop")), seen).step
    assert isinstance(step, PatchModel)
    assert (step.etag, step.persisted) == ('"4"', persisted)
    assert step.tags == with_state({"team": "now"}, persisted)


AGAIN = says("ModelUpdateFailed", "24.04.202601140")


@pytest.mark.parametrize(
    ("operation", "line"),
    [
        pytest.param(
            Operation("InProgress"),
            says("AzureUpdating", "24.04.202601140", "08:00:00"),
            id="it is under way",
        ),
        pytest.param(
            Operation("Failed", "OSProvisioningClientError: OS provisioning failed."),
            AGAIN.and_names("OSProvisioningClientError", "OS provisioning failed"),
            id="it failed",
        ),
        pytest.param(
            Operation(""), AGAIN.and_names("Failed"), id="it is not reported, and the scale set failed"
        ),
    ],
)
def test_the_line_about_a_change_of_the_model_before_any_upgrade(operation: Operation, line: str) -> None:
    persisted = PersistedState(last_good=OLD)
    attempt = Attempt(PatchModel(NEW, '"3"', persisted), NOW - timedelta(hours=1), URL)
    decision = decided(
        spec(), observed(attempt=attempt, operation=operation, model=model(provisioning="failed"))
    )
    assert (decision.line, decision.soon) == (line, True)
    if isinstance(decision.step, PatchModel):
        assert decision.step.persisted == persisted


@pytest.mark.parametrize(
    ("provisioning", "instances", "reason"),
    [
        pytest.param("failed", fleet(), "ModelUpdateFailed", id="it failed, and no instance follows yet"),
        pytest.param("failed", fleet(instance(0)), "Upgrading", id="it failed, and one has followed"),
        pytest.param("failed", fleet(rest="upgraded"), "UpToDate", id="it failed, and all have followed"),
        pytest.param("succeeded", fleet(), "Upgrading", id="it is well"),
    ],
)
def test_a_new_process_sets_the_model_of_a_set_that_failed_once_more_before_any_instance(
    provisioning: str, instances: tuple[Instance, ...], reason: str
) -> None:
    seen = observed(model=model(provisioning=provisioning), instances=instances)
    decision = decided(spec(), seen)
    assert decision.reason == reason
    if reason == "ModelUpdateFailed":
        assert decision.line == says("ModelUpdateFailed", "24.04.202601140")
        assert decision.step == PatchModel(NEW, '"4"')


def test_it_is_not_made_again_without_an_etag() -> None:
    attempt = Attempt(PatchModel(NEW, '"3"'), NOW - timedelta(hours=1), URL)
    seen = observed(attempt=attempt, operation=Operation("Failed", "X: no"), model=model(etag=""))
    assert decided(spec(), seen).reason == "EtagMissing"


OTHERS = fleet(outdated(0, provisioning="failed", since=NOW - timedelta(seconds=30)), instance(5))


@pytest.mark.parametrize(
    ("operation", "reason"),
    [
        pytest.param(Operation("Failed", "X: no"), "OperationFailed", id="it failed: the next waits"),
        pytest.param(Operation("Succeeded"), "Upgrading", id="it ended well"),
        pytest.param(Operation(""), "Upgrading", id="it is not reported"),
    ],
)
def test_before_another_upgrade_that_of_one_which_is_not_done_is_read(
    operation: Operation, reason: str
) -> None:
    assert decide(spec(), observed(attempt=ATTEMPT, instances=OTHERS)) is Need.OPERATION
    assert decided(spec(), observed(attempt=ATTEMPT, instances=OTHERS, operation=operation)).reason == reason


def test_a_model_that_could_not_be_set_holds_nothing_up() -> None:
    assert decide(spec(), observed(attempt=SET)) is Need.OPERATION
    preempted = observed(attempt=SET, operation=Operation("Failed", "OperationPreempted: no"))
    assert decided(spec(), preempted).step == Upgrade(("0", "5"), NEW)


def tried(tries: int, minutes: int, step: Any = None) -> Attempt:
    """The upgrade of the first batch, unless another step is named: sent so often, last so many minutes ago."""
    return Attempt(step or Upgrade(("0", "5"), NEW), NOW - timedelta(minutes=minutes), tries=tries)


UPGRADED = says("NoEffect", "0 and 5", "24.04.202601140")
TAKEN = says("Upgrading", "update domain 0", "2", "24.04.202601140", "web_0", "web_5", "0 of 10")


@pytest.mark.parametrize(
    ("attempt", "line"),
    [
        pytest.param(
            tried(2, 9),
            UPGRADED.and_names("08:51:00", "09:01:00"),
            id="ten minutes after the second",
        ),
        pytest.param(tried(2, 10), TAKEN, id="retried ten minutes after the second"),
        pytest.param(
            tried(3, 19),
            UPGRADED.and_names("08:41:00", "09:01:00"),
            id="twenty after the third",
        ),
        pytest.param(tried(3, 20), TAKEN, id="then once more"),
        pytest.param(
            tried(4, 39),
            UPGRADED.and_names("08:21:00", "09:01:00"),
            id="forty after the fourth",
        ),
        pytest.param(
            tried(4, 40),
            UPGRADED.and_names("08:20:00", "`reconciler retry`"),
            id="never again after the fourth",
        ),
        pytest.param(
            tried(4, 40, Upgrade(("1", "6"), NEW)), TAKEN, id="another upgrade starts after the fourth"
        ),
    ],
)
def test_an_upgrade_without_effect_is_retried_at_growing_intervals(attempt: Attempt, line: str) -> None:
    assert decided(spec(), observed(attempt=attempt)).line == line


DEPENDS = Gate("dependencies", "db is Failing: PartialRead", Reason.DEPENDENCY_NOT_READY)


@pytest.mark.parametrize(
    "held",
    [
        pytest.param((spec(windows=(NIGHT,)), {}), id="a window"),
        pytest.param((spec(approval=Approval.START), {}), id="an approval"),
        pytest.param((spec(), {"gates": (DEPENDS,)}), id="a gate outside"),
    ],
)
@pytest.mark.parametrize(
    ("attempt", "instances", "is_told"),
    [
        pytest.param(tried(4, 39), fleet(), True, id="the last try is young"),
        pytest.param(tried(4, 600), fleet(), True, id="the last try was hours ago"),
        pytest.param(tried(3, 20), fleet(), False, id="it goes once more when the gate opens"),
        pytest.param(tried(4, 39), fleet(instance(0)), False, id="one of its instances is done"),
        pytest.param(
            tried(4, 39),
            fleet(outdated(0, protected=True)),
            False,
            id="a person protects one of its instances",
        ),
        pytest.param(tried(4, 39, Upgrade(("0", "5"), OLD)), fleet(), False, id="it was to another image"),
    ],
)
def test_no_gate_hides_that_an_upgrade_is_not_tried_again(
    held: tuple[ScaleSet, dict[str, Any]], attempt: Attempt, instances: Any, *, is_told: bool
) -> None:
    desired, changes = held
    found = decided(desired, observed(attempt=attempt, instances=instances, **changes))
    assert (found.reason is Reason.NO_EFFECT) is is_told
    assert found.step is None
    assert found.counts is not None
    assert found.counts.total == 10


@pytest.mark.parametrize("error", ["QuotaExceeded: No cores are left.", ""])
def test_what_became_of_its_last_try_is_asked_for_behind_a_closed_gate(error: str) -> None:
    attempt = replace(tried(4, 600), operation=ATTEMPT.operation)
    seen = observed(attempt=attempt)
    assert decide(spec(windows=(NIGHT,)), replace(seen, lasting=())) is Need.OPERATION
    ended = Operation("Failed" if error else "Succeeded", error)
    found = decided(spec(windows=(NIGHT,)), replace(seen, operation=ended))
    assert found.reason is (Reason.OPERATION_FAILED if error else Reason.NO_EFFECT)


PATCH = PatchModel(NEW, '"3"')
DRIFT = says("ModelDrift", "24.04.202601010", "24.04.202601140")


@pytest.mark.parametrize(
    ("attempt", "line"),
    [
        pytest.param(
            tried(2, 1, PATCH),
            says("NoEffect", "24.04.202601140", "08:59:00", "09:09:00"),
            id="twice may be a read that is behind",
        ),
        pytest.param(
            replace(tried(2, 1, PATCH), has_succeeded=True),
            says("NoEffect", "24.04.202601140", "08:59:00", "24.04.202601010", "09:09:00"),
            id="twice is another writer where the operation was seen to succeed",
        ),
        pytest.param(
            tried(3, 1, PATCH),
            says("Contested", "24.04.202601140", "3", "08:59:00", "09:19:00"),
            id="three times is another writer",
        ),
        pytest.param(
            tried(5, 39, PATCH),
            says("Contested", "24.04.202601140", "5", "08:21:00", "09:01:00"),
            id="the wait grows to forty minutes and no longer",
        ),
        pytest.param(tried(5, 40, PATCH), DRIFT, id="it is set again, however often that was"),
        pytest.param(tried(3, 1, PatchModel(FIX, '"3"')), DRIFT, id="that of another image contests nothing"),
    ],
)
def test_a_model_that_another_writer_reverts_is_set_again(attempt: Attempt, line: str) -> None:
    seen = observed(
        model=model(image=OLD),
        instances=fleet(*(outdated(n, latest_model=True) for n in range(10))),
        attempt=attempt,
    )
    assert decided(spec(), seen).line == line


@pytest.mark.parametrize(
    ("operation", "reason"),
    [
        pytest.param(Operation("InProgress"), Reason.AZURE_UPDATING, id="it is under way still"),
        pytest.param(Operation("Failed", "Conflict: no"), Reason.OPERATION_FAILED, id="it failed"),
        pytest.param(Operation("Succeeded"), Reason.CONTESTED, id="it ended well"),
        pytest.param(Operation(""), Reason.CONTESTED, id="nobody knows it any more"),
    ],
)
def test_nobody_contests_what_azure_itself_has_not_done(operation: Operation, reason: Reason) -> None:
    attempt = replace(tried(3, 1, PATCH), operation="https://management.azure.com/operations/1")
    seen = observed(
        model=model(image=OLD),
        instances=fleet(*(outdated(n, latest_model=True) for n in range(10))),
        attempt=attempt,
    )
    assert decide(spec(), seen) is Need.OPERATION
    assert decided(spec(), replace(seen, operation=operation)).reason is reason


@pytest.mark.parametrize(
    ("attempt", "on_failure", "reason"),
    [
        pytest.param(
            replace(ATTEMPT, tries=2, error=NOT_MADE, earlier_error=NOT_MADE),
            OnFailure.ROLLBACK,
            "GivingUp",
            id="it is given up",
        ),
        pytest.param(
            replace(ATTEMPT, tries=2, error=NOT_MADE, earlier_error=NOT_MADE),
            OnFailure.HOLD,
            "OperationFailed",
            id="it is held",
        ),
    ],
)
def test_an_error_that_was_read_before_needs_no_operation(
    attempt: Attempt, on_failure: OnFailure, reason: str
) -> None:
    seen = observed(
        model=model(persisted=PersistedState(last_good=OLD)),
        attempt=attempt,
        progress=Progress(is_under_way=True),
    )
    assert decided(spec(on_failure=on_failure), seen).reason == reason


@pytest.mark.parametrize(
    ("tries", "minutes", "on_failure", "reason", "ids"),
    [
        pytest.param(2, 9, OnFailure.HOLD, "OperationFailed", (), id="ten minutes have not passed yet"),
        pytest.param(2, 10, OnFailure.HOLD, "Upgrading", ("0", "5"), id="ten minutes have passed"),
        pytest.param(4, 40, OnFailure.HOLD, "OperationFailed", (), id="it was tried four times"),
        pytest.param(2, 10, OnFailure.ROLLBACK, "GivingUp", (), id="the spec asks to go back"),
    ],
)
def test_an_upgrade_that_made_no_instance_twice_is_tried_again_while_it_is_held(
    tries: int, minutes: int, on_failure: OnFailure, reason: str, ids: tuple[str, ...]
) -> None:
    seen = observed(
        model=model(persisted=PersistedState(last_good=OLD)),
        attempt=replace(ATTEMPT, at=NOW - timedelta(minutes=minutes), tries=tries, earlier_error=NOT_MADE),
        operation=Operation("Failed", NOT_MADE),
        progress=Progress(is_under_way=True),
    )
    decision = decided(spec(on_failure=on_failure), seen)
    named = decision.step.instance_ids if isinstance(decision.step, Upgrade) else ()
    assert (decision.reason, named) == (reason, ids)
    assert decision.blamed == (None if ids else Fingerprint.of(NEW))


def test_while_it_is_held_the_instances_are_counted() -> None:
    seen = observed(
        model=model(persisted=PersistedState(last_good=OLD)),
        attempt=replace(ATTEMPT, tries=2, earlier_error=NOT_MADE),
        operation=Operation("Failed", NOT_MADE),
        progress=Progress(is_under_way=True),
    )
    decision = decided(spec(), seen)
    assert (decision.reason, decision.step) == ("OperationFailed", None)
    assert decision.counts is not None
    assert (decision.counts.up_to_date, decision.counts.total) == (0, 10)


def test_against_the_last_good_image_no_failure_counts() -> None:
    seen = observed(
        model=model(persisted=PersistedState(last_good=NEW)),
        attempt=replace(ATTEMPT, tries=2, earlier_error=NOT_MADE),
        operation=Operation("Failed", NOT_MADE),
        progress=Progress(is_under_way=True),
    )
    assert decided(spec(on_failure=OnFailure.ROLLBACK), seen).line == ONCE


def test_an_upgrade_that_was_tried_twice_says_so_once_its_batch_is_overdue() -> None:
    waited = Progress(waiting_since=NOW - timedelta(minutes=61), is_under_way=True)
    seen = observed(attempt=replace(ATTEMPT, tries=2), operation=Operation("Failed", QUOTA), progress=waited)
    assert decided(spec(), seen).line == LATE.and_names(*ASKED, "2 tries", *QUOTA[:-1].split(": "))


def test_the_operation_of_an_overdue_upgrade_is_read_before_its_image_is_blamed() -> None:
    """The error that the instance shows is evidence already, and that of the attempt was read before."""
    failed = outdated(3, provisioning="failed", error="OSProvisioningTimedOut")
    attempt = Attempt(Upgrade(("3",), NEW), NOW - timedelta(hours=1), URL, error=NOT_MADE)
    seen = observed(
        model=model(persisted=PersistedState(last_good=OLD)),
        instances=fleet(failed),
        attempt=attempt,
        progress=Progress(waiting_since=NOW - timedelta(minutes=61), is_under_way=True),
    )
    desired = spec(on_failure=OnFailure.ROLLBACK)
    assert decide(desired, seen) is Need.OPERATION
    assert decided(desired, replace(seen, operation=Operation("Failed", "X: no"))).reason is Reason.GIVING_UP


@pytest.mark.parametrize(
    ("status", "line"),
    [
        pytest.param(
            "Succeeded",
            says("NoEffect", "24.04.202601140", "08:59:00", "24.04.202601010", "09:09:00"),
            id="it ended well: another writer has set it since",
        ),
        pytest.param(
            "",
            says("NoEffect", "24.04.202601140", "08:59:00", "09:09:00"),
            id="Azure does not know it any more: the read may be behind",
        ),
    ],
)
def test_a_model_that_reads_otherwise_than_it_was_set_is_told_by_its_operation(
    status: str, line: str
) -> None:
    seen = observed(
        model=model(image=OLD),
        instances=fleet(*(outdated(n, latest_model=True) for n in range(10))),
        attempt=replace(tried(2, 1, PATCH), operation=URL),
        operation=Operation(status),
    )
    assert decided(spec(), seen).line == line
