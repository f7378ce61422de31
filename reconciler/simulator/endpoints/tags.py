"""The tags of a scale set or a resource group, as a separate Resource Manager resource.

    PATCH .../virtualMachineScaleSets/web/providers/Microsoft.Resources/tags/default
    {"operation": "Merge", "properties": {"tags": {"team": "web"}}}

PUT, GET and DELETE follow recorded traffic. PATCH follows the documentation. Writing the tags of a scale set
here has the same effect as a PATCH of the scale set. A resource group does not pass its tags on to its
resources.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from reconciler.simulator import errors
from reconciler.simulator.amend import amended_body, apply_body
from reconciler.simulator.cloud import Group
from reconciler.simulator.endpoints.call import Call, Reply, require_steady
from reconciler.simulator.scale_set import ScaleSet

Tags = Mapping[str, str]


def _merge(tags: Tags, wanted: Tags) -> dict[str, str]:
    """Merge the tags. Azure treats names that differ only in case as the same."""
    wanted_names = {name.lower() for name in wanted}
    return {**{name: value for name, value in tags.items() if name.lower() not in wanted_names}, **wanted}


def _replace(_: Tags, wanted: Tags) -> dict[str, str]:
    return dict(wanted)


def _delete(tags: Tags, wanted: Tags) -> dict[str, str]:
    values = {name.lower(): value for name, value in wanted.items()}
    return {name: value for name, value in tags.items() if values.get(name.lower()) != value}


OPERATIONS: Mapping[str, Callable[[Tags, Tags], dict[str, str]]] = {
    "merge": _merge,
    "replace": _replace,
    "delete": _delete,
}


def get(call: Call) -> Reply:
    return _show(call, call.scale_set() if "name" in call.names else _group(call))


def put(call: Call) -> Reply:
    return _change(call, _replace)


def patch(call: Call) -> Reply:
    change = OPERATIONS.get(str(call.request.json().get("operation")).lower())
    if change is None:
        raise errors.bad_value("operation")
    return _change(call, change)


def delete(call: Call) -> Reply:
    _write(_steady(call), {})
    return Reply(200, gateway=True)


def _group(call: Call) -> Group:
    return call.cloud.group(call.subscription, call.names["group"])


def _steady(call: Call) -> ScaleSet | Group:
    """Return the scale set or resource group that the path names.

    Raises Azure's 404 if the resource does not exist, or Azure's 409 if it currently accepts no writes.
    """
    return require_steady(call) if "name" in call.names else _group(call)


def _change(call: Call, change: Callable[[Tags, Tags], dict[str, str]]) -> Reply:
    resource = _steady(call)
    wanted = (call.request.json().get("properties") or {}).get("tags")
    if not isinstance(wanted, Mapping):
        raise errors.missing_parameter("properties.tags")
    _write(resource, change(_tags_of(resource), wanted))
    return _show(call, resource)


def _tags_of(resource: ScaleSet | Group) -> Tags:
    return resource.tags if isinstance(resource, Group) else resource.body.get("tags") or {}


def _write(resource: ScaleSet | Group, tags: Tags) -> None:
    if isinstance(resource, Group):
        resource.tags = tags
        return
    dropped = dict.fromkeys(name for name in _tags_of(resource) if name not in tags)
    apply_body(resource, amended_body(resource, {"tags": {**dropped, **tags}}, whole=False), kind="patch")


def _show(call: Call, resource: ScaleSet | Group) -> Reply:
    if isinstance(resource, Group):
        id_ = f"/subscriptions/{call.subscription}/resourceGroups/{resource.name}"
    else:
        id_ = resource.id
    body = {
        "id": f"{id_}/providers/Microsoft.Resources/tags/default",
        "name": "default",
        "type": "Microsoft.Resources/tags",
        "properties": {"tags": dict(_tags_of(resource))},
    }
    return Reply(200, body, gateway=True)
