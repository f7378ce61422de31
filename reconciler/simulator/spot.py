"""Eviction and restoration of spot instances.

With the eviction policy Deallocate, an evicted instance stays in the scale set and counts towards its
capacity, but does not run. It is deallocated or, as users have observed, only stopped. If the scale set has a
`spotRestorePolicy`, the platform tries to start the instance again until the policy's timeout expires. In
Azure, it is not known in advance when capacity returns. In the simulator, capacity returns after the time
that it takes to create an instance.

With the eviction policy Delete, the instance is removed, and the capacity of the scale set decreases by one.
The decrease has not been recorded.
"""

from __future__ import annotations

from reconciler.simulator.instance import Instance
from reconciler.simulator.life import FORCED_STAGES, EvictedPower
from reconciler.simulator.scale_set import ScaleSet
from reconciler.simulator.timings import iso_duration


def evict(scale_set: ScaleSet, instance: Instance, power: EvictedPower | None = None) -> None:
    """Evict an instance. `power` overrides the scale set's power state for evicted instances."""
    if str(instance.applied.profile.get("evictionPolicy", "Deallocate")) == "Delete":
        instance.force(FORCED_STAGES["remove"], "evict")
        scale_set.capacity = max(0, scale_set.capacity - 1)
    else:
        is_stopped = (power or scale_set.evicted_power) == "stopped"
        instance.force(FORCED_STAGES["evict to stopped" if is_stopped else "evict"], "evict")
        _await_capacity(scale_set, instance)
    scale_set.bump()


def _await_capacity(scale_set: ScaleSet, instance: Instance) -> None:
    policy = scale_set.body["properties"].get("spotRestorePolicy") or {}
    wait = scale_set.cloud.timings.create
    evicted, power = instance.changed, instance.power

    def restore() -> None:
        is_as_left = instance.power == power and instance.changed == evicted
        if is_as_left and scale_set.instances.get(instance.id) is instance:
            instance.run("start", cause="restore", operation=scale_set.begin("restore"))

    if policy.get("enabled") and wait <= iso_duration(str(policy.get("restoreTimeout", "PT1H"))):
        scale_set.cloud.clock.after(wait, restore)
