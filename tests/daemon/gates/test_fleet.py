"""Which scale set takes a new image first."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from reconciler.daemon.gates.fleet import pilot
from reconciler.daemon.state import ScaleSetState
from reconciler.daemon.states import ScaleSetStates
from reconciler.rollout.age import Sighting
from reconciler.rollout.counts import DomainCounts, InstanceCounts
from reconciler.rollout.domains import Domain
from reconciler.rollout.persisted import PersistedState
from reconciler.rollout.reason import Reason
from reconciler.rollout.step import Attempt, Upgrade
from reconciler.spec.amount import Count
from reconciler.spec.scale_set import Canary
from reconciler.spec.urgency import Urgency
from tests.build import FIX, FLEET, NEW, NOW, OLD, model, spec
from tests.daemon.states import state

HEALTHY, SICK = Sighting("succeeded", NOW, is_back=True), Sighting("succeeded", NOW)


def waits(name: str, *instances: Sighting) -> ScaleSetState:
    """One that waits for the pilot, and has these instances."""
    seen = dict(zip("0123", instances, strict=False))
    return state(name, "AwaitingPilot", model=model(image=OLD), instances_at=NOW, sightings=seen)


def urgent(name: str, wave: int) -> ScaleSetState:
    """A scale set whose Fleet declares the image urgent."""
    fleet = replace(FLEET, urgent=Urgency(NEW, "CVE-1", NOW + timedelta(hours=1)))
    return state(name, "AwaitingPilot", model=model(image=OLD), fleet=fleet, wave=wave)


def unseen(name: str) -> ScaleSetState:
    return state(name, None)


@pytest.mark.parametrize(
    ("states", "first"),
    [
        pytest.param([waits("a", HEALTHY), waits("b", HEALTHY)], "a", id="the first by name"),
        pytest.param(
            [waits("a"), waits("b", HEALTHY)], "b", id="a scale set with instances before one without"
        ),
        pytest.param(
            [waits("a", HEALTHY, SICK), waits("b", HEALTHY)],
            "b",
            id="a scale set whose instances all serve before others",
        ),
        pytest.param(
            [waits("a", SICK), unseen("b")],
            "b",
            id="a scale set that is not observed yet before an unhealthy one",
        ),
        pytest.param(
            [unseen("a"), waits("b", HEALTHY)], "a", id="a scale set that is not observed yet is not skipped"
        ),
        pytest.param([waits("a", SICK), waits("b")], "a", id="the first by name if all are unhealthy"),
        pytest.param(
            [urgent("a", 1), urgent("b", 0)], "b", id="the earliest wave first if the image is urgent"
        ),
    ],
)
def test_which_scale_set_begins_a_new_image(states: Sequence[ScaleSetState], first: str) -> None:
    assert [each.desired.name for each in states if not pilot(each, states, NEW, NOW).closed] == [first]


def ran(name: str, **changes: Any) -> ScaleSetState:
    """One that ran NEW well before the image that it is on."""
    return state(name, image=FIX, model=model(image=FIX, persisted=PersistedState(last_good=NEW)), **changes)


@pytest.mark.parametrize(
    ("other", "is_open"),
    [
        pytest.param(ran("z"), True, id="it is the last good image of another scale set of the wave"),
        pytest.param(ran("z", wave=1), False, id="it is the last good image of a scale set of another wave"),
        pytest.param(
            state("z", image=FIX, model=model(image=FIX)),
            False,
            id="it is the last good image of no scale set",
        ),
    ],
)
def test_a_last_good_image_of_the_wave_needs_no_pilot(other: ScaleSetState, is_open: bool) -> None:
    """Else a goes first, and b waits for it."""
    states = [waits("a", HEALTHY), waits("b", HEALTHY), other]
    found = pilot(states[1], states, NEW, NOW)
    assert found.closed == (None if is_open else Reason.AWAITING_PILOT)
    if is_open:
        assert found.evidence == f"{NEW.version} has already been proven in this wave"


def ran_one_batch(ago: timedelta, taken: str) -> ScaleSetState:
    """One whose last batch began so long ago, with a soak of six minutes."""
    return state(
        "a",
        "UpToDate",
        desired=spec("a", canary=Canary(Count(1), timedelta(minutes=6))),
        model=model(image=NEW),
        counts=InstanceCounts((DomainCounts(Domain("", "", 0, "update domain"), 2, 1, 1, 0),)),
        attempt=Attempt(Upgrade(("0",), NEW), NOW - ago),
        taken=frozenset(taken),
        last_reason=Reason.UP_TO_DATE,
        has_soaked=True,
    )


@pytest.mark.parametrize(
    ("ago", "taken", "closed"),
    [
        pytest.param(timedelta(minutes=5), "0", Reason.AWAITING_PILOT, id="the only batch is in its soak"),
        pytest.param(timedelta(minutes=6), "0", None, id="the only batch has passed its soak"),
        pytest.param(timedelta(minutes=5), "01", None, id="an earlier batch has passed its soak"),
    ],
)
def test_a_pilot_with_a_single_batch_blocks_until_its_soak_ends(
    ago: timedelta, taken: str, closed: Reason | None
) -> None:
    first = ran_one_batch(ago, taken)
    late = waits("b", HEALTHY)
    assert pilot(late, (first, late, waits("c", HEALTHY)), NEW, NOW).closed is closed


def test_a_soak_that_ends_is_noticed_although_no_state_has_changed() -> None:
    late = waits("b", HEALTHY)
    states = ScaleSetStates.of((ran_one_batch(timedelta(), "0"), late))
    found = [pilot(late, states, NEW, NOW + timedelta(minutes=after)).closed for after in (0, 5, 6, 7, 5)]
    assert found == [Reason.AWAITING_PILOT, Reason.AWAITING_PILOT, None, None, Reason.AWAITING_PILOT]


@pytest.mark.parametrize(
    ("said", "last", "closed"),
    [
        pytest.param(
            "WaitingForInstances",
            Reason.WAITING_FOR_INSTANCES,
            Reason.AWAITING_PILOT,
            id="a pilot that waits for its instances blocks",
        ),
        pytest.param(
            "Conflict",
            Reason.WAITING_FOR_INSTANCES,
            None,
            id="a pilot whose observation fails does not block",
        ),
        pytest.param(
            "AzureUpdating", Reason.AZURE_UPDATING, None, id="a pilot that Azure is updating does not block"
        ),
        pytest.param("Soaking", Reason.SOAKING, Reason.AWAITING_PILOT, id="a pilot in its soak blocks"),
    ],
)
def test_a_pilot_whose_last_step_is_two_hours_old(said: str, last: Reason, closed: Reason | None) -> None:
    """Its progress deadline is one hour."""
    step = Attempt(Upgrade(("0",), NEW), NOW - timedelta(hours=2))
    first = state("a", said, model=model(image=NEW), holds_slot=True, attempt=step, last_reason=last)
    late = waits("b", HEALTHY)
    assert pilot(late, (first, late), NEW, NOW).closed is closed
