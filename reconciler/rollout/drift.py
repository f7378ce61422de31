"""A model that is not on the declared image: whether it may be set to that image, and what else changes."""

from collections.abc import Sequence
from dataclasses import replace

from reconciler.rollout.batching import missing_canary
from reconciler.rollout.context import Aim
from reconciler.rollout.counts import InstanceCounts, count_instances
from reconciler.rollout.decision import Decision
from reconciler.rollout.gates import closed_gate, closed_gate_for_remedy
from reconciler.rollout.health import State
from reconciler.rollout.member import Member, members
from reconciler.rollout.observed import Availability, Instance, Model, Need, Verdict
from reconciler.rollout.patch import is_claimed, missing_etag, patch
from reconciler.rollout.persisted import Fingerprint
from reconciler.rollout.preflight import image_unavailable, incompatibility, too_many_models
from reconciler.rollout.reading import (
    group_instances,
    is_partial_for_long,
    own_instances,
    partial_read,
    with_instances,
)
from reconciler.rollout.reason import Reason
from reconciler.rollout.remedy import is_fix, passes_gates
from reconciler.rollout.rollback import is_over, state_to_persist
from reconciler.rollout.step import PatchModel
from reconciler.rollout.urgency import urgency_note
from reconciler.rollout.wording import share
from reconciler.spec.image import Image, is_version_of, same, short
from reconciler.spec.scale_set import OnFailure, ScaleSet
from reconciler.spec.wording import one_of

_NO_ROOM = "too few of the 50 tags are free to record"
_NO_MEMORY = ("the rollout's start", "a failure")
_NO_OWNER = "the fleet's name"


def drift(aim: Aim) -> Decision | Need:
    """The decision to set the model or to leave it unchanged, or the information that is still needed.

    The instances are needed because they show what else their upgrade will change, and whether the image is a
    fix for a failed rollout.
    """
    model, observed = aim.model, aim.observed
    if refused := missing_etag(model):
        return refused
    if observed.availability is None:
        return Need.IMAGE
    if refused := image_unavailable(aim.image, model, observed.availability) or incompatibility(
        model, observed.availability
    ):
        return refused
    if observed.instances is None:
        return Need.INSTANCES
    is_return = model.persisted.is_last_good(aim.image) and is_partial_for_long(observed)
    if (unread := partial_read(model, observed.instances, observed)) and not is_return:
        return unread
    return _set_model(aim, observed.availability, own_instances(observed.instances))


def _set_model(aim: Aim, availability: Availability, instances: Sequence[Instance]) -> Decision | Need:
    desired, model = aim.desired, aim.model
    if refused := too_many_models(desired.image, instances):
        return refused
    step, unsaid = _step(aim, instances)
    if isinstance(step, Decision):
        return step
    has_way_back = step.persisted is not None and step.persisted.last_good is not None
    if aim.rollout.require_way_back and not has_way_back:
        return Decision(
            Reason.NO_WAY_BACK,
            "rollout.requireWayBack requires an image to roll back to, but none is known to be good "
            "here; set requireWayBack to false to start without one",
        )
    if aim.rollout.on_failure is not OnFailure.HOLD and not has_way_back:
        unsaid = f"{unsaid}; no rollback target is known"
    staying = members(desired, model, aim.observed, instances)
    doing = f"the rollout to {short(desired.image)}"
    # Counted for the status: a gate can block the rollout for days, in which instances can become unhealthy.
    counts = _counts(desired, instances, staying)
    if passes_gates(aim, instances):
        closed = closed_gate_for_remedy(aim, doing, counts)
    else:
        closed = _cannot_follow(desired, instances, staying) or closed_gate(
            aim, has_begun=False, doing=doing, counts=counts
        )
    if closed:
        return closed
    was = short(model.image) if model.image else "none"
    also = _other_changes(model, instances)
    urgent = urgency_note(desired.fleet, desired.image, aim.at)
    return Decision(
        Reason.MODEL_DRIFT,
        f"changing the model's image from {was} to {short(desired.image)}"
        f"{_image_note(availability)}"
        f"{f'; {also}' if also else ''}{_approval(aim)}{unsaid}{f'; {urgent}' if urgent else ''}",
        step=replace(step, good=_noted_good(step, model), not_serving=_not_serving(aim, instances, staying)),
        soon=True,
    )


