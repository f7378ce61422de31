"""Code shared by the acts that write tags on scale sets."""

from collections.abc import Callable
from dataclasses import replace

from reconciler.azure.budget import Priority
from reconciler.azure.compute import Compute
from reconciler.azure.failure import AzureFailure, Conflict
from reconciler.rollout.health import State, state_of
from reconciler.rollout.member import is_up_to_date
from reconciler.rollout.observed import Absent, Model
from reconciler.rollout.persisted import PersistedState
from reconciler.rollout.tags import MOST, STATE, is_storable, missing_room, with_state
from reconciler.spec.image import Image, follows_latest, same
from reconciler.spec.scale_set import ScaleSet, Target


class TagUnchanged(Exception):
    """The tag of a scale set was left unchanged. The message says why."""


def retry_conflict(write: Callable[[], str]) -> str:
    """The result of `write`, which is retried once if another writer, such as an autoscaler, caused a
    conflict.
    """
    try:
        return write()
    except Conflict:
        return write()


def declared_model(desired: ScaleSet, compute: Compute) -> Model:
    """The model of a declared scale set. Raises AzureFailure, or TagUnchanged if it does not exist."""
    return model_at(desired.target, compute)


def model_at(target: Target, compute: Compute) -> Model:
    """The model of a scale set. Raises AzureFailure, or TagUnchanged if it does not exist."""
    model = compute.model(target, Priority.ROLLOUT)
    if isinstance(model, Absent):
        raise TagUnchanged(f"there is no scale set {target.id}")
    return model


def unknown_version_note(image: Image) -> str:
    """Why a person cannot see the version of this image yet, or "" if the image names a version."""
    if not follows_latest(image):
        return ""
    return "its version is not known yet; the daemon resolves latest before a rollout, so try again then"


def check_writable(model: Model, persisted: PersistedState) -> None:
    """Raise TagUnchanged if `persisted` cannot be written to the tags of the scale set."""
    if model.owner:
        raise TagUnchanged(f"it belongs to {model.owner}, so no fleet can claim it")
    if not model.persisted.is_readable:
        raise TagUnchanged(
            f"its tag {STATE} has an unknown format; run the later version that wrote it, or remove the tag "
            "if none did"
        )
    if not is_storable(persisted) or missing_room(model.tags, with_state(model.tags, persisted)):
        raise TagUnchanged(f"the scale set has no room for another tag: Azure allows {MOST}; remove one")


def nothing_waits(desired: ScaleSet, image: Image, model: Model, compute: Compute) -> bool:
    """Whether no rollout waits for the tag, because every instance serves on this image. False if unknown."""
    if model.image is None or not same(model.image, image):
        return False
    exact = replace(desired, image=image)
    try:
        instances = compute.instances(desired.target, model, Priority.ROLLOUT)
    except AzureFailure:
        return False
    at = compute.now()
    return all(
        is_up_to_date(each, exact) and state_of(each, model.health_source, at) is State.HEALTHY
        for each in instances
    )


def takes_effect_note(desired: ScaleSet) -> str:
    """A note that says when the tag will take effect."""
    if desired.fleet.freeze:
        return "no change is made while the fleet is frozen"
    return "no change is made while it is suspended" if desired.suspend else "takes effect at the next sweep"
