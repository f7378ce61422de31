"""Responses compared with recorded ones: status, headers, every field with its type, and texts.

Each table names the source of its rows. Values that recordings sanitise are patterns here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import pytest

from reconciler.simulator import SUBSCRIPTION, Response
from tests.simulator.azure import GROUP, NEW, OLD, SET, VERSION, Azure, Start
from tests.simulator.likeness import ETAG, GUID, TIME, differences

Style = Literal["pretty", "compact", "empty"]

SUBSCRIBED = f"/subscriptions/{SUBSCRIPTION}"
SETS = "/providers/Microsoft.Compute/virtualMachineScaleSets"
LOCATION = f"{SUBSCRIBED}/providers/Microsoft.Compute/locations/westeurope"
IMAGES = f"{LOCATION}/publishers/Canonical/artifacttypes/vmimage/offers/ubuntu-24_04-lts/skus/server/versions"
NUMBER = re.compile(r"\d+")
GATEWAY = {
    "x-ms-failure-cause": "gateway",
    "x-ms-ratelimit-remaining-resource": None,
    "x-ms-request-charge": None,
}


def nothing(_: Azure) -> None:
    """Send no request before."""


@dataclass(frozen=True)
class Case:
    """One request and its expected response.

    A header that is None must be absent. `before` runs before the request.
    """

    ask: str
    status: int
    body: Any
    style: Style = "pretty"
    headers: Mapping[str, Any] = field(default_factory=dict)
    sent: Any = None
    sending: Mapping[str, str] = field(default_factory=dict)
    before: Callable[[Azure], object] = nothing
    version: str = VERSION
    web: Mapping[str, Any] = field(default_factory=dict)


def check(azure: Azure, case: Case) -> Response:
    case.before(azure)
    method, _, path = case.ask.partition(" ")
    sent = b"" if case.sent is None else json.dumps(case.sent).encode()
    answer = azure.ask(method, path, sent, case.version, case.sending)
    found = json.loads(answer.body) if answer.body else None
    assert [f"status {answer.status}", *differences(case.body, found)] == [f"status {case.status}"]
    assert style_of(answer.body) == case.style
    headers = {name.lower(): value for name, value in answer.headers.items()}
    wanted = {name.lower(): shape for name, shape in case.headers.items() if shape is not None}
    there = {name: headers[name] for name in wanted if name in headers}
    assert differences(wanted, there) == []
    assert not [name for name, shape in case.headers.items() if shape is None and name.lower() in headers]
    return answer


def style_of(body: bytes) -> Style:
    """Return the style of the JSON. Compute indents with CRLF. The gateway writes no unnecessary blanks."""
    if not body:
        return "empty"
    compact = json.dumps(json.loads(body), separators=(",", ":")).encode()
    if body == compact:
        return "compact"
    assert body == json.dumps(json.loads(body), indent=2).replace("\n", "\r\n").encode()
    return "pretty"


def address(*, monitor: bool, version: str = VERSION) -> re.Pattern[str]:
    """Return the pattern of an operation's address: signed, with the parameters in this order."""
    wait = "&monitor=true" if monitor else ""
    place = rf"https://arm\.test{LOCATION}/operations/{GUID.pattern}"
    return re.compile(rf"{place}\?p={GUID.pattern}{wait}&api-version={version}&t=\d+&c=[^&]+&s=[^&]+&h=[^&]+")


def remaining(text: str) -> re.Pattern[str]:
    """Expand a short form of `x-ms-ratelimit-remaining-resource`: policies and what is left of them."""
    policies = ",".join(f"Microsoft.Compute/{each.replace(' ', ';')}" for each in text.split(", "))
    return re.compile(re.escape(policies))


BATCHED = "VMScaleSetBatchedVMRequestsSubscriptionMaximum {}, VmssQueuedVMOperations 0"
POLLED = {"Azure-AsyncOperation": address(monitor=False), "Azure-AsyncNotification": "Enabled"}
STARTED = {**POLLED, "Location": None, "ETag": ETAG}
ACCEPTED = {
    **POLLED,
    "Location": address(monitor=True),
    "Content-Length": "0",
    "Content-Type": None,
    "ETag": None,
}


def accepted_headers(charge: int, policies: str) -> dict[str, Any]:
    return {
        **ACCEPTED,
        "x-ms-request-charge": str(charge),
        "x-ms-ratelimit-remaining-resource": remaining(f"{policies}, {BATCHED.format(6000 - charge)}"),
    }


def error(code: str, message: Any, **more: Any) -> dict[str, Any]:
    return {"error": {"code": code, "message": message, **more}}


