"""Manual upgrades: which instances change, what is charged, and which states the instances report."""

from __future__ import annotations

import json
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError, ResourceExistsError

from reconciler.simulator import OperationFails
from tests.simulator.azure import BAD, NEW, OLD, Azure, Start


def ask(azure: Azure, *ids: str) -> Any:
    return azure.ask("POST", "manualUpgrade", json.dumps({"instanceIds": list(ids)}).encode())


def test_a_manual_upgrade_returns_an_empty_202_with_two_addresses(azure: Azure) -> None:
    azure.patch_image(NEW)
    answer = ask(azure, "0", "5")
    assert (answer.status, answer.body, answer.headers["Content-Length"]) == (202, b"", "0")
    assert "monitor=true" in answer.headers["Location"]
    assert "monitor" not in answer.headers["Azure-AsyncOperation"]
    assert answer.headers["Azure-AsyncNotification"] == "Enabled"
    assert answer.headers["x-ms-ratelimit-remaining-resource"] == (
        "Microsoft.Compute/VMScaleSetActionsSubscriptionMaximum;1499,"
        "Microsoft.Compute/VMScaleSetBatchedVMRequestsSubscriptionMaximum;5998,"
        "Microsoft.Compute/VmssQueuedVMOperations;0"
    )


@pytest.mark.parametrize(
    "ids, charge",
    [
        pytest.param(["0"], 1, id="one instance not on the latest model"),
        pytest.param(["*"], 17, id="all instances: only the unprotected ones not on the latest model"),
        pytest.param(["7"], 0, id="a protected instance"),
        pytest.param(["1", "2"], 0, id="two instances on the latest model"),
        pytest.param(["0", "0", "1"], 1, id="an instance named twice with one on the latest model"),
    ],
)
def test_only_instances_not_on_the_latest_model_are_upgraded_and_charged(
    start: Start, ids: list[str], charge: int
) -> None:
    azure = start(protected=["7"])
    azure.patch_image(NEW)
    azure.upgrade("1", "2").result()
    azure.wait(60)
    answer = ask(azure, *ids)
    assert answer.headers["x-ms-request-charge"] == str(charge)
    assert len(azure.sim.record.unavailable_at("web", azure.clock.now())) == charge


def test_an_upgrade_goes_through_the_states_that_azure_reports(azure: Azure) -> None:
    azure.patch_image(NEW)
    ask(azure, "3")
    seen = []
    for wait in (0, 60, 20, 15):
        azure.wait(wait)
        view = azure.client.virtual_machine_scale_set_vms.get_instance_view("shop", "web", "3").as_dict()
        codes = [status["code"] for status in view["statuses"]]
        health = view.get("vmHealth", {}).get("status", {}).get("code")
        seen.append((*codes, health, azure.sim.record.images("web")["3"] == NEW))
    assert seen == [
        ("ProvisioningState/updating", "PowerState/stopping", None, False),
        ("ProvisioningState/updating", "PowerState/starting", None, False),
        ("ProvisioningState/succeeded", "PowerState/running", "HealthState/initializing", True),
        ("ProvisioningState/succeeded", "PowerState/running", "HealthState/healthy", True),
    ]


def test_an_instance_is_unavailable_until_it_is_healthy(azure: Azure) -> None:
    azure.patch_image(NEW)
    ask(azure, "3")
    azure.wait(600)
    (absence,) = azure.sim.record.absences("web")
    assert absence.until is not None
    assert (absence.until - absence.since).total_seconds() == 60 + 20 + 15
    assert absence.cause == "manualupgrade"


def test_an_instance_without_a_health_source_is_available_once_it_runs(start: Start) -> None:
    azure = start(health="none")
    azure.patch_image(NEW)
    ask(azure, "3")
    azure.wait(80)
    assert azure.sim.record.unavailable_at("web", azure.clock.now()) == frozenset()


def test_the_scale_set_is_updating_until_the_upgrade_ends_and_its_etag_moves(azure: Azure) -> None:
    azure.patch_image(NEW)
    live = azure.sim.scale_set("web")
    before = live.etag
    ask(azure, "0")
    assert (live.provisioning_state, live.etag > before) == ("Updating", True)
    azure.wait(80)
    assert live.provisioning_state == "Succeeded"


def test_domains_upgraded_in_turn_never_overlap(azure: Azure) -> None:
    azure.patch_image(NEW)
    for domain in range(5):
        azure.upgrade(*(str(number) for number in range(20) if number % 5 == domain)).result()
        azure.wait(15)
    assert set(azure.sim.record.images("web").values()) == {NEW}
    assert azure.sim.record.max_unavailable_domains("web") == 1


def test_domains_upgraded_together_overlap(azure: Azure) -> None:
    azure.patch_image(NEW)
    azure.upgrade("0", "1").result()
    assert azure.sim.record.max_unavailable_domains("web") == 2


def test_an_unknown_id_rejects_the_whole_call(azure: Azure) -> None:
    azure.patch_image(NEW)
    answer = ask(azure, "0", "999")
    error = answer.json()["error"]
    assert (answer.status, error["target"]) == (400, "upgradePolicies.instanceIds")
    message = "The provided instanceId 999 is not an active Virtual Machine Scale Set VM instanceId."
    assert error["message"] == message
    assert azure.sim.record.absences("web") == ()


