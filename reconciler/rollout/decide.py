"""The decision: what to do next about one scale set, from what is desired and what was seen.

`decide` is pure and is the only place where anything is decided: the daemon, `plan`, the forecast and the
tests run it. It is a ladder of early returns; each rung assumes that those above it did not apply. It asks
for a fact that costs a request (`Look`) only on the rung that needs it, so the caller loops: look, decide,
until there is a Decision.

The safety rule: no instance of a second domain is touched while one of the first is not back and healthy.
It holds without memory because it asks only about instances as they are: while any instance that is up to
date is not back, or any is in transition, nothing is started. What was broken before the rollout reached
it costs nothing and goes first, one domain at a time; what of it passes a closed gate, `remedy` says. So does
what Azure has been taking for longer than `health.timeout` to another image than the desired one. An instance
that a person protects is out of the rollout's hands, and so is one that `maxUnhealthyUpgraded` gives up for
lost.
"""

from collections.abc import Sequence
from dataclasses import replace

from reconciler.rollout.batching import batch, first, is_proven, missing, room, sick, soaking
from reconciler.rollout.blame import without_failure
from reconciler.rollout.context import Aim, Context
from reconciler.rollout.decision import Decision
from reconciler.rollout.drift import drift
from reconciler.rollout.eviction import backing_off, lone_reason
from reconciler.rollout.evidence import is_against_image
from reconciler.rollout.expectations import (
    doubtful_update,
    failed_update,
    failed_upgrade,
    is_retry_due,
    spent_upgrade,
    unmet_expectation,
    vain_upgrade,
)
from reconciler.rollout.freshness import stale
from reconciler.rollout.gates import barrier, remedy_barrier, window_barrier
from reconciler.rollout.health import at_work
from reconciler.rollout.member import Member, is_overdue, members
from reconciler.rollout.observed import Absent, Look, Observed
from reconciler.rollout.preflight import exact_if_known, exact_spec, unavailable
from reconciler.rollout.reading import partial, with_instances
from reconciler.rollout.reason import Phase, Reason, Status
from reconciler.rollout.refusal import brake, refusal
from reconciler.rollout.remedy import is_fix, no_cure, passing, returning
from reconciler.rollout.rollback import abort, back_on_model, end_of_rollback
from reconciler.rollout.settled import completion
from reconciler.rollout.step import Step, Upgrade
from reconciler.rollout.urgency import hastened
from reconciler.rollout.waiting import (
    awaited_instances,
    confirming,
    never_ends,
    overrun,
    relapsing,
    waiting,
)
from reconciler.spec.image import follows_latest, same, short
from reconciler.spec.scale_set import Converge, OnFailure, ScaleSet

_DOING = "upgrading the next batch"


def decide(desired: ScaleSet, observed: Observed) -> Decision | Look:
    """At most one step towards `desired`, or the fact that is still to be looked at.

    A step is never decided on facts that are not fresh, nor without having seen that Azure runs no rolling
    upgrade of its own.
    """
    decision = _ladder(desired, observed)
    if isinstance(decision, Look):
        return decision
    found = _checked(decision, decision.step, observed) if decision.step else decision
    if isinstance(found, Look) or not decision.given_up:
        return found
    return replace(found, message=f"{found.message}; {decision.given_up} failed and was given up")


def _checked(decision: Decision, step: Step, observed: Observed) -> Decision | Look:
    """The decision, unless its step has to wait or rests on what is too old."""
    return unmet_expectation(step, observed, decision.counts) or stale(step, observed) or decision


def _ladder(desired: ScaleSet, observed: Observed) -> Decision | Look:
    if held := brake(desired, observed.at):
        return _counted(held, desired, observed)
    model = observed.model
    if model is None:
        return Look.MODEL
    if isinstance(model, Absent):
        return Decision(Reason.NOT_FOUND, f"there is no scale set {desired.target.id}")
    if refused := refusal(desired, model, observed.rolling_upgrade):
        return refused
    exact = exact_spec(desired, model, observed.availability)
    if exact is None:
        return Look.IMAGE
    if isinstance(exact, Decision):
        return exact
    decision = _towards(Aim(desired=hastened(exact, observed.at), model=model, observed=observed))
    if not follows_latest(desired.image) or observed.availability is None:
        return decision
    # Up to date with the version it is on; but nobody can say whether that is the latest.
    unsaid = unavailable(desired.image, observed.availability)
    if unsaid and isinstance(decision, Decision) and decision.reason is Reason.UP_TO_DATE:
        return replace(unsaid, counts=decision.counts)
    return decision


