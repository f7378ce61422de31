"""What happens when a rollout fails and `onFailure` is not `hold`.

The model returns to the last good image, so that autoscaling and repairs create no more instances on the
failed image. With `rollback` the instances follow, last domain first, gated by health and windows. The failed
image is recorded on the scale set and not retried. Only a spec with another image starts the next rollout.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from reconciler.rollout.blame import failed_state, with_failure
from reconciler.rollout.context import Aim, Context
from reconciler.rollout.counts import InstanceCounts
from reconciler.rollout.decision import Decision
from reconciler.rollout.evidence import MOST_RELAPSES, has_evidence_against_image, is_flapping
from reconciler.rollout.health import State
from reconciler.rollout.member import Member, members
from reconciler.rollout.observed import Instance, Model, Need, Observed
from reconciler.rollout.patch import patch
from reconciler.rollout.persisted import Fingerprint, Mark, PersistedState
from reconciler.rollout.preflight import image_unavailable
from reconciler.rollout.reason import Reason
from reconciler.spec.image import Image, follows_latest, same, short
from reconciler.spec.scale_set import OnFailure
from reconciler.spec.wording import count

# An instance that became unhealthy long after its upgrade might be healthy again at the next observation. The
# image does not fail until the instance has been unhealthy for this long, or has relapsed too often.
_CONFIRMED = timedelta(minutes=1)


# For this long after a batch should have been complete, a new process still blames the rollout if the batch
# fails.
_NOTICED = timedelta(minutes=5)


def state_to_persist(aim: Aim, instances: Sequence[Instance], *, is_fix: bool) -> PersistedState:
    """The state to persist with a change to the model: the image, the time, and the last good image.

    The state does not depend on `onFailure`, because that setting might have changed by the next restart.

    The image that the model leaves is good if every instance that can run it does, and most are healthy.
    Latest is never good, because it might later resolve to the image that fails. The image that a fix
    replaces has failed. A failed image stays failed until it is retried, so that other scale sets do not
    begin its rollout.
    """
    desired, model = aim.desired, aim.model
    failed = _failed(model) if is_fix else model.persisted.failed
    if failed and failed.is_of(aim.image):
        failed = None
    retry = model.persisted.retry
    is_retry = retry is not None and retry.image.is_of(aim.image)
    kept = replace(
        model.persisted,
        began=Mark.of(aim.at, aim.image),
        failed=failed,
        retry=retry if is_retry else None,
    )
    if model.image is None or follows_latest(model.image):
        return kept
    staying = members(replace(desired, image=model.image), model, aim.observed, instances)
    is_good = not is_fix and _is_proven(aim, staying)
    return replace(kept, last_good=model.image) if is_good else kept


def _failed(model: Model) -> Fingerprint | None:
    """The image that a fix replaces: the failed image during a rollback, or else the model's image."""
    persisted, image = model.persisted, model.image
    return persisted.failed if image is None or persisted.is_last_good(image) else Fingerprint.of(image)


def _is_proven(aim: Aim, staying: Sequence[Member]) -> bool:
    """Whether the image that the model leaves has proven itself on the scale set.

    Every instance that can be brought to that image must run it, and most instances must be healthy on it.
    The bake time need not have passed, because a return to an older image would move all instances. Soon
    after the rollout of the image, no instance may be unhealthy, because the image might be the cause. Later,
    the unhealthy instances must be fewer than the healthy ones, and no more than maxUnhealthy.

    10 instances, maxUnhealthy 20%, the rollout long ago: good with 2 unhealthy, not with 3
    """
    if any(each.is_movable or each.state is State.IN_TRANSITION for each in staying):
        return False
    unhealthy = sum(each.is_not_serving for each in staying)
    healthy = sum(not each.is_outdated and each.state is State.HEALTHY for each in staying)
    if not unhealthy:
        return healthy > 0
    is_tolerated = unhealthy < healthy and unhealthy <= aim.rollout.max_unhealthy.of(len(staying))
    return is_tolerated and _is_long_ago(aim, staying)


def abort(context: Context, failing: Decision) -> Decision | Need:
    """The decision to set the model back, or `failing` if the rollout is on hold instead.

    Without evidence against the image, the rollout is on hold, because another image would not help. An
    instance that becomes unhealthy after the end of the rollout is not evidence.
    """
    model, good = context.model, context.model.persisted.last_good
    if (good and same(good, context.image)) or is_over(context) or not has_evidence_against_image(context):
        return failing
    failing = replace(failing, blamed=Fingerprint.of(context.image))
    is_hold = context.rollout.on_failure is OnFailure.HOLD
    if failing.reason is Reason.HEALTH_CHECK_FAILED and not _is_confirmed(context):
        return replace(failing, soon=not is_hold)
    if is_hold:
        return with_failure(context, failing)
    obstacle = rollback_obstacle(context.model, context.observed)
    if isinstance(obstacle, Need):
        return obstacle
    cause = failing.cause or failing.message
    if good is None or obstacle:
        why = f"{cause}; the rollout is on hold, because {obstacle}; declare another image"
        return with_failure(context, replace(failing, message=why))
    step = patch(good, model, failed_state(context), context.desired.fleet.claim)
    if isinstance(step, Decision):
        return step
    return Decision(
        Reason.GIVING_UP,
        f"{cause}; changing the model back to {short(good)}",
        step=replace(step, good=Fingerprint.of(good)),
        soon=True,
        counts=failing.counts,
        blamed=failing.blamed,
        cause=cause,
    )


