"""Giving an image up: what is done when a rollout fails, where the spec asks for it.

The model goes back to the last known good image, so that autoscaling and repairs make no more instances on
the bad one; with `rollback` the instances follow it, last one first, gated on health and by the windows.
The image that failed is marked on the scale set and not tried again: only a spec that names another one
goes on.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from reconciler.rollout.batching import is_newborn
from reconciler.rollout.blame import failed_state, with_failure
from reconciler.rollout.context import Aim, Context
from reconciler.rollout.counts import InstanceCounts
from reconciler.rollout.decision import Decision
from reconciler.rollout.evidence import MOST_RELAPSES, is_against_image, is_fickle
from reconciler.rollout.health import State
from reconciler.rollout.member import Member, members
from reconciler.rollout.observed import Instance, Look, Model, Observed
from reconciler.rollout.patch import patch
from reconciler.rollout.persisted import Fingerprint, Mark, PersistedState
from reconciler.rollout.preflight import unavailable
from reconciler.rollout.reason import Reason
from reconciler.spec.image import Image, follows_latest, same, short
from reconciler.spec.scale_set import OnFailure

# An instance that fell sick long after its upgrade may be well again at the next look: it is given no image
# up for it before it was seen so for this long, or fell sick once too often.
_CONFIRMED = timedelta(minutes=1)


# How long after the last batch took too long a process that has just begun still takes that for its failure.
_NOTICED = timedelta(minutes=5)


def state_to_persist(aim: Aim, instances: Sequence[Instance], *, is_fix: bool) -> PersistedState:
    """What to persist with a change of the model, whatever `onFailure` says: a restart has to know which
    image it is, since when, and what was good before, and `onFailure` may say something else by then.

    The image that the model leaves is good if all that could be are on it and most run it well. Latest is
    never: it may come to mean the very image that fails. What a fix replaces has failed, and what has failed
    stays so until it is tried anew: other scale sets that declare it are not to begin it.
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
    """The image that a fix replaces: what was given up, or else what the model is on."""
    persisted, image = model.persisted, model.image
    return persisted.failed if image is None or persisted.is_last_good(image) else Fingerprint.of(image)


def _is_proven(aim: Aim, staying: Sequence[Member]) -> bool:
    """Whether it is what the scale set ran: none could still be brought to it, and most run it well.

    That it bakes still is no matter: going back further would move all instances. One that fell sick while
    its rollout was watched may have done so because of it; later, most must be well, and no more be sick than
    the next rollout bears.
    """
    if any(each.is_movable or each.state is State.RETURNING for each in staying):
        return False
    sick = sum(each.is_lost for each in staying)
    well = sum(not each.is_outdated and each.state is State.BACK for each in staying)
    if not sick:
        return well > 0
    is_borne = sick < well and sick <= aim.rollout.max_unhealthy.of(len(staying))
    return is_borne and _is_long_ago(aim, staying)


def abort(context: Context, failing: Decision) -> Decision | Look:
    """`failing` says why the rollout has failed: hold, or set the model back.

    Without evidence against the image it holds: another image would not help. Once the rollout was over, an
    instance that falls sick is no reason to doubt the image.
    """
    model, good = context.model, context.model.persisted.last_good
    if (good and same(good, context.image)) or is_over(context) or not is_against_image(context):
        return failing
    failing = replace(failing, blamed=Fingerprint.of(context.image))
    is_hold = context.rollout.on_failure is OnFailure.HOLD
    if failing.reason is Reason.HEALTH_CHECK_FAILED and not _is_confirmed(context):
        return replace(failing, soon=not is_hold)
    if is_hold:
        return with_failure(context, failing)
    way = way_back(context.model, context.observed)
    if isinstance(way, Look):
        return way
    if good is None or way:
        return replace(failing, message=f"{failing.message}; no way back: {way}")
    step = patch(good, model, failed_state(context), context.desired.fleet.name)
    if isinstance(step, Decision):
        return step
    return Decision(
        Reason.GIVING_UP,
        f"{failing.message}; setting the model back to {short(good)}",
        step=replace(step, good=Fingerprint.of(good)),
        soon=True,
        counts=failing.counts,
        blamed=failing.blamed,
    )


