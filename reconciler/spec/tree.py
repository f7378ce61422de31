"""Parses YAML text into trees whose nodes know their line and column.

This module builds the trees from PyYAML's parser events. PyYAML's own composer, in Python and in C, recurses
without a limit, silently keeps the last of two equal keys, and expands any nesting, even an attacker's. If
PyYAML was built with libyaml, the events come from libyaml, which is several times faster than PyYAML's own
parser.

Two features are rejected on purpose. Merge keys (`<<`) do not exist in YAML 1.2, and they set values that are
not visible at the place where they apply. Specs that share an image use a document of kind Image instead.
Tags are rejected unless they mark a scalar as a string, or match the kind of the collection that they mark.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Never

import yaml
from yaml.events import (
    AliasEvent,
    CollectionStartEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from reconciler.spec.field import Field
from reconciler.spec.node import Mapping, Node, Scalar, Sequence, extent
from reconciler.spec.problem import Place, Problem, problem_at
from reconciler.spec.scalar import atom, meaning
from reconciler.spec.syntax import syntax_problem
from reconciler.spec.wording import quote, shorten

NODES = 100_000  # in one file, aliases expanded: twice as many as realistic specs reach within the size limit
DEPTH = 40  # levels; a spec needs five

LOADER: type = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

_TEXT_TAGS = ("!", "tag:yaml.org,2002:str")
_COLLECTION_TAGS = {MappingStartEvent: "tag:yaml.org,2002:map", SequenceStartEvent: "tag:yaml.org,2002:seq"}


@dataclass(frozen=True, slots=True)
class Tree:
    """One document. `sound` is true if its YAML has no errors."""

    root: Node
    sound: bool


@dataclass(frozen=True, slots=True)
class Trees:
    """The non-empty documents of a file. `whole` is False if an error stopped the parsing early.

    `nodes` is the number of values in the file, with aliases expanded.
    """

    documents: tuple[Tree, ...]
    problems: tuple[Problem, ...]
    whole: bool
    nodes: int


def trees(text: str, path: str, *, loader: type | None = None, empty: str = "") -> Trees:
    """The documents in the text of a file, up to the first fatal error.

    `empty` is the error message for a file without documents, or "" if such a file is allowed.
    """
    composer = _Composer(path, yaml.parse(text, Loader=loader or LOADER))
    documents: list[Tree] = []
    whole = True
    try:
        for each in composer.documents():
            documents.append(each)
    except _Stop as stop:
        composer.problems.append(stop.problem)
        whole = False
    except yaml.YAMLError as error:
        composer.problems.append(syntax_problem(error, text, path))
        whole = False
    if whole and not documents and empty:
        composer.problems.append(Problem(Place(path), "", empty))
    return Trees(tuple(documents), tuple(composer.problems), whole, composer.nodes)


class _Stop(Exception):
    """The rest of the file cannot or must not be read."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem


