"""The declared scale sets in force: those of the last commit that could be read and has no errors.

An unreachable remote or a commit with errors changes nothing. Both are reported in the log and the status
(`errors`), and the last valid commit stays in force. Only a freeze or a suspension counts in spite of other
errors, until a commit without errors lifts it.
"""

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event, Thread
from typing import Protocol

from reconciler.git.repository import Commit, Repository, SourceStopped, SourceUnreachable
from reconciler.spec.author import Author
from reconciler.spec.declared import declare
from reconciler.spec.files import File, read_paths
from reconciler.spec.hold import apply_holds
from reconciler.spec.image import Image, same, short
from reconciler.spec.problem import Problem
from reconciler.spec.scale_set import ScaleSet

Lines = frozenset[tuple[str, int]]
"""Lines of files: each a path as `Place` has it, and a number."""

_PATIENCE = timedelta(minutes=1)
_FETCH_PATIENCE = timedelta(seconds=10)


def _nobody(_commit: str, _lines: Lines) -> tuple[Author, ...]:
    return ()


def _no_past(_commit: str, _text: str, _paths: frozenset[str]) -> tuple[tuple[File, ...], ...]:
    return ()


def _no_mark() -> None:
    pass


def _nothing_before(_is_valid: Callable[[tuple[File, ...]], bool]) -> None:
    pass


@dataclass(frozen=True, slots=True)
class Reading:
    """The spec files as the source has them now. `commit` is "" for a plain directory.

    `authors` returns the authors of lines of a commit, none if the source does not know them. `past` returns
    the spec files around the last few commits up to a commit that added a text to some paths or removed it
    there, latest first. None if they cannot be read. `mark_valid` makes the source remember the commit as the
    last valid one. `before` finds the newest earlier commit whose files are valid.
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


class Source(Protocol):
    """Where specs come from. Raises SourceUnreachable."""

    def read(self) -> Reading:
        """Everything declared at this moment."""
        ...

    def last(self) -> Reading | None:
        """What was read last, perhaps by an earlier process. Sends no request. None if unknown."""
        ...


class Directory:
    """Specs from a directory of this machine."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> Reading:
        files, problems = read_paths([self._path])
        return Reading("", str(self._path), files, problems)

    def last(self) -> None:
        return None


class Git:
    """Specs from a git repository, fetched when the server has another commit.

    A fetch that takes longer than `patience` continues in the background. The specs in force stay until a
    later reading gets its result.
    """

    def __init__(self, repository: Repository) -> None:
        self._repository = repository
        self._under_way: Future[Commit] | None = None
        self.patience: timedelta | None = None

    def read(self) -> Reading:
        if self.patience is None:
            return self._reading(self._repository.commit())
        if self._under_way is None:
            self._under_way = Future()
            Thread(target=_fulfil, args=(self._under_way, self._repository)).start()
        try:
            commit = self._under_way.result(self.patience.total_seconds())
        except TimeoutError as error:
            if self._under_way.done():
                self._under_way = None
                raise
            taken = f"{self.patience.total_seconds():g} s"
            raise SourceUnreachable(f"{self._repository}: the fetch takes more than {taken}") from error
        except SourceUnreachable:
            self._under_way = None
            raise
        self._under_way = None
        return self._reading(commit)

    def last(self) -> Reading | None:
        commit = self._repository.last()
        return self._reading(commit) if commit else None

    def _reading(self, commit: Commit) -> Reading:
        source = self._repository

        def before(is_valid: Callable[[tuple[File, ...]], bool]) -> Reading | None:
            found = source.valid_before(commit.sha, lambda each: is_valid(each.files))
            return self._reading(found) if found else None

        return Reading(
            commit.sha,
            commit.subject,
            commit.files,
            commit.problems,
            source.authors,
            source.past_files,
            lambda: source.mark_valid(commit.sha),
            before,
        )


def _fulfil(future: Future[Commit], repository: Repository) -> None:
    try:
        future.set_result(repository.commit())
    except BaseException as error:  # raised again where the result is read
        future.set_exception(error)


