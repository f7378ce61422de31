"""Specs from a git repository, fetched when the server has a new commit."""

from collections.abc import Callable
from concurrent.futures import Future, wait
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from datetime import timedelta
from threading import Lock, Thread

from reconciler.daemon.specs import Around, Reading
from reconciler.git.repository import Commit, Repository, SourceUnreachable
from reconciler.spec.files import File

_PATIENCE = timedelta(seconds=10)


@dataclass(slots=True)
class _Fetch:
    """A fetch that is in progress, or whose result has not been read yet.

    `is_left` means that nothing waits for the fetch any more. `is_outdated` means that the fetch may lack a
    commit that was pushed after it began.
    """

    commit: Future[Commit] = field(default_factory=Future)
    is_left: bool = False
    is_outdated: bool = False


class Git:
    """The specs at a revision of a git repository.

    Once `fetch_beside` has been called, a fetch that takes longer than `patience` continues in the
    background. The current specs stay active until a later read gets the result. Only one fetch runs at a
    time. Any hints that arrive during a fetch cause one more fetch.
    """

    def __init__(self, repository: Repository, patience: timedelta = _PATIENCE) -> None:
        self._repository = repository
        self._patience = patience
        self._read_again: Callable[[], None] | None = None
        self._around: Around = nullcontext
        self._fetch: _Fetch | None = None
        self._lock = Lock()

    def fetch_beside(self, read_again: Callable[[], None], around: Around = nullcontext) -> None:
        self._read_again, self._around = read_again, around

    def hint(self) -> None:
        with self._lock:
            if self._fetch:
                self._fetch.is_outdated = True

    def read(self) -> Reading:
        if self._read_again is None:
            return self._reading(self._repository.commit())
        fetch = self._join(self._read_again)
        wait([fetch.commit], self._patience.total_seconds())
        with self._lock:
            fetch.is_left = not fetch.commit.done()
            if fetch.is_left:
                taken = f"{self._patience.total_seconds():g} s"
                raise SourceUnreachable(f"{self._repository}: the fetch is taking more than {taken}")
            self._fetch = None
        if fetch.is_outdated:
            self._read_again()
        return self._reading(fetch.commit.result())

    def last(self) -> Reading | None:
        commit = self._repository.last()
        return self._reading(commit) if commit else None

    def _join(self, read_again: Callable[[], None]) -> _Fetch:
        """The fetch in progress, or else a new one."""
        with self._lock:
            if self._fetch is None:
                self._fetch = _Fetch()
                fetch = self._fetch, read_again, self._around()
                Thread(target=self._run, args=fetch, name="fetch").start()
            self._fetch.is_left = False
            return self._fetch

    def _run(
        self, fetch: _Fetch, read_again: Callable[[], None], around: AbstractContextManager[object]
    ) -> None:
        commit: Commit | BaseException
        try:
            with around:
                commit = self._repository.commit()
        except BaseException as error:  # raised again where the result is read
            commit = error
        with self._lock:
            if isinstance(commit, BaseException):
                fetch.commit.set_exception(commit)
            else:
                fetch.commit.set_result(commit)
            # A failure is not read at once: that would begin the next fetch, and so on without a pause.
            is_wanted = fetch.is_left and (fetch.is_outdated or isinstance(commit, Commit))
        if is_wanted:
            read_again()

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
            commit.author,
            commit.warnings,
            lambda base: tuple(map(self._reading, source.between(base, commit.sha))),
        )
