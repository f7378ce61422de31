"""The fields that Azure adds to a scale set's body, and the fields that it never returns.

The tables follow recorded traffic. Azure fills in what a client omits from a PUT, so sending the same short
PUT again changes nothing. List entries are completed one by one. Fields that only some API versions return
are added in `versions` instead.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from reconciler.simulator.merge import merge
from reconciler.simulator.versions import is_windows

GUEST = {"secrets": [], "allowExtensionOperations": True, "requireGuestProvisionSignal": True}
LINUX = {"disablePasswordAuthentication": False, "provisionVMAgent": True}
WINDOWS = {"provisionVMAgent": True, "enableAutomaticUpdates": True}
SECRET = ("adminPassword", "customData")
DISK = {"createOption": "FromImage", "caching": "None"}
DATA_DISK = {"createOption": "Empty", "caching": "None"}
INTERFACE = {
    "disableTcpStateTracking": False,
    "dnsSettings": {"dnsServers": []},
    "enableIPForwarding": False,
}
ADDRESS = {"privateIPAddressVersion": "IPv4"}
PUBLIC_ADDRESS: dict[str, Any] = {"ipTags": []}
# Words that Azure returns in its own spelling, however a client spelled them.
WORDS = {
    word.lower(): word
    for word in (
        "FromImage", "Empty", "Attach", "Copy", "None", "ReadOnly", "ReadWrite", "Manual", "Automatic",
        "Rolling", "Uniform", "Flexible", "Regular", "Low", "Spot", "Deallocate", "Delete",
    )
}  # fmt: skip
SPELT_FIELDS = ("createOption", "caching", "mode", "orchestrationMode", "priority", "evictionPolicy")
FLEXIBLE = {
    "storageProfile": {"osDisk": {"deleteOption": "Delete"}},
    "networkProfile": {"networkApiVersion": "2020-11-01"},
}
FLEXIBLE_LINUX = {
    "linuxConfiguration": {"patchSettings": {"patchMode": "ImageDefault", "assessmentMode": "ImageDefault"}}
}
FLEXIBLE_INTERFACE = {"deleteOption": "Delete", "auxiliaryMode": "None", "auxiliarySku": "None"}
FLEXIBLE_ADDRESS: dict[str, Any] = {
    "applicationSecurityGroups": [],
    "applicationGatewayBackendAddressPools": [],
}
UNIFORM = {"overprovision": True, "doNotRunExtensionsOnOverprovisionedVMs": False}
EXTENSION = {"autoUpgradeMinorVersion": False}
AUTOMATIC_UPGRADE = {
    "enableAutomaticOSUpgrade": False,
    "useRollingUpgradePolicy": False,
    "disableAutomaticRollback": False,
}
# Sizes with an "s" among the letters after their number, and the old DS and GS sizes, support premium disks.
PREMIUM_SIZE = re.compile(r"standard_((ds|gs)\d|[a-z]+\d+(-\d+)?[a-z]*s)", re.I)


def complete(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return the body as Azure stores it. The function is idempotent."""
    properties = _with_azure_spelling(body["properties"])
    is_flexible = properties.get("orchestrationMode") == "Flexible"
    if policy := properties.get("upgradePolicy") or ({} if is_flexible else {"mode": "Manual"}):
        properties["upgradePolicy"] = _policy(policy)
    if properties.get("virtualMachineProfile"):
        account = "Premium_LRS" if PREMIUM_SIZE.match(str(body["sku"].get("name", ""))) else "Standard_LRS"
        profile = _profile(properties["virtualMachineProfile"], account, is_flexible=is_flexible)
        properties["virtualMachineProfile"] = merge(FLEXIBLE, profile) if is_flexible else profile
    if is_flexible:
        properties.setdefault("constrainedMaximumCapacity", False)
    else:
        properties = {**UNIFORM, **properties}
    if (properties.get("automaticRepairsPolicy") or {}).get("enabled"):
        properties["automaticRepairsPolicy"] = {
            "repairAction": "Replace",
            **properties["automaticRepairsPolicy"],
        }
    return {**body, "sku": {"tier": "Standard", **body["sku"]}, "properties": properties}


def complete_extension(extension: Mapping[str, Any]) -> dict[str, Any]:
    """Return an extension as Azure stores it, without its protected settings."""
    properties = {**EXTENSION, **(extension.get("properties") or {})}
    properties.pop("protectedSettings", None)
    return {**extension, "properties": properties}


