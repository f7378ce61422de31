"""Responses of the recorded forms, from 2017 to 2026, and what the reconciler reads in them.

Each body has what one kind of recorded response has and no other has, and a row for each fact that follows
from it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from reconciler.azure import arm
from reconciler.rollout.observed import HealthSource, Operation, RollingUpgrade
from reconciler.spec.image import GalleryImage, ManagedImage, PlatformImage

GROUP = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg"
SET = f"{GROUP}/providers/Microsoft.Compute/virtualMachineScaleSets/vmss1"
LATEST = {"publisher": "Canonical", "offer": "UbuntuServer", "sku": "18.04-LTS", "version": "latest"}
EXACT = "18.04.202401161"
UBUNTU = PlatformImage("Canonical", "UbuntuServer", "18.04-LTS", EXACT)
TIME = "2024-08-26T09:01:11.1234567+00:00"
MOMENT = datetime(2024, 8, 26, 9, 1, 11, 123456, tzinfo=UTC)


def scale_set(
    profile: Mapping[str, Any] | None = None, *, sku: Any = ..., **properties: Any
) -> dict[str, Any]:
    return {
        "name": "vmss1",
        "id": SET,
        "type": "Microsoft.Compute/virtualMachineScaleSets",
        "location": "westus",
        "sku": {"name": "Standard_DS1_v2", "tier": "Standard", "capacity": 2} if sku is ... else sku,
        "properties": {
            "singlePlacementGroup": True,
            "virtualMachineProfile": {"storageProfile": {"imageReference": LATEST}, **(profile or {})},
            "provisioningState": "Succeeded",
            **properties,
        },
    }


def health(kind: str) -> dict[str, Any]:
    extension = {
        "publisher": "Microsoft.ManagedServices",
        "type": kind,
        "typeHandlerVersion": "1.0",
        "settings": {"port": 80},
    }
    return {"extensionProfile": {"extensions": [{"name": "health", "properties": extension}]}}


UNMANAGED = {
    "osDisk": {"name": "disk", "vhdContainers": ["https://acct.blob.core.windows.net/vhds"]},
    "imageReference": LATEST,
}
FLEXIBLE: dict[str, Any] = {
    "orchestrationMode": "Flexible",
    "singlePlacementGroup": False,
    "platformFaultDomainCount": 1,
}
MANUAL = {"upgradePolicy": {"mode": "Manual"}}


@pytest.mark.parametrize(
    "body, fact, value",
    [
        pytest.param(scale_set(upgradePolicy={"mode": "Manual", "automaticOSUpgrade": False}), "mode", "Manual", id="an upgrade policy of 2017"),
        pytest.param(scale_set(upgradePolicy={"mode": "Manual", "automaticOSUpgrade": False}), "automatic_os_upgrade", False, id="automaticOSUpgrade of 2017"),
        pytest.param(scale_set(**MANUAL), "etag", "", id="no etag before 2023"),
        pytest.param({**scale_set(**MANUAL), "etag": '"4"'}, "etag", '"4"', id="an etag with its quotes"),
        pytest.param(scale_set(**MANUAL), "orchestration", "", id="no orchestration mode before 2022"),
        pytest.param(scale_set(**MANUAL), "tags", {}, id="tags that were never written"),
        pytest.param(scale_set(**MANUAL), "capacity", 2, id="the capacity"),
        pytest.param(scale_set({"storageProfile": UNMANAGED}, **MANUAL), "image", PlatformImage("Canonical", "UbuntuServer", "18.04-LTS", "latest"), id="an unmanaged disk"),
        pytest.param(scale_set({"storageProfile": {"imageReference": {"id": f"{GROUP}/providers/Microsoft.Compute/images/img1"}}}, **MANUAL), "image", ManagedImage(f"{GROUP}/providers/Microsoft.Compute/images/img1"), id="a managed image"),
        pytest.param(scale_set({"storageProfile": {"imageReference": {"id": f"{GROUP}/providers/Microsoft.Compute/galleries/g/images/d/versions/1.1.2"}}}, **MANUAL), "image", GalleryImage(f"{GROUP}/providers/Microsoft.Compute/galleries/g/images/d/versions/1.1.2"), id="a version of a gallery"),
        pytest.param(scale_set(health("ApplicationHealthLinux"), **MANUAL), "health_source", HealthSource.EXTENSION, id="the health extension"),
        pytest.param(scale_set(health("CustomScript"), **MANUAL), "health_source", HealthSource.NONE, id="an extension without health"),
        pytest.param(scale_set({"networkProfile": {"healthProbe": {"id": f"{GROUP}/providers/Microsoft.Network/loadBalancers/lb/probes/p"}}}, **MANUAL), "health_source", HealthSource.PROBE, id="a probe"),
        pytest.param(scale_set({"networkProfile": {"healthProbe": None}}, **MANUAL), "health_source", HealthSource.NONE, id="a probe that is null"),
        pytest.param(scale_set(**FLEXIBLE), "mode", "Manual", id="a Flexible set without a policy"),
        pytest.param(scale_set(**FLEXIBLE), "is_flexible", True, id="a Flexible set"),
        pytest.param(scale_set({"priority": "Spot", "evictionPolicy": "Delete"}, **MANUAL), "is_spot", True, id="Spot"),
        pytest.param(scale_set({"priority": "Spot", "evictionPolicy": "Delete"}, **MANUAL), "eviction_policy", "Delete", id="the eviction policy"),
        pytest.param(scale_set({"securityProfile": {"securityType": "TrustedLaunch", "uefiSettings": {"vTpmEnabled": True}}}, **MANUAL), "security_type", "TrustedLaunch", id="trusted launch"),
        pytest.param(scale_set(provisioningState="Creating", **MANUAL), "provisioning", "creating", id="a set that is being created"),
    ],
)  # fmt: skip
def test_a_scale_set_is_read(body: dict[str, Any], fact: str, value: Any) -> None:
    assert getattr(arm.model(body), fact) == value


def row(
    view: Mapping[str, Any] | None = None, *, reference: Mapping[str, Any] | None = None, **properties: Any
) -> dict[str, Any]:
    expanded = {} if view is None else {"instanceView": view}
    return {
        "name": "vmss1_3",
        "id": f"{SET}/virtualMachines/3",
        "instanceId": "3",
        "location": "westus",
        "properties": {
            "latestModelApplied": True,
            "storageProfile": {"imageReference": reference or {**LATEST, "exactVersion": EXACT}},
            "provisioningState": "Succeeded",
            **expanded,
            **properties,
        },
    }


def view(*codes: str, time: str | None = TIME, **more: Any) -> dict[str, Any]:
    statuses = [{"code": code, "level": "Info", "displayStatus": "told"} for code in codes]
    if statuses and time is not None:
        statuses[0]["time"] = time
    return {
        "placementGroupId": "pg",
        "platformUpdateDomain": 3,
        "platformFaultDomain": 3,
        **more,
        "statuses": statuses,
    }


SUCCEEDED, RUNNING = "ProvisioningState/succeeded", "PowerState/running"
UNREADY = {
    "statuses": [{"code": "ProvisioningState/Unavailable", "level": "Warning", "displayStatus": "Not Ready"}]
}
WINDOWS = {
    "vmAgentVersion": "2.7",
    "statuses": [{"code": SUCCEEDED, "level": "Info", "displayStatus": "Ready"}],
}


@pytest.mark.parametrize(
    "body, fact, value",
    [
        pytest.param(row(), "image", UBUNTU, id="the image by its exact version"),
        pytest.param(row(reference={**LATEST, "version": EXACT}), "image", UBUNTU, id="the image by its version, before 2020"),
        pytest.param(row(view(SUCCEEDED, RUNNING)), "power", "running", id="the power state"),
        pytest.param(row(view(SUCCEEDED, RUNNING)), "since", MOMENT, id="a settled state has a time"),
        pytest.param(row(view("ProvisioningState/updating", RUNNING, time=None), provisioningState="Updating"), "since", None, id="a state in transition has none"),
        pytest.param(row(view("ProvisioningState/updating", RUNNING, time=None), provisioningState="Updating"), "provisioning", "updating", id="updating"),
        pytest.param(row(view("ProvisioningState/creating", RUNNING, time=None), provisioningState="Creating"), "provisioning", "creating", id="creating"),
        pytest.param(row(view("ProvisioningState/succeeded/osProvisioningInProgress", RUNNING)), "provisioning", "succeeded", id="a guest that is not ready"),
        pytest.param(row(view("ProvisioningState/failed/VMExtensionProvisioningError", RUNNING)), "error", "VMExtensionProvisioningError", id="a failure by its code"),
        pytest.param(row(view(SUCCEEDED)), "power", "", id="a permanently unknown power state"),
        pytest.param(row(view(SUCCEEDED, "PowerState/deallocated")), "power", "deallocated", id="deallocated"),
        pytest.param(row(view(SUCCEEDED, "PowerState/deallocated")), "update_domain", 3, id="a deallocated instance keeps its domain"),
        pytest.param(row(view(SUCCEEDED, RUNNING, vmAgent=UNREADY)), "has_health_extension", False, id="an agent that is not ready"),
        pytest.param(row(view(SUCCEEDED, RUNNING, vmAgent=WINDOWS)), "has_health_extension", False, id="Windows lists no handlers when there are none"),
        pytest.param(row(view(SUCCEEDED, RUNNING, hyperVGeneration="V1")), "generation", "V1", id="the generation"),
        pytest.param(row(view(SUCCEEDED, RUNNING)), "generation", "", id="no generation before 2019"),
        pytest.param(row(), "has_own_model", False, id="no own model before 2019"),
        pytest.param(row(modelDefinitionApplied="VirtualMachine"), "has_own_model", True, id="an own model"),
        pytest.param(row(protectionPolicy={"protectFromScaleIn": True, "protectFromScaleSetActions": False}), "protected", False, id="protection from scale-in only"),
        pytest.param(row(protectionPolicy={"protectFromScaleIn": True, "protectFromScaleSetActions": True}), "protected", True, id="protection from actions"),
        pytest.param({**row(), "zones": ["2"]}, "zone", "2", id="a zone"),
        pytest.param({**row(), "zones": [None]}, "zone", "", id="a zone that is null"),
        pytest.param(row(latestModelApplied=False), "latest_model", False, id="not on the latest model"),
        pytest.param(row(timeCreated=TIME), "created", MOMENT, id="the time of creation"),
        pytest.param(row(), "created", None, id="no time of creation before 2021"),
    ],
)  # fmt: skip
def test_an_instance_is_read(body: dict[str, Any], fact: str, value: Any) -> None:
    assert getattr(arm.instance(body), fact) == value


STARTED = {"startTime": TIME, "name": "1f2e"}
EXTENSION_FAILED = {
    "code": "VMExtensionProvisioningError",
    "message": "VM has reported a failure when processing extension 'e'.\r\n",
}


@pytest.mark.parametrize(
    "body, operation",
    [
        pytest.param({**STARTED, "status": "InProgress"}, Operation("InProgress"), id="a running operation"),
        pytest.param(
            {**STARTED, "endTime": TIME, "status": "Succeeded"},
            Operation("Succeeded"),
            id="a succeeded operation",
        ),
        pytest.param(
            {**STARTED, "endTime": TIME, "status": "Succeeded", "properties": {"output": {"value": []}}},
            Operation("Succeeded"),
            id="an operation with an output",
        ),
        pytest.param(
            {**STARTED, "endTime": TIME, "status": "Failed", "error": EXTENSION_FAILED},
            Operation(
                "Failed",
                "VMExtensionProvisioningError: VM has reported a failure when processing extension 'e'.",
            ),
            id="a failed operation with the status 200",
        ),
    ],
)
def test_an_operation_is_read(body: dict[str, Any], operation: Operation) -> None:
    assert arm.operation(body) == operation


@pytest.mark.parametrize(
    "code, runs", [("RollingForward", True), ("Completed", False), ("Faulted", False), ("Cancelled", False)]
)
def test_a_rolling_upgrade_is_read(code: str, runs: bool) -> None:
    progress = {
        "successfulInstanceCount": 2,
        "failedInstanceCount": 0,
        "inProgressInstanceCount": 0,
        "pendingInstanceCount": 0,
    }
    status = {"code": code, "startTime": TIME, "lastAction": "Start", "lastActionTime": TIME}
    body = {
        "type": f"{SET}/rollingUpgrades",
        "properties": {"policy": {}, "runningStatus": status, "progress": progress},
    }
    found = arm.rolling_upgrade(body)
    assert found == RollingUpgrade(code)
    assert found.running is runs
