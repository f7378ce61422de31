"""The thread of an elector, in real time that is short: what it tells the daemon, and what it does when calls fail."""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from itertools import count

import pytest

from reconciler.cluster.election import Candidate, Election, Moment
from reconciler.cluster.elector import Elector, since_boot
from reconciler.cluster.failure import Changed, Denied, LeaseFailure, NotThere, Unanswered
from reconciler.cluster.lease import Lease
from reconciler.cluster.timing import Timing

TIMING = Timing(timedelta(seconds=0.6), timedelta(seconds=0.5), timedelta(seconds=0.05))
NOW = timedelta()
PATIENCE = 20.0


@dataclass
class Leases:
    """One Lease in memory. `failure` is raised by each call, and while `answers` is not set, calls hang."""

    lease: Lease | None = None
    failure: LeaseFailure | Exception | None = None
    answers: threading.Event = field(default_factory=threading.Event)
    _versions: "count[int]" = field(default_factory=lambda: count(1))
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self.answers.set()

    def get(self) -> Lease:
        self._fail()
        if self.lease is None:
            raise NotThere("no Lease")
        return self.lease

    def create(self, lease: Lease) -> Lease:
        self._fail()
        with self._lock:
            if self.lease:
                raise Changed("exists already")
            return self._store(lease)

    def replace(self, lease: Lease) -> Lease:
        self._fail()
        with self._lock:
            if self.lease is None:
                raise NotThere("no Lease")
            if self.lease.version != lease.version:
                raise Changed("has been modified")
            return self._store(lease)

    def _store(self, lease: Lease) -> Lease:
        self.lease = replace(lease, version=str(next(self._versions)))
        return self.lease

    def _fail(self) -> None:
        self.answers.wait()
        if self.failure:
            raise self.failure


def free() -> Leases:
    """A Lease that its last holder has given back."""
    leases = Leases()
    leases.create(Lease("former").as_released(Lease().acquired))  # type: ignore[arg-type]
    return leases


class Counted(Elector):
    """Counts how often it told that the lead began or ended."""

    changes = 0

    def note(self) -> None:
        self.changes += 1


@contextmanager
def elector(leases: Leases, name: str = "me", **options: Callable[[], Moment]) -> Iterator["Counted"]:
    election = Election(Candidate(name, "10.0.0.7:8081"), TIMING)
    each = Counted(election, leases, **options)  # type: ignore[arg-type]
    each.start(each.note)
    yield each
    leases.answers.set()
    each.release()


def until(sign: Callable[[], object]) -> None:
    end = time.monotonic() + PATIENCE
    while not sign():
        assert time.monotonic() < end
        time.sleep(0.005)


def test_the_first_of_two_leads_and_the_other_knows_who() -> None:
    leases = free()
    with elector(leases, "a") as a:
        until(lambda: a.term)
        with elector(leases, "b") as b:
            until(lambda: b.leader)
            assert (a.term, b.term) == (1, 0)
            assert b.leader
            assert (b.leader.name, b.leader.address, b.leader.is_this) == ("a", "10.0.0.7:8081", False)
            assert not b.permits_write(NOW, b.term)


def test_a_lead_lasts_as_long_as_it_is_renewed() -> None:
    with elector(free()) as each:
        until(lambda: each.term)
        time.sleep(2 * TIMING.duration.total_seconds())
        assert (each.term, each.changes) == (1, 1)


def test_the_next_one_leads_at_once_after_a_release() -> None:
    leases = free()
    with elector(leases, "a") as a, elector(leases, "b") as b:
        until(lambda: a.term or b.term)
        first, second = (a, b) if a.term else (b, a)
        first.release()
        began = time.monotonic()
        until(lambda: second.term)
        assert time.monotonic() - began < TIMING.duration.total_seconds()
        assert not first.permits_write(NOW, 1)


@pytest.mark.parametrize(
    "failure",
    [
        pytest.param(Unanswered("gone"), id="a server that cannot be reached"),
        pytest.param(Denied("forbidden"), id="a role that was taken away"),
        pytest.param(RuntimeError("what"), id="a bug of the client"),
    ],
)
def test_a_lead_that_cannot_be_renewed_ends_and_begins_again(failure: Exception) -> None:
    leases = free()
    with elector(leases) as each:
        until(lambda: each.term)
        leases.failure = failure
        until(lambda: not each.term)
        until(lambda: each.changes == 2)
        leases.failure = None
        until(lambda: each.term == 2)
        assert (each.permits_write(NOW, 1), each.permits_write(NOW, 2)) == (False, True)


def test_a_lead_ends_in_time_although_a_renewal_hangs() -> None:
    leases = free()
    with elector(leases) as each:
        until(lambda: each.term)
        leases.answers.clear()
        time.sleep(TIMING.renew_deadline.total_seconds() + 0.1)
        assert not each.permits_write(NOW, 1)
        assert not each.term


def test_a_lead_ends_while_the_process_is_paused() -> None:
    ahead = timedelta()
    with elector(free(), clock=lambda: since_boot() + ahead) as each:
        until(lambda: each.term)
        ahead = timedelta(minutes=1)  # what the clock says when it wakes
        assert not each.permits_write(NOW, 1)


def test_a_failure_is_logged_once_and_so_is_its_end(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "reconciler")
    leases = free()
    with elector(leases) as each:
        until(lambda: each.term)
        leases.failure = Denied("Kubernetes returned forbidden")
        time.sleep(6 * TIMING.retry_period.total_seconds())
        leases.failure = None
        until(lambda: "again" in caplog.text)
    assert caplog.text.count("Kubernetes returned forbidden") == 1


def test_a_lease_is_given_back_although_the_answer_to_a_renewal_was_lost() -> None:
    leases = free()
    with elector(leases) as each:
        until(lambda: each.term)
        assert leases.lease
        leases.lease = replace(leases.lease, version="lost")
    assert leases.lease
    assert leases.lease.is_released


def test_a_release_does_not_wait_for_a_server_that_is_gone() -> None:
    leases = free()
    with elector(leases) as each:
        until(lambda: each.term)
        leases.failure = Unanswered("gone")


def test_the_age_of_the_lease_counts_from_the_last_renewal() -> None:
    leases = free()
    with elector(leases) as each:
        assert each.lease_age is None or each.lease_age < timedelta(seconds=1)
        until(lambda: each.term)
        leases.failure = Unanswered("gone")
        age = each.lease_age
        assert age is not None
        until(lambda: each.lease_age and each.lease_age > age + timedelta(seconds=0.1))
