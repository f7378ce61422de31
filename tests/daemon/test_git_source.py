"""Fetches beside sweeps: one is under way, hints during it cause one more, and no result is lost."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from queue import SimpleQueue
from threading import Event

import pytest

from reconciler.daemon.git_source import Git
from reconciler.git.repository import Commit, Repository, SourceUnreachable
from reconciler.git.revision import branch

AT = datetime(2026, 1, 5, 9, tzinfo=UTC)
LONG, SHORT = timedelta(seconds=20), timedelta(milliseconds=20)
AWAY = SourceUnreachable("no answer")


class Held(Repository):
    """A repository whose fetches begin at once and end when a test says so."""

    begun: SimpleQueue[None]
    results: SimpleQueue[str | Exception]

    def __init__(self) -> None:
        super().__init__("file:///fleet.git", branch("main"), "specs", Path("clone"))
        self.__dict__.update(begun=SimpleQueue(), results=SimpleQueue())

    def commit(self) -> Commit:
        self.begun.put(None)
        result = self.results.get()
        if isinstance(result, Exception):
            raise result
        return Commit(result, "Ada", AT, f"merge {result}", (), ())


class Asked:
    """Counts how often the source asks to be read again."""

    def __init__(self) -> None:
        self.count = 0
        self.came = Event()

    def __call__(self) -> None:
        self.count += 1
        self.came.set()


@pytest.fixture
def held() -> Iterator[Held]:
    made = Held()
    yield made
    for _ in range(9):
        made.results.put(AWAY)  # no thread stays behind


def beside(held: Held, asked: Asked, patience: timedelta = LONG) -> Git:
    git = Git(held, patience)
    git.fetch_beside(asked)
    return git


def leave(git: Git) -> None:
    """Read while the fetch takes too long."""
    with pytest.raises(SourceUnreachable, match=r"fleet.git \(main\): the fetch is taking more than 0.02 s"):
        git.read()


def test_a_fetch_that_ends_in_time_is_read_and_asks_for_nothing(held: Held) -> None:
    asked = Asked()
    git = beside(held, asked)
    held.results.put("a1")
    assert (git.read().commit, asked.count, held.begun.qsize()) == ("a1", 0, 1)


def test_a_slow_fetch_asks_to_be_read_as_soon_as_it_has_ended(held: Held) -> None:
    asked = Asked()
    git = beside(held, asked, SHORT)
    leave(git)
    leave(git)
    held.results.put("a1")
    assert asked.came.wait(20)
    assert (git.read().commit, asked.count, held.begun.qsize()) == ("a1", 1, 1)


def test_a_slow_fetch_that_fails_waits_for_the_next_sweep(held: Held) -> None:
    """Otherwise a server that is away would be asked again and again without a pause."""
    asked = Asked()
    git = beside(held, asked, SHORT)
    leave(git)
    held.results.put(AWAY)
    with pytest.raises(SourceUnreachable, match="no answer"):
        _read_in_time(git)
    assert asked.count == 0


def _read_in_time(git: Git) -> None:
    """Read until the fetch has ended. Its thread may not have run yet."""
    while True:
        try:
            git.read()
        except SourceUnreachable as error:
            if "takes more than" not in str(error):
                raise


def test_hints_while_a_fetch_hangs_cause_one_more_when_it_ends(held: Held) -> None:
    """It may have asked the server before the push."""
    asked = Asked()
    git = beside(held, asked, SHORT)
    leave(git)
    for _ in range(3):
        git.hint()
    leave(git)
    held.results.put(AWAY)
    assert asked.came.wait(20)
    with pytest.raises(SourceUnreachable, match="no answer"):
        git.read()
    assert held.begun.qsize() == 1
    asked.came.clear()
    leave(git)
    held.results.put("b2")
    assert asked.came.wait(20)
    assert (git.read().commit, held.begun.qsize()) == ("b2", 2)


def test_a_hint_between_the_end_of_a_fetch_and_its_reading_is_not_lost(held: Held) -> None:
    asked = Asked()
    git = beside(held, asked, SHORT)
    leave(git)
    held.results.put("a1")
    assert asked.came.wait(20)
    git.hint()
    assert (git.read().commit, asked.count) == ("a1", 2)
    held.results.put("b2")
    assert git.read().commit == "b2"


def test_a_hint_without_a_fetch_has_no_effect(held: Held) -> None:
    asked = Asked()
    git = beside(held, asked)
    git.hint()
    held.results.put("a1")
    assert (git.read().commit, asked.count) == ("a1", 0)


def test_without_sweeps_a_reading_waits_for_its_fetch(held: Held) -> None:
    held.results.put("a1")
    assert Git(held, SHORT).read().commit == "a1"
