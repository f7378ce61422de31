"""Whether a step must wait for the one before it: for its operation, or because nothing of it shows yet.

Azure accepts a step before it carries it out, and what it then lists may be behind. So:

- Before an instance is upgraded, the operation that set the model has ended well. If it failed, the model is
  set once more, though it reads as it should. A new process, which knows no operation, goes by the state of
  the scale set.
- Before another instance is upgraded, the operation of the upgrade before is read, unless the list shows that
  upgrade done. If it failed, the next upgrade waits.
- Two upgrades in a row that fail because no instance can be made of the image tell of the image.
- The same step is not asked for again at once, and later each time: after 5, 10, 20 and 40 minutes. An
  upgrade of which nothing shows after four tries is not asked for again.
- An image that somebody else sets back in the model, three times and more, is set again, and that is told.
- While the instances of an upgrade are listed as they were they may well be away: no other upgrade starts.
- While the model is read with another image than it was set to, no upgrade starts: it goes by the model as it
  is.
"""

from dataclasses import replace
from datetime import datetime

from reconciler.rollout.context import Aim, Context
from reconciler.rollout.counts import InstanceCounts
from reconciler.rollout.decision import Decision
from reconciler.rollout.evidence import fails_again
from reconciler.rollout.observed import Instance, Look, Model, Observed
from reconciler.rollout.patch import patch
from reconciler.rollout.persisted import PersistedState
from reconciler.rollout.reason import Reason
from reconciler.rollout.step import MOST_TRIES, Attempt, PatchModel, Step, Upgrade, patience
from reconciler.rollout.waiting import missed_deadline
from reconciler.rollout.wording import describe, join
from reconciler.spec.image import same, short
from reconciler.spec.scale_set import OnFailure

_CONTESTED = 3  # times that an image was set back


def failed_update(aim: Aim) -> Decision | Look | None:
    """What is to be done about our own change of the model, which reads as done; None if it is.

    A change whose operation failed is made again: what Azure keeps of it nobody knows. Where the operation
    cannot be read, or a later one took its place, the state of the scale set itself has to tell.
    """
    model, attempt = aim.model, aim.observed.attempt
    if attempt is None or not attempt.operation or not isinstance(attempt.step, PatchModel):
        return None
    if not same(attempt.step.image, aim.image):
        return None
    operation = aim.observed.operation
    if operation is None:
        return Look.OPERATION
    if operation.is_under_way:
        return Decision(Reason.AZURE_BUSY, f"{_description(attempt)}, is under way", soon=True)
    is_untold = not operation.status or operation.is_preempted
    if is_untold and model.provisioning == "failed":
        return _once_more(aim, "and its scale set says Failed", attempt.step.persisted)
    if not is_untold and operation.error:
        return _once_more(
            aim, f"but the operation failed: {operation.error.removesuffix('.')}", attempt.step.persisted
        )
    return None


def doubtful_update(context: Context) -> Decision | None:
    """The same for a new process, which finds a scale set that failed and no instance on its image.

    The model may have been set by an operation that failed. To set it once more costs one request, and no
    instance; an upgrade by it could cost a domain.
    """
    if context.observed.attempt is not None or context.model.provisioning != "failed":
        return None
    if not context.movable or any(each.instance.runs(context.image) for each in context.members):
        return None
    return _once_more(context, "and its scale set says Failed", None)


def _once_more(aim: Aim, why: str, persisted: PersistedState | None) -> Decision:
    step = patch(aim.image, aim.model, persisted, aim.desired.fleet.name)
    if isinstance(step, Decision):
        return step
    return Decision(
        Reason.MODEL_UPDATE_FAILED,
        f"setting the image of the model to {short(aim.image)} once more: it was set, {why}",
        step=step,
        soon=True,
    )


def vain_upgrade(context: Context) -> Decision | Look | None:
    """That nothing has come of an upgrade for as long as a batch may be waited for, or None.

    All instances may serve meanwhile. So it says what became of the upgrade: nothing else would.
    """
    late, observed = missed_deadline(context), context.observed
    attempt, operation = observed.attempt, observed.operation
    if late is None or attempt is None or not isinstance(attempt.step, Upgrade):
        return late
    if operation is None and attempt.operation:
        return Look.OPERATION
    failed = operation.error.removesuffix(".") if operation else ""
    times = f"was tried {attempt.tries} times, and the last try" if attempt.tries > 1 else "was tried, and"
    became = f"failed: {failed}" if failed else "does not show"
    return replace(
        late,
        message=f"{_description(attempt)}, {times} {became}; {late.message}; {context.counts.done}; it is "
        "not tried again before the spec changes",
    )


def failed_upgrade(context: Context) -> Decision | Look | None:
    """That the image cannot be made into instances, by our last two upgrades; or None.

    Whether that is evidence is not said here.
    """
    attempt, observed = context.observed.attempt, context.observed
    if attempt is None or not attempt.is_upgrade_to(context.image):
        return None
    if all(_is_done(attempt, each) for each in _upgraded_instances(attempt, observed)):
        return None
    if attempt.operation and not attempt.error and observed.operation is None:
        return Look.OPERATION
    if not fails_again(context):
        return None
    error = observed.operation.error if observed.operation else attempt.error
    is_held = context.rollout.on_failure is OnFailure.HOLD
    return Decision(
        Reason.OPERATION_FAILED,
        f"{_description(attempt)}, failed: {error.removesuffix('.')}; so did the one before"
        f"{f'; {_next_try(attempt, observed.at)}' if is_held else ''}",
        counts=context.counts,
    )


