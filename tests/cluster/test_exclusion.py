"""Never do two replicas write at once, and one of them soon does when Kubernetes answers: on a simulated network.

Each candidate has a clock of its own. A call is delayed on its way there and back, or its answer is lost, and a call
whose caller has given up still arrives. A candidate may be paused at any moment. At every moment that it runs, each asks
whether it may write, and a write lasts for its whole timeout on the true time.
"""

import heapq
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import NamedTuple

from hypothesis import example, given, settings
from hypothesis import strategies as st

from reconciler.cluster.election import (
    Answer,
    Call,
    Candidate,
    Conflict,
    Create,
    Election,
    Get,
    Missing,
    NoAnswer,
    Wait,
    after,
    is_valid_for,
    next_call,
)
from reconciler.cluster.lease import Lease
from reconciler.cluster.timing import Timing

AT = datetime(2026, 1, 5, 9, tzinfo=UTC)
TIMING = Timing(timedelta(seconds=12), timedelta(seconds=10), timedelta(seconds=2))
ASKS = timedelta(milliseconds=500)  # between two questions whether a write is permitted
HEALTHY = timedelta(seconds=60)  # at the end, without any fault
# From the last fault: the Lease of a holder that is gone expires, is asked for, and is acted on.
PROGRESS = 2 * TIMING.duration + TIMING.write_timeout + 3 * TIMING.retry_period


class Fate(NamedTuple):
    """What happens to a call: how long it takes there and back, in seconds, and whether its answer is lost."""

    there: float = 0.01
    back: float = 0.01
    is_lost: bool = False


class Fault(NamedTuple):
    """What happens to a candidate, or to the Lease, so many seconds after the fault before."""

    after: float
    who: int
    kind: str  # pause, delete, strip
    lasts: float = 0.0


@dataclass(frozen=True)
class Sent:
    """A call on its way. `at` is when it was sent, by the clock of its caller."""

    number: int
    call: Call
    at: timedelta
    fate: Fate


@dataclass
class Server:
    """The Lease in Kubernetes."""

    lease: Lease | None = None
    versions: "count[int]" = field(default_factory=lambda: count(1))

    def answer(self, call: Call) -> Answer:
        if isinstance(call, Get):
            return self.lease or Missing()
        if isinstance(call, Create) and self.lease:
            return Conflict()
        if not isinstance(call, Create):
            if self.lease is None:
                return Missing()
            if call.lease.version != self.lease.version:
                return Conflict()
        self.lease = replace(call.lease, version=str(next(self.versions)))
        return self.lease


@dataclass
class Replica:
    election: Election
    offset: timedelta
    runs_from: timedelta = timedelta()  # true time, later than now while it is paused
    call: int = 0  # the number of the call in progress


@dataclass
class World:
    """Candidates, the Lease, and what is going to happen."""

    replicas: list[Replica]
    fates: Sequence[Fate]
    healthy_from: timedelta
    server: Server = field(default_factory=Server)
    now: timedelta = timedelta()
    writes: list[tuple[timedelta, timedelta, str]] = field(default_factory=list)
    calls: "count[int]" = field(default_factory=lambda: count(1))
    order: "count[int]" = field(default_factory=count)
    events: list[tuple[timedelta, int, str, int, object]] = field(default_factory=list)

    def at(self, moment: timedelta, kind: str, who: int, what: object = None) -> None:
        heapq.heappush(self.events, (moment, next(self.order), kind, who, what))

    def run(self, until: timedelta) -> None:
        while self.events and self.events[0][0] <= until:
            self.now, _, kind, who, what = heapq.heappop(self.events)
            replica = self.replicas[who % len(self.replicas)]
            if kind in {"step", "ask", "answer"} and replica.runs_from > self.now:
                self.at(replica.runs_from, kind, who, what)  # it is paused, and sees this when it wakes
                continue
            getattr(self, f"_{kind}")(who % len(self.replicas), replica, what)

    def _step(self, who: int, replica: Replica, _: object) -> None:
        now = self.now + replica.offset
        call = next_call(replica.election, now, AT)
        if isinstance(call, Wait):
            self.at(call.until - replica.offset, "step", who)
            return
        number = replica.call = next(self.calls)
        fate = Fate() if self.now >= self.healthy_from else self.fates[number % len(self.fates)]
        sent = Sent(number, call, now, fate)
        self.at(self.now + timedelta(seconds=fate.there), "arrive", who, sent)
        self.at(self.now + 2 * TIMING.call_timeout, "answer", who, (sent, NoAnswer()))

    def _arrive(self, who: int, _replica: Replica, sent: Sent) -> None:
        answer = self.server.answer(sent.call)
        if not sent.fate.is_lost:
            self.at(self.now + timedelta(seconds=sent.fate.back), "answer", who, (sent, answer))

    def _answer(self, who: int, replica: Replica, what: tuple[Sent, Answer]) -> None:
        sent, answer = what
        if sent.number != replica.call:
            return
        replica.call = 0
        now = self.now + replica.offset
        replica.election = after(replica.election, sent.call, answer, sent=sent.at, now=now)
        self.at(self.now, "step", who)

    def _ask(self, who: int, replica: Replica, _: object) -> None:
        if is_valid_for(replica.election, self.now + replica.offset, TIMING.write_timeout):
            self.writes.append((self.now, self.now + TIMING.write_timeout, replica.election.candidate.name))
        self.at(self.now + ASKS, "ask", who)

    def _pause(self, _who: int, replica: Replica, what: object) -> None:
        assert isinstance(what, timedelta)
        replica.runs_from = self.now + what

    def _delete(self, *_: object) -> None:
        self.server.lease = None

    def _strip(self, *_: object) -> None:
        if self.server.lease:
            self.server.lease = replace(self.server.lease, holder="", version=str(next(self.server.versions)))