def test_an_upgrade_of_no_instances_is_rejected_and_recorded(azure: Azure) -> None:
    azure.patch_image(NEW)
    assert ask(azure).status == 400
    last = azure.sim.record.requests[-1]
    assert (last.operation, last.status, last.body) == (
        "VirtualMachineScaleSets_UpdateInstances",
        400,
        {"instanceIds": []},
    )


def test_instances_with_an_operation_in_progress_are_rejected(azure: Azure) -> None:
    azure.patch_image(NEW)
    azure.upgrade("0", "1", polling=False)
    with pytest.raises(ResourceExistsError, match="conflict with a concurrent request"):
        azure.upgrade("1", "2", polling=False)
    azure.upgrade("2", "3", polling=False)


@pytest.mark.parametrize(
    "boots, status, states",
    [
        pytest.param(
            "unhealthy",
            "Succeeded",
            ("succeeded", "running", "unhealthy"),
            id="an image that never gets healthy",
        ),
        pytest.param("fails", "Failed", ("failed", "running", "unknown"), id="an image that never reports"),
        pytest.param(
            "never", "InProgress", ("updating", "starting", "healthy"), id="an image that never boots"
        ),
    ],
)
def test_an_upgrade_to_a_bad_image(
    start: Start, boots: str, status: str, states: tuple[str, str, str]
) -> None:
    azure = start()
    azure.sim.publish(BAD, boots=boots)  # type: ignore[arg-type]
    azure.patch_image(BAD)
    answer = ask(azure, "0")
    azure.wait(3600)
    operation = azure.ask("GET", answer.headers["Azure-AsyncOperation"].removeprefix("https://arm.test"))
    assert (operation.status, operation.json()["status"]) == (200, status)
    assert azure.sim.scale_set("web").instance("0").state == states
    assert azure.sim.record.unavailable_at("web", azure.clock.now()) == {"0"}


def test_an_instance_that_never_boots_can_be_rolled_back(azure: Azure) -> None:
    azure.sim.publish(BAD, boots="never")
    azure.patch_image(BAD)
    stuck = ask(azure, "0")
    azure.wait(3600)
    azure.patch_image(OLD)
    azure.upgrade("0").result()
    azure.wait(15)
    assert azure.sim.scale_set("web").instance("0").state == ("succeeded", "running", "healthy")
    operation = azure.ask(
        "GET", stuck.headers["Azure-AsyncOperation"].removeprefix("https://arm.test")
    ).json()
    assert operation["error"]["code"] == "OperationPreempted"


def test_an_operation_can_fail_after_it_was_accepted(azure: Azure) -> None:
    azure.patch_image(NEW)
    fault = OperationFails("VMExtensionProvisioningError", "VM has reported a failure.")
    azure.sim.faults.arm("VirtualMachineScaleSets_UpdateInstances", fault)
    with pytest.raises(HttpResponseError) as caught:
        azure.upgrade("0").result()
    assert caught.value.status_code == 200, "a failed operation is reported with HTTP 200"
    assert caught.value.error is not None
    assert caught.value.error.code == "VMExtensionProvisioningError"
    assert azure.sim.record.images("web")["0"] == OLD
    assert azure.sim.scale_set("web").provisioning_state == "Failed"
    azure.upgrade("0").result()
    assert azure.sim.record.images("web")["0"] == NEW
    assert azure.sim.scale_set("web").provisioning_state == "Succeeded"


def test_a_deallocated_instance_gets_its_disk_and_stays_down(azure: Azure) -> None:
    live = azure.sim.scale_set("web").instance("4")
    live.deallocate()
    azure.wait(60)
    azure.patch_image(NEW)
    azure.upgrade("4").result()
    assert (live.state[1], live.image) == ("deallocated", NEW)
    live.start()
    azure.wait(60)
    assert live.state == ("succeeded", "running", "healthy")


def test_automatic_mode_upgrades_all_instances_at_once(start: Start) -> None:
    azure = start(mode="Automatic")
    azure.patch_image(NEW)
    assert azure.sim.record.max_unavailable_domains("web", cause="automatic") == 5
    assert set(azure.sim.record.images("web").values()) == {NEW}


def test_a_spoiled_instance_boots_badly_on_every_other_image(azure: Azure) -> None:
    live = azure.sim.scale_set("web")
    for id_ in ("0", "1"):
        live.instance(id_).spoil("unhealthy" if id_ == "0" else "never")
    azure.patch_image(NEW)
    ask(azure, "0", "1", "2")
    azure.wait(600)
    assert [live.instance(each).state for each in "012"] == [
        ("succeeded", "running", "unhealthy"),
        ("updating", "starting", "healthy"),
        ("succeeded", "running", "healthy"),
    ]
    azure.patch_image(OLD)
    ask(azure, "0", "1", "2")
    azure.wait(600)
    assert {live.instance(each).state for each in "012"} == {("succeeded", "running", "healthy")}
