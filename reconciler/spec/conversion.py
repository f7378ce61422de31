"""A document without mistakes as the typed value that the rest of the project knows."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from reconciler.spec.amount import amount
from reconciler.spec.document import Document
from reconciler.spec.duration import duration
from reconciler.spec.image import KINDS, Image
from reconciler.spec.scale_set import (
    By,
    Canary,
    Converge,
    Health,
    OnFailure,
    Rollout,
    ScaleSet,
    Suspension,
    Target,
)
from reconciler.spec.shape import filled


def image(spec: dict[str, Any]) -> Image:
    """The image of a mapping with its kind for the only key."""
    ((kind, fields),) = spec.items()
    return KINDS[kind](**fields)


def scale_set(document: Document, image: Image, policy: Mapping[str, Any]) -> ScaleSet:
    """The scale set that a document declares, with `image` for what its spec.image says or refers to.

    What its spec.rollout does not say, `policy` says, and else the schema.
    """
    assert isinstance(document.value, dict)  # noqa: S101 - the schema has seen to it
    said: Any = document.value["spec"]
    merged = {**said, "rollout": {**policy, **said.get("rollout", {})}}
    value = filled("ScaleSet", {**document.value, "spec": merged})
    metadata, spec = value["metadata"], value["spec"]
    target = spec["target"]
    return ScaleSet(
        name=metadata["name"],
        labels=metadata["labels"],
        target=Target(target["subscription"], target["resourceGroup"], target["name"]),
        image=image,
        rollout=_rollout(spec["rollout"]),
        health=Health(_length(spec["health"]["timeout"])),
        interval=_length(spec["interval"]),
        suspend=_suspension(spec["suspend"]),
        place=document.place,
    )


def _rollout(spec: dict[str, Any]) -> Rollout:
    return Rollout(
        by=By(spec["by"]),
        max_batch=amount(spec["maxBatch"]),
        converge=Converge(spec["converge"]),
        canary=_canary(spec["canary"]) if "canary" in spec else None,
        soak=_length(spec["soak"]),
        on_failure=OnFailure(spec["onFailure"]),
        max_unavailable=amount(spec["maxUnavailable"]),
    )


def _canary(spec: dict[str, Any]) -> Canary:
    which = spec["instances"]
    instances = tuple(which) if isinstance(which, list) else amount(which)
    return Canary(instances, _length(spec["soak"]))


def _length(text: str) -> timedelta:
    length = duration(text)
    assert length is not None  # noqa: S101 - the schema has seen to it
    return length


def _suspension(spec: bool | dict[str, Any]) -> Suspension | None:
    if isinstance(spec, bool):
        return Suspension() if spec else None
    until = spec.get("until")
    return Suspension(spec["reason"], spec.get("by", ""), datetime.fromisoformat(until) if until else None)
