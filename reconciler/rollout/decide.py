"""The decision: what to do next with one scale set, from what is desired and what was observed.

`decide` is pure, and nothing is decided anywhere else. The daemon, `plan`, the forecast and the tests all
call it. It is a sequence of early returns, and each step assumes that no earlier step applied. A step that
needs a fact that costs a request returns a `Need`. The caller reads the fact and decides again, until there
is a Decision.

The safety rule: no instance of a second domain is upgraded while an instance of the first domain is not
healthy. The rule needs no memory, because it considers only the current instances: while any up-to-date
instance is not healthy, or any instance is in transition, nothing is started.

- Instances that do not serve before the rollout reaches them are upgraded first, one domain at a time.
  `remedy` decides which of them pass a closed gate.
- The same applies to instances that Azure has been upgrading for longer than `health.timeout` to an image
  other than the desired one.
- The rule does not wait for instances that a person protects, or that `maxUnhealthyUpgraded` tolerates.
"""

from collections.abc import Sequence
from dataclasses import replace

from reconciler.rollout.batching import (
    disruption_budget,
    is_proven,
    missing_canary,
    next_candidates,
    soak_wait,
    too_many_unhealthy,
    upgrade_batch,
)
from reconciler.rollout.blame import without_failure
from reconciler.rollout.claim import claim_length
from reconciler.rollout.context import Aim, Context
from reconciler.rollout.decision import Decision
from reconciler.rollout.drift import drift
from reconciler.rollout.eviction import eviction_backoff, single_instance_reason
from reconciler.rollout.evidence import has_evidence_against_image
from reconciler.rollout.expectations import (
    doubtful_model_update,
    failed_model_update,
    is_retry_due,
    repeated_upgrade_failure,
    spent_upgrade,
    unmet_expectation,
    upgrade_without_effect,
)
from reconciler.rollout.freshness import are_instances_stale, stale_fact
from reconciler.rollout.gates import closed_gate, closed_gate_for_remedy, closed_gate_for_rollback
from reconciler.rollout.health import State, is_in_transition, state_of
from reconciler.rollout.member import Member, is_overdue, members
from reconciler.rollout.observed import Absent, Instance, Model, Need, Observed
from reconciler.rollout.preflight import exact_if_known, exact_spec, image_unavailable
from reconciler.rollout.progress import Progress, after_a_gap
from reconciler.rollout.reading import (
    is_partial_for_long,
    partial_read,
    with_instances,
    with_listed_instances,
)
from reconciler.rollout.reason import Phase, Reason, Status
from reconciler.rollout.refusal import active_hold, foreign_claim, refusal
from reconciler.rollout.remedy import (
    failed_remediation,
    has_unhealthy_to_roll_back,
    is_fix,
    remedy_candidates,
)
from reconciler.rollout.rollback import abort, end_of_rollback, restore_model
from reconciler.rollout.settled import completion
from reconciler.rollout.step import Attempt, Step, Upgrade
from reconciler.rollout.urgency import with_urgent_limits
from reconciler.rollout.waiting import (
    awaited_instances,
    endless_upgrade,
    health_confirmation,
    instance_wait,
    missed_rollout_deadline,
    relapse_during_soak,
)
from reconciler.rollout.wording import describe_progress
from reconciler.spec.image import Image, follows_latest, same, short
from reconciler.spec.scale_set import Converge, OnFailure, ScaleSet
from reconciler.spec.wording import count

_DOING = "the next batch"


def decide(desired: ScaleSet, observed: Observed) -> Decision | Need:
    """Decide on at most one step towards `desired`, or name the information that is still needed.

    Before a step, all facts must be fresh, and Azure must not be running a rolling upgrade itself.
    """
    # What comes after a gap must not be decided as if the rollout had been watched, and found too slow.
    if (progress := after_a_gap(observed.progress, observed.at)) is not observed.progress:
        observed = replace(observed, progress=progress)
    decision = _decide_unverified(desired, observed)
    if isinstance(decision, Need):
        return decision
    if decision.to_persist and are_instances_stale(observed):
        decision = replace(decision, to_persist=None)  # the next reconcile records it
    found = _verify_step(decision, decision.step, observed) if decision.step else decision
    if isinstance(found, Need) or not decision.rolled_back_from:
        return found
    rolls_back = "failed" if found.reason is Reason.UPGRADING else "failed and is being rolled back"
    then = ", but" if found.reason.meaning.is_failure else ";"
    why = f"{decision.rolled_back_from} {rolls_back}"
    return replace(found, message=f"{why}{then} {found.message}", cause=why if found.step else found.cause)


def _verify_step(decision: Decision, step: Step, observed: Observed) -> Decision | Need:
    """The decision, or what must come before its step: the effect of an earlier step, or a fresh fact."""
    return unmet_expectation(step, observed, decision.counts) or stale_fact(step, observed) or decision


