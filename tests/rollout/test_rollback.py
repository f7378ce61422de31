"""Giving an image up: what is marked beforehand, when it is done, and what is said from then on."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from reconciler.rollout.context import Aim
from reconciler.rollout.decide import decide
from reconciler.rollout.gate import Gate
from reconciler.rollout.observed import Availability, Instance, Model, Need, Verdict
from reconciler.rollout.persisted import Fingerprint, Mark, PersistedState
from reconciler.rollout.progress import Progress
from reconciler.rollout.reason import Reason
from reconciler.rollout.rollback import rollback_obstacle, state_to_persist
from reconciler.rollout.step import Attempt, PatchModel, Upgrade
from reconciler.rollout.tags import with_state
from reconciler.spec.amount import Count
from reconciler.spec.scale_set import Approval, By, Converge, Health, OnFailure, ScaleSet
from reconciler.spec.window import Kind, Window
from tests.build import FIX, NEW, NOW, OLD, decided, fleet, instance, model, observed, outdated, spec
from tests.messages import Says, says

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
BEGAN = Mark.of(NOW, NEW)
LATEST = replace(OLD, version="latest")
LASTING = Progress(waiting_since=NOW - MINUTE)
# All on OLD, and well for an hour.
WELL = tuple(outdated(n, latest_model=True, since=NOW - HOUR) for n in range(10))


def lost(number: int) -> Instance:
    """An upgraded instance that has been unhealthy for an hour."""
    return instance(number, health="unhealthy", since=NOW - HOUR)


def sick(number: int) -> Instance:
    """One that is still on OLD, like the model, and became unhealthy."""
    return outdated(number, health="unhealthy", latest_model=True, since=NOW - HOUR)


def but(*special: Instance) -> tuple[Instance, ...]:
    """All on OLD and well, but for these."""
    return (*special, *(each for each in WELL if each.id not in {one.id for one in special}))


@pytest.mark.parametrize(
    ("desired", "instances", "persisted"),
    [
        pytest.param(spec(), WELL, PersistedState(OLD, began=BEGAN), id="hold alone"),
        pytest.param(spec(deadline=HOUR), WELL, PersistedState(OLD, began=BEGAN), id="a deadline"),
        pytest.param(spec(on_failure=OnFailure.REPIN), WELL, PersistedState(OLD, began=BEGAN), id="repin"),
        pytest.param(
            spec(on_failure=OnFailure.ROLLBACK), WELL, PersistedState(OLD, began=BEGAN), id="rollback"
        ),
        pytest.param(
            spec(on_failure=OnFailure.REPIN),
            tuple(replace(each, latest_model=False) for each in WELL),
            PersistedState(OLD, began=BEGAN),
            id="another change of the model is no matter",
        ),
        pytest.param(
            spec(on_failure=OnFailure.REPIN),
            but(*(sick(n) for n in (0, 1))),
            PersistedState(OLD, began=BEGAN),
            id="as many unhealthy ones as maxUnhealthy allows do not matter",
        ),
        pytest.param(
            spec(on_failure=OnFailure.REPIN),
            but(*(sick(n) for n in (0, 1, 2))),
            PersistedState(FIX, began=BEGAN),
            id="with one more it is not proven good: the one before stays",
        ),
        pytest.param(
            spec(on_failure=OnFailure.REPIN, bake_time=HOUR),
            but(sick(0)),
            PersistedState(FIX, failed=Fingerprint.of(OLD), began=BEGAN),
            id="an unhealthy one that may be due to the image: it is not proven good",
        ),
        pytest.param(
            spec(on_failure=OnFailure.REPIN, bake_time=9 * HOUR),
            WELL,
            PersistedState(OLD, began=BEGAN),
            id="that it bakes still is no matter where all are well",
        ),
        pytest.param(
            spec(on_failure=OnFailure.REPIN, max_unhealthy=Count(9)),
            but(*(sick(n) for n in range(4))),
            PersistedState(OLD, began=BEGAN),
            id="many unhealthy ones do not matter if maxUnhealthy allows them and most are healthy",
        ),
        pytest.param(
            spec(on_failure=OnFailure.REPIN, max_unhealthy=Count(9)),
            but(*(sick(n) for n in range(5))),
            PersistedState(FIX, began=BEGAN),
            id="half of them unhealthy: it is not proven good",
        ),
        pytest.param(
            spec(on_failure=OnFailure.REPIN),
            but(outdated(0, power="deallocated"), instance(1, image=FIX, protected=True)),
            PersistedState(OLD, began=BEGAN),
            id="what a rollout leaves out says nothing about it",
        ),
        pytest.param(
            spec(on_failure=OnFailure.REPIN),
            but(*(outdated(n, power="deallocated") for n in range(10))),
            PersistedState(FIX, began=BEGAN),
            id="where none runs it is not proven",
        ),
        pytest.param(
            spec(on_failure=OnFailure.REPIN),
            but(sick(0), *(outdated(n, power="deallocated") for n in range(1, 10))),
            PersistedState(FIX, failed=Fingerprint.of(OLD), began=BEGAN),
            id="the running ones are unhealthy: it is not proven good",
        ),
        pytest.param(
            spec(on_failure=OnFailure.REPIN),
            but(outdated(0, health="initializing")),
            PersistedState(FIX, began=BEGAN),
            id="one is still in transition: it is not proven good",
        ),
        pytest.param(
            spec(on_failure=OnFailure.REPIN),
            but(instance(0, image=FIX)),
            PersistedState(FIX, began=BEGAN),
            id="one could still be upgraded to it: it is not proven good",
        ),
    ],
)
def test_what_a_scale_set_is_to_remember_when_its_model_is_set(
    desired: ScaleSet, instances: Any, persisted: PersistedState | None
) -> None:
    tags = {"owner": "ada"}
    before = model(image=OLD, persisted=PersistedState(last_good=FIX), tags=tags)
    seen = observed(at=NOW.replace(microsecond=7), model=before, instances=instances)
    step = decided(desired, seen).step
    assert isinstance(step, PatchModel)
    assert step.persisted == persisted
    assert step.tags == (with_state(tags, persisted) if persisted else None)


@pytest.mark.parametrize(
    ("image", "instances"),
    [
        pytest.param(OLD, (), id="a scale set of none has proven nothing"),
        pytest.param(None, WELL, id="what Azure does not tell is not marked as good"),
        pytest.param(
            LATEST,
            tuple(replace(each, image=LATEST) for each in WELL),
            id="latest is never good, because it may come to mean the failed image",
        ),
    ],
)
def test_the_image_that_is_left_is_not_good_for_want_of_proof(image: Any, instances: Any) -> None:
    leaves = model(image=image, persisted=PersistedState(last_good=FIX))
    aim = Aim(desired=spec(on_failure=OnFailure.REPIN), model=leaves, observed=observed())
    assert state_to_persist(aim, instances, is_fix=False) == PersistedState(FIX, began=BEGAN)


@pytest.mark.parametrize(
    ("failed", "kept"),
    [
        pytest.param(FIX, Fingerprint.of(FIX), id="what failed has failed still, whatever is begun after it"),
        pytest.param(NEW, None, id="what failed is tried again"),
        pytest.param(None, None, id="nothing failed"),
    ],
)
def test_a_failed_image_stays_failed_until_it_is_retried(failed: Any, kept: Fingerprint | None) -> None:
    persisted = PersistedState(last_good=OLD, failed=failed and Fingerprint.of(failed))
    aim = Aim(
        desired=spec(on_failure=OnFailure.REPIN),
        model=model(image=OLD, persisted=persisted),
        observed=observed(),
    )
    found = state_to_persist(aim, WELL, is_fix=False)
    assert found == PersistedState(OLD, failed=kept, began=Mark.of(NOW, NEW))


@pytest.mark.parametrize("began", [None, Mark.of(NOW - HOUR, FIX)], ids=["nothing", "another image"])
def test_a_rollout_that_another_writer_began_is_dated_once_it_fails(
    began: Mark | None,
) -> None:
    before = PersistedState(last_good=OLD, began=began)
    seen = observed(model=model(persisted=before), instances=fleet(lost(0)), progress=LASTING)
    step = decided(spec(on_failure=OnFailure.REPIN), seen).step
    assert isinstance(step, PatchModel)
    assert step.persisted == PersistedState(OLD, failed=Fingerprint.of(NEW), began=Mark.of(NOW, NEW))


def test_the_one_instance_of_a_scale_set_proves_its_image() -> None:
    seen = observed(model=model(image=OLD, capacity=1), instances=WELL[:1])
    step = decided(spec(on_failure=OnFailure.REPIN), seen).step
    assert isinstance(step, PatchModel)
    assert step.persisted == PersistedState(OLD, began=BEGAN)


def test_the_model_is_set_back_in_one_patch_with_the_state() -> None:
    before = PersistedState(last_good=OLD, failed=Fingerprint.of(FIX), began=BEGAN, approved=NEW)
    tags = {"owner": "ada"}
    seen = observed(
        model=model(persisted=before, tags=tags, etag='"9"'),
        instances=fleet(lost(0)),
        progress=LASTING,
    )
    decision = decided(spec(on_failure=OnFailure.REPIN), seen)
    assert decision.line == (
        says("GivingUp", "update domain 0", "web_0 (unhealthy)", "10m", "24.04.202601010")
    )
    step = decision.step
    assert isinstance(step, PatchModel)
    assert (step.image, step.etag) == (OLD, '"9"')
    assert step.tags == with_state(tags, step.persisted or PersistedState())
    assert step.persisted == PersistedState(
        last_good=OLD, failed=Fingerprint.of(NEW), began=BEGAN, approved=NEW
    )
    assert decision.soon
    assert f"{decision.reason}: {decision.cause}" == says("GivingUp", "web_0 (unhealthy)", "10m")
    assert decision.line.startswith(f"{decision.reason}: {decision.cause}; ")
    assert decision.counts is not None
    assert decision.counts.summary == "1 of 10 instances up to date"


SICK = fleet(lost(0))
FAILED = says("HealthCheckFailed", "update domain 0", "web_0 (unhealthy)", "10m")


@pytest.mark.parametrize(
    ("on_failure", "good", "progress", "line", "soon"),
    [
        pytest.param(
            OnFailure.HOLD,
            OLD,
            LASTING,
            FAILED.and_names("the failure is being recorded in a tag"),
            False,
            id="the spec asks to hold",
        ),
        pytest.param(OnFailure.REPIN, NEW, LASTING, FAILED, False, id="it is the last good image itself"),
        pytest.param(
            OnFailure.REPIN,
            None,
            LASTING,
            FAILED,
            False,
            id="there is none to go back to",
        ),
        pytest.param(
            OnFailure.REPIN, OLD, Progress(), FAILED, True, id="it was seen so once: look again soon"
        ),
        pytest.param(
            OnFailure.REPIN,
            None,
            Progress(waiting_since=NOW - MINUTE / 2),
            FAILED,
            True,
            id="it was not seen so for a minute",
        ),
    ],
)
def test_a_failure_that_sets_nothing_back(
    on_failure: OnFailure, good: Any, progress: Progress, line: str, *, soon: bool
) -> None:
    seen = observed(
        model=model(persisted=PersistedState(last_good=good, began=BEGAN)), instances=SICK, progress=progress
    )
    decision = decided(spec(on_failure=on_failure), seen)
    assert (decision.line, decision.soon, decision.step) == (line, soon, None)


@pytest.mark.parametrize("since", [NOW, None], ids=["young each time", "since nobody knows when"])
def test_a_batch_that_azure_never_ends_is_rolled_back(since: Any) -> None:
    instances = tuple(instance(n, provisioning="updating", since=since) for n in range(10))
    progress = Progress(waiting_since=NOW - 2 * HOUR)
    seen = observed(
        model=model(persisted=PersistedState(last_good=OLD)), instances=instances, progress=progress
    )
    assert decided(spec(on_failure=OnFailure.REPIN), seen).reason is Reason.GIVING_UP


def last_batch(ago: timedelta) -> tuple[Instance, ...]:
    """All upgraded: one that has been unhealthy for an hour, and nine that became healthy that long ago."""
    return (lost(0), *(instance(n, since=NOW - ago) for n in range(1, 10)))


@pytest.mark.parametrize(
    ("progress", "instances", "reason"),
    [
        pytest.param(
            LASTING,
            last_batch(35 * MINUTE),
            Reason.HEALTH_CHECK_FAILED,
            id="bake, timeout and five minutes ago",
        ),
        pytest.param(
            LASTING,
            last_batch(35 * MINUTE - timedelta(seconds=1)),
            Reason.GIVING_UP,
            id="a second less",
        ),
        pytest.param(
            LASTING,
            (*last_batch(HOUR)[:9], instance(9, since=NOW - MINUTE)),
            Reason.GIVING_UP,
            id="the last one counts",
        ),
        pytest.param(
            LASTING,
            (*last_batch(HOUR)[:9], outdated(9)),
            Reason.GIVING_UP,
            id="not while one is still to go",
        ),
        pytest.param(
            replace(LASTING, is_under_way=True),
            last_batch(HOUR),
            Reason.GIVING_UP,
            id="not where it was seen to be under way",
        ),
        pytest.param(
            replace(LASTING, is_under_way=False),
            last_batch(MINUTE),
            Reason.HEALTH_CHECK_FAILED,
            id="where it was seen to end it is over, however young",
        ),
    ],
)
def test_an_instance_unhealthy_after_the_rollout_is_no_evidence(
    progress: Progress, instances: Any, reason: Reason
) -> None:
    desired = spec(on_failure=OnFailure.REPIN, bake_time=20 * MINUTE)
    seen = observed(
        model=model(persisted=PersistedState(last_good=OLD)), instances=instances, progress=progress
    )
    assert decided(desired, seen).reason is reason


GIVEN_UP = PersistedState(last_good=OLD, failed=Fingerprint.of(NEW), began=Mark.of(NOW - 2 * HOUR, NEW))


@pytest.mark.parametrize("on_failure", [OnFailure.REPIN, OnFailure.ROLLBACK])
@pytest.mark.parametrize(
    "image", [pytest.param(NEW, id="to what failed"), pytest.param(FIX, id="to another")]
)
def test_a_model_that_another_writer_sets_to_the_failed_image_is_set_back(
    on_failure: OnFailure, image: Any
) -> None:
    tags = {"owner": "ada"}
    seen = observed(model=model(image=image, persisted=GIVEN_UP, tags=tags, etag='"9"'), instances=None)
    decision = decided(spec(on_failure=on_failure), seen)
    assert decision.line == says("GivingUp", "24.04.202601140", "24.04.202601010")
    step = decision.step
    assert isinstance(step, PatchModel)
    assert (step.image, step.etag, step.persisted) == (OLD, '"9"', GIVEN_UP)
    assert step.tags == with_state(tags, GIVEN_UP)
    assert decision.soon
    assert f"{decision.reason}: {decision.cause}" == says("GivingUp", "24.04.202601140")
    assert decision.line.startswith(f"{decision.reason}: {decision.cause}; ")


def given_up(*numbers: int, **changes: Any) -> Any:
    """The model is back on the last good image; those run what failed still, and well."""
    instances = tuple(
        instance(n) if n in numbers else instance(n, image=OLD, since=NOW - HOUR) for n in range(10)
    )
    return observed(model=model(image=OLD, persisted=GIVEN_UP), instances=instances, **changes)


LEFT = ("24.04.202601140", "24.04.202601010")


@pytest.mark.parametrize(
    ("desired", "seen", "line"),
    [
        pytest.param(
            spec(on_failure=OnFailure.REPIN),
            given_up(0, 5),
            says("RolloutFailed", *LEFT, "2 of 10"),
            id="repin leaves the instances where they are",
        ),
        pytest.param(
            spec(on_failure=OnFailure.REPIN),
            given_up(),
            says("RolloutFailed", *LEFT),
            id="none runs it any more",
        ),
        pytest.param(
            spec(on_failure=OnFailure.ROLLBACK),
            given_up(),
            says("RolloutFailed", *LEFT),
            id="a rollback that is done",
        ),
        pytest.param(
            spec(on_failure=OnFailure.ROLLBACK),
            replace(
                given_up(),
                instances=(instance(0, protected=True), *given_up().instances[1:9], instance(9, image=None)),
            ),
            says("RolloutFailed", *LEFT, "1 of 10"),
            id="a rollback that leaves a protected one behind",
        ),
        pytest.param(
            spec(on_failure=OnFailure.HOLD),
            given_up(0, 5),
            says("ModelDrift", "24.04.202601010", "24.04.202601140"),
            id="a spec that asks to hold from now on goes on",
        ),
        pytest.param(
            spec(on_failure=OnFailure.REPIN, image=FIX),
            given_up(0, 5),
            says("ModelDrift", "24.04.202601010", "24.04.202602020"),
            id="another image goes first, at once",
        ),
    ],
)
def test_a_failed_image_is_not_retried(desired: ScaleSet, seen: Any, line: str) -> None:
    assert decided(desired, seen).line == line


@pytest.mark.parametrize(
    ("on_failure", "seen", "done"),
    [
        pytest.param(
            OnFailure.REPIN,
            given_up(0, 5),
            "8 of 10 instances up to date",
            id="repin, which touches no instance",
        ),
        pytest.param(OnFailure.ROLLBACK, given_up(), "10 of 10 instances up to date", id="rollback"),
    ],
)
def test_what_is_counted_in_the_end_is_who_is_on_the_last_good_image(
    on_failure: OnFailure, seen: Any, done: str
) -> None:
    decision = decided(spec(on_failure=on_failure), seen)
    assert decision.step is None
    assert decision.counts is not None
    assert decision.counts.summary == done
    assert [tally.total for tally in decision.counts.domains] == [2] * 5


def test_a_partial_list_decides_nothing_during_a_rollback() -> None:
    seen = replace(given_up(), instances=given_up().instances[1:])
    assert decided(spec(on_failure=OnFailure.REPIN), seen).reason is Reason.PARTIAL_READ


@pytest.mark.parametrize("on_failure", [OnFailure.REPIN, OnFailure.ROLLBACK])
def test_the_instances_are_read_during_a_rollback(on_failure: OnFailure) -> None:
    assert decide(spec(on_failure=on_failure), replace(given_up(), instances=None)) is Need.INSTANCES


@pytest.mark.parametrize(
    ("changes", "seen", "line"),
    [
        pytest.param(
            {},
            given_up(0, 5),
            says("Upgrading", "update domain 0", "2", "24.04.202601010", "web_5", "web_0", "8 of 10"),
            id="the instances follow",
        ),
        pytest.param(
            {},
            replace(
                given_up(0), instances=fleet(instance(5, image=OLD, health="unhealthy"), rest="upgraded")
            ),
            says("WaitingForInstances", "update domain 0", "web_5 (unhealthy)", "1 of 10"),
            id="gated on health as on the way there",
        ),
        pytest.param(
            {},
            replace(
                given_up(0),
                instances=fleet(
                    instance(5, image=OLD, health="unhealthy", since=NOW - HOUR), rest="upgraded"
                ),
            ),
            says("HealthCheckFailed", "update domain 0", "web_5 (unhealthy)", "10m"),
            id="an instance that does not become healthy on the last good image is a failure too",
        ),
        pytest.param(
            {"converge": Converge.MODEL},
            replace(
                given_up(0, 5),
                instances=tuple(replace(each, latest_model=False) for each in given_up(0, 5).instances),
            ),
            says("Upgrading", "update domain 0", "2", "24.04.202601010", "web_5", "web_0", "8 of 10"),
            id="those that never left need not return, whatever the model lacks on them",
        ),
        pytest.param(
            {"max_unavailable": Count(1)},
            given_up(0, 5),
            says("Upgrading", "update domain 0", "1", "24.04.202601010", "web_5", "8 of 10"),
            id="no more at once than may be unavailable",
        ),
        pytest.param(
            {"deadline": HOUR},
            given_up(0, 5),
            says("Upgrading", "update domain 0", "2", "24.04.202601010", "web_5", "web_0", "8 of 10"),
            id="no deadline ends it",
        ),
        pytest.param(
            {},
            given_up(0, 5, progress=Progress(waiting_since=NOW - 2 * HOUR)),
            says("Upgrading", "update domain 0", "2", "24.04.202601010", "web_5", "web_0", "8 of 10"),
            id="a batch that takes too long does not end it",
        ),
        pytest.param(
            {"health": Health(10 * MINUTE, passes=3)},
            given_up(0, 5),
            says("ConfirmingHealth", "1 of 3", "health.passes", "8 of 10"),
            id="as many observations as in a rollout",
        ),
        pytest.param(
            {"approval": Approval.START},
            given_up(0, 5, gates=(Gate("turn", "no place is free", Reason.AWAITING_TURN),)),
            says("Upgrading", "update domain 0", "2", "24.04.202601010", "web_5", "web_0", "8 of 10"),
            id="no approval and no gate outside holds it",
        ),
        pytest.param(
            {"windows": (Window(Kind.ALLOW, "0 22 * * *", HOUR, "UTC"),)},
            given_up(0, 5),
            says("OutsideWindow", "2026-01-05 22:00 UTC"),
            id="a window does",
        ),
        pytest.param(
            {"bake_time": 9 * HOUR},
            given_up(),
            says("RolloutFailed", *LEFT),
            id="it does not bake",
        ),
    ],
)
def test_the_gates_of_a_rollback(changes: dict[str, Any], seen: Any, line: Says) -> None:
    """Each line on the way says what it leaves."""
    decision = decided(spec(on_failure=OnFailure.ROLLBACK, **changes), seen)
    is_end = decision.reason is Reason.ROLLOUT_FAILED
    assert decision.line == (line if is_end else line.and_names("24.04.202601140"))
    assert decision.counts is not None


@pytest.mark.parametrize(
    ("seen", "cause"),
    [
        pytest.param(
            given_up(0, 5),
            says("Upgrading", "24.04.202601140 failed"),
            id="the next batch goes back because the image failed",
        ),
        pytest.param(
            replace(
                given_up(0),
                instances=fleet(
                    instance(5, image=OLD, health="unhealthy", since=NOW - HOUR), rest="upgraded"
                ),
            ),
            says("HealthCheckFailed", "web_5 (unhealthy)", "10m"),
            id="the rollback is on hold because of an instance",
        ),
    ],
)
def test_the_cause_of_a_decision_of_a_rollback(seen: Any, cause: Says) -> None:
    decision = decided(spec(on_failure=OnFailure.ROLLBACK), seen)
    assert f"{decision.reason}: {decision.cause}" == cause


def test_a_rollback_takes_unhealthy_instances_on_the_failed_image_first() -> None:
    sick = (instance(3, health="unhealthy"), *given_up(0, 5).instances)
    instances = tuple({each.id: each for each in reversed(sick)}[str(n)] for n in range(10))
    decision = decided(spec(on_failure=OnFailure.ROLLBACK), replace(given_up(), instances=instances))
    assert decision.step == Upgrade(("3",), OLD)


def test_no_window_hides_that_the_return_of_an_instance_is_not_tried_again() -> None:
    attempt = Attempt(Upgrade(("5", "0"), OLD), NOW - HOUR, tries=4)
    desired = spec(on_failure=OnFailure.ROLLBACK, windows=(Window(Kind.ALLOW, "0 22 * * *", HOUR, "UTC"),))
    assert decided(desired, given_up(0, 5)).reason is Reason.OUTSIDE_WINDOW
    assert decided(desired, given_up(0, 5, attempt=attempt)).reason is Reason.NO_EFFECT


GOOD_WAY = Availability(OLD, Verdict.AVAILABLE)


@pytest.mark.parametrize(
    ("changes", "way"),
    [
        pytest.param({}, "", id="an instance runs it"),
        pytest.param(
            {"instances": fleet(rest="upgraded"), "progress": Progress(wrote_last_good=Fingerprint.of(OLD))},
            "",
            id="no instance runs it, and this process noted it",
        ),
        pytest.param(
            {
                "instances": fleet(rest="upgraded"),
                "model": model(image=OLD, persisted=PersistedState(last_good=OLD)),
            },
            "",
            id="the model is on it",
        ),
        pytest.param(
            {"instances": fleet(rest="upgraded")},
            "no instance runs 24.04.202601010, and the only record that 24.04.202601010 was good is a tag",
            id="only a tag says so",
        ),
        pytest.param(
            {"instances": fleet(rest="upgraded"), "was_declared": None},
            Need.HISTORY,
            id="no instance runs it, and the history of the branch was not read",
        ),
        pytest.param(
            {"instances": fleet(rest="upgraded"), "was_declared": True},
            "",
            id="a commit has declared it for this scale set",
        ),
        pytest.param({"was_declared": None}, "", id="where an instance runs it the history is not read"),
        pytest.param(
            {"instances": None, "rollback_target": None},
            Need.INSTANCES,
            id="the instances tell, and were not read",
        ),
        pytest.param(
            {"rollback_target": None},
            Need.ROLLBACK_TARGET,
            id="the catalogue is asked before the model goes back",
        ),
        pytest.param(
            {"rollback_target": Availability(OLD, Verdict.DEPRECATED)},
            "Azure no longer creates instances from the last good image, 24.04.202601010 (ImageDeprecated)",
            id="it is deprecated",
        ),
        pytest.param(
            {"rollback_target": Availability(OLD, Verdict.NOT_FOUND)},
            "Azure no longer creates instances from the last good image, 24.04.202601010 (ImageNotFound)",
            id="it is deleted",
        ),
        pytest.param(
            {"rollback_target": Availability(OLD, Verdict.UNREADABLE)},
            "",
            id="a catalogue that does not answer bars nothing",
        ),
        pytest.param(
            {"model": model(persisted=PersistedState())},
            "there is no known good image to return to",
            id="nothing is known",
        ),
    ],
)
def test_what_prevents_a_rollback(changes: dict[str, Any], way: str | Need) -> None:
    values = {"model": model(persisted=PersistedState(last_good=OLD)), "rollback_target": GOOD_WAY} | changes
    unknown = Fingerprint.of(FIX)
    seen = observed(**({"progress": Progress(wrote_last_good=unknown)} | values))
    assert isinstance(seen.model, Model)
    assert rollback_obstacle(seen.model, seen) == way


def test_a_rollout_without_a_rollback_target_says_so() -> None:
    seen = observed(
        model=model(image=OLD), instances=tuple(outdated(n, health="unhealthy") for n in range(10))
    )
    told = decided(spec(on_failure=OnFailure.REPIN), seen)
    assert told.line == says("ModelDrift", "no rollback target")
    refused = decided(spec(on_failure=OnFailure.REPIN, require_way_back=True), seen)
    assert (refused.reason, refused.step) == ("NoWayBack", None)
    proven = observed(model=model(image=OLD), instances=WELL)
    assert decided(spec(require_way_back=True), proven).reason == "ModelDrift"


@pytest.mark.parametrize(
    ("on", "good", "failed", "kept"),
    [
        pytest.param(NEW, OLD, None, Fingerprint.of(NEW), id="what the model is on"),
        pytest.param(
            NEW,
            OLD,
            Fingerprint.of(FIX),
            Fingerprint.of(NEW),
            id="what the model is on, not what failed before",
        ),
        pytest.param(
            OLD,
            OLD,
            Fingerprint.of(NEW),
            Fingerprint.of(NEW),
            id="what failed, if the model is back",
        ),
        pytest.param(
            NEW, None, None, Fingerprint.of(NEW), id="what the model is on, where none was good before"
        ),
        pytest.param(
            None,
            OLD,
            Fingerprint.of(NEW),
            Fingerprint.of(NEW),
            id="what failed, if no image is reported",
        ),
    ],
)
def test_what_a_fix_replaces_has_failed(
    on: Any, good: Any, failed: Fingerprint | None, kept: Fingerprint
) -> None:
    leaves = model(image=on, persisted=PersistedState(last_good=good, failed=failed))
    aim = Aim(desired=spec(image=FIX), model=leaves, observed=observed())
    remembered = PersistedState(last_good=good, failed=kept, began=Mark.of(NOW, FIX))
    assert state_to_persist(aim, fleet(lost(0)), is_fix=True) == remembered


@pytest.mark.parametrize(
    ("on_failure", "good", "progress", "reason", "blamed"),
    [
        pytest.param(
            OnFailure.HOLD, OLD, LASTING, "HealthCheckFailed", NEW, id="held, there is evidence against it"
        ),
        pytest.param(
            OnFailure.REPIN, OLD, LASTING, "GivingUp", NEW, id="rolled back, there is evidence against it"
        ),
        pytest.param(
            OnFailure.REPIN,
            OLD,
            Progress(),
            "HealthCheckFailed",
            NEW,
            id="unconfirmed, there is evidence against it",
        ),
        pytest.param(
            OnFailure.REPIN,
            None,
            LASTING,
            "HealthCheckFailed",
            NEW,
            id="without a rollback target, there is evidence against it",
        ),
        pytest.param(
            OnFailure.REPIN,
            NEW,
            LASTING,
            "HealthCheckFailed",
            None,
            id="there is no evidence against the last good image",
        ),
    ],
)
def test_which_image_is_blamed(
    on_failure: OnFailure, good: Any, progress: Progress, reason: str, blamed: Any
) -> None:
    seen = observed(model=model(persisted=PersistedState(last_good=good)), instances=SICK, progress=progress)
    decision = decided(spec(on_failure=on_failure), seen)
    assert (decision.reason, decision.blamed) == (reason, blamed and Fingerprint.of(blamed))


UNKNOWN = Progress(waiting_since=NOW - MINUTE, wrote_last_good=Fingerprint.of(FIX))
TAG_ALONE = "no instance runs 24.04.202601010, and the only record that 24.04.202601010 was good is a tag"


def test_a_failure_holds_if_only_a_tag_names_the_rollback_target() -> None:
    seen = observed(
        model=model(persisted=PersistedState(last_good=OLD)),
        instances=fleet(lost(0), rest="upgraded"),
        progress=UNKNOWN,
    )
    decision = decided(spec(on_failure=OnFailure.REPIN), seen)
    assert (decision.line, decision.step) == (
        says("HealthCheckFailed", "update domain 0", "web_0 (unhealthy)", "10m", TAG_ALONE),
        None,
    )


@pytest.mark.parametrize("on_failure", [OnFailure.REPIN, OnFailure.ROLLBACK])
def test_a_model_set_by_another_writer_stays_if_only_a_tag_names_the_rollback_target(
    on_failure: OnFailure,
) -> None:
    newborn = fleet(*(instance(n, created=NOW - HOUR, since=NOW - HOUR) for n in range(10)))
    seen = observed(model=model(persisted=GIVEN_UP), instances=newborn, progress=UNKNOWN)
    decision = decided(spec(on_failure=on_failure), seen)
    assert decision.line == says("NoWayBack", "24.04.202601140", TAG_ALONE)
    assert decision.counts is not None
    assert decision.counts.total == 10


def test_a_rollout_without_a_way_back_waits_for_its_instances() -> None:
    instances = fleet(
        instance(0, health="unhealthy", since=NOW - HOUR), *(outdated(n, image=FIX) for n in range(1, 10))
    )
    seen = observed(model=model(persisted=GIVEN_UP), instances=instances, progress=UNKNOWN)
    decision = decided(spec(on_failure=OnFailure.ROLLBACK), seen)
    assert decision.line == says("HealthCheckFailed", "web_0 (unhealthy)", TAG_ALONE)


def sick_on(*sick: Any, serving: tuple[int, ...] = (), **changes: Any) -> Any:
    """The model is back on OLD; `sick` are unhealthy, `serving` still run the failed image, and the others run OLD."""
    return observed(
        model=model(image=OLD, persisted=GIVEN_UP),
        instances=fleet(
            *sick,
            *(instance(n) for n in serving),
            *(
                instance(n, image=OLD)
                for n in range(10)
                if n not in serving and str(n) not in {e.id for e in sick}
            ),
        ),
        **changes,
    )


RETURNED = Attempt(Upgrade(("5",), OLD), NOW - 2 * MINUTE)
AFTER_IT = NEW.version


@pytest.mark.parametrize(
    ("seen", "line"),
    [
        pytest.param(
            sick_on(lost(0), lost(5), serving=(1, 6)),
            says("Upgrading", "update domain 0", "2", "24.04.202601010", "web_5", "web_0", "6 of 10", AFTER_IT),
            id="those that are unhealthy, of one domain",
        ),
        pytest.param(
            sick_on(lost(0), lost(6)),
            says("Upgrading", "update domain 1", "24.04.202601010", "web_6", "8 of 10", AFTER_IT),
            id="those of two domains, the last one first",
        ),
        pytest.param(
            sick_on(lost(0), instance(5, image=OLD, health="unhealthy"), progress=Progress(attempt=RETURNED)),
            says("WaitingForInstances", "update domain 0", "web_5 (unhealthy)", "9 of 10", AFTER_IT),
            id="no other while one is being rolled back",
        ),
        pytest.param(
            sick_on(instance(5, image=OLD, health="unhealthy"), progress=Progress(attempt=RETURNED)),
            says("WaitingForInstances", "update domain 0", "web_5 (unhealthy)", "10 of 10", AFTER_IT),
            id="the last one is being rolled back",
        ),
        pytest.param(
            sick_on(instance(5, image=OLD, health="unhealthy", since=NOW - HOUR), progress=Progress(attempt=RETURNED)),
            says("RolloutFailed", *LEFT),
            id="one is on OLD again, and unhealthy for another reason",
        ),
        pytest.param(
            sick_on(instance(0, image=FIX, health="unhealthy", since=NOW - HOUR), serving=(1,)),
            says("RolloutFailed", *LEFT, "1 of 10"),
            id="one is unhealthy on another image than the one that failed",
        ),
        pytest.param(
            sick_on(serving=(1, 6)),
            says("RolloutFailed", *LEFT, "2 of 10"),
            id="those that serve stay",
        ),
    ],
)  # fmt: skip
def test_repin_returns_those_that_do_not_serve_and_no_window_holds_them(seen: Any, line: str) -> None:
    closed = Window(Kind.ALLOW, "0 22 * * *", HOUR, "UTC")
    assert decided(spec(on_failure=OnFailure.REPIN, windows=(closed,)), seen).line == line


@pytest.mark.parametrize(
    ("retry", "kept"),
    [
        pytest.param(None, None, id="nobody had an image tried again"),
        pytest.param(Mark.of(NOW - HOUR, NEW), Mark.of(NOW - HOUR, NEW), id="the one that is begun"),
        pytest.param(Mark.of(NOW - HOUR, FIX), None, id="another one"),
    ],
)
def test_that_a_person_has_an_image_tried_again_is_remembered_as_long_as_that_is_begun(
    retry: Mark | None, kept: Mark | None
) -> None:
    leaves = model(image=OLD, persisted=PersistedState(retry=retry))
    aim = Aim(desired=spec(), model=leaves, observed=observed())
    assert state_to_persist(aim, WELL, is_fix=False).retry == kept


@pytest.mark.parametrize(
    "seen",
    [
        pytest.param(
            observed(model=model(persisted=PersistedState(last_good=OLD)), instances=SICK, progress=LASTING),
            id="as it is given up",
        ),
        pytest.param(observed(model=model(persisted=GIVEN_UP)), id="once more"),
    ],
)
def test_a_model_that_is_set_back_notes_what_was_good(seen: Any) -> None:
    step = decided(spec(on_failure=OnFailure.REPIN), seen).step
    assert isinstance(step, PatchModel)
    assert (step.image, step.good) == (OLD, Fingerprint.of(OLD))


@pytest.mark.parametrize(
    ("progress", "special", "reason"),
    [
        pytest.param(
            Progress(relapses=2), instance(0, health="unhealthy"), "WaitingForInstances", id="twice"
        ),
        pytest.param(Progress(relapses=3), instance(0, health="unhealthy"), "GivingUp", id="three times"),
        pytest.param(Progress(), instance(0, relapses=3), "GivingUp", id="three times, and it is back"),
    ],
)
def test_what_falls_sick_again_and_again_is_confirmed_at_once(
    progress: Progress, special: Instance, reason: str
) -> None:
    seen = observed(
        model=model(persisted=PersistedState(last_good=OLD)), instances=fleet(special), progress=progress
    )
    assert decided(spec(on_failure=OnFailure.REPIN, soak=HOUR), seen).reason == reason


@pytest.mark.parametrize(
    ("began", "reason"),
    [
        pytest.param(NOW - 2 * HOUR, "HealthCheckFailed", id="it began long ago, so it was over"),
        pytest.param(NOW - 14 * MINUTE, "GivingUp", id="it began a while ago"),
    ],
)
def test_where_none_serves_its_beginning_tells_whether_a_rollout_was_over(began: Any, reason: str) -> None:
    """All fell sick eleven minutes ago, which may happen at any time."""
    instances = tuple(instance(n, health="unhealthy", since=NOW - 11 * MINUTE) for n in range(10))
    persisted = PersistedState(last_good=OLD, began=Mark.of(began, NEW))
    seen = observed(model=model(persisted=persisted), instances=instances, progress=LASTING)
    assert decided(spec(on_failure=OnFailure.REPIN), seen).reason == reason


@pytest.mark.parametrize(
    ("attempt", "reason"),
    [
        pytest.param(RETURNED, "WaitingForInstances", id="we have sent it back"),
        pytest.param(
            Attempt(Upgrade(("5",), NEW), NOW - 2 * MINUTE),
            "RolloutFailed",
            id="we had sent it to the image that failed",
        ),
        pytest.param(None, "RolloutFailed", id="we have not sent it anywhere"),
    ],
)
def test_under_repin_only_what_was_sent_back_is_waited_for(attempt: Attempt | None, reason: str) -> None:
    seen = sick_on(instance(5, image=OLD, health="unhealthy"), attempt=attempt)
    assert decided(spec(on_failure=OnFailure.REPIN), seen).reason == reason


SEEN_TO_END = Progress(is_under_way=False)
MADE_SINCE = instance(9, image=OLD, health="initializing")


@pytest.mark.parametrize(
    ("progress", "special", "reason", "soon"),
    [
        pytest.param(
            Progress(is_under_way=True), MADE_SINCE, "WaitingForInstances", True, id="it is not over"
        ),
        pytest.param(Progress(), MADE_SINCE, "WaitingForInstances", True, id="nobody has seen it end"),
        pytest.param(SEEN_TO_END, MADE_SINCE, "RolloutFailed", True, id="it was over, and one is coming"),
        pytest.param(
            SEEN_TO_END, instance(9, image=OLD), "RolloutFailed", False, id="it was over, and all are back"
        ),
        pytest.param(SEEN_TO_END, instance(9), "Upgrading", True, id="it was over, and one can still return"),
        pytest.param(
            SEEN_TO_END,
            instance(9, image=OLD, health="unhealthy", since=NOW - HOUR),
            "HealthCheckFailed",
            False,
            id="it was over, and one takes too long",
        ),
    ],
)
def test_a_rollback_that_was_seen_to_end_waits_for_nothing_that_was_made_since(
    progress: Progress, special: Instance, reason: str, *, soon: bool
) -> None:
    instances = (*given_up().instances[:9], special)
    seen = replace(given_up(progress=progress), instances=instances)
    decision = decided(spec(on_failure=OnFailure.ROLLBACK), seen)
    assert (decision.reason, decision.soon) == (reason, soon)
    assert decision.counts is not None
    assert decision.counts.total == 10


def test_a_rollback_that_was_seen_to_end_soaks_where_another_can_still_return() -> None:
    """One has come back from an upgrade a minute ago."""
    instances = (
        instance(0),
        *given_up().instances[1:9],
        instance(9, image=OLD, since=NOW - MINUTE),
    )
    seen = replace(given_up(progress=SEEN_TO_END), instances=instances)
    assert decided(spec(on_failure=OnFailure.ROLLBACK, soak=HOUR), seen).reason is Reason.SOAKING


def test_a_deallocated_instance_lets_no_other_return_alone() -> None:
    instances = (
        *(instance(n) for n in range(9)),
        instance(9, image=OLD, power="deallocated", health=""),
    )
    desired = spec(on_failure=OnFailure.ROLLBACK, by=By.BATCH)
    decision = decided(desired, replace(given_up(), instances=instances))
    assert decision.step == Upgrade(("8", "7"), OLD)


def test_the_end_of_a_rollback_counts_the_instances_while_azure_is_at_work_on_something_else() -> None:
    busy = model(image=OLD, persisted=GIVEN_UP, provisioning="updating")
    seen = replace(given_up(progress=SEEN_TO_END), model=busy)
    decision = decided(spec(on_failure=OnFailure.ROLLBACK), seen)
    assert (decision.reason, decision.soon) == (Reason.ROLLOUT_FAILED, True)
    assert decision.counts is not None
    assert (decision.counts.up_to_date, decision.counts.total) == (10, 10)
