"""Scale sets and instances as JSON, in the form seen in recorded traffic.

The functions are pure. `version` is the caller's API version, which determines the visible fields (see
`versions`). The applied profile is large, so a page renders it once and shares it between rows. Callers must
not modify what a view returns.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from reconciler.simulator import repairs
from reconciler.simulator.catalogue import Image
from reconciler.simulator.domains import guid
from reconciler.simulator.instance import Instance
from reconciler.simulator.model import Applied, Model
from reconciler.simulator.planned import HEALTH_EXTENSIONS
from reconciler.simulator.scale_set import ScaleSet
from reconciler.simulator.versions import (
    ETAGS,
    is_windows,
    visible_instance_profile,
    visible_profile,
    visible_properties,
)

VIRTUAL_MACHINE_ETAGS_SINCE = "2024-03-01"
RESILIENCE_SINCE = "2024-07-01"
FLEXIBLE_ROW_PROPERTIES_SINCE = "2025-11-01"
# Instances have a model definition and a network profile since this version.
MODELS_SINCE = "2018-10-01"
EXACT_VERSIONS_SINCE = "2020-06-01"
DETACHING_SINCE = "2020-06-01"
CREATION_SINCE = "2021-11-01"
SIZES_SINCE = "2022-03-01"
CONTROLLERS_SINCE = "2022-08-01"
GUESTS_SINCE = "2017-12-01"
GENERATIONS_SINCE = "2019-07-01"
# Before this version, user-assigned identities were a list of ids.
IDENTITIES_SINCE = "2018-06-01"
INSTANCE_IDENTITIES_SINCE = "2022-11-01"
# Shown only if the request asks for it.
USER_DATA = "userData"
# A status in one of these states has no time.
IN_TRANSITION = ("creating", "updating", "deleting")
HANDLED = {
    "code": "ProvisioningState/succeeded",
    "level": "Info",
    "displayStatus": "Ready",
    "message": "Plugin enabled",
}
ENABLED = {
    "code": "ProvisioningState/succeeded",
    "level": "Info",
    "displayStatus": "Provisioning succeeded",
    "message": "Enable succeeded.",
}
LINUX_GUEST = {
    "name": "ubuntu",
    "version": "24.04",
    "agent": "2.11.1.4",
    "message": "Guest Agent is running",
}
WINDOWS_GUEST = {
    "name": "Windows Server 2022 Datacenter Azure Edition",
    "version": "10.0.20348.2655",
    "agent": "2.7.41491.1149",
    "message": "GuestAgent is running and processing the extensions.",
}
GUEST_KNOWN = ("running", "stopping", "stopped")
SPOT = ("priority", "evictionPolicy", "billingProfile")
CONTROLLER = ("diskControllerType",)
INHERITED = ("securityProfile", "licenseType")
DISPLAY = {
    "ProvisioningState/creating": "Creating",
    "ProvisioningState/updating": "Updating",
    "ProvisioningState/succeeded": "Provisioning succeeded",
    "ProvisioningState/failed": "Provisioning failed",
    "ProvisioningState/deleting": "Deleting",
    "HealthState/healthy": "The VM is reporting itself as healthy or is not reporting itself as unhealthy",
    "HealthState/unhealthy": "The VM is reporting itself as unhealthy or is not reporting itself as healthy",
    "HealthState/initializing": "The VM has not yet reported its health",
    "HealthState/unknown": "The VM is not reporting its health",
}


@dataclass(frozen=True, slots=True)
class Detail:
    """The parts of an instance to show. `view` adds the instance view, and `user_data` the user data."""

    version: str
    view: bool = False
    user_data: bool = False
    _profiles: dict[int, tuple[Applied, dict[str, Any]]] = field(default_factory=dict, repr=False)

    def profile(self, applied: Applied) -> Mapping[str, Any]:
        """Return the model of an instance at this version. Instances with the same model share the result."""
        if id(applied) not in self._profiles:
            # The model is stored too, so that Python does not reuse its id for another object.
            self._profiles[id(applied)] = (applied, visible_instance_profile(applied.profile, self.version))
        return self._profiles[id(applied)][1]


def scale_set_view(
    scale_set: ScaleSet, version: str, *, uppercase_group: bool = False, user_data: bool = False
) -> dict[str, Any]:
    """Return the scale set as a resource.

    With `uppercase_group`, the id has the resource group in upper case, as in the list for a subscription.
    """
    body = scale_set.body
    view: dict[str, Any] = {
        "name": scale_set.name,
        "id": resource_id(scale_set, uppercase_group=uppercase_group),
        "type": "Microsoft.Compute/virtualMachineScaleSets",
        "location": scale_set.location,
    }
    # Tags that were never written are omitted; emptied tags are not.
    if body.get("tags") is not None:
        view["tags"] = body["tags"]
    view |= {name: body[name] for name in ("zones", "plan") if body.get(name)}
    if body.get("identity"):
        view["identity"] = _identity(body["identity"], version)
    view["sku"] = {**body["sku"], "capacity": scale_set.capacity}
    if version >= ETAGS:
        view["etag"] = etag(scale_set.etag)
    properties = dict(body["properties"])
    created = scale_set.created.isoformat()
    profile = {}
    if scale_set.profile:
        profile = visible_profile(scale_set.profile, version) | {"timeCreated": created}
        controller = _controller(scale_set, scale_set.applied.image, version)
        profile["storageProfile"] = {**controller, **profile.get("storageProfile", {})}
        if not user_data:
            profile.pop(USER_DATA, None)
    is_cheap = profile.get("priority") in ("Spot", "Low")
    if version >= ETAGS or body.get("zones") or is_cheap:
        properties.setdefault("platformFaultDomainCount", scale_set.placement.fault_domains)
    view["properties"] = visible_properties(
        {
            **properties,
            **({"virtualMachineProfile": profile} if profile else {}),
            "provisioningState": scale_set.provisioning,
            "uniqueId": scale_set.unique_id,
            "timeCreated": created,
        },
        version,
    )
    return view | scale_set.reported


def scale_set_instance_view(scale_set: ScaleSet) -> dict[str, Any]:
    """Return the instance view of a scale set, which counts the instances in each state."""
    members = scale_set.instances.values()
    count = Counter(f"ProvisioningState/{instance.provisioning}" for instance in members)
    view: dict[str, Any] = {"virtualMachine": {"statusesSummary": _summary(count)}}
    extensions = Counter(name for instance in members for name in _installation(instance))
    if extensions:
        view["extensions"] = [
            {"name": name, "statusesSummary": [{"code": "ProvisioningState/succeeded", "count": number}]}
            for name, number in extensions.items()
        ]
    if services := repairs.services(scale_set):
        view["orchestrationServices"] = services
    code = f"ProvisioningState/{scale_set.provisioning.lower()}"
    return view | {"statuses": [_status(code, scale_set.settled_at)]}


def instance_view(instance: Instance, detail: Detail) -> dict[str, Any]:
    """Return the instance view of one instance: its current runtime state.

    A stopped instance still shows the last known state of its guest. A deallocated instance shows no guest
    state.
    """
    domain, version = instance.domain, detail.version
    domains = {
        "placementGroupId": None if instance.owner.is_flexible else domain.placement_group,
        "platformUpdateDomain": domain.update_domain,
        "platformFaultDomain": domain.fault_domain,
    }
    # Domains are not assigned while an instance is being created.
    has_domains = instance.provisioning != "creating"
    view: dict[str, Any] = {
        name: value for name, value in domains.items() if value is not None and has_domains
    }
    installed = _installation(instance)
    if has_domains and instance.power in GUEST_KNOWN:
        view |= _guest_view(instance, version)
    created = _status("ProvisioningState/succeeded", instance.created)
    disks = [disk_name(instance), *(each["name"] for each in data_disks(instance, detail))]
    view["disks"] = [{"name": name, "statuses": [created]} for name in disks]
    if installed:
        view["extensions"] = [
            {
                "name": name,
                "type": f"{each['publisher']}.{each['type']}",
                "typeHandlerVersion": each["typeHandlerVersion"],
                "statuses": [ENABLED],
                **_custom_metrics(instance, each),
            }
            for name, each in installed.items()
        ]
    if instance.applied.health == "extension" and instance.power == "running" and _reports_health(instance):
        view["vmHealth"] = {"status": _status(f"HealthState/{instance.health}", instance.health_changed)}
    if version >= GENERATIONS_SINCE:
        view["hyperVGeneration"] = _generation(instance)
    provisioning = f"ProvisioningState/{instance.provisioning}"
    state = {
        "code": f"{provisioning}/{instance.failure}" if instance.failure else provisioning,
        "level": "Error" if instance.failure else "Info",
        "displayStatus": DISPLAY[provisioning],
        **_since(provisioning, instance.changed),
    }
    return view | {"statuses": [state, *_power(instance)]}


def _nics(profile: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return list((profile.get("networkProfile") or {}).get("networkInterfaceConfigurations") or [])


def _generation(instance: Instance) -> str:
    return _generation_of(instance.owner, instance.applied.image)


def _generation_of(scale_set: Model, image: Image) -> str:
    return scale_set.cloud.catalogue.details(image.name).generation if image.name else "V1"


def _controller(scale_set: Model, image: Image, version: str) -> dict[str, str]:
    """Return the disk controller type. Responses show it only for generation 2 machines."""
    is_shown = version >= CONTROLLERS_SINCE and _generation_of(scale_set, image) == "V2"
    return {"diskControllerType": "SCSI"} if is_shown else {}


def _guest_view(instance: Instance, version: str) -> dict[str, Any]:
    """Return what the guest and its agent report. Only the Linux agent reports an empty list of handlers."""
    windows = is_windows(instance.applied.profile)
    guest = WINDOWS_GUEST if windows else LINUX_GUEST
    ready = _status("ProvisioningState/succeeded", instance.changed)
    agent: dict[str, Any] = {
        "vmAgentVersion": guest["agent"],
        "statuses": [ready | {"displayStatus": "Ready", "message": guest["message"]}],
    }
    handlers = [_handler(each) for each in _installation(instance).values()]
    if handlers or not windows:
        agent["extensionHandlers"] = handlers
    details = {
        "computerName": computer_name(instance),
        "osName": guest["name"],
        "osVersion": guest["version"],
    }
    return {**(details if version >= GUESTS_SINCE else {}), "vmAgent": agent}


def row(instance: Instance, detail: Detail) -> dict[str, Any]:
    """Return one instance, as shown in a list or in the response to a GET."""
    owner = instance.owner
    view: dict[str, Any] = {
        "name": f"{owner.name}_{instance.id}",
        "id": row_id(instance),
        "type": "Microsoft.Compute/virtualMachineScaleSets/virtualMachines",
        "location": owner.location,
    }
    if owner.body.get("tags") is not None:
        view["tags"] = owner.body["tags"]
    view |= {"instanceId": instance.id, "sku": owner.body["sku"]}
    view["properties"] = _row_properties(instance, detail)
    if detail.version >= INSTANCE_IDENTITIES_SINCE and owner.body.get("identity"):
        view["identity"] = owner.body["identity"]
    if resources := _resources(instance, owner.location):
        view["resources"] = resources
    if detail.version >= ETAGS:
        view["etag"] = etag(instance.etag)
    if instance.domain.zone is not None:
        view["zones"] = [instance.domain.zone]
    return view


def flexible_row(instance: Instance, detail: Detail) -> dict[str, Any]:
    """Return an instance as shown in the list of a Flexible scale set, with little more than a name.

    `id` is the id of the row, not of the virtual machine. In a regional scale set, `zones` contains a null.
    Whether rows have properties at current API versions has not been recorded, so this is a setting of the
    cloud.
    """
    owner = instance.owner
    view: dict[str, Any] = {
        "name": instance.id,
        "id": row_id(instance),
        "type": "Microsoft.Compute/virtualMachineScaleSets/virtualMachines",
        "location": owner.location,
        "instanceId": instance.id,
        "zones": [instance.domain.zone],
    }
    if owner.cloud.flexible_row_properties and detail.version >= FLEXIBLE_ROW_PROPERTIES_SINCE:
        view["properties"] = {
            **_row_properties(instance, Detail(detail.version)),
            "virtualMachineResourceId": machine_id(instance),
        }
    return view


def _row_properties(instance: Instance, detail: Detail) -> dict[str, Any]:
    owner, version, profile = instance.owner, detail.version, detail.profile(instance.applied)
    properties: dict[str, Any] = {"latestModelApplied": instance.is_current}
    if version >= MODELS_SINCE:
        properties |= {
            "modelDefinitionApplied": "VirtualMachine"
            if instance.has_own_model
            else "VirtualMachineScaleSet",
            "networkProfileConfiguration": {"networkInterfaceConfigurations": _nics(profile)},
        }
    if detail.view:
        properties["instanceView"] = instance_view(instance, detail)
    if instance.has_protection_policy:
        properties["protectionPolicy"] = {
            "protectFromScaleIn": instance.protected_from_scale_in,
            "protectFromScaleSetActions": instance.protected,
        }
    properties |= _pick(profile, SPOT)
    properties |= {
        "provisioningState": instance.provisioning.capitalize(),
        "hardwareProfile": {"vmSize": owner.body["sku"]["name"]} if version >= SIZES_SINCE else {},
    }
    if version >= RESILIENCE_SINCE:
        properties["resilientVMDeletionStatus"] = "Disabled"
    properties |= {
        "vmId": guid("vm", owner.id, instance.id),
        "storageProfile": _storage(instance, detail),
        "osProfile": _os(instance, profile),
        "networkProfile": {"networkInterfaces": [{"id": nic_id(instance, each)} for each in _nics(profile)]},
        **_pick(profile, INHERITED),
    }
    if detail.user_data:
        properties |= _pick(profile, (USER_DATA,))
    if version >= CREATION_SINCE:
        properties["timeCreated"] = instance.created.isoformat()
    return properties


def select(instance: Instance, detail: Detail) -> dict[str, Any]:
    """Return a row for `$select=instanceView`, with few fields. `latestModelApplied` is always false."""
    return {
        "id": row_id(instance),
        "instanceId": instance.id,
        "properties": {"latestModelApplied": False, "instanceView": instance_view(instance, detail)},
    }


def virtual_machine(instance: Instance, detail: Detail, *, uppercase_group: bool = False) -> dict[str, Any]:
    """Return an instance of a Flexible scale set as a virtual machine."""
    owner, profile = instance.owner, detail.profile(instance.applied)
    view: dict[str, Any] = {
        "name": instance.id,
        "id": machine_id(instance, uppercase_group=uppercase_group),
        "type": "Microsoft.Compute/virtualMachines",
        "location": owner.location,
    }
    if owner.body.get("tags") is not None:
        view["tags"] = owner.body["tags"]
    if instance.domain.zone is not None:
        view["zones"] = [instance.domain.zone]
    if detail.version >= VIRTUAL_MACHINE_ETAGS_SINCE:
        view["etag"] = etag(instance.etag)
    nic = f"{_group_id(owner)}/providers/Microsoft.Network/networkInterfaces/{instance.id}"
    view["properties"] = {
        "hardwareProfile": {"vmSize": owner.body["sku"]["name"]},
        "provisioningState": instance.provisioning.capitalize(),
        "vmId": guid("vm", owner.id, instance.id),
        **_pick(profile, (*SPOT, *INHERITED)),
        "storageProfile": _storage(instance, detail),
        "osProfile": _os(instance, profile),
        "networkProfile": {
            "networkInterfaces": [{"id": nic, "properties": {"primary": True, "deleteOption": "Delete"}}]
        },
        "virtualMachineScaleSet": {"id": resource_id(owner, uppercase_group=uppercase_group)},
        **({"instanceView": instance_view(instance, detail)} if detail.view else {}),
    }
    if detail.version >= CREATION_SINCE:
        view["properties"]["timeCreated"] = instance.created.isoformat()
    if resources := _resources(instance, owner.location):
        view["resources"] = resources
    return view


def etag(number: int) -> str:
    return f'"{number}"'


def resource_id(scale_set: Model, *, uppercase_group: bool = False) -> str:
    if not uppercase_group:
        return scale_set.id
    group = _group_id(scale_set, uppercase_group=True)
    return f"{group}/providers/Microsoft.Compute/virtualMachineScaleSets/{scale_set.name}"


def row_id(instance: Instance) -> str:
    """Return the id that an instance has as part of its scale set."""
    return f"{instance.owner.id}/virtualMachines/{instance.id}"


def nic_id(instance: Instance, nic: Mapping[str, Any]) -> str:
    """Return the id of an instance's network interface for one NIC configuration of the model."""
    return f"{row_id(instance)}/networkInterfaces/{nic['name']}"


