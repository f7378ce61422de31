"""The platform's own rolling upgrade: a batch, a health check, the next batch.

It starts when the model of a scale set in Rolling mode changes, or when a client requests it. It upgrades the
instances that are not on the latest model, in the order of their domains, `maxBatchInstancePercent` at a
time. It waits until each batch has settled, and stops if more than `maxUnhealthyUpgradedInstancePercent` of
the upgraded instances are unhealthy. Its operation ends when the rolling upgrade ends.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from reconciler.simulator.errors import ArmError, unhealthy_upgrade
from reconciler.simulator.instance import Instance, Owner
from reconciler.simulator.operations import Operation
from reconciler.simulator.timings import iso_duration
from reconciler.simulator.upgrades import upgradable, upgrade

# What the model shows in Rolling mode, and the part of it that a rolling upgrade reports.
ROLLING_POLICY: Mapping[str, Any] = {
    "maxBatchInstancePercent": 20,
    "maxUnhealthyInstancePercent": 20,
    "maxUnhealthyUpgradedInstancePercent": 20,
    "pauseTimeBetweenBatches": "PT0S",
    "maxSurge": False,
    "rollbackFailedInstancesOnPolicyBreach": False,
}
REPORTED = tuple(ROLLING_POLICY)[:4]
PART = "rolling upgrade"


class RollingUpgrade:
    """One rolling upgrade. `code` is RollingForward, Cancelled, Completed or Faulted."""

    def __init__(self, scale_set: Owner, operation: Operation, *, by: str) -> None:
        self.scale_set = scale_set
        self.operation = operation
        self.by = by
        self.code = "RollingForward"
        self.last_action = "Start"
        self.started = self.last_action_at = scale_set.cloud.clock.now()
        self.ended: datetime | None = None
        self.error: ArmError | None = None
        self.waiting = sorted(upgradable(scale_set.instances.values()), key=_order)
        # Azure counts instances that need no upgrade as upgraded.
        self.current = sum(each.is_current for each in scale_set.instances.values())
        self.all = len(self.waiting)
        self.batch: list[Instance] = []
        self.upgraded: list[Instance] = []
        operation.expect(PART)

    @property
    def is_running(self) -> bool:
        return self.ended is None

    def proceed(self) -> None:
        """Start the next batch, or end the rolling upgrade if no batch is left."""
        if not self.is_running:
            return
        if not self.waiting:
            self._end("Completed")
            return
        size = max(1, self.all * int(self._policy["maxBatchInstancePercent"]) // 100)
        self.batch, self.waiting = self.waiting[:size], self.waiting[size:]
        upgrade(self.scale_set, self.batch, self.operation, cause="rollingupgrade")
        self._check_later()

    def cancel(self) -> None:
        """Stop after the current batch."""
        self.last_action, self.last_action_at = "Cancel", self.scale_set.cloud.clock.now()
        self._end("Cancelled")

    def body(self) -> dict[str, Any]:
        """Return the body of `GET .../rollingUpgrades/latest`."""
        properties: dict[str, Any] = {
            "policy": dict(self._policy),
            "runningStatus": {
                "code": self.code,
                "startTime": self.started.isoformat(),
                "lastAction": self.last_action,
                "lastActionTime": self.last_action_at.isoformat(),
            },
            "progress": self._progress(),
        }
        return self._resource(properties)

    def history(self) -> dict[str, Any]:
        """Return the entry for `GET .../osUpgradeHistory`, in the form that the SDK's model defines."""
        ended = {} if self.ended is None else {"endTime": self.ended.isoformat()}
        target = self.scale_set.applied.image
        version = {} if target.exact_version is None else {"exactVersion": target.exact_version}
        properties: dict[str, Any] = {
            "runningStatus": {"code": self.code, "startTime": self.started.isoformat(), **ended},
            "progress": self._progress(),
            "startedBy": self.by,
            "targetImageReference": {**(target.reference or {}), **version},
            "rollbackInfo": {"successfullyRolledbackInstanceCount": 0, "failedRolledbackInstanceCount": 0},
        }
        return self._resource(properties)

    def _resource(self, properties: dict[str, Any]) -> dict[str, Any]:
        error = {} if self.error is None else {"error": self.error.envelope()["error"] | {"details": []}}
        return {
            "type": "Microsoft.Compute/virtualMachineScaleSets/rollingUpgrades",
            "location": self.scale_set.location,
            "properties": {**properties, **error},
        }

    def _progress(self) -> dict[str, int]:
        unhealthy = sum(not instance.serves for instance in self.upgraded)
        return {
            "successfulInstanceCount": self.current + len(self.upgraded) - unhealthy,
            "failedInstanceCount": unhealthy,
            "inProgressInstanceCount": len(self.batch),
            "pendingInstanceCount": len(self.waiting),
        }

    @property
    def _policy(self) -> Mapping[str, Any]:
        own = self.scale_set.policy.get("rollingUpgradePolicy") or {}
        return {name: own.get(name, ROLLING_POLICY[name]) for name in REPORTED}

    def _check_later(self) -> None:
        cloud = self.scale_set.cloud
        cloud.clock.after(max(cloud.timings.boot, timedelta(milliseconds=10)), self._check_batch)

    def _check_batch(self) -> None:
        if not self.is_running:
            return
        if any(instance.transition is not None for instance in self.batch):
            self._check_later()
            return
        self.upgraded += self.batch
        self.batch = []
        unhealthy = sum(not instance.serves for instance in self.upgraded)
        if unhealthy * 100 > len(self.upgraded) * int(self._policy["maxUnhealthyUpgradedInstancePercent"]):
            self.error = unhealthy_upgrade()
            self._end("Faulted")
            return
        self.scale_set.cloud.clock.after(
            iso_duration(str(self._policy["pauseTimeBetweenBatches"])), self.proceed
        )

    def _end(self, code: str) -> None:
        self.code = code
        self.ended = self.scale_set.cloud.clock.now()
        self.operation.complete(PART, self.error)


def _order(instance: Instance) -> tuple[str, str, int, int]:
    domain = instance.domain
    return (domain.zone or "", domain.placement_group, domain.update_domain or 0, instance.number)
