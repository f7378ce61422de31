"""The decision: what to do next about one scale set, from what is desired and what was seen.

`decide` is pure and is the only place where anything is decided: the daemon, `plan` and the tests run it.
It is a ladder of early returns; each rung assumes that those above it did not apply. It asks for a fact
that costs a request (`Look`) only on the rung that needs it, so the caller loops: look, decide, until
there is a Decision.

The safety rule: no instance of a second domain is touched while one of the first is not back and healthy.
It holds without memory because it asks only about instances as they are: while any instance that is up to
date is not back, or any is in transition, nothing is started. Instances that were broken before the rollout
reached them cost nothing and go first, one domain at a time; they are being cured.
"""

from collections.abc import Sequence
from datetime import datetime

from reconciler.rollout.decision import Decision, Look, Reason
from reconciler.rollout.domains import Domain, DomainsUnknown, Grouping, grouping
from reconciler.rollout.health import State, ailment, readable, serves, state
from reconciler.rollout.observed import FRESH, Absent, Instance, Model, Observed
from reconciler.rollout.refusal import refusal
from reconciler.rollout.step import PatchModel, Upgrade
from reconciler.rollout.survey import Survey, survey
from reconciler.rollout.tried import effect_awaited
from reconciler.rollout.wording import ailing, listed
from reconciler.spec.duration import written
from reconciler.spec.image import same, short
from reconciler.spec.scale_set import Converge, ScaleSet

_BUSY = frozenset({"creating", "updating", "deleting", "migrating"})


def decide(desired: ScaleSet, observed: Observed) -> Decision | Look:
    """At most one step towards `desired`, or the fact that is still to be looked at.

    A step is never decided on a model that is not fresh, nor without having seen that Azure runs no rolling
    upgrade of its own.
    """
    decision = _ladder(desired, observed)
    if isinstance(decision, Look) or decision.step is None:
        return decision
    if awaited := effect_awaited(decision.step, observed):
        return Decision(Reason.NO_EFFECT, awaited, survey=decision.survey)
    if observed.model_at is None or observed.at - observed.model_at > FRESH:
        return Look.MODEL
    if observed.rolling_upgrade is None:
        return Look.ROLLING_UPGRADE
    return decision


def _ladder(desired: ScaleSet, observed: Observed) -> Decision | Look:
    if desired.suspend:
        return Decision(Reason.SUSPENDED, "spec.suspend is true; nothing is changed until it is false")
    model = observed.model
    if model is None:
        return Look.MODEL
    if isinstance(model, Absent):
        return Decision(Reason.NOT_FOUND, f"there is no scale set {desired.target.id}")
    if refused := refusal(desired.image, model, observed.rolling_upgrade):
        return refused
    if model.provisioning in _BUSY and (waits := _busy(desired, model, observed)):
        return waits
    if model.image is None or not same(model.image, desired.image):
        was = short(model.image) if model.image else "none"
        return Decision(
            Reason.MODEL_DRIFT,
            f"the model is on {was}; setting its image to {short(desired.image)}",
            step=PatchModel(desired.image, model.etag),
            soon=True,
        )
    if observed.instances is None:
        return Look.INSTANCES
    return _roll(desired, model, observed, observed.instances)


def _busy(desired: ScaleSet, model: Model, observed: Observed) -> Decision | Look | None:
    """Wait for Azure, unless it has been at it for too long: then what is stuck is dealt with.

    While our own step is young there is no need to list the instances to know that it is not overdue.
    """
    busy = Decision(Reason.AZURE_BUSY, f"Azure is at work on the scale set ({model.provisioning})", soon=True)
    if model.provisioning != "updating":
        return busy
    tried = observed.tried
    if tried and isinstance(tried.step, Upgrade) and observed.at - tried.at <= desired.health.timeout:
        return busy
    if observed.instances is None:
        return Look.INSTANCES
    stuck = any(_overdue(each, desired, observed.at) for each in observed.instances if _in_transition(each))
    return None if stuck else busy


def _roll(desired: ScaleSet, model: Model, observed: Observed, instances: Sequence[Instance]) -> Decision:
    """The rungs that need the instances; the model is right by now."""
    if unread := _unread(model, instances):
        return Decision(Reason.PARTIAL_READ, f"{unread}; nothing is done on a partial read")
    try:
        domain_of = grouping(desired.rollout.by, instances)
    except DomainsUnknown as error:
        return Decision(Reason.DOMAINS_UNKNOWN, str(error))

    standing = {each.id: state(each, model.health_source, observed.at) for each in instances}
    staying = [each for each in instances if standing[each.id] is not State.LEAVING]
    # Stuck on its way to another image than the desired one: to be cured, not to be waited for.
    stuck = {
        each.id
        for each in staying
        if standing[each.id] is State.RETURNING and not each.protected and _is_stuck(each, desired, observed)
    }
    outdated = [each for each in staying if each.id in stuck or not _up_to_date(each, desired)]
    behind = frozenset(each.id for each in outdated)
    counts = survey(staying, domain_of, standing, behind)

    awaited = [
        each
        for each in staying
        if each.id not in stuck and _awaited(standing[each.id], outdated=each.id in behind)
    ]
    if awaited:
        return _waiting(awaited, domain_of, desired, observed.at, counts)

    movable = [
        each
        for each in outdated
        if not each.protected and (each.id in stuck or standing[each.id] in {State.BACK, State.BROKEN})
    ]
    if not movable:
        pending = sum(not each.latest_model for each in staying if each.id not in behind)
        return _settled(desired, outdated, pending, counts)
    lost = [
        each
        for each in movable
        if each.id in stuck or (standing[each.id] is State.BROKEN and not serves(each))
    ]
    return _next_batch(desired, lost or movable, domain_of, counts)


