"""The specs in force: those of the last commit that could be read and had no errors.

An unreachable remote or a commit with errors changes nothing. `errors` reports it in the log and the status,
and the specs of the last good commit remain in force. Only suspensions and freezes take effect from a commit
with errors, and hold until a commit without errors lifts them.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol

from reconciler.git.repository import Commit, Repository, SourceUnreachable
from reconciler.spec.author import Author
from reconciler.spec.declared import declare
from reconciler.spec.files import File, read_paths
from reconciler.spec.hold import apply_holds
from reconciler.spec.image import Image, same, short
from reconciler.spec.problem import Problem
from reconciler.spec.scale_set import ScaleSet

Lines = frozenset[tuple[str, int]]
"""Lines of files: pairs of a path, as in `Place`, and a line number."""

_RETRY_AFTER = timedelta(minutes=1)


def _nobody(_commit: str, _lines: Lines) -> tuple[Author, ...]:
    return ()


def _no_past(_commit: str, _text: str, _paths: frozenset[str]) -> tuple[tuple[File, ...], ...]:
    return ()


@dataclass(frozen=True, slots=True)
class Reading:
    """The spec files as the source has them now. `commit` is "" for a plain directory.

    `authors` returns the authors of lines of a commit, none if the source does not know them. `past` returns
    earlier versions of the spec files, newest first, from before each change that added a text to some paths
    or removed it. It returns None if they cannot be read.
    """

    commit: str
    subject: str
    files: tuple[File, ...]
    problems: tuple[Problem, ...]
    authors: Callable[[str, Lines], tuple[Author, ...]] = field(default=_nobody, compare=False)
    past: Callable[[str, str, frozenset[str]], tuple[tuple[File, ...], ...] | None] = field(
        default=_no_past, compare=False
    )


class Source(Protocol):
    """Where the specs come from. Raises SourceUnreachable."""

    def read(self) -> Reading:
        """The spec files as of now."""
        ...

    def last(self) -> Reading | None:
        """The files of the last successful read, perhaps by an earlier process, without a request. None if
        unknown."""
        ...


class Directory:
    """Specs from a local directory."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> Reading:
        files, problems = read_paths([self._path])
        return Reading("", str(self._path), files, problems)

    def last(self) -> None:
        return None


class Git:
    """Specs from one branch of a git repository, fetched at every read."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository

    def read(self) -> Reading:
        return self._reading(self._repository.commit())

    def last(self) -> Reading | None:
        commit = self._repository.last()
        return self._reading(commit) if commit else None

    def _reading(self, commit: Commit) -> Reading:
        source = self._repository
        return Reading(
            commit.sha, commit.subject, commit.files, commit.problems, source.authors, source.past_files
        )


class Specs:
    """The specs in force, refreshed at every sweep."""

    def __init__(self, source: Source, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._source = source
        self._now = now
        self._reading: Reading | None = None
        self._spec_errors: tuple[str, ...] = ()
        self._authors: dict[tuple[str, Lines], tuple[Author, ...]] = {}
        self._authors_failed_at: datetime | None = None
        self._declared_before: dict[tuple[str, Image], bool] = {}
        self._history_failed_at: datetime | None = None
        self.scale_sets: tuple[ScaleSet, ...] = ()
        self.commit = ""
        self.subject = ""
        self.errors: tuple[str, ...] = ()
        self.in_force_since: datetime | None = None  # None until specs without errors were read

    def __str__(self) -> str:
        """The commit or directory in force, for a log line."""
        return f"commit {self.commit[:10]} ({self.subject})" if self.commit else self.subject

    def refresh(self) -> None:
        """Read the source again. If that fails, keep the specs in force."""
        try:
            self._apply(self._source.read())
        except SourceUnreachable as error:
            if self.in_force_since is None and (reading := self._source.last()):
                self._apply(reading)
            self.errors = (str(error), *self._spec_errors)

    def authors(self, desired: ScaleSet, commit: str) -> tuple[Author, ...]:
        """The authors of the lines that declare the image at this commit. Empty if they cannot be determined;
        that is retried after a minute at the earliest."""
        key, known = (commit, desired.image_lines), self._authors  # a sweep may replace it meanwhile
        if key in known:
            return known[key]
        is_early = (
            self._authors_failed_at is not None and self._now() - self._authors_failed_at < _RETRY_AFTER
        )
        if self._reading is None or is_early:
            return ()
        if found := self._reading.authors(*key):
            known[key] = found
        else:
            self._authors_failed_at = self._now()
        return found

    def was_declared(self, desired: ScaleSet, image: Image, commit: str) -> bool:
        """Whether an earlier commit without errors declared the image for this scale set.

        False if the history cannot be read. That is retried after a minute at the earliest.
        """
        key, known = (desired.target.key, image), self._declared_before
        if key in known:
            return known[key]
        is_early = (
            self._history_failed_at is not None and self._now() - self._history_failed_at < _RETRY_AFTER
        )
        if self._reading is None or is_early:
            return False
        paths = frozenset(path for path, _ in desired.image_lines)
        past = self._reading.past(commit, short(image).rsplit("/", 1)[-1], paths)
        if past is None:
            self._history_failed_at = self._now()
            return False
        known[key] = any(_declares(files, desired, image) for files in past)
        return known[key]

    def _apply(self, reading: Reading) -> None:
        if reading != self._reading:
            self._reading = reading
            self._authors, self._declared_before = {}, {}
            declared = declare(reading.files)
            problems = sorted({*reading.problems, *declared.problems})
            self._spec_errors = tuple(map(str, problems))
            if problems:
                self.scale_sets = apply_holds(self.scale_sets, declared.holds)
            else:
                self.scale_sets = declared.scale_sets
                self.commit, self.subject = reading.commit, reading.subject
                self.in_force_since = self._now()
        self.errors = self._spec_errors


def _declares(files: tuple[File, ...], desired: ScaleSet, image: Image) -> bool:
    declared = declare(files)
    return not declared.problems and any(
        each.target.key == desired.target.key and same(each.image, image) for each in declared.scale_sets
    )
