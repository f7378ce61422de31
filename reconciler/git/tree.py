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

_TREE, _LINK, _SUBMODULE = "040000", "120000", "160000"


@dataclass(frozen=True, slots=True)
class _Entry:
    """A line of ls-tree. `path` is relative to the listed tree. `size` is in bytes, 0 except for files."""

    mode: str
    object: str
    size: int
    path: str


class Corrupt(Exception):
    """An object of the commit is missing or incomplete."""


def spec_files(git: Git, sha: str, path: str) -> tuple[tuple[File, ...], tuple[Problem, ...]]:
    """The spec files below `path` ("" for the whole tree) in a commit, and the problems of other entries."""
    if problem := _not_a_directory(git, sha, path):
        return (), (problem,)
    prefix = f"{path}/" if path else ""
    wanted: list[tuple[str, _Entry]] = []
    problems: list[Problem] = []
    for entry in _entries(git(["ls-tree", "-r", "-l", "-z", f"{sha}:{path}"], b"")):
        if any(is_hidden(part) for part in entry.path.split("/")):
            continue
        shown = printable(prefix + entry.path)
        if message := _not_a_file(entry):
            problems.append(problem_of(shown, message))
        elif is_spec(entry.path) and entry.mode not in (_LINK, _SUBMODULE):
            if entry.size > LIMIT:
                problems.append(size_problem(shown, entry.size))
            else:
                wanted.append((shown, entry))
    if not wanted and not problems:
        where = f"in commit {sha[:8]}"
        problems.append(
            problem_of(
                path or ".", f"contains no spec files {where}: add a file whose name ends in .yaml or .yml"
            )
        )
    contents = _contents(git, [entry for _, entry in wanted])
    files = tuple(File(shown, content) for (shown, _), content in zip(wanted, contents, strict=True))
    return files, tuple(sorted(problems))


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
            mode, kind, name, size = facts.decode().split()
            # File names need not be UTF-8. The escaped name can be printed, and the file is read by its
            # object.
            yield _Entry(
                mode, name, int(size) if kind == "blob" else 0, path.decode(errors="backslashreplace")
            )


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
