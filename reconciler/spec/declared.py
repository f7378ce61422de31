"""Reads spec files. Returns the scale sets that they declare, and all errors in all files.

The steps are: bytes (`files`) -> text (`text`) -> trees with places (`tree`) -> documents (`document`) ->
each document validated (`validation`) -> references between documents checked (`references`) -> typed values
(`conversion`) -> combinations checked (`agreement`, `precedence`).

An error breaks every scale set whose declaration it makes uncertain. An error in a ScaleSet breaks that scale
set. An error in an Image or a RolloutPolicy breaks the scale sets that refer to that document. An error in
the Fleet breaks all scale sets. A YAML error that stops the parsing of a file breaks all documents in that
file.
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

from reconciler.spec import conversion
from reconciler.spec.agreement import inherited_problems
from reconciler.spec.border import crossings
from reconciler.spec.document import Document, document
from reconciler.spec.files import File
from reconciler.spec.hold import Hold, declared_hold
from reconciler.spec.image import Image
from reconciler.spec.kind import foreign_warning, is_foreign, kind_of
from reconciler.spec.precedence import cycles
from reconciler.spec.problem import Place, Problem, problem_of
from reconciler.spec.references import (
    REFERENCES,
    SpecDocument,
    cycle_problem,
    duplicates,
    missing_references,
    reference,
    target_key,
)
from reconciler.spec.scale_set import ScaleSet
from reconciler.spec.shape import API_VERSION
from reconciler.spec.shard import Shard
from reconciler.spec.tenancy import Tenant, gate_problems, target_problems, tenant_of, tenants_of, yields
from reconciler.spec.text import text_of
from reconciler.spec.tree import trees
from reconciler.spec.validation import MOST_PROBLEMS, document_problems, is_sound
from reconciler.spec.wording import count

# Values in all files together, with aliases expanded. 30,000 scale sets have as many, and take 400 MB.
_MOST_NODES = 1_000_000


@dataclass(frozen=True, slots=True)
class Broken:
    """A scale set with errors in its own document, or in another document that it depends on.

    `key` is the key of its target. A value that cannot be read is "" for `name` and `key`, None for `image`,
    and 0 for `wave`.
    """

    name: str
    key: str
    image: Image | None
    wave: int
    problems: tuple[Problem, ...]


@dataclass(frozen=True, slots=True)
class NamedImage:
    """A document of kind Image, which scale sets refer to by name."""

    name: str
    image: Image
    place: Place


@dataclass(frozen=True, slots=True)
class Declared:
    """What the files declare.

    scale_sets: the scale sets without errors. The caller decides whether to act on part of a commit.
    holds: all holds, including those in documents with errors.
    fleet: the name of the Fleet, or "" if none is declared.
    broken: the other scale sets, as far as they can be read. An error in the Fleet breaks all scale sets.
    warnings: messages that block nothing.
    foreign: the number of documents that belong to other programs.
    documents: the number of documents of a known kind.
    images: the documents of kind Image without errors, whether or not a scale set refers to them.
    total: the number of scale sets without errors in all shards.
    elsewhere: the keys of the targets of the scale sets that the shard does not select.
    """

    scale_sets: tuple[ScaleSet, ...]
    problems: tuple[Problem, ...]
    holds: tuple[Hold, ...] = ()
    fleet: str = ""
    broken: tuple[Broken, ...] = ()
    warnings: tuple[Problem, ...] = ()
    foreign: int = 0
    documents: int = 0
    images: tuple[NamedImage, ...] = ()
    total: int = 0
    elsewhere: frozenset[str] = frozenset()


@dataclass(slots=True)
class Known:
    """The contents of the files that the last call to `declare` read: about 7 KB per spec.

    `declare` replaces both mappings and never modifies them, so a shallow copy does not change.
    """

    files: Mapping[File, "_FileContent"] = field(default_factory=dict)
    converted: Mapping[SpecDocument, "_Converted"] = field(default_factory=dict)


def declare(files: Iterable[File], known: Known | None = None, shard: Shard | None = None) -> Declared:
    """What the files declare, in the order of the files. Never raises, whatever the files contain.

    With a `shard`, the result has only the scale sets that the shard selects, and a declaration that crosses
    its border is a problem. A file in `known` is not parsed again. Each of its scale sets is the same object
    as before, unless its Image, its RolloutPolicy or the Fleet has changed. Afterwards `known` contains these
    files and no others.
    """
    known = known or Known()
    read = _read_all(files, known)
    entries = [entry for each in read for entry in each.entries]
    faults: defaultdict[SpecDocument, list[Problem]] = defaultdict(list)
    for each in read:
        for entry, found in each.faults.items():
            faults[entry] += found
    unread = [problem for each in read for problem in each.fatal]
    members = _tenants(entries, faults)
    tenants = {entry: tenant for entry, tenant in members.items() if entry.kind == "ScaleSet"}
    for entry, tenant in tenants.items():
        faults[entry] += target_problems(entry, tenant)
    # A spec that its own tenant does not allow must not make the spec of another tenant a duplicate.
    allowed = [entry for entry in entries if entry not in tenants or not faults.get(entry)]
    for entry, problem in duplicates(
        allowed, lambda one, other: yields(members.get(one), members.get(other))
    ):
        faults[entry] += problem
    # A document that seems to be missing might be declared in a part that could not be read.
    if not unread:
        for entry, missing in missing_references(entries, [each.path for each in read]).items():
            faults[entry] += missing
    sound = [entry for entry in entries if not faults.get(entry)]
    policies = {entry.name: entry for entry in sound if entry.kind == "RolloutPolicy"}
    for entry, tenant in tenants.items():
        name = reference(entry, "RolloutPolicy")
        if not faults.get(entry) and (name is None or name in policies):
            faults[entry] += gate_problems(entry, tenant, policies.get(name))
    sound = [entry for entry in sound if not faults.get(entry)]
    resolved = _resolve(sound, faults, known, shard)
    is_bounded = not any(faults.get(entry) for entry in entries if entry.kind == "Fleet")
    scale_sets = resolved if is_bounded else {}
    problems = {*chain.from_iterable(faults.values()), *(each for file in read for each in file.problems)}
    selected = {entry: each for entry, each in scale_sets.items() if shard is None or shard.selects(each)}
    return Declared(
        tuple(selected.values()),
        tuple(sorted(problems)),
        tuple(hold for each in read for hold in each.holds),
        _fleet_spec(sound)[1],
        tuple(_broken(entries, scale_sets, faults, unread)),
        tuple(sorted(warning for each in read for warning in each.warnings)),
        sum(each.foreign for each in read),
        len(entries),
        tuple(
            NamedImage(entry.name or "", conversion.image(entry.spec), entry.document.place)
            for entry in sound
            if entry.kind == "Image"
        ),
        len(scale_sets),
        frozenset(each.target.key for entry, each in scale_sets.items() if entry not in selected),
    )


def nothing_declared(
    files: Sequence[File], declared: Declared, shard: Shard | None = None
) -> tuple[Problem, ...]:
    """The problem if the files declare nothing, or nothing for the shard, otherwise ().

    Such files are all empty, or belong to other programs. If this were not a problem, they would remove every
    scale set from the fleet.
    """
    if declared.problems:
        return ()
    if files and not declared.documents:
        also = "" if len(files) == 1 else f", and neither do the other {len(files) - 1} files"
        message = f"declares nothing{also}: add a document with apiVersion: {API_VERSION} and kind: ScaleSet"
        return (problem_of(files[0].path, message),)
    if shard is None or not declared.total:
        return ()
    if not declared.fleet:
        message = (
            "needs a document of kind Fleet, because its name and that of the shard keep two shards from "
            "acting for one scale set: add one"
        )
        return (problem_of(f"shard {shard.name}", message),)
    if declared.scale_sets:
        return ()
    message = f"selects none of {count(declared.total, 'scale set')}: correct its selector or subscriptions"
    return (problem_of(f"shard {shard.name}", message),)


@dataclass(slots=True)
class _FileContent:
    """The documents of a file.

    `faults` are the problems of each document. `fatal` are those of `problems` that stopped the parsing of
    the file. The content is cached for later commits, so it must not change once the file has been read.
    """

    path: str
    entries: list[SpecDocument] = field(default_factory=list)
    faults: dict[SpecDocument, list[Problem]] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    fatal: list[Problem] = field(default_factory=list)
    holds: list[Hold] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)
    foreign: int = 0
    nodes: int = 0


@dataclass(frozen=True, slots=True)
class _Converted:
    """The scale set of a valid document, and its conflicts with the documents that apply to it.

    `needed` are its Image, its RolloutPolicy and the Fleet. Each is None if it does not apply.
    """

    needed: tuple[SpecDocument | None, ...]
    scale_set: ScaleSet
    problems: tuple[Problem, ...]


def _read_all(files: Iterable[File], known: Known) -> list[_FileContent]:
    """The contents of the files. Once the limit on values is reached, the remaining files are not read.

    Two equal files get separate documents, which are then reported as duplicates.
    """
    before, after = dict(known.files), dict[File, _FileContent]()
    found: list[_FileContent] = []
    nodes = 0
    for file in files:
        if nodes > _MOST_NODES:
            message = f"is not read, because the files before it have more than {_MOST_NODES:,} values"
            unread = problem_of(file.path, f"{message}: divide the specs among several daemons")
            found.append(_FileContent(file.path, problems=[unread], fatal=[unread]))
            continue
        after[file] = before.pop(file) if file in before else _read(file)
        found.append(after[file])
        nodes += after[file].nodes
    known.files = after
    return found


def _read(file: File) -> _FileContent:
    """The documents of a file, their problems and their holds."""
    content = _FileContent(file.path)
    text = text_of(file)
    if isinstance(text, Problem):
        content.problems = content.fatal = [text]
        return content
    read = trees(text, file.path)
    content.nodes = read.nodes
    content.fatal = [] if read.whole else [read.problems[-1]]
    documents = [document(tree.root) for tree in read.documents]
    content.problems, *problems = _by_document(read.problems, documents)
    for tree, each, own in zip(read.documents, documents, problems, strict=True):
        if is_foreign(each):
            content.foreign += 1
            content.warnings += filter(None, [foreign_warning(each)])
            content.problems += [problem for problem in own if problem in content.fatal]
            continue
        kind, found = kind_of(each)
        if kind:
            found += document_problems(each, kind, MOST_PROBLEMS - len(content.problems))
            entry = SpecDocument(each, kind, sound=tree.sound and not found and read.whole)
            content.entries.append(entry)
            if not entry.sound:
                content.faults[entry] = [*own, *found] or content.fatal
            content.holds += filter(None, [declared_hold(each, kind, (*own, *found))])
        content.problems += [*own, *found]
    return content


def _by_document(problems: Sequence[Problem], documents: Sequence[Document]) -> list[list[Problem]]:
    """The problems before the first document, followed by the problems in each document."""
    begins = [each.place for each in documents]
    found: list[list[Problem]] = [[] for _ in range(len(documents) + 1)]
    for each in problems:
        found[bisect_right(begins, each.place)].append(each)
    return found


def _tenants(
    entries: Sequence[SpecDocument], faults: Mapping[SpecDocument, Sequence[Problem]]
) -> dict[SpecDocument, Tenant]:
    """The tenant of each document that belongs to a tenant.

    Empty if the Fleet has errors, because these break all scale sets anyway.
    """
    fleets = [entry for entry in entries if entry.kind == "Fleet"]
    if len(fleets) != 1 or faults.get(fleets[0]):
        return {}
    tenants = tenants_of(fleets[0])
    found = {entry: tenant_of(entry, tenants) for entry in entries if entry not in fleets}
    return {entry: tenant for entry, tenant in found.items() if tenant}


def _fleet_spec(entries: Sequence[SpecDocument]) -> tuple[dict[str, Any], str]:
    """The spec and the name of the Fleet, or {} and "" if none is declared."""
    return next(((entry.spec, entry.name or "") for entry in entries if entry.kind == "Fleet"), ({}, ""))


def _resolve(
    entries: Sequence[SpecDocument],
    faults: defaultdict[SpecDocument, list[Problem]],
    known: Known,
    shard: Shard | None,
) -> dict[SpecDocument, ScaleSet]:
    """The scale sets of valid documents.

    Adds to `faults` the problems that arise only from the combination of documents.
    """
    found: dict[str, tuple[SpecDocument, ScaleSet]] = {}
    known.converted = dict(_convert(entries, known.converted, shard))
    for entry, each in known.converted.items():
        if each.problems:
            faults[entry] += each.problems
        else:
            found[each.scale_set.name] = entry, each.scale_set
    for links in cycles([scale_set for _, scale_set in found.values()]):
        members = {link.name: found.pop(link.name)[0] for link in links}
        problem = cycle_problem(links, members)
        for entry in members.values():
            faults[entry].append(problem)
    whole = dict(found.values())
    if shard is None:
        return whole
    fleet = next((entry for entry in entries if entry.kind == "Fleet"), None)
    for entry, crossing in crossings(whole, fleet, shard):
        faults[entry].append(crossing)
    return {entry: each for entry, each in whole.items() if not faults.get(entry)}


def _convert(
    entries: Sequence[SpecDocument], known: Mapping[SpecDocument, _Converted], shard: Shard | None
) -> Iterator[tuple[SpecDocument, _Converted]]:
    """The scale sets whose references all resolve. Reuses a scale set in `known` if nothing has changed."""
    fleet_entry = next((entry for entry in entries if entry.kind == "Fleet"), None)
    fleet_spec, fleet_name = _fleet_spec(entries)
    fleet = conversion.fleet(fleet_spec, fleet_name, shard.name if shard else "")
    images = {entry.name: entry for entry in entries if entry.kind == "Image"}
    policies = {entry.name: entry for entry in entries if entry.kind == "RolloutPolicy"}
    for entry in entries:
        if entry.kind != "ScaleSet":
            continue
        ref, name = reference(entry, "Image"), reference(entry, "RolloutPolicy")
        image, policy = images.get(ref), policies.get(name)
        if (ref and image is None) or (name and policy is None):
            continue
        needed = (image, policy, fleet_entry)
        if entry in known and known[entry].needed == needed:
            yield entry, known[entry]
            continue
        rollout = policy.spec if policy else {}
        declared = conversion.image(image.spec if image else entry.spec["image"])
        lines = conversion.lines_of(image.document, "spec") if image else ()
        scale_set = conversion.scale_set(entry.document, declared, rollout, fleet, lines)
        problems = tuple(inherited_problems(entry.document, rollout, fleet_spec))
        yield entry, _Converted(needed, scale_set, problems)


def _broken(
    entries: Sequence[SpecDocument],
    whole: Mapping[SpecDocument, ScaleSet],
    faults: Mapping[SpecDocument, Sequence[Problem]],
    unread: Sequence[Problem],
) -> Iterator[Broken]:
    """The scale sets that are not in `whole`, each with the problems that break it."""
    by_faults = sorted(
        entries, key=lambda entry: not faults.get(entry)
    )  # the sound ones last, so that they win over others with the same name
    documents = {(entry.kind, entry.name): entry for entry in by_faults}
    fleets = [entry for entry in entries if entry.kind == "Fleet"]
    for entry in entries:
        if entry.kind != "ScaleSet" or entry in whole:
            continue
        needed = [_needed(documents, kind, reference(entry, kind)) for kind in REFERENCES]
        causes = [entry, *(each for each in needed if each), *fleets]
        problems = [problem for cause in causes for problem in faults.get(cause, ())]
        image, wave = _image_of(entry, needed[0], faults), entry.spec.get("wave")
        yield Broken(
            entry.name or "",
            target_key(entry) or "",
            image,
            wave if type(wave) is int else 0,
            tuple(sorted(set(problems or unread))),
        )


def _needed(
    documents: Mapping[tuple[str, str | None], SpecDocument], kind: str, name: str | None
) -> SpecDocument | None:
    """The document that a reference names, or else an unnamed document, which might be the intended one."""
    keys = ((kind, name), (kind, None), (kind, "")) if name is not None else ()
    return next((documents[key] for key in keys if key in documents), None)


def _image_of(
    entry: SpecDocument, referred: SpecDocument | None, faults: Mapping[SpecDocument, Sequence[Problem]]
) -> Image | None:
    """The image that a document declares despite its errors, or None if the image itself has errors."""
    if reference(entry, "Image"):
        is_readable = referred is not None and not faults.get(referred)
        return conversion.image(referred.spec) if referred is not None and is_readable else None
    declared = entry.spec.get("image")
    wrong = any(_is_about(each.field, "spec.image") for each in faults.get(entry, ()))
    if wrong or not isinstance(declared, dict) or not is_sound(entry.document, entry.kind, ("spec", "image")):
        return None
    return conversion.image(declared)


def _is_about(field: str, part: str) -> bool:
    """Whether a problem at `field` can affect the value at `part`: one path contains the other."""
    return not field or part.startswith(field) or field.startswith(part)
