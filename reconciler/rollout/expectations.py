"""Whether a step must wait for the previous step: until its operation ends, or its effect is visible.

Azure accepts a step before carrying it out, and Azure's lists can be out of date. Therefore:

- Before an instance is upgraded, the operation that set the model must have succeeded. If that operation
  failed, the model is set again, even if Azure returns the right image. A new process knows of no operation,
  and uses the provisioning state of the scale set instead.
- Before another instance is upgraded, the operation of the last upgrade is read, unless the list shows that
  the upgrade is complete. If that operation failed, the next upgrade waits.
- Two upgrades in a row that fail because instances cannot be created from the image are evidence against the
  image.
- The same step is repeated after 5, 10, 20 and 40 minutes. An upgrade that has had no effect after four tries
  is not repeated.
- If another writer changes the image of the model three times or more, the image is still set again, and the
  message says that the writers compete.
- While Azure lists the instances of an upgrade as unchanged, they might be unavailable, so no other upgrade
  starts.
- While Azure returns the model with an image other than the one that was set, no upgrade starts, because an
  upgrade brings instances to the model.
"""

from dataclasses import replace
from datetime import datetime

from reconciler.rollout.context import Aim, Context
from reconciler.rollout.counts import InstanceCounts
from reconciler.rollout.decision import Decision
from reconciler.rollout.evidence import has_failed_twice
from reconciler.rollout.observed import Instance, Model, Need, Observed
from reconciler.rollout.patch import patch
from reconciler.rollout.persisted import PersistedState
from reconciler.rollout.reason import Reason
from reconciler.rollout.step import MOST_TRIES, Attempt, PatchModel, Step, Upgrade, retry_delay
from reconciler.rollout.waiting import missed_progress_deadline
from reconciler.rollout.wording import (
    describe,
    describe_progress,
    describe_upgrade,
    list_names,
    quote_error,
    time_of_day,
)
from reconciler.spec.duration import format_duration
from reconciler.spec.image import same, short
from reconciler.spec.scale_set import OnFailure

_CONTESTED = 3  # times that the model was set, and another writer changed it
_IS_FAILED = "the provisioning state of the scale set is Failed"


def failed_model_update(aim: Aim) -> Decision | Need | None:
    """What to do after our own model change, once the model shows it, or None if the change succeeded.

    A change whose operation failed is repeated, because it is unknown which part of it took effect. If the
    operation cannot be read, or a later one replaced it, the provisioning state of the scale set decides.
    """
    model, attempt = aim.model, aim.observed.attempt
    if attempt is None or not attempt.operation or not isinstance(attempt.step, PatchModel):
        return None
    if not same(attempt.step.image, aim.image):
        return None
    operation = aim.observed.operation
    if operation is None:
        return Need.OPERATION
    if operation.is_under_way:
        return Decision(Reason.AZURE_UPDATING, describe_progress(attempt), soon=True)
    is_untold = not operation.status or operation.is_preempted
    if is_untold and model.provisioning == "failed":
        return _retry_model_update(aim, _IS_FAILED, attempt.step.persisted)
    if not is_untold and operation.error:
        return _retry_model_update(
            aim,
            f"the previous attempt failed with {quote_error(operation.error)}",
            attempt.step.persisted,
        )
    return None


def doubtful_model_update(context: Context) -> Decision | None:
    """The decision of a new process to set the model again because the scale set has failed, or None.

    Applies only if no instance is on the model's image. The operation that set the model might have failed.
    Setting it again costs one request and affects no instance, but an upgrade after a failed operation could
    take a domain out of service.
    """
    if context.observed.attempt is not None or context.model.provisioning != "failed":
        return None
    if not context.movable or any(each.instance.runs(context.image) for each in context.members):
        return None
    return _retry_model_update(context, _IS_FAILED, None)


def _retry_model_update(aim: Aim, why: str, persisted: PersistedState | None) -> Decision:
    step = patch(aim.image, aim.model, persisted, aim.desired.fleet.claim)
    if isinstance(step, Decision):
        return step
    return Decision(
        Reason.MODEL_UPDATE_FAILED,
        f"setting the model's image to {short(aim.image)} again, because {why}",
        step=step,
        soon=True,
    )


