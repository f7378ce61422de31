"""The thread that carries out the decisions of an election, and tells the daemon whether this replica leads.

The clock decides each time the daemon asks. The lead therefore ends in time even if this thread hangs in a
call, or the process was paused.
"""

import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from threading import Condition, Thread
from typing import Protocol

from reconciler.cluster.election import (
    Answer,
    Call,
    Conflict,
    Create,
    Election,
    Get,
    Missing,
    Moment,
    NoAnswer,
    Replace,
    Wait,
    after,
    holder,
    is_leader,
    is_valid_for,
    next_call,
    next_change,
    over,
    release,
)
from reconciler.cluster.failure import Changed, LeaseFailure, NotThere
from reconciler.cluster.lease import Lease
from reconciler.daemon.leadership import Leader
from reconciler.rollout.wording import moment
from reconciler.spec.wording import printable

_log = logging.getLogger("reconciler")

_RELEASE_TRIES = 3


class LeaseClient(Protocol):
    """A client for one Lease. Each call has a timeout, and raises LeaseFailure if it fails."""

    def get(self) -> Lease:
        """The current Lease."""
        ...

    def create(self, lease: Lease) -> Lease: ...

    def replace(self, lease: Lease) -> Lease:
        """Replace the Lease, if it still has the version of `lease`."""
        ...


def since_boot() -> Moment:
    """The time since boot, including the time when the machine was suspended. This clock cannot be set."""
    return timedelta(microseconds=time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1000)


class Elector:
    """Takes part in an election until `release` is called. See `daemon.leadership.Leadership`."""

    def __init__(
        self,
        election: Election,
        client: LeaseClient,
        *,
        clock: Callable[[], Moment] = since_boot,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._election = election
        self._client = client
        self._on_change: Callable[[], None] = lambda: None
        self._clock = clock
        self._now = now
        self._said: type[Exception] | None = None  # the kind of the last failure in the log
        self._told: tuple[int, str] = (0, "")  # the term and the holder that were logged
        self._stopping = Condition()
        self._is_stopping = False
        self._thread = Thread(target=self._run, name="elector", daemon=True)

    is_shared = True

    @property
    def term(self) -> int:
        """The number of the term in which this replica acts, or 0 while it is on standby."""
        election = self._election
        return election.terms if is_leader(election, self._clock()) else 0

    def permits_write(self, timeout: timedelta, term: int | None) -> bool:
        """Whether this replica leads in this term for longer than `timeout` from now."""
        election = self._election
        return election.terms == term and is_valid_for(election, self._clock(), timeout)

    @property
    def write_timeout(self) -> timedelta | None:
        """The maximum duration of a write to Azure."""
        return self._election.timing.write_timeout

    @property
    def leader(self) -> Leader | None:
        """The leader, as far as this replica knows, or None (see `holder`)."""
        lease = holder(self._election, self._clock())
        if lease is None:
            return None
        is_this = lease.holder == self._election.candidate.name
        return Leader(printable(lease.holder), lease.address, lease.acquired, is_this=is_this)

    @property
    def lease_age(self) -> timedelta | None:
        """The time since the last renewal that this replica saw or sent, or None before the first renewal."""
        election = self._election
        seen = election.term.renewed if election.term else election.seen_at
        return self._clock() - seen if election.seen else None

    def start(self, on_change: Callable[[], None]) -> None:
        """Start taking part in the election.

        `on_change` is called when this replica begins or stops acting. It must return immediately.
        """
        self._on_change = on_change
        self._thread.start()

    def release(self) -> None:
        """Leave the election, and release the Lease. Call this only after all work has ended."""
        with self._stopping:
            self._is_stopping = True
            self._stopping.notify_all()
        self._thread.join()

    def _run(self) -> None:
        while not self._is_stopping:
            now = self._clock()
            call = next_call(self._election, now, self._now())
            if isinstance(call, Wait):
                self._wait(min(call.until, next_change(self._election, now)) - now)
            else:
                self._make(call)
            self._tell()
        self._give_back()

    def _wait(self, length: timedelta) -> None:
        with self._stopping:
            if not self._is_stopping:
                self._stopping.wait(max(0.0, length.total_seconds()))

    def _make(self, call: Call) -> None:
        sent = self._clock()
        answer = self._ask(call)
        self._election = after(self._election, call, answer, sent=sent, now=self._clock())

    def _ask(self, call: Call) -> Answer:
        try:
            lease = self._send(call)
        except Changed:
            return Conflict()
        except NotThere as failure:
            if isinstance(call, Create):
                self._say(failure, "; does the namespace exist?")
            return Missing()
        except LeaseFailure as failure:
            self._say(failure)
            return NoAnswer()
        except Exception as error:
            self._say(error, " (a bug in the reconciler, please report it)")
            return NoAnswer()
        self._say(None)
        return lease

    def _send(self, call: Call) -> Lease:
        match call:
            case Get():
                return self._client.get()
            case Create(lease=lease):
                return self._client.create(lease)
            case Replace(lease=lease):
                return self._client.replace(lease)

    def _give_back(self) -> None:
        known, self._election = self._election, over(self._election)
        for _ in range(_RELEASE_TRIES):
            call = release(known, self._clock(), self._now())
            if call is None:
                return
            try:
                self._client.replace(call.lease)
                _log.info("released the Lease")
                return
            except Changed:  # by a renewal whose answer was lost
                sent = self._clock()
                known = after(known, Get(), self._ask(Get()), sent=sent, now=self._clock())
            except Exception as error:
                why = printable(str(error))
                _log.warning("could not release the Lease, so it expires by itself: %s", why)
                return

    def _say(self, failure: Exception | None, more: str = "") -> None:
        """Log a failure once when it begins, once when its kind changes, and once when it ends.

        Only the kind is compared, because the messages of a broken connection differ from one call to the
        next.
        """
        kind = type(failure) if failure else None
        if kind is self._said:
            return
        self._said = kind
        if failure:
            _log.warning("could not read or renew the Lease: %s%s", printable(str(failure)), more)
        else:
            _log.info("the Lease can be read and renewed again")

    def _tell(self) -> None:
        """Log the leader if it has changed. Call `on_change` if this replica begins or stops acting."""
        term, leader = self.term, self.leader
        known = (term, leader.name if leader else "")
        if known == self._told:
            return
        before, self._told = self._told, known
        if term != before[0]:
            self._on_change()
        election = self._election
        if term and term != before[0]:
            _log.info("this replica leads")
        elif before[0] and not term:
            _log.warning("this replica no longer leads, and writes nothing")
        elif election.term and leader and leader.is_this:
            waits = election.term.acts_from - self._clock()
            if waits > timedelta():
                _log.info("this replica holds the Lease and will lead from %s", moment(self._now() + waits))
        if leader and not leader.is_this:
            _log.info("this replica is on standby: %s", leader)
