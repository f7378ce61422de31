"""The decision of an election: one situation in each row."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

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
    Replace,
    Wait,
    after,
    is_leader,
    is_valid_for,
    next_call,
    over,
    release,
)
from reconciler.cluster.lease import Lease
from reconciler.cluster.timing import Timing

AT = datetime(2026, 1, 5, 9, tzinfo=UTC)
TIMING = Timing()  # 35 s, 30 s, 5 s; a write may take 12.5 s
ME = Candidate("me", "10.0.0.1:8081")
OTHER = Lease("other", timedelta(seconds=20), AT, AT, 3, "7", "10.0.0.2:8081")
RELEASED = OTHER.as_released(AT)
WRITE = timedelta(seconds=12.5)


def s(seconds: float) -> timedelta:
    return timedelta(seconds=seconds)


def begin() -> Election:
    return Election(ME, TIMING)


def step(election: Election, now: float, answer: Answer, lasts: float = 0.0) -> Election:
    """Make the call that is due at `now`, and give it this answer after `lasts` seconds."""
    call = next_call(election, s(now), AT)
    assert not isinstance(call, Wait), f"nothing is due before {call.until}"
    return after(election, call, answer, sent=s(now), now=s(now + lasts))


def call_at(election: Election, now: float) -> Call | Wait:
    return next_call(election, s(now), AT)


def granted(election: Election, now: float, version: str = "8") -> Lease:
    """The answer to the write that is due: the Lease as it was sent, with a new version."""
    call = call_at(election, now)
    assert isinstance(call, Create | Replace)
    return replace(call.lease, version=version)


def leading(at: float = 0.0) -> Election:
    """A candidate that has just taken a Lease that was released."""
    read = step(begin(), at, RELEASED)
    return step(read, at, granted(read, at))


def test_a_candidate_reads_first() -> None:
    assert call_at(begin(), 0) == Get()


def test_a_lease_that_does_not_exist_is_created() -> None:
    call = call_at(step(begin(), 0, Missing()), 0)
    assert isinstance(call, Create)
    assert (call.lease.holder, call.lease.transitions, call.lease.version) == ("me", 0, "")


def test_a_lease_of_another_is_read_again_after_the_retry_period() -> None:
    election = step(begin(), 100, OTHER)
    assert call_at(election, 104.9) == Wait(s(105))
    assert call_at(election, 105) == Get()


def test_a_lease_expires_after_its_own_duration_since_it_was_first_seen() -> None:
    election = step(begin(), 100, OTHER)
    for now in (105, 110, 115):
        election = step(election, now, OTHER)
    assert isinstance(call_at(election, 119.9), Wait)
    call = call_at(step(election, 120, OTHER), 120)
    assert isinstance(call, Replace)
    assert (call.lease.holder, call.lease.version, call.lease.transitions) == ("me", "7", 4)
    assert call.lease.duration == TIMING.duration


def test_the_time_in_a_lease_does_not_matter() -> None:
    old = replace(OTHER, renewed=AT - timedelta(days=9))
    assert isinstance(call_at(step(begin(), 0, old), 1), Wait)


def test_a_renewal_that_is_seen_begins_the_duration_again() -> None:
    election = step(begin(), 0, OTHER)
    election = step(election, 15, replace(OTHER, version="8"))
    election = step(election, 20, replace(OTHER, version="8"))
    assert call_at(election, 25) == Get()


def test_a_lease_without_a_duration_lasts_as_long_as_ours() -> None:
    endless = replace(OTHER, duration=None)
    election = step(begin(), 0, endless)
    assert not isinstance(call_at(step(election, 34.9, endless), 34.9), Replace)
    assert isinstance(call_at(step(election, 35, endless), 35), Replace)


def test_a_lease_without_a_version_is_never_replaced() -> None:
    assert isinstance(call_at(step(begin(), 0, replace(RELEASED, version="")), 1), Wait)


def test_the_holder_of_a_released_lease_acts_at_once() -> None:
    assert is_leader(leading(), s(0))


def _take(known: Lease | Missing, at: float) -> Election:
    """A claim that succeeds at `at`, after `known` was first read at zero."""
    election = step(begin(), 0, known)
    if at:
        election = step(election, at, known)
    return step(election, at, granted(election, at))


@pytest.mark.parametrize(
    "known, at, waits",
    [
        pytest.param(OTHER, 20, WRITE, id="an expired Lease"),
        pytest.param(Missing(), 0, s(35) + WRITE, id="a Lease that did not exist, or was deleted"),
        pytest.param(
            replace(OTHER, holder=""), 0, s(35) + WRITE, id="a Lease whose holder a person has removed"
        ),
        pytest.param(replace(OTHER, holder="me"), 0, WRITE, id="a Lease that an unanswered claim has taken"),
    ],
)
def test_what_was_not_released_is_acted_on_later(known: Lease | Missing, at: float, waits: timedelta) -> None:
    election = _take(known, at)
    renewals = 0
    now = at
    while s(now + 5) < s(at) + waits:  # it is renewed meanwhile
        now, renewals = now + 5, renewals + 1
        election = step(election, now, granted(election, now, f"r{renewals}"))
    first = s(at) + waits
    assert not is_leader(election, first - s(0.001))
    assert is_leader(election, first)
    assert election.term
    assert election.term.number == 1


def test_a_holder_renews_after_the_retry_period_without_reading() -> None:
    election = leading()
    assert call_at(election, 4.9) == Wait(s(5))
    call = call_at(election, 5)
    assert isinstance(call, Replace)
    assert (call.lease.version, call.lease.transitions, call.lease.address) == ("8", 4, ME.address)


def test_a_term_counts_from_when_the_renewal_was_sent() -> None:
    election = leading()
    election = step(election, 5, granted(election, 5, "9"), lasts=6)
    assert is_leader(election, s(34.9))
    assert not is_leader(election, s(35))


@pytest.mark.parametrize(
    "now, timeout, is_valid",
    [
        pytest.param(0, 29.9, True, id="an answer that comes before the renew deadline"),
        pytest.param(0, 30, False, id="an answer that comes with the renew deadline"),
        pytest.param(17.4, 12.5, True, id="a write long after the renewal"),
        pytest.param(17.5, 12.5, False, id="a write that may end after the renew deadline"),
        pytest.param(40, 0, False, id="a holder that was paused"),
    ],
)
def test_a_write_must_end_within_the_term(now: float, timeout: float, is_valid: bool) -> None:
    assert is_valid_for(leading(), s(now), s(timeout)) is is_valid


def test_a_renewal_without_an_answer_is_sent_again_and_does_not_extend_the_term() -> None:
    election = step(leading(), 5, NoAnswer(), lasts=12)
    call = call_at(election, 17)
    assert isinstance(call, Replace)
    assert call.lease.version == "8"
    assert not is_leader(election, s(30))


def test_a_renewal_that_had_succeeded_without_an_answer_is_found_out() -> None:
    election = step(leading(), 5, NoAnswer(), lasts=12)
    election = step(election, 17, Conflict())
    mine = replace(granted(leading(), 5, "9"))
    election = step(election, 18, mine)
    election = step(election, 18, granted(election, 18, "10"))
    assert is_leader(election, s(47))
    assert election.terms == 1


def test_a_holder_that_finds_another_in_its_place_stops_at_once() -> None:
    election = step(leading(), 5, Conflict())
    election = step(election, 6, OTHER)
    assert not is_leader(election, s(6))
    assert isinstance(call_at(election, 7), Wait)


def test_a_holder_creates_a_lease_that_was_deleted_and_goes_on() -> None:
    election = step(leading(), 5, Missing())
    assert isinstance(call_at(election, 5), Create)
    election = step(election, 5, granted(election, 5, "1"))
    assert is_leader(election, s(34))
    assert election.terms == 1


def test_a_holder_whose_deleted_lease_another_has_created_stops() -> None:
    election = step(step(leading(), 5, Missing()), 5, Conflict())
    assert not is_leader(step(election, 6, OTHER), s(6))


def test_a_holder_that_missed_its_deadline_reads_first() -> None:
    election = step(leading(), 5, NoAnswer(), lasts=12)
    election = step(election, 17, NoAnswer(), lasts=13)
    assert call_at(election, 30) == Get()


def test_a_lease_that_is_still_ours_begins_another_term_after_the_deadline() -> None:
    election = step(step(leading(), 5, NoAnswer(), lasts=12), 17, NoAnswer(), lasts=20)
    mine = replace(OTHER, holder="me", version="9")
    election = step(election, 40, mine)
    election = step(election, 40, granted(election, 40, "10"))
    assert election.term
    assert (election.term.number, election.term.acts_from) == (2, s(40) + WRITE)


def test_a_claim_without_an_answer_is_not_acted_on_earlier_than_with_one() -> None:
    election = step(step(begin(), 0, Missing()), 0, NoAnswer(), lasts=6)
    mine = replace(OTHER, holder="me", version="1")
    election = step(election, 6, mine)
    election = step(election, 6, granted(election, 6, "2"))
    assert election.term
    assert election.term.acts_from == s(35) + WRITE


@pytest.mark.parametrize(
    "answer, waits",
    [
        pytest.param(Missing(), 5, id="a namespace that does not exist"),
        pytest.param(Conflict(), 5, id="another candidate that was faster"),
        pytest.param(NoAnswer(), 5, id="a server that refuses"),
    ],
)
def test_a_claim_that_fails_is_not_repeated_at_once(answer: Answer, waits: float) -> None:
    election = step(step(begin(), 0, Missing()), 0, answer)
    assert call_at(election, waits - 0.1) == Wait(s(waits))
    assert call_at(election, waits) == Get()


def test_a_holder_gives_the_lease_back() -> None:
    call = release(leading(), s(3), AT)
    assert call is not None
    assert (call.lease.is_released, call.lease.version) == (True, "8")


def test_a_lease_that_is_not_acted_on_yet_is_left_to_expire() -> None:
    """Whoever got it back would act at once, and the holder before may still act."""
    missing = step(begin(), 0, Missing())
    holding = step(missing, 0, granted(missing, 0))
    assert not is_leader(holding, s(3))
    assert release(holding, s(3), AT) is None


def test_nobody_gives_back_what_another_holds() -> None:
    assert release(step(begin(), 0, OTHER), s(1), AT) is None


def test_who_takes_no_further_part_leads_no_more() -> None:
    election = over(leading())
    assert not is_leader(election, s(0))
    assert isinstance(call_at(election, 100), Wait)


@pytest.mark.parametrize(
    "timing, error",
    [
        pytest.param(Timing(), "", id="the defaults"),
        pytest.param(Timing(s(15), s(10), s(2)), "", id="those of controller-runtime"),
        pytest.param(Timing(s(30), s(30), s(5)), "duration must be longer", id="a deadline without a margin"),
        pytest.param(Timing(s(35), s(30), s(30)), "at least 2s longer", id="no second try"),
        pytest.param(Timing(s(35), s(30), s(0)), "longer than zero", id="no pause between tries"),
        pytest.param(
            Timing(s(35.5), s(30), s(5)), "whole number of seconds", id="a duration with a fraction"
        ),
    ],
)
def test_times_that_make_no_election_are_refused(timing: Timing, error: str) -> None:
    assert error in timing.error if error else not timing.error


def test_a_call_that_hangs_leaves_time_for_a_second_one() -> None:
    assert 2 * TIMING.call_timeout < TIMING.renew_deadline / 2
