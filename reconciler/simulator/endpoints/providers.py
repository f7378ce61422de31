"""The resource providers, the VM sizes in a region, and the sizes that a scale set can have.

All providers are registered. Only a few of the real sizes are listed. The sizes for a scale set include its
current size.
"""

from __future__ import annotations

from typing import Any

from reconciler.simulator import errors
from reconciler.simulator.endpoints.call import Call, Reply
from reconciler.simulator.endpoints.directory import regions
from reconciler.simulator.regions import display

VERSIONS = ("2026-04-01", "2025-04-01", "2024-11-01", "2024-07-01", "2023-09-01", "2022-11-01", "2019-03-01")
TYPES = {
    "Microsoft.Authorization": ("permissions",),
    "Microsoft.Compute": (
        "virtualMachineScaleSets",
        "virtualMachineScaleSets/virtualMachines",
        "virtualMachines",
        "images",
        "galleries",
        "galleries/images",
        "galleries/images/versions",
        "locations",
        "locations/operations",
        "locations/publishers",
        "locations/vmSizes",
    ),
    "Microsoft.Resources": ("subscriptions", "resourceGroups", "subscriptions/locations", "tenants"),
}
# Cores and gigabytes of memory.
SIZES = {
    "Standard_B2s": (2, 4),
    "Standard_D2s_v3": (2, 8),
    "Standard_D2s_v5": (2, 8),
    "Standard_D4s_v5": (4, 16),
    "Standard_D8s_v5": (8, 32),
    "Standard_DS1_v2": (1, 3.5),
    "Standard_E4s_v5": (4, 32),
    "Standard_F4s_v2": (4, 8),
}


def providers(call: Call) -> Reply:
    call.cloud.subscription(call.subscription)
    return Reply(200, {"value": [_provider(call, namespace) for namespace in TYPES]}, gateway=True)


def provider(call: Call) -> Reply:
    """Return a provider. A request to register the provider gets the same response."""
    call.cloud.subscription(call.subscription)
    wanted = call.names["namespace"]
    found = next((namespace for namespace in TYPES if namespace.lower() == wanted.lower()), None)
    if found is None:
        message = f"The resource namespace '{wanted}' is invalid."
        raise errors.ArmError(404, "InvalidResourceNamespace", message, gateway=True)
    return Reply(200, _provider(call, found), gateway=True)


def sizes(call: Call) -> Reply:
    call.cloud.subscription(call.subscription)
    found = [
        {
            "name": name,
            "numberOfCores": cores,
            "osDiskSizeInMB": 1047552,
            "resourceDiskSizeInMB": 0,
            "memoryInMB": int(memory * 1024),
            "maxDataDiskCount": cores * 2,
        }
        for name, (cores, memory) in SIZES.items()
    ]
    return Reply(200, {"value": found})


def scale_set_skus(call: Call) -> Reply:
    scale_set = call.scale_set()
    own = scale_set.body["sku"]["name"]
    together = scale_set.body["properties"].get("singlePlacementGroup", True)
    capacity = {
        "minimum": 0,
        "maximum": 100 if together else 1000,
        "defaultCapacity": 1,
        "scaleType": "Automatic",
    }
    found = [
        {
            "resourceType": "Microsoft.Compute/virtualMachineScaleSets",
            "sku": {"name": name, "tier": "Standard"},
            "capacity": capacity,
        }
        for name in sorted({own, *SIZES})
    ]
    return Reply(200, {"value": found})


def _provider(call: Call, namespace: str) -> dict[str, Any]:
    where = [display(name) for name in regions(call)]
    return {
        "id": f"/subscriptions/{call.subscription}/providers/{namespace}",
        "namespace": namespace,
        "registrationPolicy": "RegistrationRequired",
        "resourceTypes": [
            {"resourceType": each, "locations": where, "apiVersions": list(VERSIONS)}
            for each in TYPES[namespace]
        ],
        "registrationState": "Registered",
    }
