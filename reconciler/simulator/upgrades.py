"""Manual and automatic upgrades of instances to the model of their scale set."""

from __future__ import annotations

from collections.abc import Iterable

from reconciler.simulator.instance import Instance, Owner
from reconciler.simulator.life import Verb
from reconciler.simulator.operations import Operation


def upgradable(instances: Iterable[Instance]) -> list[Instance]:
    """Return the instances that an upgrade changes.

    They are not on the latest model, not protected, and not being deleted. The simulator assumes that Azure
    skips protected instances without an error. No evidence was found for or against this.
    """
    return [
        instance
        for instance in instances
        if not instance.is_current and not instance.protected and instance.provisioning != "deleting"
    ]


def upgrade(scale_set: Owner, instances: Iterable[Instance], operation: Operation, *, cause: str) -> None:
    """Resolve `latest` again and start upgrading each instance as part of `operation`."""
    scale_set.renew()
    for instance in list(instances):
        verb = "refuse" if operation.forced_error else _upgrade_verb(instance, scale_set)
        instance.run(verb, cause=cause, operation=operation, target=scale_set.applied)


def _upgrade_verb(instance: Instance, scale_set: Owner) -> Verb:
    """Return the verb whose course upgrades the instance.

    The simulator assumes that an instance that is not running gets a new disk and stays stopped.
    """
    if instance.applied.image == scale_set.applied.image and instance.provisioning == "succeeded":
        return "configure"
    return "replace" if instance.power in ("running", "starting", "stopping") else "offline"
