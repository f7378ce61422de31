"""Converts a valid document to the typed values that the rest of the project uses."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from reconciler.spec.amount import amount
from reconciler.spec.check import Check, HttpCheck, PrometheusCheck
from reconciler.spec.document import Document
from reconciler.spec.duration import parse_duration
from reconciler.spec.fleet import Fleet, PauseTag
from reconciler.spec.image import KINDS, Image
from reconciler.spec.scale_set import (
    Approval,
    Approver,
    By,
    Canary,
    Converge,
    CustomizedInstances,
    Health,
    OnFailure,
    Rollout,
    ScaleSet,
    Target,
)
from reconciler.spec.shape import with_defaults
from reconciler.spec.suspension import Suspension
from reconciler.spec.urgency import Urgency
from reconciler.spec.window import Kind, Window


def image(spec: dict[str, Any]) -> Image:
    """The image that a mapping declares. The only key of the mapping is the kind of the image."""
    ((kind, fields),) = spec.items()
    return KINDS[kind](**fields)


def fleet(spec: Mapping[str, Any], name: str = "", shard: str = "") -> Fleet:
    """The Fleet that this spec declares, for one shard or for all scale sets.

    Pass {} and no name if no document declares a Fleet.
    """
    filled_in = with_defaults("Fleet", {"spec": dict(spec)})["spec"]
    return Fleet(
        name=name,
        freeze=suspension(filled_in["freeze"]),
        windows=windows(filled_in["windows"]),
        max_concurrent=amount(filled_in["maxConcurrentRollouts"]),
        max_change=amount(filled_in["maxChange"]),
        max_failed=amount(filled_in["maxFailedRollouts"]),
        allow_unproven_wave=filled_in["allowUnprovenWave"],
        urgent=_urgency(filled_in["urgent"]) if "urgent" in filled_in else None,
        pause_tag=_pause_tag(filled_in["pauseTag"]) if "pauseTag" in filled_in else None,
        barred=frozenset(filled_in["barredCommands"]),
        shard=shard,
    )


def windows(spec: Sequence[Mapping[str, Any]]) -> tuple[Window, ...]:
    """The windows that a list declares, with defaults filled in."""
    filled_in = with_defaults("Fleet", {"spec": {"windows": list(spec)}})["spec"]["windows"]
    return tuple(
        Window(Kind(each["kind"]), each["schedule"], _length(each["duration"]), each["timeZone"])
        for each in filled_in
    )


def scale_set(
    document: Document,
    image: Image,
    policy: Mapping[str, Any],
    fleet: Fleet,
    image_lines: Iterable[tuple[str, int]] = (),
) -> ScaleSet:
    """The scale set that a document declares. `image` is the image that `spec.image` declares or refers to.

    `image_lines` are the lines outside the document that declare the image. A field that `spec.rollout` omits
    is taken from `policy`. A field that is in neither gets its default from the schema.
    """
    assert isinstance(document.value, dict)  # noqa: S101 - validated by the schema
    declared: Any = document.value["spec"]
    merged = {**declared, "rollout": {**policy, **declared.get("rollout", {})}}
    value = with_defaults("ScaleSet", {**document.value, "spec": merged})
    metadata, spec = value["metadata"], value["spec"]
    target = spec["target"]
    return ScaleSet(
        name=metadata["name"],
        labels=metadata["labels"],
        target=Target(target["subscription"], target["resourceGroup"], target["name"]),
        image=image,
        rollout=_rollout(spec["rollout"]),
        health=Health(_length(spec["health"]["timeout"]), spec["health"]["passes"]),
        depends_on=tuple(spec["dependsOn"]),
        wave=spec["wave"],
        interval=_length(spec["interval"]),
        suspend=suspension(spec["suspend"]),
        fleet=fleet,
        place=document.place,
        image_lines=frozenset((*lines_of(document, "spec", "image"), *image_lines)),
    )


def lines_of(document: Document, *at: str) -> Iterator[tuple[str, int]]:
    """The file and line of each value below `at`."""
    for field, place in document.values.items():
        if len(field) > len(at) and field[: len(at)] == at:
            yield place.file, place.line


def _rollout(spec: dict[str, Any]) -> Rollout:
    return Rollout(
        by=By(spec["by"]),
        order=tuple(spec["order"]),
        canary=_canary(spec["canary"]) if "canary" in spec else None,
        max_batch=amount(spec["maxBatch"]),
        max_unavailable=amount(spec["maxUnavailable"]),
        max_unhealthy=amount(spec["maxUnhealthy"]),
        max_unhealthy_upgraded=amount(spec["maxUnhealthyUpgraded"]),
        soak=_length(spec["soak"]),
        bake_time=_length(spec["bakeTime"]),
        converge=Converge(spec["converge"]),
        customized_instances=CustomizedInstances(spec["customizedInstances"]),
        on_failure=OnFailure(spec["onFailure"]),
        require_way_back=spec["requireWayBack"],
        progress_deadline=_length(spec["progressDeadline"]),
        deadline=_length(spec["deadline"]) if "deadline" in spec else None,
        approval=Approval(spec["approval"]) if "approval" in spec else None,
        approver=Approver(spec["approver"]),
        windows=windows(spec["windows"]),
        checks=tuple(map(_check, spec["checks"])),
    )


def _check(spec: dict[str, Any]) -> Check:
    if "http" in spec:
        return HttpCheck(spec["name"], spec["http"]["url"], spec["http"]["status"])
    return PrometheusCheck(spec["name"], spec["prometheus"]["server"], spec["prometheus"]["query"])


def _canary(spec: dict[str, Any]) -> Canary:
    which = spec["instances"]
    instances = tuple(which) if isinstance(which, list) else amount(which)
    return Canary(instances, _length(spec["soak"]))


def _length(text: str) -> timedelta:
    length = parse_duration(text)
    assert length is not None  # noqa: S101 - validated by the schema
    return length


def _urgency(spec: Mapping[str, Any]) -> Urgency:
    until = datetime.fromisoformat(spec["until"])
    return Urgency(image(spec["image"]), spec["reason"], until, spec.get("by", ""))


def _pause_tag(spec: Mapping[str, Any]) -> PauseTag:
    return PauseTag(spec["subscription"], spec["resourceGroup"])


def suspension(spec: bool | Mapping[str, Any]) -> Suspension | None:
    """The suspension that a `suspend` or `freeze` field declares, or None if the field is false."""
    if isinstance(spec, bool):
        return Suspension() if spec else None
    until = spec.get("until")
    return Suspension(spec["reason"], spec.get("by", ""), datetime.fromisoformat(until) if until else None)
