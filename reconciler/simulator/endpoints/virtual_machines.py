"""Instances of Flexible scale sets, as virtual machines in their resource group.

The machines are read-only. A filter selects the machines of one scale set:

    GET .../virtualMachines?$filter='virtualMachineScaleSet/id' eq '<id>'&$expand=instanceView

This cloud has no other virtual machines.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from reconciler.simulator import errors
from reconciler.simulator.endpoints.call import Call, Reply, etag_header, next_link, page
from reconciler.simulator.instance import Instance
from reconciler.simulator.scale_set import ScaleSet
from reconciler.simulator.views import Detail, instance_view, virtual_machine

# Clients write the id with and without quotes, like the documentation.
OF_SCALE_SET = re.compile(r"\s*'?virtualMachineScaleSet/id'?\s+eq\s+'?([^']+?)'?\s*", re.I)


def in_subscription(call: Call) -> Reply:
    return _list(call, call.cloud.scale_sets(call.subscription), uppercase_group=True)


def in_group(call: Call) -> Reply:
    group = call.cloud.group(call.subscription, call.names["group"])
    return _list(call, group.scale_sets.values(), uppercase_group=False)


def get(call: Call) -> Reply:
    machine = _machine(call)
    body = virtual_machine(machine, _detail(call))
    return Reply(200, body, etag_header(call, machine.etag) if "etag" in body else {})


def view(call: Call) -> Reply:
    return Reply(200, instance_view(_machine(call), Detail(call.request.version)))


def _list(call: Call, scale_sets: Iterable[ScaleSet], *, uppercase_group: bool) -> Reply:
    rows = page(call)
    found = list(islice(_machines(call, scale_sets), rows.start, rows.stop + 1))
    detail, size = _detail(call), rows.stop - rows.start
    body: dict[str, Any] = {
        "value": [virtual_machine(each, detail, uppercase_group=uppercase_group) for each in found[:size]]
    }
    if len(found) > size:
        body["nextLink"] = next_link(call, rows.stop)
    return Reply(200, body, pretty=not uppercase_group, gathered=uppercase_group)


def _machines(call: Call, scale_sets: Iterable[ScaleSet]) -> Iterator[Instance]:
    wanted = call.request.query.get("$filter", "")
    match = OF_SCALE_SET.fullmatch(wanted)
    if wanted and match is None:
        # Azure's own text was not found.
        raise errors.invalid(f"The filter '{wanted}' is not supported.", "$filter")
    if match is None and call.expands("instanceView"):
        # The need for the filter is documented; the text is not.
        raise errors.invalid("$expand=instanceView needs a $filter on virtualMachineScaleSet/id.", "$expand")
    owner = match.group(1).lower() if match else None
    for scale_set in scale_sets:
        if scale_set.is_flexible and owner in (None, scale_set.id.lower()):
            yield from scale_set.instances.values()


def _machine(call: Call) -> Instance:
    group, wanted = call.cloud.group(call.subscription, call.names["group"]), call.names["name"].lower()
    owners = (each for each in group.scale_sets.values() if each.is_flexible)
    for instance in (instance for owner in owners for instance in owner.instances.values()):
        if instance.id.lower() == wanted:
            return instance
    raise errors.no_virtual_machine(call.names["group"], call.names["name"])


def _detail(call: Call) -> Detail:
    return Detail(call.request.version, view=call.expands("instanceView"))
