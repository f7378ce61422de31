"""The structure of a scale set's body. Wrong types and missing fields are rejected immediately.

Only the parts that the simulator reads are checked. The error message follows Azure's wording, but omits the
.NET type, which is not known.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reconciler.simulator import errors
from reconciler.simulator.catalogue import ID_FIELDS, PLATFORM_FIELDS

Shape = dict[str, Any]

# A name that ends in "!" is required. The single entry of a list describes all of its items.
NIC: Shape = {"name!": str, "properties": {"ipConfigurations": [{"properties": {}}]}}
EXTENSION: Shape = {
    "name!": str,
    "properties!": {"publisher!": str, "type!": str, "typeHandlerVersion!": str},
}
PROFILE: Shape = {
    "osProfile": {"computerNamePrefix": str, "linuxConfiguration": {}, "windowsConfiguration": {}},
    "storageProfile": {
        "imageReference": dict.fromkeys((*PLATFORM_FIELDS, *ID_FIELDS.values()), str),
        "osDisk": {"osType": str, "managedDisk": {}, "image": {"uri": str}},
    },
    "networkProfile": {"healthProbe": {"id": str}, "networkInterfaceConfigurations": [NIC]},
    "extensionProfile": {"extensions": [EXTENSION]},
    "securityProfile": {"securityType": str},
    "priority": str,
    "evictionPolicy": str,
}
SHAPE: Shape = {
    "sku": {"name!": str, "tier": str, "capacity": int},
    "tags": {},
    "zones": [str],
    "identity": {"type": str, "userAssignedIdentities": {}},
    "plan": {},
    "properties!": {
        "orchestrationMode": str,
        "platformFaultDomainCount": int,
        "singlePlacementGroup": bool,
        "overprovision": bool,
        "upgradePolicy": {
            "mode": str,
            "rollingUpgradePolicy": {
                "maxBatchInstancePercent": int,
                "maxUnhealthyInstancePercent": int,
                "maxUnhealthyUpgradedInstancePercent": int,
                "pauseTimeBetweenBatches": str,
            },
            "automaticOSUpgradePolicy": {"enableAutomaticOSUpgrade": bool},
        },
        "automaticRepairsPolicy": {"enabled": bool, "gracePeriod": str, "repairAction": str},
        "spotRestorePolicy": {"enabled": bool, "restoreTimeout": str},
        "virtualMachineProfile": PROFILE,
    },
}


def require_shape(value: Any, shape: Any = SHAPE, path: str = "") -> None:
    """Raise Azure's 400 if a part of the body is missing or has the wrong type.

    The error names the first such part.
    """
    if isinstance(shape, type):
        is_fit = isinstance(value, shape) and not (shape is int and isinstance(value, bool))
    else:
        is_fit = isinstance(value, Mapping if isinstance(shape, dict) else list)
    if not is_fit:
        raise _misfit(value, path)
    if isinstance(shape, list):
        for number, each in enumerate(value):
            require_shape(each, shape[0], f"{path}[{number}]")
    if isinstance(shape, dict):
        for name, part in shape.items():
            _require_part(value, name, part, path)


def _require_part(value: dict[str, Any], name: str, shape: Any, path: str) -> None:
    plain = name.removesuffix("!")
    if shape is int and str(value.get(plain)).isdecimal():
        value[plain] = int(value[plain])  # azurerm writes "11", which is said to work
    if value.get(plain) is not None:
        require_shape(value[plain], shape, f"{path}.{plain}" if path else plain)
    elif plain != name:
        raise errors.missing_parameter(plain)


def _misfit(value: Any, path: str) -> errors.ArmError:
    message = f"Error converting value {value!r}. Path '{path}'."
    return errors.ArmError(400, "BadRequest", message, target=f"vmss.{path}" if path else "vmss")
