"""Setting the model: what the step knows of the instances, and what a spec asks for before it."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from reconciler.rollout.observed import Instance
from reconciler.rollout.persisted import Fingerprint, PersistedState, Signature
from reconciler.rollout.progress import Progress
from reconciler.rollout.step import PatchModel
from reconciler.spec.image import PlatformImage
from reconciler.spec.scale_set import Approval
from tests.build import FIX, FLEET, NEW, NOW, OLD, decided, fleet, model, observed, outdated, spec
from tests.messages import says

HOUR = timedelta(hours=1)
SIGNED = PersistedState(approved=NEW, signature=Signature.of(NEW, "ada", NOW - HOUR))
SICK: dict[str, Any] = {"health": "unhealthy", "since": NOW - HOUR}


@pytest.mark.parametrize(
    ("instances", "not_serving"),
    [
        pytest.param((), frozenset(), id="all serve"),
        pytest.param((outdated(1, health="unhealthy"),), frozenset("1"), id="one is unhealthy"),
        pytest.param((outdated(1, health="initializing"),), frozenset("1"), id="one is on its way"),
        pytest.param(
            (outdated(1, health="unhealthy"), outdated(2, provisioning="failed", power="stopped")),
            frozenset("12"),
            id="two are down",
        ),
        pytest.param(
            (outdated(1, provisioning="failed"),),
            frozenset(),
            id="an instance that Azure reports as failed may serve",
        ),
        pytest.param((outdated(1, power="deallocated"),), frozenset(), id="a deallocated one lacks nothing"),
    ],
)
def test_a_rollout_is_not_to_blame_for_what_did_not_serve_as_it_began(
    instances: tuple[Instance, ...], not_serving: frozenset[str]
) -> None:
    known = Progress(has_seen_all_steps=True)
    seen = observed(model=model(image=OLD), instances=fleet(*instances), progress=known)
    decision = decided(spec(), seen)
    assert isinstance(decision.step, PatchModel)
    assert (decision.step, decision.step.not_serving) == (PatchModel(NEW, '"4"'), not_serving)


@pytest.mark.parametrize(
    ("approval", "persisted", "said"),
    [
        pytest.param(Approval.START, SIGNED, ("ada at 2026-01-05 08:00 UTC",), id="who, and when"),
        pytest.param(Approval.START, PersistedState(approved=NEW), (), id="an approval of nobody known"),
        pytest.param(None, SIGNED, (), id="one that nobody asks for"),
    ],
)
def test_the_line_that_sets_an_image_names_its_approver(
    approval: Approval | None, persisted: PersistedState, said: tuple[str, ...]
) -> None:
    instances = fleet(*(outdated(n, latest_model=True) for n in range(10)))
    seen = observed(model=model(image=OLD, persisted=persisted), instances=instances)
    line = says("ModelDrift", OLD.version, NEW.version, *said)
    assert decided(spec(approval=approval), seen).line == line


@pytest.mark.parametrize(
    ("instances", "not_serving"),
    [
        pytest.param(
            fleet(*(outdated(n, since=NOW - HOUR) for n in range(1, 10)), outdated(0, **SICK)),
            frozenset("0"),
            id="all were on the image for long: the unhealthy one was so before",
        ),
        pytest.param(
            fleet(outdated(0, **SICK)),
            frozenset(),
            id="all came to the image just now: the unhealthy one may have served before that",
        ),
        pytest.param(
            fleet(
                *(outdated(n, since=NOW - HOUR) for n in range(1, 10)),
                outdated(0, image=FIX, **SICK),
            ),
            frozenset(),
            id="one is not on the image: the rollout to it was under way",
        ),
        pytest.param(
            fleet(
                *(outdated(n, since=NOW - HOUR) for n in range(1, 10)),
                outdated(0, latest_model=True, provisioning="updating", health="", since=NOW - HOUR),
            ),
            frozenset(),
            id="Azure is changing one: the rollout before may have taken it down",
        ),
    ],
)
def test_a_process_that_was_not_there_knows_what_did_not_serve_before_only_if_all_was_over(
    instances: tuple[Instance, ...], not_serving: frozenset[str]
) -> None:
    decision = decided(spec(), observed(model=model(image=OLD), instances=instances))
    assert isinstance(decision.step, PatchModel)
    assert decision.step.not_serving == not_serving


def test_a_spec_that_requires_a_rollback_target_does_not_begin_without_one() -> None:
    sick = tuple(outdated(n, health="unhealthy", since=NOW - HOUR) for n in range(10))
    seen = observed(model=model(image=OLD), instances=sick)
    assert decided(spec(require_way_back=True), seen).line == says("NoWayBack", "rollout.requireWayBack")


WELL = tuple(outdated(n, latest_model=True, since=NOW - HOUR) for n in range(10))


@pytest.mark.parametrize(
    ("instances", "persisted", "good"),
    [
        pytest.param(
            WELL, PersistedState(), Fingerprint.of(OLD), id="all run what the model leaves, and well"
        ),
        pytest.param(
            tuple(outdated(n, **SICK) for n in range(10)),
            PersistedState(last_good=FIX),
            None,
            id="none runs it well, and the image before is what a tag says",
        ),
        pytest.param(
            tuple(outdated(n, **SICK) for n in range(10)), PersistedState(), None, id="none runs it well"
        ),
    ],
)
def test_the_step_names_the_image_that_the_instances_show_to_be_good(
    instances: tuple[Instance, ...], persisted: PersistedState, good: Fingerprint | None
) -> None:
    decision = decided(spec(), observed(model=model(image=OLD, persisted=persisted), instances=instances))
    assert isinstance(decision.step, PatchModel)
    assert decision.step.good == good


def test_where_the_state_has_no_room_the_name_of_the_fleet_fills_the_last_tag() -> None:
    """With the name of this image the state would take two tags, and there is room for one."""
    long = PlatformImage("Contoso", "o" * 100, "s" * 100, "1.0.0")
    tags = {f"owner-{number}": "x" for number in range(49)}
    instances = tuple(outdated(n, image=long, latest_model=True, since=NOW - HOUR) for n in range(10))
    seen = observed(model=model(image=long, tags=tags), instances=instances)
    decision = decided(spec(fleet=replace(FLEET, name="shop")), seen)
    assert isinstance(decision.step, PatchModel)
    assert decision.step.persisted == PersistedState(fleet="shop")
    assert decision.line == says("ModelDrift", "1.0.0", NEW.version)
