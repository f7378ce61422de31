"""What the record of the simulator lacks: what was declared when, and the states of other scale sets.

A world keeps it beside the record, for the invariants that need it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime

from reconciler.daemon.specs import Source, Specs
from reconciler.simulator import Simulator
from reconciler.simulator.clock import Clock
from reconciler.simulator.message import Request, Response
from reconciler.simulator.record import ScaleSetSnapshot
from reconciler.spec.scale_set import ScaleSet
from reconciler.spec.shard import Shard

MOST = 40  # scale sets in a fleet whose scenes are kept; a story of a larger one checks what it is about


class Watched(Simulator):
    """Records the state of all scale sets at each write, and of one when its instances are listed.

    `scenes` has these by the number of the request in the record, and then by subscription/group/name.
    """

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self.scenes: dict[int, Mapping[str, ScaleSetSnapshot]] = {}

    def handle(self, request: Request) -> Response:
        if request.method != "GET" or "/virtualmachines" in request.path.lower():
            with self.clock.hold():
                found = dict(self._scenes(request))
            self.scenes[len(self.record.requests)] = found
        return super().handle(request)

    def _scenes(self, request: Request) -> Iterator[tuple[str, ScaleSetSnapshot]]:
        scale_sets = [
            each
            for groups in self.cloud.groups.values()
            for group in groups.values()
            for each in group.scale_sets.values()
        ]
        if not 1 < len(scale_sets) <= MOST:
            return
        asked = f"{request.path} {request.query.get('$filter', '')}/".lower()
        for each in scale_sets:
            if request.method != "GET" or f"/virtualmachinescalesets/{each.name.lower()}/" in asked.replace(
                "'", "/"
            ):
                yield f"{each.subscription}/{each.group}/{each.name}".lower(), each.snapshot


class NotedSpecs(Specs):
    """Specs that report what is in force for one daemon whenever that changes."""

    def __init__(
        self,
        source: Source,
        now: Callable[[], datetime],
        note: Callable[[tuple[ScaleSet, ...]], None],
        shard: Shard | None = None,
    ) -> None:
        super().__init__(source, now, shard=shard)
        self._note = note
        self._noted: tuple[ScaleSet, ...] | None = None

    def refresh(self) -> None:
        super().refresh()
        if self.scale_sets != self._noted:
            self._noted = self.scale_sets
            self._note(self.scale_sets)
