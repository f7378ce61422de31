"""How an instance stands, from what Azure says of it."""

from datetime import timedelta
from typing import Any

import pytest

from reconciler.rollout.health import State, describe_problem, state_of
from reconciler.rollout.observed import HealthSource
from tests.build import NOW, instance


@pytest.mark.parametrize(
    ("facts", "stands"),
    [
        pytest.param({}, State.HEALTHY, id="running and healthy"),
        pytest.param({"health": "initializing"}, State.IN_TRANSITION, id="within its grace period"),
        pytest.param({"health": "unhealthy"}, State.UNHEALTHY, id="unhealthy"),
        pytest.param({"health": "unknown"}, State.UNHEALTHY, id="unknown health is unhealthy"),
        pytest.param({"health": ""}, State.IN_TRANSITION, id="its extension has not spoken yet"),
        pytest.param(
            {
                "health": "",
                "latest_model": False,
                "has_health_extension": False,
                "since": NOW - timedelta(minutes=5),
            },
            State.HEALTHY,
            id="not on the model that brought the extension",
        ),
        pytest.param(
            {"health": "", "latest_model": False, "since": NOW - timedelta(hours=1)},
            State.IN_TRANSITION,
            id="its extension has not spoken, and the model has moved on since",
        ),
        pytest.param(
            {"health": "", "latest_model": False, "has_health_extension": False},
            State.IN_TRANSITION,
            id="started moments ago, and does not show yet what it carries",
        ),
        pytest.param(
            {
                "health": "",
                "latest_model": False,
                "has_health_extension": False,
                "since": NOW - timedelta(seconds=299),
            },
            State.IN_TRANSITION,
            id="started less than five minutes ago",
        ),
        pytest.param(
            {
                "health": "",
                "latest_model": False,
                "has_health_extension": False,
                "since": NOW - timedelta(hours=1),
            },
            State.HEALTHY,
            id="started long ago, and carries none",
        ),
        pytest.param(
            {"health": "", "has_health_extension": False, "since": NOW - timedelta(hours=1)},
            State.IN_TRANSITION,
            id="on the latest model, whose extension has not spoken",
        ),
        pytest.param({"provisioning": "migrating"}, State.IN_TRANSITION, id="being migrated"),
        pytest.param({"provisioning": "creating", "power": ""}, State.IN_TRANSITION, id="being created"),
        pytest.param(
            {"provisioning": "updating", "power": "stopped"}, State.IN_TRANSITION, id="being upgraded"
        ),
        pytest.param(
            {"provisioning": "updating", "power": "deallocated"}, State.IN_TRANSITION, id="moved while off"
        ),
        pytest.param({"provisioning": "deleting"}, State.LEAVING, id="being deleted"),
        pytest.param({"provisioning": "failed"}, State.UNHEALTHY, id="failed, though it runs"),
        pytest.param({"power": "starting"}, State.IN_TRANSITION, id="starting"),
        pytest.param({"power": "stopping"}, State.UNHEALTHY, id="stopping"),
        pytest.param({"power": "unknown"}, State.HEALTHY, id="of unknown power, and healthy"),
        pytest.param({"power": ""}, State.HEALTHY, id="without a power state, and healthy"),
        pytest.param(
            {"power": "unknown", "health": "unhealthy"}, State.UNHEALTHY, id="of unknown power, and unhealthy"
        ),
        pytest.param(
            {"power": "unknown", "health": "initializing"},
            State.IN_TRANSITION,
            id="of unknown power, initializing",
        ),
        pytest.param({"power": "", "health": ""}, State.UNHEALTHY, id="without power state or health"),
        pytest.param({"power": "stopped"}, State.UNHEALTHY, id="powered off"),
        pytest.param({"power": "deallocated", "health": ""}, State.DEALLOCATED, id="deallocated"),
        pytest.param({"power": "deallocating", "health": ""}, State.DEALLOCATED, id="being deallocated"),
        pytest.param(
            {"power": "deallocated", "provisioning": "failed"}, State.UNHEALTHY, id="failed to be allocated"
        ),
    ],
)
def test_with_the_health_extension(facts: dict[str, Any], stands: State) -> None:
    assert state_of(instance(0, **facts), HealthSource.EXTENSION, NOW) is stands


@pytest.mark.parametrize("source", [HealthSource.PROBE, HealthSource.NONE])
def test_without_the_extension_running_is_enough(source: HealthSource) -> None:
    assert state_of(instance(0, health=""), source, NOW) is State.HEALTHY


def test_without_any_source_there_is_nothing_to_wait_for() -> None:
    assert state_of(instance(0, health="", since=NOW), HealthSource.NONE, NOW) is State.HEALTHY


@pytest.mark.parametrize("source", [HealthSource.NONE, HealthSource.PROBE])
@pytest.mark.parametrize(
    ("power", "age", "stands"),
    [
        pytest.param("", timedelta(minutes=4), State.IN_TRANSITION, id="which may be on its way"),
        pytest.param("", timedelta(minutes=5), State.HEALTHY, id="for good"),
        pytest.param("unknown", timedelta(hours=1), State.UNHEALTHY, id="which Azure itself calls unknown"),
    ],
)
def test_without_a_power_state_or_health_the_provisioning_decides(
    source: HealthSource, power: str, age: timedelta, stands: State
) -> None:
    assert state_of(instance(0, health="", power=power, since=NOW - age), source, NOW) is stands


def test_a_probe_that_does_report_is_believed() -> None:
    assert state_of(instance(0, health="unhealthy"), HealthSource.PROBE, NOW) is State.UNHEALTHY


@pytest.mark.parametrize(
    ("age", "stands"),
    [
        pytest.param(timedelta(seconds=59), State.IN_TRANSITION, id="changed less than a minute ago"),
        pytest.param(timedelta(minutes=1), State.HEALTHY, id="changed a minute ago"),
        pytest.param(timedelta(hours=1), State.HEALTHY, id="changed long ago"),
    ],
)
def test_a_probe_that_does_not_report_is_given_a_minute(age: timedelta, stands: State) -> None:
    assert state_of(instance(0, health="", since=NOW - age), HealthSource.PROBE, NOW) is stands


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        pytest.param({"power": "unknown", "health": ""}, "power state unknown", id="nothing is reported"),
        pytest.param({"power": "", "health": "initializing"}, "initializing", id="its health alone is reported"),
        pytest.param({"power": "stopped", "health": ""}, "stopped", id="powered off"),
        pytest.param({"health": ""}, "no health reported yet", id="running, and silent"),
        pytest.param({"provisioning": "failed", "error": "OSProvisioningTimedOut"}, "failed with OSProvisioningTimedOut",
                     id="failed"),
    ],
)  # fmt: skip
def test_a_problem_is_described_in_azures_words(facts: dict[str, Any], said: str) -> None:
    assert describe_problem(instance(0, **facts)) == said
