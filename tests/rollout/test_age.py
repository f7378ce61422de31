"""Since when an instance has been in its state, where Azure does not say."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from reconciler.rollout.age import Sighting, date_instances, sightings
from reconciler.rollout.observed import HealthSource
from reconciler.rollout.step import Attempt, PatchModel, Upgrade
from tests.build import NEW, NOW, instance

MINUTE = timedelta(minutes=1)
NONE = HealthSource.NONE
SENT = NOW - 2 * MINUTE
UPGRADE = Attempt(Upgrade(("0",), NEW), SENT)
LONG_AGO = NOW - timedelta(hours=8)


def since(before: Sighting | None, attempt: Attempt | None = None, **seen: Any) -> timedelta:
    """How long an instance 0 that is seen now has been in its state."""
    known = {} if before is None else {"0": before}
    [dated] = date_instances([instance(0, **({"since": None} | seen))], known, attempt, NONE, NOW)
    assert dated.since is not None
    return NOW - dated.since


@pytest.mark.parametrize(
    ("before", "attempt", "seen", "age"),
    [
        pytest.param(
            Sighting("succeeded", LONG_AGO), UPGRADE, {"provisioning": "updating"}, 2 * MINUTE,
            id="our step, after the state it left",
        ),
        pytest.param(
            None, UPGRADE, {"provisioning": "updating"}, 2 * MINUTE, id="our step, where nothing was seen before"
        ),
        pytest.param(
            Sighting("updating", NOW - 30 * MINUTE), UPGRADE, {"provisioning": "updating"}, 2 * MINUTE,
            id="our step, which takes once more what was stuck",
        ),
        pytest.param(
            Sighting("updating", SENT), UPGRADE, {"provisioning": "updating"}, 2 * MINUTE,
            id="our step, seen a second time",
        ),
        pytest.param(
            Sighting("succeeded", SENT), UPGRADE, {"provisioning": "updating"}, 2 * MINUTE,
            id="our step, at the very moment at which it was seen to succeed",
        ),
        pytest.param(
            Sighting("succeeded", NOW - MINUTE), UPGRADE, {"provisioning": "updating"}, 0 * MINUTE,
            id="first observation: our step is older than the state it left",
        ),
        pytest.param(
            Sighting("updating", NOW - MINUTE), UPGRADE, {"provisioning": "updating"}, MINUTE,
            id="first observation, seen a second time: our step is older",
        ),
        pytest.param(None, None, {"provisioning": "updating"}, 0 * MINUTE, id="first observation, of a new process"),
        pytest.param(
            Sighting("succeeded", LONG_AGO), Attempt(Upgrade(("1",), NEW), SENT), {"provisioning": "updating"},
            0 * MINUTE, id="first observation: our step names another",
        ),
        pytest.param(
            None, Attempt(PatchModel(NEW, '"1"'), SENT), {"provisioning": "updating"}, 0 * MINUTE,
            id="first observation: a change of the model takes no instance down",
        ),
        pytest.param(
            None, None, {"provisioning": "creating", "created": NOW - 3 * MINUTE}, 3 * MINUTE,
            id="the moment at which it was created",
        ),
        pytest.param(
            None, None, {"provisioning": "updating", "created": NOW - 3 * MINUTE}, 0 * MINUTE,
            id="not the moment of its creation, once it is created",
        ),
        pytest.param(
            None, UPGRADE, {"provisioning": "updating", "since": NOW - 5 * MINUTE}, 5 * MINUTE,
            id="Azure's own time, where it gives one and that is earlier",
        ),
        pytest.param(
            Sighting("updating", NOW - 4 * MINUTE), None, {"provisioning": "deleting"}, 0 * MINUTE,
            id="from one transition to another, its first observation",
        ),
        pytest.param(
            Sighting("updating", NOW - 4 * MINUTE), None, {"provisioning": "failed"}, 0 * MINUTE,
            id="a failure without a time",
        ),
    ],
)  # fmt: skip
def test_an_instance_in_transition_has_an_age(
    before: Sighting | None, attempt: Attempt | None, seen: dict[str, Any], age: timedelta
) -> None:
    assert since(before, attempt, **seen) == age


def test_a_state_that_azure_dates_is_left_as_it_is() -> None:
    at_rest = (instance(0), instance(1, provisioning="failed"))
    assert date_instances(at_rest, {}, UPGRADE, NONE, NOW) == at_rest


def test_a_row_at_rest_without_a_time_stays_unread() -> None:
    [dated] = date_instances([instance(0, since=None)], {}, None, NONE, NOW)
    assert dated.since is None


def test_what_is_remembered_is_what_was_dated() -> None:
    dated = date_instances([instance(0, provisioning="updating", since=None)], {}, UPGRADE, NONE, NOW)
    assert sightings(dated, NONE, NOW) == {"0": Sighting("updating", SENT)}


DONE = NOW - 9 * MINUTE


@pytest.mark.parametrize(
    ("before", "seen", "state_since"),
    [
        pytest.param(None, {}, None, id="healthy at the first observation: by its provisioning"),
        pytest.param(
            None,
            {"health_since": NOW - MINUTE},
            NOW - MINUTE,
            id="healthy at the first observation, and Azure reports since when",
        ),
        pytest.param(Sighting("succeeded", DONE), {}, NOW, id="it was not back before: by this look"),
        pytest.param(
            Sighting("succeeded", DONE),
            {"health_since": NOW - MINUTE},
            NOW - MINUTE,
            id="by Azure's time of its health",
        ),
        pytest.param(
            Sighting("succeeded", DONE, True, NOW - 3 * MINUTE),
            {"health_since": NOW},
            NOW - 3 * MINUTE,
            id="back as it was before: since then, whatever time Azure gives now",
        ),
        pytest.param(
            Sighting("succeeded", DONE, True, NOW - 8 * MINUTE),
            {"health_since": NOW - 3 * MINUTE},
            NOW - 3 * MINUTE,
            id="unhealthy and healthy again between two observations: by Azure's time of its health",
        ),
        pytest.param(
            Sighting("succeeded", DONE, True, NOW - 8 * MINUTE),
            {"health_since": NOW - 1.5 * MINUTE},
            NOW - 8 * MINUTE,
            id="back as before, and reported again moments ago",
        ),
        pytest.param(
            Sighting("succeeded", DONE, True, NOW - 8 * MINUTE),
            {"health_since": NOW - 9 * MINUTE},
            NOW - 8 * MINUTE,
            id="back as before, and for longer than this process knew",
        ),
        pytest.param(
            Sighting("succeeded", NOW - 30 * MINUTE, True),
            {},
            NOW,
            id="upgraded and healthy between two observations: by this observation",
        ),
        pytest.param(
            Sighting("succeeded", DONE, True),
            {"health": "unhealthy"},
            NOW,
            id="it is not back any more: by this look",
        ),
        pytest.param(
            Sighting("succeeded", DONE, True),
            {"health": "unhealthy", "health_since": NOW - MINUTE},
            NOW - MINUTE,
            id="it is not back any more: by Azure's time of its health",
        ),
        pytest.param(
            Sighting("succeeded", DONE, True),
            {"power": "stopped", "health_since": DONE},
            NOW,
            id="it is not back, and that is not what its health says",
        ),
        pytest.param(
            Sighting("succeeded", DONE, False, NOW - 3 * MINUTE),
            {"health": "unhealthy", "health_since": NOW},
            NOW - 3 * MINUTE,
            id="it is not back, as before",
        ),
    ],
)
def test_since_when_it_is_healthy(before: Sighting | None, seen: dict[str, Any], state_since: Any) -> None:
    known = {} if before is None else {"0": before}
    listed = [instance(0, **({"since": DONE, "health": "healthy"} | seen))]
    [dated] = date_instances(listed, known, None, HealthSource.EXTENSION, NOW)
    assert dated.state_since == state_since
    assert sightings([dated], HealthSource.EXTENSION, NOW)["0"].state_since == state_since


@pytest.mark.parametrize(
    ("before", "seen", "relapses"),
    [
        pytest.param(None, {"health": "unhealthy"}, 0, id="no relapse is known at the first observation"),
        pytest.param(
            Sighting("succeeded", DONE, True),
            {"health": "unhealthy"},
            1,
            id="it was healthy and is unhealthy",
        ),
        pytest.param(
            Sighting("succeeded", DONE, False, None, 1),
            {"health": "unhealthy"},
            1,
            id="it is as unhealthy as before",
        ),
        pytest.param(Sighting("succeeded", DONE, False, None, 1), {}, 1, id="it is well again"),
        pytest.param(
            Sighting("succeeded", DONE, True, NOW - 8 * MINUTE, 1),
            {"health_since": NOW - 3 * MINUTE},
            2,
            id="it was unhealthy between two observations, by Azure's time",
        ),
        pytest.param(
            Sighting("succeeded", DONE, True, NOW - 8 * MINUTE, 1),
            {"health_since": NOW},
            1,
            id="its health was reported again just now",
        ),
        pytest.param(
            Sighting("succeeded", DONE, True, None, 1),
            {"health": "initializing"},
            1,
            id="it has yet to report",
        ),
        pytest.param(
            Sighting("succeeded", DONE - MINUTE, True, None, 2),
            {"health": "unhealthy"},
            0,
            id="it was upgraded since",
        ),
    ],
)
def test_how_often_it_became_unhealthy(before: Sighting | None, seen: dict[str, Any], relapses: int) -> None:
    known = {} if before is None else {"0": before}
    listed = [instance(0, **({"since": DONE, "health": "healthy"} | seen))]
    [dated] = date_instances(listed, known, None, HealthSource.EXTENSION, NOW)
    assert dated.relapses == relapses
    assert sightings([dated], HealthSource.EXTENSION, NOW)["0"].relapses == relapses


@pytest.mark.parametrize(
    ("source", "seen", "is_back"),
    [
        pytest.param(HealthSource.EXTENSION, {"health": ""}, False, id="its extension has yet to speak"),
        pytest.param(HealthSource.NONE, {"health": ""}, True, id="nothing could tell its health"),
        pytest.param(
            HealthSource.PROBE,
            {"health": "", "since": NOW - MINUTE / 2},
            False,
            id="the load balancer has yet to find out",
        ),
        pytest.param(
            HealthSource.PROBE, {"health": ""}, True, id="the load balancer has had the time to find out"
        ),
    ],
)
def test_whether_it_is_healthy_without_reported_health(
    source: HealthSource, seen: dict[str, Any], is_back: bool
) -> None:
    """And what is remembered of it, if that was different at the observation before."""
    one = instance(0, **({"since": DONE, "health_since": NOW - MINUTE} | seen))
    [dated] = date_instances([one], {"0": Sighting("succeeded", DONE, not is_back, DONE)}, None, source, NOW)
    assert dated == replace(one, state_since=NOW)
    assert sightings([dated], source, NOW) == {"0": Sighting("succeeded", one.since, is_back, NOW)}


def test_an_instance_with_all_its_times_is_not_copied() -> None:
    """A large scale set has thousands of them at every observation."""
    one = instance(0, since=DONE)
    [dated] = date_instances([one], {}, None, HealthSource.EXTENSION, NOW)
    assert dated is one
