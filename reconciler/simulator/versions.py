"""The fields that each API version shows: fields that the version knows, and fields that Azure fills in.

The tables follow traffic that was recorded from 2017 to 2026. A version does not show a field that was added
later, even if a client wrote the field (see `Known`). Fields that Azure fills in are not stored (see
`Filled`). Other versions can therefore omit them, and a client that writes back what it read changes nothing.

Paths are names separated by dots, below a `virtualMachineProfile` or below the `properties` of a scale set.
`[]` stands for each entry of a list. The bounds `since` and `until` come from recorded traffic or from the
documentation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

ALWAYS = ""
NEVER = "9999"
LATEST = "2026-04-01"
# The first version that shows etags.
ETAGS = "2023-09-01"

Fields = Mapping[str, Any]

GUEST = "osProfile"
LINUX = "osProfile.linuxConfiguration"
DISK = "storageProfile.osDisk"
NIC = "networkProfile.networkInterfaceConfigurations[].properties"
POLICY = "upgradePolicy"
ROLLING = "upgradePolicy.rollingUpgradePolicy"


@dataclass(frozen=True, slots=True)
class Known:
    """A field that versions before `since` do not show."""

    path: str
    name: str
    since: str


@dataclass(frozen=True, slots=True)
class Filled:
    """A field that versions from `since` up to, but not including, `until` show even if no client wrote it.

    `value` is called with the object that the tables apply to.
    """

    path: str
    name: str
    value: Callable[[Fields], Any]
    since: str = ALWAYS
    until: str = NEVER


def the(value: Any) -> Callable[[Fields], Any]:
    return lambda _: value


def is_windows(profile: Fields) -> bool:
    storage = profile.get("storageProfile") or {}
    disk, reference = storage.get("osDisk") or {}, storage.get("imageReference") or {}
    if "osType" in disk:
        return bool(disk["osType"] == "Windows")
    guest = profile.get("osProfile") or {}
    if "windowsConfiguration" in guest or "linuxConfiguration" in guest:
        return "windowsConfiguration" in guest
    return str(reference.get("publisher", "")).startswith("MicrosoftWindows")


def system(profile: Fields) -> str:
    return "Windows" if is_windows(profile) else "Linux"


def disk_size(profile: Fields) -> int | None:
    """Return the default size of an OS disk in GB, or None for a disk in a storage account.

    A disk in a storage account has the size of its blob.
    """
    disk = (profile.get("storageProfile") or {}).get("osDisk") or {}
    if "vhdContainers" in disk or "image" in disk:
        return None
    return 127 if is_windows(profile) else 30


PROFILE_KNOWN = (
    Known(GUEST, "allowExtensionOperations", "2018-10-01"),
    Known(GUEST, "requireGuestProvisionSignal", "2018-10-01"),
    Known(LINUX, "provisionVMAgent", "2018-10-01"),
    Known(NIC, "enableIPForwarding", "2017-12-01"),
    Known(NIC, "disableTcpStateTracking", "2022-03-01"),
    Known(NIC, "auxiliaryMode", "2023-09-01"),
    Known(NIC, "auxiliarySku", "2023-09-01"),
)
PROFILE_FILLED = (
    Filled(DISK, "osType", system, since="2021-03-01"),
    Filled(DISK, "diskSizeGB", disk_size, since="2020-06-01"),
    Filled(LINUX, "enableVMAgentPlatformUpdates", the(False), since="2022-03-01", until="2023-09-01"),
    Filled(NIC, "enableAcceleratedNetworking", the(False), until="2022-08-01"),
    Filled(NIC, "enableAcceleratedNetworking", the(False), since="2025-04-01"),
)
# Fields of the model that instances show and their scale set does not.
INSTANCE_FILLED = (
    Filled(DISK, "osType", system),
    Filled(DISK, "diskSizeGB", disk_size),
    Filled(
        LINUX, "patchSettings", the({"patchMode": "ImageDefault"}), since="2020-06-01", until="2021-03-01"
    ),
    Filled(
        "osProfile.windowsConfiguration",
        "patchSettings",
        the({"patchMode": "AutomaticByOS"}),
        since="2020-06-01",
        until="2021-03-01",
    ),
)
SET_KNOWN = (
    Known("", "orchestrationMode", "2021-03-01"),
    Known("", "doNotRunExtensionsOnOverprovisionedVMs", "2018-10-01"),
    Known("", "timeCreated", "2021-11-01"),
    Known("virtualMachineProfile", "timeCreated", ETAGS),
    Known(ROLLING, "maxSurge", "2022-08-01"),
    Known(ROLLING, "rollbackFailedInstancesOnPolicyBreach", "2022-08-01"),
)
SET_FILLED = (Filled(POLICY, "automaticOSUpgrade", the(False), since="2017-03-30", until="2018-04-01"),)


def visible_fields(
    fields: Fields, version: str, known: Iterable[Known], filled: Iterable[Filled]
) -> dict[str, Any]:
    """Return the fields that this version shows. `fields` is not modified."""
    result = dict(fields)
    for each in known:
        if version < each.since:
            result = _change(result, each.path, partial(_without, each.name))
    for entry in filled:
        if entry.since <= version < entry.until and (value := entry.value(fields)) is not None:
            result = _change(result, entry.path, partial(_with, entry.name, value))
    return result


def visible_profile(profile: Fields, version: str) -> dict[str, Any]:
    """Return a `virtualMachineProfile` as shown in responses about its scale set."""
    return visible_fields(profile, version, PROFILE_KNOWN, PROFILE_FILLED)


def visible_instance_profile(profile: Fields, version: str) -> dict[str, Any]:
    """Return a `virtualMachineProfile` as shown in responses about an instance."""
    return visible_fields(profile, version, PROFILE_KNOWN, (*PROFILE_FILLED, *INSTANCE_FILLED))


def visible_properties(properties: Fields, version: str) -> dict[str, Any]:
    """Return the `properties` of a scale set as this version shows them."""
    return visible_fields(properties, version, SET_KNOWN, SET_FILLED)


def _change(fields: Fields, path: str, change: Callable[[Fields], Fields]) -> dict[str, Any]:
    """Return `fields` with `change` applied to the part at `path`, if that part exists."""
    if not path:
        return dict(change(fields))
    name, _, rest = path.partition(".")
    plain = name.removesuffix("[]")
    part = fields.get(plain)
    if name != plain:
        if not isinstance(part, list):
            return dict(fields)
        return {**fields, plain: [_change(each, rest, change) for each in part]}
    if not isinstance(part, Mapping):
        return dict(fields)
    return {**fields, plain: _change(part, rest, change)}


def _without(name: str, fields: Fields) -> Fields:
    return {key: value for key, value in fields.items() if key != name}


def _with(name: str, value: Any, fields: Fields) -> Fields:
    return {name: value, **fields}
