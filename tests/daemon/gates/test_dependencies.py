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
        pytest.param((), [], None, id="no dependency"),
        pytest.param(("db",), [state("db")], (True, "db is Ready"), id="one dependency that is Ready"),
        pytest.param(
            ("db", "cache"),
            [state("db"), state("cache")],
            (True, "db and cache are Ready"),
            id="two dependencies that are Ready",
        ),
        pytest.param(
            ("db", "cache"),
            [state("db", "HealthCheckFailed"), state("cache")],
            (False, "scale set db is Failing (HealthCheckFailed)"),
            id="one of two dependencies is not Ready",
        ),
        pytest.param(
            ("db",),
            [state("db", None)],
            (False, "scale set db has not been checked yet"),
            id="a dependency that is not observed yet",
        ),
        pytest.param(
            ("db",),
            [state("db", image=FIX, decided=spec("db", image=NEW))],
            (False, "scale set db has not been checked since its spec changed"),
            id="a dependency that was Ready with its previous spec",
        ),
        pytest.param(
            ("db",),
            [state("db", "Unreachable", decided=None)],
            (False, "scale set db is Reconciling (Unreachable)"),
            id="a dependency whose list failed",
        ),
        pytest.param(
            ("db",),
            [state("db", "Suspended")],
            (False, "scale set db is Suspended (resume or remove it)"),
            id="a suspended dependency",
        ),
        pytest.param(
            ("bd", "db"),
            [state("db")],
            (False, "scale set bd is not declared"),
            id="a dependency that is not declared",
        ),
        pytest.param(
            ("db", "bd"),
            [state("db", "Upgrading")],
            (False, "scale set db is Reconciling (Upgrading) and scale set bd is not declared"),
            id="a dependency that is rolling out, and one that is not declared",
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
        pytest.param([], None, id="no other scale set"),
        pytest.param([dev("x", image=OLD)], None, id="an earlier wave with another image"),
        pytest.param([dev("x", wave=1), dev("y", wave=2)], None, id="the same wave, and a later one"),
        pytest.param(
            [dev("x"), dev("y")],
            (True, "both scale sets in earlier waves are Ready"),
            id="two of an earlier wave that are Ready",
        ),
        pytest.param(
            [dev("x"), dev("y", "HealthCheckFailed"), dev("z", None)],
            (
                False,
                "2 of 3 scale sets in earlier waves are not Ready: y is Failing (HealthCheckFailed) and z has not been checked yet",
            ),
            id="two of three of an earlier wave are not Ready",
        ),
        pytest.param(
            [dev("x", image=PlatformImage("CANONICAL", "ubuntu-24_04-LTS", "server", NEW.version))],
            (True, "the only scale set in earlier waves is Ready"),
            id="the same image in other letters",
        ),
        pytest.param(
            [dev("x"), dev("dr", counts=InstanceCounts(()))],
            (True, "both scale sets in earlier waves are Ready; no instance runs the image in dr"),
            id="one without instances is named and does not block",
        ),
        pytest.param(
            [dev("dr", counts=InstanceCounts(()))],
            (
                False,
                "no instance in earlier waves has proven the image; start an instance there, "
                "or set spec.allowUnprovenWave",
            ),
            id="no scale set of the earlier wave has an instance",
        ),
        pytest.param(
            [dev("dev", counts=InstanceCounts(()), has_soaked=True)],
            (True, "the only scale set in earlier waves is Ready; no instance runs the image in dev"),
            id="one proved the image before it was scaled to zero",
        ),
        pytest.param(
            [dev("x", "Throttled", last_reason=Reason.UP_TO_DATE)],
            (True, "the only scale set in earlier waves is Ready"),
            id="a failed observation of a Ready scale set does not block",
        ),
        pytest.param(
            [dev("x", "Refused", last_reason=Reason.UP_TO_DATE, model=model(image=OLD))],
            (False, "earlier waves are not Ready: x is Stalled (Refused)"),
            id="a scale set whose image Azure refuses blocks",
        ),
        pytest.param(
            [dev("x", "Refused", last_reason=Reason.UP_TO_DATE, model=model(image=NEW))],
            (True, "the only scale set in earlier waves is Ready"),
            id="a scale set on the image that cannot be read does not block",
        ),
        pytest.param(
            [dev("x", "Conflict", last_reason=Reason.UP_TO_DATE, model=model(image=NEW), known_at=NOW)],
            (False, "earlier waves are not Ready: x is Reconciling (Conflict)"),
            id="a scale set whose next step Azure refuses blocks",
        ),
        pytest.param(
            [dev("x", "InstancesLeftOut")],
            (True, "the only scale set in earlier waves is Ready"),
            id="instances that are left out do not block",
        ),
    ],
)
def test_waves(others: list[ScaleSetState], expected: tuple[bool, str] | None) -> None:
    prod = state("prod", "ModelDrift", wave=1)
    assert asked(waves(prod, [prod, *others], NEW, NOW)) == expected


@pytest.mark.parametrize(
    ("on", "expected"),
    [
        pytest.param(NEW, (True, "the only scale set in earlier waves is Ready"), id="the same version"),
        pytest.param(FIX, (True, "the only scale set in earlier waves is Ready"), id="a later version"),
        pytest.param(
            OLD,
            (False, f"earlier waves are not Ready: dev is still on {OLD.version}"),
            id="Ready on an earlier version of latest",
        ),
        pytest.param(
            None,
            (
                False,
                f"earlier waves are not Ready: dev may not be on {NEW.version} yet",
            ),
            id="Ready, with a model that is not observed yet",
        ),
    ],
)
def test_waves_of_latest_compare_versions(on: PlatformImage | None, expected: tuple[bool, str]) -> None:
    seen = None if on is None else model(image=on)
    prod = state("prod", "ModelDrift", wave=1, image=LATEST)
    assert asked(waves(prod, [prod, dev("dev", image=LATEST, model=seen)], NEW, NOW)) == expected


def test_a_dependency_on_the_same_latest_is_ready_only_on_that_version() -> None:
    web = state("web", "ModelDrift", image=LATEST, depends_on=("db",))
    for on, expected in (
        (OLD, (False, f"scale set db is still on {OLD.version}")),
        (NEW, (True, "db is Ready")),
    ):
        db = dev("db", image=LATEST, model=model(image=on))
        assert asked(dependencies(web, [web, db], NEW)) == expected