def spent_upgrade(context: Context) -> Decision | Look | None:
    """That the upgrade of these instances was tried as often as it may be, and nothing came of it; or None.

    No gate that opens changes that.
    """
    attempt = context.observed.attempt
    if attempt is None or not attempt.is_upgrade_to(context.image) or attempt.tries < MOST_TRIES:
        return None
    if not {each.instance.id for each in context.movable}.issuperset(attempt.instance_ids):
        return None
    return unmet_expectation(attempt.step, context.observed, context.counts)


def is_retry_due(observed: Observed) -> bool:
    """Whether the last step may be taken once more."""
    attempt = observed.attempt
    return attempt is not None and _is_free(attempt.step, attempt, observed)


def unmet_expectation(
    step: Step, observed: Observed, counts: InstanceCounts | None
) -> Decision | Look | None:
    """Why `step` must wait, or None where it need not."""
    attempt = observed.attempt
    if attempt is None or _is_free(step, attempt, observed):
        return None
    if isinstance(step, Upgrade) and isinstance(attempt.step, PatchModel):
        return _misread(attempt, step, observed)
    named = _upgraded_instances(attempt, observed)
    is_open = isinstance(step, Upgrade) and any(not _is_done(attempt, each) for each in named)
    if step != attempt.step and not is_open:
        return None
    operation = observed.operation
    if operation is None and attempt.operation:
        return Look.OPERATION
    if operation and operation.is_under_way:
        return Decision(Reason.AZURE_BUSY, f"{_description(attempt)}, is under way", soon=True, counts=counts)
    if operation and operation.error:
        failed = f"{_description(attempt)}, failed: {operation.error.removesuffix('.')}"
        return Decision(
            Reason.OPERATION_FAILED, f"{failed}; {_next_try(attempt, observed.at)}", counts=counts
        )
    if step != attempt.step and all(_shows(attempt, each) for each in named):
        return None
    if isinstance(step, PatchModel) and (contest := _contest(attempt, step, observed)):
        return contest
    unlike = [each for each in named if each.provisioning != "succeeded"]
    unseen = f"{_description(attempt)}, does not show yet{f': {describe(unlike)}' if unlike else ''}"
    return Decision(Reason.NO_EFFECT, f"{unseen}; {_next_try(attempt, observed.at)}", counts=counts)


def _is_free(step: Step, attempt: Attempt, observed: Observed) -> bool:
    """Whether enough time has passed since the last step, and this one was not tried often enough."""
    if observed.at - attempt.at < patience(attempt.tries):
        return False
    return not isinstance(step, Upgrade) or step != attempt.step or attempt.tries < MOST_TRIES


def _next_try(attempt: Attempt, at: datetime) -> str:
    when = attempt.at + patience(attempt.tries)
    if at < when:
        return f"it is tried again after {when:%H:%M:%S}"
    return (
        f"it was tried {attempt.tries} times, and is not tried again before the spec changes or somebody "
        "runs `reconciler retry`"
    )


def _contest(attempt: Attempt, step: PatchModel, observed: Observed) -> Decision | None:
    """That another writer set the model since; from the third time on somebody has to choose. Or None."""
    operation, model = observed.operation, observed.model
    if attempt.tries >= _CONTESTED:
        return Decision(
            Reason.CONTESTED,
            f"the model was set to {short(step.image)} {attempt.tries} times, last at "
            f"{attempt.at:%H:%M:%S}, and something else sets it back; let only one of the two name the "
            f"image; it is set again after {attempt.at + patience(attempt.tries):%H:%M:%S}",
        )
    if not attempt.has_succeeded and (operation is None or operation.status != "Succeeded"):
        return None
    image = short(model.image) if isinstance(model, Model) and model.image else "another image"
    return Decision(
        Reason.NO_EFFECT,
        f"the model was set to {short(step.image)} at {attempt.at:%H:%M:%S}, which succeeded, and is on "
        f"{image}: something else has set it since; {_next_try(attempt, observed.at)}",
    )


def _upgraded_instances(attempt: Attempt, observed: Observed) -> list[Instance]:
    """The instances that an upgrade which was tried names, as they are listed now."""
    return [each for each in observed.instances or () if each.id in attempt.instance_ids]


def _misread(attempt: Attempt, step: Upgrade, observed: Observed) -> Decision | Look | None:
    """Why nothing is upgraded by a model that is read with another image than it was set to, or None.

    It counts no instances: that nothing comes of a batch is told by looks that may take one.
    """
    if same(attempt.step.image, step.image):
        return None
    operation = observed.operation
    if operation is None and attempt.operation:
        return Look.OPERATION
    if operation and operation.error:
        return None  # it was not set
    return Decision(
        Reason.NO_EFFECT,
        f"the model was set to {short(attempt.step.image)} at {attempt.at:%H:%M:%S} and is read with "
        f"{short(step.image)}; nothing is upgraded by that before "
        f"{attempt.at + patience(attempt.tries):%H:%M:%S}",
    )


def _is_done(attempt: Attempt, instance: Instance) -> bool:
    """Whether the list shows the upgrade done: no operation needs to tell."""
    return instance.runs(attempt.step.image) and instance.provisioning == "succeeded"


def _shows(attempt: Attempt, instance: Instance) -> bool:
    """Whether the list shows that something has become of this instance since."""
    return instance.runs(attempt.step.image) or instance.since is None or instance.since > attempt.at


def _description(attempt: Attempt) -> str:
    match attempt.step:
        case PatchModel(image=image):
            what = f"the change of the model to {short(image)}"
        case Upgrade(instance_ids=ids, image=image):
            what = f"the upgrade of instance{'s' if len(ids) > 1 else ''} {join(ids)} to {short(image)}"
    return f"{what}, asked for at {attempt.at:%H:%M:%S}"