def _decide_unverified(desired: ScaleSet, observed: Observed) -> Decision | Need:
    model = observed.model
    known = model if isinstance(model, Model) else None
    if held := active_hold(desired, observed.fleet_pause, known, observed.at):
        return _with_counts(held, desired, observed)
    if model is None:
        return Need.MODEL
    if isinstance(model, Absent):
        target = desired.target
        return Decision(
            Reason.NOT_FOUND,
            f"Azure has no scale set {target.name} in resource group {target.resource_group} of subscription "
            f"{target.subscription}; correct spec.target, or remove the spec",
        )
    if refused := refusal(desired, model, observed.rolling_upgrade):
        return refused
    length = claim_length(desired.health.timeout)
    model = replace(model, persisted=model.persisted.without_expired_claim(observed.at, length))
    if claimed := foreign_claim(model, observed.holder):
        return claimed
    exact = exact_spec(desired, model, observed.availability)
    if exact is None:
        return Need.IMAGE
    if isinstance(exact, Decision):
        return exact
    decision = _decide_for_exact_image(
        Aim(desired=with_urgent_limits(exact, observed.at), model=model, observed=observed)
    )
    if not follows_latest(desired.image) or observed.availability is None:
        return decision
    # The scale set is up to date with its version, but whether that version is the latest is unknown.
    unsaid = image_unavailable(desired.image, model, observed.availability)
    if unsaid and isinstance(decision, Decision) and decision.reason is Reason.UP_TO_DATE:
        return replace(unsaid, counts=decision.counts)
    return decision


def _with_counts(held: Decision, desired: ScaleSet, observed: Observed) -> Decision | Need:
    """Add instance counts to a decision to do nothing, and a note if new instances get an unproven image."""
    if observed.model is None:
        return Need.MODEL
    if isinstance(observed.model, Absent):
        return held
    if observed.instances is None:
        return Need.INSTANCES
    exact = exact_if_known(desired, observed)
    context = with_instances(Aim(desired=exact, model=observed.model, observed=observed), observed.instances)
    if isinstance(context, Decision):  # the instances cannot be counted by domain
        return held
    image = observed.model.image
    if image is None or not _is_unproven(context, image):
        return replace(held, counts=context.counts)
    message = f"{held.message}; meanwhile, new instances get {short(image)} (not proven in this scale set)"
    return replace(held, message=message, counts=context.counts)


def _is_unproven(context: Context, image: Image) -> bool:
    """Whether the model's image failed here, or is being rolled out and has not been proven yet."""
    if same(image, context.image):
        return context.members != () and not is_proven(context)
    return context.model.persisted.has_failed(image)


def _decide_for_exact_image(aim: Aim) -> Decision | Need:
    """The decision for an exact image: to roll it out or, if it failed, to return to the last good image."""
    model, observed, on_failure = aim.model, aim.observed, aim.rollout.on_failure
    good = model.persisted.rollback_target(aim.image)
    if good is None or on_failure is OnFailure.HOLD:
        return _converge(aim)
    if step := restore_model(aim, good):
        return step if isinstance(step, Need) or step.step else _stay(aim, step)
    if observed.instances is None:
        return Need.INSTANCES
    if unread := partial_read(model, observed.instances, observed):
        return replace(unread, rolled_back_from=short(aim.image))
    # Converge by image alone: setting the model back also left it different from instances that never left
    # the good image.
    rollout = replace(aim.rollout, canary=None, converge=Converge.IMAGE)
    back = replace(aim, desired=replace(aim.desired, image=good, rollout=rollout), is_return=True)
    context = with_instances(back, observed.instances)
    if isinstance(context, Decision):
        return context
    end = end_of_rollback(aim.image, good, context.members, context.counts)
    if on_failure is OnFailure.ROLLBACK or has_unhealthy_to_roll_back(context):
        return _roll_back(end, back, failed=short(aim.image))
    return end


def _stay(aim: Aim, stalled: Decision) -> Decision | Need:
    """The decision if the model stays on the failed image because there is no way back.

    As with `hold`, the rollout waits for the instances that it has upgraded, and continues once they are
    healthy. If there are none, another writer set the model to the image: it is not rolled out again.
    """
    if aim.observed.instances is None:
        return Need.INSTANCES
    staying = members(aim.desired, aim.model, aim.observed, aim.observed.instances)
    if any(each.instance.runs(aim.image) and not each.is_newborn for each in staying):
        return _converge(aim)
    return _with_counts(stalled, aim.desired, aim.observed)


