"""The decision: what to do next about one scale set, from what is desired and what was seen.

`decide` is pure and is the only place where anything is decided: the daemon, `plan`, the forecast and the
tests run it. It is a ladder of early returns; each rung assumes that those above it did not apply. It asks
for a fact that costs a request (`Look`) only on the rung that needs it, so the caller loops: look, decide,
until there is a Decision.

The safety rule: no instance of a second domain is touched while one of the first is not back and healthy.
It holds without memory because it asks only about instances as they are: while any instance that is up to
date is not back, or any is in transition, nothing is started. What was broken before the rollout reached
it costs nothing and goes first, one domain at a time and through every gate: it is being cured. So is what
Azure has been taking for longer than `health.timeout` to another image than the desired one. An instance
that a person protects is out of the rollout's hands, and so is one that `maxUnhealthyUpgraded` gives up for
lost.
"""

from collections.abc import Sequence
from dataclasses import replace

from reconciler.rollout.batch import batch
from reconciler.rollout.decision import Decision, Look
from reconciler.rollout.domains import DomainsUnknown, grouping
from reconciler.rollout.gates import barred, barred_by_window, is_cure
from reconciler.rollout.halt import back_on_model, failed, given_up, marked
from reconciler.rollout.health import ailment, at_work, readable
from reconciler.rollout.member import Member, is_overdue, members
from reconciler.rollout.observed import FRESH, Absent, Instance, Model, Observed
from reconciler.rollout.pace import baking, first, room, sick, soaking
from reconciler.rollout.preflight import crowd, held, newest
from reconciler.rollout.reason import Reason
from reconciler.rollout.refusal import frozen, refusal, suspended
from reconciler.rollout.step import PatchModel, Upgrade
from reconciler.rollout.survey import Survey, survey
from reconciler.rollout.tried import withheld
from reconciler.rollout.waiting import FAILED, awaited, confirming, overrun, waiting
from reconciler.rollout.wording import listed
from reconciler.spec.image import Image, follows_latest, is_version_of, same, short
from reconciler.spec.scale_set import OnFailure, ScaleSet


def decide(desired: ScaleSet, observed: Observed) -> Decision | Look:
    """At most one step towards `desired`, or the fact that is still to be looked at.

    A step is never decided on a model that is not fresh, nor without having seen that Azure runs no rolling
    upgrade of its own.
    """
    decision = _ladder(desired, observed)
    if isinstance(decision, Look) or decision.step is None:
        return decision
    if waits := withheld(decision.step, observed, decision.survey):
        return waits
    if observed.model_at is None or observed.at - observed.model_at > FRESH:
        return Look.MODEL
    if observed.rolling_upgrade is None:
        return Look.ROLLING_UPGRADE
    return decision


def _ladder(desired: ScaleSet, observed: Observed) -> Decision | Look:
    if desired.fleet.freeze:
        return frozen(desired.fleet.freeze, observed.at)
    if desired.suspend:
        return suspended(desired.suspend, observed.at)
    model = observed.model
    if model is None:
        return Look.MODEL
    if isinstance(model, Absent):
        return Decision(Reason.NOT_FOUND, f"there is no scale set {desired.target.id}")
    if refused := refusal(desired.image, model, observed.rolling_upgrade):
        return refused
    if not follows_latest(desired.image):
        return _towards(desired, model, observed)
    if observed.availability is None:
        return Look.IMAGE
    exact = newest(desired.image, model, observed.availability)
    if isinstance(exact, Decision):
        return exact
    decision = _towards(replace(desired, image=exact), model, observed)
    # Up to date with the version it is on; but nobody can say whether that is the latest.
    unsaid = held(desired.image, observed.availability)
    if unsaid and isinstance(decision, Decision) and decision.reason is Reason.UP_TO_DATE:
        return replace(unsaid, survey=decision.survey)
    return decision


def _towards(desired: ScaleSet, model: Model, observed: Observed) -> Decision | Look:
    """The rungs that know the exact image: towards it or, once it was given up, back from it."""
    good = model.marks.stand_in(desired.image)
    if good is None or desired.rollout.on_failure is OnFailure.HOLD:
        return _approach(desired, model, observed)
    if step := back_on_model(desired.image, model, good):
        return step
    if observed.instances is None:
        return Look.INSTANCES
    staying = members(desired, model, observed, observed.instances)
    if desired.rollout.on_failure is OnFailure.REPIN:
        return failed(desired.image, good, staying, None)
    decision = _approach(replace(desired, image=good), model, observed, is_return=True)
    if isinstance(decision, Look) or decision.reason not in {Reason.UP_TO_DATE, Reason.INSTANCES_LEFT_OUT}:
        return decision
    return failed(desired.image, good, staying, decision)


def _approach(
    desired: ScaleSet, model: Model, observed: Observed, *, is_return: bool = False
) -> Decision | Look:
    if at_work(model.provisioning) and (waits := _busy(desired, model, observed)):
        return waits
    if model.image is None or not same(model.image, desired.image):
        return _drift(desired, model, observed)
    if observed.instances is None:
        return Look.INSTANCES
    return _roll(desired, model, observed, observed.instances, is_return=is_return)


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
    moving = [each for each in observed.instances if at_work(each.provisioning)]
    return None if any(is_overdue(each, desired, observed.at) for each in moving) else busy


