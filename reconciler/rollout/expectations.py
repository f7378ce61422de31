"""Whether a step must wait for the one before it: for its operation, or because nothing of it shows yet.

Azure accepts a step before it carries it out, and what it then lists may be behind. So:

- Before an instance is upgraded, the operation that set the model has ended well. If it failed, the model is
  set once more, though it reads as it should. A new process, which knows no operation, goes by the state of
  the scale set.
- Before another instance is upgraded, the operation of the upgrade before is read, unless the list shows that
  upgrade done. If it failed, the next upgrade waits.
- The same step is not asked for again at once.
- While the instances of an upgrade are listed as they were they may well be away: no other upgrade starts.
- While the model is read with another image than it was set to, no upgrade starts: it goes by the model as it
  is.
"""

from datetime import timedelta

from reconciler.rollout.context import Aim, Context
from reconciler.rollout.counts import InstanceCounts
from reconciler.rollout.decision import Decision
from reconciler.rollout.observed import Instance, Look, Observed
from reconciler.rollout.patch import patch
from reconciler.rollout.persisted import PersistedState
from reconciler.rollout.reason import Reason
from reconciler.rollout.step import Attempt, PatchModel, Step, Upgrade
from reconciler.rollout.wording import ailing, join
from reconciler.spec.image import same, short

# Far longer than a list is behind; and an upgrade that failed is not helped by haste.
PATIENCE = timedelta(minutes=5)


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
    step = patch(aim.image, aim.model, persisted)
    if isinstance(step, Decision):
        return step
    return Decision(
        Reason.MODEL_UPDATE_FAILED,
        f"setting the image of the model to {short(aim.image)} once more: it was set, {why}",
        step=step,
        soon=True,
    )


def unmet_expectation(
    step: Step, observed: Observed, counts: InstanceCounts | None
) -> Decision | Look | None:
    """Why `step` must wait, or None where it need not."""
    attempt = observed.attempt
    if attempt is None or observed.at - attempt.at >= PATIENCE:
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
    again = f"it is tried again after {attempt.at + PATIENCE:%H:%M:%S}"
    if operation and operation.error:
        failed = f"{_description(attempt)}, failed: {operation.error.removesuffix('.')}; {again}"
        return Decision(Reason.OPERATION_FAILED, failed, counts=counts)
    if step != attempt.step and all(_shows(attempt, each) for each in named):
        return None
    unlike = [each for each in named if each.provisioning != "succeeded"]
    how = f": {ailing(unlike)}" if unlike else ""
    return Decision(
        Reason.NO_EFFECT, f"{_description(attempt)}, does not show yet{how}; {again}", counts=counts
    )


def _upgraded_instances(attempt: Attempt, observed: Observed) -> list[Instance]:
    """The instances that an upgrade which was tried names, as they are listed now."""
    ids = attempt.step.instance_ids if isinstance(attempt.step, Upgrade) else ()
    return [each for each in observed.instances or () if each.id in ids]


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
        f"{short(step.image)}; nothing is upgraded by that before {attempt.at + PATIENCE:%H:%M:%S}",
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
