"""Resources of all types, as Resource Manager lists them: scale sets, and machines of Flexible scale sets.

    GET .../resources?$filter=resourceType eq 'Microsoft.Compute/virtualMachineScaleSets' and name eq 'web'

A filter is one comparison, or several joined with `and`. Any other filter gets the documented error.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from reconciler.simulator import errors
from reconciler.simulator.endpoints.call import Call, Reply, next_link, page
from reconciler.simulator.scale_set import ScaleSet
from reconciler.simulator.views import machine_id, resource_id

COMPARISON = re.compile(r"\s*(\w+)\s+(eq|ne)\s+'([^']*)'\s*", re.I)
AND = re.compile(r"\s+and\s+", re.I)


def in_subscription(call: Call) -> Reply:
    return _list(call, call.cloud.scale_sets(call.subscription))


def in_group(call: Call) -> Reply:
    group = call.cloud.group(call.subscription, call.names["group"])
    return _list(call, group.scale_sets.values())


def _list(call: Call, scale_sets: Iterable[ScaleSet]) -> Reply:
    comparisons = _comparisons(call.request.query.get("$filter", ""))
    found = [
        each
        for scale_set in scale_sets
        for each in _resources(scale_set)
        if all((value in _values(each, name)) is is_equal for name, is_equal, value in comparisons)
    ]
    top = call.request.query.get("$top", "")
    found = found[: int(top) if top.isdecimal() else None]
    rows = page(call)
    body: dict[str, Any] = {"value": found[rows]}
    if len(found) > rows.stop:
        body["nextLink"] = next_link(call, rows.stop)
    return Reply(200, body, gateway=True)


def _comparisons(text: str) -> list[tuple[str, bool, str]]:
    """Return the comparisons in a filter: the field, whether the operator is `eq`, and the value.

    Fields and values are in lower case.
    """
    if not text.strip():
        return []
    matches = [COMPARISON.fullmatch(part) for part in AND.split(text)]
    if any(match is None or match[1].lower() not in VALUES for match in matches):
        message = f"Invalid $filter '{text}' specified in the query string."
        raise errors.ArmError(400, "InvalidFilterInQueryString", message, gateway=True)
    return [(match[1].lower(), match[2].lower() == "eq", match[3].lower()) for match in matches if match]


def _values(resource: Mapping[str, Any], name: str) -> set[str]:
    return {str(value).lower() for value in VALUES[name](resource)}


# The fields of a resource that a filter can name, with their values.
VALUES = {
    "resourcetype": lambda each: [each["type"]],
    "name": lambda each: [each["name"]],
    "resourcegroup": lambda each: [each["id"].split("/")[4]],
    "location": lambda each: [each["location"]],
    "tagname": lambda each: list(each.get("tags") or {}),
    "tagvalue": lambda each: list((each.get("tags") or {}).values()),
}


def _resources(scale_set: ScaleSet) -> Iterator[dict[str, Any]]:
    body = scale_set.body
    tags = {} if body.get("tags") is None else {"tags": body["tags"]}
    yield {
        "id": resource_id(scale_set),
        "name": scale_set.name,
        "type": "Microsoft.Compute/virtualMachineScaleSets",
        "sku": {**body["sku"], "capacity": scale_set.capacity},
        "location": scale_set.location,
        **{name: body[name] for name in ("zones", "identity", "plan") if body.get(name)},
        **tags,
    }
    if scale_set.is_flexible:
        for instance in scale_set.instances.values():
            yield {
                "id": machine_id(instance),
                "name": instance.id,
                "type": "Microsoft.Compute/virtualMachines",
                "location": scale_set.location,
                **({} if instance.domain.zone is None else {"zones": [instance.domain.zone]}),
                **tags,
            }
