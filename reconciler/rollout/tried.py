"""Whether a step must wait for the one before it: for its operation, or because nothing of it shows yet.

Azure accepts a step before it carries it out, and what it then lists may be behind. So:

- Before an instance is upgraded, the operation that set the model has ended well. If it failed, the model is
  set once more, though it reads as it should.
- Before another instance is upgraded, the operation of the upgrade before is read, unless the list shows that
  upgrade done. If it failed, the next upgrade waits.
- The same step is not asked for again at once.
- While the instances of an upgrade are listed as they were they may well be away: no other upgrade starts.
- While the model is read with another image than it was set to, no upgrade starts: it goes by the model as it
  is.
"""

from datetime import timedelta

from reconciler.rollout.context import Aim
from reconciler.rollout.decision import Decision, Look
from reconciler.rollout.health import at_work
from reconciler.rollout.observed import Instance, Observed
from reconciler.rollout.reason import Reason
from reconciler.rollout.refusal import unguarded
from reconciler.rollout.step import PatchModel, Step, Tried, Upgrade
from reconciler.rollout.survey import Survey
from reconciler.rollout.wording import ailing, listed
from reconciler.spec.image import same, short

# Far longer than a list is behind; and an upgrade that failed is not helped by haste.
PATIENCE = timedelta(minutes=5)


def unset(aim: Aim) -> Decision | Look | None:
    """What is to be done about our own change of the model, which reads as done; None if it is.

    A change whose operation failed is made again: what Azure keeps of it nobody knows. Where the operation
    cannot be read, or a later one took its place, the state of the scale set itself has to tell.
    """
    image, model, tried = aim.image, aim.model, aim.observed.tried
    if tried is None or not tried.operation or not isinstance(tried.step, PatchModel):
        return None
    if not same(tried.step.image, image):
        return None
    operation = aim.observed.operation
    if operation is None:
        return Look.OPERATION
    if operation.status == "InProgress":
        asked = f"Azure was asked at {tried.at:%H:%M:%S} for {_said(tried.step)} and is at work on it"
        return Decision(Reason.AZURE_BUSY, asked, soon=True)
    is_untold = not operation.status or operation.is_preempted
    failed = "" if is_untold else operation.error
    if is_untold and model.provisioning == "failed":
        failed = "the scale set says Failed"
    if not failed:
        return None
    if not model.etag:
        return unguarded()
    return Decision(
        Reason.MODEL_DRIFT,
        f"setting the image of the model to {short(image)} once more: Azure accepted it and then failed: "
        f"{failed}",
        step=PatchModel(image, model.etag),
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
    asked = f"Azure was asked at {tried.at:%H:%M:%S} for {_said(tried.step)}"
    if operation and operation.status == "InProgress":
        return Decision(Reason.AZURE_BUSY, f"{asked} and is at work on it", soon=True, survey=counts)
    again = f"it is asked again after {tried.at + PATIENCE:%H:%M:%S}"
    if operation and operation.error:
        failed = f"{asked}, and failed: {operation.error}; {again}"
        return Decision(Reason.OPERATION_FAILED, failed, survey=counts)
    if step != tried.step and all(_shows(tried, each) for each in named):
        return None
    unlike = [each for each in named if each.provisioning != "succeeded"]
    how = f": {ailing(unlike)}" if unlike else ""
    return Decision(Reason.NO_EFFECT, f"{asked}, which is not so yet{how}; {again}", survey=counts)


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
    if instance.runs(tried.step.image) or at_work(instance.provisioning):
        return True
    return instance.since is None or instance.since > tried.at


def _said(step: Step) -> str:
    match step:
        case PatchModel(image=image):
            return f"{short(image)} in the model"
        case Upgrade(instance_ids=ids, image=image):
            return f"{short(image)} on instances {listed(ids)}"
