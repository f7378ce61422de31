"""Brakes count even where their commit is broken: who stops a fleet in a hurry does not wait for the mend of
another file.

A well-formed `freeze` or `suspend` counts whatever else is wrong, and one with a mistake at or below it
counts as true. Lifting one takes a commit without a mistake.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from reconciler.spec import conversion
from reconciler.spec.document import Document
from reconciler.spec.field import Field, dotted_path
from reconciler.spec.problem import Problem
from reconciler.spec.scale_set import ScaleSet
from reconciler.spec.suspension import Suspension

_FIELDS: Mapping[str, Field] = {"Fleet": ("spec", "freeze"), "ScaleSet": ("spec", "suspend")}


@dataclass(frozen=True, slots=True)
class Hold:
    """`name` is that of the scale set which is suspended, None where all of them are frozen."""

    name: str | None
    suspension: Suspension


def declared_hold(document: Document, kind: str, problems: Iterable[Problem]) -> Hold | None:
    """The brake that a document declares, perhaps with mistakes: `problems` are its own."""
    if kind not in _FIELDS:
        return None
    name = document.at("metadata", "name")
    if kind == "Fleet":
        name = None
    elif not isinstance(name, str):
        return None
    field = _FIELDS[kind]
    path, value = dotted_path(field), document.at(*field)
    if any(each.field == path or each.field.startswith(f"{path}.") for each in problems):
        suspension: Suspension | None = Suspension(f"{path} has a mistake, and counts as true")
    else:
        suspension = conversion.suspension(value) if isinstance(value, bool | dict) else None
    return Hold(name, suspension) if suspension else None


def apply_holds(scale_sets: Sequence[ScaleSet], holds: Sequence[Hold]) -> tuple[ScaleSet, ...]:
    """The scale sets with these beside the brakes that they have."""
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
