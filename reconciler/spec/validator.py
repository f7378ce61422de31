"""JSON Schema validators for whole documents and for single fields."""

import functools

from jsonschema import Draft202012Validator
from jsonschema.validators import extend

from reconciler.spec.field import Field
from reconciler.spec.shape import fields, schema

# A rule reports duplicates, with both places. jsonschema would compare all pairs of items of a mixed list.
_IGNORED = {"uniqueItems": lambda *_: ()}
_Validator: type[Draft202012Validator] = extend(Draft202012Validator, _IGNORED)  # type: ignore[no-untyped-call]


@functools.cache
def validator(kind: str) -> Draft202012Validator:
    return _Validator({"$ref": f"#/$defs/{kind}", "$defs": schema()["$defs"]})


@functools.cache
def field_validator(kind: str, at: Field) -> Draft202012Validator:
    return _Validator({**fields(kind)[at], "$defs": schema()["$defs"]})
