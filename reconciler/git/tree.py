"""Reads the spec files of a commit directly from git's objects, without a working tree.

There is nothing to clean up, no symbolic link can lead out of the tree, and a commit is never half checked
out.
"""

import difflib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from reconciler.git.program import GitTooMuch
from reconciler.spec.files import LIMIT, TOTAL_LIMIT, size_problem
from reconciler.spec.problem import Problem, problem_of
from reconciler.spec.selection import SUBMODULE, TOO_LARGE, Entry, Kind, Selection, Target, select
from reconciler.spec.wording import printable

Git = Callable[[Sequence[str], bytes], bytes]
"""Calls git with arguments and standard input, and returns standard output."""

Fetch = Callable[[Sequence[str]], None]
"""Fetches files by their object ids."""

_TREE, _LINK, _SUBMODULE = "040000", "120000", "160000"
_KINDS = {_LINK: Kind.LINK, _SUBMODULE: Kind.SUBMODULE}
_MOST_LINKS = 40  # links that are followed for one path, as in Linux
_LONGEST_LINK = 4095  # bytes of a path in a link; Linux accepts no longer path
_MOST_STEPS = 1_000_000  # names that are visited to follow all links of a commit
_MOST_OUTSIDE = 1000  # directories outside the path that are listed, with one call of git each
# A few objects can name more files than fit into memory, because a commit can contain a directory many times.
_MOST_NAMES = 250_000  # of files and directories
_MOST_CHARACTERS = 1 << 26  # in the paths of all files and directories
_NOT_DIRECTORIES = {
    _LINK: "is a symbolic link, and links are not followed: name the directory that it points to",
    _SUBMODULE: SUBMODULE,
    "": "is a file: name the directory that contains the specs",
}


@dataclass(frozen=True, slots=True)
class _Entry:
    """A line of `git ls-tree`. `path` is relative to the listed tree."""

    mode: str
    object: str
    path: str


class Corrupt(Exception):
    """An object of the commit is missing or incomplete."""


class _TooLarge(Exception):
    """The file names or the files of a tree are too large to be kept in memory."""


class Tree:
    """Reads the spec files of commits.

    Keeps the files of the last commit, so that only changed files are read from the next commit.
    """

    def __init__(self) -> None:
        self._contents: dict[str, bytes] = {}

    def spec_files(self, git: Git, sha: str, path: str, fetch: Fetch | None = None) -> Selection:
        """The spec files below `path` ("" for the whole tree) in a commit.

        `fetch` fetches files that are not in the clone. Raises Corrupt if a file is missing.
        """
        try:
            problem = _not_a_directory(git, sha, path)
        except GitTooMuch:
            problem = problem_of(path or ".", TOO_LARGE)
        if problem:
            return Selection((), (problem,))
        found = self.files_below(git, sha, path, fetch)
        if found.files or found.problems:
            return found
        message = f"contains no spec files in commit {sha[:8]}: add a file whose name ends in .yaml or .yml"
        return Selection.of_all([found, Selection((), (problem_of(path or ".", message),))])

    def files_below(self, git: Git, sha: str, path: str, fetch: Fetch | None = None) -> Selection:
        """Like `spec_files`, but `path` must be a directory, which need not contain any spec files."""
        try:
            objects = _Objects(git, fetch, self._contents)
            found = select(_CommitTree(objects, sha, path))
        except (_TooLarge, GitTooMuch):
            return Selection((), (problem_of(path or ".", TOO_LARGE),))
        self._contents = objects.used
        return found


class _Objects:
    """Reads the files of one commit. `used` has the contents of the files that were read, by object id."""

    def __init__(self, git: Git, fetch: Fetch | None, known: Mapping[str, bytes]) -> None:
        self.git = git
        self.used: dict[str, bytes] = {}
        self._fetch = fetch
        self._known = known
        self._bytes = 0

    def read(self, objects: Sequence[str]) -> list[bytes | int]:
        """The content of each file, or its size in bytes if it is too large, in the order of `objects`.

        Raises _TooLarge if the files of the commit together are too large, and Corrupt if a file is missing.
        """
        self.used |= {each: self._known[each] for each in objects if each in self._known}
        new = list(dict.fromkeys(each for each in objects if each not in self.used))
        sizes = _sizes(self.git, new)
        missing = [each for each in new if each not in sizes]
        if missing and self._fetch:
            self._fetch(missing)
            sizes |= _sizes(self.git, missing)
        if absent := next((each for each in new if each not in sizes), None):
            raise Corrupt(f"object {absent} is missing or incomplete")
        small = [(each, sizes[each]) for each in new if sizes[each] <= LIMIT]
        self._bytes += sum(size for _, size in small)
        if self._bytes > TOTAL_LIMIT:
            raise _TooLarge
        self.used |= _contents(self.git, small)
        return [self.used[each] if each in self.used else sizes[each] for each in objects]