def overlap(writes: Sequence[tuple[timedelta, timedelta, str]]) -> str:
    """The first two writes of different replicas at one moment."""
    last_end: dict[str, timedelta] = {}
    for begin, end, name in writes:
        for other, until in last_end.items():
            if other != name and begin < until:
                return f"{name} wrote at {begin}, and {other} until {until}"
        last_end[name] = end
    return ""


seconds = st.floats(0, 30).map(lambda value: round(value, 2))
fates = st.lists(st.builds(Fate, seconds, seconds, st.booleans()) | st.just(Fate()), min_size=1, max_size=12)
faults = st.lists(
    st.builds(
        Fault,
        st.integers(0, 15),
        st.integers(0, 2),
        st.sampled_from(["pause", "pause", "delete", "strip"]),
        seconds,
    ),
    max_size=8,
)


@given(
    offsets=st.lists(st.integers(0, 10**6), min_size=2, max_size=3),
    starts=st.lists(st.integers(0, 20), min_size=3, max_size=3),
    fates=fates,
    faults=faults,
)
@settings(max_examples=60)
# The holder is paused past its Lease, and another takes over.
@example([0, 5], [0, 1, 0], [Fate()], [Fault(40, 0, "pause", 30)])
# Its Lease is deleted while it acts, just before it is paused.
@example([0, 5], [0, 1, 0], [Fate()], [Fault(40, 0, "pause", 9), Fault(0, 0, "delete")])
# The holder is paused while a renewal is on its way, and reads the answer when another has taken over.
@example([0, 5], [0, 1, 0], [Fate(0.01, 1.9)], [Fault(41.5, 0, "pause", 30)])
# Every renewal succeeds and nobody hears of it.
@example([0, 5], [0, 1, 0], [Fate(0.01, 0.01), Fate(is_lost=True)], [])
def test_two_never_write_at_once_and_one_soon_does(
    offsets: list[int], starts: list[int], fates: list[Fate], faults: list[Fault]
) -> None:
    replicas = [
        Replica(Election(Candidate(f"replica-{n}"), TIMING), timedelta(seconds=each))
        for n, each in enumerate(offsets)
    ]
    faulty = timedelta(seconds=max(60, sum(each.after for each in faults)))
    faults_end = faulty + timedelta(seconds=max([0.0, *(each.lasts for each in faults)]))
    world = World(replicas, fates, healthy_from=faults_end)
    for who, start in zip(range(len(replicas)), starts, strict=False):
        world.at(timedelta(seconds=start), "step", who)
        world.at(timedelta(seconds=start), "ask", who)
    moment = timedelta()
    for fault in faults:
        moment += timedelta(seconds=fault.after)
        world.at(moment, fault.kind, fault.who, timedelta(seconds=fault.lasts))
    in_flight = timedelta(seconds=30)  # a call that was sent before may arrive as late as this
    world.run(faults_end + in_flight + PROGRESS + HEALTHY)
    assert not overlap(world.writes)
    late = [begin for begin, _, _ in world.writes if begin > faults_end + in_flight + PROGRESS]
    assert len(late) > (HEALTHY - TIMING.duration) / ASKS, "nobody writes although Kubernetes answers"
