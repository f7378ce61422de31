"""Which files below a directory are specs. The same rules apply to a plain directory and a git commit.

- Files whose names end in `.yaml` or `.yml` are read, in all directories below the path.
- Names that begin with a dot are skipped, and so is everything that `.reconcilerignore` covers.
- A symbolic link is followed if it leads to a place below the path. A link that leads elsewhere is an error
  if its name is that of a spec, or if it leads to a directory. Any other link has no effect.
- A submodule, a pipe or a device in the place of a spec is an error.
- A file that is probably meant to be a spec but is not read causes a warning.

A source of specs describes its files as a `Tree`, and need not know any of these rules.
"""

from collections import deque
from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Protocol

from reconciler.spec.files import TOTAL_LIMIT, File, is_hidden, is_spec
from reconciler.spec.ignore import NAME as IGNORE
from reconciler.spec.ignore import Ignore
from reconciler.spec.problem import Problem, problem_of
from reconciler.spec.shape import API_VERSION
from reconciler.spec.wording import printable, shorten

_MOST_JSON = 20  # JSON files that are read for a warning; if there are more, they serve another purpose
_MOST_LEVELS = 100  # of directories; a repository has ten
# What is wrong with a path, in words that all sources share.
NAMED_DIRECTORY = "is a directory, but its name ends in .yaml or .yml: rename the directory"
SUBMODULE = "is a submodule, and submodules are not fetched: commit the specs to this repository"
LINK_LOOP = "is part of a loop of symbolic links: remove it or point it to a file"
TOO_LARGE = "contains more than fits into memory: name a directory that contains only the specs"
_TOO_DEEP = f"is below more than {_MOST_LEVELS} directories: move it up"
_GROUP = API_VERSION.split("/", maxsplit=1)[0].encode() + b"/"


class Kind(Enum):
    """The kind of a directory entry, or of the target of a link."""

    FILE = "a file"
    DIRECTORY = "a directory"
    LINK = "a symbolic link"
    SUBMODULE = "a submodule"
    PIPE = "a named pipe"
    SOCKET = "a socket"
    DEVICE = "a device"
    OUTSIDE = "outside the path"
    OUTSIDE_DIRECTORY = "a directory outside the path"
    MISSING = "missing"
    LOOP = "a loop of links"


def dead_link(text: str) -> str:
    """The error for a link whose target does not exist. `text` is the content of the link."""
    return f"is a broken symbolic link to {shorten(text)}: fix or remove the link"


def not_a_file(kind: Kind) -> str:
    """The error for a pipe, a socket or a device in the place of a spec."""
    return f"is {kind.value}, not a file: remove it or name a file"


