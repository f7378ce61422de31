"""Holds: a freeze of the fleet, or the suspension of one scale set.

A hold takes effect even if its commit is invalid: a person who stops a fleet in an emergency need not wait
until an error in another file is fixed. A valid `freeze` or `suspend` takes effect whatever else is wrong. An
invalid one counts as true.

A valid document without the hold lifts it, even if another file of its commit is broken. A scale set that
keeps its last good declaration, because its own document is broken, also keeps its freeze and its suspension.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from reconciler.spec import conversion
from reconciler.spec.document import Document
from reconciler.spec.field import Field, dotted_path
from reconciler.spec.problem import Problem
from reconciler.spec.scale_set import ScaleSet
from reconciler.spec.suspension import Suspension
from reconciler.spec.validation import is_sound

_FIELDS: Mapping[str, Field] = {"Fleet": ("spec", "freeze"), "ScaleSet": ("spec", "suspend")}


@dataclass(frozen=True, slots=True)
class Hold:
    """A hold. `name` names the suspended scale set, or is None for a freeze of the whole fleet."""

    name: str | None
    suspension: Suspension


def declared_hold(document: Document, kind: str, problems: Iterable[Problem]) -> Hold | None:
    """The hold that a document declares, or None.

    `problems` are the errors in the document.
    """
    if kind not in _FIELDS:
        return None
    name = document.at("metadata", "name")
    if kind == "Fleet":
        name = None
    elif not isinstance(name, str):
        return None
    field = _FIELDS[kind]
    if field not in document.values:
        return None
    path, value = dotted_path(field), document.at(*field)
    is_wrong = any(each.field == path or each.field.startswith(f"{path}.") for each in problems)
    if not is_wrong and is_sound(document, kind, field) and isinstance(value, bool | dict):
        suspension = conversion.suspension(value)
    else:
        suspension = Suspension(f"{path} is invalid and counts as true")
    return Hold(name, suspension) if suspension else None


def apply_holds(scale_sets: Sequence[ScaleSet], holds: Sequence[Hold]) -> tuple[ScaleSet, ...]:
    """The scale sets with these holds applied, in addition to any holds that they declare themselves."""
    freeze = next((each.suspension for each in holds if each.name is None), None)
    suspended = {each.name: each.suspension for each in holds if each.name is not None}
    return tuple(
        replace(
            each,
            suspend=suspended.get(each.name, each.suspend),
            fleet=replace(each.fleet, freeze=freeze or each.fleet.freeze),
        )
        for each in scale_sets
    )
