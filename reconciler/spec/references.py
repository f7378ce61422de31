"""Rules between documents: names and targets that stand twice, and what is referred to by name."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from reconciler.spec.document import Document
from reconciler.spec.field import Field, dotted
from reconciler.spec.problem import Problem
from reconciler.spec.scale_set import Target
from reconciler.spec.wording import nearest, one_of, quoted

# Where a scale set refers to a document of another kind.
REFERENCES: Mapping[str, Field] = {
    "Image": ("spec", "image", "ref"),
    "RolloutPolicy": ("spec", "rollout", "policy"),
}
_NAMED = 5  # names that a message lists; more are no help


@dataclass(frozen=True, slots=True, eq=False)
class Entry:
    """A document of a known kind. `sound` is whether it has no mistake of its own."""

    document: Document
    kind: str
    sound: bool

    @property
    def name(self) -> str | None:
        """metadata.name, if it says one."""
        name = self.document.at("metadata", "name")
        return name if isinstance(name, str) else None

    @property
    def spec(self) -> dict[str, Any]:
        """The spec of a sound document."""
        spec = self.document.at("spec")
        return spec if isinstance(spec, dict) else {}


def reference(entry: Entry, kind: str) -> str | None:
    """The name of the document of this kind that a scale set refers to, None where it refers to none."""
    name = entry.document.at(*REFERENCES[kind])
    return name if isinstance(name, str) else None


def clashes(entries: Sequence[Entry]) -> tuple[frozenset[Entry], list[Problem]]:
    """All documents that claim one name or one scale set, and a problem for each but the first."""
    names = _twice(
        entries, _name_key, ("metadata", "name"), "is the name of another {kind}, in {place}: rename one"
    )
    targets = _twice(
        entries, _target_key, ("spec", "target"), "is the scale set of another spec, in {place}: keep one"
    )
    clashing = frozenset(entry for group, _ in (names, targets) for entry in group)
    return clashing, names[1] + targets[1]


def lost_references(entries: Sequence[Entry], paths: Sequence[str]) -> Iterator[Problem]:
    """The references to documents that none of the files at `paths` holds."""
    for kind, field in REFERENCES.items():
        named = {entry.name: entry for entry in entries if entry.kind == kind and entry.name}
        if any(entry.kind == kind and not entry.name for entry in entries):
            continue  # it may be that one; its own problem says what to do
        for entry in entries:
            name = reference(entry, kind) if entry.kind == "ScaleSet" else None
            if name and name not in named:
                message = _lost(kind, name, {str(known): found for known, found in named.items()}, paths)
                yield Problem(entry.document.values[field], dotted(field), message)


def _lost(kind: str, name: str, named: dict[str, Entry], paths: Sequence[str]) -> str:
    lost = f"there is no {kind} named {quoted(name)}"
    if near := nearest(name, list(named)):
        return f"{lost}: did you mean {near} ({named[near].document.place})?"
    if named:
        known = sorted(named)[:_NAMED] + ["others"] * (len(named) > _NAMED)
        return f"{lost}: there is {one_of(known, last='and')}"
    looked = paths[0] if len(paths) == 1 else f"the {len(paths)} files read"
    return f"{lost} in {looked}: add it, or read the file that holds it as well"


def _twice(
    entries: Sequence[Entry], key: Callable[[Entry], str | None], at: Field, message: str
) -> tuple[list[Entry], list[Problem]]:
    first: dict[str, Entry] = {}
    clashing: list[Entry] = []
    problems: list[Problem] = []
    for entry in entries:
        if (claimed := key(entry)) is None:
            continue
        other = first.setdefault(claimed, entry)
        if other is not entry:
            clashing += (other, entry)
            said = message.format(kind=entry.kind, place=other.document.key(at))
            problems.append(Problem(entry.document.key(at), dotted(at), said))
    return clashing, problems


def _name_key(entry: Entry) -> str | None:
    return f"{entry.kind}/{entry.name}" if entry.name else None


def _target_key(entry: Entry) -> str | None:
    target = [entry.document.at("spec", "target", name) for name in ("subscription", "resourceGroup", "name")]
    if entry.kind != "ScaleSet" or not all(isinstance(part, str) for part in target):
        return None
    return Target(*map(str, target)).key
