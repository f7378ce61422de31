"""Bringing instances to the scale set's model, whoever asks for it."""

from __future__ import annotations

from collections.abc import Iterable

from reconciler.simulator.instance import Instance, Owner
from reconciler.simulator.life import Verb
from reconciler.simulator.operations import Operation


def upgradable(instances: Iterable[Instance]) -> list[Instance]:
    """Those an upgrade would touch: behind the model, not protected, not on their way out.

    That Azure passes over protected instances in silence is an assumption: no evidence was found either
    way.
    """
    return [
        instance
        for instance in instances
        if not instance.is_current and not instance.protected and instance.provisioning != "deleting"
    ]


def upgrade(scale_set: Owner, instances: Iterable[Instance], operation: Operation, *, cause: str) -> None:
    """Send each instance to the current model, on behalf of `operation`; `latest` is what is newest now."""
    scale_set.renew()
    for instance in list(instances):
        verb = "refuse" if operation.forced_error else _upgrade_verb(instance, scale_set)
        instance.run(verb, cause=cause, operation=operation, target=scale_set.applied)


def _upgrade_verb(instance: Instance, scale_set: Owner) -> Verb:
    """How one gets there. That one which does not run gets its disk and stays down is an assumption."""
    if instance.applied.image == scale_set.applied.image and instance.provisioning == "succeeded":
        return "configure"
    return "replace" if instance.power in ("running", "starting", "stopping") else "offline"
