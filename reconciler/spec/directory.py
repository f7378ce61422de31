"""Reads spec files from paths on this machine.

This module does not interpret the contents. A path that cannot be read becomes a `Problem`. No path makes
this module raise or block, because it opens files in non-blocking mode and checks their type before it reads
them.
"""

import errno
import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path

from reconciler.spec.files import LIMIT, File, is_spec, size_problem
from reconciler.spec.problem import Problem, problem_of
from reconciler.spec.selection import (
    LINK_LOOP,
    NAMED_DIRECTORY,
    Entry,
    Kind,
    Selection,
    Target,
    dead_link,
    not_a_file,
    select,
)
from reconciler.spec.wording import printable

_NOWHERE = frozenset({errno.ENOENT, errno.ENOTDIR})


def read_paths(paths: Sequence[Path], *, if_missing: str = "") -> Selection:
    """The spec files at `paths`. In a directory, `selection` decides which files are specs.

    `if_missing` says what to do about a path that does not exist. The problem then has the absolute path too,
    because the path may be a default that nobody typed.

    A file that `paths` names is read even if a search of its directory would skip it. A file that is reached
    twice, through two paths or a symbolic link, is read once.
    """
    known: set[str] = set()
    parts: list[Selection] = []
    for path in _distinct(paths):
        tree = _Directory(path)
        parts.append(_read_path(path, tree, frozenset(known), if_missing))
        known |= tree.read
    return Selection.of_all(parts)


def _distinct(paths: Sequence[Path]) -> Iterator[Path]:
    """The paths, except those that lead to the same file or directory as an earlier path."""
    known: set[str] = set()
    for path in paths:
        real = str(path) if "\0" in str(path) else os.path.realpath(path)
        if real not in known:
            known.add(real)
            yield path


def _read_path(path: Path, tree: "_Directory", known: frozenset[str], if_missing: str) -> Selection:
    """The spec files at a path that the user named."""
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError) as error:
        is_missing = isinstance(error, OSError) and error.errno in _NOWHERE and not path.is_symlink()
        if is_missing and if_missing:
            message = f"does not exist{_full_path_note(path)}: {if_missing}"
            return Selection((), (problem_of(str(path), message),))
        return Selection((), (_access_problem(path, error),))
    if stat.S_ISDIR(mode):
        if is_spec(path.name):
            return Selection((), (problem_of(str(path), NAMED_DIRECTORY),))
        found = select(tree, known)
        if tree.read or found.problems:
            return found
        message = "contains no spec files: add a file whose name ends in .yaml or .yml"
        return Selection.of_all([found, Selection((), (problem_of(str(path), message),))])
    if not is_spec(path.name):
        message = "is not a spec file: the name must end in .yaml or .yml"
        return Selection((), (problem_of(str(path), message),))
    real = os.path.realpath(path)
    tree.read.add(real)
    if real in known:
        return Selection(())
    content = _read(path)
    if isinstance(content, Problem):
        return Selection((), (content,))
    return Selection((File(printable(str(path)), content),))


def _full_path_note(path: Path) -> str:
    """The absolute path in parentheses, or "" if `path` is absolute already."""
    if path.is_absolute():
        return ""
    return f" ({printable(os.path.abspath(path))})"


class _Directory:
    """A directory as a `Tree`. `read` holds the real paths of the files that a search has selected."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._real = os.path.realpath(path) if "\0" not in str(path) else ""
        self.read: set[str] = set()

    @property
    def root(self) -> str:
        return printable(str(self._path))

    def shown(self, path: str) -> str:
        return str(self._path / path)

    def identity(self, path: str) -> str:
        real = os.path.join(self._real, path)
        self.read.add(real)
        return real

    def children(self, directory: str) -> Sequence[Entry] | Problem:
        above = self._path / directory
        try:
            with os.scandir(above) as found:
                return [
                    Entry(f"{directory}/{each.name}" if directory else each.name, _kind(each))
                    for each in found
                ]
        except OSError as error:
            return _access_problem(above, error)

    def target(self, link: str) -> Target:
        path = self._path / link
        try:
            text = os.readlink(path)
            real = os.path.realpath(path, strict=True)
            kind = _kind_of(os.stat(real).st_mode)
        except OSError as error:
            return Target(Kind.LOOP if error.errno == errno.ELOOP else Kind.MISSING, _link_text(path))
        if real == self._real:
            return Target(Kind.DIRECTORY, text)
        if real.startswith(f"{self._real.rstrip('/')}/"):
            return Target(kind, text, os.path.relpath(real, self._real))
        return Target(Kind.OUTSIDE_DIRECTORY if kind is Kind.DIRECTORY else Kind.OUTSIDE, text)

    def contents(self, paths: Sequence[str]) -> Iterator[bytes | Problem]:
        for path in paths:
            yield _read(self._path / path)


def _kind(entry: os.DirEntry[str]) -> Kind:
    """The kind of a directory entry.

    A directory with its own `.git` counts as a submodule, even if it is a clone.
    """
    if entry.is_symlink():
        return Kind.LINK
    if entry.is_dir(follow_symlinks=False):
        return Kind.SUBMODULE if os.path.lexists(os.path.join(entry.path, ".git")) else Kind.DIRECTORY
    if entry.is_file(follow_symlinks=False):
        return Kind.FILE
    try:
        return _kind_of(entry.stat(follow_symlinks=False).st_mode)
    except OSError:  # the entry was removed meanwhile
        return Kind.MISSING


def _kind_of(mode: int) -> Kind:
    if stat.S_ISREG(mode):
        return Kind.FILE
    if stat.S_ISDIR(mode):
        return Kind.DIRECTORY
    if stat.S_ISSOCK(mode):
        return Kind.SOCKET
    return Kind.PIPE if stat.S_ISFIFO(mode) else Kind.DEVICE


def _link_text(path: Path) -> str:
    try:
        return os.readlink(path)
    except OSError:
        return ""


def _read(path: Path) -> bytes | Problem:
    """The content of a file, or the problem if it cannot be read. Never blocks, not even on a named pipe."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (OSError, ValueError) as error:
        return _access_problem(path, error)
    try:
        with open(descriptor, "rb") as opened:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                return problem_of(str(path), not_a_file(_kind_of(status.st_mode)))
            content = opened.read(LIMIT + 1)
    except OSError as error:
        return _access_problem(path, error)
    if len(content) > LIMIT:
        return size_problem(str(path), max(status.st_size, len(content)))
    return content


def _access_problem(path: Path, error: OSError | ValueError) -> Problem:
    number = error.errno if isinstance(error, OSError) else None
    if number == errno.ELOOP:
        message = LINK_LOOP
    elif number in _NOWHERE and path.is_symlink():
        message = dead_link(_link_text(path))
    elif number in _NOWHERE or number is None:
        message = "does not exist: check the path"
    elif number in (errno.EACCES, errno.EPERM):
        message = "cannot be read by this user: give it read permission"
    elif number == errno.ENXIO:
        message = not_a_file(Kind.SOCKET)
    else:
        reason = (error.strerror if isinstance(error, OSError) else None) or "unknown reason"
        message = f"cannot be read: {reason.lower()}"
    return problem_of(str(path), message)
