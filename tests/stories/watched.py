"""What the record of the simulator cannot tell by itself: what was declared when, and how other scale sets stood.

A world has it beside the record, for the invariants that go by it.
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

MOST = 40  # scale sets in a fleet; of a larger one only a story of its own knows what to look for


class Watched(Simulator):
    """Notes how all scale sets stand when one is written, and one when its instances are listed.

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
    """Tells what is in force for one daemon, whenever it finds that out."""

    def __init__(
        self, source: Source, now: Callable[[], datetime], note: Callable[[tuple[ScaleSet, ...]], None]
    ) -> None:
        super().__init__(source, now)
        self._note = note
        self._noted: tuple[ScaleSet, ...] | None = None

    def refresh(self) -> None:
        super().refresh()
        if self.scale_sets != self._noted:
            self._noted = self.scale_sets
            self._note(self.scale_sets)