def _noted_good(step: PatchModel, model: Model) -> Fingerprint | None:
    """The model's current image, if this step records that image as the last good one.

    None if the step keeps the last good image that the tags name, because only a tag shows that image to be
    good.
    """
    is_noted = step.persisted is not None and step.persisted.is_last_good(model.image)
    return Fingerprint.of(model.image) if is_noted and model.image else None


def _image_note(availability: Availability) -> str:
    """What the catalogue says about the image, for the message, or "" if there is nothing to add."""
    if not availability.evidence:
        return ""
    if availability.verdict is Verdict.UNREADABLE:
        return f"; the image could not be checked first: {availability.evidence}"
    return f" ({availability.evidence})"


def _approval(aim: Aim) -> str:
    """Who approved the image and when, or "" if no approval is required or the approver is unknown."""
    signature = aim.model.persisted.signature_of(aim.image) if aim.rollout.approval else None
    return f"; approved {signature}" if signature else ""


def _counts(
    desired: ScaleSet, instances: Sequence[Instance], staying: Sequence[Member]
) -> InstanceCounts | None:
    """The instance counts, or None if the domains are unknown."""
    domains = group_instances(desired.rollout, instances)
    return None if isinstance(domains, Decision) else count_instances(staying, domains)


def _not_serving(aim: Aim, instances: Sequence[Instance], staying: Sequence[Member]) -> frozenset[str]:
    """The ids of the instances that stopped serving before the rollout, so that the image is not to blame.

    An instance that already runs the image, as in a retry, is left out and still counts as evidence. The
    result is empty if an earlier rollout was in progress when this process started, because that rollout
    might have taken instances out of service.
    """
    if not aim.observed.progress.has_seen_all_steps and not _was_over(aim, instances):
        return frozenset()
    not_serving = (
        each
        for each in staying
        if each.is_outdated and not each.is_serving and each.state is not State.DEALLOCATED
    )
    return frozenset(each.instance.id for each in not_serving)


def _was_over(aim: Aim, instances: Sequence[Instance]) -> bool:
    """Whether the rollout to the model's current image has ended, as far as the instances show."""
    leaving = aim.model.image
    if leaving is None:
        return False
    context = with_instances(replace(aim, desired=replace(aim.desired, image=leaving)), instances)
    if isinstance(context, Decision) or any(each.state is State.IN_TRANSITION for each in context.members):
        return False
    return is_over(context)


def _step(aim: Aim, instances: Sequence[Instance]) -> tuple[PatchModel | Decision, str]:
    """The step or a refusal, with a note on what does not fit into the tags."""
    persisted, fleet = (
        state_to_persist(aim, instances, is_fix=is_fix(aim, instances)),
        aim.desired.fleet.claim,
    )
    step, unsaid = patch(aim.image, aim.model, persisted, fleet), []
    if isinstance(step, Decision) and aim.rollout.on_failure is OnFailure.HOLD:
        step, unsaid = patch(aim.image, aim.model, None, fleet), [*_NO_MEMORY]
    if isinstance(step, PatchModel) and not is_claimed(step, aim.model, fleet):
        unsaid = [*unsaid, _NO_OWNER]
    return step, f"; {_NO_ROOM} {one_of(unsaid)}" if unsaid else ""


def _cannot_follow(
    desired: ScaleSet, instances: Sequence[Instance], staying: Sequence[Member]
) -> Decision | None:
    """Why no instance could be upgraded once the model is set, or None.

    Always None once an instance runs the image.
    """
    has_begun = any(each.runs(desired.image) for each in instances)
    if has_begun or not any(each.is_movable for each in staying):
        return None
    domains = group_instances(desired.rollout, instances)
    return domains if isinstance(domains, Decision) else missing_canary(desired.rollout.canary, staying)


def _other_changes(model: Model, instances: Sequence[Instance]) -> str:
    """What the upgrade will change besides the image, or "" if it changes nothing else.

    Another writer made these changes, unless the model went to a failed image and back.
    """
    behind = [each for each in instances if _is_on(model.image, each.image) and each.latest_model is False]
    if not behind:
        return ""
    who = share(len(behind), len(instances))
    if failed := model.persisted.failed_before(model.image):
        why = f"left by the rollback from {failed}, or by another writer"
        return f"the upgrade will also apply other pending model changes to {who} ({why})"
    return f"the upgrade will also apply another pending model change to {who}"


def _is_on(model: Image | None, instance: Image | None) -> bool:
    """Whether an instance runs the model's image. If the model names latest, any version counts."""
    if model is None or instance is None:
        return False
    return same(model, instance) or is_version_of(instance, model)
