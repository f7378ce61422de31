"""The decisions of an election. Pure: the known Lease and the current moment determine the next call.

The rules are those of client-go: a candidate trusts only its own clock, and a Lease has expired once this
process has seen no new version for the duration of the Lease. Three rules go beyond client-go, so that two
replicas never write at the same time:

- The holder counts its own term from when the renewal was *sent*. Other candidates see that renewal later.
- A candidate that takes over an expired Lease does not act for one more write timeout. By then, a request
  that the former holder sent just before it was paused has ended, or shows in the first observation.
- If a Lease was deleted, or a person removed its holder, that holder may still act. A candidate that creates
  or takes such a Lease also waits for the duration of the Lease.

A moment is a time since boot, including the time when the machine was suspended (CLOCK_BOOTTIME).
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from reconciler.cluster.lease import Lease
from reconciler.cluster.timing import Timing

Moment = timedelta
_BOOT = Moment()


@dataclass(frozen=True, slots=True)
class Candidate:
    """A replica that takes part in an election.

    No other process ever has the same `name`. `address` is where other replicas reach this replica.
    """

    name: str
    address: str = ""


@dataclass(frozen=True, slots=True)
class Term:
    """A period during which this replica leads without interruption.

    `renewed` is when the last successful renewal was sent. `acts_from` is the first moment at which this
    replica may act.
    """

    number: int
    renewed: Moment
    acts_from: Moment


@dataclass(frozen=True, slots=True)
class Election:
    """What a candidate knows about an election.

    `seen` is the last version of the Lease, or None if no Lease exists or none was read. `seen_at` is when
    this process first saw that version. `is_current` is true if the next write may be based on `seen`.
    `next_at` is when the next call is due. `not_before` is the first moment at which this candidate may act
    after a claim that got no answer but may have succeeded.
    """

    candidate: Candidate
    timing: Timing
    seen: Lease | None = None
    seen_at: Moment = _BOOT
    is_current: bool = False
    next_at: Moment = _BOOT
    term: Term | None = None
    terms: int = 0
    not_before: Moment = _BOOT
    is_over: bool = False


@dataclass(frozen=True, slots=True)
class Get:
    """Read the Lease."""


@dataclass(frozen=True, slots=True)
class Create:
    """Create the Lease. `acts_from` is the first moment to act if the call succeeds."""

    lease: Lease
    acts_from: Moment


@dataclass(frozen=True, slots=True)
class Replace:
    """Replace exactly this version of the Lease: renew it, take it over, or release it."""

    lease: Lease
    acts_from: Moment


@dataclass(frozen=True, slots=True)
class Wait:
    """Make no call before this moment."""

    until: Moment


Call = Get | Create | Replace


@dataclass(frozen=True, slots=True)
class Missing:
    """The Lease does not exist."""


@dataclass(frozen=True, slots=True)
class Conflict:
    """The Lease is not in the state that the call expects."""


@dataclass(frozen=True, slots=True)
class NoAnswer:
    """The call was refused, or it is unknown whether the call had an effect."""


Answer = Lease | Missing | Conflict | NoAnswer


def is_leader(election: Election, now: Moment) -> bool:
    """Whether this candidate leads, and may act."""
    return is_valid_for(election, now, timedelta())


def is_valid_for(election: Election, now: Moment, timeout: timedelta) -> bool:
    """Whether this candidate leads for longer than `timeout` from now, even without another renewal."""
    term = _term_at(election, now)
    return term is not None and term.acts_from <= now and now + timeout < _end(election, term)


def holder(election: Election, now: Moment) -> Lease | None:
    """The Lease, if its holder may lead now, or else None.

    None means that nobody holds the Lease, or that it was not renewed in time: the holder may be gone, or
    this candidate may be unable to reach Kubernetes.
    """
    lease = election.seen
    if lease is None or not lease.holder:
        return None
    is_ours = lease.holder == election.candidate.name
    is_over = _term_at(election, now) is None if is_ours else _is_takeable(election, now)
    return None if is_over else lease


def next_change(election: Election, now: Moment) -> Moment:
    """When this candidate next begins or stops leading merely because time passes."""
    term = election.term
    changes = (term.acts_from, _end(election, term)) if term else ()
    return min((each for each in changes if each > now), default=Moment.max)


def next_call(election: Election, now: Moment, at: datetime) -> Call | Wait:
    """The call that is due, or how long to wait.

    `at` is the date and time to write to the Lease, for people to read.
    """
    if election.is_over or now < election.next_at:
        return Wait(election.next_at)
    if not election.is_current:
        return Get()
    known, term = election.seen, _term_at(election, now)
    acts_from = term.acts_from if term else _acts_from(election, now)
    claim = _claim(election, at, is_renewal=term is not None)
    return Replace(claim, acts_from) if known else Create(claim, acts_from)


def release(election: Election, now: Moment, at: datetime) -> Replace | None:
    """The call that releases the Lease, or None if this candidate does not lead.

    The candidate that takes a released Lease acts immediately. If this candidate is still waiting for a
    former holder, it therefore lets its Lease expire, so that the next holder waits too.
    """
    known = election.seen
    is_ours = known is not None and bool(known.version) and known.holder == election.candidate.name
    return Replace(known.as_released(at), now) if known and is_ours and is_leader(election, now) else None


def after(election: Election, call: Call, answer: Answer, *, sent: Moment, now: Moment) -> Election:
    """The election after the answer to a call that was sent at `sent`."""
    match answer:
        case Lease() if not answer.version:  # it could be replaced by mistake
            return _after_silence(election, call, sent, now)
        case Lease():
            if isinstance(call, Get):
                return _after_get(election, answer, now)
            return _after_write(election, call, answer, sent, now)
        case Missing() if not isinstance(call, Create):
            return replace(election, seen=None, is_current=True, next_at=now)
        case Conflict():
            # The holder has to know soon whether it still is. Nobody asks as fast as the network allows.
            share = 5 if _term_at(election, now) else 1
            next_at = now + election.timing.retry_period / share
            return replace(election, is_current=False, next_at=next_at)
        case _:
            return _after_silence(election, call, sent, now)


def over(election: Election) -> Election:
    """The election once this candidate has left it."""
    return replace(election, is_over=True, term=None)


def _after_get(election: Election, lease: Lease, now: Moment) -> Election:
    is_new = election.seen is None or election.seen.version != lease.version
    known = replace(election, seen=lease, seen_at=now if is_new else election.seen_at)
    if lease.holder == election.candidate.name:
        return replace(known, is_current=True, next_at=now)
    if _is_takeable(known, now):
        return replace(known, term=None, is_current=True, next_at=now)
    return replace(known, term=None, is_current=False, next_at=now + election.timing.retry_period)


def _after_write(
    election: Election, call: Create | Replace, lease: Lease, sent: Moment, now: Moment
) -> Election:
    known = replace(
        election,
        seen=lease,
        seen_at=now,
        is_current=True,
        next_at=sent + election.timing.retry_period,
        not_before=_BOOT,
    )
    if lease.holder != election.candidate.name:
        return replace(known, term=None, is_current=False)
    if term := _term_at(election, sent):
        return replace(known, term=replace(term, renewed=sent))
    number = election.terms + 1
    return replace(known, term=Term(number, sent, call.acts_from), terms=number)


def _after_silence(election: Election, call: Call, sent: Moment, now: Moment) -> Election:
    not_before, leads = election.not_before, _term_at(election, now) is not None
    if isinstance(call, Create | Replace) and not leads:
        not_before = max(not_before, call.acts_from)
    next_at = max(now, sent + election.timing.retry_period)
    return replace(election, is_current=leads and election.is_current, next_at=next_at, not_before=not_before)


def _end(election: Election, term: Term) -> Moment:
    return term.renewed + election.timing.renew_deadline


def _term_at(election: Election, now: Moment) -> Term | None:
    """The current term, or None if there is none or it was not renewed in time."""
    term = election.term
    return term if term and now < _end(election, term) else None


def _is_takeable(election: Election, now: Moment) -> bool:
    lease = election.seen
    if lease is None or not lease.holder:
        return True
    return now >= election.seen_at + (lease.duration or election.timing.duration)


def _acts_from(election: Election, now: Moment) -> Moment:
    """The first moment at which this candidate may act if it claims the Lease now."""
    lease, timing = election.seen, election.timing
    if lease is not None and lease.is_released:
        return max(now, election.not_before)
    wait = timing.write_timeout
    if lease is None or not lease.holder:
        wait += timing.duration
    return max(now + wait, election.not_before)


def _claim(election: Election, at: datetime, *, is_renewal: bool) -> Lease:
    known, candidate = election.seen or Lease(), election.candidate
    is_ours = known.holder == candidate.name
    return replace(
        known,
        holder=candidate.name,
        duration=election.timing.duration,
        acquired=known.acquired if is_renewal and is_ours else at,
        renewed=at,
        transitions=known.transitions + (election.seen is not None and not is_ours),
        address=candidate.address,
    )
