"""The extensions in the model of a scale set, as separate resources.

Writing an extension changes the model, so afterwards no instance is on the latest model. The operation is the
same as for a write to the scale set. The resource shows empty settings if the model has none. The responses
to creating, reading and deleting an extension follow recorded traffic, and so does the error for a missing
extension. The responses to changing and listing extensions are modelled by analogy.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reconciler.simulator import errors
from reconciler.simulator.amend import amended_body, apply_body
from reconciler.simulator.defaults import complete_extension
from reconciler.simulator.endpoints.call import Call, Reply, accept, accept_write, require_steady
from reconciler.simulator.merge import merge
from reconciler.simulator.operations import Operation
from reconciler.simulator.scale_set import ScaleSet

TYPE = "Microsoft.Compute/virtualMachineScaleSets/extensions"


def list_extensions(call: Call) -> Reply:
    scale_set = call.scale_set()
    state = scale_set.provisioning
    return Reply(200, {"value": [_resource(scale_set, each, state) for each in _extensions(scale_set)]})


def get(call: Call) -> Reply:
    scale_set = call.scale_set()
    return Reply(200, _resource(scale_set, _find(call, scale_set), scale_set.provisioning))


def put(call: Call) -> Reply:
    scale_set = require_steady(call)
    is_there = any(_is_called(call, each) for each in _extensions(scale_set))
    wanted = {"name": call.names["extension"], "properties": call.request.json().get("properties") or {}}
    return _write(call, scale_set, wanted, status=200 if is_there else 201)


def patch(call: Call) -> Reply:
    scale_set = require_steady(call)
    change = {"properties": call.request.json().get("properties") or {}}
    return _write(call, scale_set, merge(_find(call, scale_set), change), status=200)


def delete(call: Call) -> Reply:
    scale_set = require_steady(call)
    kept = [each for each in _extensions(scale_set) if not _is_called(call, each)]
    if len(kept) == len(_extensions(scale_set)):
        return Reply(204)
    operation = _change(scale_set, kept)
    return accept(call, operation, charge=operation.waits_for(scale_set.instances.keys()))


def _write(call: Call, scale_set: ScaleSet, wanted: Mapping[str, Any], *, status: int) -> Reply:
    found = _extensions(scale_set)
    if status == 201:
        found = [*found, wanted]
    else:
        found = [wanted if _is_called(call, each) else each for each in found]
    operation = _change(scale_set, found)
    state = "Creating" if status == 201 else "Updating"
    body = _resource(scale_set, complete_extension(wanted), state)
    charge = operation.waits_for(scale_set.instances.keys())
    return accept_write(call, operation, body, number=None, charge=charge, status=status)


def _change(scale_set: ScaleSet, extensions: list[Mapping[str, Any]]) -> Operation:
    profile = {"extensionProfile": {"extensions": extensions}}
    body = amended_body(scale_set, {"properties": {"virtualMachineProfile": profile}}, whole=False)
    return apply_body(scale_set, body, kind="patch")


def _extensions(scale_set: ScaleSet) -> list[Mapping[str, Any]]:
    return list((scale_set.profile.get("extensionProfile") or {}).get("extensions") or [])


def _find(call: Call, scale_set: ScaleSet) -> Mapping[str, Any]:
    found = next((each for each in _extensions(scale_set) if _is_called(call, each)), None)
    if found is None:
        raise errors.no_entity()
    return found


def _is_called(call: Call, extension: Mapping[str, Any]) -> bool:
    return str(extension["name"]).lower() == call.names["extension"].lower()


def _resource(scale_set: ScaleSet, extension: Mapping[str, Any], state: str) -> dict[str, Any]:
    return {
        "name": extension["name"],
        "id": f"{scale_set.id}/extensions/{extension['name']}",
        "type": TYPE,
        "properties": {"provisioningState": state, "settings": {}, **extension["properties"]},
    }
