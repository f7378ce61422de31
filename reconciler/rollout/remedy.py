"""Which steps pass a closed gate. No step passes a hold.

Only the last good image needs no approval and passes the breaker. The steps are:

- **The return of the model** to the last good image. This takes no instance out of service. Until the model
  returns, every scale-out and repair creates another bad instance.
- **A fix**: while the model is on an image that failed here, or an instance on a failed image does not serve,
  another declared image is set, and is rolled out to the instances that do not serve.
- **Remediation**: an instance that does not serve is brought to an image that is proven on this scale set, as
  long as at most `maxUnhealthy` instances do not serve. If more do not serve, the cause is probably not in
  the instances. The declared image is then rolled out to one batch of them, and the result decides whether
  the others follow.

An image that a person declares urgent passes windows, waves and the cap on change (`urgency`).

    10 instances, maxUnhealthy 20%, no window open:
    2 unhealthy on OLD, NEW declared                   NEW is not proven: it waits
    3 unhealthy on OLD, NEW declared                   NEW is set, and rolled out to a batch of the 3
    the canary fails on NEW, FIX declared              FIX is set, and rolled out to the canary
"""

from collections.abc import Sequence
from dataclasses import replace

from reconciler.rollout.approval import objection
from reconciler.rollout.batching import is_proven, too_many_unhealthy, unhealthy_share
from reconciler.rollout.context import Aim, Context
from reconciler.rollout.decision import Decision
from reconciler.rollout.evidence import OS_PROVISIONING, has_evidence_against_image
from reconciler.rollout.health import State
from reconciler.rollout.member import Member, is_overdue, members
from reconciler.rollout.observed import HealthSource, Instance
from reconciler.rollout.reading import with_instances
from reconciler.rollout.rollback import is_over
from reconciler.rollout.wording import describe
from reconciler.spec.image import Image, same, short
from reconciler.spec.scale_set import OnFailure


def is_fix(aim: Aim, instances: Sequence[Instance]) -> bool:
    """Whether the declared image is a fix.

    It is a fix if the model's current image failed here, or if an instance on a failed image does not serve.
    """
    persisted, leaving = aim.model.persisted, aim.model.image
    staying = members(aim.desired, aim.model, aim.observed, instances)
    if _running_failed_image(aim, [each for each in staying if each.is_not_serving]):
        return True
    if leaving is None or same(leaving, aim.image):
        return False
    if persisted.has_failed(leaving):
        return True
    on_its_way = any(
        _failed_to_upgrade(each) and not each.instance.runs(leaving) and _is_out_of_service(each, aim)
        for each in staying
    )
    return on_its_way or _has_failed(aim, leaving, instances)


def passes_gates(aim: Aim, instances: Sequence[Instance]) -> bool:
    """Whether the model may be set even if a gate is closed.

    An image that is tried as remediation needs approval in advance, even with `approval: canary`, because new
    instances run the image as soon as the model is set.
    """
    if aim.model.persisted.is_last_good(aim.image):
        return True
    staying = members(aim.desired, aim.model, aim.observed, instances)
    unhealthy = sum(_is_out_of_service(each, aim) for each in staying)
    is_remediation = unhealthy > aim.rollout.max_unhealthy.of(len(staying)) and is_approved(aim)
    return is_remediation or is_fix(aim, instances)


def remedy_candidates(context: Context) -> list[Member]:
    """The instances that may be upgraded now even if a gate is closed."""
    unhealthy = [each for each in context.movable if each.is_not_serving]
    if context.is_return and context.rollout.on_failure is OnFailure.REPIN:
        bad = _running_failed_image(context, unhealthy)
        return [each for each in unhealthy if each.is_stuck or each in bad]
    if not unhealthy or context.is_return:
        return unhealthy
    if not is_approved(context):
        return []
    if bad := _running_failed_image(context, unhealthy):
        return bad
    out_of_service = [each for each in unhealthy if _is_out_of_service(each, context)]
    number = sum(_is_out_of_service(each, context) for each in context.members)
    if number <= context.rollout.max_unhealthy.of(len(context.members)):
        return out_of_service if is_proven(context) else []
    tried = [each for each in context.members if not each.is_outdated]
    return out_of_service if not tried or any(each.state is State.HEALTHY for each in tried) else []


def has_unhealthy_to_roll_back(context: Context) -> bool:
    """Whether `repin` has instances to bring to the last good image.

    These are the instances on the failed image that do not serve, and the instances whose upgrade to the last
    good image is in progress.
    """
    attempt = context.observed.attempt
    taken = attempt.instance_ids if attempt and attempt.is_upgrade_to(context.image) else ()
    return bool(remedy_candidates(context)) or any(
        each.is_awaited
        and each.instance.id in taken
        and not is_overdue(each.instance, context.desired, context.at)
        for each in context.members
    )


def failed_remediation(context: Context) -> Decision | None:
    """The decision to report that some unhealthy instances got the image and stayed unhealthy, or None."""
    failing = too_many_unhealthy(context)
    tried = [each.instance for each in context.members if each.is_not_serving and not each.is_outdated]
    if failing is None or not tried or not is_approved(context):
        return None
    return replace(
        failing,
        message=f"{unhealthy_share(context)}; {describe(tried)} already "
        f"{'runs' if len(tried) == 1 else 'run'} {short(context.image)}, so the image may be the cause; "
        "declare another image",
    )


def is_approved(aim: Aim) -> bool:
    """Whether the image is approved or, like the last good image, needs no approval."""
    if aim.rollout.approval is None or aim.model.persisted.is_last_good(aim.image):
        return True
    return objection(aim.desired, aim.model.persisted, aim.observed.authors) is None


def _is_out_of_service(member: Member, aim: Aim) -> bool:
    """Whether the member does not serve, so that an upgrade outside a window interrupts nothing.

    Azure keeps reporting the failure of an extension that ran long ago. An instance with such a failure
    probably serves if it is running and nothing could report its health. If the present rollout has upgraded
    the instance, it counts as out of service.

        failed with VMExtensionProvisioningError, running, no health extension     it may serve
        failed with OSProvisioningTimedOut, running, no health extension           it does not
    """
    instance, progress = member.instance, aim.observed.progress
    # `taken` outlives the rollout. Without this condition, a decision would depend on the age of the process.
    is_over = progress.is_under_way is False or progress.was_under_way is False
    may_serve = (
        instance.provisioning == "failed"
        and instance.power == "running"
        and not instance.health
        and aim.model.health_source is not HealthSource.EXTENSION
        and not instance.error.casefold().startswith(OS_PROVISIONING)
        and (is_over or instance.id not in progress.taken)
    )
    return member.is_not_serving and not may_serve


def _running_failed_image(aim: Aim, unhealthy: Sequence[Member]) -> list[Member]:
    """The `unhealthy` members that run the image that failed here."""
    persisted = aim.model.persisted
    return [each for each in unhealthy if each.instance.image and persisted.has_failed(each.instance.image)]


def _has_failed(aim: Aim, image: Image, instances: Sequence[Instance]) -> bool:
    """Whether the rollout to `image` was in progress, and there is evidence against that image."""
    if aim.observed.progress.was_under_way is False:
        return False
    context = with_instances(replace(aim, desired=replace(aim.desired, image=image)), instances)
    if isinstance(context, Decision) or is_over(context):
        return False
    return has_evidence_against_image(context)


def _failed_to_upgrade(member: Member) -> bool:
    """Whether an upgrade of the member to the model has visibly failed or is stuck."""
    return not member.instance.latest_model and (member.is_stuck or member.instance.provisioning == "failed")
