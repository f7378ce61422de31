"""One revision of one repository: its current commit and the spec files in it.

`Repository.commit` asks the server for the current commit and fetches it if it has changed. `Repository.last`
uses only the clone, and reads the last commit that was marked valid, or else the last commit that was
fetched. Both methods return a complete commit, never a state between two commits. A failed fetch leaves the
previous commit intact. A broken clone is deleted and fetched again, unless this machine caused the failure.
"""

import hashlib
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path, PurePosixPath
from threading import Event

from reconciler.git import address, credentials
from reconciler.git.clone import Clone, CloneBusy, lock
from reconciler.git.credentials import Credentials
from reconciler.git.history import History
from reconciler.git.program import GitFailed
from reconciler.git.remote import Remote, RevisionMissing
from reconciler.git.revision import Revision
from reconciler.git.signatures import KeysUnreadable, Signatures
from reconciler.git.tree import Corrupt, Fetch, Tree
from reconciler.spec.author import Author
from reconciler.spec.files import File
from reconciler.spec.problem import Problem, problem_of
from reconciler.spec.selection import Selection
from reconciler.spec.wording import printable

_FACTS = "--format=%H%x00%an%x00%ct%x00%s"
_SHORT_WAIT = timedelta(seconds=5)  # how long a query of the history waits for a fetch to end
_MOST_COMMITS = 20  # maximum number of commits that are searched for a valid one


class SourceUnreachable(Exception):
    """No commit could be read. The message is one line without credentials."""


class SourceStopped(SourceUnreachable):
    """No commit could be read, because this program is ending."""


class _Broken(Exception):
    """The clone is broken and cannot be read."""


@dataclass(frozen=True, slots=True)
class Commit:
    """A commit and the spec files in it. `at` is the commit time, and `author` is a name."""

    sha: str
    author: str
    at: datetime
    subject: str
    files: tuple[File, ...]
    problems: tuple[Problem, ...]
    warnings: tuple[Problem, ...] = ()
    ignored: int = 0


@dataclass(slots=True)
class _Memory:
    """The commit that was read last, so that it need not be read again.

    `tree` keeps the files of this commit, so that only changed files are read from the next commit.
    """

    tree: Tree = field(default_factory=Tree)
    object: str = ""  # what the revision named when `commit` was read: the commit, or an annotated tag
    commit: Commit | None = None


