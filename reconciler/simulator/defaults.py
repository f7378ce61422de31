"""What Azure writes into a scale set's body by itself, and what it never shows again.

As recorded: what a client leaves out of a PUT comes back filled in, so that putting the same short body again
changes nothing. Lists are completed entry by entry.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reconciler.simulator.merge import merged

GUEST = {"secrets": [], "allowExtensionOperations": True, "requireGuestProvisionSignal": True}
LINUX = {"linuxConfiguration": {"disablePasswordAuthentication": False, "provisionVMAgent": True}}
WINDOWS = {"windowsConfiguration": {"provisionVMAgent": True, "enableAutomaticUpdates": True}}
SECRET = ("adminPassword", "customData")
DISK = {"createOption": "FromImage", "caching": "None"}
MANAGED_DISK = {"managedDisk": {"storageAccountType": "Premium_LRS"}}
INTERFACE = {
    "enableAcceleratedNetworking": False,
    "disableTcpStateTracking": False,
    "dnsSettings": {"dnsServers": []},
    "enableIPForwarding": False,
}
ADDRESS = {"privateIPAddressVersion": "IPv4"}
FLEXIBLE = {
    "storageProfile": {"osDisk": {"deleteOption": "Delete"}},
    "networkProfile": {"networkApiVersion": "2020-11-01"},
}
AUTOMATIC_UPGRADE = {
    "enableAutomaticOSUpgrade": False,
    "useRollingUpgradePolicy": False,
    "disableAutomaticRollback": False,
}


def completed(body: Mapping[str, Any]) -> dict[str, Any]:
    """The body as Azure stores it. Completing twice is completing once."""
    properties = dict(body["properties"])
    is_flexible = properties.get("orchestrationMode") == "Flexible"
    if policy := properties.get("upgradePolicy") or ({} if is_flexible else {"mode": "Manual"}):
        properties["upgradePolicy"] = _policy(policy)
    if properties.get("virtualMachineProfile"):
        profile = _profile(properties["virtualMachineProfile"])
        properties["virtualMachineProfile"] = merged(FLEXIBLE, profile) if is_flexible else profile
    if is_flexible:
        properties.setdefault("constrainedMaximumCapacity", False)
    if (properties.get("automaticRepairsPolicy") or {}).get("enabled"):
        properties["automaticRepairsPolicy"] = {
            "repairAction": "Replace",
            **properties["automaticRepairsPolicy"],
        }
    return {**body, "sku": {"tier": "Standard", **body["sku"]}, "properties": properties}


def _policy(policy: Mapping[str, Any]) -> dict[str, Any]:
    automatic = policy.get("automaticOSUpgradePolicy")
    if automatic is None:
        return dict(policy)
    return {**policy, "automaticOSUpgradePolicy": {**AUTOMATIC_UPGRADE, **automatic}}


def _profile(profile: Mapping[str, Any]) -> dict[str, Any]:
    storage = profile.get("storageProfile") or {}
    filled = {**profile, "storageProfile": {**storage, "osDisk": _disk(storage)}}
    if profile.get("osProfile"):
        filled["osProfile"] = _guest(profile["osProfile"], is_windows=_is_windows(storage))
    network = profile.get("networkProfile") or {}
    cards = network.get("networkInterfaceConfigurations")
    if cards:
        filled["networkProfile"] = {
            **network,
            "networkInterfaceConfigurations": [_card(each) for each in cards],
        }
    return filled


def _disk(storage: Mapping[str, Any]) -> dict[str, Any]:
    disk = storage.get("osDisk") or {}
    size = (
        {"osType": "Windows", "diskSizeGB": 127}
        if _is_windows(storage)
        else {"osType": "Linux", "diskSizeGB": 30}
    )
    # A disk from a VHD is not a managed one.
    return dict(merged({**size, **DISK, **({} if "image" in disk else MANAGED_DISK)}, disk))


def _guest(profile: Mapping[str, Any], *, is_windows: bool) -> dict[str, Any]:
    shown = {name: value for name, value in profile.items() if name not in SECRET}
    is_told = "linuxConfiguration" in shown or "windowsConfiguration" in shown
    return {**GUEST, **({} if is_told else WINDOWS if is_windows else LINUX), **shown}


def _card(card: Mapping[str, Any]) -> dict[str, Any]:
    properties = {**INTERFACE, **(card.get("properties") or {})}
    addresses = properties.get("ipConfigurations") or []
    properties["ipConfigurations"] = [
        {**each, "properties": {**ADDRESS, **(each.get("properties") or {})}} for each in addresses
    ]
    return {**card, "properties": properties}


def _is_windows(storage: Mapping[str, Any]) -> bool:
    disk, reference = storage.get("osDisk") or {}, storage.get("imageReference") or {}
    return disk.get("osType") == "Windows" or str(reference.get("publisher", "")).startswith(
        "MicrosoftWindows"
    )
