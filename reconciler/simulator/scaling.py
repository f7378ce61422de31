"""Scaling: which instances are created and which are deleted.

A scale set that overprovisions creates more instances than requested, and deletes the surplus once the other
instances have been created. Ids are never reused, so they have gaps. Azure does not document the size of the
surplus. Scale sets of two instances were recorded with the ids 0 and 3, so the surplus is at least two. It is
also not known which instances Azure keeps. The simulator's choice is arbitrary, but the same in each run.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import islice
from math import ceil

from reconciler.simulator import errors
from reconciler.simulator.domains import guid
from reconciler.simulator.instance import Instance
from reconciler.simulator.operations import Operation
from reconciler.simulator.scale_set import ScaleSet

SURPLUS = "overprovisioned instances"


def scale(scale_set: ScaleSet, capacity: int, operation: Operation) -> None:
    """Create or delete instances until there are `capacity` of them, as far as protection allows.

    If there is a surplus, the etag changes a second time once the surplus has been deleted. Recordings of
    Azure show cases with and without a second change.
    """
    if operation.is_lost:
        return
    staying = [
        each
        for each in scale_set.instances.values()
        if each.provisioning != "deleting" and each.id not in scale_set.surplus
    ]
    if (wanted := scale_set.allocatable(capacity)) > len(staying):
        _grow(scale_set, wanted - len(staying), operation)
    if wanted < capacity:
        operation.complete("capacity", errors.allocation_failed())
    for instance in _leaving(scale_set, staying, len(staying) - capacity):
        instance.run("delete", cause="delete", operation=operation)
    scale_set.capacity = capacity
    if scale_set.surplus:
        operation.when_ended.append(lambda _: scale_set.bump())


def _grow(scale_set: ScaleSet, count: int, operation: Operation) -> None:
    """Create `count` instances on the current model, and a surplus if the scale set overprovisions."""
    extra = surplus_size(count) if scale_set.overprovisions else 0
    created = [scale_set.add_instance(slot) for slot in islice(scale_set.free_slots(), count + extra)]
    for instance in created:
        instance.note_creation()
    surplus = set(sorted(created, key=lambda each: guid("surplus", scale_set.id, each.number))[:extra])
    arrivals = _schedule_surplus_removal(scale_set, surplus, operation) if surplus else operation
    for instance in created:
        instance.run("create", cause="create", operation=None if instance in surplus else arrivals)


def _schedule_surplus_removal(scale_set: ScaleSet, surplus: set[Instance], operation: Operation) -> Operation:
    """Delete the surplus once the other instances have been created, and then complete `operation`.

    Returns an internal operation for the creation of the other instances.
    """
    arrivals, departures = _sub_operation(operation), _sub_operation(operation)
    ids = {each.id for each in surplus}
    scale_set.surplus |= ids
    operation.expect(SURPLUS)

    def end(_: Operation) -> None:
        scale_set.surplus -= ids
        operation.complete(SURPLUS, arrivals.error)

    def delete_surplus(_: Operation) -> None:
        present = [each for each in surplus if each.id in scale_set.instances]
        left = [each for each in present if each.provisioning != "deleting"]
        for instance in sorted(left, key=lambda each: each.number):
            instance.run("delete", cause="overprovision", operation=departures)
        if not left:
            end(departures)

    arrivals.when_ended.append(delete_surplus)
    departures.when_ended.append(end)
    return arrivals


def surplus_size(count: int) -> int:
    """Return the size of the surplus: a fifth of `count`, but at least two.

    >>> surplus_size(1), surplus_size(20)
    (2, 4)
    """
    return max(2, ceil(count / 5))


def _leaving(scale_set: ScaleSet, staying: Sequence[Instance], count: int) -> list[Instance]:
    """Choose the instances to delete according to Azure's default policy.

    The policy balances zones first, then fault domains. Among the remaining candidates, it chooses the
    highest id or, in a Flexible scale set, the oldest instance. If too many instances are protected, fewer
    than `count` are chosen.
    """
    zones = Counter(each.domain.zone for each in staying)
    racks = Counter((each.domain.zone, each.domain.fault_domain) for each in staying)
    free = {each for each in staying if not (each.protected or each.protected_from_scale_in)}
    age = -1 if scale_set.is_flexible else 1
    gone: list[Instance] = []
    while free and len(gone) < count:
        chosen = max(
            free,
            key=lambda each: (
                zones[each.domain.zone],
                racks[each.domain.zone, each.domain.fault_domain],
                age * each.number,
            ),
        )
        free.remove(chosen)
        zones[chosen.domain.zone] -= 1
        racks[chosen.domain.zone, chosen.domain.fault_domain] -= 1
        gone.append(chosen)
    return gone


def _sub_operation(operation: Operation) -> Operation:
    """Create an operation for a part of `operation`. Clients cannot see the new operation."""
    return Operation(
        "", "part", operation.subscription, operation.location, operation.started, operation.clock
    )
