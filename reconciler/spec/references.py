"""Rules between documents: duplicates, references by name, and dependency cycles."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from reconciler.spec.document import Document
from reconciler.spec.field import Field, dotted_path
from reconciler.spec.precedence import Link
from reconciler.spec.problem import Place, Problem, problem_at
from reconciler.spec.scale_set import Target
from reconciler.spec.wording import nearest, one_of, quote, shorten

# The fields in which a scale set refers to documents of other kinds, and to other scale sets.
REFERENCES: Mapping[str, Field] = {
    "Image": ("spec", "image", "ref"),
    "RolloutPolicy": ("spec", "rollout", "policy"),
}
DEPENDENCIES: Field = ("spec", "dependsOn")
_NAMED = 5  # names that a message lists; more would not help
# How many missing names get a suggestion, which takes a comparison with every name. If more names are
# missing, a whole file is probably missing.
_SUGGESTED = 20


@dataclass(frozen=True, slots=True, eq=False)
class SpecDocument:
    """A document of a known kind. `sound` is true if the document itself has no errors."""

    document: Document
    kind: str
    sound: bool

    @property
    def name(self) -> str | None:
        """metadata.name, or None if it is missing or not a string."""
        name = self.document.at("metadata", "name")
        return name if isinstance(name, str) else None

    @property
    def spec(self) -> dict[str, Any]:
        """The spec of the document, or {} if it is not a mapping."""
        spec = self.document.at("spec")
        return spec if isinstance(spec, dict) else {}


def reference(entry: SpecDocument, kind: str) -> str | None:
    """The name of the document of this kind that a scale set refers to, or None if it refers to none."""
    name = entry.document.at(*REFERENCES[kind])
    return name if isinstance(name, str) else None


Yields = Callable[[SpecDocument, SpecDocument], bool]
"""Whether only the first of two duplicate documents is wrong."""


def duplicates(
    entries: Sequence[SpecDocument], yields: Yields
) -> Iterator[tuple[SpecDocument, list[Problem]]]:
    """The documents that share a name, a target or the kind Fleet, each with its problem.

    A document is left out if all of its duplicates yield to it.
    """
    for key, at, message in _UNIQUE:
        yield from _duplicates(entries, yields, key, at, message)


def missing_references(
    entries: Sequence[SpecDocument], paths: Sequence[str]
) -> dict[SpecDocument, list[Problem]]:
    """The documents that refer to undeclared documents, with a problem for each of these references.

    `paths` are the files that were read.
    """
    missing: dict[SpecDocument, list[Problem]] = {}
    for kind in (*REFERENCES, "ScaleSet"):
        named = {entry.name: entry for entry in entries if entry.kind == kind and entry.name}
        if any(entry.kind == kind and not entry.name for entry in entries):
            continue  # the missing document might be this one, which has a problem of its own
        # Two names more than are listed: one shows that there are more, and one may be that of the document
        # itself, which must not be told to refer to itself.
        first = sorted(named)[: _NAMED + 2]
        count = 0
        for entry in entries:
            for field, name in _references(entry, kind):
                if name not in named:
                    count += 1
                    near = _nearest(name, named, entry) if count <= _SUGGESTED else None
                    known = [each for each in first if named[each] is not entry]
                    message = _missing_target(kind, name, near, known, paths)
                    problem = Problem(entry.document.values[field], dotted_path(field), message)
                    missing.setdefault(entry, []).append(problem)
    return missing


def cycle_problem(links: Sequence[Link], entries: Mapping[str, SpecDocument]) -> Problem:
    """The problem to report if scale sets wait for each other.

    It is reported at the first place that declares one of their dependencies.
    """
    waits: list[str] = []
    places: list[tuple[Place, Field]] = []
    for link in links:
        document = entries[link.name].document
        why = "dependsOn"
        if link.wave is None:
            places.append(_place(link, document))
        else:
            why = f"wave {document.at('spec', 'wave')} after wave {link.wave} of the same image"
        waits.append(f"{link.name} waits for {link.on} ({why})")
    place, field = min(places)  # there is always one: waves alone cannot form a cycle
    more = f", and {len(waits) - _NAMED} more" if len(waits) > _NAMED else ""
    shown = f"{', '.join(waits[:_NAMED])}{more}"
    message = f"is part of a dependency cycle, in which {shown}: remove or change one of these"
    return Problem(place, dotted_path(field), message)


def _place(link: Link, document: Document) -> tuple[Place, Field]:
    """The place and field where a document names the scale set that it waits for."""
    names: Any = document.at(*DEPENDENCIES)
    field = (*DEPENDENCIES, names.index(link.on))
    return document.values[field], field


def _references(entry: SpecDocument, kind: str) -> Iterator[tuple[Field, str]]:
    """The fields in which a scale set refers to documents of this kind, and the names in them."""
    if entry.kind != "ScaleSet":
        return
    if kind in REFERENCES:
        if name := reference(entry, kind):
            yield REFERENCES[kind], name
        return
    names = entry.document.at(*DEPENDENCIES)
    for index, each in enumerate(names if isinstance(names, list) else []):
        if isinstance(each, str):
            yield (*DEPENDENCIES, index), each


def _nearest(name: str, named: Mapping[str, SpecDocument], entry: SpecDocument) -> SpecDocument | None:
    """The document with the most similar name, other than `entry` itself."""
    near = nearest(name, [each for each, found in named.items() if found is not entry])
    return named[near] if near else None


def _missing_target(
    kind: str, name: str, near: SpecDocument | None, known: Sequence[str], paths: Sequence[str]
) -> str:
    missing = f"names the {kind} {quote(name)}, which does not exist"
    if near:
        return f"{missing}: did you mean {shorten(near.name or '')} ({near.document.place})?"
    if known:
        names = [*map(shorten, known[:_NAMED]), *["another"] * (len(known) > _NAMED)]
        return f"{missing}: use {one_of(names)}"
    looked = paths[0] if len(paths) == 1 else f"the {len(paths)} files read"
    return f"{missing} in {looked}: add it, or include the file that declares it"


def _duplicates(
    entries: Sequence[SpecDocument],
    yields: Yields,
    key: Callable[[SpecDocument], str | None],
    at: Field,
    message: str,
) -> Iterator[tuple[SpecDocument, list[Problem]]]:
    groups: defaultdict[str, list[SpecDocument]] = defaultdict(list)
    for entry in entries:
        if (claimed := key(entry)) is not None:
            groups[claimed].append(entry)
    for group in groups.values():
        right = [
            entry for entry in group if all(other is entry or yields(other, entry) for other in group)
        ]  # at most one
        kept = (right or group)[0]
        for entry in group:
            if entry is kept:
                continue
            text = message.format(kind=entry.kind, place=kept.document.key(at))
            problem = problem_at(entry.document.key(at), at, text)
            yield entry, [problem]
            if not right:
                yield kept, [problem]


def _name_key(entry: SpecDocument) -> str | None:
    return f"{entry.kind}/{entry.name}" if entry.name and entry.kind != "Fleet" else None


def _fleet_key(entry: SpecDocument) -> str | None:
    return entry.kind if entry.kind == "Fleet" else None


def target_key(entry: SpecDocument) -> str | None:
    """The key of a scale set's target, or None if the target cannot be read."""
    target = [entry.document.at("spec", "target", name) for name in ("subscription", "resourceGroup", "name")]
    if entry.kind != "ScaleSet" or not all(isinstance(part, str) for part in target):
        return None
    return Target(*map(str, target)).key


# What must be unique to a document: its key, its field, and the message for a duplicate.
_UNIQUE: Sequence[tuple[Callable[[SpecDocument], str | None], Field, str]] = (
    (
        _name_key,
        ("metadata", "name"),
        "is already the name of another {kind}, in {place}: rename one of the two",
    ),
    (
        target_key,
        ("spec", "target"),
        "is already the target of another spec, in {place}: keep one of the two",
    ),
    (
        _fleet_key,
        (),
        "is a second Fleet, in addition to the one in {place}: keep one of the two",
    ),
)