@dataclass(slots=True)
class _Composer:
    """Builds trees from parser events. Fatal errors raise `_Stop`. Other errors are added to `problems`."""

    path: str
    events: Iterator[Event]
    problems: list[Problem] = field(default_factory=list)
    anchors: dict[str, Node | None] = field(default_factory=dict)  # None while the node is still open
    nodes: int = 0

    def documents(self) -> Iterator[Tree]:
        for event in self.events:
            if isinstance(event, DocumentStartEvent):
                self.anchors.clear()
                known = len(self.problems)
                root = self.node(next(self.events), ())
                if not (isinstance(root, Scalar) and root.value is None):
                    yield Tree(root, sound=len(self.problems) == known)

    def node(self, event: Event, at: Field) -> Node:
        """The tree whose first event is `event`."""
        if len(at) >= DEPTH:
            self.stop(event, at[:5], f"is nested more than {DEPTH} levels deep: reduce the nesting")
        if isinstance(event, AliasEvent):
            return self.alias(event, at)
        assert isinstance(event, ScalarEvent | CollectionStartEvent)  # noqa: S101 - the grammar of events
        if event.anchor:
            self.anchors[event.anchor] = None
        if isinstance(event, ScalarEvent):
            node: Node = self.scalar(event, at)
        elif isinstance(event, MappingStartEvent):
            node = self.mapping(event, at)
        else:
            node = self.sequence(event, at)
        if event.anchor:
            self.anchors[event.anchor] = node
        return node

    def scalar(self, event: ScalarEvent, at: Field) -> Scalar:
        self.count(1, event, at)
        place = self.place(event)
        if event.tag and event.tag not in _TEXT_TAGS:
            self.refuse_tag(event.tag, place, at)
        plain = event.implicit[0]
        return Scalar(place, event.value, atom(event.value) if plain else event.value)

    def mapping(self, event: MappingStartEvent, at: Field) -> Mapping:
        self.collection(event, at)
        entries: dict[str, tuple[Scalar, Node]] = {}
        while not isinstance(start := next(self.events), MappingEndEvent):
            key = self.key(start, at)
            value = self.node(next(self.events), (*at, key.text))
            if key.text == "<<":
                message = (
                    "contains a merge key (<<), which is not supported: write the fields out, or share "
                    "a value with an alias"
                )
                self.problems.append(problem_at(key.place, at, message))
            elif key.text in entries:
                first = entries[key.text][0].place
                is_second_document = not at and key.text == "apiVersion"
                instead = ", or begin the second document with ---" if is_second_document else ""
                message = f"duplicates the field in line {first.line}: remove one of the two{instead}"
                self.problems.append(problem_at(key.place, (*at, key.text), message))
            else:
                entries[key.text] = (key, value)
        below = [node for entry in entries.values() for node in entry]
        return Mapping(self.place(event), tuple(entries.values()), *extent(below))

    def sequence(self, event: CollectionStartEvent, at: Field) -> Sequence:
        self.collection(event, at)
        items: list[Node] = []
        while not isinstance(start := next(self.events), SequenceEndEvent):
            items.append(self.node(start, (*at, len(items))))
        return Sequence(self.place(event), tuple(items), *extent(items))

    def key(self, event: Event, at: Field) -> Scalar:
        """The key of an entry. Adds a problem if YAML reads the key as anything but a string."""
        if not isinstance(event, ScalarEvent):
            message = "contains a {{ template }}, alias or list as a field name: write a plain string"
            self.stop(event, at, message)
        key = self.scalar(event, at)
        if not isinstance(key.value, str) and key.text:
            message = f"is a field name that is read as {meaning(key.value)}: quote it: {quote(key.text)}"
            self.problems.append(problem_at(key.place, (*at, key.text), message))
        elif not key.text:
            message = "contains a field without a name: write the name before the colon"
            self.problems.append(problem_at(key.place, at, message))
        return key

    def alias(self, event: AliasEvent, at: Field) -> Node:
        """The node that the alias refers to. Its size is counted again for each alias."""
        name = event.anchor or ""
        if name not in self.anchors:
            anchor = f"&{shorten(name)}"
            message = (
                f"is an alias that no anchor {anchor} precedes: add it, or quote the value if * is part of it"
            )
            self.stop(event, at, message)
        node = self.anchors[name]
        if node is None:
            self.stop(event, at, f"is the alias *{shorten(name)}, which contains itself: write the value out")
        if len(at) + node.height > DEPTH:
            self.stop(event, at[:5], f"is nested more than {DEPTH} levels deep: reduce the nesting")
        self.count(node.size, event, at)
        return node

    def collection(self, event: CollectionStartEvent, at: Field) -> None:
        self.count(1, event, at)
        if event.tag and event.tag not in ("!", _COLLECTION_TAGS[type(event)]):
            self.refuse_tag(event.tag, self.place(event), at)

    def count(self, nodes: int, event: Event, at: Field) -> None:
        self.nodes += nodes
        if self.nodes > NODES:
            limit = f"{NODES:,} values, with aliases expanded"
            message = f"brings the file to more than {limit}: split it into several files"
            self.stop(event, at, message)

    def refuse_tag(self, tag: str, place: Place, at: Field) -> None:
        shown = shorten(tag.replace("tag:yaml.org,2002:", "!!"))
        self.problems.append(problem_at(place, at, f"has the tag {shown}, which is not supported: remove it"))

    def place(self, event: Event) -> Place:
        mark = event.start_mark
        return Place(self.path, mark.line + 1, mark.column + 1) if mark else Place(self.path)

    def stop(self, event: Event, at: Field, message: str) -> Never:
        raise _Stop(problem_at(self.place(event), at, message))