# ---- shapes of resources -------------------------------------------------------------------------------------
CARD = {
    "name": str,
    "properties": {
        "primary": True,
        "enableAcceleratedNetworking": False,
        "disableTcpStateTracking": False,
        "dnsSettings": {"dnsServers": []},
        "enableIPForwarding": False,
        "ipConfigurations": [
            {"name": str, "properties": {"subnet": {"id": str}, "privateIPAddressVersion": "IPv4"}}
        ],
    },
}
LINUX = {"disablePasswordAuthentication": bool, "provisionVMAgent": True}
GUEST = {
    "adminUsername": str,
    "linuxConfiguration": LINUX,
    "secrets": [],
    "allowExtensionOperations": True,
    "requireGuestProvisionSignal": True,
}
DISK = {
    "osType": "Linux",
    "createOption": "FromImage",
    "caching": "ReadWrite",
    "managedDisk": {"storageAccountType": "Premium_LRS"},
    "diskSizeGB": int,
}
REFERENCE = {"publisher": "Canonical", "offer": "ubuntu-24_04-lts", "sku": "server", "version": str}
HEALTH = {
    "name": "AppHealth",
    "properties": {
        "autoUpgradeMinorVersion": True,
        "publisher": "Microsoft.ManagedServices",
        "type": "ApplicationHealthLinux",
        "typeHandlerVersion": str,
        "settings": {"protocol": "http", "port": int, "requestPath": str},
    },
}
SCALE_SET = {
    "name": "web",
    "id": SET,
    "type": "Microsoft.Compute/virtualMachineScaleSets",
    "location": "westeurope",
    "tags": {},
    "sku": {"name": str, "tier": "Standard", "capacity": 2},
    "etag": ETAG,
    "properties": {
        "singlePlacementGroup": True,
        "orchestrationMode": "Uniform",
        "upgradePolicy": {"mode": "Manual"},
        "virtualMachineProfile": {
            "osProfile": {"computerNamePrefix": str, **GUEST},
            "storageProfile": {"osDisk": DISK, "imageReference": REFERENCE, "diskControllerType": "SCSI"},
            "networkProfile": {"networkInterfaceConfigurations": [CARD]},
            "extensionProfile": {"extensions": [HEALTH]},
            "timeCreated": TIME,
        },
        "provisioningState": "Succeeded",
        "overprovision": bool,
        "doNotRunExtensionsOnOverprovisionedVMs": False,
        "uniqueId": GUID,
        "platformFaultDomainCount": 5,
        "timeCreated": TIME,
    },
}
UPDATING = {**SCALE_SET, "properties": {**SCALE_SET["properties"], "provisioningState": "Updating"}}  # type: ignore[dict-item]
PROFILE: dict[str, Any] = SCALE_SET["properties"]["virtualMachineProfile"]  # type: ignore[index]
UNTAGGED = {
    **{name: shape for name, shape in SCALE_SET.items() if name != "etag"},
    "properties": {
        **SCALE_SET["properties"],  # type: ignore[dict-item]
        "virtualMachineProfile": {
            **{name: shape for name, shape in PROFILE.items() if name != "timeCreated"},
            "osProfile": {
                **PROFILE["osProfile"],
                "linuxConfiguration": {**LINUX, "enableVMAgentPlatformUpdates": False},
            },
        },
    },
}


def instance(number: int, **properties: Any) -> dict[str, Any]:
    """Return the shape of a row in a list, which is also that of the response to a GET."""
    where = f"{SET}/virtualMachines/{number}"
    return {
        "name": f"web_{number}",
        "id": where,
        "type": "Microsoft.Compute/virtualMachineScaleSets/virtualMachines",
        "location": "westeurope",
        "tags": {},
        "instanceId": str(number),
        "sku": {"name": str, "tier": "Standard"},
        "properties": {
            "latestModelApplied": True,
            "modelDefinitionApplied": "VirtualMachineScaleSet",
            "networkProfileConfiguration": {"networkInterfaceConfigurations": [CARD]},
            "provisioningState": "Succeeded",
            "hardwareProfile": {"vmSize": str},
            "resilientVMDeletionStatus": "Disabled",
            "vmId": GUID,
            "storageProfile": {
                "imageReference": {**REFERENCE, "exactVersion": str},
                "osDisk": {
                    **DISK,
                    "name": re.compile(rf"web_web_{number}_OS__1_[0-9a-f]{{32}}"),
                    "managedDisk": {
                        "storageAccountType": "Premium_LRS",
                        "id": re.compile(rf"{GROUP}/.*/disks/.*"),
                    },
                },
                "dataDisks": [],
                "diskControllerType": "SCSI",
            },
            "osProfile": {"computerName": f"web{number:06}", **GUEST},
            "networkProfile": {"networkInterfaces": [{"id": re.compile(rf"{where}/networkInterfaces/\w+")}]},
            "timeCreated": TIME,
            **properties,
        },
        "resources": [
            {
                "name": "AppHealth",
                "id": f"{GROUP}/providers/Microsoft.Compute/virtualMachines/web_{number}/extensions/AppHealth",
                "type": "Microsoft.Compute/virtualMachines/extensions",
                "location": "westeurope",
                "properties": {**HEALTH["properties"], "provisioningState": "Succeeded"},  # type: ignore[dict-item]
            }
        ],
        "etag": ETAG,
    }


def status(code: str, display: str, **more: Any) -> dict[str, Any]:
    return {"code": code, "level": "Info", "displayStatus": display, **more}


READY = status("ProvisioningState/succeeded", "Provisioning succeeded", time=TIME)
PLACE = {"placementGroupId": GUID, "platformUpdateDomain": 1, "platformFaultDomain": 1}
SEEN = {
    "computerName": "web000001",
    "osName": str,
    "osVersion": str,
    "vmAgent": {
        "vmAgentVersion": str,
        "statuses": [status("ProvisioningState/succeeded", "Ready", message=str, time=TIME)],
        "extensionHandlers": [
            {
                "type": "Microsoft.ManagedServices.ApplicationHealthLinux",
                "typeHandlerVersion": str,
                "status": status("ProvisioningState/succeeded", "Ready", message=str),
            }
        ],
    },
}
INSTALLED = {
    "extensions": [
        {
            "name": "AppHealth",
            "type": str,
            "typeHandlerVersion": str,
            "statuses": [status("ProvisioningState/succeeded", "Provisioning succeeded", message=str)],
        }
    ]
}


def view(power: str, *, guest: bool, **more: Any) -> dict[str, Any]:
    return {
        **PLACE,
        **(SEEN if guest else {}),
        "disks": [{"name": str, "statuses": [READY]}],
        **INSTALLED,
        **more,
        "hyperVGeneration": re.compile("V[12]"),
        "statuses": [READY, status(f"PowerState/{power}", f"VM {power}")],
    }


HEALTHY = {"vmHealth": {"status": status("HealthState/healthy", str, time=TIME)}}  # type: ignore[arg-type]
RUNNING = view("running", guest=True, **HEALTHY)


def behind(azure: Azure) -> None:
    azure.patch_image(NEW)


def under_upgrade(azure: Azure) -> None:
    behind(azure)
    azure.ask("POST", "manualupgrade", b'{"instanceIds":["*"]}')


