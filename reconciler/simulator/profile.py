"""Builds a complete, plausible model of a scale set from the few fields that a fleet file declares."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reconciler.simulator.defaults import complete
from reconciler.simulator.merge import merge
from reconciler.simulator.repairs import ACTIONS
from reconciler.simulator.rolling import ROLLING_POLICY
from reconciler.simulator.timings import duration, iso_text

# The version of the Application Health extension for each `health` of a fleet file. Version 2 has rich states
# and reports "initializing". Version 1 reports nothing until it has a result.
HEALTH_VERSIONS = {"extension": "2.0", "binaryExtension": "1.0"}


def scale_set_body(
    declared: Mapping[str, Any],
    *,
    storage: Mapping[str, Any] | None,
    group_id: str,
    is_single_group: bool,
    fault_domains: int,
) -> dict[str, Any]:
    """Return the body that Azure would store for this scale set.

    `storage` names the image. If it is None, the body has no `virtualMachineProfile`.
    """
    flexible = declared["orchestration"] == "Flexible"
    policy: dict[str, Any] = {"mode": declared["mode"]}
    if declared["mode"] == "Rolling":
        policy["rollingUpgradePolicy"] = dict(ROLLING_POLICY)
    if declared["automaticOSUpgrade"]:
        automatic = {
            "enableAutomaticOSUpgrade": True,
            "useRollingUpgradePolicy": False,
            "disableAutomaticRollback": False,
        }
        policy["automaticOSUpgradePolicy"] = automatic
    properties: dict[str, Any] = {
        "singlePlacementGroup": is_single_group,
        "orchestrationMode": "Flexible" if flexible else "Uniform",
        "overprovision": declared["overprovision"],
        "doNotRunExtensionsOnOverprovisionedVMs": False,
        "platformFaultDomainCount": fault_domains,
    }
    if storage is not None:
        properties["virtualMachineProfile"] = _profile(declared, storage, group_id)
    if "automaticRepairs" in declared:
        properties["automaticRepairsPolicy"] = _repairs(declared["automaticRepairs"])
    if "spotRestore" in declared:
        timeout = iso_text(duration(declared["spotRestore"]))
        properties["spotRestorePolicy"] = {"enabled": True, "restoreTimeout": timeout}
    # Azure adds no upgrade policy to a Flexible scale set; it returns one only if a client wrote it.
    if not flexible or policy != {"mode": "Manual"}:
        properties["upgradePolicy"] = policy
    if flexible:
        del properties["overprovision"]
        properties["constrainedMaximumCapacity"] = False
    zones = list(declared.get("zones", ()))
    return complete(
        {
            "tags": dict(declared.get("tags", {})),
            **({"zones": zones} if zones else {}),
            **({"plan": dict(declared["plan"])} if "plan" in declared else {}),
            "sku": {"name": declared["skuName"]},
            "properties": properties,
        }
    )


def _repairs(declared: Mapping[str, Any]) -> dict[str, Any]:
    grace = iso_text(duration(declared["grace"]))
    return {"enabled": True, "gracePeriod": grace, "repairAction": ACTIONS[declared["action"]]}


def _profile(declared: Mapping[str, Any], storage: Mapping[str, Any], group_id: str) -> dict[str, Any]:
    name, health = declared["name"], declared["health"]
    network = f"{group_id}/providers/Microsoft.Network"
    installed = [_extension(each) for each in declared.get("extensions", ())]
    if health in HEALTH_VERSIONS:
        installed.insert(0, _health_extension(HEALTH_VERSIONS[health], declared.get("healthGracePeriod")))
    profile: dict[str, Any] = {
        "osProfile": {
            "computerNamePrefix": name[:9],
            "adminUsername": "operator",
            "linuxConfiguration": {"disablePasswordAuthentication": True, "provisionVMAgent": True},
            "secrets": [],
            "allowExtensionOperations": True,
            "requireGuestProvisionSignal": True,
        },
        "storageProfile": merge(
            _disk(declared["diskSizeGB"], is_managed="imageReference" in storage), storage
        ),
        "networkProfile": {
            **(
                {"healthProbe": {"id": f"{network}/loadBalancers/{name}/probes/up"}}
                if health == "probe"
                else {}
            ),
            "networkInterfaceConfigurations": [_interface(name, network)],
        },
    }
    if installed:
        profile["extensionProfile"] = {"extensions": installed}
    if declared["securityType"] == "TrustedLaunch":
        profile["securityProfile"] = {
            "uefiSettings": {"secureBootEnabled": True, "vTpmEnabled": True},
            "securityType": "TrustedLaunch",
        }
    if events := _scheduled_events(declared):
        profile["scheduledEventsProfile"] = events
    if declared["spot"]:
        profile |= {"priority": "Spot", "evictionPolicy": declared["evictionPolicy"]}
        profile["billingProfile"] = {"maxPrice": -1}
    return profile


def _scheduled_events(declared: Mapping[str, Any]) -> dict[str, Any]:
    """Return the `scheduledEventsProfile`, or {} if no event is announced to guests."""
    return {
        f"{name}Profile": {"enable": True, "notBeforeTimeout": iso_text(duration(declared[name]))}
        for name in ("terminateNotification", "osImageNotification")
        if name in declared
    }


def _disk(size: int, *, is_managed: bool) -> dict[str, Any]:
    disk: dict[str, Any] = {
        "osType": "Linux",
        "createOption": "FromImage",
        "caching": "ReadWrite",
        "diskSizeGB": size,
    }
    if is_managed:
        disk["managedDisk"] = {"storageAccountType": "Premium_LRS"}
    return {"osDisk": disk}


def _interface(name: str, network: str) -> dict[str, Any]:
    subnet = {"id": f"{network}/virtualNetworks/{name}/subnets/default"}
    address = {"name": name, "properties": {"subnet": subnet, "privateIPAddressVersion": "IPv4"}}
    properties = {
        "primary": True,
        "enableAcceleratedNetworking": False,
        "disableTcpStateTracking": False,
        "dnsSettings": {"dnsServers": []},
        "enableIPForwarding": False,
        "ipConfigurations": [address],
    }
    return {"name": name, "properties": properties}


def _health_extension(version: str, grace: str | None) -> dict[str, Any]:
    settings: dict[str, Any] = {"protocol": "http", "port": 80, "requestPath": "/"}
    if grace is not None:
        settings["gracePeriod"] = round(duration(grace).total_seconds())
    return {
        "name": "AppHealth",
        "properties": {
            "autoUpgradeMinorVersion": True,
            "publisher": "Microsoft.ManagedServices",
            "type": "ApplicationHealthLinux",
            "typeHandlerVersion": version,
            "settings": settings,
        },
    }


def _extension(declared: Mapping[str, Any]) -> dict[str, Any]:
    properties = {name: declared[name] for name in ("publisher", "type", "settings") if name in declared}
    return {"name": declared["name"], "properties": {**properties, "typeHandlerVersion": "1.1"}}