def _counted(held: Decision, desired: ScaleSet, observed: Observed) -> Decision | Look:
    """A brake, with the instances counted: nothing is done, and people want to know how it stands."""
    if observed.model is None:
        return Look.MODEL
    if isinstance(observed.model, Absent):
        return held
    if observed.instances is None:
        return Look.INSTANCES
    exact = exact_if_known(desired, observed)
    context = with_instances(Aim(desired=exact, model=observed.model, observed=observed), observed.instances)
    # A list that does not tell enough is a decision, which counts none.
    return replace(held, counts=context.counts)


def _towards(aim: Aim) -> Decision | Look:
    """The rungs that know the exact image: towards it or, once it was given up, back from it."""
    model, observed, on_failure = aim.model, aim.observed, aim.rollout.on_failure
    good = model.persisted.stand_in(aim.image)
    if good is None or on_failure is OnFailure.HOLD:
        return _approach(aim)
    if step := back_on_model(aim, good):
        return step
    if observed.instances is None:
        return Look.INSTANCES
    if unread := partial(model, observed.instances):
        return unread
    # By image alone: setting the model back made the others differ from it, who never left.
    rollout = replace(aim.rollout, canary=None, converge=Converge.IMAGE)
    back = replace(aim, desired=replace(aim.desired, image=good, rollout=rollout), is_return=True)
    context = with_instances(back, observed.instances)
    if isinstance(context, Decision):
        return context
    end = end_of_rollback(aim.image, good, context.members, context.counts)
    if on_failure is OnFailure.ROLLBACK or returning(context):
        return _way_to(end, back, given_up=short(aim.image))
    return end


def _way_to(end: Decision, back: Aim, *, given_up: str) -> Decision | Look:
    """The way back to where a rollout that was given up ends, or that end."""
    decision = _approach(back)
    if isinstance(decision, Look):
        return decision
    # Once all were seen to be back, what is waited for was made on the last good image since.
    is_over = back.observed.progress.is_under_way is False
    if _is_done(decision) or (is_over and _only_waits(decision)):
        return replace(end, soon=decision.soon)
    return replace(decision, given_up=given_up)


def _is_done(decision: Decision) -> bool:
    return decision.reason.meaning.phase is Phase.DONE


def _only_waits(decision: Decision) -> bool:
    """Whether it waits for instances or for Azure, and nothing of that has taken too long."""
    meaning = decision.reason.meaning
    return decision.step is None and meaning.keeps_batch and meaning.status is Status.RECONCILING


def _approach(aim: Aim) -> Decision | Look:
    model, observed = aim.model, aim.observed
    if at_work(model.provisioning) and (waits := _busy(aim)):
        return _urgent(aim) or waits
    if model.image is None or not same(model.image, aim.image):
        return drift(aim)
    if again := failed_update(aim):
        return again
    if observed.instances is None:
        return Look.INSTANCES
    context = with_instances(aim, observed.instances)
    if isinstance(context, Decision):
        return context
    return doubtful_update(context) or _roll(context)


def _busy(aim: Aim) -> Decision | Look | None:
    """Wait for Azure, unless it has been at it for too long: then what is stuck is dealt with.

    While our own step is young there is no need to list the instances to know that it is not overdue.
    """
    busy = Decision(
        Reason.AZURE_BUSY, f"Azure is at work on the scale set ({aim.model.provisioning})", soon=True
    )
    if aim.model.provisioning != "updating":
        return busy
    attempt = aim.observed.attempt
    if attempt and isinstance(attempt.step, Upgrade):
        if aim.at - attempt.at <= aim.desired.health.timeout:
            return busy
        # What was seen to be over has ended: it is something else that Azure is at now.
        if aim.observed.progress.is_under_way is not False and (late := never_ends(aim, attempt)):
            busy = late
    if aim.observed.instances is None:
        return Look.INSTANCES
    staying = members(aim.desired, aim.model, aim.observed, aim.observed.instances)
    moving = [each.instance for each in staying if at_work(each.instance.provisioning)]
    return None if any(is_overdue(each, aim.desired, aim.at) for each in moving) else busy


