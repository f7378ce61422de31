"""Whether a list of instances is whole: nothing is done on one that is not."""

from collections.abc import Sequence

from reconciler.rollout.health import readable
from reconciler.rollout.observed import Instance, Model
from reconciler.rollout.wording import listed


def missing(model: Model, instances: Sequence[Instance]) -> str:
    """What is missing from the list of instances, or "". More rows than capacity is overprovisioning.

    A set that changes while its pages are read may show one instance twice, and another never.
    """
    seen = len({instance.id for instance in instances})
    if seen < len(instances):
        return "Azure listed an instance twice"
    if seen < model.capacity:
        return f"Azure listed {seen} instances of {model.capacity}"
    dark = [instance.name for instance in instances if not readable(instance)]
    return f"Azure sent no state for {listed(dark)}" if dark else ""