def _is_confirmed(context: Context) -> bool:
    """Whether what is unhealthy was seen so for long enough, or has been so again and again."""
    progress = context.observed.progress
    if progress.relapses >= MOST_RELAPSES or any(is_fickle(each) for each in context.members):
        return True
    return progress.waiting_since is not None and context.at - progress.waiting_since >= _CONFIRMED


def is_over(context: Context) -> bool:
    """Whether the rollout has ended: by what was seen of it, or else by how long the last batch has been
    back."""
    progress = context.observed.progress
    if progress.is_under_way is not None:
        return not progress.is_under_way
    return not context.movable and _is_long_ago(context, context.members)


def _is_long_ago(aim: Aim, staying: Sequence[Member]) -> bool:
    """Whether nothing has become of any serving instance for longer than a rollout's last batch is watched.

    One that fails tells nothing: it may do so at any time, and that is no batch. Where none serves, the
    beginning tells. One that was made on its image is no part of a batch either: an autoscaler makes them at
    any time. Where all were made on it, the first of them tells.

        bakeTime 0, soak 0, health.timeout 5m: 9 of 10 were upgraded three hours ago, and one failed just now:
        long ago
        the batch before the last was upgraded eight minutes ago, and the last one failed: not long ago
    """
    serving = [each for each in staying if each.state is State.BACK]
    began = aim.model.persisted.began_at(aim.image)
    if not serving and began:
        latest = began
    else:
        dated = [
            (each.instance.since, is_newborn(each.instance))
            for each in serving or staying
            if each.instance.since
        ]
        made = min((since for since, _ in dated), default=aim.at)
        latest = max((since for since, was_made in dated if not was_made), default=made)
    rollout = aim.rollout
    return aim.at - latest >= rollout.bake_time + rollout.first_soak + aim.desired.health.timeout + _NOTICED


def way_back(model: Model, observed: Observed) -> str | Look:
    """Why the model cannot go back to the last good image, in words, "" where it can.

    Whoever may write tags could name any image there. So something else has to show it: that an instance or
    the model runs it, that this very process noted it, or that a commit has declared it for this scale set. A
    catalogue that does not answer bars no way back.
    """
    good = model.persisted.last_good
    if good is None:
        return "no image is known to be good here"
    runs = (model.image, *(each.image for each in observed.instances or ()))
    wrote = observed.progress.wrote_good
    if not any(same(each, good) for each in runs if each) and not (wrote and wrote.is_of(good)):
        if observed.instances is None:
            return Look.INSTANCES
        if observed.was_declared is None:
            return Look.HISTORY
        if not observed.was_declared:
            return f"only a tag says that {short(good)} was good here, and no instance runs it"
    if observed.way_back is None:
        return Look.WAY_BACK
    refused = unavailable(good, observed.way_back)
    if refused and not refused.reason.meaning.is_latest_unknown:
        return f"{short(good)} was good here, and Azure makes no instance from it any more ({refused.reason})"
    return ""


def back_on_model(aim: Aim, good: Image) -> Decision | Look | None:
    """The step that puts the model on the last good image once more, where somebody has changed it."""
    model, failed = aim.model, short(aim.image)
    if model.image and same(model.image, good):
        return None
    way = way_back(model, aim.observed)
    if isinstance(way, Look):
        return way
    if way:
        return Decision(Reason.NO_WAY_BACK, f"{failed} failed, and there is no way back: {way}")
    step = patch(good, model, model.persisted, aim.desired.fleet.name)
    if isinstance(step, Decision):
        return step
    return Decision(
        Reason.GIVING_UP,
        f"{failed} failed and the model is not on {short(good)}; setting it back",
        step=replace(step, good=Fingerprint.of(good)),
        soon=True,
    )


def end_of_rollback(
    image: Image, good: Image, staying: Sequence[Member], counts: InstanceCounts | None
) -> Decision:
    """The end of a rollout that was given up; `staying` and `counts` are as seen from the last good image."""
    still = sum(each.instance.runs(image) for each in staying)
    where = f"{still} of {len(staying)} instances still run it" if still else "no instance runs it"
    return Decision(
        Reason.ROLLOUT_FAILED,
        f"{short(image)} failed and is not tried again; the model is back on {short(good)}, {where}; "
        "name another image",
        counts=counts,
    )
