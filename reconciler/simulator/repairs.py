"""Automatic repairs: an instance that stays unhealthy is replaced, reimaged or restarted.

As documented, repairs need a health source and skip instances that are protected from scale set actions. At
most 5% of the instances, but at least one, are repaired at a time. An instance is repaired only after a grace
period, which restarts whenever the state of the instance changes. Clients suspend and resume repairs with
`setOrchestrationServiceState`. It is not known when Azure checks again if too many instances are being
repaired. The simulator checks again after the duration of a boot.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from reconciler.simulator.instance import Instance
from reconciler.simulator.scale_set import ScaleSet
from reconciler.simulator.timings import iso_duration

CAUSE = "repair"
SERVICE = "AutomaticRepairs"
# The name of each action in the API, by its name in a fleet file.
ACTIONS: Mapping[str, str] = {"replace": "Replace", "restart": "Restart", "reimage": "Reimage"}


def watch(scale_set: ScaleSet, instance: Instance) -> None:
    """Check an unhealthy instance again after the grace period. Called when an instance changes."""
    policy = _policy(scale_set)
    if policy is not None and _is_unhealthy(instance):
        # Azure requires at least ten minutes. A fleet file can set less, but some time has to pass.
        grace = max(iso_duration(str(policy.get("gracePeriod", "PT10M"))), timedelta(seconds=1))
        scale_set.cloud.clock.after(grace, lambda: _repair_if_due(scale_set, instance, grace))


def watch_all(scale_set: ScaleSet) -> None:
    """Watch all unhealthy instances. Called when the policy changes or repairs are suspended or resumed."""
    if _policy(scale_set) is not None:
        for instance in scale_set.instances.values():
            watch(scale_set, instance)


def services(scale_set: ScaleSet) -> list[dict[str, str]]:
    """Return the services in the instance view of the scale set, or [] if repairs are not enabled."""
    if (scale_set.body["properties"].get("automaticRepairsPolicy") or {}).get("enabled"):
        state = "Suspended" if scale_set.repairs_suspended else "Running"
        return [{"serviceName": SERVICE, "serviceState": state}]
    return []


def _policy(scale_set: ScaleSet) -> Mapping[str, Any] | None:
    """Return the policy, or None while repairs are disabled or suspended."""
    policy: Mapping[str, Any] = scale_set.body["properties"].get("automaticRepairsPolicy") or {}
    return policy if policy.get("enabled") and not scale_set.repairs_suspended else None


def _is_unhealthy(instance: Instance) -> bool:
    return (
        instance.applied.health != "none"
        and instance.health in ("unhealthy", "unknown")
        and instance.power == "running"
        and instance.provisioning in ("succeeded", "failed")
    )


def _repair_if_due(scale_set: ScaleSet, instance: Instance, grace: timedelta) -> None:
    """Repair the instance if it has been unhealthy for the whole grace period."""
    policy, clock = _policy(scale_set), scale_set.cloud.clock
    is_there = scale_set.instances.get(instance.id) is instance and not scale_set.is_deleting
    since = max(instance.changed, instance.health_changed)
    if policy is None or not is_there or not _is_unhealthy(instance) or clock.now() - since < grace:
        return
    if instance.protected:
        return
    if _count_repairs(scale_set) >= max(1, len(scale_set.instances) // 20):
        pause = max(scale_set.cloud.timings.boot, timedelta(seconds=1))
        clock.after(pause, lambda: _repair_if_due(scale_set, instance, grace))
        return
    _repair(scale_set, instance, str(policy.get("repairAction", "Replace")).lower())


def _count_repairs(scale_set: ScaleSet) -> int:
    return sum(
        each.transition is not None and each.transition.cause == CAUSE
        for each in scale_set.instances.values()
    )


def _repair(scale_set: ScaleSet, instance: Instance, action: str) -> None:
    operation = scale_set.begin(CAUSE)
    if action == "restart":
        instance.run("restart", cause=CAUSE, operation=operation)
    elif action == "reimage":
        target = scale_set.reimage_target(instance.applied)
        instance.run("replace", cause=CAUSE, operation=operation, target=target)
    else:
        scale_set.renew()
        instance.run("delete", cause=CAUSE, operation=operation)
        successor = scale_set.add_instance(next(scale_set.free_slots()))
        successor.note_creation()
        successor.run("create", cause=CAUSE, operation=operation)
    operation.when_ended.append(lambda _: scale_set.bump())
