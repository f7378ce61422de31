"""Retries an image that has failed, by changing the tags of its scale set."""

from reconciler.acts.tagging import check_writable, declared_model, nothing_waits, takes_effect_note
from reconciler.azure.budget import Priority
from reconciler.azure.compute import Compute
from reconciler.spec.image import Image, follows_latest, is_version_of, short
from reconciler.spec.scale_set import ScaleSet


def retry(desired: ScaleSet, image: Image, compute: Compute) -> str:
    """Record a retry of the image, so that its earlier failures no longer count.

    Returns the result as a message. Raises AzureFailure and TagUnchanged.
    """
    model = declared_model(desired, compute)
    failed = model.persisted.failed
    if follows_latest(image):
        # The version that latest meant: the model is on it, unless it failed and was rolled back. Then the
        # model is on an older version, whose retry would change nothing.
        is_back = bool(model.persisted.failed_before(model.image))
        current = model.image if model.image and is_version_of(model.image, image) and not is_back else None
        available = compute.availability(image, model, Priority.ROLLOUT).image
        image = available if failed and failed.is_of(available) else current or available
    persisted = model.persisted.with_retry(image, compute.now())
    check_writable(model, persisted)
    if failed is None and nothing_waits(desired, image, model, compute):
        return f"nothing to retry: every instance runs {short(image)} and is serving"
    compute.persist(desired.target, model, persisted)
    return (
        f"earlier failures of {short(image)} no longer count, and do not keep other scale sets from "
        "beginning it; instances that are still unhealthy on it count again; "
        f"{takes_effect_note(desired)}"
    )
