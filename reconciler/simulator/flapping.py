"""Flapping health: an instance that alternates between healthy and unhealthy.

Only the health changes. The provisioning state and its timestamp stay the same. The health does not change
while the instance is not running.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from reconciler.simulator.instance import Instance
from reconciler.simulator.life import FORCED_STAGES


@dataclass(slots=True)
class Flapping:
    instance: Instance
    healthy: timedelta
    unhealthy: timedelta
    is_ended: bool = False

    def begin(self) -> None:
        """Start flapping. The instance first becomes unhealthy after the time `healthy`."""
        self.instance.owner.cloud.clock.after(self.healthy, self._fall)

    def end(self) -> None:
        """Stop flapping. The instance keeps its current health."""
        self.is_ended = True

    def _fall(self) -> None:
        if not self._is_over:
            self._turn("unhealthy")
            self.instance.owner.cloud.clock.after(self.unhealthy, self._rise)

    def _rise(self) -> None:
        if not self._is_over:
            self._turn("recover")
            self.begin()

    @property
    def _is_over(self) -> bool:
        instance = self.instance
        return self.is_ended or instance.owner.instances.get(instance.id) is not instance

    def _turn(self, name: str) -> None:
        instance = self.instance
        if instance.power == "running":
            instance.force(FORCED_STAGES[name], name)
