"""The image catalogue: versions of platform images, versions of gallery images.

Platform lists are bare arrays and are ordered as strings, as Azure orders them: 9 comes after 10.
"""

from __future__ import annotations

from typing import Any

from reconciler.simulator import errors
from reconciler.simulator.endpoints.call import Call, Reply


def versions(call: Call) -> Reply:
    """`$top` and `$orderby=name [desc]` are honoured."""
    found = sorted(call.cloud.catalogue.versions(*_sku(call)), reverse=_is_descending(call))
    top = call.request.query.get("$top", "")
    return Reply(200, [_version(call, name) for name in found[: int(top) if top.isdigit() else None]])


def version(call: Call) -> Reply:
    name = call.names["version"]
    if name not in call.cloud.catalogue.versions(*_sku(call)):
        publisher, offer, sku = _sku(call)
        wanted = f"Publisher: {publisher}, Offer: {offer}, Sku: {sku}, Version: {name}"
        raise errors.ArmError(404, "NotFound", f"Artifact: VMImage was not found. {wanted}.")
    properties: dict[str, Any] = {
        "hyperVGeneration": "V2",
        "architecture": "x64",
        "replicaType": "Managed",
        "replicaCount": 10,
        "disallowed": {"vmDiskType": "Unmanaged"},
        "automaticOSUpgradeProperties": {"automaticOSUpgradeSupported": True},
        "imageDeprecationStatus": {"imageState": "Active"},
        "features": [{"name": "SecurityType", "value": "TrustedLaunchSupported"}],
        "osDiskImage": {"operatingSystem": "Linux", "sizeInGb": 30},
        "dataDiskImages": [],
    }
    return Reply(200, {"properties": properties, **_version(call, name)})


def gallery_versions(call: Call) -> Reply:
    definition = _definition(call)
    found = call.cloud.catalogue.gallery_versions(definition)
    if not found:
        raise _no_resource(call, definition)
    return Reply(200, {"value": [_gallery_version(call, name) for name in found]})


def gallery_version(call: Call) -> Reply:
    """Also `latest`-free: a gallery has no version of that name, only the newest."""
    wanted = f"{_definition(call)}/versions/{call.names['version']}"
    found = call.cloud.catalogue.ids.get(wanted.lower())
    if found is None:
        raise _no_resource(call, wanted)
    return Reply(200, _gallery_version(call, found))


def _gallery_version(call: Call, resource_id: str) -> dict[str, Any]:
    location = call.cloud.catalogue.location
    region = {"name": location, "regionalReplicaCount": 1, "storageAccountType": "Standard_LRS"}
    publishing = {"targetRegions": [region], "replicaCount": 1, "excludeFromLatest": False}
    status = {
        "aggregatedState": "Completed",
        "summary": [{"region": location, "state": "Completed", "details": "", "progress": 100}],
    }
    expanded = "replicationstatus" in call.request.query.get("$expand", "").lower()
    return {
        "name": resource_id.rpartition("/")[2],
        "id": resource_id,
        "type": "Microsoft.Compute/galleries/images/versions",
        "location": location,
        "tags": {},
        "properties": {
            "publishingProfile": publishing,
            "provisioningState": "Succeeded",
            "storageProfile": {"osDiskImage": {"sizeInGB": 30, "hostCaching": "ReadWrite"}},
            **({"replicationStatus": status} if expanded else {}),
        },
    }


def _version(call: Call, name: str) -> dict[str, Any]:
    publisher, offer, sku = _sku(call)
    location = call.names["location"]
    place = f"/Subscriptions/{call.subscription}/Providers/Microsoft.Compute/Locations/{location}"
    artifact = f"Publishers/{publisher}/ArtifactTypes/VMImage/Offers/{offer}/Skus/{sku}/Versions/{name}"
    return {"location": location, "name": name, "id": f"{place}/{artifact}"}


def _sku(call: Call) -> tuple[str, str, str]:
    return call.names["publisher"], call.names["offer"], call.names["sku"]


def _definition(call: Call) -> str:
    return call.request.path.split("/versions")[0]


def _is_descending(call: Call) -> bool:
    return call.request.query.get("$orderby", "").lower().endswith("desc")


def _no_resource(call: Call, resource_id: str) -> errors.ArmError:
    name = resource_id.partition("/providers/")[2]
    message = (
        f"The Resource '{name}' under resource group '{call.names['group']}' was not found. For more "
        "details please go to https://aka.ms/ARMResourceNotFoundFix"
    )
    return errors.ArmError(404, "ResourceNotFound", message, gateway=True)
