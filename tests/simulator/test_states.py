"""Reported states of scale sets and instances that differ from what really happens."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from tests.simulator.azure import BAD, NEW, Azure, Start


def state(azure: Azure) -> Any:
    return azure.ask("GET", "").json()["properties"]["provisioningState"]


@pytest.mark.parametrize("during", ["Updating", "Succeeded"])
def test_the_state_during_a_manual_upgrade_is_the_one_declared(start: Start, during: str) -> None:
    azure = start(top={"provisioningStateDuringUpgrade": during})
    azure.patch_image(NEW)
    azure.upgrade("1", polling=False)
    assert state(azure) == during
    assert azure.sim.scale_set("web").instance("1").state[0] == "updating"
    azure.wait(600)
    assert state(azure) == "Succeeded"


def test_other_writes_show_updating_even_if_a_manual_upgrade_does_not(start: Start) -> None:
    azure = start(top={"provisioningStateDuringUpgrade": "Succeeded"})
    azure.patch_image(NEW)
    azure.upgrade("1", polling=False)
    azure.ask("PATCH", "", b'{"tags": {"a": "b"}}')
    assert state(azure) == "Updating"


@pytest.mark.parametrize("reported", ["Creating", "Updating", "Migrating"])
def test_a_scale_set_may_report_a_state_permanently(start: Start, reported: str) -> None:
    azure = start(provisioningState=reported)
    azure.patch_image(NEW)
    azure.wait(3 * 24 * 3600)
    assert state(azure) == reported
    assert {each.state[0] for each in azure.sim.scale_set("web").instances} == {"succeeded"}
    azure.sim.scale_set("web").report(None)
    assert state(azure) == "Succeeded"


def test_a_failed_scale_set_recovers_with_the_next_write(start: Start) -> None:
    azure = start(provisioningState="Failed")
    assert state(azure) == "Failed"
    azure.patch({"tags": {"a": "b"}})
    assert state(azure) == "Succeeded"


def view(azure: Azure, instance: str = "1") -> Any:
    return azure.ask("GET", f"virtualMachines/{instance}/instanceView").json()


def codes(azure: Azure) -> list[str]:
    return [status["code"] for status in view(azure)["statuses"]]


@pytest.mark.parametrize(
    "power, wanted",
    [
        pytest.param("unknown", ["ProvisioningState/succeeded", "PowerState/unknown"], id="unknown"),
        pytest.param("none", ["ProvisioningState/succeeded"], id="no PowerState"),
    ],
)
def test_a_healthy_instance_may_report_no_known_power_state(
    start: Start, power: str, wanted: list[str]
) -> None:
    azure = start(capacity=3, instanceStates=[{"id": "1", "power": power}])
    assert codes(azure) == wanted
    assert view(azure)["vmHealth"]["status"]["code"] == "HealthState/healthy"
    azure.patch_image(NEW)
    azure.upgrade("1").result()
    azure.wait(60)
    assert codes(azure) == wanted, "the state does not change"
    azure.sim.scale_set("web").instance("1").report_power(None)
    assert codes(azure)[1] == "PowerState/running"


def test_a_health_extension_may_report_nothing_until_the_instance_boots_again(start: Start) -> None:
    azure = start(capacity=3, instanceStates=[{"id": "1", "health": "none"}])
    azure.sim.scale_set("web").instance("2").silence()
    assert ["vmHealth" in view(azure, each) for each in "012"] == [True, False, False]
    azure.patch_image(NEW)
    azure.upgrade("1").result()
    azure.wait(60)
    assert ["vmHealth" in view(azure, each) for each in "012"] == [True, True, False]


@pytest.mark.parametrize(
    "health, said",
    [
        pytest.param("extension", "HealthState/unknown", id="version 2 reports unknown"),
        pytest.param("binaryExtension", None, id="version 1 reports nothing"),
    ],
)
def test_an_image_may_not_respond_to_the_health_extension(
    start: Start, health: str, said: str | None
) -> None:
    azure = start(capacity=3, health=health)
    azure.sim.publish(NEW, boots="silent")
    azure.patch_image(NEW)
    azure.upgrade("1").result()
    azure.wait(600)
    assert view(azure).get("vmHealth", {"status": {"code": None}})["status"]["code"] == said
    assert codes(azure) == ["ProvisioningState/succeeded", "PowerState/running"]


def test_an_upgrade_removes_the_own_model_of_an_instance(start: Start) -> None:
    azure = start(capacity=3, instanceStates=[{"id": "1", "modelDefinitionApplied": "VirtualMachine"}])
    azure.sim.scale_set("web").instance("2").give_own_model()

    def models() -> list[str]:
        rows = azure.ask("GET", "virtualMachines").json()["value"]
        return [row["properties"]["modelDefinitionApplied"] for row in rows]

    assert models() == ["VirtualMachineScaleSet", "VirtualMachine", "VirtualMachine"]
    azure.patch_image(NEW)
    azure.upgrade("1").result()
    assert models() == ["VirtualMachineScaleSet", "VirtualMachineScaleSet", "VirtualMachine"]


def test_an_application_may_report_custom_metrics(start: Start) -> None:
    metrics = {"rollingUpgrade": {"PhaseOrderingNumber": 2, "SkipUpgrade": True}}
    azure = start(
        capacity=2,
        extensions=[{"name": "agent", "publisher": "Example", "type": "Agent"}],
        instanceStates=[{"id": "1", "customMetrics": metrics}],
    )
    health, agent = view(azure)["extensions"]
    (substatus,) = health["substatuses"]
    assert substatus["code"] == "ComponentStatus/CustomMetrics/succeeded"
    assert json.loads(substatus["message"]) == metrics
    assert "substatuses" not in agent
    assert "substatuses" not in view(azure, "0")["extensions"][0]


def test_an_upgrade_waits_for_the_guest_if_the_model_says_so(start: Start) -> None:
    azure = start(capacity=3, osImageNotification="15m")
    profile = azure.ask("GET", "").json()["properties"]["virtualMachineProfile"]
    wanted = {"osImageNotificationProfile": {"enable": True, "notBeforeTimeout": "PT15M"}}
    assert profile["scheduledEventsProfile"] == wanted
    azure.patch_image(NEW)
    azure.upgrade("1", polling=False)
    one = azure.sim.scale_set("web").instance("1")
    azure.wait(14 * 60)
    assert one.state == ("updating", "running", "healthy")
    azure.wait(60)
    assert one.state[:2] == ("updating", "stopping")
    azure.wait(120)
    assert (one.image, one.state) == (NEW, ("succeeded", "running", "healthy"))


def test_a_notification_that_is_disabled_delays_nothing(start: Start) -> None:
    azure = start(capacity=3, osImageNotification="15m")
    events = {"osImageNotificationProfile": {"enable": False}}
    azure.patch({"properties": {"virtualMachineProfile": {"scheduledEventsProfile": events}}})
    azure.upgrade("1").result()
    azure.patch_image(NEW)
    azure.upgrade("1", polling=False)
    azure.wait(120)
    assert azure.sim.scale_set("web").instance("1").image == NEW


def test_a_deletion_waits_for_the_guest_if_the_model_says_so(start: Start) -> None:
    azure = start(capacity=3, terminateNotification="5m")
    azure.sim.scale_set("web").scale_to(2)
    azure.wait(290)
    assert [each.state[0] for each in azure.sim.scale_set("web").instances] == ["succeeded"] * 2 + [
        "deleting"
    ]
    azure.wait(60)
    assert len(azure.sim.scale_set("web").instances) == 2


@pytest.mark.parametrize(
    "health, at_nine_minutes",
    [
        pytest.param("extension", "initializing", id="version 2 waits"),
        pytest.param("binaryExtension", "unhealthy", id="version 1 has no grace period"),
    ],
)
def test_bad_health_shows_after_the_grace_period(start: Start, health: str, at_nine_minutes: str) -> None:
    azure = start(capacity=3, health=health, healthGracePeriod="10m")
    azure.patch_image(BAD)
    azure.upgrade("1").result()
    azure.wait(9 * 60)
    one = azure.sim.scale_set("web").instance("1")
    assert one.state[2] == at_nine_minutes
    azure.wait(60)
    assert one.state[2] == "unhealthy"


def test_flapping_changes_only_the_health(azure: Azure) -> None:
    one = azure.sim.scale_set("web").instance("1")
    provisioned = view(azure)["statuses"][0]["time"]
    flapping = one.flap(timedelta(minutes=15), timedelta(minutes=5))
    seen = []
    for _ in range(8):
        seen.append(one.state[2])
        azure.wait(5 * 60)
    assert seen == ["healthy"] * 3 + ["unhealthy"] + ["healthy"] * 3 + ["unhealthy"]
    assert (view(azure)["statuses"][0]["time"], one.state[:2]) == (provisioned, ("succeeded", "running"))
    flapping.end()
    azure.wait(3600)
    assert one.state[2] == "healthy"


def test_flapping_does_not_disturb_an_upgrade(azure: Azure) -> None:
    one = azure.sim.scale_set("web").instance("1")
    one.flap(timedelta(seconds=10), timedelta(seconds=10))
    azure.patch_image(NEW)
    azure.upgrade("1").result()
    assert one.image == NEW
