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
from reconciler.rollout.decision import Decision, Look
from reconciler.rollout.marks import Marks
from reconciler.rollout.observed import Instance, Observed
from reconciler.rollout.reason import Reason
from reconciler.rollout.refusal import unguarded
from reconciler.rollout.step import PatchModel, Step, Tried, Upgrade
from reconciler.rollout.survey import Survey
from reconciler.rollout.wording import ailing, listed
from reconciler.spec.image import same, short

# Far longer than a list is behind; and an upgrade that failed is not helped by haste.
PATIENCE = timedelta(minutes=5)


def lapse(aim: Aim) -> Decision | Look | None:
    """What is to be done about our own change of the model, which reads as done; None if it is.

    A change whose operation failed is made again: what Azure keeps of it nobody knows. Where the operation
    cannot be read, or a later one took its place, the state of the scale set itself has to tell.
    """
    model, tried = aim.model, aim.observed.tried
    if tried is None or not tried.operation or not isinstance(tried.step, PatchModel):
        return None
    if not same(tried.step.image, aim.image):
        return None
    operation = aim.observed.operation
    if operation is None:
        return Look.OPERATION
    if operation.is_under_way:
        return Decision(Reason.AZURE_BUSY, f"{_said(tried)}, is under way", soon=True)
    is_untold = not operation.status or operation.is_preempted
    if is_untold and model.provisioning == "failed":
        return _once_more(aim, "and its scale set says Failed", tried.step.marks)
    if not is_untold and operation.error:
        return _once_more(
            aim, f"but the operation failed: {operation.error.removesuffix('.')}", tried.step.marks
        )
    return None


def unfinished(context: Context) -> Decision | None:
    """The same for a new process, which finds a scale set that failed and no instance on its image.

    The model may have been set by an operation that failed. To set it once more costs one request, and no
    instance; an upgrade by it could cost a domain.
    """
    if context.observed.tried is not None or context.model.provisioning != "failed":
        return None
    if not context.movable or any(each.instance.runs(context.image) for each in context.members):
        return None
    return _once_more(context, "and its scale set says Failed", None)


def _once_more(aim: Aim, why: str, marks: Marks | None) -> Decision:
    if not aim.model.etag:
        return unguarded()
    return Decision(
        Reason.MODEL_UPDATE_FAILED,
        f"setting the image of the model to {short(aim.image)} once more: it was set, {why}",
        step=PatchModel(aim.image, aim.model.etag, marks, aim.model.tags),
        soon=True,
    )


def withheld(step: Step, observed: Observed, counts: Survey | None) -> Decision | Look | None:
    """Why `step` must wait, or None where it need not."""
    tried = observed.tried
    if tried is None or observed.at - tried.at >= PATIENCE:
        return None
    if isinstance(step, Upgrade) and isinstance(tried.step, PatchModel):
        return _misread(tried, step, observed)
    named = _named(tried, observed)
    is_open = isinstance(step, Upgrade) and any(not _is_done(tried, each) for each in named)
    if step != tried.step and not is_open:
        return None
    operation = observed.operation
    if operation is None and tried.operation:
        return Look.OPERATION
    if operation and operation.is_under_way:
        return Decision(Reason.AZURE_BUSY, f"{_said(tried)}, is under way", soon=True, survey=counts)
    again = f"it is tried again after {tried.at + PATIENCE:%H:%M:%S}"
    if operation and operation.error:
        failed = f"{_said(tried)}, failed: {operation.error.removesuffix('.')}; {again}"
        return Decision(Reason.OPERATION_FAILED, failed, survey=counts)
    if step != tried.step and all(_shows(tried, each) for each in named):
        return None
    unlike = [each for each in named if each.provisioning != "succeeded"]
    how = f": {ailing(unlike)}" if unlike else ""
    return Decision(Reason.NO_EFFECT, f"{_said(tried)}, does not show yet{how}; {again}", survey=counts)


def _named(tried: Tried, observed: Observed) -> list[Instance]:
    """The instances that an upgrade which was tried names, as they are listed now."""
    ids = tried.step.instance_ids if isinstance(tried.step, Upgrade) else ()
    return [each for each in observed.instances or () if each.id in ids]


def _misread(tried: Tried, step: Upgrade, observed: Observed) -> Decision | Look | None:
    """Why nothing is upgraded by a model that is read with another image than it was set to, or None.

    It counts no instances: that nothing comes of a batch is told by looks that may take one.
    """
    if same(tried.step.image, step.image):
        return None
    operation = observed.operation
    if operation is None and tried.operation:
        return Look.OPERATION
    if operation and operation.error:
        return None  # it was not set
    return Decision(
        Reason.NO_EFFECT,
        f"the model was set to {short(tried.step.image)} at {tried.at:%H:%M:%S} and is read with "
        f"{short(step.image)}; nothing is upgraded by that before {tried.at + PATIENCE:%H:%M:%S}",
    )


def _is_done(tried: Tried, instance: Instance) -> bool:
    """Whether the list shows the upgrade done: no operation needs to tell."""
    return instance.runs(tried.step.image) and instance.provisioning == "succeeded"


def _shows(tried: Tried, instance: Instance) -> bool:
    """Whether the list shows that something has become of this instance since."""
    return instance.runs(tried.step.image) or instance.since is None or instance.since > tried.at


def _said(tried: Tried) -> str:
    match tried.step:
        case PatchModel(image=image):
            what = f"the change of the model to {short(image)}"
        case Upgrade(instance_ids=ids, image=image):
            what = f"the upgrade of instance{'s' if len(ids) > 1 else ''} {listed(ids)} to {short(image)}"
    return f"{what}, asked for at {tried.at:%H:%M:%S}"