def run_to_end(ask: str, sent: Any = None) -> Callable[[Azure], None]:
    """Return a step that sends a request and waits until its operation has ended."""

    def first(azure: Azure) -> None:
        method, _, path = ask.partition(" ")
        azure.ask(method, path, b"" if sent is None else json.dumps(sent).encode())
        azure.wait(300)

    return first


ALL = {"instanceIds": ["*"]}


def deallocate_and_start(azure: Azure) -> None:
    run_to_end(f"POST {SET}/deallocate", {})(azure)
    run_to_end(f"POST {SET}/start", ALL)(azure)


IMAGE_ALONE = {
    "properties": {
        "virtualMachineProfile": {"storageProfile": {"imageReference": {"version": NEW.rpartition(":")[2]}}}
    }
}
DISK_ALONE = {
    "location": "westeurope",
    "tags": {},
    "properties": {"virtualMachineProfile": {"storageProfile": {"osDisk": {"diskSizeGB": 64}}}},
}
ACTIONS = "VMScaleSetActionsSubscriptionMaximum 1499"
PATCHED = f"{ACTIONS}, VMScaleSetActionsResource 11"
PUTS = "CreateVMScaleSetSubscriptionMaximum 374, CreateVMScaleSetResource 11"
LOW = "GetVMScaleSetSubscriptionMaximum 2399, GetVMScaleSetResource 35"
HIGH = "HighCostGetVMScaleSetSubscriptionMaximum 1079, HighCostGetVMScaleSetResource 29"
ONE = "GetVMScaleSetVMSubscriptionMaximum 5999, GetVMScaleSetVMResource 35, VMScaleSetVMViewsSubscriptionMaximum 29999"

# ---- reads -------------------------------------------------------------------------------------------------
READING = {
    "a scale set": Case(
        f"GET {SET}",
        200,
        SCALE_SET,
        headers={
            "ETag": '"1"',
            "x-ms-ratelimit-remaining-resource": remaining(LOW),
            "x-ms-request-charge": None,
        },
    ),
    "a scale set at a version without etags": Case(
        f"GET {SET}", 200, UNTAGGED, version="2023-07-01", headers={"ETag": None}
    ),
    "the list of a group, in the caller's casing": Case(
        f"GET {GROUP}{SETS}",
        200,
        {"value": [SCALE_SET]},
        style="compact",
        headers={
            "x-ms-ratelimit-remaining-resource": remaining("HighCostGetVMScaleSetSubscriptionMaximum 1079")
        },
    ),
    "the list of a subscription: upper-case ids and no quota": Case(
        f"GET {SUBSCRIBED}{SETS}",
        200,
        {"value": [{**SCALE_SET, "id": SET.replace("/shop/", "/SHOP/")}]},
        style="compact",
        headers={"x-ms-ratelimit-remaining-resource": None, "x-ms-request-charge": None},
    ),
    "the instance view of a scale set": Case(
        f"GET {SET}/instanceView",
        200,
        {
            "virtualMachine": {"statusesSummary": [{"code": "ProvisioningState/succeeded", "count": 2}]},
            "statuses": [READY],
        },
        web={"health": "none"},
        headers={"x-ms-ratelimit-remaining-resource": remaining(HIGH), "x-ms-request-charge": None},
    ),
    "the instance view of a scale set with an extension": Case(
        f"GET {SET}/instanceView",
        200,
        {
            "virtualMachine": {"statusesSummary": [{"code": "ProvisioningState/succeeded", "count": 2}]},
            "extensions": [
                {
                    "name": "AppHealth",
                    "statusesSummary": [{"code": "ProvisioningState/succeeded", "count": 2}],
                }
            ],
            "statuses": [READY],
        },
    ),
    "the instances": Case(
        f"GET {SET}/virtualMachines",
        200,
        {"value": [instance(0), instance(1)]},
        style="compact",
        headers={
            "x-ms-request-charge": "2",
            "x-ms-ratelimit-remaining-resource": remaining(
                f"{HIGH}, VMScaleSetVMViewsSubscriptionMaximum 29998"
            ),
        },
    ),
    "the instances with their views": Case(
        f"GET {SET}/virtualMachines?$expand=instanceView",
        200,
        {"value": [instance(0, instanceView=...), instance(1, instanceView=RUNNING)]},
        style="compact",
    ),
    "the instances after a model change": Case(
        f"GET {SET}/virtualMachines",
        200,
        {"value": [instance(0, latestModelApplied=False), instance(1, latestModelApplied=False)]},
        style="compact",
        before=behind,
    ),
    "the instances on the latest model": Case(
        f"GET {SET}/virtualMachines?$filter=properties/latestModelApplied%20eq%20true",
        200,
        {"value": []},
        style="compact",
        before=behind,
        headers={"x-ms-request-charge": None, "x-ms-ratelimit-remaining-resource": str},
    ),
    "a selection: no name, and a flag that is always false": Case(
        f"GET {SET}/virtualMachines?$select=instanceView&$expand=instanceView",
        200,
        {
            "value": [
                {
                    "id": f"{SET}/virtualMachines/{number}",
                    "instanceId": str(number),
                    "properties": {"latestModelApplied": False, "instanceView": ...},
                }
                for number in (0, 1)
            ]
        },
        style="compact",
    ),
    "an instance": Case(
        f"GET {SET}/virtualMachines/1",
        200,
        instance(1),
        headers={
            "ETag": '"1"',
            "x-ms-request-charge": "1",
            "x-ms-ratelimit-remaining-resource": remaining(ONE),
        },
    ),
    "an instance with its view": Case(
        f"GET {SET}/virtualMachines/1?$expand=instanceView", 200, instance(1, instanceView=RUNNING)
    ),
    "an instance's view": Case(
        f"GET {SET}/virtualMachines/1/instanceView",
        200,
        RUNNING,
        headers={"x-ms-request-charge": "1", "x-ms-ratelimit-remaining-resource": remaining(ONE)},
    ),
    "the view of a stopped instance: its guest as last seen": Case(
        f"GET {SET}/virtualMachines/1/instanceView",
        200,
        view("stopped", guest=True),
        before=run_to_end(f"POST {SET}/poweroff?skipShutdown=false", ALL),
    ),
    "the view of a deallocated instance: domains, a disk and no guest": Case(
        f"GET {SET}/virtualMachines/1/instanceView",
        200,
        view("deallocated", guest=False),
        before=run_to_end(f"POST {SET}/deallocate", {}),
    ),
    "the view of a restarted instance": Case(
        f"GET {SET}/virtualMachines/1/instanceView",
        200,
        RUNNING,
        before=deallocate_and_start,
    ),
    "no rolling upgrade yet": Case(
        f"GET {SET}/rollingUpgrades/latest",
        404,
        error("NotFound", "The entity was not found in this Azure location."),
    ),
    "no OS upgrade yet": Case(
        f"GET {SET}/osUpgradeHistory",
        200,
        {"value": []},
        headers={"x-ms-ratelimit-remaining-resource": remaining(LOW)},
    ),
}

