"""Writes a scale set as the text of a spec file: the inverse of `declare`.

The text is laid out like the examples in `specs/`, and omits every field that has its default value.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from reconciler.spec import conversion
from reconciler.spec.amount import Amount, Count
from reconciler.spec.check import Check, HttpCheck
from reconciler.spec.document import Document
from reconciler.spec.duration import format_duration
from reconciler.spec.field import EACH, Field
from reconciler.spec.image import Image, PlatformImage, VhdImage
from reconciler.spec.problem import Place
from reconciler.spec.scalar import scalar_text
from reconciler.spec.scale_set import Canary, Health, Rollout, ScaleSet, Target
from reconciler.spec.shape import API_VERSION, fields
from reconciler.spec.suspension import Suspension
from reconciler.spec.window import Window

_EDITORS = "# yaml-language-server: $schema="


def minimal_scale_set(name: str, target: Target, image: Image, place: Place) -> ScaleSet:
    """The scale set that a spec declares if it has only a name, a target and an image."""
    value: Any = {"metadata": {"name": name}, "spec": {"target": _target(target), "image": {}}}
    return conversion.scale_set(Document(value, {}, {(): place}, {}), image, {}, conversion.fleet({}))


def scale_set_text(scale_set: ScaleSet, *, image: str = "", schema: str = "") -> str:
    """The text of the spec file for `scale_set`, without its Fleet, which has its own document.

    `image` is the name of the Image to refer to, or "" to declare the image in the spec itself. `schema` is
    the path from the file to the schema that editors should use, or "" for none.
    """
    document = _document(scale_set)
    if image:
        document["spec"]["image"] = {"ref": image}
    return _text(_without_defaults(document, ()), schema)


def image_text(name: str, image: Image, *, schema: str = "") -> str:
    """The text of the spec file for an Image with this name. `schema` is as in `scale_set_text`."""
    document = {
        "apiVersion": API_VERSION,
        "kind": "Image",
        "metadata": {"name": name},
        "spec": {image.kind: _image(image)},
    }
    return _text(document, schema)


def fleet_text(name: str) -> str:
    """The text of the spec file for a Fleet with this name and no settings."""
    return f"apiVersion: {API_VERSION}\nkind: Fleet\nmetadata: {{name: {scalar_text(name)}}}\nspec: {{}}\n"


def _text(document: Mapping[str, Any], schema: str) -> str:
    modeline = (f"{_EDITORS}{schema}",) if schema else ()
    return "\n".join((*modeline, *_lines(document), ""))


def _document(scale_set: ScaleSet) -> dict[str, Any]:
    """The document with all its fields, in the order of the schema."""
    return {
        "apiVersion": API_VERSION,
        "kind": "ScaleSet",
        "metadata": {"name": scale_set.name, "labels": dict(scale_set.labels)},
        "spec": {
            "target": _target(scale_set.target),
            "image": {scale_set.image.kind: _image(scale_set.image)},
            "rollout": _rollout(scale_set.rollout),
            "health": _health(scale_set.health),
            "dependsOn": list(scale_set.depends_on),
            "wave": scale_set.wave,
            "interval": format_duration(scale_set.interval),
            "suspend": _suspension(scale_set.suspend),
        },
    }


def _suspension(suspension: Suspension | None) -> bool | dict[str, str]:
    if suspension is None or not suspension.reason:
        return suspension is not None
    until = {"until": suspension.until.isoformat()} if suspension.until else {}
    return {"reason": suspension.reason, **({"by": suspension.by} if suspension.by else {}), **until}


def _target(target: Target) -> dict[str, str]:
    return {
        "subscription": target.subscription,
        "resourceGroup": target.resource_group,
        "name": target.name,
    }


def _image(image: Image) -> dict[str, str]:
    match image:
        case PlatformImage():
            return {
                "publisher": image.publisher,
                "offer": image.offer,
                "sku": image.sku,
                "version": image.version,
            }
        case VhdImage(uri=uri):
            return {"uri": uri}
        case _:
            return {"id": image.id}


def _rollout(rollout: Rollout) -> dict[str, Any]:
    return {
        "by": str(rollout.by),
        "order": list(rollout.order),
        **({"canary": _canary(rollout.canary)} if rollout.canary else {}),
        "maxBatch": _amount(rollout.max_batch),
        "maxUnavailable": _amount(rollout.max_unavailable),
        "maxUnhealthy": _amount(rollout.max_unhealthy),
        "maxUnhealthyUpgraded": _amount(rollout.max_unhealthy_upgraded),
        "soak": format_duration(rollout.soak),
        "bakeTime": format_duration(rollout.bake_time),
        "converge": str(rollout.converge),
        "customizedInstances": str(rollout.customized_instances),
        "onFailure": str(rollout.on_failure),
        "requireWayBack": rollout.require_way_back,
        "progressDeadline": format_duration(rollout.progress_deadline),
        **({"deadline": format_duration(rollout.deadline)} if rollout.deadline else {}),
        **({"approval": str(rollout.approval)} if rollout.approval else {}),
        "approver": str(rollout.approver),
        "windows": [_window(each) for each in rollout.windows],
        "checks": [_check(each) for each in rollout.checks],
    }


def _health(health: Health) -> dict[str, Any]:
    return {"timeout": format_duration(health.timeout), "passes": health.passes}


def _window(window: Window) -> dict[str, str]:
    return {
        "kind": str(window.kind),
        "schedule": window.schedule,
        "duration": format_duration(window.duration),
        "timeZone": window.zone,
    }


def _check(check: Check) -> dict[str, Any]:
    if isinstance(check, HttpCheck):
        return {"name": check.name, "http": {"url": check.url, "status": check.status}}
    return {"name": check.name, "prometheus": {"server": check.server, "query": check.query}}


def _canary(canary: Canary) -> dict[str, Any]:
    which = canary.instances
    return {
        "instances": list(which) if isinstance(which, tuple) else _amount(which),
        "soak": format_duration(canary.soak),
    }


def _amount(amount: Amount) -> int | str:
    return amount.instances if isinstance(amount, Count) else str(amount)


def _without_defaults(value: Any, at: Field) -> Any:
    if isinstance(value, list):
        return [_without_defaults(item, (*at, EACH)) for item in value]
    if not isinstance(value, dict):
        return value
    known = fields("ScaleSet")
    kept: dict[str, Any] = {}
    for name, below in value.items():
        field = (*at, name)
        bare = _without_defaults(below, field)
        schema = known.get(field, {})
        if "default" not in schema or bare != schema["default"]:
            kept[name] = bare
    return kept


def _lines(value: Mapping[str, Any], indent: str = "") -> Iterator[str]:
    for name, below in value.items():
        if isinstance(below, dict):
            yield f"{indent}{scalar_text(name)}:"
            yield from _lines(below, f"{indent}  ")
        elif isinstance(below, list) and isinstance(below[0], dict):
            yield f"{indent}{scalar_text(name)}:"
            for item in below:
                first, *rest = _lines(item, f"{indent}    ")
                yield f"{indent}  - {first.lstrip()}"
                yield from rest
        elif isinstance(below, list):
            yield f"{indent}{scalar_text(name)}: [{', '.join(map(scalar_text, below))}]"
        else:
            yield f"{indent}{scalar_text(name)}: {scalar_text(below)}"