def _roll_back(end: Decision, back: Aim, *, failed: str) -> Decision | Need:
    """The next decision of the rollback to the last good image, or `end` once the rollback is complete."""
    decision = _converge(back)
    if isinstance(decision, Need):
        return decision
    # Once all instances have been seen healthy, one that is waited for is new, on the last good image.
    is_over = back.observed.progress.is_under_way is False
    if _is_done(decision) or (is_over and _only_waits(decision)):
        return replace(end, soon=decision.soon)
    return replace(decision, rolled_back_from=failed)


def _is_done(decision: Decision) -> bool:
    return decision.reason.meaning.phase is Phase.DONE


def _only_waits(decision: Decision) -> bool:
    """Whether the decision is only to wait for instances or for Azure, and the wait is not yet too long."""
    meaning = decision.reason.meaning
    return decision.step is None and meaning.keeps_batch and meaning.status is Status.RECONCILING


def _converge(aim: Aim) -> Decision | Need:
    model, observed = aim.model, aim.observed
    if is_in_transition(model.provisioning) and (waits := _wait_for_azure(aim)):
        return _act_while_azure_is_busy(aim) or waits
    if model.image is None or not same(model.image, aim.image):
        return drift(aim)
    if again := failed_model_update(aim):
        return again
    if observed.instances is None:
        return Need.INSTANCES
    context = with_instances(aim, observed.instances)
    if isinstance(context, Decision):
        return _abort_after_partial_reads(aim, observed.instances) or context
    return doubtful_model_update(context) or _continue_rollout(context)


def _abort_after_partial_reads(aim: Aim, instances: Sequence[Instance]) -> Decision | Need | None:
    """The decision to set the model back although the instance list has long been incomplete, or None.

    The instances that were listed must show that the image failed. The missing instances do not count.
    """
    if not is_partial_for_long(aim.observed):
        return None
    progress = aim.observed.progress
    progress = replace(progress, waiting_since=progress.waiting_since or progress.partial_since)
    context = with_listed_instances(
        replace(aim, observed=replace(aim.observed, progress=progress)), instances
    )
    if isinstance(context, Decision) or not (waits := awaited_instances(context, is_last=False)):
        return None
    failing = instance_wait(context, waits)
    found = abort(context, failing) if failing.reason.meaning.is_failure else None
    return found if isinstance(found, Need) or (found and found.reason is Reason.GIVING_UP) else None


def _wait_for_azure(aim: Aim) -> Decision | Need | None:
    """The decision to wait for Azure, or None if an instance is overdue.

    The next steps deal with an overdue instance. While our own upgrade is younger than `health.timeout`, no
    instance can be overdue, so the instances need not be listed.
    """
    doing = aim.model.provisioning
    until = "" if doing == "deleting" else " until it finishes"
    busy = Decision(
        Reason.AZURE_UPDATING,
        f"Azure is {doing} the scale set; no changes{until}",
        soon=True,
    )
    if aim.model.provisioning != "updating":
        return busy
    attempt = aim.observed.attempt
    if attempt and isinstance(attempt.step, Upgrade):
        if not _is_upgrade_over(attempt, aim.observed.progress):
            busy = replace(busy, message=_batch_progress(aim, attempt))
        if aim.at - attempt.at <= aim.desired.health.timeout:
            return busy
    if aim.observed.instances is None:
        return Need.INSTANCES
    if attempt and _is_upgrade_awaited(attempt, aim) and (late := endless_upgrade(aim, attempt)):
        busy = late
    staying = members(aim.desired, aim.model, aim.observed, aim.observed.instances)
    moving = [each.instance for each in staying if is_in_transition(each.instance.provisioning)]
    return None if any(is_overdue(each, aim.desired, aim.at) for each in moving) else busy


def _is_upgrade_awaited(attempt: Attempt, aim: Aim) -> bool:
    """Whether the last upgrade might still be in progress.

    It is not if the rollout has been seen to end, or if repairs have replaced the instances. Azure is doing
    something else then.
    """
    instances = aim.observed.instances or ()
    is_listed = any(each.id in attempt.instance_ids for each in instances)
    return is_listed and aim.observed.progress.is_under_way is not False


def _is_upgrade_over(attempt: Attempt, progress: Progress) -> bool:
    """Whether this process saw the last upgrade end. If so, Azure is doing something else now.

    Instances are not counted while a scale set reads Updating. A count since then shows that it no longer
    did.
    """
    has_counted = progress.seen_at is not None and progress.seen_at > attempt.at
    return has_counted or progress.is_under_way is False


