"""Reads the spec files of one commit from the objects of git.

There is no working tree. So there is nothing to clean up, no symbolic link that leads out of it, and no
moment at which only half of a commit is checked out.
"""

import difflib
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from reconciler.spec.problem import Problem, problem_of
from reconciler.spec.selection import Entry, Kind, Selection, Target, select
from reconciler.spec.wording import printable

Git = Callable[[Sequence[str], bytes], bytes]
"""Calls git with arguments and standard input, and returns standard output."""

_TREE, _LINK, _SUBMODULE = "040000", "120000", "160000"
_KINDS = {_LINK: Kind.LINK, _SUBMODULE: Kind.SUBMODULE}
_MOST_LINKS = 40  # that one path may lead through, as in Linux
_NOT_DIRECTORIES = {
    _LINK: "is a symbolic link, which is not followed: name the directory that it leads to",
    _SUBMODULE: "is a submodule, which is not fetched: commit the specs to this repository",
    "": "is a file: name the directory that contains the specs",
}


@dataclass(frozen=True, slots=True)
class _Entry:
    """A line of ls-tree. `path` is relative to the listed tree. `size` is in bytes, 0 except for files."""

    mode: str
    object: str
    size: int
    path: str


class Corrupt(Exception):
    """An object of the commit is missing or incomplete."""


def spec_files(git: Git, sha: str, path: str) -> Selection:
    """The spec files below `path` ("" for the whole tree) in a commit."""
    if problem := _not_a_directory(git, sha, path):
        return Selection((), (problem,))
    found = select(_CommitTree(git, sha, path))
    if found.files or found.problems:
        return found
    message = f"contains no spec files in commit {sha[:8]}: add a file whose name ends in .yaml or .yml"
    return Selection.of_all([found, Selection((), (problem_of(path or ".", message),))])


class _CommitTree:
    """A directory of a commit as a tree. Paths inside are relative to it. It is listed once, as a whole."""

    def __init__(self, git: Git, sha: str, path: str) -> None:
        self._git = git
        self._sha = sha
        self._path = path
        self._above = path.split("/") if path else []
        self._entries = {
            each.path: each for each in _entries(git(["ls-tree", "-r", "-l", "-z", f"{sha}:{path}"], b""))
        }
        self._children: dict[str, dict[str, Entry]] = {"": {}}
        for each in self._entries.values():
            self._place(each.path, _KINDS.get(each.mode, Kind.FILE), each.size)
        links = [each for each in self._entries.values() if each.mode == _LINK]
        self._links = {
            link.path: os.fsdecode(text) for link, text in zip(links, _contents(git, links), strict=True)
        }

    @property
    def root(self) -> str:
        return printable(self._path) or "the repository"

    def shown(self, path: str) -> str:
        # File names need not be UTF-8. The escaped name can be printed, and the file is read by its object.
        return os.fsencode("/".join((*self._above, path))).decode(errors="backslashreplace")

    def identity(self, path: str) -> str:
        return path

    def children(self, directory: str) -> Sequence[Entry]:
        return list(self._children[directory].values())

    def target(self, link: str) -> Target:
        text, names = self._links[link], [*self._above, *link.split("/")]
        place = self._follow(names)
        if isinstance(place, Kind):
            return Target(place, text)
        below = place[len(self._above) :]
        if place[: len(self._above)] != self._above:
            return Target(self._kind_outside("/".join(place)), text)
        path = "/".join(below)
        if path in self._children:
            return Target(Kind.DIRECTORY, text, path)
        if (entry := self._entries.get(path)) is None:
            return Target(Kind.MISSING, text)
        return Target(_KINDS.get(entry.mode, Kind.FILE), text, path, entry.size)

    def contents(self, paths: Sequence[str]) -> Iterator[bytes]:
        return _contents(self._git, [self._entries[path] for path in paths])

    def _place(self, path: str, kind: Kind, size: int) -> None:
        """Add an entry to its directory, and the directory to its own."""
        directory = path.rpartition("/")[0]
        if directory not in self._children:
            self._children[directory] = {}
            self._place(directory, Kind.DIRECTORY, 0)
        self._children[directory][path] = Entry(path, kind, size)

    def _follow(self, names: Sequence[str]) -> list[str] | Kind:
        """The names from the top of the repository to where a path leads, after all links."""
        left, place, followed = list(names), list[str](), 0
        while left:
            name = left.pop(0)
            if name == "..":
                if not place:
                    return Kind.OUTSIDE
                place.pop()
            elif name not in ("", "."):
                place.append(name)
                text = self._link_at(place)
                if text is not None:
                    followed += 1
                    if followed > _MOST_LINKS:
                        return Kind.LOOP
                    if text.startswith("/"):
                        return Kind.OUTSIDE
                    place.pop()
                    left = [*text.split("/"), *left]
        return place

    def _link_at(self, place: Sequence[str]) -> str | None:
        """The text of the link at a place, None if there is none below the path."""
        above = len(self._above)
        return self._links.get("/".join(place[above:])) if place[:above] == self._above else None

    def _kind_outside(self, path: str) -> Kind:
        """What is at a place of the commit that is not below the path."""
        if not path:
            return Kind.OUTSIDE_DIRECTORY
        if "\n" in path:
            return Kind.OUTSIDE
        name = os.fsencode(f"{self._sha}:{path}\n")
        kind = self._git(["cat-file", "--batch-check=%(objecttype)"], name).strip()
        if kind.endswith(b" missing"):
            return Kind.MISSING
        return Kind.OUTSIDE_DIRECTORY if kind == b"tree" else Kind.OUTSIDE


def _not_a_directory(git: Git, sha: str, path: str) -> Problem | None:
    """The problem with the path that should contain the specs, None if it is a directory.

    The path is looked up name by name. The message can then suggest a name, and git treats no name as a
    pattern.
    """
    above = ""
    for name in path.split("/") if path else ():
        here = {entry.path: entry for entry in _entries(git(["ls-tree", "-l", "-z", f"{sha}:{above}"], b""))}
        above = f"{above}/{name}" if above else name
        if name not in here:
            near = difflib.get_close_matches(name, here, n=1)
            hint = f"did you mean {printable(near[0])}?" if near else "check the path"
            return problem_of(above, f"no such directory in commit {sha[:8]}: {hint}")
        if here[name].mode != _TREE:
            return problem_of(above, _NOT_DIRECTORIES.get(here[name].mode, _NOT_DIRECTORIES[""]))
    return None


def _entries(listing: bytes) -> Iterator[_Entry]:
    for line in listing.split(b"\0"):
        if line:
            facts, path = line.split(b"\t", 1)
            mode, kind, name, size = facts.decode().split()
            yield _Entry(mode, name, int(size) if kind == "blob" else 0, os.fsdecode(path))


def _contents(git: Git, entries: Sequence[_Entry]) -> Iterator[bytes]:
    """The contents of the files, in order, from one call of git."""
    if not entries:
        return
    answer = git(["cat-file", "--batch"], b"".join(f"{entry.object}\n".encode() for entry in entries))
    start = 0
    for entry in entries:
        header = f"{entry.object} blob {entry.size}\n".encode()
        end = start + len(header) + entry.size
        if not answer.startswith(header, start) or answer[end : end + 1] != b"\n":
            raise Corrupt(f"object {entry.object} is missing or incomplete")
        yield answer[start + len(header) : end]
        start = end + 1