def machine_id(instance: Instance, *, uppercase_group: bool = False) -> str:
    """Return the id that an instance of a Flexible scale set has as a virtual machine."""
    group = _group_id(instance.owner, uppercase_group=uppercase_group)
    return f"{group}/providers/Microsoft.Compute/virtualMachines/{instance.id}"


def computer_name(instance: Instance) -> str:
    """Return the computer name: the prefix and the instance's number in base 36, with six digits."""
    number, digits = instance.number, ""
    while number:
        number, digit = divmod(number, 36)
        digits = "0123456789abcdefghijklmnopqrstuvwxyz"[digit] + digits
    return f"{_prefix(instance)}{digits.rjust(6, '0')}"


def disk_name(instance: Instance) -> str:
    """Return the name of the OS disk, which depends on the image."""
    name = instance.owner.name
    serial = guid("disk", instance.owner.id, instance.id, instance.applied.image.name).replace("-", "")
    return f"{name}_{name}_{instance.id}_OS__1_{serial}"


def _storage(instance: Instance, detail: Detail) -> dict[str, Any]:
    image = instance.applied.image
    model = detail.profile(instance.applied).get("storageProfile") or {}
    disk = _disk(instance, {**(model.get("osDisk") or {}), "name": disk_name(instance)})
    storage: dict[str, Any] = {}
    if image.reference is not None:
        storage["imageReference"] = {**image.reference, **_exact_version(image, detail.version)}
    if image.uri is not None:
        disk["image"] = {"uri": image.uri}
    storage["osDisk"] = disk
    if "managedDisk" in disk:
        storage["dataDisks"] = data_disks(instance, detail)
    return {**storage, **_controller(instance.owner, image, detail.version), **_pick(model, CONTROLLER)}