# ---- writes ------------------------------------------------------------------------------------------------
WRITING = {
    "a PATCH": Case(
        f"PATCH {SET}",
        200,
        {**UPDATING, "tags": {"team": "web"}},
        sent={"tags": {"team": "web"}},
        headers={
            **STARTED,
            "ETag": '"2"',
            "x-ms-request-charge": "0",
            "x-ms-ratelimit-remaining-resource": remaining(f"{PATCHED}, {BATCHED.format(6000)}"),
        },
    ),
    "a PATCH of the version alone, which is merged": Case(
        f"PATCH {SET}", 200, UPDATING, sent=IMAGE_ALONE, headers=STARTED
    ),
    "a PUT of the version alone, which is merged": Case(
        f"PUT {SET}", 200, UPDATING, sent={**IMAGE_ALONE, "tags": {}}, headers=STARTED
    ),
    "a PUT without the image, which keeps it": Case(
        f"PUT {SET}",
        200,
        UPDATING,
        sent=DISK_ALONE,
        headers={
            **STARTED,
            "ETag": '"2"',
            "x-ms-request-charge": "0",
            "x-ms-ratelimit-remaining-resource": remaining(f"{PUTS}, {BATCHED.format(6000)}"),
        },
    ),
    "a PUT that changes nothing keeps the etag": Case(
        f"PUT {SET}",
        200,
        UPDATING,
        sent={"location": "westeurope", "tags": {}},
        headers={**STARTED, "ETag": '"1"'},
    ),
    "a PUT that scales in is charged for deleted instances": Case(
        f"PUT {SET}",
        200,
        {**UPDATING, "sku": {"name": str, "tier": "Standard", "capacity": 1}},
        sent={"location": "westeurope", "tags": {}, "sku": {"name": "Standard_D2s_v5", "capacity": 1}},
        headers={**STARTED, "ETag": '"2"', "x-ms-request-charge": "1"},
    ),
    "a PUT into Rolling mode is charged for its first batch": Case(
        f"PUT {SET}",
        200,
        ...,
        sent={"tags": {}, "properties": {"upgradePolicy": {"mode": "Rolling"}}},
        before=behind,
        headers={**STARTED, "x-ms-request-charge": "1"},
    ),
    "a PATCH of a Flexible set reports no charge": Case(
        f"PATCH {SET}",
        200,
        ...,
        sent={"tags": {"a": "b"}},
        web={"orchestration": "Flexible"},
        headers={
            **STARTED,
            "x-ms-request-charge": None,
            "x-ms-ratelimit-remaining-resource": remaining(PATCHED),
        },
    ),
    "protection of an instance": Case(
        f"PUT {SET}/virtualMachines/1",
        200,
        instance(
            1,
            provisioningState="Updating",
            protectionPolicy={"protectFromScaleIn": True, "protectFromScaleSetActions": True},
        ),
        sent={
            "properties": {
                "protectionPolicy": {"protectFromScaleIn": True, "protectFromScaleSetActions": True}
            }
        },
        headers={
            **STARTED,
            "ETag": '"2"',
            "x-ms-request-charge": "1",
            "x-ms-ratelimit-remaining-resource": remaining(
                "VMScaleSetVMActionsSubscriptionMaximum 1999, VMScaleSetVMActionsResource 11, "
                + BATCHED.format(5999)
            ),
        },
    ),
    "a protection policy without protection is still shown": Case(
        f"GET {SET}/virtualMachines/1",
        200,
        instance(1, protectionPolicy={"protectFromScaleIn": False, "protectFromScaleSetActions": False}),
        before=lambda azure: [
            run_to_end(
                f"PUT {SET}/virtualMachines/1",
                {
                    "properties": {
                        "protectionPolicy": {"protectFromScaleIn": on, "protectFromScaleSetActions": on}
                    }
                },
            )(azure)
            for on in (True, False)
        ],
        headers={"ETag": '"3"'},
    ),
    "tags of an instance are ignored": Case(
        f"PUT {SET}/virtualMachines/1",
        200,
        instance(1, provisioningState="Updating"),
        sent={"tags": {"key1": "value1"}},
        headers={**STARTED, "ETag": '"1"', "x-ms-request-charge": "0"},
    ),
    "deletion of an instance": Case(
        f"DELETE {SET}/virtualMachines/1", 202, None, "empty", {**ACCEPTED, "x-ms-request-charge": "1"}
    ),
    "deletion of the scale set": Case(
        f"DELETE {SET}",
        202,
        None,
        "empty",
        accepted_headers(2, "DeleteVMScaleSetSubscriptionMaximum 524, DeleteVMScaleSetResource 11"),
    ),
    "deletion of a missing scale set": Case(
        f"DELETE {SET}-2", 204, None, "empty", {"Azure-AsyncOperation": None}
    ),
}

