"""The extension types and versions that publishers offer, as bare JSON arrays.

The arrays contain a few of the real extensions, and all extensions that the subscription's scale sets use.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from reconciler.simulator import errors
from reconciler.simulator.endpoints.call import Call, Reply

OFFERED = (
    ("Microsoft.Azure.Extensions", "CustomScript", "2.1.10"),
    ("Microsoft.Azure.Monitor", "AzureMonitorLinuxAgent", "1.33.1"),
    ("Microsoft.Azure.Monitor", "AzureMonitorWindowsAgent", "1.31.0.0"),
    ("Microsoft.Compute", "CustomScriptExtension", "1.10.18"),
    ("Microsoft.ManagedServices", "ApplicationHealthLinux", "1.0.5"),
    ("Microsoft.ManagedServices", "ApplicationHealthLinux", "2.0.18"),
    ("Microsoft.ManagedServices", "ApplicationHealthWindows", "2.0.18"),
)


def types(call: Call) -> Reply:
    names = dict.fromkeys(name for _, name, _ in _of_publisher(call))
    return Reply(200, [_entry(call, f"Types/{name}", name) for name in sorted(names)])


def versions(call: Call) -> Reply:
    kind = call.names["type"]
    found = _of_type(call)
    return Reply(200, [_entry(call, f"Types/{kind}/Versions/{version}", version) for version in found])


def version(call: Call) -> Reply:
    kind, wanted = call.names["type"], call.names["version"]
    if wanted not in _of_type(call):
        raise _not_found()
    properties = {
        "operatingSystem": "Windows" if "windows" in kind.lower() else "Linux",
        "computeRole": "IaaS",
        "vmScaleSetEnabled": True,
        "supportsMultipleExtensions": False,
        "rollbackSupported": False,
        "isJsonExtension": True,
    }
    return Reply(200, {"properties": properties, **_entry(call, f"Types/{kind}/Versions/{wanted}", wanted)})


def _of_publisher(call: Call) -> list[tuple[str, str, str]]:
    wanted = call.names["publisher"].lower()
    found = [each for each in dict.fromkeys((*OFFERED, *_in_use(call))) if each[0].lower() == wanted]
    if not found:
        raise _not_found()
    return found


def _of_type(call: Call) -> list[str]:
    wanted = call.names["type"].lower()
    found = sorted(version for _, name, version in _of_publisher(call) if name.lower() == wanted)
    if not found:
        raise _not_found()
    return found


def _in_use(call: Call) -> Iterator[tuple[str, str, str]]:
    for scale_set in call.cloud.scale_sets(call.subscription):
        for each in (scale_set.profile.get("extensionProfile") or {}).get("extensions") or []:
            properties = each["properties"]
            yield (properties["publisher"], properties["type"], f"{properties['typeHandlerVersion']}.0")


def _entry(call: Call, path: str, name: str) -> dict[str, Any]:
    location, publisher = call.names["location"], call.names["publisher"]
    location_id = f"/Subscriptions/{call.subscription}/Providers/Microsoft.Compute/Locations/{location}"
    return {
        "location": location,
        "name": name,
        "id": f"{location_id}/Publishers/{publisher}/ArtifactTypes/VMExtension/{path}",
    }


def _not_found() -> errors.ArmError:
    return errors.ArmError(404, "NotFound", "Artifact: VMExtension was not found.")
