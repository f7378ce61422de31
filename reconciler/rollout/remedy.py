"""What passes a closed gate. Nothing passes a brake, nor the approval and the breaker of its own image.

- **The model going back** to the last good image: it takes no instance down, and until then every scale-out
  and repair makes another bad instance.
- **A fix**: while the model is on an image that failed here, or an instance that runs it does not serve,
  another declared image is set, and taken to those instances.
- **Remediation**: an instance that does not serve is brought to an image that is proven on this scale set,
  while no more than `maxUnhealthy` do not serve. Beyond that the cause is not the instance: the declared
  image is taken to one batch of them, to see whether it is the cure.

What a person declares urgent passes windows, waves and the cap on change by itself (`urgency`).

    10 instances, 2 unhealthy on OLD, NEW declared, no window open: NEW is no remedy for one instance, so it
    waits

    10 instances, 3 unhealthy on OLD, NEW declared, maxUnhealthy 20%: NEW is set, and taken to a batch of
    the 3

    10 instances, the canary unhealthy on NEW past health.timeout, FIX declared: FIX is set, and taken to it
"""

from collections.abc import Sequence
from dataclasses import replace

from reconciler.rollout.approval import objection
from reconciler.rollout.batching import is_proven, sick
from reconciler.rollout.context import Aim, Context
from reconciler.rollout.decision import Decision
from reconciler.rollout.evidence import is_against_image
from reconciler.rollout.health import State
from reconciler.rollout.member import Member, is_overdue, members
from reconciler.rollout.observed import Instance
from reconciler.rollout.reading import with_instances
from reconciler.rollout.rollback import is_over
from reconciler.rollout.wording import describe
from reconciler.spec.image import Image, same, short
from reconciler.spec.scale_set import OnFailure


def is_fix(aim: Aim, instances: Sequence[Instance]) -> bool:
    """Whether the image that the model leaves failed here, or an instance that runs such a one does not
    serve.
    """
    failed, leaving = aim.model.persisted.failed, aim.model.image
    lost = [each for each in members(aim.desired, aim.model, aim.observed, instances) if each.is_lost]
    if _on_failed_image(aim, lost):
        return True
    if leaving is None or same(leaving, aim.image):
        return False
    if failed and failed.is_of(leaving):
        return True
    on_its_way = any(_fails_on_its_way(each) and not each.instance.runs(leaving) for each in lost)
    return on_its_way or _has_failed(aim, leaving, instances)


def passes_gates(aim: Aim, instances: Sequence[Instance]) -> bool:
    """Whether the model may be set though a gate is closed.

    As a cure that is to be tried only once it is approved, also where its canary alone is to be: what scales
    out meanwhile runs it.
    """
    if aim.model.persisted.is_last_good(aim.image):
        return True
    staying = members(aim.desired, aim.model, aim.observed, instances)
    lost = sum(each.is_lost for each in staying)
    is_cure = lost > aim.rollout.max_unhealthy.of(len(staying)) and is_approved(aim)
    return is_cure or is_fix(aim, instances)


def passing(context: Context) -> list[Member]:
    """The instances that may be taken now though a gate is closed."""
    lost = [each for each in context.movable if each.is_lost]
    if context.is_return and context.rollout.on_failure is OnFailure.REPIN:
        bad = _on_failed_image(context, lost)
        return [each for each in lost if each.is_stuck or each in bad]
    if not lost or context.is_return:
        return lost
    if not is_approved(context):
        return []
    if bad := _on_failed_image(context, lost):
        return bad
    unhealthy = sum(each.is_lost for each in context.members)
    if unhealthy <= context.rollout.max_unhealthy.of(len(context.members)):
        return lost if is_proven(context) else []
    tried = [each for each in context.members if not each.is_outdated]
    return lost if not tried or any(each.state is State.BACK for each in tried) else []


def returning(context: Context) -> bool:
    """Whether instances go back to the last good image though the spec asks to set back the model alone:
    those that run the failed one and do not serve, or are on their way."""
    attempt = context.observed.attempt
    taken = attempt.instance_ids if attempt and attempt.is_upgrade_to(context.image) else ()
    return bool(passing(context)) or any(
        each.is_awaited
        and each.instance.id in taken
        and not is_overdue(each.instance, context.desired, context.at)
        for each in context.members
    )


def no_cure(context: Context) -> Decision | None:
    """That the image was taken to a batch of those that do not serve, and does not heal them; or None."""
    failing = sick(context)
    tried = [each.instance for each in context.members if each.is_lost and not each.is_outdated]
    if failing is None or not tried or not is_approved(context):
        return None
    return replace(
        failing,
        message=f"{failing.message}; {short(context.image)} is no cure for them, since {describe(tried)} "
        f"{'runs' if len(tried) == 1 else 'run'} it; name another image",
    )


def is_approved(aim: Aim) -> bool:
    """Whether a person has approved the image, where one is asked; the last good one counts as approved."""
    if aim.rollout.approval is None or aim.model.persisted.is_last_good(aim.image):
        return True
    return objection(aim.desired, aim.model.persisted, aim.observed.authors) is None


def _on_failed_image(aim: Aim, lost: Sequence[Member]) -> list[Member]:
    """Those of them that run the image which failed here."""
    failed = aim.model.persisted.failed
    return [each for each in lost if failed and each.instance.image and failed.is_of(each.instance.image)]


def _has_failed(aim: Aim, image: Image, instances: Sequence[Instance]) -> bool:
    """Whether the rollout to `image` was under way, and there is evidence against it."""
    if aim.observed.progress.left_under_way is False:
        return False
    context = with_instances(replace(aim, desired=replace(aim.desired, image=image)), instances)
    if isinstance(context, Decision) or is_over(context):
        return False
    return is_against_image(context)


def _fails_on_its_way(member: Member) -> bool:
    """Whether an upgrade to the model has not succeeded, and shows as that."""
    return not member.instance.latest_model and (member.is_stuck or member.instance.provisioning == "failed")