def upgrade_without_effect(context: Context) -> Decision | Need | None:
    """The failure of an upgrade that had no effect within `progressDeadline`, or None.

    The message says what happened to the upgrade, because all instances might still be serving.
    """
    late, observed = missed_progress_deadline(context), context.observed
    attempt, operation = observed.attempt, observed.operation
    if late is None or attempt is None or not isinstance(attempt.step, Upgrade):
        return late
    if operation is None and attempt.operation:
        return Need.OPERATION
    error = operation.error if operation else ""
    patience = format_duration(context.rollout.progress_deadline)
    tried = "1 try, at" if attempt.tries == 1 else f"{attempt.tries} tries, the last at"
    tries = f"{tried} {time_of_day(attempt.at)}"
    what = (
        f"did not succeed within {patience} ({tries}): {quote_error(error)}"
        if error
        else f"had no effect within {patience} ({tries}){_kept_image(attempt, observed)}"
    )
    return replace(late, message=f"{_subject(attempt)} {what}; no retry until the spec changes")


def repeated_upgrade_failure(context: Context) -> Decision | Need | None:
    """The decision to report that two upgrades in a row could not create instances from the image, or None.

    These are our last two upgrades. The caller decides whether the failures are evidence against the image.
    """
    attempt, observed = context.observed.attempt, context.observed
    if attempt is None or not attempt.is_upgrade_to(context.image):
        return None
    if all(_is_done(attempt, each) for each in _upgraded_instances(attempt, observed)):
        return None
    if attempt.operation and not attempt.error and observed.operation is None:
        return Need.OPERATION
    if not has_failed_twice(context):
        return None
    error = observed.operation.error if observed.operation else attempt.error
    is_held = context.rollout.on_failure is OnFailure.HOLD
    return Decision(
        Reason.OPERATION_FAILED,
        f"{_subject(attempt)} failed twice in a row, the last time at "
        f"{time_of_day(attempt.at)} with {quote_error(error)}"
        f"{f'; {_next_try(attempt, observed.at)}' if is_held else ''}",
        counts=context.counts,
    )


def spent_upgrade(context: Context) -> Decision | Need | None:
    """Why the last upgrade will not be retried even if the closed gate opens, or None if it will be.

    Applies only while every instance of that upgrade can still be upgraded.
    """
    attempt = context.observed.attempt
    if attempt is None or not attempt.is_upgrade_to(context.image) or attempt.tries < MOST_TRIES:
        return None
    if not {each.instance.id for each in context.movable}.issuperset(attempt.instance_ids):
        return None
    return unmet_expectation(attempt.step, context.observed, context.counts)


def is_retry_due(observed: Observed) -> bool:
    """Whether the last step may be repeated now."""
    attempt = observed.attempt
    return attempt is not None and _may_repeat(attempt.step, attempt, observed)


def unmet_expectation(
    step: Step, observed: Observed, counts: InstanceCounts | None
) -> Decision | Need | None:
    """Why `step` must wait for the previous step, or None if it need not wait."""
    attempt = observed.attempt
    if attempt is None or _may_repeat(step, attempt, observed):
        return None
    if isinstance(step, Upgrade) and isinstance(attempt.step, PatchModel):
        return _unset_model(attempt, step, observed)
    named = _upgraded_instances(attempt, observed)
    is_open = isinstance(step, Upgrade) and any(not _is_done(attempt, each) for each in named)
    if step != attempt.step and not is_open:
        return None
    operation = observed.operation
    if operation is None and attempt.operation:
        return Need.OPERATION
    if operation and operation.is_under_way:
        return Decision(Reason.AZURE_UPDATING, describe_progress(attempt), soon=True, counts=counts)
    if operation and operation.error:
        failed = f"{_description(attempt)} failed with {quote_error(operation.error)}"
        return Decision(
            Reason.OPERATION_FAILED, f"{failed}; {_next_try(attempt, observed.at)}", counts=counts
        )
    if step != attempt.step and all(_has_changed(attempt, each) for each in named):
        return None
    if isinstance(step, PatchModel) and (contest := _contest(attempt, step, observed)):
        return contest
    unlike = [each for each in named if each.provisioning != "succeeded"]
    unseen = f"{_description(attempt, unlike)} has had no effect yet"
    kept = _kept_image(attempt, observed)
    retry = "otherwise the next retry is" if kept else "retrying"
    next_try = _next_try(attempt, observed.at, retry)
    return Decision(Reason.NO_EFFECT, f"{unseen}{kept}; {next_try}", counts=counts)


def _may_repeat(step: Step, attempt: Attempt, observed: Observed) -> bool:
    """Whether enough time has passed since the last step, and there are tries left.

    second try sent at 09:00: no third try before 09:10
    """
    if observed.at - attempt.at < retry_delay(attempt.tries):
        return False
    return not isinstance(step, Upgrade) or step != attempt.step or attempt.tries < MOST_TRIES


def _next_try(attempt: Attempt, at: datetime, retry: str = "retrying") -> str:
    when = attempt.at + retry_delay(attempt.tries)
    if at < when:
        return f"{retry} after {time_of_day(when)}"
    return f"not retried after {attempt.tries} tries; change the spec, or run `reconciler retry`"


