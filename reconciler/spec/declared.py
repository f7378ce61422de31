"""Reads spec files: returns the scale sets they declare, and every error in every file.

The steps: bytes (`files`) -> text (`text`) -> trees with places (`tree`) -> documents (`document`) -> each
document validated (`validation`) -> references between documents checked (`references`) -> typed values
(`conversion`) -> combinations checked (`agreement`, `precedence`).
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

from reconciler.spec import conversion
from reconciler.spec.agreement import inherited_problems
from reconciler.spec.document import Document, document
from reconciler.spec.files import File
from reconciler.spec.fleet import Fleet
from reconciler.spec.hold import Hold, declared_hold
from reconciler.spec.kind import kind_of
from reconciler.spec.precedence import cycles
from reconciler.spec.problem import Problem
from reconciler.spec.references import SpecDocument, cycle_problem, duplicates, missing_references, reference
from reconciler.spec.scale_set import ScaleSet
from reconciler.spec.text import text_of
from reconciler.spec.tree import trees
from reconciler.spec.validation import document_problems


@dataclass(frozen=True, slots=True)
class Declared:
    """What the files declare.

    `scale_sets` are the scale sets without errors, even if there are `problems`: the caller decides whether
    to act on part of a commit. If the Fleet has an error, `scale_sets` is empty, because the Fleet applies to
    all of them. `holds` also includes those of documents with errors. `fleet` is the name of the Fleet, "" if
    none is declared.
    """

    scale_sets: tuple[ScaleSet, ...]
    problems: tuple[Problem, ...]
    holds: tuple[Hold, ...] = ()
    fleet: str = ""


def declare(files: Iterable[File]) -> Declared:
    """What the files declare, in the order of the files. Never raises, whatever the bytes are."""
    entries: list[SpecDocument] = []
    problems: list[Problem] = []
    holds: list[Hold] = []
    paths: list[str] = []
    all_whole = True
    for file in files:
        paths.append(file.path)
        read, found, stops, whole = _read(file)
        entries += read
        holds += stops
        problems += found
        all_whole = all_whole and whole
    duplicated, faults = duplicates(entries)
    # Otherwise a missing image may be declared in the part that could not be read.
    missing = missing_references(entries, paths) if all_whole else {}
    sound = [entry for entry in entries if entry.sound and entry not in duplicated and entry not in missing]
    scale_sets, inherited = _resolve(sound)
    problems += [*faults, *chain.from_iterable(missing.values()), *inherited]
    is_bounded = all(entry in sound for entry in entries if entry.kind == "Fleet")
    return Declared(
        scale_sets if is_bounded else (), tuple(sorted(set(problems))), tuple(holds), _fleet_spec(sound)[1]
    )


def _read(file: File) -> tuple[list[SpecDocument], list[Problem], list[Hold], bool]:
    """The documents of a file, their problems, their holds, and whether the whole file was read."""
    text = text_of(file)
    if isinstance(text, Problem):
        return [], [text], [], False
    read = trees(text, file.path)
    problems = list(read.problems)
    entries: list[SpecDocument] = []
    holds: list[Hold] = []
    documents = [document(tree.root) for tree in read.documents]
    for tree, each in zip(read.documents, documents, strict=True):
        kind, found = kind_of(each)
        if kind:
            found += document_problems(each, kind)
            entries.append(SpecDocument(each, kind, sound=tree.sound and not found))
            own = [problem for problem in read.problems if _document_at(problem, documents) is each]
            holds += filter(None, [declared_hold(each, kind, (*own, *found))])
        problems += found
    return entries, problems, holds, read.whole


def _document_at(problem: Problem, documents: Sequence[Document]) -> Document | None:
    """The document that contains a problem."""
    before = [each for each in documents if each.place <= problem.place]
    return before[-1] if before else None


def _fleet_spec(entries: Sequence[SpecDocument]) -> tuple[dict[str, Any], str]:
    """The spec of the Fleet and its name: {} and "" if none is declared."""
    return next(((entry.spec, entry.name or "") for entry in entries if entry.kind == "Fleet"), ({}, ""))


def _resolve(entries: Sequence[SpecDocument]) -> tuple[tuple[ScaleSet, ...], list[Problem]]:
    """The scale sets of valid documents, and the problems that their combination causes."""
    problems: list[Problem] = []
    found: dict[str, tuple[SpecDocument, ScaleSet]] = {}
    fleet, name = _fleet_spec(entries)
    for entry, policy, scale_set in _scale_sets(entries, conversion.fleet(fleet, name)):
        inherited = list(inherited_problems(entry.document, policy, fleet))
        problems += inherited
        if not inherited:
            found[scale_set.name] = entry, scale_set
    for links in cycles([scale_set for _, scale_set in found.values()]):
        problems.append(cycle_problem(links, {link.name: found.pop(link.name)[0] for link in links}))
    return tuple(scale_set for _, scale_set in found.values()), problems


def _scale_sets(
    entries: Sequence[SpecDocument], fleet: Fleet
) -> Iterator[tuple[SpecDocument, dict[str, Any], ScaleSet]]:
    """The scale sets whose references are all declared, each with its policy."""
    declared = {entry.name: entry.document for entry in entries if entry.kind == "Image"}
    images = {entry.name: conversion.image(entry.spec) for entry in entries if entry.kind == "Image"}
    policies = {entry.name: entry.spec for entry in entries if entry.kind == "RolloutPolicy"}
    for entry in entries:
        if entry.kind == "ScaleSet":
            ref, name = reference(entry, "Image"), reference(entry, "RolloutPolicy")
            image = images.get(ref) if ref else conversion.image(entry.spec["image"])
            policy = policies.get(name) if name else {}
            if image is not None and policy is not None:
                lines = conversion.lines_of(declared[ref], "spec") if ref else ()
                yield entry, policy, conversion.scale_set(entry.document, image, policy, fleet, lines)