def _policy(policy: Mapping[str, Any]) -> dict[str, Any]:
    automatic = policy.get("automaticOSUpgradePolicy")
    if automatic is None:
        return dict(policy)
    return {**policy, "automaticOSUpgradePolicy": {**AUTOMATIC_UPGRADE, **automatic}}


def _profile(profile: Mapping[str, Any], account: str, *, is_flexible: bool) -> dict[str, Any]:
    storage = dict(profile.get("storageProfile") or {})
    storage["osDisk"] = _disk(storage.get("osDisk") or {}, account)
    if storage.get("dataDisks"):
        storage["dataDisks"] = [_data_disk(each, account) for each in storage["dataDisks"]]
    filled = {**profile, "storageProfile": storage}
    if profile.get("osProfile"):
        guest = _guest(profile["osProfile"], is_windows=is_windows(profile))
        patched = is_flexible and "linuxConfiguration" in guest
        filled["osProfile"] = merge(FLEXIBLE_LINUX, guest) if patched else guest
    network = profile.get("networkProfile") or {}
    nics = network.get("networkInterfaceConfigurations")
    if nics:
        filled["networkProfile"] = {
            **network,
            "networkInterfaceConfigurations": [_nic(each, is_flexible=is_flexible) for each in nics],
        }
    events = profile.get("scheduledEventsProfile")
    if events:
        filled["scheduledEventsProfile"] = {
            name: value for name, value in events.items() if not value or value.get("enable", True)
        }
    extensions = (profile.get("extensionProfile") or {}).get("extensions")
    if extensions:
        filled["extensionProfile"] = {
            **profile["extensionProfile"],
            "extensions": [complete_extension(each) for each in extensions],
        }
    return filled


def _disk(disk: Mapping[str, Any], account: str) -> dict[str, Any]:
    # A disk from a VHD, or in a container of a storage account, is not a managed disk.
    is_managed = "image" not in disk and "vhdContainers" not in disk
    managed = {"managedDisk": {"storageAccountType": account}} if is_managed else {}
    return dict(merge({**DISK, **managed}, disk))


def _data_disk(disk: Mapping[str, Any], account: str) -> dict[str, Any]:
    return dict(merge({**DATA_DISK, "managedDisk": {"storageAccountType": account}}, disk))


def _guest(profile: Mapping[str, Any], *, is_windows: bool) -> dict[str, Any]:
    shown = {name: value for name, value in profile.items() if name not in SECRET}
    name, configuration = ("windowsConfiguration", WINDOWS) if is_windows else ("linuxConfiguration", LINUX)
    return {**GUEST, **shown, name: {**configuration, **(shown.get(name) or {})}}


def _nic(nic: Mapping[str, Any], *, is_flexible: bool) -> dict[str, Any]:
    usual = {**INTERFACE, **(FLEXIBLE_INTERFACE if is_flexible else {})}
    properties = {**usual, **(nic.get("properties") or {})}
    addresses = properties.get("ipConfigurations") or []
    properties["ipConfigurations"] = [_address(each, is_flexible=is_flexible) for each in addresses]
    return {**nic, "properties": properties}


def _address(address: Mapping[str, Any], *, is_flexible: bool) -> dict[str, Any]:
    """Return an IP configuration as Azure stores it. Only Flexible scale sets keep empty lists."""
    fields = (address.get("properties") or {}).items()
    visible = {name: value for name, value in fields if is_flexible or value != []}
    properties = {**ADDRESS, **(FLEXIBLE_ADDRESS if is_flexible else {}), **visible}
    if public := properties.get("publicIPAddressConfiguration"):
        shown = {**PUBLIC_ADDRESS, **(public.get("properties") or {})}
        properties["publicIPAddressConfiguration"] = {**public, "properties": shown}
    return {**address, "properties": properties}


def _with_azure_spelling(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields with Azure's spelling of their values, including nested values."""
    return {name: _value_with_azure_spelling(name, value) for name, value in fields.items()}


def _value_with_azure_spelling(name: str, value: Any) -> Any:
    if name in SPELT_FIELDS and isinstance(value, str):
        return WORDS.get(value.lower(), value)
    if isinstance(value, Mapping) and name != "settings":
        return _with_azure_spelling(value)
    if isinstance(value, list):
        return [_with_azure_spelling(each) if isinstance(each, Mapping) else each for each in value]
    return value
