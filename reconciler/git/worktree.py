"""Reads an earlier version of a spec directory from its git repository.

The repository belongs to the person who runs the command, or to CI. The repository is only read, and nothing
is fetched. git itself searches for the repository, and therefore refuses a repository that belongs to another
user.
"""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path, PurePosixPath

from reconciler.git.program import GitFailed, run
from reconciler.git.tree import Corrupt, Git, Tree, has_directory
from reconciler.spec.selection import Selection
from reconciler.spec.wording import printable, shorten

_TIMEOUT = timedelta(minutes=1)
_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
# Syntax for several commits, for all commits but one, for a file, or for a search. No name of a ref contains
# it.
_NOT_ONE = re.compile(r"^\^|\.\.|\^[@!-]|[:\s]")
_SHALLOW = "`git fetch --unshallow`, or `fetch-depth: 0` of actions/checkout in CI, fetches the whole history"
_NO_REPOSITORY = "not a git repository"


class NoBase(Exception):
    """An earlier version cannot be read. The message says why, and what to do."""


@dataclass(frozen=True, slots=True)
class EarlierSpecs:
    """The spec files of a directory at a commit.

    `warning` says why this might be the wrong commit, or is "". `is_absent` is true if the commit has no spec
    files in the directory.
    """

    commit: str
    selection: Selection
    warning: str = ""
    is_absent: bool = False


def earlier_specs(directory: Path, revision: str) -> EarlierSpecs:
    """The spec files of `directory` at the commit where HEAD branched off from `revision`.

    If git knows no such commit, as in a shallow clone, returns the files at `revision` itself. Raises NoBase
    if the files cannot be read.
    """
    if directory.is_file():
        raise NoBase(f"{printable(str(directory))} is a file, but --base compares directories of specs")
    here = directory.resolve()
    existing = next(each for each in (here, *here.parents) if each.is_dir())

    def git(arguments: Sequence[str], stdin: bytes = b"") -> bytes:
        return run(
            arguments, repository=existing, timeout=_TIMEOUT, stdin=stdin, is_work_tree=True, is_offline=True
        )

    path = _path(git, directory, here, existing)
    tip = _commit(git, revision)
    base, warning = _branching_point(git, tip, shorten(revision))
    try:
        found = Tree().files_below(git, base, path) if has_directory(git, base, path) else Selection(())
    except (GitFailed, Corrupt) as error:
        line = error.line if isinstance(error, GitFailed) else str(error)
        raise NoBase(f"commit {base[:10]} cannot be read: {line}; fetch it first. {_SHALLOW}") from error
    return EarlierSpecs(base, found, warning, is_absent=not (found.files or found.problems))


def _path(git: Git, directory: Path, here: Path, existing: Path) -> str:
    """The path of the specs in the repository, or "" for its top directory.

    The path might exist only in earlier commits. Raises NoBase if there is no repository.
    """
    try:
        prefix = os.fsdecode(git(["rev-parse", "--show-prefix"], b"").removesuffix(b"\n"))
    except GitFailed as error:
        if _NO_REPOSITORY not in str(error):
            raise NoBase(
                f"the repository that contains {printable(str(directory))} cannot be read: {error.line}"
            ) from error
        why = "so --base has no earlier commit to compare with"
        raise NoBase(f"{printable(str(directory))} is not in a git repository, {why}") from error
    path = PurePosixPath(prefix, here.relative_to(existing).as_posix()).as_posix()
    return "" if path == "." else path


def _commit(git: Git, revision: str) -> str:
    """The id of the commit that a revision names. Raises NoBase unless exactly one commit has this name."""
    shown = shorten(revision)
    if _NOT_ONE.search(revision) or "\0" in revision:
        raise NoBase(f"{shown!r} must name exactly one commit: write a branch, a tag or a commit id")
    try:
        commit = git(
            ["rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}"], b""
        ).decode()
    except GitFailed as error:
        if error.is_local:
            raise NoBase(error.line) from error
        raise NoBase(f"{shown} is not a commit in the repository: fetch it first. {_SHALLOW}") from error
    if not _COMMIT.fullmatch(commit.strip()):
        raise NoBase(f"{shown!r} must name exactly one commit: write a branch, a tag or a commit id")
    return commit.strip()


def _branching_point(git: Git, tip: str, revision: str) -> tuple[str, str]:
    """The commit where HEAD branched off from `tip`, and "" as the warning.

    If git cannot find that commit, returns `tip` and a warning.
    """
    try:
        return git(["merge-base", tip, "HEAD"], b"").decode().split()[0], ""
    except GitFailed as error:
        if error.is_local:
            raise NoBase(error.line) from error
    is_shallow = git(["rev-parse", "--is-shallow-repository"], b"").strip() == b"true"
    why = "the clone is shallow" if is_shallow else "they have no commit in common"
    fix = f". {_SHALLOW}" if is_shallow else ""
    return tip, (
        f"git cannot find where HEAD branched off from {revision}, because {why}; the comparison is with "
        f"{revision} itself, so later merges there look like part of the change{fix}"
    )
