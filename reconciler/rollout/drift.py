"""The model is on another image than the declared one: may it be set, and what else will come of it?"""

from collections.abc import Sequence

from reconciler.rollout.context import Aim
from reconciler.rollout.decision import Decision
from reconciler.rollout.gates import barred, is_cure
from reconciler.rollout.member import Member, members
from reconciler.rollout.observed import Instance, Look, Model
from reconciler.rollout.pace import missing
from reconciler.rollout.preflight import crowd, held, misfit
from reconciler.rollout.reading import grouped, own, partial
from reconciler.rollout.reason import Reason
from reconciler.rollout.refusal import unguarded
from reconciler.rollout.rollback import marked
from reconciler.rollout.step import PatchModel
from reconciler.spec.image import Image, is_version_of, same, short
from reconciler.spec.scale_set import ScaleSet


def drift(aim: Aim) -> Decision | Look:
    """The step that sets the model, or why it is not taken, or what is still to be looked at.

    The instances tell what else their upgrade will bring, and whether it is the cure of a rollout that
    failed.
    """
    desired, model, observed = aim.desired, aim.model, aim.observed
    if not model.etag:
        return unguarded()
    if observed.availability is None:
        return Look.IMAGE
    if refused := held(desired.image, observed.availability) or misfit(model, observed.availability):
        return refused
    if observed.instances is None:
        return Look.INSTANCES
    if unread := partial(model, observed.instances):
        return unread
    instances = own(observed.instances)
    if refused := crowd(desired.image, instances):
        return refused
    staying = members(desired, model, observed, instances)
    if not is_cure(desired, model, staying):
        if impossible := _impossible(desired, instances, staying):
            return impossible
        doing = f"setting the image of the model to {short(desired.image)}"
        if closed := barred(aim, has_begun=False, doing=doing, counts=None):
            return closed
    was = short(model.image) if model.image else "none"
    also = _others(model, instances)
    return Decision(
        Reason.MODEL_DRIFT,
        f"the model is on {was}; setting its image to {short(desired.image)}"
        f"{f' ({note})' if (note := observed.availability.evidence) else ''}"
        f"{f'; {also}' if also else ''}",
        step=PatchModel(desired.image, model.etag, marked(desired, model, observed, instances), model.tags),
        soon=True,
    )


def _impossible(
    desired: ScaleSet, instances: Sequence[Instance], staying: Sequence[Member]
) -> Decision | None:
    """Why no instance could follow the model, or None; a rollout that has begun is not stopped for that."""
    has_begun = any(each.runs(desired.image) for each in instances)
    if has_begun or not any(each.is_movable for each in staying):
        return None
    domains = grouped(desired.rollout, instances)
    return domains if isinstance(domains, Decision) else missing(desired.rollout.canary, staying)


def _others(model: Model, instances: Sequence[Instance]) -> str:
    """What instances lack beside the image, in words, or "": somebody else's change, if we made none."""
    behind = [each for each in instances if _is_on(model.image, each.image) and each.latest_model is False]
    if not behind:
        return ""
    share = f"{len(behind)} of {len(instances)} instances lack"
    if failed := model.persisted.given_up_for(model.image):
        return (
            f"{share} the latest model too, which was set to {short(failed)} and back, or changed by "
            "somebody else; their upgrade will bring that along"
        )
    return f"{share} another change of the model too, which their upgrade will bring along"


def _is_on(model: Image | None, instance: Image | None) -> bool:
    """Whether an instance runs what the model says; one on latest says no more than which image."""
    if model is None or instance is None:
        return False
    return same(model, instance) or is_version_of(instance, model)