def _disk(instance: Instance, disk: dict[str, Any]) -> dict[str, Any]:
    """Convert a disk of the model to the instance's disk: a managed disk, or a blob in a storage account."""
    if "managedDisk" in disk:
        path = f"{_group_id(instance.owner)}/providers/Microsoft.Compute/disks/{disk['name']}"
        return {**disk, "managedDisk": {**disk["managedDisk"], "id": path}}
    if containers := disk.pop("vhdContainers", None):
        disk["vhd"] = {"uri": f"{containers[0].rstrip('/')}/{disk['name']}.vhd"}
    return disk


def data_disks(instance: Instance, detail: Detail) -> list[dict[str, Any]]:
    """Return the data disks of an instance: the disks of its model, or the disks that a PUT has set."""
    model = detail.profile(instance.applied).get("storageProfile") or {}
    disks = instance.disks
    if disks is None:
        disks = [_data_disk(instance, each) for each in model.get("dataDisks") or []]
    if detail.version >= DETACHING_SINCE:
        return [{"toBeDetached": False, **each} for each in disks]
    return [{name: value for name, value in each.items() if name != "toBeDetached"} for each in disks]


def _data_disk(instance: Instance, disk: Mapping[str, Any]) -> dict[str, Any]:
    owner = instance.owner.name
    serial = guid("data disk", instance.owner.id, instance.id, disk.get("lun")).replace("-", "")
    name = f"{owner}_{owner}_{instance.id}_disk{disk.get('lun', 0) + 2}_{serial}"
    return _disk(instance, {**disk, "name": name})


