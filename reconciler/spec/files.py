"""Finds spec files below given paths and reads their bytes.

This module does not interpret the contents. Whatever cannot be read becomes a `Problem`: no path makes it
raise or wait. It therefore opens files without blocking and checks their type before it reads them.
"""

import errno
import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from reconciler.spec.problem import Problem, problem_of
from reconciler.spec.wording import printable

LIMIT = 1024 * 1024  # bytes; a spec takes about 500, so one file can hold two thousand specs
_ENDINGS = (".yaml", ".yml")


@dataclass(frozen=True, slots=True)
class File:
    """A spec file from a directory or from git. Messages print `path`."""

    path: str
    content: bytes


def is_spec(name: str) -> bool:
    """Whether a file with this name is read as a spec file."""
    return name.endswith(_ENDINGS)


def is_hidden(name: str) -> bool:
    """Whether a search skips this name: .git, lock files of editors, the ..data of a mounted ConfigMap."""
    return name.startswith(".")


def size_problem(path: str, size: int) -> Problem:
    """The problem for a file that is larger than `LIMIT`. `size` is in bytes."""
    return problem_of(path, f"is {size:,} bytes, over the limit of {LIMIT:,}: split it into several files")


def read_paths(paths: Sequence[Path]) -> tuple[tuple[File, ...], tuple[Problem, ...]]:
    """The spec files at `paths`. Directories are searched recursively, in the order of the names.

    A file that is reached twice, through two paths or a symbolic link, is read once.
    """
    files: dict[str, File] = {}
    problems: list[Problem] = []
    for path in paths:
        for found in _find(path):
            if isinstance(found, Problem):
                problems.append(found)
            elif (real := os.path.realpath(found)) not in files:
                read = _read(found)
                if isinstance(read, Problem):
                    problems.append(read)
                else:
                    files[real] = read
    return tuple(files.values()), tuple(sorted(set(problems)))


def _find(path: Path) -> Iterator[Path | Problem]:
    """The spec files at a path that the user named."""
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError) as error:
        yield _access_problem(path, error)
        return
    if not stat.S_ISDIR(mode):
        yield (
            path
            if is_spec(path.name)
            else problem_of(str(path), "is not a spec file: the name must end in .yaml or .yml")
        )
    elif is_spec(path.name):
        yield _suffix_problem(path)
    else:
        found = list(_search(path, above=()))
        yield from found or [
            problem_of(str(path), "contains no spec files: add a file whose name ends in .yaml or .yml")
        ]


def _search(directory: Path, *, above: tuple[tuple[int, int], ...]) -> Iterator[Path | Problem]:
    """The spec files below a directory. `above` are its parent directories, to detect a loop of links."""
    try:
        status = directory.stat()
        entries = sorted(os.scandir(directory), key=lambda entry: entry.name)
    except OSError as error:
        yield _access_problem(directory, error)
        return
    here = (status.st_dev, status.st_ino)
    if here in above:
        yield problem_of(
            str(directory), "is a symbolic link to one of its parent directories: remove the link"
        )
        return
    for entry in entries:
        if is_hidden(entry.name):
            continue
        path = directory / entry.name
        if not _is_directory(entry):
            if is_spec(entry.name):
                yield path
        elif is_spec(entry.name):
            yield _suffix_problem(path)
        else:
            yield from _search(path, above=(*above, here))


def _is_directory(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a loop of symbolic links: reading the path reports it
        return False


def _read(path: Path) -> File | Problem:
    """The file, or why it cannot be read. Opened without blocking: a named pipe would wait for its writer."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (OSError, ValueError) as error:
        return _access_problem(path, error)
    try:
        with open(descriptor, "rb") as opened:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                return problem_of(
                    str(path), f"is {_kind(status.st_mode)}, not a file: remove it or name a file"
                )
            content = opened.read(LIMIT + 1)
    except OSError as error:
        return _access_problem(path, error)
    if len(content) > LIMIT:
        return size_problem(str(path), max(status.st_size, len(content)))
    return File(printable(str(path)), content)


def _kind(mode: int) -> str:
    if stat.S_ISFIFO(mode):
        return "a named pipe"
    return "a directory" if stat.S_ISDIR(mode) else "a device"


def _suffix_problem(directory: Path) -> Problem:
    return problem_of(
        str(directory), "is a directory, but its name ends in .yaml or .yml: rename the directory"
    )


def _access_problem(path: Path, error: OSError | ValueError) -> Problem:
    number = error.errno if isinstance(error, OSError) else None
    if number == errno.ELOOP:
        message = "is part of a loop of symbolic links: remove it or point it to a file"
    elif number in (errno.ENOENT, errno.ENOTDIR) and path.is_symlink():
        target = printable(os.readlink(path))
        message = f"is a symbolic link to {target}, which does not exist: fix or remove the link"
    elif number in (errno.ENOENT, errno.ENOTDIR) or number is None:
        message = "no such file or directory: check the path"
    elif number in (errno.EACCES, errno.EPERM):
        message = "permission denied: give this user read permission"
    elif number == errno.ENXIO:
        message = "is a socket, not a file: remove it or name a file"
    else:
        reason = (error.strerror if isinstance(error, OSError) else None) or "unknown reason"
        message = f"cannot be read: {reason.lower()}"
    return problem_of(str(path), message)