def _urgent(aim: Aim) -> Decision | Look | None:
    """What does not wait for Azure to finish: a fix, or the model going back to the last good image.

    Azure may refuse it while it is at work; that is a conflict, and tried again.
    """
    model, instances = aim.model, aim.observed.instances
    if model.provisioning != "updating" or model.image is None or same(model.image, aim.image):
        return None
    if instances is None:
        return Look.INSTANCES
    is_revert = model.persisted.is_last_good(aim.image)
    return drift(aim) if is_revert or is_fix(aim, instances) else None


def _roll(context: Context) -> Decision | Look:
    """The rungs that need the instances; the model is right by now."""
    movable = context.movable
    if waits := awaited_instances(context, is_last=not movable):
        found = waiting(context, waits)
        is_failure = found.reason.meaning.is_failure and awaited_instances(context, is_last=False)
        return abort(context, found) if is_failure else found
    if not context.is_return and (fickle := relapsing(context)):
        return abort(context, fickle)
    if not movable:
        return without_failure(context, completion(context))
    if hopeless := _hopeless(context):
        return hopeless
    if not context.is_return and (failing := vain_upgrade(context)):
        return failing if isinstance(failing, Look) else abort(context, failing)
    batch_or_gate = _next_batch(context)
    if isinstance(batch_or_gate, Decision) and batch_or_gate.reason.meaning.status is Status.WAITING:
        return spent_upgrade(context) or batch_or_gate
    return batch_or_gate


def _next_batch(context: Context) -> Decision | Look:
    """What does not serve goes first, and what of it passes a closed gate; then what serves. Or what holds
    it."""
    if taken := passing(context):
        is_good = context.is_return or is_proven(context)
        closed = None if is_good else remedy_barrier(context, _DOING, context.counts)
        return closed or batch(context, taken, len(taken))
    if lost := [each for each in context.movable if each.is_lost]:
        # They cost nothing, so they wait for no soak: only for the gates, and go first when those are open.
        has_begun = first(context).has_begun
        closed = barrier(context, has_begun=has_begun, doing=_DOING, counts=context.counts)
        if isinstance(closed, Decision) and (failing := no_cure(context)):
            return failing
        return closed or batch(context, lost, len(lost))
    if late := overrun(context):
        return late
    going = _may(context)
    if not isinstance(going, tuple):
        return going
    candidates, most = going
    why = "" if context.is_return else lone_reason(context)
    return batch(context, candidates, 1 if why else most, why)


def _hopeless(context: Context) -> Decision | Look | None:
    """Give the image up of which no instance can be made; or say so until the upgrade is tried once more, as
    it is where the model stays. What goes to the last good image has nothing to give it up for."""
    if context.model.persisted.is_last_good(context.image):
        return None
    failing = failed_upgrade(context)
    if failing is None or isinstance(failing, Look):
        return failing
    if not is_against_image(context):
        return None
    found = abort(context, failing)
    is_held = isinstance(found, Decision) and found.step is None
    return None if is_held and is_retry_due(context.observed) else found


def _may(context: Context) -> tuple[Sequence[Member], int] | Decision | Look:
    """The working instances that may be taken down now, and how many of them at most; or why none may."""
    if waits := soaking(context) or confirming(context) or (not context.is_return and backing_off(context)):
        return waits
    if waits := sick(context) or missing(context.rollout.canary, context.members):
        return waits
    going = first(context)
    free = room(context, going.members)
    if isinstance(free, Decision):
        return free
    if context.is_return or context.model.persisted.is_last_good(context.image):
        closed: Decision | Look | None = window_barrier(context, _DOING)
    else:
        closed = barrier(context, has_begun=going.has_begun, doing=_DOING, counts=context.counts)
    return closed or (going.members, min(going.most, free))