# ---- actions -----------------------------------------------------------------------------------------------
DELETES = "DeleteVMScaleSetSubscriptionMaximum 524"
DOING = {
    "an upgrade of all instances not on the latest model": ("manualupgrade", ALL, 2, ACTIONS, behind),
    "an upgrade of one instance": ("manualupgrade", {"instanceIds": ["1"]}, 1, ACTIONS, behind),
    "an upgrade when all instances are on the latest model": (
        "manualupgrade",
        {"instanceIds": ["0", "1"]},
        0,
        ACTIONS,
        nothing,
    ),
    "a reimage without a body": ("reimage", None, 2, ACTIONS, nothing),
    "a reimage of all disks": ("reimageall", {"instanceIds": ["0"]}, 1, ACTIONS, nothing),
    "a restart": ("restart", ALL, 2, ACTIONS, nothing),
    "a start": ("start", ALL, 2, ACTIONS, nothing),
    "a power-off": ("poweroff?skipShutdown=false", ALL, 2, DELETES, nothing),
    "a deallocation": ("deallocate", {}, 2, DELETES, nothing),
    "a deletion of instances": ("delete", {"instanceIds": ["0"]}, 1, ACTIONS, nothing),
    "a deallocation of all, by a star in the path": (
        "virtualMachines/%2A/deallocate",
        None,
        2,
        "DeleteVMScaleSetVMSubscriptionMaximum 1999, DeleteVMScaleSetVMResource 11",
        nothing,
    ),
}
FROM_LATEST = {"image": OLD.rpartition(":")[0] + ":latest"}
DONE = {
    name: Case(
        f"POST {SET}/{path}", 202, None, "empty", accepted_headers(charge, policies), sent, before=before
    )
    for name, (path, sent, charge, policies, before) in DOING.items()
} | {
    name: Case(
        f"POST {SET}/{path}",
        202,
        None,
        "empty",
        {**ACCEPTED, "x-ms-request-charge": "0", "x-ms-ratelimit-remaining-resource": remaining(ACTIONS)},
        sent,
        web=FROM_LATEST,
    )
    for name, path, sent in (
        ("an OS rolling upgrade", "osRollingUpgrade", None),
        ("a rolling upgrade of extensions", "extensionRollingUpgrade", None),
        (
            "repairs suspended",
            "setOrchestrationServiceState",
            {"serviceName": "AutomaticRepairs", "action": "Suspend"},
        ),
    )
}

# ---- errors ------------------------------------------------------------------------------------------------
NO_ROLL = error("OperationNotAllowed", "There is no ongoing Rolling Upgrade to cancel.")
LOST_GROUP = GROUP.replace("shop", "void")
GONE = error("NotFound", "The entity was not found in this Azure location.")
CONFLICT = error(
    "Conflict",
    "The request failed due to conflict with a concurrent request. To resolve it, please refer to "
    "https://aka.ms/activitylog to get more details on the conflicting requests.",
)
REFUSING = {
    "a missing scale set": Case(
        f"GET {SET}-2",
        404,
        error(
            "ResourceNotFound",
            "The Resource 'Microsoft.Compute/virtualMachineScaleSets/web-2' under resource group 'shop' was not "
            "found. For more details please go to https://aka.ms/ARMResourceNotFoundFix",
        ),
        "compact",
        GATEWAY,
    ),
    "a missing resource group": Case(
        f"GET {LOST_GROUP}{SETS}",
        404,
        error("ResourceGroupNotFound", "Resource group 'void' could not be found."),
        "compact",
        GATEWAY,
    ),
    "instances in a missing resource group": Case(
        f"GET {LOST_GROUP}{SETS}/web/virtualMachines",
        404,
        error("ResourceGroupNotFound", "Resource group 'void' could not be found."),
        "compact",
        GATEWAY,
    ),
    "instances of a missing scale set": Case(
        f"GET {SET}-2/virtualMachines",
        404,
        error("ParentResourceNotFound", str),
        "compact",
        GATEWAY,
    ),
    "a missing instance": Case(f"GET {SET}/virtualMachines/7", 404, GONE),
    "the view of a missing instance": Case(f"GET {SET}/virtualMachines/7/instanceView", 404, GONE),
    "an evicted instance": Case(
        f"GET {SET}/virtualMachines/1",
        404,
        GONE,
        before=run_to_end(f"POST {SET}/virtualMachines/1/simulateEviction"),
        web={"spot": True, "evictionPolicy": "Delete"},
    ),
    "an instance id that is not a number": Case(
        f"GET {SET}/virtualMachines/0notfound",
        400,
        error(
            "InvalidParameter",
            "Virtual Machine Scale Set VM instanceId must be a number.",
            target="instanceId",
        ),
        headers={"x-ms-request-charge": "1", "x-ms-failure-cause": None},
    ),
    "an outdated etag of the scale set": Case(
        f"PUT {SET}",
        412,
        error(
            "PreconditionFailed",
            'Etag provided in if-match header "invalid" does not match etag "1" of resource.',
        ),
        sent={"tags": {}},
        sending={"If-Match": "invalid"},
    ),
    "an outdated etag of the instance": Case(
        f"PUT {SET}/virtualMachines/0",
        412,
        error(
            "PreconditionFailed",
            'Etag provided in if-match header "invalid-etag" does not match etag "1" of resource.',
        ),
        sent={"tags": {"key1": "value1"}},
        sending={"If-Match": "invalid-etag"},
    ),
    "an upgrade of a missing instance": Case(
        f"POST {SET}/manualupgrade",
        400,
        error(
            "InvalidParameter",
            "The provided instanceId 999 is not an active Virtual Machine Scale Set VM instanceId.",
            target="upgradePolicies.instanceIds",
        ),
        sent={"instanceIds": ["0", "999"]},
    ),
    "an upgrade of a busy instance is charged": Case(
        f"POST {SET}/manualupgrade",
        409,
        CONFLICT,
        sent=ALL,
        before=under_upgrade,
        headers={"x-ms-request-charge": "2"},
    ),
    "a cancellation without a rolling upgrade": Case(
        f"POST {SET}/rollingUpgrades/cancel",
        409,
        NO_ROLL,
        headers={"x-ms-ratelimit-remaining-resource": remaining(ACTIONS), "x-ms-request-charge": None},
    ),
    "the eviction of a regular instance": Case(
        f"POST {SET}/virtualMachines/0/simulateEviction",
        409,
        error(
            "OperationNotAllowed", "Operation 'simulateEviction' is allowed only for Spot Virtual Machines"
        ),
        headers={
            "x-ms-request-charge": None,
            "x-ms-ratelimit-remaining-resource": remaining(
                "VMScaleSetVMActionsSubscriptionMaximum 1999, VMScaleSetVMActionsResource 11"
            ),
        },
    ),
    "a PUT with a null image": Case(
        f"PUT {SET}",
        400,
        error(
            "InvalidParameter",
            "Required parameter 'imageReference' is missing (null).",
            target="imageReference",
        ),
        sent={"properties": {"virtualMachineProfile": {"storageProfile": {"imageReference": None}}}},
        headers={"x-ms-request-charge": None, "x-ms-ratelimit-remaining-resource": remaining(PUTS)},
    ),
    "a missing operation": Case(f"GET {LOCATION}/operations/{'0' * 8}", 404, GONE),
}

