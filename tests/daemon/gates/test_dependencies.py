"""Who goes first, by dependsOn and by wave."""

from typing import Any

import pytest

from reconciler.daemon.gates.dependencies import dependencies, waves
from reconciler.daemon.state import ScaleSetState
from reconciler.rollout.counts import DomainCounts, InstanceCounts
from reconciler.rollout.domains import Domain
from reconciler.rollout.reason import Reason
from reconciler.spec.image import PlatformImage
from tests.build import FIX, NEW, NOW, OLD, model, spec
from tests.daemon.states import state

LATEST = PlatformImage("Canonical", "ubuntu-24_04-lts", "server", "latest")


def asked(found: tuple[Any, ...]) -> tuple[bool, str] | None:
    if not found:
        return None
    (gate,) = found
    assert gate.closed in {None, Reason.DEPENDENCY_NOT_READY}
    return gate.closed is None, gate.evidence


@pytest.mark.parametrize(
    ("names", "others", "expected"),
    [
        pytest.param((), [], None, id="it depends on none"),
        pytest.param(("db",), [state("db")], (True, "db is Ready"), id="one that is Ready"),
        pytest.param(
            ("db", "cache"), [state("db"), state("cache")], (True, "db, cache are Ready"), id="two that are"
        ),
        pytest.param(
            ("db", "cache"),
            [state("db", "HealthCheckFailed"), state("cache")],
            (False, "db is Failing: HealthCheckFailed"),
            id="one of two that is not",
        ),
        pytest.param(
            ("db",), [state("db", None)], (False, "db is not checked yet"), id="one never looked at"
        ),
        pytest.param(
            ("db",),
            [state("db", image=FIX, decided=spec("db", image=NEW))],
            (False, "db is not checked since its spec changed"),
            id="one that was Ready for the spec of before",
        ),
        pytest.param(
            ("db",),
            [state("db", "Unreachable", decided=None)],
            (False, "db is Reconciling: Unreachable"),
            id="one whose list failed",
        ),
        pytest.param(
            ("db",),
            [state("db", "Suspended")],
            (False, "db is Suspended: Suspended; resume it, or remove it"),
            id="one that is suspended",
        ),
        pytest.param(
            ("bd", "db"),
            [state("db")],
            (False, "bd is not declared"),
            id="one that is not declared",
        ),
        pytest.param(
            ("db", "bd"),
            [state("db", "Upgrading")],
            (False, "db is Reconciling: Upgrading, bd is not declared"),
            id="one that is on its way, and one that is not declared",
        ),
    ],
)
def test_depends_on(
    names: tuple[str, ...], others: list[ScaleSetState], expected: tuple[bool, str] | None
) -> None:
    web = state("web", "ModelDrift", depends_on=names)
    assert asked(dependencies(web, [web, *others], web.desired.image)) == expected


PROVEN = InstanceCounts((DomainCounts(Domain("", "", -1, ""), 2, 2, 2, 0),))


def dev(name: str, reason: str | None = "UpToDate", **changes: Any) -> ScaleSetState:
    return state(name, reason, **({"wave": 0, "counts": PROVEN} | changes))


@pytest.mark.parametrize(
    ("others", "expected"),
    [
        pytest.param([], None, id="nobody else"),
        pytest.param([dev("x", image=OLD)], None, id="another image has nothing to do with it"),
        pytest.param([dev("x", wave=1), dev("y", wave=2)], None, id="its own wave, and a later one"),
        pytest.param(
            [dev("x"), dev("y")],
            (True, "2 of 2 scale sets of lower waves are Ready"),
            id="two that are Ready",
        ),
        pytest.param(
            [dev("x"), dev("y", "HealthCheckFailed"), dev("z", None)],
            (
                False,
                "2 of 3 scale sets of lower waves are not Ready: y is Failing: HealthCheckFailed, z is not checked yet",
            ),
            id="two of three that are not",
        ),
        pytest.param(
            [dev("x", image=PlatformImage("CANONICAL", "ubuntu-24_04-LTS", "server", NEW.version))],
            (True, "1 of 1 scale sets of lower waves is Ready"),
            id="an image in other letters is the same",
        ),
        pytest.param(
            [dev("x"), dev("dr", counts=InstanceCounts(()))],
            (True, "2 of 2 scale sets of lower waves are Ready; no instance runs it in dr"),
            id="one without instances is passed over and named",
        ),
        pytest.param(
            [dev("dr", counts=InstanceCounts(()))],
            (
                False,
                "1 of 1 scale sets of lower waves is Ready, but none has an instance that has proven the image; start "
                "an instance in one of them, or set spec.allowUnprovenWave of the Fleet",
            ),
            id="none has an instance",
        ),
        pytest.param(
            [dev("dev", counts=InstanceCounts(()), has_soaked=True)],
            (True, "1 of 1 scale sets of lower waves is Ready; no instance runs it in dev"),
            id="one proved the image, and was scaled to zero since",
        ),
        pytest.param(
            [dev("x", "Throttled", last_reason=Reason.UP_TO_DATE)],
            (True, "1 of 1 scale sets of lower waves is Ready"),
            id="one that could not be looked at just now",
        ),
        pytest.param(
            [dev("x", "Refused", last_reason=Reason.UP_TO_DATE, model=model(image=OLD))],
            (False, "1 of 1 scale sets of lower waves is not Ready: x is Stalled: Refused"),
            id="one of which Azure refuses the image",
        ),
        pytest.param(
            [dev("x", "Refused", last_reason=Reason.UP_TO_DATE, model=model(image=NEW))],
            (True, "1 of 1 scale sets of lower waves is Ready"),
            id="one that is on the image, and may not be read just now",
        ),
        pytest.param(
            [dev("x", "InstancesLeftOut")],
            (True, "1 of 1 scale sets of lower waves is Ready"),
            id="one of which instances are left out",
        ),
    ],
)
def test_waves(others: list[ScaleSetState], expected: tuple[bool, str] | None) -> None:
    prod = state("prod", "ModelDrift", wave=1)
    assert asked(waves(prod, [prod, *others], NEW, NOW)) == expected


@pytest.mark.parametrize(
    ("on", "expected"),
    [
        pytest.param(NEW, (True, "1 of 1 scale sets of lower waves is Ready"), id="the very version"),
        pytest.param(FIX, (True, "1 of 1 scale sets of lower waves is Ready"), id="a later one"),
        pytest.param(
            OLD,
            (False, f"1 of 1 scale sets of lower waves is not Ready: dev is still on {OLD.version}"),
            id="Ready, but it has not seen the latest yet",
        ),
        pytest.param(
            None,
            (
                False,
                f"1 of 1 scale sets of lower waves is not Ready: dev may not be on {NEW.version}",
            ),
            id="its model was never looked at",
        ),
    ],
)
def test_waves_of_latest_go_by_the_version(on: PlatformImage | None, expected: tuple[bool, str]) -> None:
    seen = None if on is None else model(image=on)
    prod = state("prod", "ModelDrift", wave=1, image=LATEST)
    assert asked(waves(prod, [prod, dev("dev", image=LATEST, model=seen)], NEW, NOW)) == expected


def test_a_dependency_on_the_same_latest_is_ready_only_on_that_version() -> None:
    web = state("web", "ModelDrift", image=LATEST, depends_on=("db",))
    for on, expected in ((OLD, (False, f"db is still on {OLD.version}")), (NEW, (True, "db is Ready"))):
        db = dev("db", image=LATEST, model=model(image=on))
        assert asked(dependencies(web, [web, db], NEW)) == expected
