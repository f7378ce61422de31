"""The tags of a scale set as Resource Manager's own resource, in addition to those in its body.

    PATCH .../virtualMachineScaleSets/web/providers/Microsoft.Resources/tags/default
    {"operation": "Merge", "properties": {"tags": {"team": "web"}}}

PUT, GET and DELETE are recorded. The operations of PATCH are documented. Writing tags here changes the scale
set like a PATCH of its body.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from reconciler.simulator import errors
from reconciler.simulator.amend import amended_body, apply_body
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
    return _show(call.scale_set())


def put(call: Call) -> Reply:
    return _change(call, _replace)


def patch(call: Call) -> Reply:
    change = OPERATIONS.get(str(call.request.json().get("operation")).lower())
    if change is None:
        raise errors.bad_value("operation")
    return _change(call, change)


def delete(call: Call) -> Reply:
    _write(require_steady(call), {})
    return Reply(200, gateway=True)


def _change(call: Call, change: Callable[[Tags, Tags], dict[str, str]]) -> Reply:
    scale_set = require_steady(call)
    wanted = (call.request.json().get("properties") or {}).get("tags")
    if not isinstance(wanted, Mapping):
        raise errors.missing_parameter("properties.tags")
    _write(scale_set, change(scale_set.body.get("tags") or {}, wanted))
    return _show(scale_set)


def _write(scale_set: ScaleSet, tags: Tags) -> None:
    dropped = dict.fromkeys(name for name in scale_set.body.get("tags") or {} if name not in tags)
    apply_body(scale_set, amended_body(scale_set, {"tags": {**dropped, **tags}}, whole=False), kind="patch")


def _show(scale_set: ScaleSet) -> Reply:
    body = {
        "id": f"{scale_set.id}/providers/Microsoft.Resources/tags/default",
        "name": "default",
        "type": "Microsoft.Resources/tags",
        "properties": {"tags": dict(scale_set.body.get("tags") or {})},
    }
    return Reply(200, body, gateway=True)