# ---- the catalogue -------------------------------------------------------------------------------------------
PLACE_OF_IMAGE = (
    f"/Subscriptions/{SUBSCRIPTION}/Providers/Microsoft.Compute/Locations/westeurope/Publishers/Canonical"
    "/ArtifactTypes/VMImage/Offers/ubuntu-24_04-lts/Skus/server/Versions"
)


def version_row(version: str) -> dict[str, str]:
    return {"location": "westeurope", "name": version, "id": f"{PLACE_OF_IMAGE}/{version}"}


VERSIONS = [f"24.04.20260{number}010" for number in (1, 2, 3)]
CATALOGUE = {
    "the versions of an image: a bare array": Case(
        f"GET {IMAGES}",
        200,
        [version_row(version) for version in VERSIONS],
        headers={
            "x-ms-ratelimit-remaining-resource": remaining(
                "ListVMImagesVersionsFromLocation3Min 15999, ListVMImagesVersionsFromLocation30Min 43999"
            )
        },
    ),
    "the newest version of an image": Case(
        f"GET {IMAGES}?$top=1&$orderby=name%20desc", 200, [version_row(VERSIONS[-1])]
    ),
    "one version of an image": Case(
        f"GET {IMAGES}/{VERSIONS[0]}",
        200,
        {
            **version_row(VERSIONS[0]),
            "properties": {
                "hyperVGeneration": re.compile("V[12]"),
                "architecture": "x64",
                "replicaType": "Managed",
                "replicaCount": int,
                "disallowed": {"vmDiskType": str},
                "automaticOSUpgradeProperties": {"automaticOSUpgradeSupported": bool},
                "imageDeprecationStatus": {"imageState": "Active"},
                "features": [{"name": str, "value": str}],
                "osDiskImage": {"operatingSystem": "Linux", "sizeInGb": int},
                "dataDiskImages": [],
            },
        },
        headers={
            "x-ms-ratelimit-remaining-resource": remaining(
                "GetVMImageFromLocation3Min 12999, GetVMImageFromLocation30Min 73999"
            )
        },
    ),
}


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(case, id=name)
        for table in (READING, WRITING, DONE, REFUSING, CATALOGUE)
        for name, case in table.items()
    ],
)
def test_a_response_is_as_recorded(start: Start, case: Case) -> None:
    check(start(**{"capacity": 2, **case.web}), case)


# ---- common headers ----------------------------------------------------------------------------------------
EVERY = {
    "cache-control": "no-cache",
    "pragma": "no-cache",
    "expires": "-1",
    "date": re.compile(r"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT"),
    "strict-transport-security": "max-age=31536000; includeSubDomains",
    "x-content-type-options": "nosniff",
    "x-cache": "CONFIG_NOCACHE",
    "x-ms-request-id": GUID,
    "x-ms-correlation-request-id": GUID,
    "x-ms-routing-request-id": re.compile(rf"[A-Z]+:\d{{8}}T\d{{6}}Z:{GUID.pattern}"),
}
IDENTIFIER = re.compile(rf"tenantId={GUID.pattern},objectId={GUID.pattern}/westeurope/{GUID.pattern}")


@pytest.mark.parametrize(
    "method, path, verbs, left",
    [
        pytest.param("GET", SET, "reads", 249, id="a read"),
        pytest.param("PATCH", SET, "writes", 199, id="a write"),
        pytest.param("POST", f"{SET}/restart", "writes", 199, id="an action"),
        pytest.param("DELETE", SET, "deletes", 199, id="a deletion"),
        pytest.param("GET", f"{SET}-2", "reads", 249, id="an error of the gateway"),
    ],
)
def test_every_response_has_the_common_headers(
    azure: Azure, method: str, path: str, verbs: str, left: int
) -> None:
    answer = azure.ask(method, path)
    headers = {name.lower(): value for name, value in answer.headers.items()}
    assert differences(EVERY, {name: headers.get(name) for name in EVERY}) == []
    assert headers[f"x-ms-ratelimit-remaining-subscription-{verbs}"] == str(left)
    assert headers[f"x-ms-ratelimit-remaining-subscription-global-{verbs}"] == str((left + 1) * 15 - 1)
    if "x-ms-failure-cause" not in headers:
        assert IDENTIFIER.fullmatch(headers["x-ms-operation-identifier"])
    if answer.body:
        assert headers["content-type"] == "application/json; charset=utf-8"


