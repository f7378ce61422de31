"""Reads the spec files of one commit from the objects of git.

There is no working tree. So there is nothing to clean up, no symbolic link that leads out of it, and no
moment at which only half of a commit is checked out.
"""

import difflib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from reconciler.spec.files import LIMIT, File, is_hidden, is_spec, size_problem
from reconciler.spec.problem import Problem, problem_of
from reconciler.spec.wording import printable

Git = Callable[[Sequence[str], bytes], bytes]
"""Calls git with arguments and standard input, and returns standard output."""

Fetch = Callable[[Sequence[str]], None]
"""Fetches files by their object ids."""

_TREE, _LINK, _SUBMODULE = "040000", "120000", "160000"


@dataclass(frozen=True, slots=True)
class _Entry:
    """A line of ls-tree. `path` is relative to the listed tree."""

    mode: str
    object: str
    path: str


class Corrupt(Exception):
    """An object of the commit is missing or incomplete."""


class Tree:
    """Reads commits. It keeps the files of the last commit, so that only those that changed are read."""

    def __init__(self) -> None:
        self._contents: dict[str, bytes] = {}

    def spec_files(
        self, git: Git, sha: str, path: str, fetch: Fetch | None = None
    ) -> tuple[tuple[File, ...], tuple[Problem, ...]]:
        """The spec files below `path` ("" for the whole tree) in a commit, and the problems of other entries.

        `fetch` gets files that are not in the clone. Without it they raise Corrupt.
        """
        if problem := _not_a_directory(git, sha, path):
            return (), (problem,)
        prefix = f"{path}/" if path else ""
        wanted: list[tuple[str, _Entry]] = []
        problems: list[Problem] = []
        for entry in _entries(git(["ls-tree", "-r", "-z", f"{sha}:{path}"], b"")):
            if any(is_hidden(part) for part in entry.path.split("/")):
                continue
            shown = printable(prefix + entry.path)
            if message := _not_a_file(entry):
                problems.append(problem_of(shown, message))
            elif is_spec(entry.path) and entry.mode not in (_LINK, _SUBMODULE):
                wanted.append((shown, entry))
        if not wanted and not problems:
            where = f"in commit {sha[:8]}"
            problems.append(
                problem_of(
                    path or ".",
                    f"contains no spec files {where}: add a file whose name ends in .yaml or .yml",
                )
            )
        too_large = self._read(git, [entry.object for _, entry in wanted], fetch)
        files = []
        for shown, entry in wanted:
            if size := too_large.get(entry.object):
                problems.append(size_problem(shown, size))
            else:
                files.append(File(shown, self._contents[entry.object]))
        return tuple(files), tuple(sorted(problems))

    def _read(self, git: Git, objects: Sequence[str], fetch: Fetch | None) -> dict[str, int]:
        """Keep the contents of these files and no others. Returns the sizes of those that are too large."""
        self._contents = {each: self._contents[each] for each in objects if each in self._contents}
        new = list(dict.fromkeys(each for each in objects if each not in self._contents))
        sizes = _sizes(git, new)
        missing = [each for each in new if each not in sizes]
        if missing and fetch:
            fetch(missing)
            sizes |= _sizes(git, missing)
        if absent := next((each for each in new if each not in sizes), None):
            raise Corrupt(f"object {absent} is missing or incomplete")
        small = [(each, sizes[each]) for each in new if sizes[each] <= LIMIT]
        self._contents |= _contents(git, small)
        return {each: size for each, size in sizes.items() if size > LIMIT}


def _not_a_directory(git: Git, sha: str, path: str) -> Problem | None:
    """The problem with the path that should contain the specs, None if it is a directory.

    The path is looked up name by name. The message can then suggest a name, and git treats no name as a
    pattern.
    """
    above = ""
    for name in path.split("/") if path else ():
        here = {entry.path: entry for entry in _entries(git(["ls-tree", "-z", f"{sha}:{above}"], b""))}
        above = f"{above}/{name}" if above else name
        if name not in here:
            near = difflib.get_close_matches(name, here, n=1)
            hint = f"did you mean {printable(near[0])}?" if near else "check the path"
            return problem_of(above, f"no such directory in commit {sha[:8]}: {hint}")
        if here[name].mode != _TREE:
            message = _not_a_file(here[name]) or "is a file: name the directory that contains the specs"
            return problem_of(above, message)
    return None


def _not_a_file(entry: _Entry) -> str | None:
    """Why specs behind this entry would be missed. A link without an extension may point to a directory."""
    name = entry.path.rsplit("/", 1)[-1]
    if entry.mode == _LINK and (is_spec(name) or "." not in name):
        return "is a symbolic link, which is not followed: commit the file itself"
    if entry.mode == _SUBMODULE:
        return "is a submodule, which is not fetched: commit the specs to this repository"
    return None


def _entries(listing: bytes) -> Iterator[_Entry]:
    for line in listing.split(b"\0"):
        if line:
            facts, path = line.split(b"\t", 1)
            mode, _, name = facts.decode().split()
            # File names need not be UTF-8. The escaped name can be printed, and the file is read by its
            # object.
            yield _Entry(mode, name, path.decode(errors="backslashreplace"))


def _sizes(git: Git, objects: Sequence[str]) -> dict[str, int]:
    """The sizes of these files in bytes, without those that are not in the clone."""
    if not objects:
        return {}
    lines = git(["cat-file", "--batch-check"], _lines(objects)).decode().splitlines()
    fields = (line.split() for line in lines)
    return {name: int(size) for name, kind, *rest in fields if kind == "blob" for size in rest}


def _contents(git: Git, files: Sequence[tuple[str, int]]) -> dict[str, bytes]:
    """The contents of the files with these ids and sizes, from one call of git."""
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
