"""The one change that is made to a model: its image and, in the same PATCH, what is to be remembered."""

from dataclasses import replace

from reconciler.rollout.decision import Decision
from reconciler.rollout.observed import Model
from reconciler.rollout.persisted import PersistedState
from reconciler.rollout.reason import Reason
from reconciler.rollout.step import PatchModel
from reconciler.rollout.tags import MOST, is_storable, missing_room, storable, with_state
from reconciler.spec.image import Image


def patch(image: Image, model: Model, persisted: PersistedState | None, fleet: str) -> PatchModel | Decision:
    """The step, or why it cannot be taken. `persisted` is None where nothing is to be remembered.

    The name of the fleet goes with it, "" where it has none. It makes way for what a restart has to know.

        49 tags of others, onFailure: hold      the name fills the fiftieth
        49 tags of others, onFailure: rollback  the name is left out where, with it, the state would take two
        50 tags of others, onFailure: hold      the image is set, and no tag
    """
    if refused := missing_etag(model):
        return refused
    if persisted is None:
        is_new = model.persisted.fleet != fleet
        claim = _noting(replace(model.persisted, fleet=fleet), image, model) if is_new else None
        return claim or PatchModel(image, model.etag)
    unnamed = storable(replace(persisted, fleet=""))
    if step := _noting(replace(unnamed, fleet=fleet), image, model) or _noting(unnamed, image, model):
        return step
    lacks = missing_room(model.tags, with_state(model.tags, unnamed))
    return Decision(
        Reason.TOO_MANY_TAGS,
        f"{len(model.tags)} of {MOST} tags are used, and a rollback after a restart needs {lacks} more; "
        f"remove {lacks}, or set rollout.onFailure to hold",
    )


def is_claimed(step: PatchModel, model: Model, fleet: str) -> bool:
    """Whether the tags of the scale set name this fleet once the step is taken."""
    return (step.persisted or model.persisted).fleet == fleet


def _noting(persisted: PersistedState, image: Image, model: Model) -> PatchModel | None:
    """The step with this on the tags, None where there is no room for it."""
    tags = with_state(model.tags, persisted)
    if not is_storable(persisted) or missing_room(model.tags, tags):
        return None
    return PatchModel(image, model.etag, persisted, tags)


def missing_etag(model: Model) -> Decision | None:
    """Why the model cannot be changed, or None: a change is sent only if the model is still the one that was
    seen, which its etag tells."""
    if model.etag:
        return None
    return Decision(
        Reason.ETAG_MISSING,
        "Azure returned the scale set without an etag, so a change could overwrite another writer's; "
        "nothing is changed until Azure returns one",
    )