# ---- sequences of requests ---------------------------------------------------------------------------------
# A PUT that is as short as a recorded one, and its response: filled in, without secrets.
SHORT: dict[str, Any] = {
    "location": "westeurope",
    "sku": {"name": "Standard_D2s_v3", "capacity": 1},
    "properties": {
        "overprovision": False,
        "upgradePolicy": {
            "mode": "Manual",
            "automaticOSUpgradePolicy": {
                "enableAutomaticOSUpgrade": False,
                "disableAutomaticRollback": False,
            },
        },
        "virtualMachineProfile": {
            "osProfile": {"computerNamePrefix": "vmss", "adminUsername": "sample", "adminPassword": "secret"},
            "storageProfile": {
                "imageReference": dict(
                    zip(("publisher", "offer", "sku", "version"), OLD.split(":"), strict=True)
                )
            },
            "networkProfile": {
                "networkInterfaceConfigurations": [
                    {
                        "name": "card",
                        "properties": {
                            "primary": True,
                            "ipConfigurations": [
                                {"name": "card", "properties": {"subnet": {"id": "/subnet"}}}
                            ],
                        },
                    }
                ]
            },
        },
    },
}
FILLED = {
    "name": "new",
    "id": SET.replace("/web", "/new"),
    "type": "Microsoft.Compute/virtualMachineScaleSets",
    "location": "westeurope",
    "sku": {"name": "Standard_D2s_v3", "tier": "Standard", "capacity": 1},
    "etag": '"1"',
    "properties": {
        "singlePlacementGroup": True,
        "orchestrationMode": "Uniform",
        "upgradePolicy": {
            "mode": "Manual",
            "automaticOSUpgradePolicy": {
                "enableAutomaticOSUpgrade": False,
                "useRollingUpgradePolicy": False,
                "disableAutomaticRollback": False,
            },
        },
        "virtualMachineProfile": {
            "osProfile": {"computerNamePrefix": "vmss", **GUEST},
            "storageProfile": {
                "osDisk": {**DISK, "caching": "None"},
                "imageReference": REFERENCE,
                "diskControllerType": "SCSI",
            },
            "networkProfile": {"networkInterfaceConfigurations": [CARD]},
            "timeCreated": TIME,
        },
        "provisioningState": re.compile("Creating|Updating|Succeeded"),
        "overprovision": False,
        "doNotRunExtensionsOnOverprovisionedVMs": False,
        "uniqueId": GUID,
        "platformFaultDomainCount": 5,
        "timeCreated": TIME,
    },
}


def test_a_short_put_is_filled_in_and_the_same_put_again_changes_nothing(azure: Azure) -> None:
    new = SET.replace("/web", "/new")
    story = (
        Case(
            f"PUT {new}",
            201,
            FILLED,
            sent=SHORT,
            headers={**STARTED, "ETag": '"1"', "x-ms-request-charge": "1"},
        ),
        Case(f"GET {new}", 200, FILLED, before=lambda each: each.wait(300)),
        Case(
            f"PUT {new}",
            200,
            FILLED,
            sent=SHORT,
            headers={**STARTED, "ETag": '"1"', "x-ms-request-charge": "0"},
        ),
        Case(f"GET {new}", 200, FILLED, before=lambda each: each.wait(300)),
        Case(f"PUT {new}", 412, ..., sent=SHORT, sending={"If-None-Match": "*"}),
    )
    states = [check(azure, case).json().get("properties", {}).get("provisioningState") for case in story]
    assert states == ["Creating", "Succeeded", "Updating", "Succeeded", None]
    row = azure.ask("GET", f"{new}/virtualMachines/0").json()
    assert "tags" not in row, "tags that were never written"
    assert row["properties"]["osProfile"]["computerName"] == "vmss000000"


@pytest.mark.parametrize(
    "web",
    [
        pytest.param({}, id="a plain scale set"),
        pytest.param({"spot": True}, id="a Spot set"),
        pytest.param({"health": "probe"}, id="a set with a health probe"),
        pytest.param({"zones": ["1", "2"]}, id="a zonal set"),
        pytest.param({"automaticOSUpgrade": True, **FROM_LATEST}, id="a set with automatic OS upgrades"),
        pytest.param({"orchestration": "Flexible"}, id="a Flexible set"),
        pytest.param({"securityType": "TrustedLaunch"}, id="a set with trusted launch"),
        pytest.param({"automaticRepairs": {"action": "restart"}}, id="a set with automatic repairs"),
        pytest.param({"image": "https://acct.blob.core.windows.net/vhds/a.vhd"}, id="a set from a VHD"),
    ],
)
def test_what_a_fleet_declares_is_as_azure_would_have_filled_it_in(start: Start, web: dict[str, Any]) -> None:
    azure = start(**web)
    answer = azure.ask("PATCH", "", b"{}")
    assert (answer.status, answer.headers["ETag"]) == (200, '"1"')


def test_a_flexible_set_has_fields_that_a_uniform_one_does_not(start: Start) -> None:
    azure = start(orchestration="Flexible")
    properties = azure.ask("GET", "").json()["properties"]
    assert properties["constrainedMaximumCapacity"] is False
    assert (properties["singlePlacementGroup"], properties["platformFaultDomainCount"]) == (False, 1)
    assert properties["virtualMachineProfile"]["networkProfile"]["networkApiVersion"] == "2020-11-01"
    assert properties["virtualMachineProfile"]["storageProfile"]["osDisk"]["deleteOption"] == "Delete"
    assert "overprovision" not in properties


def test_an_instance_shows_its_security_profile(start: Start) -> None:
    row = start(securityType="TrustedLaunch").ask("GET", "virtualMachines/0").json()["properties"]
    assert row["securityProfile"] == {
        "securityType": "TrustedLaunch",
        "uefiSettings": {"secureBootEnabled": True, "vTpmEnabled": True},
    }


