"""Reads an earlier version of a directory of specs from the git repository that it is part of.

The repository is that of the person or of CI. It is only read, and nothing is fetched.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from reconciler.git.program import GitFailed, run
from reconciler.git.tree import Corrupt, Tree
from reconciler.spec.selection import Selection
from reconciler.spec.wording import shorten

_TIMEOUT = timedelta(minutes=1)
_FETCH = "fetch it first; in CI, check out the whole history (`fetch-depth: 0` of actions/checkout)"


class NoBase(Exception):
    """An earlier version cannot be read. The message says why, and what to do."""


@dataclass(frozen=True, slots=True)
class EarlierSpecs:
    """The spec files of a directory at a commit."""

    commit: str
    selection: Selection


def earlier_specs(directory: Path, revision: str) -> EarlierSpecs:
    """The spec files of `directory` where the current commit branched off from `revision`.

    If git knows no common commit, as in a shallow clone, at `revision` itself. Raises NoBase.
    """
    top, repository = _repository(directory)

    def git(arguments: Sequence[str], stdin: bytes = b"") -> bytes:
        return run(arguments, repository=repository, timeout=_TIMEOUT, stdin=stdin, is_offline=True)

    try:
        tip = git(["rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}"])
    except GitFailed as error:
        if error.is_local:
            raise NoBase(error.line) from error
        what = f"{shorten(revision)} is not a commit of the repository in {top}"
        raise NoBase(f"{what}: {_FETCH}") from error
    try:
        sha = git(["merge-base", tip.decode().strip(), "HEAD"]).decode().split()[0]
    except GitFailed:
        sha = tip.decode().strip()
    path = directory.resolve().relative_to(top).as_posix()
    try:
        return EarlierSpecs(sha, Tree().spec_files(git, sha, "" if path == "." else path))
    except (GitFailed, Corrupt) as error:
        line = error.line if isinstance(error, GitFailed) else str(error)
        raise NoBase(f"commit {sha[:10]} cannot be read: {line}; {_FETCH}") from error


def _repository(directory: Path) -> tuple[Path, Path]:
    """The top directory of the work tree, and its git directory. Raises NoBase."""
    here = directory.resolve()
    for top in (here, *here.parents):
        git = top / ".git"
        if git.is_dir():
            return top, git
        if git.is_file():  # a linked work tree, or a submodule: "gitdir: PATH"
            return top, top / git.read_text().removeprefix("gitdir:").strip()
    raise NoBase(f"{directory} is not in a git repository: --base compares with an earlier commit of it")
