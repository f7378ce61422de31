"""Managed images that the fleet declares, and managed images that clients create from virtual machines.

The source machine is not looked up, because a fleet has no machines except those of Flexible scale sets. A
created image has the default disk size.
"""

from __future__ import annotations

from typing import Any

from reconciler.simulator import errors
from reconciler.simulator.cloud import Capture
from reconciler.simulator.endpoints.call import Call, Reply, accept_write

DISK = {"caching": "ReadWrite", "storageAccountType": "Premium_LRS"}


def get(call: Call) -> Reply:
    """Return the image. The location of an image is the first of its declared regions."""
    name = call.cloud.catalogue.ids.get(call.request.path.rstrip("/").lower())
    if name is None:
        raise errors.no_resource(call.names["group"], f"images/{call.names['image']}")
    return Reply(200, _view(call, name))


def put(call: Call) -> Reply:
    group = call.cloud.group(call.subscription, call.names["group"])
    body = call.request.json()
    source = ((body.get("properties") or {}).get("sourceVirtualMachine") or {}).get("id")
    if source is None:
        # Images from a blob, a disk or a snapshot cannot be created here.
        raise errors.missing_parameter("sourceVirtualMachine")
    location = str(body.get("location", group.location))
    name = call.request.path.rstrip("/")
    is_new = name.lower() not in call.cloud.catalogue.ids
    operation = call.cloud.operations.start("image", call.subscription, location)
    operation.wait("itself", call.cloud.timings.model)
    generation = (body.get("properties") or {}).get("hyperVGeneration", "V1")
    call.cloud.catalogue.publish(name, regions=[location], generation=generation)
    call.cloud.captures[name.lower()] = Capture(source, body.get("tags") or {}, operation)
    status = 201 if is_new else 200
    return accept_write(call, operation, _view(call, name), number=None, charge=None, status=status)


def _view(call: Call, name: str) -> dict[str, Any]:
    details = call.cloud.catalogue.details(name)
    capture = call.cloud.captures.get(name.lower())
    disk: dict[str, Any] = {"osType": "Linux", "osState": "Generalized"}
    is_made = capture is None or not capture.operation.is_running
    disk |= {"diskSizeGB": details.disk_size_gb} if is_made else {}
    properties: dict[str, Any] = {}
    if capture is None:
        storage: dict[str, Any] = {"osDisk": disk, "dataDisks": [], "zoneResilient": False}
    else:
        properties["sourceVirtualMachine"] = {"id": capture.source}
        machine = capture.source.rpartition("/")[2]
        disk_id = f"{name.partition('/images/')[0]}/disks/{machine}_OsDisk_1"
        storage = {"osDisk": {**disk, **DISK, "managedDisk": {"id": disk_id}}, "dataDisks": []}
    return {
        "name": name.rpartition("/")[2],
        "id": name,
        "type": "Microsoft.Compute/images",
        "location": details.regions[0] if details.regions else call.cloud.catalogue.location,
        "tags": dict(capture.tags) if capture else {},
        "properties": {
            **properties,
            "storageProfile": storage,
            "provisioningState": "Succeeded" if is_made else "Creating",
            "hyperVGeneration": details.generation,
        },
    }