@dataclass(frozen=True, slots=True)
class Repository:
    """A revision of a git repository, and how to read it.

    path: the directory in the repository that contains the specs, or "" for the whole repository.
    clone: the local directory to fetch into. It must have no other use.
    timeout: the time limit for each git call.
    credentials: the credentials that git sends. By default, those in the URL or in git's configuration.
    signatures: the keys that may sign a commit.
    stop: once this event is set, git is killed and every call fails.

    Raises ValueError for a URL or path that is invalid or not allowed. The message contains no credentials.
    """

    url: str = field(repr=False)  # might contain credentials
    revision: Revision
    path: str
    clone: Path
    timeout: timedelta = timedelta(minutes=2)
    credentials: Credentials = field(default=credentials.of_url, repr=False)
    signatures: Signatures = field(default_factory=Signatures)
    stop: Event = field(default_factory=Event, repr=False, compare=False)
    _remote: Remote = field(init=False, repr=False, compare=False)
    _memory: _Memory = field(init=False, repr=False, compare=False, default_factory=_Memory)

    def __post_init__(self) -> None:
        steps = PurePosixPath(self.path)
        parsed = address.parse(self.url)
        if steps.is_absolute() or ".." in steps.parts or "\0" in self.path:
            raise ValueError(f"{self.path!r} is not a path inside the repository")
        object.__setattr__(self, "_remote", Remote(parsed, self.revision, self.credentials))

    def __str__(self) -> str:
        """The source of the specs, for messages."""
        revision = self.revision.name if self.revision.kind == "branch" else self.revision
        return f"{address.display(self.url)} ({revision})"

    def commit(self) -> Commit:
        """The current commit of the revision. Fetches the commit if it has changed.

        Raises SourceUnreachable if the commit cannot be read.
        """
        with self._open() as clone:
            try:
                return self._current(clone)
            except _Broken:
                clone.remake()
                return self._current(clone)

    def last(self) -> Commit | None:
        """The last valid commit, or else the last fetched commit. Reads only the clone.

        Returns None if neither commit exists or can be read.
        """
        for ref in (self._valid_ref, self._fetched_ref):
            try:
                with self._open() as clone:
                    return self._read(clone, ref)
            except (SourceUnreachable, _Broken, GitFailed):
                continue
        return None

    def mark_valid(self, sha: str) -> None:
        """Record in the clone that this commit is valid. The record is lost if the clone is deleted.

        Failures are ignored.
        """
        try:
            with self._open() as clone:
                if clone.resolve(self._valid_ref) != sha:
                    clone.set_ref(self._valid_ref, sha)
        except (SourceUnreachable, GitFailed):
            return

    def between(self, base: str, sha: str) -> tuple[Commit, ...]:
        """The commits of the branch after `base` and before `sha`, oldest first.

        Commits that reached the branch only through a merge do not count. The result is empty if `base` is
        not among the last 20 commits, or if any commit after `base` cannot be read.
        """
        try:
            with self._open() as clone:
                found = self._first_parents(clone, sha)
                if base not in found:
                    return ()
                later = found[1 : found.index(base)]
                return tuple(self._read(clone, each, self._fetch_files(clone)) for each in reversed(later))
        except (SourceUnreachable, _Broken, GitFailed):
            return ()

    def valid_before(self, sha: str, is_valid: Callable[[Commit], bool]) -> Commit | None:
        """The newest valid commit among the last 20 before `sha` on the branch, or None if none is valid.

        Commits that reached the branch only through a merge do not count. A commit with problems is never
        valid. Raises SourceUnreachable if a commit cannot be read.
        """
        with self._open() as clone:
            try:
                for each in self._first_parents(clone, sha)[1:]:
                    commit = self._read(clone, each, self._fetch_files(clone))
                    if not commit.problems and is_valid(commit):
                        return commit
            except GitFailed as error:
                raise self._unreachable(self._remote.reason(error)) from error
        return None

    def authors(self, sha: str, lines: Collection[tuple[str, int]]) -> tuple[Author, ...]:
        """The authors of the most recent change to any of these lines, as of the commit `sha`.

        Each line is a path and a line number. There are several authors if parallel changes were merged. The
        result is empty if the history cannot be read. Fetches the history if the clone does not have it.
        """
        try:
            with self._open(_SHORT_WAIT) as clone:
                return History(clone, self._remote, self._fetched_ref).authors(sha, lines)
        except (SourceUnreachable, GitFailed):
            return ()

    def past_files(self, sha: str, text: str, paths: Collection[str]) -> tuple[tuple[File, ...], ...] | None:
        """The spec files before and after each recent commit that added or removed `text` in `paths`.

        For each commit, newest first, the result has the files before the commit and then the files after it.
        Returns None if the history cannot be read. Commits that reached the branch only through a merge do
        not count. Fetches the history if the clone does not have it.
        """
        tree = Tree()  # not the one in memory, which keeps the files of the current commit
        try:
            with self._open(_SHORT_WAIT) as clone:
                history = History(clone, self._remote, self._fetched_ref)
                fetch = self._fetch_files(clone)
                return tuple(
                    history.past_files(sha, text, paths, lambda at: self._files(clone, at, fetch, tree))
                )
        except (SourceUnreachable, Corrupt, GitFailed):
            return None

    def _first_parents(self, clone: Clone, sha: str) -> list[str]:
        """A commit and the last 20 before it on the branch, newest first."""
        if not clone.has_history(self._fetched_ref):
            self._remote.fetch(clone, self._fetched_ref, f"--depth={_MOST_COMMITS + 1}")
        count = f"--max-count={_MOST_COMMITS + 1}"
        return clone.git(["rev-list", "--first-parent", count, sha, "--"]).decode().split()

    @property
    def _fetched_ref(self) -> str:
        """The ref of the revision in the clone.

        Each source has its own refs, so a clone that was used for another source never returns a commit of
        that source.
        """
        return f"refs/reconciler/{self._digest(self.revision.ref)}"

    @property
    def _valid_ref(self) -> str:
        """The ref of the last commit that was marked valid. Each path has its own ref."""
        return f"refs/reconciler-valid/{self._digest(self.revision.ref, str(PurePosixPath(self.path)))}"

    def _digest(self, *parts: str) -> str:
        return hashlib.sha256("\0".join((self._remote.address.bare, *parts)).encode()).hexdigest()[:20]

    @contextmanager
    def _open(self, wait: timedelta | None = None) -> Iterator[Clone]:
        try:
            with lock(self.clone, self.timeout, self.stop, wait=wait) as clone:
                clone.prepare()
                yield clone
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise self._unreachable(f"the clone in {self.clone} cannot be used: {reason}") from error
        except GitFailed as error:
            raise self._unreachable(f"the clone in {self.clone} cannot be used: {error.line}") from error
        except (CloneBusy, _Broken) as error:
            raise self._unreachable(f"the clone in {self.clone} cannot be used: {error}") from error

    def _unreachable(self, message: str) -> SourceUnreachable:
        return (SourceStopped if self.stop.is_set() else SourceUnreachable)(message)

    def _current(self, clone: Clone) -> Commit:
        """The current commit.

        Asks the server for the commit id, and fetches the commit only if it is new. Raises _Broken if the
        clone is broken, and SourceUnreachable if the commit cannot be read.
        """
        memory = self._memory
        try:
            current = self._remote.current(clone)
            if self._fetched_object(clone) != current:
                self._fetch(clone)
            elif memory.commit and memory.object == current and not self.signatures.are_required:
                return memory.commit
            commit = self._read(clone, self._fetched_ref, self._fetch_files(clone))
            memory.object, memory.commit = self._fetched_object(clone), commit
            with suppress(GitFailed, OSError):  # the commit has been read, so a full volume does no harm
                clone.compact()
        except RevisionMissing as error:
            raise self._unreachable(str(error)) from error
        except GitFailed as error:
            if not clone.is_sound(self._fetched_ref):
                raise _Broken(str(error)) from error
            raise self._unreachable(self._remote.reason(error)) from error
        return commit

    def _fetched_object(self, clone: Clone) -> str:
        """The id of the object that was fetched last, or "" before the first fetch.

        Raises _Broken if the clone is broken, and GitFailed if this machine is the cause.
        """
        try:
            return clone.resolve(self._fetched_ref)
        except GitFailed as error:
            if error.is_local:
                raise
            raise _Broken(str(error)) from error

    def _fetch(self, clone: Clone) -> None:
        """Update the clone to the current commit of the revision, even after a forced push.

        Raises _Broken if the clone is broken, and GitFailed if git fails.
        """
        if not self._fetched_object(clone):
            self._memory.tree = Tree()  # all files must be fetched into an empty clone
        how = () if clone.has_history(self._fetched_ref) else ("--depth=1",)
        self._remote.fetch(clone, self._fetched_ref, *how)

    def _fetch_files(self, clone: Clone) -> Fetch:
        """A function that fetches files by object id.

        It raises SourceUnreachable if the fetch fails, because a failed fetch does not damage the clone.
        """

        def fetch(objects: Sequence[str]) -> None:
            try:
                self._remote.fetch_files(clone, self._fetched_ref, objects)
            except GitFailed as error:
                raise self._unreachable(self._remote.reason(error)) from error

        return fetch

    def _files(self, clone: Clone, sha: str, fetch: Fetch | None, tree: Tree) -> Selection:
        def git(arguments: Sequence[str], stdin: bytes) -> bytes:
            return clone.git(arguments, stdin=stdin)

        return tree.spec_files(git, sha, "/".join(PurePosixPath(self.path).parts), fetch)

    def _read(self, clone: Clone, revision: str, fetch: Fetch | None = None) -> Commit:
        """Read a commit from the clone. Only `fetch` uses the network.

        Raises _Broken if the clone is damaged, and GitFailed if this machine is the cause of a failure.
        Raises SourceUnreachable if `fetch` does, or if the keys for signatures cannot be read.
        """
        try:
            facts = clone.git(
                ["log", "-1", "--no-show-signature", "--encoding=UTF-8", _FACTS, revision, "--"]
            )
            sha, author, seconds, subject = facts.decode(errors="replace").rstrip("\n").split("\0")
            if refusal := self.signatures.error(clone, sha):
                found = Selection((), (problem_of(f"commit {sha[:10]}", refusal),))
            else:
                found = self._files(clone, sha, fetch, self._memory.tree)
        except KeysUnreadable as error:
            raise self._unreachable(str(error)) from error
        except (GitFailed, Corrupt, ValueError) as error:
            if isinstance(error, GitFailed) and error.is_local:
                raise
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


def _moment(seconds: str) -> datetime:
    """The commit time, or the epoch if the time is out of range. A commit can claim any time."""
    try:
        return datetime.fromtimestamp(int(seconds), UTC)
    except (OverflowError, ValueError, OSError):
        return datetime.fromtimestamp(0, UTC)