def _batch_progress(aim: Aim, attempt: Attempt) -> str:
    """What Azure is doing with the last batch and, if known, how many of its instances are healthy."""
    batch = [each for each in aim.observed.instances or () if each.id in attempt.instance_ids]
    healthy = sum(
        each.runs(aim.image) and state_of(each, aim.model.health_source, aim.at) is State.HEALTHY
        for each in batch
    )
    verb = "is" if healthy == 1 else "are"
    known = f"; {healthy} of {count(len(batch), 'instance')} {verb} healthy so far" if batch else ""
    return f"{describe_progress(attempt)}{known}"


def _act_while_azure_is_busy(aim: Aim) -> Decision | Need | None:
    """The decision to act without waiting for Azure, or None.

    Only two kinds of step do not wait: a fix, and the return of the model to the last good image. While Azure
    is busy, it might refuse such a step. That counts as a conflict, and the step is retried.
    """
    model, instances = aim.model, aim.observed.instances
    if model.provisioning != "updating" or model.image is None or same(model.image, aim.image):
        return None
    if instances is None:
        return Need.INSTANCES
    is_revert = model.persisted.is_last_good(aim.image)
    return drift(aim) if is_revert or is_fix(aim, instances) else None


def _continue_rollout(context: Context) -> Decision | Need:
    """The decision once the model is on the image and the instances have been listed."""
    movable = context.movable
    if waits := awaited_instances(context, is_last=not movable):
        found = instance_wait(context, waits)
        is_failure = found.reason.meaning.is_failure and awaited_instances(context, is_last=False)
        return abort(context, found) if is_failure else found
    if not context.is_return and (fickle := relapse_during_soak(context)):
        return abort(context, fickle)
    if not movable:
        return without_failure(context, completion(context))
    if hopeless := _abort_after_failed_upgrades(context):
        return hopeless
    if not context.is_return and (failing := upgrade_without_effect(context)):
        return failing if isinstance(failing, Need) else abort(context, failing)
    batch_or_gate = _next_batch(context)
    if isinstance(batch_or_gate, Decision) and batch_or_gate.reason.meaning.status is Status.WAITING:
        return spent_upgrade(context) or batch_or_gate
    return batch_or_gate


def _next_batch(context: Context) -> Decision | Need:
    """The next batch, or what blocks it.

    Instances that do not serve go first, and some of them pass a closed gate.
    """
    if taken := remedy_candidates(context):
        is_good = context.is_return or is_proven(context)
        closed = None if is_good else closed_gate_for_remedy(context, _DOING, context.counts)
        return closed or upgrade_batch(context, taken, len(taken))
    if unhealthy := [each for each in context.movable if each.is_not_serving]:
        # Upgrading these instances takes nothing out of service. They wait for the gates, but for no soak.
        has_begun = next_candidates(context).has_begun
        closed = closed_gate(context, has_begun=has_begun, doing=_DOING, counts=context.counts)
        if isinstance(closed, Decision) and (failing := failed_remediation(context)):
            return failing
        return closed or upgrade_batch(context, unhealthy, len(unhealthy))
    if late := missed_rollout_deadline(context):
        return late
    going = _serving_candidates(context)
    if not isinstance(going, tuple):
        return going
    candidates, most = going
    why = "" if context.is_return else single_instance_reason(context)
    return upgrade_batch(context, candidates, 1 if why else most, why)


def _abort_after_failed_upgrades(context: Context) -> Decision | Need | None:
    """The decision to abort the rollout of an image from which Azure cannot create instances, or None.

    If the model stays on that image, the failure is reported until the upgrade may be retried. A rollout to
    the last good image is never aborted, because there is nothing to roll back to.
    """
    if context.model.persisted.is_last_good(context.image):
        return None
    failing = repeated_upgrade_failure(context)
    if failing is None or isinstance(failing, Need):
        return failing
    if not has_evidence_against_image(context):
        return None
    found = abort(context, failing)
    is_held = isinstance(found, Decision) and found.step is None
    return None if is_held and is_retry_due(context.observed) else found


def _serving_candidates(context: Context) -> tuple[Sequence[Member], int] | Decision | Need:
    """The serving instances that may be upgraded now and how many at most, or why none may be upgraded.

    10 instances, maxUnavailable 3, 1 of them unavailable: at most 2 others, those of the canary first.
    """
    if (
        waits := soak_wait(context)
        or health_confirmation(context)
        or (not context.is_return and eviction_backoff(context))
    ):
        return waits
    if waits := too_many_unhealthy(context) or missing_canary(context.rollout.canary, context.members):
        return waits
    going = next_candidates(context)
    free = disruption_budget(context, going.members)
    if isinstance(free, Decision):
        return free
    if context.is_return or context.model.persisted.is_last_good(context.image):
        closed: Decision | Need | None = closed_gate_for_rollback(context, _DOING)
    else:
        closed = closed_gate(context, has_begun=going.has_begun, doing=_DOING, counts=context.counts)
    return closed or (going.members, min(going.most, free))