def _contest(attempt: Attempt, step: PatchModel, observed: Observed) -> Decision | None:
    """The decision to report that another writer has undone our last change of the model, or None.

    From the third time on, a person must choose between the writers.
    """
    model = observed.model
    if attempt.tries >= _CONTESTED:
        return Decision(
            Reason.CONTESTED,
            f"the model was set to {short(step.image)} {attempt.tries} times (last at "
            f"{time_of_day(attempt.at)}), but another writer undid it each time; let only one writer set the "
            "image; retrying after "
            f"{time_of_day(attempt.at + retry_delay(attempt.tries))}",
        )
    if not _has_succeeded(attempt, observed):
        return None
    image = short(model.image) if isinstance(model, Model) and model.image else "another image"
    return Decision(
        Reason.NO_EFFECT,
        f"the model was set to {short(step.image)} at {time_of_day(attempt.at)}, and another writer then set "
        f"it to {image}; {_next_try(attempt, observed.at)}",
    )


def _upgraded_instances(attempt: Attempt, observed: Observed) -> list[Instance]:
    """The instances that the last upgrade named, as listed now."""
    return [each for each in observed.instances or () if each.id in attempt.instance_ids]


def _kept_image(attempt: Attempt, observed: Observed) -> str:
    """A note that the upgrade succeeded but left instances on their earlier image, or "" if unknown.

    This happens with ephemeral OS disks, for which Azure then reports `latestModelApplied`, and in Flexible
    scale sets, for which Azure reports nothing. After only one try, the list might still be out of date, so
    each entry must be newer than the upgrade.
    """
    kept = [each for each in _upgraded_instances(attempt, observed) if not _is_done(attempt, each)]
    is_fresh = attempt.tries > 1 or all(each.since and each.since > attempt.at for each in kept)
    is_kept = all(each.provisioning == "succeeded" and each.latest_model is not False for each in kept)
    image = kept[0].image if kept else None
    if image is None or not is_fresh or not is_kept or not _has_succeeded(attempt, observed):
        return ""
    names, is_one = list_names(each.name for each in kept), len(kept) == 1
    runs, these = ("still runs", "this instance") if is_one else ("still run", "these instances")
    said = "the upgrade succeeded" if kept[0].latest_model is None else "they have the latest model"
    if is_one and kept[0].latest_model:
        said = "it has the latest model"
    return (
        f", although Azure reports that {said}; {names} {runs} {short(image)}, and another upgrade will "
        f"probably not help, so reimage or replace {these}"
    )


def _has_succeeded(attempt: Attempt, observed: Observed) -> bool:
    """Whether the operation of the last step is known to have succeeded."""
    operation = observed.operation
    return attempt.has_succeeded or (operation is not None and operation.status == "Succeeded")


def _unset_model(attempt: Attempt, step: Upgrade, observed: Observed) -> Decision | Need | None:
    """The decision to upgrade nothing until Azure returns the image that was set, or None.

    The decision has no counts, so that the delay does not count as waiting for a batch.
    """
    if same(attempt.step.image, step.image):
        return None
    operation = observed.operation
    if operation is None and attempt.operation:
        return Need.OPERATION
    if operation and operation.error:
        return None  # the image was not set
    return Decision(
        Reason.NO_EFFECT,
        f"the model was set to {short(attempt.step.image)} at {time_of_day(attempt.at)}, but Azure still "
        f"returns {short(step.image)}; no instance will be upgraded before "
        f"{time_of_day(attempt.at + retry_delay(attempt.tries))}",
    )


def _is_done(attempt: Attempt, instance: Instance) -> bool:
    """Whether the list shows the instance as upgraded. If so, the operation need not be read."""
    return instance.runs(attempt.step.image) and instance.provisioning == "succeeded"


def _has_changed(attempt: Attempt, instance: Instance) -> bool:
    """Whether the list shows that this instance has changed since the attempt."""
    return instance.runs(attempt.step.image) or instance.since is None or instance.since > attempt.at


def _description(attempt: Attempt, unlike: list[Instance] | None = None) -> str:
    return f"{_subject(attempt, unlike)}, requested at {time_of_day(attempt.at)},"


def _subject(attempt: Attempt, unlike: list[Instance] | None = None) -> str:
    """A phrase for the last step. For an upgrade, names only the instances in `unlike`, if there are any."""
    match attempt.step:
        case PatchModel(image=image):
            return f"the model change to {short(image)}"
        case Upgrade(image=image) if unlike:
            return f"the upgrade of {describe(unlike)} to {short(image)}"
        case Upgrade() as step:
            return f"the upgrade of {describe_upgrade(step)}"
