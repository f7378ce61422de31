"""Rules between fields: what is right by itself, and not beside another.

Every rule reads a rollout, or the spec of a Fleet, as plain values, and names fields as seen from there. So
one rule judges what a document says itself, and what a scale set comes to with its policy and its fleet.
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

# What an entry of `order` cannot name, by what the rollout goes by.
_IMPOSSIBLE_DOMAINS = {"updateDomain": "fault domain", "zone": "fault domain", "faultDomain": "update domain"}


def field_conflicts(document: Document, kind: str, faulty: Collection[Field]) -> Iterator[FieldError]:
    """What is wrong between the fields of one document, but for `faulty` ones, which are told already."""
    at: Field = ("spec", "rollout") if kind == "ScaleSet" else ("spec",)
    for field, message in _rollout_errors(_valid_fields(faulty, document, at)):
        yield (*at, *field), message
    if kind == "Fleet":
        urgent = _valid_fields(faulty, document, ("spec", "urgent"))
        if "image" in urgent and follows_latest(conversion.image(urgent["image"])):
            yield ("spec", "urgent", "image"), "follows latest: name the one version that is urgent"
    if kind == "ScaleSet":
        spec = _valid_fields(faulty, document, ("spec",))
        for field, message in _dependency_errors(spec.get("dependsOn", []), document.at("metadata", "name")):
            yield ("spec", *field), message


def inherited_problems(
    document: Document, policy: Mapping[str, Any], fleet: Mapping[str, Any]
) -> Iterator[Problem]:
    """What is wrong with a scale set as its policy and its fleet make it, where each is right by itself."""
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
                document.values[at], dotted_path(at), f"{dotted_path(field)} of this policy {message}"
            )


def _valid_fields(faulty: Collection[Field], document: Document, at: Field) -> dict[str, Any]:
    """The fields below `at` that have no mistake anywhere in them."""
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
            yield ("dependsOn", index), "is this scale set itself: remove it"


def _duplicate_errors(at: Field, values: Sequence[str]) -> Iterator[FieldError]:
    known: dict[str, int] = {}
    for index, value in enumerate(values):
        if (first := known.setdefault(value, index)) < index:
            yield (*at, index), f"stands there already, as {at[-1]}[{first}]: remove or rename one of the two"


def _order_errors(order: Sequence[str], by: str) -> Iterator[FieldError]:
    """Entries that no domain can have, whatever Azure reports."""
    if order and by == "batch":
        yield ("order",), "names domains, and by: batch knows none: remove it, or write by: auto"
    impossible = _IMPOSSIBLE_DOMAINS.get(by)
    for index, entry in enumerate(order):
        if impossible and impossible in entry:
            yield ("order", index), f"is {quote(entry)}, and by: {by} knows no {impossible}s: name another"


def _window_errors(own: tuple[Window, ...], fleet: Sequence[Window]) -> Iterator[FieldError]:
    """Windows beside which nothing would ever be rolled out."""
    by_own = shadowed_windows(own)
    by_all = shadowed_windows((*own, *(each for each in fleet if each.kind is Kind.DENY)))
    for index in sorted(by_all):
        if index not in by_own:
            yield ("windows", index), "is closed by the windows of the Fleet whenever it opens: move it"
        elif (alone := by_own[index]) is None:
            yield ("windows", index), "comes less than once in four years: name another day"
        else:
            by, which = (f"windows[{min(alone)}]", "the two") if alone else ("the windows that deny", "them")
            yield ("windows", index), f"is closed by {by} whenever it opens: move or shorten one of {which}"
    if not by_all and never_opens((*own, *fleet)):
        yield ("windows",), "deny all of the time, so that nothing would ever be rolled out: shorten them"


def _deadline_errors(rollout: Mapping[str, Any]) -> Iterator[FieldError]:
    """A rollout that would be over time before its first batch has soaked."""
    soaks = [_length(rollout.get("soak")), _length(rollout.get("canary", {}).get("soak"))]
    if "deadline" in rollout and _length(rollout["deadline"]) <= max(soaks):
        yield ("deadline",), f"is over before a soak of {format_duration(max(soaks))} is: write a longer one"


def _approver_errors(rollout: Mapping[str, Any]) -> Iterator[FieldError]:
    """An approver where nobody is asked: that would hold nothing. A policy may leave it to its scale sets."""
    if rollout.get("approver") == "another" and "approval" not in rollout:
        yield ("approver",), "is another, and nothing waits for an approval: add approval: canary, or start"


def _length(text: str | None) -> timedelta:
    return (parse_duration(text) if text else None) or timedelta()