def _is_confirmed(context: Context) -> bool:
    """Whether instances were unhealthy for long enough, or repeatedly."""
    progress = context.observed.progress
    if progress.relapses >= MOST_RELAPSES or any(is_flapping(each) for each in context.members):
        return True
    return progress.waiting_since is not None and context.at - progress.waiting_since >= _CONFIRMED


def is_over(context: Context) -> bool:
    """Whether the rollout has ended.

    If this process saw neither the beginning nor the end of the rollout, the time since the last upgrade
    decides.
    """
    progress = context.observed.progress
    if progress.is_under_way is not None:
        return not progress.is_under_way
    return not context.movable and _is_long_ago(context, context.members)


def _is_long_ago(aim: Aim, staying: Sequence[Member]) -> bool:
    """Whether the last upgrade of a serving instance was long ago.

    Long ago means longer than a rollout watches a batch. A failed instance does not count, because it can
    fail at any time. If no instance serves, the beginning of the rollout counts. An instance that was created
    on its image does not count, because an autoscaler can create one at any time. If all instances were
    created on their image, the oldest counts.

        bakeTime 0, soak 0, health.timeout 5m, and 5m more:
        9 of 10 were upgraded three hours ago, and one failed just now: long ago
        the batch before the last was upgraded eight minutes ago, and the last one failed: not long ago
    """
    serving = [each for each in staying if each.state is State.HEALTHY]
    began = aim.model.persisted.began_at(aim.image)
    if not serving and began:
        latest = began
    else:
        dated = [(each.instance.since, each.is_newborn) for each in serving or staying if each.instance.since]
        made = min((since for since, _ in dated), default=aim.at)
        latest = max((since for since, was_made in dated if not was_made), default=made)
    rollout = aim.rollout
    return aim.at - latest >= rollout.bake_time + rollout.first_soak + aim.desired.health.timeout + _NOTICED


def rollback_obstacle(model: Model, observed: Observed) -> str | Need:
    """Why the model cannot return to the last good image, or "" if it can.

    Anyone who may write tags could name any image in them, so something other than a tag must confirm the
    image: the model or an instance is on it, this process recorded it, or a commit has declared it for this
    scale set. A catalogue that does not answer blocks no rollback.
    """
    good = model.persisted.last_good
    if good is None:
        return "there is no known good image to return to"
    runs = (model.image, *(each.image for each in observed.instances or ()))
    wrote = observed.progress.wrote_last_good
    if not any(same(each, good) for each in runs if each) and not (wrote and wrote.is_of(good)):
        if observed.instances is None:
            return Need.INSTANCES
        if observed.was_declared is None:
            return Need.HISTORY
        if not observed.was_declared:
            last = short(good)
            return f"no instance runs {last}, and the only record that {last} was good is a tag"
    if observed.rollback_target is None:
        return Need.ROLLBACK_TARGET
    refused = image_unavailable(good, model, observed.rollback_target)
    if refused and not refused.reason.meaning.is_latest_unknown:
        return f"Azure no longer creates instances from the last good image, {short(good)} ({refused.reason})"
    return ""


def restore_model(aim: Aim, good: Image) -> Decision | Need | None:
    """The decision to set the model to the last good image again if another writer changed it, or None."""
    model, failed = aim.model, short(aim.image)
    if model.image and same(model.image, good):
        return None
    obstacle = rollback_obstacle(model, aim.observed)
    if isinstance(obstacle, Need):
        return obstacle
    if obstacle:
        return Decision(
            Reason.NO_WAY_BACK,
            f"{failed} failed but cannot be rolled back, because {obstacle}; declare another image",
        )
    step = patch(good, model, model.persisted, aim.desired.fleet.claim)
    if isinstance(step, Decision):
        return step
    cause = f"{failed} failed, and the model is not on the last good image"
    return Decision(
        Reason.GIVING_UP,
        f"{cause}; changing the model back to {short(good)}",
        step=replace(step, good=Fingerprint.of(good)),
        soon=True,
        cause=cause,
    )


def end_of_rollback(
    image: Image, good: Image, staying: Sequence[Member], counts: InstanceCounts | None
) -> Decision:
    """The decision at the end of a rollback. `staying` and `counts` are relative to the last good image."""
    still = sum(each.instance.runs(image) for each in staying)
    runs = "runs" if still == 1 else "run"
    who = f"{still} of {count(len(staying), 'instance')} still {runs}" if still else "no instance runs"
    return Decision(
        Reason.ROLLOUT_FAILED,
        f"{short(image)} failed and will not be retried; the model is back on {short(good)}, and {who} the "
        "failed image; declare another image",
        counts=counts,
    )
