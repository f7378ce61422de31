"""Files in, scale sets out, and every mistake of every file at once.

The way of a file: bytes (`files`) -> text (`text`) -> trees with places (`tree`) -> documents (`document`) ->
checked one by one (`mistakes`) -> checked against each other (`references`) -> typed (`conversion`).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from reconciler.spec import conversion
from reconciler.spec.document import document
from reconciler.spec.files import File
from reconciler.spec.kind import kind_of
from reconciler.spec.mistakes import mistakes
from reconciler.spec.problem import Problem
from reconciler.spec.references import Entry, clashes, lost_references, reference
from reconciler.spec.scale_set import ScaleSet
from reconciler.spec.text import text_of
from reconciler.spec.tree import trees


@dataclass(frozen=True, slots=True)
class Declared:
    """What the files declare. `scale_sets` holds those without a mistake, also where there are problems:
    whether to act on some of a commit is the caller's to decide."""

    scale_sets: tuple[ScaleSet, ...]
    problems: tuple[Problem, ...]


def declare(files: Iterable[File]) -> Declared:
    """What the files declare, in their order. Never raises, whatever the bytes."""
    entries: list[Entry] = []
    problems: list[Problem] = []
    paths: list[str] = []
    all_whole = True
    for file in files:
        paths.append(file.path)
        read, found, whole = _read(file)
        entries += read
        problems += found
        all_whole = all_whole and whole
    clashing, faults = clashes(entries)
    problems += faults
    if all_whole:  # else the image that is missing may stand in the part that could not be read
        problems += lost_references(entries, paths)
    sound = [entry for entry in entries if entry.sound and entry not in clashing]
    return Declared(_scale_sets(sound), tuple(sorted(set(problems))))


def _read(file: File) -> tuple[list[Entry], list[Problem], bool]:
    """The documents of a file, what is wrong with each by itself, and whether all of the file was read."""
    text = text_of(file)
    if isinstance(text, Problem):
        return [], [text], False
    read = trees(text, file.path)
    problems = list(read.problems)
    entries = []
    for tree in read.documents:
        each = document(tree.root)
        kind, found = kind_of(each)
        if kind:
            found += mistakes(each, kind)
            entries.append(Entry(each, kind, sound=tree.sound and not found))
        problems += found
    return entries, problems, read.whole


def _scale_sets(entries: Sequence[Entry]) -> tuple[ScaleSet, ...]:
    """Those of which all that they refer to is there."""
    images = {entry.name: conversion.image(entry.spec) for entry in entries if entry.kind == "Image"}
    policies = {entry.name: entry.spec for entry in entries if entry.kind == "RolloutPolicy"}
    fleet = conversion.fleet(next((entry.spec for entry in entries if entry.kind == "Fleet"), {}))
    found: list[ScaleSet] = []
    for entry in entries:
        if entry.kind == "ScaleSet":
            ref, name = reference(entry, "Image"), reference(entry, "RolloutPolicy")
            image = images.get(ref) if ref else conversion.image(entry.spec["image"])
            policy = policies.get(name) if name else {}
            if image is not None and policy is not None:
                found.append(conversion.scale_set(entry.document, image, policy, fleet))
    return tuple(found)
