"""The active specs.

A commit without errors is applied as a whole. From a commit with errors, only the scale sets without errors
are applied. The others keep their last good declarations (`in_force`). The commit is reported (`errors`,
`refused`), so that its author finds it in the log and the status. Until there has been a commit without
errors, no spec is active. An unreachable remote is reported and changes nothing. Freezes and suspensions in a
document with errors apply until a valid document lifts them.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from copy import copy
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from threading import Event
from typing import Protocol

from reconciler.azure.clock import steady
from reconciler.daemon.in_force import BrokenCommit, InForce, RefusedCommit, take_whole
from reconciler.git.repository import SourceStopped, SourceUnreachable
from reconciler.spec.author import Author
from reconciler.spec.declared import Declared, Known, declare, nothing_declared
from reconciler.spec.directory import read_paths
from reconciler.spec.files import File
from reconciler.spec.image import Image, same, short
from reconciler.spec.problem import Problem
from reconciler.spec.scale_set import ScaleSet
from reconciler.spec.shard import Shard

Lines = frozenset[tuple[str, int]]
"""Lines of files: pairs of a path, as in `Place`, and a line number."""

Around = Callable[[], AbstractContextManager[object]]
"""What happens around something."""

_IF_MISSING = "name the directory of specs with --specs, or write specs with `reconciler adopt`"
_RETRY_AFTER = timedelta(minutes=1)


def _nobody(_commit: str, _lines: Lines) -> tuple[Author, ...]:
    return ()


def _no_past(_commit: str, _text: str, _paths: frozenset[str]) -> tuple[tuple[File, ...], ...]:
    return ()


def _no_mark() -> None:
    pass


def _nothing_since(_commit: str) -> tuple["Reading", ...]:
    return ()


def _nothing_before(_is_valid: Callable[[tuple[File, ...]], bool]) -> None:
    pass


@dataclass(frozen=True, slots=True)
class Reading:
    """The spec files that the source has now. `commit` is "" for a plain directory.

    `authors` returns the authors of given lines in a commit, or () if the source does not know them. `past`
    returns earlier versions of the spec files, newest first: the files before each change that added a text
    to given paths, or removed it from them. It returns None if the history cannot be read. `mark_valid` makes
    the source remember the commit as the last valid one. `before` finds the newest earlier commit whose files
    are valid. It raises SourceUnreachable if it could not check all earlier commits. `since` returns the
    commits after an earlier commit, oldest first. `author` is the name of the author of the commit, or "" if
    there is none.
    """

    commit: str
    subject: str
    files: tuple[File, ...]
    problems: tuple[Problem, ...]
    authors: Callable[[str, Lines], tuple[Author, ...]] = field(default=_nobody, compare=False)
    past: Callable[[str, str, frozenset[str]], tuple[tuple[File, ...], ...] | None] = field(
        default=_no_past, compare=False
    )
    mark_valid: Callable[[], None] = field(default=_no_mark, compare=False)
    before: Callable[[Callable[[tuple[File, ...]], bool]], "Reading | None"] = field(
        default=_nothing_before, compare=False
    )
    author: str = ""
    warnings: tuple[Problem, ...] = ()
    since: Callable[[str], tuple["Reading", ...]] = field(default=_nothing_since, compare=False)


class Source(Protocol):
    """Where the specs come from. A read may raise SourceUnreachable."""

    def read(self) -> Reading:
        """The current spec files."""
        ...

    def last(self) -> Reading | None:
        """The files of the last successful read, or None if unknown. Sends no request.

        An earlier process may have done that read.
        """
        ...

    def fetch_beside(self, read_again: Callable[[], None], around: Around = nullcontext) -> None:
        """Let a slow fetch continue in the background.

        Once its result is available, the fetch calls `read_again`, which must return immediately and cause a
        new `read`. Each fetch runs in its own thread, in the context that `around` returns.
        """
        ...

    def hint(self) -> None:
        """Note that the source may have changed, and that a fetch in progress may miss the change."""
        ...


class Immediate:
    """A source that is read immediately, so nothing continues in the background."""

    def fetch_beside(self, read_again: Callable[[], None], around: Around = nullcontext) -> None:
        """Do nothing."""

    def hint(self) -> None:
        """Do nothing. The next read finds any change."""


class Directory(Immediate):
    """Specs from a local directory."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> Reading:
        found = read_paths([self.path], if_missing=_IF_MISSING)
        return Reading("", str(self.path), found.files, found.problems, warnings=found.warnings)

    def last(self) -> None:
        return None


