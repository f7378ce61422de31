"""A document without mistakes as the typed value that the rest of the project knows."""

from datetime import datetime
from typing import Any

from reconciler.spec.amount import amount
from reconciler.spec.document import Document
from reconciler.spec.duration import duration
from reconciler.spec.image import (
    CommunityGalleryImage,
    GalleryImage,
    Image,
    ManagedImage,
    PlatformImage,
    SharedGalleryImage,
    VhdImage,
)
from reconciler.spec.scale_set import By, Converge, Health, Rollout, ScaleSet, Suspension, Target
from reconciler.spec.shape import filled

_KINDS = {
    kind.kind: kind
    for kind in (
        PlatformImage,
        GalleryImage,
        CommunityGalleryImage,
        SharedGalleryImage,
        ManagedImage,
        VhdImage,
    )
}


def image(spec: dict[str, Any]) -> Image:
    """The image of a mapping with its kind for the only key."""
    ((kind, fields),) = spec.items()
    return _KINDS[kind](**fields)


def scale_set(document: Document, image: Image) -> ScaleSet:
    """The scale set that a document declares, with `image` for what its spec.image says or refers to."""
    assert isinstance(document.value, dict)  # noqa: S101 - the schema has seen to it
    value = filled("ScaleSet", document.value)
    metadata, spec = value["metadata"], value["spec"]
    target, rollout = spec["target"], spec["rollout"]
    timeout, interval = duration(spec["health"]["timeout"]), duration(spec["interval"])
    assert timeout is not None  # noqa: S101 - the schema has seen to it
    assert interval is not None  # noqa: S101 - the schema has seen to it
    return ScaleSet(
        name=metadata["name"],
        labels=metadata["labels"],
        target=Target(target["subscription"], target["resourceGroup"], target["name"]),
        image=image,
        rollout=Rollout(By(rollout["by"]), amount(rollout["maxBatch"]), Converge(rollout["converge"])),
        health=Health(timeout),
        interval=interval,
        suspend=_suspension(spec["suspend"]),
        place=document.place,
    )


def _suspension(spec: bool | dict[str, Any]) -> Suspension | None:
    if isinstance(spec, bool):
        return Suspension() if spec else None
    until = spec.get("until")
    return Suspension(spec["reason"], spec.get("by", ""), datetime.fromisoformat(until) if until else None)
