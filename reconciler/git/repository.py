"""One branch of one repository: its current commit and the spec files in it.

`Repository.commit` fetches the branch. `Repository.last` reads the last fetched commit again, for use when
the remote is unreachable. Both return a complete commit, never a state between two commits. A failed fetch
leaves the previous commit intact, and a broken clone is deleted and fetched again.
"""

import difflib
import hashlib
import re
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path, PurePosixPath

from reconciler.git import address
from reconciler.git.clone import Clone, CloneBusy, lock
from reconciler.git.program import GitFailed
from reconciler.git.tree import Corrupt, spec_files
from reconciler.spec.author import Author
from reconciler.spec.files import File
from reconciler.spec.problem import Problem
from reconciler.spec.selection import Selection
from reconciler.spec.wording import printable

_FACTS = "--format=%H%x00%an%x00%ct%x00%s"
_SHA = re.compile("[0-9a-f]{40,64}")
_NAMED = 5  # maximum number of branches that a message lists
_MOST_CHANGES = 5  # maximum number of changes of a text that are examined
_FIXES = tuple(
    (re.compile(pattern), fix)
    for pattern, fix in (
        (
            "could not read (Username|Password)|Authentication failed",
            "configure a credential helper or an ssh key",
        ),
        (r"Permission denied \(", "configure an ssh key that this repository accepts"),
        ("Host key verification failed", "add the host's key to known_hosts"),
    )
)


class SourceUnreachable(Exception):
    """No commit could be read. The message is one line without credentials."""


class _Broken(Exception):
    """The clone is broken and cannot be read."""


@dataclass(frozen=True, slots=True)
class Commit:
    """A commit and the spec files in it. `at` is the commit time, and `author` is a name.

    `warnings` and `ignored` are those of the `Selection`.
    """

    sha: str
    author: str
    at: datetime
    subject: str
    files: tuple[File, ...]
    problems: tuple[Problem, ...]
    warnings: tuple[Problem, ...] = ()
    ignored: int = 0