class Specs:
    """The active specs, refreshed at every sweep."""

    def __init__(
        self,
        source: Source,
        now: Callable[[], datetime] | None = None,
        stop: Event | None = None,
        *,
        remote: str = "",
        forget_credentials: Callable[[], None] = lambda: None,
        shard: Shard | None = None,
    ) -> None:
        """`remote` is the address of the server that has the specs, or "" if there is none.

        `now` reads our own clock. The default clock cannot be set, so a change of the system time makes no
        source stale.

        `shard` limits the active specs to that part of the fleet. None means the whole fleet.
        """
        self.shard = shard
        self._source = source
        self._now = now or steady()
        self._forget_credentials = forget_credentials
        self.remote = remote
        self.stop = stop or Event()  # ends what the source is doing, permanently
        self._reading: Reading | None = None
        self._known = Known()
        self._spec_errors: tuple[str, ...] = ()
        self._authors: dict[tuple[str, Lines], tuple[Author, ...]] = {}
        self._authors_failed_at: datetime | None = None
        self._declared_before: dict[tuple[str, Image], bool] = {}
        self._history_failed_at: datetime | None = None
        self._good: dict[str, ScaleSet] = {}  # the declarations of the last commit without errors
        self._read_at: datetime | None = None
        self._unread_since: datetime | None = None
        self._fruitless: str | None = None  # the commit before which no valid one was found
        self.in_force: tuple[InForce, ...] = ()
        self.scale_sets: tuple[ScaleSet, ...] = ()
        self.refused: RefusedCommit | None = None
        self.warnings: tuple[str, ...] = ()
        self.commit = ""
        self.subject = ""
        self.author = ""  # of the commit, "" if unknown
        self.total = 0  # the scale sets of all shards, as of the last commit without errors
        self.elsewhere: frozenset[str] = frozenset()  # the keys of those that other shards have
        self.is_partial = False  # whether `commit` has errors, and is in force except for them
        self.errors: tuple[str, ...] = ()
        self.in_force_since: datetime | None = None  # None until specs without errors were read

    def __str__(self) -> str:
        """The active commit or directory, for a log line."""
        return f"commit {self.commit[:10]} ({self.subject})" if self.commit else self.subject

    @property
    def directory(self) -> Path | None:
        """The local directory that the specs are read from, or None for a git repository."""
        return self._source.path if isinstance(self._source, Directory) else None

    @property
    def read_age(self) -> timedelta | None:
        """How long ago this process last read the source, with or without errors, or None if it never has."""
        return None if self._read_at is None else self._now() - self._read_at

    def refresh(self) -> None:
        """Read the source again. If that fails, keep the active specs.

        After a start, the specs that were active before are applied first. If they are unknown and the
        current commit has errors, the newest valid commit is applied first.
        """
        if self.in_force_since is None and (kept := self._source.last()):
            self._apply(kept)
        try:
            reading = self._source.read()
        except SourceStopped:
            return
        except SourceUnreachable as error:
            self._unread_since = self._unread_since or self._read_at or self._now()
            self.errors = (str(error), *self._spec_errors)
            return
        is_first, base = self._read_at is None, self.commit
        self._read_at, self._unread_since = self._now(), None
        self._apply(reading)
        if self.refused is None:
            return
        if self.in_force_since is None and (earlier := self._valid_before(reading)):
            self._apply(earlier)
            is_first, base = True, earlier.commit
        if is_first and self.in_force_since is not None:
            # An earlier process has applied parts of the commits in between.
            for each in (*reading.since(base), reading):
                self._apply(each)

    def fetch_beside(self, read_again: Callable[[], None], around: Around = nullcontext) -> None:
        """Let a slow fetch continue in the background while sweeps run. See `Source.fetch_beside`."""
        self._source.fetch_beside(read_again, around)

    def hint(self) -> None:
        """Note that the source may have changed. The next refresh misses no change made before this call."""
        self._source.hint()

    def forget(self) -> None:
        """Forget what the next refresh would otherwise reuse: credentials, and a search without a result."""
        self._forget_credentials()
        self._fruitless = None

    @property
    def unread_for(self) -> timedelta | None:
        """How long the source has been unreadable, or None if the last read succeeded.

        If this process has never read the source, the time counts from its first attempt.
        """
        return None if self._unread_since is None else self._now() - self._unread_since

    def authors(self, desired: ScaleSet, commit: str) -> tuple[Author, ...]:
        """The authors of the lines that declare the image at this commit, or () if unknown.

        If the authors cannot be determined, the next attempt is at least a minute later.
        """
        key, known = (commit, desired.image_lines), self._authors  # a sweep may replace it meanwhile
        if key in known:
            return known[key]
        if self._reading is None or self._is_recent(self._authors_failed_at):
            return ()
        if found := self._reading.authors(*key):
            known[key] = found
        else:
            self._authors_failed_at = self._now()
        return found

    def was_declared(self, desired: ScaleSet, image: Image, commit: str) -> bool:
        """Whether an earlier commit declared the image for this scale set without errors.

        False if the history cannot be read. The next attempt is then at least a minute later.
        """
        key, known = (desired.target.key, image), self._declared_before
        if key in known:
            return known[key]
        if self._reading is None or self._is_recent(self._history_failed_at):
            return False
        paths = frozenset(path for path, _ in desired.image_lines)
        past = self._reading.past(commit, short(image).rsplit("/", 1)[-1], paths)
        if past is None:
            self._history_failed_at = self._now()
            return False
        read = copy(self._known)  # a sweep may use it meanwhile
        known[key] = any(_declares(declare(files, read), desired, image) for files in past)
        return known[key]

    def _valid_before(self, reading: Reading) -> Reading | None:
        """The newest valid commit before this one, or None if there is none.

        A search that found none is not repeated.
        """
        if reading.commit == self._fruitless:
            return None
        try:
            found = reading.before(self._is_valid)
        except SourceUnreachable:
            return None
        self._fruitless = None if found else reading.commit
        return found

    def _is_recent(self, failed_at: datetime | None) -> bool:
        """Whether a read failed so recently that it is not retried yet."""
        return failed_at is not None and self._now() - failed_at < _RETRY_AFTER

    def _apply(self, reading: Reading) -> None:
        if reading != self._reading:
            self._reading = reading
            self._authors, self._declared_before = {}, {}
            declared = declare(reading.files, self._known, self.shard)
            empty = nothing_declared(reading.files, declared, self.shard)
            problems = sorted({*reading.problems, *declared.problems, *empty})
            self._spec_errors = tuple(map(str, problems))
            self.warnings = tuple(map(str, sorted({*reading.warnings, *declared.warnings})))
            if problems:
                self._take_part(reading, declared, problems)
            else:
                self._take_whole(reading, declared)
            self.scale_sets = tuple(each.desired for each in self.in_force)
        self.errors = self._spec_errors

    def _is_valid(self, files: tuple[File, ...]) -> bool:
        declared = declare(files, self._known, self.shard)
        return not declared.problems and not nothing_declared(files, declared, self.shard)

    def _take_whole(self, reading: Reading, declared: Declared) -> None:
        self.in_force_since = self._now()
        self.in_force = take_whole(declared.scale_sets, (reading.commit, self.in_force_since), self.in_force)
        self._good = {each.key: each.desired for each in self.in_force}
        self.commit, self.subject, self.author = reading.commit, reading.subject, reading.author
        self.refused = None
        self.is_partial = False
        self.total = declared.total
        self.elsewhere = declared.elsewhere
        reading.mark_valid()

    def _take_part(self, reading: Reading, declared: Declared, problems: Sequence[Problem]) -> None:
        self.refused = RefusedCommit(
            reading.commit, reading.subject, reading.author, str(problems[0]), len(problems)
        )
        if self.in_force_since is None:
            return  # nothing says what the scale sets with errors were, on which others may have to wait
        self.elsewhere |= declared.elsewhere  # with errors, nothing counts as removed
        now = self._now()
        broken = BrokenCommit(self.refused, declared, problems, (reading.commit, now))
        self.in_force = broken.take_part(self.in_force, self._good)
        if any(each.behind is None for each in self.in_force):
            self.in_force_since = now
            self.commit, self.subject, self.author = reading.commit, reading.subject, reading.author
            self.is_partial = True


def _declares(declared: Declared, desired: ScaleSet, image: Image) -> bool:
    return any(
        each.target.key == desired.target.key and same(each.image, image) for each in declared.scale_sets
    )
