"""Whether a step must wait for the one before it, which Azure accepted and of which nothing shows yet.

What Azure lists may be behind what it accepted. So the same step is not asked for again at once; while the
instances of an upgrade are listed as they were, they may well be away, and no other upgrade is started; and
while the model is read with another image than the one it was set to, none is either, because an upgrade goes
by the model as it is.
What became of the operation is asked only then, when nothing else tells.
"""

from datetime import timedelta

from reconciler.rollout.decision import Decision, Look
from reconciler.rollout.observed import Instance, Observed
from reconciler.rollout.reason import Reason
from reconciler.rollout.step import PatchModel, Step, Tried, Upgrade
from reconciler.rollout.survey import Survey
from reconciler.rollout.wording import ailing, listed
from reconciler.spec.image import same, short

# Far longer than a list is behind; and an upgrade that failed is not helped by haste.
PATIENCE = timedelta(minutes=5)


def withheld(step: Step, observed: Observed, counts: Survey | None) -> Decision | Look | None:
    """Why `step` must wait, or None where it need not."""
    tried = observed.tried
    if tried is None or observed.at - tried.at >= PATIENCE:
        return None
    if isinstance(step, Upgrade) and isinstance(tried.step, PatchModel):
        return _misread(tried, step, observed)
    named = _named(tried, observed)
    is_unseen = isinstance(step, Upgrade) and any(not _shows(tried, each) for each in named)
    if step != tried.step and not is_unseen:
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


def _shows(tried: Tried, instance: Instance) -> bool:
    """Whether the list shows that something has become of this instance since."""
    if instance.runs(tried.step.image):
        return True
    return instance.since is None or instance.since > tried.at


def _said(step: Step) -> str:
    match step:
        case PatchModel(image=image):
            return f"{short(image)} in the model"
        case Upgrade(instance_ids=ids, image=image):
            return f"{short(image)} on instances {listed(ids)}"