@dataclass(frozen=True, slots=True)
class Repository:
    """A branch to follow.

    path: the directory in the repository that contains the specs, "" for all of it.
    clone: the local directory to fetch into. It must have no other use.
    timeout: the time limit for each call of git.

    Raises ValueError for a URL, branch or path that is invalid or not allowed.
    """

    url: str = field(repr=False)  # may hold credentials
    branch: str
    path: str
    clone: Path
    timeout: timedelta = timedelta(minutes=2)

    def __post_init__(self) -> None:
        error = address.url_error(self.url) or address.branch_error(self.branch)
        steps = PurePosixPath(self.path)
        if not error and (steps.is_absolute() or ".." in steps.parts or "\0" in self.path):
            error = f"{self.path!r} is not a path inside the repository"
        if error:
            raise ValueError(error)

    def __str__(self) -> str:
        """The source of the specs, for messages."""
        return f"{address.display(self.url)} ({self.branch})"

    def commit(self) -> Commit:
        """Fetch the branch and read its current commit. Raises SourceUnreachable."""
        with self._open() as clone:
            try:
                self._fetch(clone)
                return self._read(clone)
            except _Broken:
                clone.remake(self.timeout)
                self._fetch(clone)
                return self._read(clone)

    def last(self) -> Commit | None:
        """The last fetched commit, read from the clone alone, None if there is none or it cannot be read."""
        try:
            with self._open() as clone:
                return self._read(clone)
        except SourceUnreachable:
            return None

    def authors(self, sha: str, lines: Collection[tuple[str, int]]) -> tuple[Author, ...]:
        """The authors of the last changes to these lines, as of a commit.

        Each line is a path and a line number. There are several authors if parallel changes were merged, and
        none if the history does not show the author. The history is fetched if it is missing.
        """
        try:
            with self._open() as clone:
                self._fetch_history(clone)
                return self._authors(clone, sha, lines)
        except (SourceUnreachable, _Broken, GitFailed):
            return ()

    def past_files(self, sha: str, text: str, paths: Collection[str]) -> tuple[tuple[File, ...], ...] | None:
        """The spec files of the branch around the last few commits that added or removed `text` in `paths`.

        For each of these commits: the files before it and after it, latest first. None if the history cannot
        be read. Commits that reached the branch only through a merge do not count as states of the branch.
        The history is fetched if it is missing.
        """
        try:
            with self._open() as clone:
                self._fetch_history(clone)
                return tuple(self._past(clone, sha, text, paths))
        except (SourceUnreachable, _Broken, Corrupt, GitFailed):
            return None

    @property
    def _ref(self) -> str:
        """The ref of the branch in the clone.

        Each source has a ref of its own, so a clone that was used for another source never returns its
        commit.
        """
        source = hashlib.sha256(f"{self.url}\0{self.branch}".encode()).hexdigest()
        return f"refs/reconciler/{source[:20]}"

    @contextmanager
    def _open(self) -> Iterator[Clone]:
        try:
            with lock(self.clone, self.timeout) as clone:
                clone.prepare(self.timeout)
                yield clone
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise SourceUnreachable(f"the clone in {self.clone} cannot be used: {reason}") from error
        except (CloneBusy, GitFailed, _Broken) as error:
            raise SourceUnreachable(f"the clone in {self.clone} cannot be used: {error}") from error

    def _fetch(self, clone: Clone) -> None:
        """Update the clone to the current commit of the branch, also after a forced push."""
        try:
            self._fetch_by(clone, *(() if clone.has_history(self._ref, self.timeout) else ("--depth=1",)))
        except GitFailed as error:
            if not clone.is_sound(self._ref, self.timeout):
                raise _Broken(str(error)) from error
            raise SourceUnreachable(self._reason(clone, str(error))) from error

    def _fetch_history(self, clone: Clone) -> None:
        """Fetch the whole history of the branch. Later fetches then add each new commit. Raises GitFailed."""
        if not clone.has_history(self._ref, self.timeout):
            self._fetch_by(clone, "--unshallow")

    def _fetch_by(self, clone: Clone, *how: str) -> None:
        wanted = f"+refs/heads/{self.branch}:{self._ref}"
        options = ("--quiet", *how, "--no-tags", "--no-recurse-submodules", "--no-write-fetch-head")
        clone.git(["fetch", *options, "--", self.url, wanted], timeout=self.timeout, url=self.url)

    def _authors(self, clone: Clone, sha: str, lines: Collection[tuple[str, int]]) -> tuple[Author, ...]:
        by_file: dict[str, list[int]] = {}
        for path, number in sorted(lines):
            by_file.setdefault(path, []).append(number)
        found: dict[str, Author] = {}
        for path, numbers in by_file.items():
            ranges = [f"-L{number},{number}" for number in numbers]
            blame = ["blame", "--incremental", "--ignore-revs-file=", *ranges, sha, "--", path]
            found |= _blame_authors(clone.git(blame, timeout=self.timeout).decode(errors="replace"))
        last = clone.git(["merge-base", "--independent", *found], timeout=self.timeout) if found else b""
        return tuple(sorted({found[each] for each in last.decode().split()}))

    def _past(self, clone: Clone, sha: str, text: str, paths: Collection[str]) -> Iterator[tuple[File, ...]]:
        if not text or not paths:
            return
        how = ("--first-parent", "-m", "--no-show-signature", "--no-textconv", f"--max-count={_MOST_CHANGES}")
        log = ("log", *how, "--format=%H %P", "--no-patch", f"-S{text}", "--regexp-ignore-case", sha, "--")
        found = clone.git([*log, *(f":(literal){each}" for each in sorted(paths))], timeout=self.timeout)
        for line in found.decode().splitlines():
            after, *before = line.split()
            for each in (*before[:1], after):
                selection = self._files(clone, each)
                if not selection.problems:
                    yield selection.files

    def _files(self, clone: Clone, sha: str) -> Selection:
        def git(arguments: Sequence[str], stdin: bytes) -> bytes:
            return clone.git(list(arguments), timeout=self.timeout, stdin=stdin)

        return spec_files(git, sha, "/".join(PurePosixPath(self.path).parts))

    def _read(self, clone: Clone) -> Commit:
        """The commit in the clone. No step needs the network, so a failure means that the clone is broken."""

        try:
            facts = clone.git(
                ["log", "-1", "--no-show-signature", "--encoding=UTF-8", _FACTS, self._ref, "--"],
                timeout=self.timeout,
            )
            sha, author, seconds, subject = facts.decode(errors="replace").rstrip("\n").split("\0")
            found = self._files(clone, sha)
        except (GitFailed, Corrupt, ValueError) as error:
            raise _Broken(str(error)) from error
        return Commit(
            sha,
            printable(author),
            _moment(seconds),
            printable(subject),
            found.files,
            found.problems,
            found.warnings,
            found.ignored,
        )

    def _reason(self, clone: Clone, complaint: str) -> str:
        """Why the branch could not be fetched, with a fix if one is known."""
        if "find remote ref" in complaint:
            return self._no_branch(clone)
        hint = next((f"; {fix}" for pattern, fix in _FIXES if pattern.search(complaint)), "")
        return f"branch {self.branch} of {address.display(self.url)} cannot be fetched: {complaint}{hint}"

    def _no_branch(self, clone: Clone) -> str:
        shown = address.display(self.url)
        try:
            heads = clone.git(["ls-remote", "--heads", "--", self.url], timeout=self.timeout, url=self.url)
        except GitFailed:
            return f"{shown} has no branch {self.branch}"
        branches = [line.split("refs/heads/", 1)[-1] for line in heads.decode(errors="replace").splitlines()]
        if not branches:
            return f"{shown} is empty: push the specs to its branch {self.branch}"
        near = difflib.get_close_matches(self.branch, branches, n=1) or branches[:_NAMED]
        return f"{shown} has no branch {self.branch}; existing branches: {printable(', '.join(near))}"


def _blame_authors(blame: str) -> dict[str, Author]:
    """The commits in the output of `git blame --incremental`, and their authors."""
    found: dict[str, Author] = {}
    sha, name = "", ""
    for line in blame.splitlines():
        key, _, value = line.partition(" ")
        if _SHA.fullmatch(key):
            sha = key
        elif key == "author":
            name = printable(value)
        elif key == "author-mail":
            found[sha] = Author(name, printable(value.removeprefix("<").removesuffix(">")))
    return found


def _moment(seconds: str) -> datetime:
    """The commit time. A commit can claim any time, and one out of range counts as the epoch."""
    try:
        return datetime.fromtimestamp(int(seconds), UTC)
    except (OverflowError, ValueError, OSError):
        return datetime.fromtimestamp(0, UTC)