def _drift(desired: ScaleSet, model: Model, observed: Observed) -> Decision | Look:
    """The model is on another image. The instances tell what else their upgrade will bring."""
    if observed.availability is None:
        return Look.IMAGE
    if refused := held(desired.image, observed.availability):
        return refused
    if observed.instances is None:
        return Look.INSTANCES
    if refused := crowd(desired.image, observed.instances):
        return refused
    if not is_cure(model, members(desired, model, observed, observed.instances)):
        doing = f"setting the image of the model to {short(desired.image)}"
        if closed := barred(desired, model, observed, has_begun=False, doing=doing, counts=None):
            return closed
    was = short(model.image) if model.image else "none"
    also = _others(model, observed.instances)
    return Decision(
        Reason.MODEL_DRIFT,
        f"the model is on {was}; setting its image to {short(desired.image)}"
        f"{f' ({note})' if (note := observed.availability.evidence) else ''}"
        f"{f'; {also}' if also else ''}",
        step=PatchModel(
            desired.image, model.etag, marked(desired, model, observed, observed.instances), model.tags
        ),
        soon=True,
    )


def _others(model: Model, instances: Sequence[Instance]) -> str:
    """Somebody else's change of the model that instances still lack, in words, or ""."""
    behind = [each for each in instances if _is_on(model.image, each.image) and not each.latest_model]
    if not behind:
        return ""
    return (
        f"{len(behind)} of {len(instances)} instances lack another change of the model too, which their "
        "upgrade will bring along"
    )


def _is_on(model: Image | None, instance: Image | None) -> bool:
    """Whether an instance runs what the model says; one on latest says no more than which image."""
    if model is None or instance is None:
        return False
    return same(model, instance) or is_version_of(instance, model)


def _roll(
    desired: ScaleSet, model: Model, observed: Observed, instances: Sequence[Instance], *, is_return: bool
) -> Decision | Look:
    """The rungs that need the instances; the model is right by now."""
    if unread := _unread(model, instances):
        return Decision(Reason.PARTIAL_READ, f"{unread}; nothing is done on a partial read")
    try:
        domain_of = grouping(desired.rollout.by, desired.rollout.order, instances)
    except DomainsUnknown as error:
        return Decision(Reason.DOMAINS_UNKNOWN, str(error))
    staying = members(desired, model, observed, instances)
    counts = survey(staying, domain_of)
    movable = [each for each in staying if each.is_movable]
    if waits := awaited(desired, staying, observed.at, is_last=not movable):
        found = waiting(waits, domain_of, desired, observed, counts)
        return given_up(desired, model, observed, staying, found) if found.reason in FAILED else found
    if movable and (late := overrun(desired, model, observed.at, counts)):
        return given_up(desired, model, observed, staying, late)
    if not movable:
        return _settled(desired, staying, observed, counts, is_return=is_return)
    if cured := [each.instance for each in movable if each.is_lost]:
        return batch(desired, cured, len(cured), domain_of, counts, is_return=is_return)
    going = _may(desired, model, observed, staying, counts, is_return=is_return)
    if not isinstance(going, tuple):
        return going
    candidates, most = going
    return batch(
        desired, [each.instance for each in candidates], most, domain_of, counts, is_return=is_return
    )


def _may(
    desired: ScaleSet,
    model: Model,
    observed: Observed,
    staying: Sequence[Member],
    counts: Survey,
    *,
    is_return: bool,
) -> tuple[Sequence[Member], int] | Decision | Look:
    """The working instances that may be taken down now, and how many of them at most; or why none may."""
    rollout = desired.rollout
    if waits := soaking(rollout, staying, observed.at, counts) or confirming(
        desired, staying, observed, counts
    ):
        return waits
    if waits := sick(rollout, staying, counts):
        return waits
    going = first(rollout.canary, staying)
    if isinstance(going, Decision):
        return going
    free = room(rollout, staying, counts)
    if isinstance(free, Decision):
        return free
    doing = "upgrading the next batch"
    if is_return:
        closed: Decision | Look | None = barred_by_window(desired, observed.at, doing, counts)
    else:
        closed = barred(desired, model, observed, has_begun=going.has_begun, doing=doing, counts=counts)
    return closed or (going.members, min(going.most, free))


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


def _settled(
    desired: ScaleSet, staying: Sequence[Member], observed: Observed, counts: Survey, *, is_return: bool
) -> Decision:
    """Nothing is left to do, but perhaps to wait whether it lasts."""
    is_over = is_return or observed.streak.is_under_way is False
    if not is_over and (waits := baking(desired.rollout, staying, observed.at, counts)):
        return waits
    image = short(desired.image)
    pending = sum(not each.instance.latest_model for each in staying if not each.is_outdated)
    others = (
        f"; {pending} lack{'s' * (pending == 1)} another change of the model (latestModelApplied is false): "
        "rollout.converge: model would roll it"
        if pending
        else ""
    )
    if outdated := [each.instance for each in staying if each.is_outdated]:
        left_out = listed(f"{each.name} ({_obstacle(each)})" for each in outdated)
        return Decision(
            Reason.INSTANCES_LEFT_OUT,
            f"{counts.up_to_date} of {counts.total} run {image}; left out: {left_out}{others}",
            survey=counts,
        )
    what = {0: "no instances; the model is on", 1: "its one instance runs"}.get(
        counts.total, f"all {counts.total} instances run"
    )
    return Decision(Reason.UP_TO_DATE, f"{what} {image}{others}", survey=counts)


def _obstacle(instance: Instance) -> str:
    if instance.protected:
        return "protected from scale set actions"
    return ailment(instance) if instance.image else "Azure tells no image of it"
