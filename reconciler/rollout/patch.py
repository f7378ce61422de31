"""The only change made to a model: its image and, in the same PATCH, the state to persist."""

from dataclasses import replace

from reconciler.rollout.decision import Decision
from reconciler.rollout.observed import Model
from reconciler.rollout.persisted import PersistedState
from reconciler.rollout.reason import Reason
from reconciler.rollout.step import PatchModel
from reconciler.rollout.tags import MOST, is_storable, missing_room, storable, with_state
from reconciler.spec.image import Image
from reconciler.spec.wording import count


def patch(image: Image, model: Model, persisted: PersistedState | None, fleet: str) -> PatchModel | Decision:
    """The step that sets the model to `image`, or why it cannot be taken.

    `persisted` is None if no state is to be persisted. The name of the fleet ("" for none) is written too,
    unless the state needs the room.

        49 other tags, onFailure: hold      the name takes the fiftieth tag
        49 other tags, onFailure: rollback  the name is left out if it would take a second tag
        50 other tags, onFailure: hold      the image is set, but no tag is written
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
        f"{len(model.tags)} of {MOST} tags are in use, and a rollback after a restart would need {lacks} "
        f"more; remove {count(lacks, 'tag')}, or set rollout.onFailure to `hold`",
    )


def is_claimed(step: PatchModel, model: Model, fleet: str) -> bool:
    """Whether the tags of the scale set name this fleet once the step is taken."""
    return (step.persisted or model.persisted).fleet == fleet


def _noting(persisted: PersistedState, image: Image, model: Model) -> PatchModel | None:
    """The step that sets the image and writes this state to the tags, or None if the tags have no room."""
    tags = with_state(model.tags, persisted)
    if not is_storable(persisted) or missing_room(model.tags, tags):
        return None
    return PatchModel(image, model.etag, persisted, tags)


def missing_etag(model: Model) -> Decision | None:
    """The decision not to change the model because it has no etag, or None if it has one.

    The etag ensures that the change applies to the model that was read.
    """
    if model.etag:
        return None
    return Decision(
        Reason.ETAG_MISSING,
        "Azure returned the scale set without an etag, so a write could overwrite another writer's "
        "change; no changes until Azure returns an etag",
    )
