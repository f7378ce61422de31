"""What passes a closed gate: a rollback, a fix, and the remediation of instances that do not serve."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from reconciler.rollout.context import Aim
from reconciler.rollout.observed import Availability, HealthSource, Instance, Model, Verdict
from reconciler.rollout.persisted import Fingerprint, PersistedState
from reconciler.rollout.progress import Progress
from reconciler.rollout.remedy import is_fix
from reconciler.rollout.step import PatchModel, Step, Upgrade
from reconciler.spec.amount import Count
from reconciler.spec.image import Image
from reconciler.spec.scale_set import Approval, Canary, OnFailure, ScaleSet
from reconciler.spec.window import Kind, Window
from tests.build import FIX, NEW, NOW, OLD, decided, fleet, instance, model, observed, outdated, spec
from tests.messages import says

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
CLOSED = (Window(Kind.ALLOW, "0 22 * * *", 4 * HOUR, "UTC"),)  # NOW is 09:00
FAILED_NEW = PersistedState(last_good=OLD, failed=Fingerprint.of(NEW))


def lost(number: int) -> Instance:
    """An instance on NEW that has been unhealthy for an hour."""
    return instance(number, health="unhealthy", since=NOW - HOUR)


def sick(number: int) -> Instance:
    """One on OLD that is unhealthy."""
    return outdated(number, health="unhealthy")


def back(number: int, minutes: int) -> Instance:
    """One on NEW that has been back for so many minutes."""
    return instance(number, since=NOW - minutes * MINUTE)


def made(number: int, minutes: int) -> Instance:
    """One that was made on NEW so many minutes ago."""
    ago = NOW - minutes * MINUTE
    return instance(number, created=ago - timedelta(seconds=40), since=ago)


@pytest.mark.parametrize(
    ("image", "left", "progress", "instances", "step"),
    [
        pytest.param(
            OLD,
            model(persisted=PersistedState(last_good=OLD)),
            Progress(),
            fleet(),
            PatchModel(OLD, "4"),
            id="the model returns to the last good image, whatever is healthy",
        ),
        pytest.param(
            OLD, model(persisted=PersistedState(last_good=FIX)), Progress(), fleet(), None, id="to no other"
        ),
        pytest.param(OLD, model(), Progress(), fleet(), None, id="to no image if none is known to be good"),
        pytest.param(
            FIX,
            model(),
            Progress(was_under_way=True),
            fleet(lost(0)),
            PatchModel(FIX, "4"),
            id="a fix, where the rollout that it ends was under way",
        ),
        pytest.param(
            FIX,
            model(),
            Progress(was_under_way=None),
            fleet(lost(0)),
            PatchModel(FIX, "4"),
            id="a fix, if it is unknown whether that rollout was in progress and instances are left",
        ),
        pytest.param(
            FIX,
            model(),
            Progress(was_under_way=False),
            fleet(lost(0)),
            None,
            id="none is needed where that rollout was over",
        ),
        pytest.param(
            FIX,
            model(),
            Progress(was_under_way=None),
            fleet(lost(0), *(back(n, 60) for n in range(1, 10))),
            None,
            id="no fix if the last upgrade was long ago",
        ),
        pytest.param(
            FIX,
            model(),
            Progress(was_under_way=None),
            fleet(lost(0), *(back(n, 60) for n in range(1, 9)), made(9, 1)),
            None,
            id="no fix if an autoscaler has created an instance since",
        ),
        pytest.param(
            FIX,
            model(),
            Progress(was_under_way=None),
            fleet(replace(lost(0), created=NOW - HOUR), *(made(n, 60) for n in range(1, 9)), made(9, 1)),
            None,
            id="no fix if all were created on the image, most of them long ago",
        ),
        pytest.param(
            FIX,
            model(),
            Progress(was_under_way=None),
            fleet(replace(lost(0), created=NOW - HOUR), *(back(n, 1) for n in range(1, 10))),
            PatchModel(FIX, "4"),
            id="where the last batch has just been upgraded it may be under way",
        ),
        pytest.param(
            FIX, model(), Progress(was_under_way=True), fleet(instance(0)), None, id="no fix without evidence"
        ),
        pytest.param(
            FIX,
            model(persisted=FAILED_NEW),
            Progress(),
            fleet(instance(0)),
            PatchModel(FIX, "4"),
            id="a fix of what failed here and is on the model again",
        ),
        pytest.param(
            FIX,
            model(image=OLD, persisted=FAILED_NEW),
            Progress(),
            fleet(lost(0)),
            PatchModel(FIX, "4"),
            id="a fix for the one that still runs what failed here",
        ),
        pytest.param(
            FIX,
            model(image=OLD, persisted=FAILED_NEW),
            Progress(),
            fleet(sick(0)),
            None,
            id="none for one that is unhealthy on the last good image",
        ),
    ],
)
def test_when_the_model_is_set_past_a_closed_window(
    image: Image, left: Model, progress: Progress, instances: tuple[Instance, ...], step: Step | None
) -> None:
    seen = observed(
        model=left,
        instances=instances,
        availability=Availability(image, Verdict.AVAILABLE),
        progress=progress,
    )
    decision = decided(spec(image=image, windows=CLOSED), seen)
    assert (decision.reason, decision.step) == ("ModelDrift" if step else "OutsideWindow", step)


TAKEN = Progress(taken=frozenset({"0", "1", "2"}))


@pytest.mark.parametrize(
    ("source", "progress", "state", "is_set"),
    [
        pytest.param(HealthSource.NONE, Progress(), {}, False, id="nothing could report health, and it runs"),
        pytest.param(
            HealthSource.PROBE, Progress(), {}, False, id="a probe reports for no instance, and it runs"
        ),
        pytest.param(HealthSource.EXTENSION, Progress(), {}, True, id="the health extension reports nothing"),
        pytest.param(HealthSource.NONE, Progress(), {"power": "stopped"}, True, id="it is stopped"),
        pytest.param(
            HealthSource.NONE,
            Progress(),
            {"error": "OSProvisioningTimedOut"},
            True,
            id="its system has not come up",
        ),
        pytest.param(
            HealthSource.NONE,
            Progress(),
            {"error": "VMExtensionProvisioningError"},
            False,
            id="one of its extensions failed",
        ),
        pytest.param(HealthSource.NONE, TAKEN, {}, True, id="an upgrade of ours took it"),
        pytest.param(
            HealthSource.NONE,
            replace(TAKEN, is_under_way=True, was_under_way=True),
            {},
            True,
            id="a rollout in progress took it",
        ),
        pytest.param(
            HealthSource.NONE,
            replace(TAKEN, is_under_way=False),
            {},
            False,
            id="a rollout that has ended took it",
        ),
        pytest.param(
            HealthSource.NONE,
            replace(TAKEN, was_under_way=False),
            {},
            False,
            id="a rollout that ended before this one was declared took it",
        ),
    ],
)
def test_a_failed_instance_passes_a_closed_window_only_if_it_is_out_of_service(
    source: HealthSource, progress: Progress, state: dict[str, Any], *, is_set: bool
) -> None:
    """Three of ten, of which two may be unhealthy, have failed provisioning on the old image.

    First the model is still on that image, then it is on the new one.
    """
    one = {"provisioning": "failed", "health": ""} | state
    others = (
        outdated(n, health="") if source is not HealthSource.EXTENSION else outdated(n) for n in range(3, 10)
    )
    seen = observed(
        model=model(image=OLD, health_source=source),
        instances=(*(outdated(n, **one) for n in range(3)), *others),
        availability=Availability(NEW, Verdict.AVAILABLE),
        progress=progress,
    )
    followed = replace(seen, model=model(health_source=source))
    reasons = [decided(spec(windows=CLOSED), each).reason for each in (seen, followed)]
    assert reasons == (["ModelDrift", "Upgrading"] if is_set else ["OutsideWindow", "OutsideWindow"])


@pytest.mark.parametrize(
    ("soak", "failed_ago", "others", "is_over"),
    [
        pytest.param(timedelta(), 12, 60, True, id="others were upgraded an hour ago, without a soak since"),
        pytest.param(HOUR, 12, 73, False, id="others were upgraded before the soak of an hour"),
        pytest.param(HOUR, 12, 200, True, id="others were upgraded three hours ago, long before the soak"),
    ],
)
def test_to_a_new_process_an_instance_that_fails_is_the_last_batch_where_another_was_lately(
    soak: timedelta, failed_ago: int, others: int, is_over: bool
) -> None:
    failed = instance(0, provisioning="failed", health="", power="stopped", since=NOW - failed_ago * MINUTE)
    instances = fleet(failed, *(back(n, others) for n in range(1, 10)))
    seen = observed(model=model(), progress=Progress(was_under_way=None))
    assert (
        is_fix(Aim(desired=spec(image=FIX, soak=soak), model=model(), observed=seen), instances)
        is not is_over
    )


@pytest.mark.parametrize("image", [pytest.param(NEW, id="the same"), pytest.param(None, id="not reported")])
def test_where_the_model_leaves_no_image_nothing_is_a_fix(image: Image | None) -> None:
    seen = observed(model=model(image=image), progress=Progress(was_under_way=True))
    assert not is_fix(Aim(desired=spec(), model=model(image=image), observed=seen), fleet(lost(0)))


@pytest.mark.parametrize(
    ("rollout", "seen", "ids"),
    [
        pytest.param(
            {"soak": 30 * MINUTE},
            observed(instances=fleet(sick(3), back(0, 30))),
            ["3"],
            id="to an image that another has been well on through its soak",
        ),
        pytest.param(
            {"soak": 30 * MINUTE}, observed(instances=fleet(sick(3), back(0, 29))), None, id="not before"
        ),
        pytest.param(
            {"canary": Canary(Count(1), 30 * MINUTE), "soak": 5 * MINUTE},
            observed(instances=fleet(sick(3), back(0, 29))),
            None,
            id="not before the longer soak of a canary",
        ),
        pytest.param(
            {"canary": Canary(Count(1), 30 * MINUTE), "soak": 5 * MINUTE},
            observed(instances=fleet(sick(3), back(0, 30))),
            ["3"],
            id="after the soak of a canary",
        ),
        pytest.param(
            {"approval": Approval.START},
            observed(
                model=model(persisted=PersistedState(approved=NEW)), instances=fleet(sick(3), back(0, 1))
            ),
            ["3"],
            id="to one that is proven and was approved",
        ),
        pytest.param(
            {"approval": Approval.START},
            observed(
                model=model(persisted=PersistedState(approved=FIX)), instances=fleet(sick(3), back(0, 1))
            ),
            None,
            id="to none if another image was approved",
        ),
        pytest.param(
            {"image": FIX},
            observed(model=model(image=FIX, persisted=FAILED_NEW), instances=fleet(lost(0), sick(5))),
            ["0"],
            id="to a fix those alone that run what failed here",
        ),
        pytest.param(
            {"image": FIX},
            observed(model=model(image=FIX, persisted=FAILED_NEW), instances=fleet(sick(5))),
            None,
            id="to none of the others",
        ),
    ],
)
def test_which_unhealthy_instances_pass_a_closed_window(
    rollout: dict[str, Any], seen: Any, ids: list[str] | None
) -> None:
    desired = spec(windows=CLOSED, **rollout)
    decision = decided(desired, seen)
    held = "AwaitingApproval" if desired.rollout.approval else "OutsideWindow"
    assert decision.reason == ("Upgrading" if ids else held)
    assert decision.step == (Upgrade(tuple(ids), desired.image) if ids else None)


def test_a_rollback_takes_all_that_do_not_serve_whatever_they_run() -> None:
    there = model(image=OLD, persisted=FAILED_NEW)
    instances = fleet(lost(0), replace(lost(5), image=FIX))
    desired: ScaleSet = spec(on_failure=OnFailure.ROLLBACK, windows=CLOSED)
    assert decided(desired, observed(model=there, instances=instances)).step == Upgrade(("5", "0"), OLD)


def is_sick_still(number: int) -> Instance:
    """One on NEW that was unhealthy before and still is."""
    return instance(number, health="unhealthy", since=NOW - HOUR)


@pytest.mark.parametrize(
    ("rollout", "instances", "line"),
    [
        pytest.param(
            {},
            fleet(is_sick_still(0), is_sick_still(5), sick(1), sick(2)),
            says(
                "TooManyUnhealthy",
                "web_0 and web_5 (both unhealthy)",
                "4 of 10",
                "maxUnhealthy",
                "20%",
                "2 of 10",
                f"{NEW.version}",
            ),
            id="it was taken to two of four, and they are no better",
        ),
        pytest.param(
            {},
            fleet(is_sick_still(0), sick(1)),
            says("OutsideWindow", "2026-01-05 22:00 UTC"),
            id="few are unhealthy",
        ),
        pytest.param(
            {"approval": Approval.START, "windows": ()},
            fleet(is_sick_still(0), is_sick_still(5), sick(1), sick(2)),
            says("AwaitingApproval", "24.04.202601140", "`reconciler approve web`"),
            id="it is not approved, which a person has to know",
        ),
    ],
)
def test_an_image_that_does_not_help_is_reported_whatever_gate_is_closed(
    rollout: dict[str, Any], instances: tuple[Instance, ...], line: str
) -> None:
    progress = Progress(not_serving=frozenset("0125"))
    desired = spec(**({"windows": CLOSED} | rollout))
    assert decided(desired, observed(instances=instances, progress=progress)).line == line