def _exact_version(image: Image, version: str) -> dict[str, str]:
    """Return the fields that show the exact version of the image.

    API versions without `exactVersion` show the exact version as `version`.
    """
    if image.exact_version is None:
        return {}
    if version >= EXACT_VERSIONS_SINCE:
        return {"exactVersion": image.exact_version}
    return {"version": image.exact_version} if image.kind == "platform" else {}


def _resources(instance: Instance, location: str) -> list[dict[str, Any]]:
    """Return the extensions of an instance as resources, with the ids of virtual machine extensions."""
    owner = instance.owner
    machine = instance.id if owner.is_flexible else f"{owner.name}_{instance.id}"
    path = f"{_group_id(owner)}/providers/Microsoft.Compute/virtualMachines/{machine}/extensions"
    return [
        {
            "name": name,
            "id": f"{path}/{name}",
            "type": "Microsoft.Compute/virtualMachines/extensions",
            "location": location,
            "properties": {"provisioningState": "Succeeded", "settings": {}, **properties},
        }
        for name, properties in _installation(instance).items()
    ]


def _identity(identity: Mapping[str, Any], version: str) -> Mapping[str, Any]:
    if version >= IDENTITIES_SINCE or "userAssignedIdentities" not in identity:
        return identity
    kept = {name: value for name, value in identity.items() if name != "userAssignedIdentities"}
    return {**kept, "identityIds": list(identity["userAssignedIdentities"])}


