"""The scale sets that must exist for a recorded response.

A cassette often begins after a scale set was created, or omits its creation. Such a scale set is created from
its next complete response, as if a client had sent that. Its defaults, its instances and its etag are
therefore the simulator's own.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from tests.recorded.cassette import Interaction
from tests.recorded.images import SOME_IMAGE
from tests.recorded.world import CREATED, REFUSED, SET, SETS, all_ids, rows_of, scale_sets

INSTANCES = f"{SETS}/virtualmachines"
CONFLICT = 409
READ_ONLY = ("provisioningState", "uniqueId", "timeCreated")
# Fields that instances show as their model has them.
SHARED = ("priority", "evictionPolicy", "billingProfile", "licenseType", "securityProfile")


def missing_sets(interaction: Interaction, rest: Iterable[Interaction]) -> Iterator[Mapping[str, Any]]:
    """Yield the scale sets that must exist for the response, as the rest of the cassette shows them."""
    if interaction.status == CREATED or (interaction.status >= REFUSED and interaction.status != CONFLICT):
        return
    match = SET.match(interaction.path)
    if match is None:
        return
    rest = list(rest)
    own = match["id"].lower()
    rows = (row for each in rest for row in scale_sets(each.answer) if row["id"].lower() == own)
    found = list(rows)
    yield found[0] if found else _guess(match["id"], rest)


def body_of(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the body that a client would have sent to create this scale set."""
    properties = {name: value for name, value in row["properties"].items() if name not in READ_ONLY}
    kept = ("location", "tags", "zones", "identity", "plan", "sku")
    return {**{name: row[name] for name in kept if name in row}, "properties": properties}


def _guess(resource_id: str, rest: Iterable[Interaction]) -> Mapping[str, Any]:
    """Return a scale set of which only instances are recorded."""
    rest = list(rest)
    rows = (
        row for each in rest for row in rows_of(each.answer) if str(row.get("type", "")).lower() == INSTANCES
    )
    row = next(rows, {})
    properties = row.get("properties") or {}
    storage = json.loads(json.dumps(properties.get("storageProfile") or {}))
    (storage.get("imageReference") or {}).pop("exactVersion", None)
    disk = storage.setdefault("osDisk", {})
    disk.pop("name", None)
    (disk.get("managedDisk") or {}).pop("id", None)
    guest = dict(properties.get("osProfile") or {})
    guest["computerNamePrefix"] = str(guest.pop("computerName", "vm000000"))[:-6]
    extensions = [
        {"name": each["name"], "properties": each["properties"]} for each in row.get("resources") or []
    ]
    profile = {
        "storageProfile": storage if storage.get("imageReference") else {"imageReference": SOME_IMAGE},
        "osProfile": guest,
        "networkProfile": properties.get("networkProfileConfiguration") or _nics(properties),
        "extensionProfile": {"extensions": extensions},
        **{name: properties[name] for name in SHARED if name in properties},
    }
    return {
        "id": resource_id,
        "location": row.get("location", "westus"),
        "tags": row.get("tags") or {},
        "sku": {**(row.get("sku") or {"name": "Standard_DS1_v2"}), "capacity": len(set(all_ids(rest)))},
        "properties": {"virtualMachineProfile": profile, "overprovision": False},
    }


def _nics(properties: Mapping[str, Any]) -> dict[str, Any]:
    """Return NICs of which only the ids are known."""
    found = (properties.get("networkProfile") or {}).get("networkInterfaces") or []
    names = (each["id"].rpartition("/")[2] for each in found)
    nics = [{"name": name, "properties": {"ipConfigurations": [{"name": name}]}} for name in names]
    return {"networkInterfaceConfigurations": nics}