class _CommitTree:
    """A directory of a commit, in the form that `select` reads. Paths are relative to the directory.

    A single git call lists the directory and everything below it.
    """

    def __init__(self, objects: _Objects, sha: str, path: str) -> None:
        self._objects = objects
        self._sha = sha
        self._path = path
        self._above = path.split("/") if path else []
        self._entries: dict[str, _Entry] = {}
        self._children: dict[str, dict[str, Entry]] = {"": {}}
        self._names = self._characters = self._steps = 0
        self._outside: dict[str, dict[str, str]] = {}
        for each in _entries(objects.git(["ls-tree", "-r", "-z", "--full-tree", f"{sha}:{path}"], b"")):
            self._entries[each.path] = each
            self._place(each.path, _KINDS.get(each.mode, Kind.FILE))
        links = [each for each in self._entries.values() if each.mode == _LINK]
        texts = objects.read([each.object for each in links])
        self._links = {
            link.path: os.fsdecode(text) if isinstance(text, bytes) and len(text) <= _LONGEST_LINK else ""
            for link, text in zip(links, texts, strict=True)
        }
        self._sizes = {
            link.path: text if isinstance(text, int) else len(text)
            for link, text in zip(links, texts, strict=True)
        }

    @property
    def root(self) -> str:
        return printable(self._path) or "the repository"

    def shown(self, path: str) -> str:
        # File names need not be UTF-8. The escaped name can be printed, and the file is read by its object
        # id.
        return os.fsencode("/".join((*self._above, path))).decode(errors="backslashreplace")

    def identity(self, path: str) -> str:
        return path

    def children(self, directory: str) -> Sequence[Entry]:
        return list(self._children[directory].values())

    def target(self, link: str) -> Target:
        text, names = self._links[link], [*self._above, *link.split("/")]
        if not text:
            return Target(Kind.MISSING, f"a path of {self._sizes[link]:,} bytes")
        place = self._follow(names)
        if isinstance(place, Kind):
            return Target(place, text)
        below = place[len(self._above) :]
        if place[: len(self._above)] != self._above:
            return Target(self._kind_outside(place), text)
        path = "/".join(below)
        if path in self._children:
            return Target(Kind.DIRECTORY, text, path)
        if (entry := self._entries.get(path)) is None:
            return Target(Kind.MISSING, text)
        return Target(_KINDS.get(entry.mode, Kind.FILE), text, path)

    def contents(self, paths: Sequence[str]) -> Iterator[bytes | Problem]:
        found = self._objects.read([self._entries[path].object for path in paths])
        for path, content in zip(paths, found, strict=True):
            yield size_problem(self.shown(path), content) if isinstance(content, int) else content

    def _place(self, path: str, kind: Kind) -> None:
        """Add an entry to its directory, and each new directory to its parent.

        Raises _TooLarge if there are too many names.
        """
        is_new = True
        while is_new:
            self._names += 1
            self._characters += len(path)
            if self._names > _MOST_NAMES or self._characters > _MOST_CHARACTERS:
                raise _TooLarge
            directory = path.rpartition("/")[0]
            is_new = directory not in self._children
            self._children.setdefault(directory, {})[path] = Entry(path, kind)
            path, kind = directory, Kind.DIRECTORY

    def _follow(self, names: Sequence[str]) -> list[str] | Kind:
        """The path, from the top of the repository, that `names` leads to once all links are followed.

        Returns a Kind instead if the path does not exist, leaves the repository, or goes through a loop of
        links.
        """
        left, place, followed = list(reversed(names)), list[str](), 0
        while left:
            self._steps += 1
            if self._steps > _MOST_STEPS or followed > _MOST_LINKS:
                return Kind.LOOP
            name = left.pop()
            if name == "..":
                if not place:
                    return Kind.OUTSIDE
                place.pop()
            elif name not in ("", "."):
                place.append(name)
                if len(place) > len(self._above) and not self._exists(place):
                    return Kind.MISSING
                text = self._link_at(place)
                if text is not None:
                    followed += 1
                    if not text or text.startswith("/"):
                        return Kind.OUTSIDE if text else Kind.MISSING
                    place.pop()
                    left += reversed(text.split("/"))
        return place

    def _exists(self, place: Sequence[str]) -> bool:
        """Whether this path exists.

        Also true for any path outside the directory, because those paths are not listed.
        """
        if place[: len(self._above)] != self._above:
            return True
        path = "/".join(place[len(self._above) :])
        return path in self._entries or path in self._children

    def _link_at(self, place: Sequence[str]) -> str | None:
        """The path in the link at `place`, or None if `place` is not a link or is outside the directory."""
        above = len(self._above)
        return self._links.get("/".join(place[above:])) if place[:above] == self._above else None

    def _kind_outside(self, place: Sequence[str]) -> Kind:
        """The kind of the commit's entry at `place`, which is outside the directory."""
        above, mode = "", _TREE
        for name in place:
            if mode != _TREE:
                return Kind.MISSING
            if above not in self._outside:
                if len(self._outside) >= _MOST_OUTSIDE:
                    return Kind.OUTSIDE_DIRECTORY  # unknown, and refused
                self._outside[above] = _modes(self._objects.git, self._sha, above)
            here = self._outside[above]
            if name not in here:
                return Kind.MISSING
            above, mode = f"{above}/{name}" if above else name, here[name]
        return Kind.OUTSIDE_DIRECTORY if mode == _TREE else Kind.OUTSIDE


