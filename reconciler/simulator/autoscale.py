"""An autoscaler that changes the capacity of a scale set at fixed intervals.

It adds one instance at a time up to its maximum, and then removes one at a time down to its minimum. The
changes are therefore the same in every run. If Azure rejects a change, the autoscaler tries again after the
next interval.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from reconciler.simulator.amend import amended_body, apply_body
from reconciler.simulator.errors import ArmError
from reconciler.simulator.scale_set import ScaleSet


@dataclass(slots=True)
class Autoscale:
    scale_set: ScaleSet
    minimum: int
    maximum: int
    every: timedelta
    is_growing: bool = True

    def begin(self) -> None:
        """Schedule the first change to the capacity. Each change schedules the next."""
        self.scale_set.cloud.clock.after(self.every, self._act)

    def _act(self) -> None:
        if self.scale_set.is_deleting:
            return
        capacity = self.scale_set.capacity
        if not self.minimum < capacity < self.maximum:
            self.is_growing = capacity <= self.minimum
        self._scale(capacity + (1 if self.is_growing else -1))
        self.begin()

    def _scale(self, capacity: int) -> None:
        wanted = min(self.maximum, max(self.minimum, capacity))
        change = {"sku": {"capacity": wanted}}
        try:
            apply_body(self.scale_set, amended_body(self.scale_set, change, whole=False), kind="autoscale")
        except ArmError:
            return
