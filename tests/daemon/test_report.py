"""The JSON of a scale set: what a person holds back, and what may be taken out of service."""

from dataclasses import replace
from typing import Any

import pytest

from reconciler.daemon import report
from reconciler.daemon.store import Store, Sweep
from reconciler.rollout.counts import DomainCounts, InstanceCounts
from reconciler.rollout.domains import Domain
from reconciler.rollout.pause import FleetPause, Pause
from reconciler.rollout.persisted import PersistedState
from reconciler.rollout.reason import Reason
from reconciler.spec.amount import Count, Percent
from reconciler.spec.suspension import Suspension
from reconciler.web import metrics
from tests.build import FLEET, NEW, NOW, OLD, model, spec
from tests.daemon.states import state, store_of

PAUSE = Pause("checkout is down", "ada", NOW)
DOMAIN = Domain("", "", 0, "update domain")


@pytest.mark.parametrize(
    ("changes", "is_suspended"),
    [
        pytest.param({}, False, id="nobody holds it back"),
        pytest.param({"desired": spec(suspend=Suspension())}, True, id="its spec suspends it"),
        pytest.param({"desired": spec(fleet=replace(FLEET, freeze=Suspension()))}, True, id="a freeze"),
        pytest.param({"fleet_pause": FleetPause(PAUSE)}, True, id="a pause of the fleet"),
        pytest.param({"fleet_pause": FleetPause(Pause(until=NOW))}, True, id="an expired pause of the fleet"),
        pytest.param({"fleet_pause": FleetPause(unknown="a fault")}, True, id="a pause that was never read"),
        pytest.param({"fleet_pause": FleetPause(unread_since=NOW)}, False, id="a pause not read for long"),
        pytest.param({"model": model(persisted=PersistedState(pause=PAUSE))}, True, id="a pause of its own"),
    ],
)
def test_a_scale_set_that_a_person_holds_back_is_suspended(
    changes: dict[str, Any], *, is_suspended: bool
) -> None:
    shown = state(**changes)
    assert report.state(shown)["suspended"] is is_suspended
    store = store_of(shown)
    store.last_sweep = Sweep(NOW, "", "")
    sample = f'vmss_reconciler_suspended{{name="web"}} {float(is_suspended)}'
    assert sample in metrics.exposition(store, NOW).decode().splitlines()


@pytest.mark.parametrize(
    ("pause", "expected"),
    [
        pytest.param(FleetPause(), None, id="no pause"),
        pytest.param(FleetPause(unread_since=NOW), None, id="no pause when it was last read"),
        pytest.param(
            FleetPause(PAUSE),
            {
                "reason": "checkout is down",
                "by": "ada",
                "at": NOW.isoformat(),
                "until": None,
                "message": "the fleet was paused by ada at 2026-01-05 09:00 UTC (checkout is down)",
            },
            id="a pause",
        ),
        pytest.param(
            FleetPause(unknown="its tag has not been read"),
            {
                "reason": "",
                "by": None,
                "at": None,
                "until": None,
                "message": "the fleet counts as paused, because its tag has not been read",
            },
            id="an unknown pause",
        ),
    ],
)
def test_the_pause_of_the_fleet_is_at_the_top(pause: FleetPause, expected: Any) -> None:
    assert report.store(Store(Sweep(NOW, "", "", fleet_pause=pause)))["pause"] == expected


def counts(unavailable: int = 0, deallocated: int = 0, not_serving: int = 0) -> InstanceCounts:
    """Ten instances, all up to date."""
    back = 10 - unavailable
    domain = DomainCounts(DOMAIN, 10, 10, back, unavailable, deallocated=deallocated, not_serving=not_serving)
    return InstanceCounts((domain,))


@pytest.mark.parametrize(
    ("found", "rollout", "allowed"),
    [
        pytest.param(counts(), {}, 2, id="2 of 10 with 20%"),
        pytest.param(counts(unavailable=1), {}, 1, id="1 unavailable leaves 1 of 2"),
        pytest.param(counts(unavailable=3), {}, 0, id="more unavailable than allowed"),
        pytest.param(counts(unavailable=2, deallocated=2), {}, 2, id="deallocated ones do not count"),
        pytest.param(
            counts(unavailable=2, not_serving=2),
            {"max_unavailable": Count(5), "max_unhealthy": Count(1)},
            0,
            id="more unhealthy than allowed",
        ),
        pytest.param(
            counts(unavailable=2, not_serving=2),
            {"max_unavailable": Count(5), "max_unhealthy": Count(2)},
            3,
            id="as many unhealthy as allowed",
        ),
    ],
)
def test_how_many_instances_may_be_taken_down_now(
    found: InstanceCounts, rollout: dict[str, Any], allowed: int
) -> None:
    desired = spec(**({"max_unavailable": Percent(20)} | rollout))
    assert report.state(state(counts=found, desired=desired))["disruption"]["allowed"] == allowed


@pytest.mark.parametrize(
    ("changes", "is_proven"),
    [
        pytest.param({"model": model()}, False, id="nothing has shown it to be good"),
        pytest.param({"model": None}, None, id="the image of the model is unknown"),
        pytest.param({"model": model(persisted=PersistedState(NEW))}, True, id="the last good image"),
        pytest.param({"model": model(persisted=PersistedState(OLD))}, False, id="not the last good image"),
        pytest.param(
            {"model": model(), "last_reason": Reason.SOAKING, "has_soaked": True},
            True,
            id="a batch has soaked",
        ),
    ],
)
def test_whether_the_image_of_the_model_is_proven(changes: dict[str, Any], *, is_proven: bool | None) -> None:
    assert report.state(state(counts=counts(), **changes))["disruption"]["imageProven"] is is_proven
