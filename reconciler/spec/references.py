"""Rules between documents: names and targets that stand twice, and images that are referred to."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from reconciler.spec.document import Document
from reconciler.spec.field import Field, dotted
from reconciler.spec.problem import Problem
from reconciler.spec.scale_set import Target
from reconciler.spec.wording import nearest, one_of, quoted

_REF: Field = ("spec", "image", "ref")
_NAMED = 5  # images that a message lists; more are no help


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


def reference(entry: Entry) -> str | None:
    """The name of the Image that a scale set refers to, None where it has an image of its own."""
    name = entry.document.at("spec", "image", "ref")
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
    """The references to an Image that none of the files at `paths` holds."""
    images = {entry.name: entry for entry in entries if entry.kind == "Image" and entry.name}
    if any(entry.kind == "Image" and not entry.name for entry in entries):
        return  # it may be that one; its own problem says what to do
    for entry in entries:
        name = reference(entry) if entry.kind == "ScaleSet" else None
        if name and name not in images:
            message = _lost(name, {str(known): found for known, found in images.items()}, paths)
            yield Problem(entry.document.values[_REF], dotted(_REF), message)


def _lost(name: str, images: dict[str, Entry], paths: Sequence[str]) -> str:
    if near := nearest(name, list(images)):
        return f"there is no Image named {quoted(name)}: did you mean {near} ({images[near].document.place})?"
    if images:
        known = sorted(images)[:_NAMED] + ["others"] * (len(images) > _NAMED)
        return f"there is no Image named {quoted(name)}: there is {one_of(known, last='and')}"
    looked = paths[0] if len(paths) == 1 else f"the {len(paths)} files read"
    return (
        f"there is no Image named {quoted(name)} in {looked}: add it, or read the file that holds it as well"
    )


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
