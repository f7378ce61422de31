"""Versions of platform images.

A list is a bare array of the versions in the region. As in Azure, versions are sorted as strings, so 9 comes
after 10. Deprecated versions are not listed, and requests for them are rejected.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from reconciler.simulator import errors
from reconciler.simulator.catalogue import Details
from reconciler.simulator.endpoints.call import Call, Reply
from reconciler.simulator.generations import system_of
from reconciler.simulator.regions import region

# Architecture and deprecation are shown since the first of these versions. Since the second one, the size of
# a VHD is shown only in bytes.
STATUS_SINCE, BYTES_ONLY_SINCE = "2021-11-01", "2024-07-01"
VHD_FOOTER = 512
# The features of images besides their security type.
FEATURES = (
    {"name": "IsAcceleratedNetworkSupported", "value": "True"},
    {"name": "DiskControllerTypes", "value": "SCSI, NVMe"},
    {"name": "IsHibernateSupported", "value": "True"},
)


def versions(call: Call) -> Reply:
    """Return the versions. `$top`, `$orderby=name [desc]` and `$expand=properties` are supported.

    The properties that Azure shows with `$expand` have not been recorded.
    """
    found = sorted(
        call.cloud.catalogue.versions(*_sku(call), call.names["location"]), reverse=_is_descending(call)
    )
    top = call.request.query.get("$top", "")
    expanded = call.request.query.get("$expand", "").lower().startswith("properties")
    return Reply(
        200,
        [
            _version(call, name) | ({"properties": _properties(call, name)} if expanded else {})
            for name in found[: int(top) if top.isdecimal() else None]
        ],
    )


def version(call: Call) -> Reply:
    name = call.names["version"]
    publisher, offer, sku = _sku(call)
    image = f"{publisher}:{offer}:{sku}:{name}"
    details = call.cloud.catalogue.details(image) if call.cloud.catalogue.has(image) else None
    if details is None or not details.is_in(region(call.names["location"])):
        wanted = f"Publisher: {publisher}, Offer: {offer}, Sku: {sku}, Version: {name}"
        raise errors.ArmError(404, "NotFound", f"Artifact: VMImage was not found. {wanted}.")
    if details.deprecation == "Deprecated":
        message = (
            f"VM Image from publisher: {publisher} with - Offer: {offer}, Sku: {sku}, Version: {name} is "
            "deprecated."
        )
        raise errors.ArmError(404, "ImageVersionDeprecated", message)
    return Reply(200, {"properties": _properties(call, name), **_version(call, name)})


def _deprecation(details: Details) -> dict[str, str]:
    """Return the deprecation status. A scheduled deprecation takes effect 90 days after publication."""
    if details.deprecation != "ScheduledForDeprecation":
        return {"imageState": details.deprecation}
    when = details.published + timedelta(days=90)
    return {"imageState": details.deprecation, "scheduledDeprecationTime": when.isoformat()}


def _properties(call: Call, version: str) -> dict[str, Any]:
    """Return the properties of a version.

    In recorded traffic, generation 2 images have managed replicas and generation 1 images do not.
    """
    name = ":".join((*_sku(call), version))
    details, asked = call.cloud.catalogue.details(name), call.request.version
    properties: dict[str, Any] = {"plan": dict(details.plan)} if details.plan else {}
    properties["hyperVGeneration"] = details.generation
    if asked >= STATUS_SINCE:
        properties |= {
            "architecture": details.architecture,
            "imageDeprecationStatus": _deprecation(details),
            "features": [*details.features, *FEATURES],
        }
    size = details.disk_size_gb
    if details.generation == "V2":
        properties |= {
            "replicaType": "Managed",
            "replicaCount": 10,
            "disallowed": {"vmDiskType": "Unmanaged"},
        }
        disk = {"sizeInGb": size}
    else:
        properties |= {"replicaType": "Unmanaged", "disallowed": {"vmDiskType": "None"}}
        gigabytes = {"sizeInGb": size} if asked < BYTES_ONLY_SINCE else {}
        disk = {**gigabytes, "sizeInBytes": size * 2**30 + VHD_FOOTER}
    return {
        **properties,
        "automaticOSUpgradeProperties": {"automaticOSUpgradeSupported": True},
        "osDiskImage": {"operatingSystem": system_of(name), **disk},
        "dataDiskImages": [],
    }


def _version(call: Call, name: str) -> dict[str, Any]:
    publisher, offer, sku = _sku(call)
    location = call.names["location"]
    location_id = f"/Subscriptions/{call.subscription}/Providers/Microsoft.Compute/Locations/{location}"
    artifact = f"Publishers/{publisher}/ArtifactTypes/VMImage/Offers/{offer}/Skus/{sku}/Versions/{name}"
    return {"location": location, "name": name, "id": f"{location_id}/{artifact}"}


def _sku(call: Call) -> tuple[str, str, str]:
    return call.names["publisher"], call.names["offer"], call.names["sku"]


def _is_descending(call: Call) -> bool:
    return call.request.query.get("$orderby", "").lower().endswith("desc")
