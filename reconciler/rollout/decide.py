"""The decision: what to do next about one scale set, from what is desired and what was seen.

`decide` is pure and is the only place where anything is decided: the daemon, `plan`, the forecast and the
tests run it. It is a ladder of early returns; each rung assumes that those above it did not apply. It asks
for a fact that costs a request (`Look`) only on the rung that needs it, so the caller loops: look, decide,
until there is a Decision.

The safety rule: no instance of a second domain is touched while one of the first is not back and healthy.
It holds without memory because it asks only about instances as they are: while any instance that is up to
date is not back, or any is in transition, nothing is started. What was broken before the rollout reached
it costs nothing and goes first, one domain at a time, and no gate holds it: it is being cured. So is what
Azure has been taking for longer than `health.timeout` to another image than the desired one. An instance
that a person protects is out of the rollout's hands, and so is one that `maxUnhealthyUpgraded` gives up for
lost.
"""

from collections.abc import Sequence
from dataclasses import replace

from reconciler.rollout.batch import batch
from reconciler.rollout.decision import Decision, Look
from reconciler.rollout.drift import drift
from reconciler.rollout.gates import barred, barred_by_window
from reconciler.rollout.halt import back_on_model, failed, given_up
from reconciler.rollout.health import at_work
from reconciler.rollout.member import Member, is_overdue, members
from reconciler.rollout.observed import FRESH, Absent, Instance, Model, Observed
from reconciler.rollout.pace import first, missing, room, sick, soaking
from reconciler.rollout.preflight import held, newest
from reconciler.rollout.reading import grouped, own, partial
from reconciler.rollout.reason import Phase, Reason
from reconciler.rollout.refusal import frozen, refusal, suspended
from reconciler.rollout.settled import settled
from reconciler.rollout.step import Upgrade
from reconciler.rollout.survey import Survey, survey
from reconciler.rollout.tried import unset, withheld
from reconciler.rollout.waiting import awaited, confirming, overrun, stalled, waiting
from reconciler.spec.image import follows_latest, same
from reconciler.spec.scale_set import Converge, OnFailure, ScaleSet


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
    if unread := partial(model, observed.instances):
        return unread
    # By image alone: setting the model back made the others differ from it, who never left.
    rollout = replace(desired.rollout, canary=None, converge=Converge.IMAGE)
    back = replace(desired, image=good, rollout=rollout)
    staying = members(back, model, observed, observed.instances)
    if desired.rollout.on_failure is OnFailure.ROLLBACK:
        decision = _approach(back, model, observed, is_return=True)
        if isinstance(decision, Look) or decision.reason.meaning.phase is not Phase.DONE:
            return decision
        return failed(desired.image, good, staying, decision.survey)
    domain_of = grouped(rollout, own(observed.instances))
    if isinstance(domain_of, Decision):
        return domain_of
    return failed(desired.image, good, staying, survey(staying, domain_of))


def _approach(
    desired: ScaleSet, model: Model, observed: Observed, *, is_return: bool = False
) -> Decision | Look:
    if at_work(model.provisioning) and (waits := _busy(desired, model, observed)):
        return waits
    if model.image is None or not same(model.image, desired.image):
        return drift(desired, model, observed)
    if waits := unset(desired.image, model, observed):
        return waits
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


def _roll(
    desired: ScaleSet, model: Model, observed: Observed, instances: Sequence[Instance], *, is_return: bool
) -> Decision | Look:
    """The rungs that need the instances; the model is right by now."""
    if unread := partial(model, instances):
        return unread
    domain_of = grouped(desired.rollout, own(instances))
    if isinstance(domain_of, Decision):
        return domain_of
    staying = members(desired, model, observed, instances)
    counts = survey(staying, domain_of)
    movable = [each for each in staying if each.is_movable]
    if waits := awaited(desired, staying, observed.at, is_last=not movable):
        found = waiting(waits, domain_of, desired, observed, counts)
        is_failure = found.reason.meaning.is_failure and awaited(desired, staying, observed.at, is_last=False)
        return given_up(desired, model, observed, staying, found) if is_failure else found
    if not movable:
        return settled(desired, model, staying, observed, counts, is_return=is_return)
    is_given_up = not is_return and desired.rollout.on_failure is not OnFailure.HOLD
    if is_given_up and (failing := stalled(desired, observed, counts)):
        return given_up(desired, model, observed, staying, failing)
    if cured := [each for each in movable if each.is_lost]:
        return batch(desired, cured, len(cured), domain_of, counts, is_return=is_return)
    if late := overrun(desired, model, observed, staying, counts):
        return given_up(desired, model, observed, staying, late)
    going = _may(desired, model, observed, staying, counts, is_return=is_return)
    if not isinstance(going, tuple):
        return going
    candidates, most = going
    return batch(desired, candidates, most, domain_of, counts, is_return=is_return)


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
    if waits := sick(rollout, staying, counts) or missing(rollout.canary, staying):
        return waits
    going = first(rollout.canary, staying)
    free = room(rollout, going.members, staying, counts)
    if isinstance(free, Decision):
        return free
    doing = "upgrading the next batch"
    if is_return:
        closed: Decision | Look | None = barred_by_window(desired, observed.at, doing, counts)
    else:
        closed = barred(desired, model, observed, has_begun=going.has_begun, doing=doing, counts=counts)
    return closed or (going.members, min(going.most, free))
