"""The image that must not wait: what does not hold it, what does, and for how long."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from reconciler.rollout.gate import Gate
from reconciler.rollout.observed import Observed
from reconciler.rollout.reason import Reason
from reconciler.rollout.urgency import urgency_note, waiting_note, with_urgent_limits
from reconciler.spec.amount import Count
from reconciler.spec.image import Image
from reconciler.spec.scale_set import Approval, Canary, ScaleSet
from reconciler.spec.suspension import Suspension
from reconciler.spec.urgency import Urgency
from reconciler.spec.window import Kind, Window
from tests.build import FIX, FLEET, NEW, NOW, OLD, decided, fleet, instance, model, observed, spec

SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)
NIGHT = Window(Kind.ALLOW, "0 22 * * *", 4 * HOUR, "UTC")
DRIFTED = observed(model=model(image=OLD))
ROLLING = observed(instances=fleet(instance(0), instance(5)))


def urgent(image: Image = NEW, until: timedelta = HOUR, **changes: Any) -> ScaleSet:
    """A scale set that waits for the night, in a fleet where this image is urgent."""
    urgency = Urgency(image, "CVE-1", NOW + until, changes.pop("by", ""))
    values = {"windows": (NIGHT,)} | changes
    return spec(fleet=replace(FLEET, urgent=urgency, freeze=changes.pop("freeze", None)), **values)


@pytest.mark.parametrize(
    ("desired", "seen", "reason"),
    [
        pytest.param(urgent(), DRIFTED, "ModelDrift", id="no window holds the model"),
        pytest.param(urgent(), ROLLING, "Upgrading", id="no window holds the instances"),
        pytest.param(urgent(until=SECOND), ROLLING, "Upgrading", id="up to the last second"),
        pytest.param(urgent(until=timedelta()), ROLLING, "OutsideWindow", id="not at its end"),
        pytest.param(urgent(FIX), ROLLING, "OutsideWindow", id="another image is urgent"),
        pytest.param(
            urgent(approval=Approval.START), DRIFTED, "AwaitingApproval", id="nothing passes its approval"
        ),
        pytest.param(
            urgent(),
            replace(DRIFTED, gates=(Gate("b", "", Reason.IMAGE_FAILED_ELSEWHERE),)),
            "ImageFailedElsewhere",
            id="nothing passes its breaker",
        ),
        pytest.param(
            urgent(),
            replace(DRIFTED, gates=(Gate("pilot", "", Reason.AWAITING_PILOT),)),
            "AwaitingPilot",
            id="nothing passes the pilot",
        ),
        pytest.param(
            urgent(suspend=Suspension("wait")), ROLLING, "Suspended", id="nothing passes a suspension"
        ),
    ],
)
def test_what_holds_an_urgent_image(desired: ScaleSet, seen: Observed, reason: str) -> None:
    assert decided(desired, seen).reason == reason


def test_a_freeze_holds_it() -> None:
    desired = urgent()
    frozen = replace(desired, fleet=replace(desired.fleet, freeze=Suspension("wait")))
    assert decided(frozen, DRIFTED).reason is Reason.FROZEN


@pytest.mark.parametrize(
    ("soak", "canary", "expected"),
    [
        pytest.param(HOUR, None, (10 * MINUTE, None), id="a longer soak comes to ten minutes"),
        pytest.param(MINUTE, None, (MINUTE, None), id="a shorter one stays"),
        pytest.param(MINUTE, 2 * HOUR, (MINUTE, 10 * MINUTE), id="a shorter soak of the canary stays"),
        pytest.param(HOUR, MINUTE, (10 * MINUTE, MINUTE), id="each by itself"),
    ],
)
def test_its_soaks(
    soak: timedelta, canary: timedelta | None, expected: tuple[timedelta, timedelta | None]
) -> None:
    first = Canary(Count(1), canary) if canary else None
    rollout = with_urgent_limits(urgent(soak=soak, canary=first, bake_time=HOUR), NOW).rollout
    assert (rollout.soak, rollout.canary.soak if rollout.canary else None) == expected
    assert rollout.bake_time == timedelta()
    assert rollout == replace(
        urgent(soak=soak, canary=first).rollout,
        soak=expected[0],
        canary=replace(first, soak=expected[1]) if first and expected[1] else None,
    ), "nothing else of it changes"


@pytest.mark.parametrize(
    "desired",
    [
        pytest.param(spec(soak=HOUR, bake_time=HOUR), id="nothing is urgent"),
        pytest.param(urgent(FIX, soak=HOUR, bake_time=HOUR), id="another image is"),
        pytest.param(urgent(until=-SECOND, soak=HOUR, bake_time=HOUR), id="it was"),
    ],
)
def test_soaks_of_what_is_not_urgent_stay(desired: ScaleSet) -> None:
    assert with_urgent_limits(desired, NOW) is desired


def test_the_decision_goes_by_them() -> None:
    """The batch came back eleven minutes ago."""
    long_ago = instance(0, since=NOW - 11 * MINUTE)
    seen = observed(instances=fleet(long_ago))
    assert decided(spec(soak=HOUR), seen).reason is Reason.SOAKING
    assert decided(urgent(soak=HOUR), seen).reason is Reason.UPGRADING


def test_urgency_is_named_at_the_window_and_where_the_model_is_set() -> None:
    until = "by ada until 2026-01-05 10:00 UTC (CVE-1)"
    assert urgency_note(urgent(by="ada").fleet, NEW, NOW) == f"declared urgent {until}"
    assert urgency_note(urgent().fleet, NEW, NOW) == "declared urgent until 2026-01-05 10:00 UTC (CVE-1)"
    assert urgency_note(urgent().fleet, OLD, NOW) == ""
    assert decided(urgent(by="ada"), DRIFTED).message.endswith(f"; declared urgent {until}")
    waits = decided(urgent(by="ada", approval=Approval.START), DRIFTED)
    assert waits.gates[0].evidence == f"passed; declared urgent {until}"


@pytest.mark.parametrize(
    ("desired", "expected"),
    [
        pytest.param(spec(), "", id="nothing is urgent"),
        pytest.param(
            urgent(FIX), f" (the Fleet's spec.urgent names {FIX.version} instead)", id="another image is"
        ),
        pytest.param(
            urgent(until=-MINUTE), " (the Fleet's spec.urgent expired at 2026-01-05 08:59 UTC)", id="it was"
        ),
    ],
)
def test_why_what_waits_is_not_urgent(desired: ScaleSet, expected: str) -> None:
    assert waiting_note(desired.fleet, NOW) == expected
    if expected:
        assert decided(desired, ROLLING).gates[0].evidence.endswith(expected)


def test_at_its_end_an_image_is_no_longer_urgent() -> None:
    ended = " (the Fleet's spec.urgent expired at 2026-01-05 09:00 UTC)"
    assert waiting_note(urgent(until=timedelta()).fleet, NOW) == ended


def test_a_window_that_is_passed_is_named_as_a_gate() -> None:
    waits = decided(urgent(approval=Approval.START), DRIFTED)
    assert [(gate.name, gate.closed) for gate in waits.gates if gate.name != "approval"] == [
        ("windows", None)
    ]