class Specs:
    """What is declared, refreshed at every sweep."""

    def __init__(
        self,
        source: Source,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        stop: Event | None = None,
    ) -> None:
        self._source = source
        self._now = now
        self.stop = stop or Event()  # ends what the source is doing, permanently
        self._reading: Reading | None = None
        self._mistakes: tuple[str, ...] = ()
        self._authors: dict[tuple[str, Lines], tuple[Author, ...]] = {}
        self._untold_at: datetime | None = None
        self._declared_before: dict[tuple[str, Image], bool] = {}
        self._unread_at: datetime | None = None
        self.scale_sets: tuple[ScaleSet, ...] = ()
        self.commit = ""
        self.subject = ""
        self.errors: tuple[str, ...] = ()
        self.in_force_since: datetime | None = None  # None: nothing could be read yet

    def __str__(self) -> str:
        """What is in force, for a log line."""
        return f"commit {self.commit[:10]} ({self.subject})" if self.commit else self.subject

    def refresh(self) -> None:
        """Read the source again. If that fails, what is in force stays.

        After a start, what was in force before is used first, or else the newest valid commit.
        """
        if self.in_force_since is None and (kept := self._source.last()):
            self._take(kept)
        try:
            reading = self._source.read()
        except SourceStopped:
            return
        except SourceUnreachable as error:
            self.errors = (str(error), *self._mistakes)
            return
        self._take(reading)
        if self.in_force_since is None and (earlier := reading.before(_is_valid)):
            self._take(earlier)
            self._take(reading)

    def fetch_beside(self) -> None:
        """Let a slow fetch continue in the background while sweeps run."""
        if isinstance(self._source, Git):
            self._source.patience = _FETCH_PATIENCE

    def authors(self, desired: ScaleSet, commit: str) -> tuple[Author, ...]:
        """The authors of the image that it declares at this commit.

        Empty if they are unknown. The source is then not asked again for a minute.
        """
        key, known = (commit, desired.image_lines), self._authors  # a sweep may begin another meanwhile
        if key in known:
            return known[key]
        is_early = self._untold_at is not None and self._now() - self._untold_at < _PATIENCE
        if self._reading is None or is_early:
            return ()
        if found := self._reading.authors(*key):
            known[key] = found
        else:
            self._untold_at = self._now()
        return found

    def was_declared(self, desired: ScaleSet, image: Image, commit: str) -> bool:
        """Whether an earlier commit without errors declared the image for this scale set.

        False if the history cannot be read. It is then not read again for a minute.
        """
        key, known = (desired.target.key, image), self._declared_before
        if key in known:
            return known[key]
        is_early = self._unread_at is not None and self._now() - self._unread_at < _PATIENCE
        if self._reading is None or is_early:
            return False
        paths = frozenset(path for path, _ in desired.image_lines)
        past = self._reading.past(commit, short(image).rsplit("/", 1)[-1], paths)
        if past is None:
            self._unread_at = self._now()
            return False
        known[key] = any(_declares(files, desired, image) for files in past)
        return known[key]

    def _take(self, reading: Reading) -> None:
        if reading != self._reading:
            self._reading = reading
            self._authors, self._declared_before = {}, {}
            declared = declare(reading.files)
            problems = sorted({*reading.problems, *declared.problems})
            self._mistakes = tuple(map(str, problems))
            if problems:
                self.scale_sets = apply_holds(self.scale_sets, declared.holds)
            else:
                self.scale_sets = declared.scale_sets
                self.commit, self.subject = reading.commit, reading.subject
                self.in_force_since = self._now()
                reading.mark_valid()
        self.errors = self._mistakes


def _is_valid(files: tuple[File, ...]) -> bool:
    return not declare(files).problems


def _declares(files: tuple[File, ...], desired: ScaleSet, image: Image) -> bool:
    declared = declare(files)
    return not declared.problems and any(
        each.target.key == desired.target.key and same(each.image, image) for each in declared.scale_sets
    )
