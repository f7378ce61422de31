"""What a process may do under its claim: upgrade the picked instances, as long as the claim lasts.

If any other step has to come first, the pick ends, because no daemon takes that step during the claim.
"""

from reconciler.daemon.claim_keeper import LOST
from reconciler.daemon.state import PickEnd, ScaleSetState
from reconciler.rollout.claim import claim_length
from reconciler.rollout.observed import Model, Observed
from reconciler.rollout.step import PatchModel, Step
from reconciler.rollout.wording import list_names
from reconciler.spec.image import Image, same, short


def end_under_claim(state: ScaleSetState, observed: Observed, step: Step | None) -> PickEnd | None:
    """The end of the pick if the claim is gone or does not permit `step`, otherwise None."""
    if message := _lost_claim(state, observed) or _step_of_others(state, observed, step):
        return PickEnd(observed.at, message)
    return None


def undeclared_model(model: Model, image: Image) -> str:
    """A message if the model is not on the declared image, otherwise "".

    A person's specs may be older than the daemon's, so this process never sets the model from them.
    """
    if model.image is None or same(model.image, image):
        return ""
    return (
        f"the model is on {short(model.image)}, and the spec declares {short(image)}; merge the spec and let "
        "a daemon set it"
    )


def _lost_claim(state: ScaleSetState, observed: Observed) -> str:
    model = observed.model
    if not isinstance(model, Model):
        return ""
    claim, length = model.persisted.claim, claim_length(state.desired.health.timeout)
    if claim and claim.holder == observed.holder and claim.is_live(observed.at, length):
        return ""
    return LOST


def _step_of_others(state: ScaleSetState, observed: Observed, step: Step | None) -> str:
    """Why the claim does not permit `step`, or "" if it does."""
    if step is None:
        return ""
    if isinstance(step, PatchModel):
        model = observed.model
        undeclared = undeclared_model(model, state.exact) if isinstance(model, Model) else ""
        return undeclared or f"the next step sets the model to {short(step.image)}; let a daemon do that"
    picked = state.pick.pick.instances if state.pick else frozenset()
    others = [id_ for id_ in step.instance_ids if id_ not in picked]
    if not others:
        return ""
    noun, verb, them = ("instance", "goes", "it") if len(others) == 1 else ("instances", "go", "them")
    was = "was" if len(others) == 1 else "were"
    return (
        f"{noun} {list_names(others)} {verb} first and {was} not picked; pick {them} too, or run the daemon"
    )
