"""How a scale set grows and shrinks: who comes, and who goes.

A set that overprovisions creates some more instances than it was asked for, and lets as many go again once
those it keeps are there; their ids are never given again, so ids have gaps. How many more Azure creates is
not told: sets of two were recorded with the ids 0 and 3, so it is at least two. Which ones it keeps is not
known either; here the choice is arbitrary, and the same in every run.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from math import ceil
from typing import TYPE_CHECKING

from reconciler.simulator.domains import guid
from reconciler.simulator.instance import Instance
from reconciler.simulator.operations import Operation

if TYPE_CHECKING:
    from reconciler.simulator.scale_set import ScaleSet

SURPLUS = "overprovisioned instances"


def grow(scale_set: ScaleSet, count: int, operation: Operation) -> None:
    """Create `count` instances that stay, on the model of this moment."""
    extra = surplus_of(count) if scale_set.overprovisions else 0
    born = [scale_set.add_instance() for _ in range(count + extra)]
    for instance in born:
        instance.note_creation()
    if not extra:
        for instance in born:
            instance.send("create", cause="create", operation=operation)
        return
    order = sorted(born, key=lambda each: guid("surplus", scale_set.id, each.number))
    scale_set.surplus.update(each.id for each in order[:extra])
    operation.expect(SURPLUS)
    arrivals = _apart(operation)
    departures = _apart(operation)

    def let_go(_: Operation) -> None:
        for instance in order[:extra]:
            instance.send("delete", cause="overprovision", operation=departures)

    def end(_: Operation) -> None:
        scale_set.surplus.difference_update(each.id for each in order[:extra])
        operation.done(SURPLUS, arrivals.error)

    arrivals.when_ended.append(let_go)
    departures.when_ended.append(end)
    kept = set(order[extra:])
    for instance in born:
        instance.send("create", cause="create", operation=arrivals if instance in kept else None)


def surplus_of(count: int) -> int:
    """A fifth, and two at least.

    >>> surplus_of(1), surplus_of(20)
    (2, 4)
    """
    return max(2, ceil(count / 5))


def leaving(scale_set: ScaleSet, staying: Sequence[Instance], count: int) -> list[Instance]:
    """Who goes by Azure's default policy, first to last; fewer than `count` if the others are protected.

    Zones are kept in balance first, then fault domains; then the highest id goes, in a Flexible set the
    oldest instance.
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


def _apart(operation: Operation) -> Operation:
    """A part of an operation that clients do not see."""
    return Operation(
        "", "part", operation.subscription, operation.location, operation.started, operation.clock
    )