def _group_id(scale_set: Model, *, uppercase_group: bool = False) -> str:
    group = scale_set.group.upper() if uppercase_group else scale_set.group
    return f"/subscriptions/{scale_set.subscription}/resourceGroups/{group}"


def _pick(fields: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    return {name: fields[name] for name in names if name in fields}


def _os(instance: Instance, profile: Mapping[str, Any]) -> dict[str, Any]:
    model = dict(profile.get("osProfile") or {})
    model.pop("computerNamePrefix", None)
    return {"computerName": computer_name(instance), **model}


def _prefix(instance: Instance) -> str:
    profile = instance.applied.profile.get("osProfile") or {}
    return str(profile.get("computerNamePrefix", instance.owner.name[:9]))


def _installation(instance: Instance) -> Mapping[str, Mapping[str, Any]]:
    """Return the properties of the instance's extensions, keyed by name."""
    profile = instance.applied.profile.get("extensionProfile") or {}
    return {str(each["name"]): each["properties"] for each in profile.get("extensions") or []}


def _handler(extension: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "type": f"{extension['publisher']}.{extension['type']}",
        "typeHandlerVersion": extension["typeHandlerVersion"],
        "status": HANDLED,
    }


def _power(instance: Instance) -> list[dict[str, Any]]:
    reported = instance.reported_power or instance.power
    if reported == "none":
        return []
    return [{"code": f"PowerState/{reported}", "level": "Info", "displayStatus": f"VM {reported}"}]


def _custom_metrics(instance: Instance, extension: Mapping[str, Any]) -> dict[str, Any]:
    """Return the application's metrics as Application Health 2.0 reports them: as JSON within a string."""
    if instance.custom_metrics is None or str(extension["type"]).lower() not in HEALTH_EXTENSIONS:
        return {}
    details = {
        "code": "ComponentStatus/CustomMetrics/succeeded",
        "level": "Info",
        "displayStatus": "Provisioning succeeded",
        "message": json.dumps(instance.custom_metrics),
    }
    return {"substatuses": [details]}


def _reports_health(instance: Instance) -> bool:
    """Whether the health extension reports a state. Version 1 reports only healthy and unhealthy."""
    if instance.is_silent:
        return False
    versions = [
        str(each.get("typeHandlerVersion", ""))
        for each in _installation(instance).values()
        if str(each.get("type", "")).lower() in HEALTH_EXTENSIONS
    ]
    knows_more = any(version.startswith("2") for version in versions)
    return knows_more or instance.health in ("healthy", "unhealthy")


def _summary(count: Mapping[str, int]) -> list[dict[str, Any]]:
    return [{"code": code, "count": number} for code, number in count.items()]


def _status(code: str, time: datetime) -> dict[str, Any]:
    display = DISPLAY.get(code, code.rpartition("/")[2].capitalize())
    return {"code": code, "level": "Info", "displayStatus": display, **_since(code, time)}


def _since(code: str, time: datetime) -> dict[str, str]:
    return {} if code.rpartition("/")[2] in IN_TRANSITION else {"time": time.isoformat()}
