"""Spot capacity taken back, and given back.

With the eviction policy Deallocate an instance stays in the scale set and counts in its capacity, and it does
not run: it is deallocated, or merely stopped, as users have seen. Where the scale set has a
`spotRestorePolicy` the platform tries to start it again until the policy's timeout. When capacity returns
nobody can say; here after the time that a new instance takes. With Delete the instance is gone, and capacity
goes down with it, which is not recorded.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.simulator.life import MISFORTUNES, EvictedPower
from reconciler.simulator.timings import iso_duration

if TYPE_CHECKING:
    from reconciler.simulator.instance import Instance


def evict(instance: Instance, power: EvictedPower | None = None) -> None:
    """Take its capacity back. `power` is how it is left, where that is not as the scale set has it."""
    owner = instance.owner
    if str(instance.applied.profile.get("evictionPolicy", "Deallocate")) == "Delete":
        instance.strike(MISFORTUNES["lost"], "evict")
        owner.capacity = max(0, owner.capacity - 1)
    else:
        is_stopped = (power or owner.evicted_power) == "stopped"
        instance.strike(MISFORTUNES["evict to stopped" if is_stopped else "evict"], "evict")
        _await_capacity(instance)
    owner.bump()


def _await_capacity(instance: Instance) -> None:
    owner = instance.owner
    policy = owner.body["properties"].get("spotRestorePolicy") or {}
    wait = owner.cloud.timings.create
    evicted, power = instance.changed, instance.power

    def restore() -> None:
        is_as_left = instance.power == power and instance.changed == evicted
        if is_as_left and owner.instances.get(instance.id) is instance:
            instance.send("start", cause="restore", operation=owner.begin("restore"))

    if policy.get("enabled") and wait <= iso_duration(str(policy.get("restoreTimeout", "PT1H"))):
        owner.cloud.clock.after(wait, restore)
