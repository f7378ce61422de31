"""Versions of platform images.

Lists are bare arrays of what the region has, and are ordered as strings, as Azure orders them: 9 comes after
10. A deprecated version is in no list, and asking for it is refused.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from reconciler.simulator import errors
from reconciler.simulator.catalogue import Details
from reconciler.simulator.endpoints.call import Call, Reply
from reconciler.simulator.regions import region


def versions(call: Call) -> Reply:
    """`$top` and `$orderby=name [desc]` are honoured.

    So is `$expand=properties`, also of one of them: how much Azure then tells is not recorded.
    """
    found = sorted(
        call.cloud.catalogue.versions(*_sku(call), call.names["location"]), reverse=_is_descending(call)
    )
    top = call.request.query.get("$top", "")
    expanded = call.request.query.get("$expand", "").lower().startswith("properties")
    return Reply(
        200,
        [
            _version(call, name) | ({"properties": _properties(_details(call, name))} if expanded else {})
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
    return Reply(200, {"properties": _properties(details), **_version(call, name)})


def _details(call: Call, name: str) -> Details:
    return call.cloud.catalogue.details(":".join((*_sku(call), name)))


def _deprecation(details: Details) -> dict[str, str]:
    """A version that is to go says when: here 90 days after it was published."""
    if details.deprecation != "ScheduledForDeprecation":
        return {"imageState": details.deprecation}
    when = details.published + timedelta(days=90)
    return {"imageState": details.deprecation, "scheduledDeprecationTime": when.isoformat()}


def _properties(details: Details) -> dict[str, Any]:
    return {
        **({"plan": dict(details.plan)} if details.plan else {}),
        "hyperVGeneration": details.generation,
        "architecture": details.architecture,
        "replicaType": "Managed",
        "replicaCount": 10,
        "disallowed": {"vmDiskType": "Unmanaged"},
        "automaticOSUpgradeProperties": {"automaticOSUpgradeSupported": True},
        "imageDeprecationStatus": _deprecation(details),
        "features": details.features,
        "osDiskImage": {"operatingSystem": "Linux", "sizeInGb": details.disk_size_gb},
        "dataDiskImages": [],
    }


def _version(call: Call, name: str) -> dict[str, Any]:
    publisher, offer, sku = _sku(call)
    location = call.names["location"]
    place = f"/Subscriptions/{call.subscription}/Providers/Microsoft.Compute/Locations/{location}"
    artifact = f"Publishers/{publisher}/ArtifactTypes/VMImage/Offers/{offer}/Skus/{sku}/Versions/{name}"
    return {"location": location, "name": name, "id": f"{place}/{artifact}"}


def _sku(call: Call) -> tuple[str, str, str]:
    return call.names["publisher"], call.names["offer"], call.names["sku"]


def _is_descending(call: Call) -> bool:
    return call.request.query.get("$orderby", "").lower().endswith("desc")
