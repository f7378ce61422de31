"""What holds a rollout, what passes all the same, and what is said of either."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from reconciler.rollout.decide import decide
from reconciler.rollout.gate import Gate
from reconciler.rollout.observed import Need, Observed
from reconciler.rollout.pause import FleetPause
from reconciler.rollout.persisted import Fingerprint, PersistedState, Signature
from reconciler.rollout.progress import Progress
from reconciler.rollout.reason import Reason
from reconciler.rollout.step import PatchModel, Upgrade
from reconciler.spec.amount import Count, Percent
from reconciler.spec.image import Image, short
from reconciler.spec.scale_set import Approval, Approver, Canary, Converge, ScaleSet
from reconciler.spec.suspension import Suspension
from reconciler.spec.window import Kind, Window
from tests.build import FIX, FLEET, NEW, NOW, OLD, decided, fleet, instance, model, observed, outdated, spec
from tests.messages import says

# NOW is Monday 2026-01-05 09:00 UTC.
HOUR = timedelta(hours=1)
NIGHT = Window(Kind.ALLOW, "0 22 * * *", 4 * HOUR, "UTC")
DAY = Window(Kind.ALLOW, "0 8 * * *", 4 * HOUR, "UTC")
OFFICE = Window(Kind.DENY, "0 7 * * 1-5", 10 * HOUR, "Europe/Berlin")
OPEN = Gate("dependencies", "db is Ready")
CLOSED = Gate("dependencies", "scale set db is Failing (PartialRead)", Reason.DEPENDENCY_NOT_READY)
SIGNED = PersistedState(approved=NEW, signature=Signature.of(NEW, "ada", NOW - HOUR))


def broken(image: Image) -> Gate:
    """The breaker, closed after this image failed elsewhere."""
    return Gate(
        "breaker",
        f"{short(image)} failed in scale set api (spec.maxFailedRollouts allows 0 of 3 scale sets); "
        f"declare another image, or run `reconciler retry --image {short(image)}`",
        Reason.IMAGE_FAILED_ELSEWHERE,
    )


BROKEN = broken(NEW)
SPLIT = Gate(
    "maxChange",
    "commit 91eab1ad9c changes the image of 4 of 10 scale sets; split the commit, or raise spec.maxChange from 30% (3 of 10)",
    Reason.TOO_MUCH_CHANGE,
)
UNREAD = FleetPause(unread_since=NOW - HOUR)
OPENS = datetime(2026, 1, 5, 22, tzinfo=UTC)

DRIFTED = observed(model=model(image=OLD))
ROLLING = observed(instances=fleet(instance(0), instance(5)))
SICK_TWO = tuple(outdated(n, power="stopped") for n in (3, 8))
SICK = observed(instances=fleet(*(outdated(n, health="unhealthy") for n in (3, 8))))


def frozen(freeze: Suspension) -> ScaleSet:
    return spec(fleet=replace(FLEET, freeze=freeze))


@pytest.mark.parametrize(
    ("desired", "seen", "line"),
    [
        pytest.param(
            spec(windows=(NIGHT,)),
            DRIFTED,
            says("OutsideWindow", "2026-01-05 22:00 UTC", "24.04.202601140"),
            id="before a window opens the model is not set",
        ),
        pytest.param(
            spec(windows=(NIGHT,)),
            ROLLING,
            says("OutsideWindow", "2026-01-05 22:00 UTC"),
            id="after a window has closed no further batch is taken",
        ),
        pytest.param(
            spec(windows=(DAY, OFFICE)),
            ROLLING,
            says("OutsideWindow", "0", "7", "1", "5", "2026-01-10 08:00 UTC"),
            id="deny wins over allow",
        ),
        pytest.param(
            spec(windows=(DAY,), fleet=replace(FLEET, windows=(OFFICE,))),
            ROLLING,
            says("OutsideWindow", "0", "7", "1", "5", "2026-01-10 08:00 UTC"),
            id="the windows of the fleet hold beside its own",
        ),
        pytest.param(
            spec(approval=Approval.START),
            DRIFTED,
            says("AwaitingApproval", "24.04.202601140", "`reconciler approve web`"),
            id="approval at the start holds the model",
        ),
        pytest.param(
            spec(approval=Approval.START),
            observed(),
            says("AwaitingApproval", "24.04.202601140", "`reconciler approve web`"),
            id="approval at the start holds the instances if another writer has set the model",
        ),
        pytest.param(
            spec(approval=Approval.CANARY),
            observed(instances=fleet(instance(0))),
            says("AwaitingApproval", "24.04.202601140", "`reconciler approve web`"),
            id="approval of the canary holds what comes after it",
        ),
        pytest.param(
            spec(approval=Approval.CANARY),
            observed(model=model(persisted=PersistedState(approved=OLD)), instances=fleet(instance(0))),
            says("AwaitingApproval", "24.04.202601140", "`reconciler approve web`"),
            id="the approval of another image is none",
        ),
        pytest.param(
            spec(),
            replace(ROLLING, gates=(OPEN, CLOSED)),
            says("DependencyNotReady", "Failing", "PartialRead"),
            id="a gate outside of the scale set",
        ),
        pytest.param(
            spec(windows=(NIGHT,)),
            replace(ROLLING, gates=(CLOSED,)),
            says("OutsideWindow", "2026-01-05 22:00 UTC"),
            id="of two that are closed the first is reported",
        ),
        pytest.param(
            spec(),
            replace(ROLLING, fleet_pause=UNREAD),
            says("PauseUnread", "2026-01-05 08:00 UTC"),
            id="the pause tag could not be read for too long",
        ),
        pytest.param(
            spec(approval=Approval.START),
            replace(ROLLING, model=model(persisted=PersistedState(last_good=NEW)), fleet_pause=UNREAD),
            says("PauseUnread", "2026-01-05 08:00 UTC"),
            id="the pause tag could not be read for too long, and serving instances roll back",
        ),
        pytest.param(
            spec(windows=(NIGHT,)),
            replace(ROLLING, lasting=(BROKEN,)),
            says("ImageFailedElsewhere"),
            id="the breaker before a window, which opens by itself",
        ),
        pytest.param(
            spec(approval=Approval.START),
            replace(ROLLING, lasting=(BROKEN,)),
            says("ImageFailedElsewhere"),
            id="the breaker before an approval, which would change nothing",
        ),
        pytest.param(
            spec(windows=(NIGHT,), approval=Approval.START),
            ROLLING,
            says("AwaitingApproval", "24.04.202601140", "`reconciler approve web`"),
            id="an approval before a window",
        ),
        pytest.param(
            spec(windows=(NIGHT,)),
            replace(DRIFTED, lasting=(OPEN, SPLIT)),
            says("TooMuchChange", "24.04.202601140"),
            id="the cap on change before a window",
        ),
        pytest.param(
            frozen(Suspension()),
            SICK,
            says("Frozen", "spec.freeze"),
            id="a freeze holds even a remediation",
        ),
        pytest.param(
            spec(windows=(NIGHT,)),
            SICK,
            says("OutsideWindow", "2026-01-05 22:00 UTC"),
            id="an image that is not proven is no remedy for the few that are unhealthy",
        ),
        pytest.param(
            spec(approval=Approval.START),
            replace(SICK, instances=fleet(*SICK_TWO, instance(1))),
            says("AwaitingApproval", "24.04.202601140", "`reconciler approve web`"),
            id="nothing unhealthy passes the approval of an image",
        ),
        pytest.param(
            spec(image=FIX, approval=Approval.START),
            observed(instances=fleet(instance(0, health="unhealthy", since=NOW - HOUR))),
            says("AwaitingApproval", "24.04.202602020", "`reconciler approve web`"),
            id="a fix does not pass its approval",
        ),
        pytest.param(
            spec(windows=(NIGHT,)),
            observed(
                instances=fleet(
                    instance(0, health="unhealthy", since=NOW - HOUR),
                    *(outdated(n, power="stopped", health="unhealthy") for n in range(1, 5)),
                ),
                progress=Progress(not_serving=frozenset("01234")),
            ),
            says(
                "TooManyUnhealthy",
                "web_0 (unhealthy)",
                "5 of 10",
                "maxUnhealthy",
                "20%",
                "2 of 10",
                "24.04.202601140",
            ),
            id="more than maxUnhealthy, and the first remediated batch is not healthy",
        ),
        pytest.param(
            frozen(Suspension("year-end", "ada", NOW + HOUR)),
            DRIFTED,
            says("Frozen", "2026-01-05 10:00 UTC"),
            id="a freeze says who, why and until when",
        ),
        pytest.param(
            frozen(Suspension("year-end", "", NOW - HOUR)),
            DRIFTED,
            says("FreezeExpired", "2026-01-05 08:00 UTC", "spec.freeze"),
            id="a freeze that was forgotten is reported",
        ),
    ],
)
def test_which_gate_blocks(desired: ScaleSet, seen: Observed, line: str) -> None:
    decision = decided(desired, seen)
    assert (decision.line, decision.step) == (line, None)


@pytest.mark.parametrize(
    ("desired", "seen", "step"),
    [
        pytest.param(spec(windows=(DAY,)), DRIFTED, PatchModel(NEW, '"4"'), id="a window that is open"),
        pytest.param(
            spec(approval=Approval.START),
            replace(DRIFTED, model=model(image=OLD, persisted=PersistedState(approved=NEW))),
            PatchModel(NEW, '"4"'),
            id="what is approved",
        ),
        pytest.param(
            spec(approval=Approval.CANARY),
            observed(),
            Upgrade(("0", "5"), NEW),
            id="the first batch, before its approval",
        ),
        pytest.param(
            spec(windows=(NIGHT,), approval=Approval.START),
            replace(SICK, model=model(persisted=PersistedState(last_good=NEW)), gates=(CLOSED,)),
            Upgrade(("3", "8"), NEW),
            id="unhealthy instances, to the last good image, which counts as approved",
        ),
        pytest.param(
            spec(windows=(NIGHT,)),
            replace(SICK, instances=fleet(*SICK_TWO, instance(1)), gates=(CLOSED,)),
            Upgrade(("3", "8"), NEW),
            id="unhealthy instances, to an image that is healthy on another through its soak",
        ),
        pytest.param(
            spec(windows=(NIGHT,)),
            observed(
                instances=fleet(*(outdated(n, power="stopped", health="unhealthy") for n in range(5))),
                gates=(CLOSED,),
            ),
            Upgrade(("0",), NEW),
            id="more than maxUnhealthy: the declared image goes to one batch of them",
        ),
        pytest.param(
            spec(image=FIX, windows=(NIGHT,)),
            observed(
                instances=fleet(instance(0, health="unhealthy", since=NOW - HOUR)),
                gates=(CLOSED,),
            ),
            PatchModel(FIX, '"4"'),
            id="the fix of a rollout whose first instance is unhealthy",
        ),
        pytest.param(
            spec(image=FIX, windows=(NIGHT,)),
            observed(
                instances=fleet(outdated(0, provisioning="failed", power="stopped")),
                gates=(CLOSED,),
            ),
            PatchModel(FIX, '"4"'),
            id="the fix of an image that fails before its disk is swapped",
        ),
        pytest.param(
            spec(image=FIX, windows=(NIGHT,)),
            observed(
                model=model(image=OLD, persisted=PersistedState(last_good=OLD, failed=Fingerprint.of(NEW))),
                instances=fleet(instance(0, health="unhealthy")),
                gates=(CLOSED,),
            ),
            PatchModel(FIX, '"4"'),
            id="the fix of an image that failed",
        ),
        pytest.param(
            spec(image=FIX, windows=(NIGHT,)),
            observed(
                instances=fleet(*(instance(n, health="unhealthy") for n in range(3)), rest="upgraded"),
                gates=(CLOSED,),
            ),
            PatchModel(FIX, '"4"'),
            id="a new image where more are unhealthy than maxUnhealthy",
        ),
    ],
)
def test_what_passes(desired: ScaleSet, seen: Observed, step: Any) -> None:
    assert decided(desired, seen).step == step


@pytest.mark.parametrize(
    "instances",
    [
        pytest.param(
            fleet(instance(0, health="unhealthy"), rest="upgraded"),
            id="one unhealthy instance of a settled set",
        ),
        pytest.param(
            fleet(instance(0, provisioning="failed", power="stopped", latest_model=False), rest="upgraded"),
            id="one that failed on another change of the model, and runs its image",
        ),
        pytest.param(
            fleet(outdated(0, health="unhealthy")), id="an unhealthy one that runs neither image of the model"
        ),
    ],
)
def test_unhealthy_instances_without_evidence_open_no_window(instances: Any) -> None:
    seen = observed(instances=instances)
    assert decided(spec(image=FIX, windows=(NIGHT,)), seen).reason is Reason.OUTSIDE_WINDOW


# On the image, and behind another change of the model.
BEHIND = {number: instance(number, latest_model=False) for number in (3, 7)}
ONE, TWO, NAMED = (Canary(instances, timedelta()) for instances in (Count(1), Count(2), ("3", "7")))


@pytest.mark.parametrize(
    ("canary", "instances", "waits"),
    [
        pytest.param(ONE, fleet(), False, id="before the canary it does not wait"),
        pytest.param(ONE, fleet(instance(0)), True, id="once the canary is back it waits"),
        pytest.param(TWO, fleet(instance(0)), False, id="not while one of the canary is missing"),
        pytest.param(TWO, fleet(instance(0), instance(5)), True, id="once none is"),
        pytest.param(NAMED, fleet(), False, id="not before the named canaries are upgraded"),
        pytest.param(NAMED, fleet(instance(3)), False, id="not while a named canary does not exist"),
        pytest.param(NAMED, fleet(instance(3), instance(7)), True, id="once all that are named are back"),
        pytest.param(
            NAMED, fleet(instance(3), outdated(7, protected=True)), True, id="or all of them that could go"
        ),
        pytest.param(ONE, fleet(BEHIND[7]), True, id="the canary lacks another change of the model"),
        pytest.param(TWO, fleet(BEHIND[7]), False, id="one instance of a canary of two is missing"),
        pytest.param(
            NAMED,
            fleet(BEHIND[3], BEHIND[7]),
            True,
            id="the named instances lack another change of the model",
        ),
        pytest.param(NAMED, fleet(BEHIND[3]), False, id="one of the named instances is missing"),
        pytest.param(None, fleet(BEHIND[7]), True, id="the first batch lacks another change of the model"),
        pytest.param(
            ONE,
            fleet(BEHIND[7], outdated(2, health="unhealthy")),
            True,
            id="an unhealthy instance would go before it",
        ),
        pytest.param(
            ONE,
            fleet(replace(BEHIND[7], created=NOW - timedelta(minutes=2))),
            False,
            id="an instance that was created on the image is no canary",
        ),
    ],
)
def test_approval_of_the_canary_is_needed_once_it_is_healthy(
    canary: Canary, instances: Any, *, waits: bool
) -> None:
    desired = spec(approval=Approval.CANARY, canary=canary, converge=Converge.MODEL)
    assert (decided(desired, observed(instances=instances)).reason is Reason.AWAITING_APPROVAL) is waits


def test_the_model_is_set_before_the_canary_is_approved() -> None:
    assert decided(spec(approval=Approval.CANARY), DRIFTED).step == PatchModel(NEW, '"4"')


@pytest.mark.parametrize(
    ("persisted", "instances", "evidence"),
    [
        pytest.param(
            PersistedState(),
            fleet(),
            "24.04.202601140 needs approval once its canary is healthy",
            id="not yet asked for",
        ),
        pytest.param(
            PersistedState(approved=NEW),
            fleet(instance(0)),
            "24.04.202601140 was approved",
            id="given, by nobody known",
        ),
        pytest.param(
            SIGNED,
            fleet(instance(0)),
            "24.04.202601140 was approved by ada at 2026-01-05 08:00 UTC",
            id="given, by whom and when",
        ),
        pytest.param(
            replace(SIGNED, signature=Signature.of(OLD, "ada", NOW)),
            fleet(instance(0)),
            "24.04.202601140 was approved",
            id="given, and signed for another image",
        ),
    ],
)
def test_an_approval_that_holds_nothing_is_named_beside_the_gate_that_does(
    persisted: PersistedState, instances: Any, evidence: str
) -> None:
    seen = observed(model=model(persisted=persisted), instances=instances, gates=(CLOSED,))
    assert decided(spec(approval=Approval.CANARY), seen).gates == (Gate("approval", evidence), CLOSED)


def test_the_line_about_windows_that_never_open() -> None:
    never = Window(Kind.DENY, "* * * * *", HOUR, "UTC")
    assert decided(spec(windows=(never,)), ROLLING).line == says("OutsideWindow")


def test_a_closed_gate_says_when_it_may_be_open_and_names_all_that_were_asked() -> None:
    decision = decided(spec(windows=(NIGHT,), approval=Approval.CANARY), ROLLING)
    assert decision.until is None, "the approval has no time"
    assert [(gate.name, gate.closed, gate.until) for gate in decision.gates] == [
        ("approval", Reason.AWAITING_APPROVAL, None),
        ("windows", Reason.OUTSIDE_WINDOW, OPENS),
    ]
    waits = decided(spec(windows=(NIGHT,)), ROLLING)
    assert waits.until == OPENS
    assert decision.counts is not None


def test_an_unread_pause_tag_is_a_gate_of_its_own() -> None:
    decision = decided(spec(windows=(DAY,)), replace(ROLLING, fleet_pause=UNREAD))
    assert [(gate.name, gate.closed) for gate in decision.gates] == [
        ("pause tag", Reason.PAUSE_UNREAD),
        ("windows", None),
    ]


def test_gates_outside_are_asked_only_once_those_of_the_spec_are_open() -> None:
    seen = replace(ROLLING, gates=None)
    assert decided(spec(windows=(NIGHT,)), seen).reason is Reason.OUTSIDE_WINDOW
    assert decide(spec(windows=(DAY,)), seen) is Need.GATES


@pytest.mark.parametrize(
    ("windows", "evidence"),
    [
        pytest.param(
            (DAY,), "open until 2026-01-05 12:00 UTC (allow 0 8 * * * UTC)", id="by one of kind allow"
        ),
        pytest.param(
            (Window(Kind.DENY, "0 22 * * *", HOUR, "UTC"),),
            "open until 2026-01-05 22:00 UTC",
            id="because no deny is in force",
        ),
        pytest.param(
            (Window(Kind.ALLOW, "* * * * *", HOUR, "UTC"),), "open (allow * * * * * UTC)", id="for good"
        ),
    ],
)
def test_an_open_window_says_until_when(windows: Any, evidence: str) -> None:
    decision = decided(spec(windows=windows), replace(ROLLING, gates=(CLOSED,)))
    assert decision.gates[0] == Gate("windows", evidence)


def test_max_unhealthy_decides_when_a_new_image_passes_gates() -> None:
    seen = observed(instances=fleet(*(instance(n, health="unhealthy") for n in range(3)), rest="upgraded"))
    desired = spec(image=FIX, windows=(NIGHT,), max_unhealthy=Percent(30))
    assert decided(desired, seen).reason is Reason.OUTSIDE_WINDOW


MANY_SICK = fleet(*(outdated(n, power="stopped", health="unhealthy") for n in range(5)))


@pytest.mark.parametrize(
    ("desired", "seen", "doing", "total"),
    [
        pytest.param(
            spec(image=FIX, windows=(NIGHT,)),
            observed(instances=fleet(instance(0, health="unhealthy", since=NOW - HOUR)), gates=(CLOSED,)),
            "the rollout",
            10,
            id="a fix",
        ),
        pytest.param(
            spec(windows=(NIGHT,)),
            observed(instances=MANY_SICK, gates=(CLOSED,)),
            "the next batch",
            10,
            id="a batch of those that do not serve",
        ),
    ],
)
def test_the_breaker_holds_what_passes_all_other_gates(
    desired: ScaleSet, seen: Observed, doing: str, total: int
) -> None:
    assert decide(desired, replace(seen, lasting=None)) is Need.LASTING
    closed = broken(desired.image)
    held = decided(desired, replace(seen, lasting=(closed,)))
    assert held.line == says("ImageFailedElsewhere", doing, short(desired.image))
    assert (held.step, held.gates[0]) == (None, closed)
    assert (held.counts.total if held.counts else None) == total
    assert decided(desired, replace(seen, lasting=(Gate("breaker", "it bears one"),))).step is not None


@pytest.mark.parametrize(
    ("desired", "seen", "step"),
    [
        pytest.param(
            spec(approval=Approval.START),
            observed(
                model=model(image=FIX, persisted=PersistedState(last_good=NEW)), instances=fleet(instance(0))
            ),
            PatchModel(NEW, '"4"'),
            id="the model, and approval is asked",
        ),
        pytest.param(
            spec(approval=Approval.START),
            replace(SICK, model=model(persisted=PersistedState(last_good=NEW))),
            Upgrade(("3", "8"), NEW),
            id="unhealthy instances, and approval is asked",
        ),
        pytest.param(
            spec(windows=(NIGHT,)),
            observed(instances=fleet(*SICK_TWO, instance(1))),
            Upgrade(("3", "8"), NEW),
            id="an image that is proven here needs no breaker",
        ),
    ],
)
def test_a_return_to_the_last_good_image_needs_no_approval_and_no_breaker(
    desired: ScaleSet, seen: Observed, step: Any
) -> None:
    found = decided(desired, replace(seen, lasting=(BROKEN,), gates=(CLOSED,))).step
    assert isinstance(found, type(step))
    assert (found.image, getattr(found, "instance_ids", ())) == (
        step.image,
        getattr(step, "instance_ids", ()),
    )


ONE_CLOSED = Gate(
    "approval",
    "24.04.202601140 needs approval; run `reconciler approve web`",
    Reason.AWAITING_APPROVAL,
)
SICK_ONE = outdated(3, health="unhealthy")


@pytest.mark.parametrize(
    ("canary", "step", "gates", "doing"),
    [
        pytest.param(1, None, (ONE_CLOSED,), "the next batch", id="once the canary is back"),
        pytest.param(2, Upgrade(("3",), NEW), (), "", id="not while one of it is still to go"),
    ],
)
def test_an_approval_of_the_canary_blocks_unhealthy_instances_too(
    canary: int, step: Upgrade | None, gates: tuple[Gate, ...], doing: str
) -> None:
    desired = spec(approval=Approval.CANARY, canary=Canary(Count(canary), timedelta()))
    decision = decided(desired, observed(instances=fleet(instance(0), SICK_ONE)))
    assert (decision.step, decision.gates, decision.doing) == (step, gates, doing)
    assert decision.counts is not None
    assert decision.counts.summary == "1 of 10 instances up to date"


def test_what_passes_all_other_gates_waits_for_no_approval_that_its_canary_has_yet_to_earn() -> None:
    sick = fleet(*(outdated(n, health="unhealthy", latest_model=True) for n in (1, 2, 3)))
    decision = decided(spec(approval=Approval.CANARY), observed(model=model(image=OLD), instances=sick))
    assert (decision.reason, decision.step) == (Reason.MODEL_DRIFT, PatchModel(NEW, '"4"'))


@pytest.mark.parametrize(
    ("windows", "reason"),
    [
        pytest.param((), "Upgrading", id="no window"),
        pytest.param((NIGHT,), "OutsideWindow", id="a closed window"),
    ],
)
def test_serving_instances_roll_back_as_soon_as_a_window_opens(windows: Any, reason: str) -> None:
    """It waits for no pilot, dependency or approval."""
    good = model(persisted=PersistedState(last_good=NEW))
    pilot = Gate("pilot", "api goes first", Reason.AWAITING_PILOT)
    seen = replace(ROLLING, model=good, gates=(CLOSED, pilot), lasting=(BROKEN,))
    assert decided(spec(windows=windows, approval=Approval.START), seen).reason == reason


def test_what_no_time_opens_is_asked_for_where_a_window_is_closed_and_nothing_that_costs_a_request() -> None:
    seen = replace(ROLLING, gates=None, lasting=None)
    assert decide(spec(windows=(NIGHT,)), seen) is Need.LASTING
    assert decide(spec(windows=(DAY,)), seen) is Need.GATES


def test_a_gate_that_holds_the_model_counts_the_instances_by_domain() -> None:
    held = decided(spec(windows=(NIGHT,)), DRIFTED)
    assert (held.reason, held.step) == (Reason.OUTSIDE_WINDOW, None)
    assert held.counts is not None
    assert [(each.domain.number, each.total, each.up_to_date) for each in held.counts.domains] == [
        (number, 2, 0) for number in range(5)
    ]


FIXABLE = observed(
    instances=fleet(instance(0, health="unhealthy", since=NOW - HOUR)),
    progress=Progress(was_under_way=True),
)


def test_a_fix_waits_for_no_approval_that_its_canary_has_yet_to_earn() -> None:
    decision = decided(spec(image=FIX, approval=Approval.CANARY, windows=(NIGHT,)), FIXABLE)
    assert (decision.reason, decision.step) == (Reason.MODEL_DRIFT, PatchModel(FIX, '"4"'))


def test_before_a_fix_it_is_asked_who_wrote_what_somebody_has_approved() -> None:
    signed = PersistedState(approved=FIX, signature=Signature.of(FIX, "ada", NOW - HOUR))
    desired = spec(image=FIX, approval=Approval.START, approver=Approver.ANOTHER, windows=(NIGHT,))
    assert decide(desired, replace(FIXABLE, model=model(persisted=signed))) is Need.AUTHORS
