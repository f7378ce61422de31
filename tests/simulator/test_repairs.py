"""Automatic repairs: which instances are repaired, how, and how repairs are suspended."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.simulator.azure import NEW, OLD, Azure, Start


def start_with_repairs(start: Start, action: str = "replace", **web: Any) -> Azure:
    policy = {"grace": "10m", "action": action}
    return start(**{"capacity": 4, "automaticRepairs": policy, **web})


def service(azure: Azure) -> Any:
    return azure.ask("GET", "instanceView").json().get("orchestrationServices")


def set_service_state(azure: Azure, action: str) -> int:
    body = {"serviceName": "AutomaticRepairs", "action": action}
    return azure.ask("POST", "setOrchestrationServiceState", json.dumps(body).encode()).status


def ids(azure: Azure) -> list[str]:
    return [instance.id for instance in azure.sim.scale_set("web").instances]


@pytest.mark.parametrize(
    "action, left",
    [
        pytest.param("replace", ["0", "2", "3", "4"], id="an instance is replaced"),
        pytest.param("restart", ["0", "1", "2", "3"], id="an instance is restarted"),
        pytest.param("reimage", ["0", "1", "2", "3"], id="an instance is reimaged"),
    ],
)
def test_an_instance_unhealthy_beyond_the_grace_period_is_repaired(
    start: Start, action: str, left: list[str]
) -> None:
    azure = start_with_repairs(start, action)
    azure.sim.scale_set("web").instance("1").sicken()
    azure.wait(599)
    assert azure.sim.scale_set("web").provisioning_state == "Succeeded"
    azure.wait(2)
    assert azure.sim.scale_set("web").provisioning_state == "Updating"
    azure.wait(300)
    assert ids(azure) == left
    assert azure.sim.record.unavailable_at("web", azure.clock.now()) == frozenset()
    (*_, last) = azure.sim.record.absences("web")
    assert last.cause in ("repair", "create", "unhealthy")


def test_a_replacement_is_on_the_current_model(start: Start) -> None:
    azure = start_with_repairs(start)
    azure.patch_image(NEW)
    azure.sim.scale_set("web").instance("1").sicken()
    azure.wait(900)
    assert azure.sim.record.images("web") == {"0": OLD, "2": OLD, "3": OLD, "4": NEW}
    assert azure.sim.scale_set("web").capacity == 4


def test_a_replacement_resolves_latest_again(start: Start) -> None:
    sku = OLD.rpartition(":")[0]
    azure = start_with_repairs(start, image=f"{sku}:latest")
    azure.sim.publish(f"{sku}:24.04.202604010")
    azure.sim.scale_set("web").instance("1").sicken()
    azure.wait(900)
    assert azure.sim.record.images("web")["4"] == f"{sku}:24.04.202604010"


def test_a_reimaged_instance_keeps_its_model(start: Start) -> None:
    azure = start_with_repairs(start, "reimage")
    azure.patch_image(NEW)
    azure.sim.scale_set("web").instance("1").sicken()
    azure.wait(900)
    assert azure.sim.record.images("web")["1"] == OLD


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda one: one.heal(), id="an instance that recovered"),
        pytest.param(lambda one: one.protect(), id="a protected instance"),
        pytest.param(lambda one: one.deallocate(), id="a stopped instance"),
    ],
)
def test_an_instance_that_needs_no_repair_is_skipped(start: Start, spoil: Any) -> None:
    azure = start_with_repairs(start)
    one = azure.sim.scale_set("web").instance("1")
    one.sicken()
    azure.wait(300)
    spoil(one)
    azure.wait(3600)
    assert "1" in ids(azure)
    assert one.state[1] in ("running", "deallocated")
    assert len(azure.sim.record.events) < 5


def test_the_grace_period_restarts_with_an_upgrade(start: Start) -> None:
    azure = start_with_repairs(start)
    azure.sim.publish(NEW, boots="unhealthy")
    azure.patch_image(NEW)
    azure.sim.scale_set("web").instance("1").sicken()
    azure.wait(500)
    azure.upgrade("1").result()
    azure.wait(500)
    assert "1" in ids(azure)
    azure.wait(300)
    assert "1" not in ids(azure)


def test_at_most_a_twentieth_is_repaired_at_a_time(start: Start) -> None:
    azure = start_with_repairs(start, "restart", capacity=40)
    for name in ("1", "2", "3", "4", "5"):
        azure.sim.scale_set("web").instance(name).sicken()
    azure.wait(601)
    states = [instance.state[0] for instance in azure.sim.scale_set("web").instances]
    assert states.count("updating") == 2
    azure.wait(600)
    assert azure.sim.record.unavailable_at("web", azure.clock.now()) == frozenset()


def test_repairs_are_suspended_and_resumed(start: Start) -> None:
    azure = start_with_repairs(start)
    assert service(azure) == [{"serviceName": "AutomaticRepairs", "serviceState": "Running"}]
    assert set_service_state(azure, "Suspend") == 202
    assert service(azure) == [{"serviceName": "AutomaticRepairs", "serviceState": "Suspended"}]
    azure.sim.scale_set("web").instance("1").sicken()
    azure.wait(3600)
    assert "1" in ids(azure)
    set_service_state(azure, "Resume")
    azure.wait(700)
    assert "1" not in ids(azure)


def test_a_later_policy_applies_to_unhealthy_instances(start: Start) -> None:
    azure = start(capacity=4)
    assert service(azure) is None
    azure.sim.scale_set("web").instance("1").sicken()
    azure.wait(60)
    azure.patch({"properties": {"automaticRepairsPolicy": {"enabled": True, "gracePeriod": "PT10M"}}})
    azure.wait(700)
    assert "1" not in ids(azure)


def test_a_fleet_may_start_with_an_unhealthy_instance(start: Start) -> None:
    azure = start_with_repairs(start, instanceStates=[{"id": "2", "health": "unhealthy"}])
    azure.wait(700)
    assert "2" not in ids(azure)


def test_instant_repairs_that_never_succeed_do_not_block_the_clock(start: Start) -> None:
    hurry = dict.fromkeys(("model", "upgrade", "boot", "health", "create"), "0s")
    azure = start(
        top={"timings": hurry},
        capacity=2,
        automaticRepairs={"grace": "0s", "action": "restart"},
        health="probe",
    )
    azure.sim.publish(OLD, boots="unhealthy")
    azure.sim.scale_set("web").instance("1").sicken()
    azure.wait(10)
    assert azure.sim.scale_set("web").instance("1").state[2] == "unhealthy"
