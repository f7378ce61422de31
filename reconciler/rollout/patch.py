"""The one change that is made to a model: its image and, in the same PATCH, what is to be remembered."""

from reconciler.rollout.decision import Decision
from reconciler.rollout.observed import Model
from reconciler.rollout.persisted import PersistedState
from reconciler.rollout.reason import Reason
from reconciler.rollout.step import PatchModel
from reconciler.rollout.tags import MOST, missing_room, storable, with_state
from reconciler.spec.image import Image


def patch(image: Image, model: Model, persisted: PersistedState | None) -> PatchModel | Decision:
    """The step, or why it cannot be taken. `persisted` is None where nothing is to be remembered."""
    if refused := missing_etag(model):
        return refused
    if persisted is None:
        return PatchModel(image, model.etag)
    persisted = storable(persisted)
    tags = with_state(model.tags, persisted)
    if lacks := missing_room(model.tags, tags):
        return Decision(
            Reason.TOO_MANY_TAGS,
            f"the scale set has {len(model.tags)} tags and Azure allows {MOST}: no room for what a restart "
            f"has to know (rollout.onFailure); remove {lacks} of them, or set rollout.onFailure to hold",
        )
    return PatchModel(image, model.etag, persisted, tags)


def missing_etag(model: Model) -> Decision | None:
    """Why the model cannot be changed, or None: a change is sent only if the model is still the one that was
    seen, which its etag tells."""
    if model.etag:
        return None
    return Decision(
        Reason.ETAG_MISSING,
        "Azure sent the scale set without an etag, so a change could overwrite somebody else's; nothing is "
        "changed until there is one",
    )
