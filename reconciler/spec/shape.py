"""The JSON Schema of a spec: its location, its fields and its defaults.

Only the schema defines the name, type and default of a field. Editors use the same schema.
"""

import functools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from reconciler.spec.field import EACH, Field

Schema = dict[str, Any]

KINDS = ("ScaleSet", "Image", "RolloutPolicy", "Fleet")
API_VERSION = "vmss-reconciler/v1alpha1"

SPEC_SCHEMA = "scale-set.schema.json"
_PACKAGE = Path(__file__).resolve().parent.parent


def schema_path(name: str = SPEC_SCHEMA) -> Path:
    """The path of a schema file: inside the package if installed, or next to the package in a checkout."""
    installed = _PACKAGE / "schemas" / name
    return installed if installed.is_file() else _PACKAGE.parent / "schemas" / name


@functools.cache
def schema() -> Schema:
    """The whole schema. All callers share it and must not change it."""
    loaded: Schema = json.loads(schema_path().read_text(encoding="utf-8"))
    return loaded


@functools.cache
def fields(kind: str) -> dict[Field, Schema]:
    """Every field that a document of this kind can have, with its schema, in the order of the schema.

    Fields inside list items have the index `EACH`.
    """
    return dict(_fields(schema()["$defs"][kind], ()))


def with_defaults(kind: str, value: dict[str, Any]) -> dict[str, Any]:
    """The document, with the schema's default for every field that the document omits."""
    return _fill(schema()["$defs"][kind], value)


def _fields(part: Schema, at: Field) -> Iterator[tuple[Field, Schema]]:
    for name, inner in part.get("properties", {}).items():
        resolved = _resolve(inner)
        yield (*at, name), resolved
        yield from _fields(resolved, (*at, name))
    if "items" in part:
        resolved = _resolve(part["items"])
        yield (*at, EACH), resolved
        yield from _fields(resolved, (*at, EACH))


def _fill(part: Schema, value: dict[str, Any]) -> dict[str, Any]:
    result = dict(value)
    for name, inner in part.get("properties", {}).items():
        resolved = _resolve(inner)
        if name not in result and "default" in resolved:
            result[name] = resolved["default"]
        below = result.get(name)
        if isinstance(below, dict):
            result[name] = _fill(resolved, below)
        elif isinstance(below, list):
            items = _resolve(resolved["items"])
            result[name] = [_fill(items, item) if isinstance(item, dict) else item for item in below]
    return result


def _resolve(part: Schema) -> Schema:
    """The schema with its $ref resolved. A keyword next to the $ref, such as a default, takes precedence."""
    if "$ref" not in part:
        return part
    return {**schema()["$defs"][part["$ref"].removeprefix("#/$defs/")], **part}