def has_directory(git: Git, sha: str, path: str) -> bool:
    """Whether a commit has a directory at this path."""
    above = ""
    for name in path.split("/") if path else ():
        if _modes(git, sha, above).get(name) != _TREE:
            return False
        above = f"{above}/{name}" if above else name
    return True


def _not_a_directory(git: Git, sha: str, path: str) -> Problem | None:
    """The problem with the path that should contain the specs, or None if it is a directory.

    The path is looked up name by name, so that the message can suggest a similar name, and so that git treats
    no name as a pattern.
    """
    above = ""
    for name in path.split("/") if path else ():
        here = _modes(git, sha, above)
        above = f"{above}/{name}" if above else name
        if name not in here:
            near = difflib.get_close_matches(name, here, n=1)
            hint = f"did you mean {printable(near[0])}?" if near else "check the path"
            return problem_of(above, f"does not exist in commit {sha[:8]}: {hint}")
        if here[name] != _TREE:
            return problem_of(above, _NOT_DIRECTORIES.get(here[name], _NOT_DIRECTORIES[""]))
    return None


def _modes(git: Git, sha: str, directory: str) -> dict[str, str]:
    """The mode of each entry in a directory of a commit, by entry name."""
    return {
        each.path: each.mode
        for each in _entries(git(["ls-tree", "-z", "--full-tree", f"{sha}:{directory}"], b""))
    }


def _entries(listing: bytes) -> Iterator[_Entry]:
    for line in listing.split(b"\0"):
        if line:
            facts, path = line.split(b"\t", 1)
            mode, _, name = facts.decode().split()
            yield _Entry(mode, name, os.fsdecode(path))


def _sizes(git: Git, objects: Sequence[str]) -> dict[str, int]:
    """The sizes of these files in bytes, by object id. Leaves out files that are not in the clone."""
    if not objects:
        return {}
    lines = git(["cat-file", "--batch-check"], _lines(objects)).decode().splitlines()
    fields = (line.split() for line in lines)
    return {name: int(size) for name, kind, *rest in fields if kind == "blob" for size in rest}


def _contents(git: Git, files: Sequence[tuple[str, int]]) -> dict[str, bytes]:
    """The contents of the files with these ids and sizes, by id, from one git call.

    Raises Corrupt if a file is missing or its size differs.
    """
    if not files:
        return {}
    answer = git(["cat-file", "--batch"], _lines([name for name, _ in files]))
    found, start = {}, 0
    for name, size in files:
        header = f"{name} blob {size}\n".encode()
        end = start + len(header) + size
        if not answer.startswith(header, start) or answer[end : end + 1] != b"\n":
            raise Corrupt(f"object {name} is missing or incomplete")
        found[name] = answer[start + len(header) : end]
        start = end + 1
    return found


def _lines(objects: Sequence[str]) -> bytes:
    return "".join(f"{each}\n" for each in objects).encode()