def test_an_operation_is_polled_to_its_end_and_its_monitor_is_empty(azure: Azure) -> None:
    headers = azure.ask("POST", "restart", b'{"instanceIds":["0"]}').headers
    status_of, monitor = (
        headers[name].removeprefix("https://arm.test") for name in ("Azure-AsyncOperation", "Location")
    )
    left = [
        remaining(f"GetOperationResource {45 - call}, GetOperationSubscriptionMaximum {15000 - call}")
        for call in (1, 2, 1, 2)
    ]
    running = {"startTime": TIME, "status": "InProgress", "name": GUID}
    over = {**running, "endTime": TIME, "status": "Succeeded"}
    quota = "x-ms-ratelimit-remaining-resource"
    check(azure, Case(f"GET {status_of}", 200, running, headers={quota: left[0], "Retry-After": NUMBER}))
    check(azure, Case(f"GET {monitor}", 202, None, "empty", {quota: left[1], "Retry-After": NUMBER}))
    azure.wait(300)
    check(azure, Case(f"GET {status_of}", 200, over, headers={quota: left[2], "Retry-After": None}))
    check(azure, Case(f"GET {monitor}", 200, None, "empty", {quota: left[3], "Content-Type": None}))


def test_a_failed_operation_is_reported_with_a_200(azure: Azure) -> None:
    azure.sim.publish(NEW, boots="fails")
    behind(azure)
    headers = azure.ask("POST", "manualupgrade", b'{"instanceIds":["0"]}').headers
    azure.wait(300)
    failed = {"startTime": TIME, "endTime": TIME, "status": "Failed", "name": GUID}
    problem = {"code": "VMAgentStatusCommunicationError", "message": str}
    path = headers["Azure-AsyncOperation"].removeprefix("https://arm.test")
    check(azure, Case(f"GET {path}", 200, {**failed, "error": problem}))


ROLLED = {
    "type": "Microsoft.Compute/virtualMachineScaleSets/rollingUpgrades",
    "location": "westeurope",
    "properties": {
        "policy": {
            "maxBatchInstancePercent": 20,
            "maxUnhealthyInstancePercent": 20,
            "maxUnhealthyUpgradedInstancePercent": 20,
            "pauseTimeBetweenBatches": "PT0S",
        },
        "runningStatus": {"code": str, "startTime": TIME, "lastAction": str, "lastActionTime": TIME},
        "progress": {
            "successfulInstanceCount": int,
            "failedInstanceCount": int,
            "inProgressInstanceCount": int,
            "pendingInstanceCount": int,
        },
    },
}


def test_an_os_upgrade_is_read_and_cancelled_and_stays_in_the_history(start: Start) -> None:
    azure = start(capacity=10, **FROM_LATEST)
    newer = OLD.rpartition(":")[0] + ":24.04.202605010"
    azure.sim.publish(newer)
    seen = []
    for path, wait in (("osRollingUpgrade", 1000), ("osRollingUpgrade", 0), ("rollingUpgrades/cancel", 300)):
        assert azure.ask("POST", path).status == 202
        azure.wait(wait)
        latest = check(azure, Case(f"GET {SET}/rollingUpgrades/latest", 200, ROLLED)).json()["properties"]
        running = latest["runningStatus"]
        seen.append((running["code"], running["lastAction"], latest["progress"]["successfulInstanceCount"]))
        if not wait:
            continue
        azure.sim.publish(newer := newer[:-1] + "1")
    assert seen == [("Completed", "Start", 10), ("RollingForward", "Start", 0), ("Cancelled", "Cancel", 0)]
    check(azure, Case(f"POST {SET}/rollingUpgrades/cancel", 409, NO_ROLL))
    kept = {
        **ROLLED,
        "properties": {
            "runningStatus": {"code": str, "startTime": TIME, "endTime": TIME},
            "progress": ROLLED["properties"]["progress"],  # type: ignore[index]
            "startedBy": "User",
            "targetImageReference": {**REFERENCE, "exactVersion": str},
            "rollbackInfo": {"successfullyRolledbackInstanceCount": 0, "failedRolledbackInstanceCount": 0},
        },
    }
    answer = check(azure, Case(f"GET {SET}/osUpgradeHistory", 200, {"value": [kept, kept]}))
    codes = [each["properties"]["runningStatus"]["code"] for each in answer.json()["value"]]
    assert codes == ["Cancelled", "Completed"]


@pytest.mark.parametrize("action, state", [("Suspend", "Suspended"), ("Resume", "Running")])
def test_the_state_of_repairs_shows_in_the_scale_sets_view(azure: Azure, action: str, state: str) -> None:
    azure.patch({"properties": {"automaticRepairsPolicy": {"enabled": True, "gracePeriod": "PT30M"}}})
    assert azure.ask("GET", "").json()["properties"]["automaticRepairsPolicy"]["repairAction"] == "Replace"
    body = {"serviceName": "AutomaticRepairs", "action": action}
    azure.ask("POST", "setOrchestrationServiceState", json.dumps(body).encode())
    shown = azure.ask("GET", "instanceView").json()["orchestrationServices"]
    assert shown == [{"serviceName": "AutomaticRepairs", "serviceState": state}]


def test_actions_move_the_scale_sets_etag(azure: Azure) -> None:
    etags = [azure.ask("GET", "").headers["ETag"]]
    for action in ("manualupgrade", "poweroff", "start", "restart"):
        azure.ask("POST", action, b'{"instanceIds":["*"]}')
        azure.wait(300)
        etags.append(azure.ask("GET", "").headers["ETag"])
    assert len(set(etags)) == len(etags)


def test_an_evicted_instance_that_stays_is_deallocated(start: Start) -> None:
    azure = start(spot=True)
    row = azure.ask("GET", "virtualMachines/1").json()["properties"]
    assert {name: row[name] for name in ("priority", "evictionPolicy", "billingProfile")} == {
        "priority": "Spot",
        "evictionPolicy": "Deallocate",
        "billingProfile": {"maxPrice": -1},
    }
    answer = azure.ask("POST", "virtualMachines/1/simulateEviction")
    assert (answer.status, answer.body) == (204, b"")
    check(azure, Case(f"GET {SET}/virtualMachines/1/instanceView", 200, view("deallocated", guest=False)))
