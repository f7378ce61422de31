"""Rules between fields, for values that are valid on their own but not together.

Each rule reads the plain values of a rollout or of the spec of a Fleet, and names fields relative to them.
The same rule can check a single document, or a scale set with its policy and its Fleet applied.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any

from reconciler.spec import conversion
from reconciler.spec.document import Document
from reconciler.spec.duration import format_duration, parse_duration
from reconciler.spec.field import Field, dotted_path
from reconciler.spec.image import follows_latest
from reconciler.spec.problem import Problem
from reconciler.spec.window import Kind, Window, never_opens, shadowed_windows
from reconciler.spec.wording import quote

FieldError = tuple[Field, str]

# The kind of domain that an entry of `order` cannot name, by the value of `by`.
_IMPOSSIBLE_DOMAINS = {"updateDomain": "fault domain", "zone": "fault domain", "faultDomain": "update domain"}


def field_conflicts(document: Document, kind: str, faulty: Collection[Field]) -> Iterator[FieldError]:
    """The conflicts between fields of one document.

    Skips `faulty` fields, because their errors are already reported.
    """
    at: Field = ("spec", "rollout") if kind == "ScaleSet" else ("spec",)
    for field, message in _rollout_errors(_valid_fields(faulty, document, at)):
        yield (*at, *field), message
    if kind == "Fleet":
        tenants = _valid_fields(faulty, document, ("spec",)).get("tenants", [])
        paths = [each["path"] for each in tenants]
        for (*_, index), message in _duplicate_errors(("path",), paths):
            yield ("spec", "tenants", index, "path"), message.replace("path[", "tenants[")
        urgent = _valid_fields(faulty, document, ("spec", "urgent"))
        if "image" in urgent and follows_latest(conversion.image(urgent["image"])):
            yield ("spec", "urgent", "image"), "has the version latest: name the exact version that is urgent"
    if kind == "ScaleSet":
        spec = _valid_fields(faulty, document, ("spec",))
        for field, message in _dependency_errors(spec.get("dependsOn", []), document.at("metadata", "name")):
            yield ("spec", *field), message


def inherited_problems(
    document: Document, policy: Mapping[str, Any], fleet: Mapping[str, Any]
) -> Iterator[Problem]:
    """The conflicts in a scale set once its policy and its Fleet are applied.

    Each of the three documents must be valid on its own.
    """
    own: Any = document.at("spec", "rollout") or {}
    merged = {**policy, **own}
    windows = conversion.windows(fleet.get("windows", []))
    for field, message in (*_rollout_errors(merged, windows), *_approver_errors(merged)):
        at: Field = ("spec", "rollout", *field)
        if field[0] in own:
            yield Problem(document.values[at], dotted_path(at), message)
        else:
            at = ("spec", "rollout", "policy")
            yield Problem(
                document.values[at], dotted_path(at), f"does not fit here: its {dotted_path(field)} {message}"
            )


def _valid_fields(faulty: Collection[Field], document: Document, at: Field) -> dict[str, Any]:
    """The fields below `at` that contain no error."""
    value = document.at(*at)
    wrong = {field[len(at)] for field in faulty if field[: len(at)] == at and len(field) > len(at)}
    return (
        {name: each for name, each in value.items() if name not in wrong} if isinstance(value, dict) else {}
    )


def _rollout_errors(rollout: Mapping[str, Any], fleet: Sequence[Window] = ()) -> Iterator[FieldError]:
    order = rollout.get("order", [])
    yield from _duplicate_errors(("order",), order)
    yield from _order_errors(order, rollout.get("by", "auto"))
    names = [check["name"] for check in rollout.get("checks", [])]
    for (*_, index), message in _duplicate_errors(("checks",), names):
        yield ("checks", index, "name"), message
    yield from _window_errors(conversion.windows(rollout.get("windows", [])), fleet)
    yield from _deadline_errors(rollout)


def _dependency_errors(names: Sequence[str], itself: Any) -> Iterator[FieldError]:
    yield from _duplicate_errors(("dependsOn",), names)
    for index, name in enumerate(names):
        if name == itself:
            yield ("dependsOn", index), "is the name of this scale set itself: remove it"


def _duplicate_errors(at: Field, values: Sequence[str]) -> Iterator[FieldError]:
    known: dict[str, int] = {}
    for index, value in enumerate(values):
        if (first := known.setdefault(value, index)) < index:
            yield (*at, index), f"duplicates {at[-1]}[{first}]: remove or rename one of the two"


def _order_errors(order: Sequence[str], by: str) -> Iterator[FieldError]:
    """The errors for entries of `order` that cannot match any domain, whatever Azure reports."""
    if order and by == "batch":
        yield ("order",), "names domains, but by: batch does not use them: remove order, or write by: auto"
    impossible = _IMPOSSIBLE_DOMAINS.get(by)
    for index, entry in enumerate(order):
        if impossible and impossible in entry:
            yield (
                ("order", index),
                f"is {quote(entry)}, but by: {by} does not use {impossible}s: name another domain",
            )


def _window_errors(own: tuple[Window, ...], fleet: Sequence[Window]) -> Iterator[FieldError]:
    """The errors for windows that have no effect, or that never let a rollout proceed."""
    by_own = shadowed_windows(own)
    by_all = shadowed_windows((*own, *(each for each in fleet if each.kind is Kind.DENY)))
    for index in sorted(by_all):
        if index not in by_own:
            yield ("windows", index), "never opens, because deny windows of the Fleet cover it: move it"
        elif (alone := by_own[index]) is None:
            yield ("windows", index), "opens less than once in four years: name another day"
        else:
            cause = f"windows[{min(alone)}] covers" if alone else "the deny windows cover"
            which = "the two" if alone else "them"
            yield ("windows", index), f"never opens, because {cause} it: move or shorten one of {which}"
    if not by_all and never_opens((*own, *fleet)):
        yield ("windows",), "leave no time for a rollout: shorten them"


def _deadline_errors(rollout: Mapping[str, Any]) -> Iterator[FieldError]:
    """The error for a deadline that is not longer than the soak of the first batch."""
    soaks = [_length(rollout.get("soak")), _length(rollout.get("canary", {}).get("soak"))]
    if "deadline" in rollout and _length(rollout["deadline"]) <= max(soaks):
        soak = format_duration(max(soaks))
        yield ("deadline",), f"is not longer than the soak of {soak}: write a longer deadline"


def _approver_errors(rollout: Mapping[str, Any]) -> Iterator[FieldError]:
    """The error for `approver: another` where no approval is required: the setting has no effect there.

    A policy is not checked on its own, because its scale sets can add the approval.
    """
    if rollout.get("approver") == "another" and "approval" not in rollout:
        yield ("approver",), "is another, but no approval is required: add approval: canary, or start"


def _length(text: str | None) -> timedelta:
    return (parse_duration(text) if text else None) or timedelta()
