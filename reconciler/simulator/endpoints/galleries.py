"""Image versions in private, shared and community galleries.

A private gallery looks the same from all regions, and shows which regions have a copy. Shared and community
galleries are read per region, and show only the versions in that region. No recording shows the response for
a version that the region does not have. The simulator sends Resource Manager's usual response for a missing
resource.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from reconciler.simulator import errors
from reconciler.simulator.catalogue import Details
from reconciler.simulator.endpoints.call import Call, Reply
from reconciler.simulator.regions import display, region

# The kinds of galleries that are read by region, as unique ids spell them.
BY_REGION: Mapping[str, str] = {
    "sharedgalleries": "SharedGalleries",
    "communitygalleries": "CommunityGalleries",
}


def versions(call: Call) -> Reply:
    definition = call.request.path.split("/versions")[0]
    found = call.cloud.catalogue.gallery_versions(definition)
    if not found:
        raise _no_resource(call, definition)
    return Reply(200, {"value": [_version(call, name) for name in found]})


def version(call: Call) -> Reply:
    """Return one version. A request for `latest` gets a 404, because no version has that name."""
    return Reply(200, _version(call, _first_spelling(call, call.request.path)))


def regional_versions(call: Call) -> Reply:
    catalogue = call.cloud.catalogue
    found = _here(call, catalogue.gallery_versions(_regional_definition(call)))
    return Reply(200, {"value": [_regional_version(call, name) for name in found]})


def regional_version(call: Call) -> Reply:
    name = _first_spelling(call, f"{_regional_definition(call)}/versions/{call.names['version']}")
    if not _here(call, [name]):
        raise _no_resource(call, call.request.path)
    return Reply(200, _regional_version(call, name))


def definition(call: Call) -> Reply:
    """Return an image definition, with the properties of the newest version."""
    name, details = _definition(call, call.request.path)
    return Reply(
        200,
        {
            "name": name.rpartition("/")[2],
            "id": name,
            "type": "Microsoft.Compute/galleries/images",
            "location": call.cloud.catalogue.location,
            "tags": {},
            "properties": {**_common(name, details), "provisioningState": "Succeeded"},
        },
    )


def regional_definition(call: Call) -> Reply:
    name, details = _definition(call, _regional_definition(call))
    _, kind, gallery, _, image = name.split("/")
    return Reply(
        200,
        {
            "name": image,
            "location": region(call.names["location"]),
            "identifier": {"uniqueId": f"/{BY_REGION[kind.lower()]}/{gallery}/Images/{image}"},
            "properties": _common(name, details),
        },
    )


def _definition(call: Call, name: str) -> tuple[str, Details]:
    """Return the name of a definition as first written, and the details of its newest version.

    Raises Azure's 404 if the definition does not exist.
    """
    found = call.cloud.catalogue.gallery_versions(name.rstrip("/"))
    if not found:
        raise _no_resource(call, name)
    return found[-1].rsplit("/", 2)[0], call.cloud.catalogue.details(found[-1])


def _common(name: str, details: Details) -> dict[str, Any]:
    plan = details.plan
    return {
        "hyperVGeneration": details.generation,
        "architecture": details.architecture,
        "features": details.features,
        "osType": "Linux",
        "osState": "Generalized",
        "identifier": {"publisher": "Simulated", "offer": name.rpartition("/")[2], "sku": "base"},
        **({"purchasePlan": dict(plan)} if plan else {}),
    }


def _version(call: Call, name: str) -> dict[str, Any]:
    details = call.cloud.catalogue.details(name)
    targets = _targets(call, details)
    publishing = {
        "targetRegions": [
            {"name": display(each), "regionalReplicaCount": 1, "storageAccountType": "Standard_LRS"}
            for each in targets
        ],
        "replicaCount": 1,
        "excludeFromLatest": details.exclude_from_latest,
        "publishedDate": details.published.isoformat(),
        "storageAccountType": "Standard_LRS",
    }
    properties: dict[str, Any] = {
        "publishingProfile": publishing,
        "provisioningState": _provisioning(details, targets),
        "storageProfile": {"osDiskImage": {"sizeInGB": details.disk_size_gb, "hostCaching": "ReadWrite"}},
        "safetyProfile": {"allowDeletionOfReplicatedLocations": True, "reportedForPolicyViolation": False},
    }
    if "replicationstatus" in call.request.query.get("$expand", "").lower():
        properties["replicationStatus"] = {
            "aggregatedState": "InProgress" if details.replicating else "Completed",
            "summary": [_copy(each, details) for each in targets],
        }
    return {
        "name": name.rpartition("/")[2],
        "id": name,
        "type": "Microsoft.Compute/galleries/images/versions",
        "location": targets[0],
        "tags": {},
        "properties": properties,
    }


def _targets(call: Call, details: Details) -> list[str]:
    """Return the target regions of the image. By default, these are all regions of the fleet."""
    regions = call.cloud.regions() if details.regions is None else details.regions
    return list(dict.fromkeys((*regions, *details.replicating))) or [call.cloud.catalogue.location]


def _provisioning(details: Details, targets: Iterable[str]) -> str:
    """Return Creating until the first copy exists, Updating until all copies exist, and then Succeeded.

    The first two states have not been recorded.
    """
    if not details.replicating:
        return "Succeeded"
    return "Updating" if any(details.is_in(each) for each in targets) else "Creating"


def _copy(location: str, details: Details) -> dict[str, Any]:
    """Return the replication status of an image in a region.

    Unlike in Azure, the progress stays at 50 until the copy exists.
    """
    is_there = details.is_in(location)
    return {
        "region": display(location),
        "state": "Completed" if is_there else "Replicating",
        "details": "",
        "progress": 100 if is_there else 50,
    }


def _regional_version(call: Call, name: str) -> dict[str, Any]:
    details = call.cloud.catalogue.details(name)
    _, kind, gallery, _, image, _, found = name.split("/")
    return {
        "name": found,
        "location": region(call.names["location"]),
        "identifier": {"uniqueId": f"/{BY_REGION[kind.lower()]}/{gallery}/Images/{image}/Versions/{found}"},
        "properties": {
            "publishedDate": details.published.isoformat(),
            "excludeFromLatest": details.exclude_from_latest,
            "storageProfile": {
                "osDiskImage": {"diskSizeGB": details.disk_size_gb, "hostCaching": "ReadWrite"}
            },
        },
    }


def _regional_definition(call: Call) -> str:
    kind = call.request.path.split("/")[7]
    return f"/{kind}/{call.names['gallery']}/images/{call.names['image']}"


def _here(call: Call, names: Iterable[str]) -> list[str]:
    location = region(call.names["location"])
    return [name for name in names if call.cloud.catalogue.details(name).is_in(location)]


def _first_spelling(call: Call, name: str) -> str:
    """Return the image name as first written. Raises Azure's 404 if the image does not exist."""
    found = call.cloud.catalogue.ids.get(name.rstrip("/").lower())
    if found is None:
        raise _no_resource(call, name)
    return found


def _no_resource(call: Call, resource_id: str) -> errors.ArmError:
    name = resource_id.rpartition("/providers/")[2]
    group = call.names.get("group", "")
    message = (
        f"The Resource '{name}' under resource group '{group}' was not found. For more "
        "details please go to https://aka.ms/ARMResourceNotFoundFix"
    )
    return errors.ArmError(404, "ResourceNotFound", message, gateway=True)