def _unread(model: Model, instances: Sequence[Instance]) -> str:
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


def _up_to_date(instance: Instance, desired: ScaleSet) -> bool:
    """Judged by the image it runs. `latestModelApplied` also turns false for other people's changes."""
    if instance.image is None or not same(instance.image, desired.image):
        return False
    if instance.latest_model:
        return True
    # One that failed on its way to an image that has been reverted since shows the old one still.
    return desired.rollout.converge is Converge.IMAGE and instance.provisioning != "failed"


def _awaited(stands: State, *, outdated: bool) -> bool:
    """Whether a rollout must wait for it: it was upgraded and is not back, or Azure is at work on it."""
    return stands is State.RETURNING or (stands is State.BROKEN and not outdated)


def _in_transition(instance: Instance) -> bool:
    return instance.provisioning not in {"succeeded", "failed"}


def _overdue(instance: Instance, desired: ScaleSet, at: datetime) -> bool:
    return instance.since is not None and at - instance.since > desired.health.timeout


def _is_stuck(instance: Instance, desired: ScaleSet, observed: Observed) -> bool:
    """Whether it has been returning for too long, and not to the image that is desired now.

    It returns to that one if we sent it there, or if it is up to date and nothing takes it elsewhere.
    """
    tried = observed.tried.step if observed.tried else None
    on_its_way = (
        isinstance(tried, Upgrade) and instance.id in tried.instance_ids and same(tried.image, desired.image)
    )
    stays = _up_to_date(instance, desired) and (instance.latest_model or not _in_transition(instance))
    return _overdue(instance, desired, observed.at) and not on_its_way and not stays


def _waiting(
    awaited: Sequence[Instance], domain_of: Grouping, desired: ScaleSet, at: datetime, counts: Survey
) -> Decision:
    domains = _named(sorted({domain_of(each) for each in awaited}))
    if overdue := [each for each in awaited if _overdue(each, desired, at)]:
        held = "" if counts.up_to_date == counts.total else "; no other instance is touched until then"
        return Decision(
            Reason.HEALTH_CHECK_FAILED,
            f"{domains}: {ailing(overdue)}, not healthy within {written(desired.health.timeout)} of the last "
            f"change{held}",
            survey=counts,
        )
    return Decision(
        Reason.WAITING_FOR_INSTANCES,
        f"{domains}: waiting for {ailing(awaited)}; {_done(counts)}",
        soon=True,
        survey=counts,
    )


def _next_batch(
    desired: ScaleSet, candidates: Sequence[Instance], domain_of: Grouping, counts: Survey
) -> Decision:
    domain = min(domain_of(each) for each in candidates)
    members = sorted(
        (each for each in candidates if domain_of(each) == domain), key=lambda each: int(each.id)
    )
    batch = members[: desired.rollout.max_batch.of(counts.total)]
    named = listed(each.name for each in batch)
    return Decision(
        Reason.UPGRADING,
        f"{domain}: upgrading {_counted(batch)} to {short(desired.image)} ({named}); {_done(counts)}",
        step=Upgrade(tuple(each.id for each in batch), desired.image),
        soon=True,
        survey=counts.taking(domain, len(batch)),
    )


def _settled(desired: ScaleSet, outdated: Sequence[Instance], pending: int, counts: Survey) -> Decision:
    """Nothing is left to do. `pending` counts instances that lack another change of the model."""
    image = short(desired.image)
    others = (
        f"; {pending} lack another change of the model (latestModelApplied is false): "
        "rollout.converge: model would roll it"
        if pending
        else ""
    )
    if outdated:
        left_out = listed(f"{each.name} ({_obstacle(each)})" for each in outdated)
        return Decision(
            Reason.INSTANCES_LEFT_OUT,
            f"{counts.up_to_date} of {counts.total} run {image}; left out: {left_out}{others}",
            survey=counts,
        )
    what = f"all {counts.total} instances run" if counts.total else "no instances; the model is on"
    return Decision(Reason.UP_TO_DATE, f"{what} {image}{others}", survey=counts)


def _obstacle(instance: Instance) -> str:
    return "protected from scale set actions" if instance.protected else ailment(instance)


def _done(counts: Survey) -> str:
    return f"{counts.up_to_date} of {counts.total} up to date"


def _counted(batch: Sequence[Instance]) -> str:
    return "1 instance" if len(batch) == 1 else f"{len(batch)} instances"


def _named(domains: Sequence[Domain]) -> str:
    return listed(str(domain) for domain in domains)