# The kinds of targets that are never read through a link.
_NOWHERE = frozenset({Kind.MISSING, Kind.LOOP, Kind.OUTSIDE, Kind.OUTSIDE_DIRECTORY})


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry of a directory. `path` is relative to the root of the tree."""

    path: str
    kind: Kind

    @property
    def name(self) -> str:
        return self.path.rsplit("/", 1)[-1]


@dataclass(frozen=True, slots=True)
class Target:
    """The target of a link, once all further links are followed. `text` is the content of the link.

    `path` is the path inside the tree. It is "" for the root, and for a target outside the tree.
    """

    kind: Kind
    text: str
    path: str = ""


class Tree(Protocol):
    """The directories and files below a root."""

    @property
    def root(self) -> str:
        """The name of the root, for messages."""
        ...

    def shown(self, path: str) -> str:
        """A path inside the tree, as shown in messages."""
        ...

    def children(self, directory: str) -> Sequence[Entry] | Problem:
        """All entries of a directory ("" for the root), even hidden ones, or why it cannot be read."""
        ...

    def target(self, link: str) -> Target:
        """The target of the symbolic link at this path."""
        ...

    def contents(self, paths: Sequence[str]) -> Iterator[bytes | Problem]:
        """The content of each file, or the problem if it cannot be read, in the order of `paths`.

        No path may be a link.
        """
        ...

    def identity(self, path: str) -> str:
        """A name for the file that is unique across all trees."""
        ...


@dataclass(frozen=True, slots=True)
class Selection:
    """The spec files, and the problems and warnings that the search for them found.

    `warnings` name files that are probably meant to be specs but are not read. Warnings block nothing.
    `ignored` is the number of files and directories that `.reconcilerignore` covers.
    """

    files: tuple[File, ...]
    problems: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()
    ignored: int = 0

    @classmethod
    def of_all(cls, parts: Iterable["Selection"]) -> "Selection":
        """The selections combined, in order. A repeated problem or warning is kept once."""
        parts = list(parts)
        return cls(
            tuple(file for part in parts for file in part.files),
            tuple(sorted({each for part in parts for each in part.problems})),
            tuple(sorted({each for part in parts for each in part.warnings})),
            sum(part.ignored for part in parts),
        )


def select(tree: Tree, known: Container[str] = ()) -> Selection:
    """The spec files of a tree, sorted by path. A file that is reached twice is read once.

    `known` contains the identities of files that were read before. These files are left out.
    """
    search = _Search(tree)
    search.run()
    found = [
        (real, path)
        for real, path in sorted(search.files.items(), key=lambda each: each[1].split("/"))
        if tree.identity(real) not in known
    ]
    contents = tree.contents([real for real, _ in found])
    files: list[File] = []
    left = TOTAL_LIMIT
    for (_, path), content in zip(found, contents, strict=True):
        left -= len(content) if isinstance(content, bytes) else 0
        if left < 0:
            return Selection((), (problem_of(tree.root, TOO_LARGE),))
        if isinstance(content, Problem):
            search.problems.append(content)
        else:
            files.append(File(printable(tree.shown(path)), content))
    search.warn_of_json()
    return Selection(
        tuple(files), tuple(sorted(set(search.problems))), tuple(sorted(set(search.warnings))), search.ignored
    )


@dataclass(slots=True)
class _Search:
    """A search of one tree. `files` maps the real path of each spec file to the path that messages show."""

    tree: Tree
    files: dict[str, str] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)
    ignored: int = 0
    json: dict[str, str] = field(default_factory=dict)
    links: deque[tuple[Entry, str]] = field(default_factory=deque)
    searched: set[str] = field(default_factory=set)
    ignore: Ignore = field(default_factory=Ignore)

    def run(self) -> None:
        """Search all directories before following links, so that messages show each file by its own path."""
        top = self.tree.children("")
        if isinstance(top, Problem):
            self.problems.append(top)
            return
        self.read_ignore(top)
        self.directory("", "")
        while self.links:
            self.link(*self.links.popleft())

    def read_ignore(self, top: Sequence[Entry]) -> None:
        entry = next((each for each in top if each.path == IGNORE), None)
        if entry is None:
            return
        kind, path = entry.kind, entry.path
        if kind is Kind.LINK:
            target = self.tree.target(path)
            kind, path = target.kind, target.path
        if kind in _NOWHERE:
            return
        if kind is not Kind.FILE:
            self.problem(IGNORE, not_a_file(kind))
            return
        (content,) = self.tree.contents([path])
        if isinstance(content, Problem):
            self.problems.append(content)
            return
        try:
            self.ignore = Ignore.of(content.decode())
        except UnicodeDecodeError:
            self.problem(IGNORE, "is not UTF-8: save the file as UTF-8")
        except ValueError as error:
            self.problem(IGNORE, str(error))

    def directory(self, real: str, shown: str) -> None:
        """Search the directory at the path `real`.

        `shown` is the path for messages, which may lead through links.
        """
        if real in self.searched:
            return
        if shown.count("/") >= _MOST_LEVELS:
            self.problem(shown, _TOO_DEEP)
            return
        self.searched.add(real)
        entries = self.tree.children(real)
        if isinstance(entries, Problem):
            self.problems.append(entries)
            return
        for entry in sorted(entries, key=lambda each: each.name):
            if not is_hidden(entry.name):
                self.entry(entry, f"{shown}/{entry.name}" if shown else entry.name)

    def entry(self, entry: Entry, shown: str) -> None:
        if entry.kind is Kind.LINK:
            self.links.append((entry, shown))
        elif not self.is_ignored(shown, entry.kind):
            self.found(entry.kind, entry.path, shown)

    def link(self, entry: Entry, shown: str) -> None:
        target = self.tree.target(entry.path)
        if self.is_ignored(shown, target.kind):
            return
        is_named = is_spec(entry.name)
        text = shorten(target.text)
        match target.kind:
            case Kind.MISSING if is_named:
                self.problem(shown, dead_link(target.text))
            case Kind.LOOP if is_named:
                self.problem(shown, LINK_LOOP)
            case Kind.OUTSIDE if is_named:
                self.problem(shown, f"is a symbolic link to {text}, {self.outside('file')}")
            case Kind.OUTSIDE_DIRECTORY:
                self.problem(shown, f"is a symbolic link to {text}, {self.outside('directory')}")
            case Kind.OUTSIDE if "." not in entry.name:
                self.warning(
                    shown,
                    f"is a symbolic link to {text}, and links are not followed: specs behind it are not read",
                )
            case Kind.MISSING | Kind.LOOP | Kind.OUTSIDE:
                pass  # the link has nothing to do with specs
            case kind:
                self.found(kind, target.path, shown)

    def outside(self, what: str) -> str:
        return f"outside {self.tree.root}, and is not followed: move the {what} below {self.tree.root}"

    def found(self, kind: Kind, real: str, shown: str) -> None:
        """Record the entry that a path leads to once all links are followed."""
        is_named = is_spec(shown)
        match kind:
            case Kind.DIRECTORY if is_named:
                self.problem(shown, NAMED_DIRECTORY)
            case Kind.DIRECTORY:
                self.directory(real, shown)
            case Kind.SUBMODULE:
                self.problem(shown, SUBMODULE)
            case Kind.FILE if not is_named:
                self.near_miss(real, shown)
            case Kind.FILE:
                self.files.setdefault(real, shown)
            case _ if is_named:
                self.problem(shown, not_a_file(kind))

    def near_miss(self, real: str, shown: str) -> None:
        """Record a file that is probably meant to be a spec but is not read."""
        name = shown.rsplit("/", 1)[-1]
        ending = name[name.rfind(".") :]
        if is_spec(name.lower()):
            self.warning(
                shown, f"is not read, because its name ends in {ending}: rename it to {ending.lower()}"
            )
        elif ending.lower() == ".json":
            self.json.setdefault(real, shown)

    def warn_of_json(self) -> None:
        """Warn about specs in JSON files. Ignore JSON files that are not specs."""
        if len(self.json) > _MOST_JSON:
            return
        for shown, content in zip(self.json.values(), self.tree.contents(list(self.json)), strict=True):
            if isinstance(content, bytes) and _GROUP in content:
                self.warning(shown, "is a spec in JSON and is not read: rename it to end in .yaml")

    def is_ignored(self, shown: str, kind: Kind) -> bool:
        is_directory = kind in (Kind.DIRECTORY, Kind.SUBMODULE, Kind.OUTSIDE_DIRECTORY)
        is_covered = self.ignore.covers(shown, is_directory=is_directory)
        self.ignored += is_covered
        return is_covered

    def problem(self, path: str, message: str) -> None:
        self.problems.append(problem_of(self.shown(path), message))

    def warning(self, path: str, message: str) -> None:
        self.warnings.append(problem_of(self.shown(path), message))

    def shown(self, path: str) -> str:
        return self.tree.shown(path)
