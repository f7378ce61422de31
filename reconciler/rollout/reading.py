"""What a list of instances must contain before the daemon acts on it: every instance, and its domain."""

from collections.abc import Sequence

from reconciler.rollout.context import Aim, Context
from reconciler.rollout.counts import count_instances
from reconciler.rollout.decision import Decision
from reconciler.rollout.domains import DomainsUnknown, Grouping, grouping
from reconciler.rollout.health import is_readable
from reconciler.rollout.member import members
from reconciler.rollout.observed import Instance, Model, Observed
from reconciler.rollout.reason import Reason
from reconciler.rollout.wording import list_names
from reconciler.spec.scale_set import Rollout


def own_instances(instances: Sequence[Instance]) -> tuple[Instance, ...]:
    """The instances that the scale set itself created. Only these follow the model."""
    return tuple(each for each in instances if not each.is_attached)


def partial_read(
    model: Model, instances: Sequence[Instance], observed: Observed | None = None
) -> Decision | None:
    """The decision to do nothing because the list of instances is incomplete, or None.

    If `observed` shows that the list has been incomplete for a long time, the message says what may be
    wrong, and what to do.
    """
    missing = _missing(model, instances)
    if not missing:
        return None
    if observed and is_partial_for_long(observed):
        missing = _lasting_gap(model, instances) or missing
    return Decision(
        Reason.PARTIAL_READ, f"{missing}; no changes until Azure reports {_missing_report(model, instances)}"
    )


def is_partial_for_long(observed: Observed) -> bool:
    """Whether the list of instances has been incomplete for so long that it might never be complete.

    The model may then return to the last good image anyway. The return takes no instance out of service, and
    without it Azure keeps creating instances from an image that failed.
    """
    since, patience = observed.progress.partial_since, Reason.PARTIAL_READ.meaning.fails_after
    return since is not None and patience is not None and observed.at - since > patience


def _lasting_gap(model: Model, instances: Sequence[Instance]) -> str:
    """What probably keeps the list incomplete and what to do about it, or "" if nothing is known."""
    seen = len({each.id for each in instances})
    if seen < len(instances):
        return ""
    if seen < model.capacity:
        return (
            f"Azure still lists only {seen} of {model.capacity} instances, and probably could not create the "
            f"rest; free up quota or set the capacity to {seen}"
        )
    them = "it" if len(_without_state(instances)) == 1 else "these instances"
    return f"{_missing(model, instances)}; restart, reimage or delete {them}"


def group_instances(rollout: Rollout, instances: Sequence[Instance]) -> Grouping | Decision:
    """A function from instances to domains, or the decision to do nothing if the domains are unknown."""
    try:
        return grouping(rollout.by, rollout.order, instances)
    except DomainsUnknown as error:
        return Decision(Reason.DOMAINS_UNKNOWN, str(error))


def with_instances(aim: Aim, instances: Sequence[Instance]) -> Context | Decision:
    """The aim with its instances, or the decision to do nothing if the list or the domains are unusable."""
    return partial_read(aim.model, instances, aim.observed) or with_listed_instances(aim, instances)


def with_listed_instances(aim: Aim, instances: Sequence[Instance]) -> Context | Decision:
    """The aim with the instances that were listed, even if others are missing."""
    domain_of = group_instances(aim.rollout, own_instances(instances))
    if isinstance(domain_of, Decision):
        return domain_of
    staying = members(aim.desired, aim.model, aim.observed, instances)
    return Context(
        desired=aim.desired,
        model=aim.model,
        observed=aim.observed,
        is_return=aim.is_return,
        members=staying,
        domain_of=domain_of,
        counts=count_instances(staying, domain_of),
    )


def _missing(model: Model, instances: Sequence[Instance]) -> str:
    """What the list lacks, or "" if it is complete.

    The list may have more entries than the capacity if the scale set overprovisions. If a scale set changes
    while its pages are read, the list can contain one instance twice and omit another.
    """
    seen = len({instance.id for instance in instances})
    if seen < len(instances):
        return "Azure listed an instance twice, so another may be missing"
    if seen < model.capacity:
        return f"Azure listed only {seen} of {model.capacity} instances"
    names = _without_state(instances)
    return f"Azure reported no state for {list_names(names)}" if names else ""


def _missing_report(model: Model, instances: Sequence[Instance]) -> str:
    """What Azure must report before the list is complete."""
    if len({instance.id for instance in instances}) < max(len(instances), model.capacity):
        return "every instance"
    names = _without_state(instances)
    return f"the state of {names[0]}" if len(names) == 1 else "the states of these instances"


def _without_state(instances: Sequence[Instance]) -> list[str]:
    return [instance.name for instance in own_instances(instances) if not is_readable(instance)]
