"""Pilot and breaker: a new image enters each wave through one scale set first, and a bad image stops there.

**Breaker.** If an image has failed in more scale sets than `spec.maxFailedRollouts` of the Fleet allows, no
scale set starts a rollout of it, and no serving instance is upgraded to it. The breaker holds until the image
has proven itself in each of those scale sets, or until `reconciler retry --image` retries it. After a retry,
only a new failure counts. Declaring another image in those scale sets, removing their specs or scaling them
to zero does not reset the breaker.

    30 scale sets declare it, 1% of 30 is 0: one failure keeps it from the other 29
    400 scale sets declare it, 1% of 400 is 4: the fifth failure keeps it from the others

**Pilot.** In each wave, as many scale sets may begin together as have completed the soak of their first
batch, and at least one: 1, 1, 2, 4, 8. A scale set that cannot continue blocks no others: it is suspended,
frozen or refused, has no instance to upgrade, or has passed its progress deadline without a result. Scale
sets begin in order of name. Those that prove little, because they have no instances or unhealthy ones, begin
last. An urgent image has one pilot for all waves. An image needs no pilot if it is the last good image of any
scale set in the wave.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from reconciler.daemon.gates.concurrency import with_reasons
from reconciler.daemon.some import Some
from reconciler.daemon.state import ScaleSetState
from reconciler.daemon.states import ScaleSetStates
from reconciler.rollout.blame import is_retried
from reconciler.rollout.gate import BREAKER, Gate
from reconciler.rollout.persisted import Fingerprint
from reconciler.rollout.reason import Phase, Reason, Status
from reconciler.rollout.urgency import with_urgent_limits
from reconciler.rollout.wording import list_names
from reconciler.spec.image import Image, short
from reconciler.spec.scale_set import ScaleSet
from reconciler.spec.wording import count


def breaker(state: ScaleSetState, states: Sequence[ScaleSetState], exact: Image) -> tuple[Gate, ...]:
    """The breaker, or () if the image has failed in no other scale set.

    `exact` is the image of the rollout that would begin or continue.
    """
    image, together = Fingerprint.of(exact), ScaleSetStates.of(states)
    failed = _failed_in(state, together, image)
    if not failed:
        return ()
    declaring = together.total(0, _declares, image)
    most = state.desired.fleet.max_failed.within(declaring)
    where = f"scale set{'s' * (len(failed) > 1)} {list_names(failed)}"
    limit = f"spec.maxFailedRollouts allows {most} of {count(declaring, 'scale set')}"
    evidence = f"{short(exact)} failed in {where} ({limit})"
    if len(failed) <= most:
        return (Gate(BREAKER, evidence),)
    fix = f"declare another image, or run `reconciler retry --image {short(exact)}`"
    return (Gate(BREAKER, f"{evidence}; {fix}", Reason.IMAGE_FAILED_ELSEWHERE),)


def pilot(state: ScaleSetState, states: Sequence[ScaleSetState], exact: Image, at: datetime) -> Gate:
    """The pilot gate of a scale set whose rollout has not begun.

    `states` has the states of all scale sets, sorted by name. For an urgent image, all waves count as one.
    """
    image, is_urgent = Fingerprint.of(exact), bool(state.desired.fleet.urgency(exact, at))
    together, number = ScaleSetStates.of(states), None if is_urgent else state.desired.wave
    if together.total(0, _is_good, image, number):
        where = "a scale set that declares it" if is_urgent else "this wave"
        return Gate("pilot", f"{short(exact)} has already been proven in {where}")
    others = together.total_of_others(state.key, _WaveProgress(), _wave_progress, image, number, at=at)
    size = together.total(0, _is_member, image, number)
    whose = " that declare it" if is_urgent else " in this wave"
    evidence = f"{short(exact)} has been proven in {others.proven} of {count(size, 'scale set')}{whose}"
    most, before = max(1, others.proven), others.trying
    if before.size < most and not state.progress.has_slot:
        before += _ahead(state, together, image, number)
    if before.size < most:
        return Gate("pilot", evidence)
    first = f"{with_reasons(before)} {'goes' if before.size == 1 else 'go'} first"
    return Gate("pilot", f"{first}; {evidence}", Reason.AWAITING_PILOT)


@dataclass(frozen=True, slots=True)
class _WaveProgress:
    """The progress of the scale sets in a wave that declare one image.

    `proven` is the number that have proven the image. `trying` has those that are running their first batch.
    `until` is when time alone changes this progress, or None if never.
    """

    proven: int = 0
    trying: Some[ScaleSetState] = field(default_factory=Some)
    until: datetime | None = None

    def __add__(self, other: "_WaveProgress") -> "_WaveProgress":
        until = min(filter(None, (self.until, other.until)), default=None)
        return _WaveProgress(self.proven + other.proven, self.trying + other.trying, until)


_NONE = _WaveProgress()


def _wave_progress(state: ScaleSetState, image: Fingerprint, wave: int | None, at: datetime) -> _WaveProgress:
    """The contribution of one scale set to its wave, or to all waves if `wave` is None."""
    if not _is_member(state, image, wave):
        return _NONE
    is_healthy = has_proven(state, image)
    is_soaking = is_healthy and _soaks_first_batch(state, image, at)
    is_proven = is_healthy and not is_soaking
    is_trying = is_soaking or (not is_proven and _is_trying(state, image, at))
    return _WaveProgress(int(is_proven), Some.one_if(is_trying, state), _changes_at(state, at))


def _changes_at(state: ScaleSetState, at: datetime) -> datetime | None:
    """When time alone may next change whether the first batch is soaking or stuck, or None if never."""
    attempt, urgent = state.progress.attempt, state.desired.fleet.urgent
    if attempt is None:
        return None
    rollout = _with_limits(state, at).rollout
    times = (
        attempt.at + rollout.first_soak,
        attempt.at + rollout.progress_deadline,
        *([urgent.until] if urgent else []),
    )
    return min((each for each in times if each > at), default=None)


@dataclass(frozen=True, slots=True)
class _Queues:
    """The scale sets that may begin, by rank."""

    by_rank: Mapping[tuple[bool, int], Some[ScaleSetState]] = field(default_factory=dict)

    def __add__(self, other: "_Queues") -> "_Queues":
        if not self.by_rank or not other.by_rank:
            return self if self.by_rank else other
        return _Queues(
            {
                rank: self.by_rank.get(rank, Some()) + other.by_rank.get(rank, Some())
                for rank in self.by_rank.keys() | other.by_rank.keys()
            }
        )


def _queues(state: ScaleSetState, image: Fingerprint, wave: int | None) -> _Queues:
    """The contribution of one scale set, if it may begin."""
    if not _is_member(state, image, wave) or not _may_begin(state):
        return _Queues()
    return _Queues({_rank(state): Some(1, (state,))})


def _ahead(
    state: ScaleSetState, states: ScaleSetStates, image: Fingerprint, wave: int | None
) -> Some[ScaleSetState]:
    """The scale sets that begin before this one, by rank and then by name."""
    rank = _rank(state)
    every = states.total(_Queues(), _queues, image, wave).by_rank
    alike = states.total_before(state.desired.name, _Queues(), _queues, image, wave).by_rank
    found: Some[ScaleSetState] = Some()
    for each in sorted(each for each in every if each < rank):
        found += every[each]
    return found + alike.get(rank, Some())


def _is_member(state: ScaleSetState, image: Fingerprint, wave: int | None) -> bool:
    """Whether the scale set declares the image and is in this wave, or in any wave if `wave` is None."""
    return (wave is None or state.desired.wave == wave) and bool(_declares(state, image))


def _is_good(state: ScaleSetState, image: Fingerprint, wave: int | None) -> bool:
    """Whether the image is the last good one of a scale set in this wave, or any wave if `wave` is None."""
    model = state.seen.listed_or_read
    if model is None or (wave is not None and state.desired.wave != wave):
        return False
    good = model.persisted.last_good
    return good is not None and Fingerprint.of(good) == image


def _declares(state: ScaleSetState, image: Fingerprint) -> bool:
    return Fingerprint.of(state.exact) == image


@dataclass(frozen=True, slots=True)
class _Failures:
    """The scale sets in which an image failed.

    `names` has their names by key. `removed` has the names of those whose specs were removed.
    """

    names: Mapping[str, str] = field(default_factory=dict)
    removed: frozenset[str] = frozenset()

    def __add__(self, other: "_Failures") -> "_Failures":
        return _Failures({**self.names, **other.names}, self.removed | other.removed)


def _failures(state: ScaleSetState, image: Fingerprint) -> _Failures:
    """The contribution of one scale set: its own failure of the image, and those of removed scale sets."""
    return _Failures(
        {state.key: state.desired.name} if has_failed(state, image) else {},
        frozenset(each.name for each in state.removed if each.image.digest == image.digest),
    )


def _failed_in(state: ScaleSetState, states: ScaleSetStates, image: Fingerprint) -> list[str]:
    """The names of the other scale sets in which the image failed."""
    found = states.total(_Failures(), _failures, image)
    others = {name for key, name in found.names.items() if key != state.key}
    retry = state.seen.model.persisted.retry if state.seen.model else None
    if retry is not None and retry.image.digest == image.digest:
        return sorted(others)
    return sorted(others.union(name for name in found.removed if states.by_name(name) is None))


def has_failed(state: ScaleSetState, image: Fingerprint) -> bool:
    """Whether this scale set has evidence against the image, observed by this process or persisted."""
    model = state.seen.listed_or_read
    if model and is_retried(model.persisted.retry, state.progress.attempt, image):
        return False
    if state.progress.blamed == image:
        return True
    failed = model.persisted.failed if model else None
    return failed is not None and failed.digest == image.digest and not has_proven(state, image)


def has_proven(state: ScaleSetState, image: Fingerprint) -> bool:
    """Whether the first batch on this image has passed its soak and is serving."""
    counts, outcome, model = state.seen.counts, state.outcome, state.seen.model
    if counts is None or outcome is None or not counts.back or model is None or model.image is None:
        return False
    if not image.is_of(model.image) or state.progress.blamed == image:
        return False
    reason = state.progress.last_reason
    if reason is None:
        return False
    if reason.meaning.phase is Phase.DONE or reason is Reason.BAKING:
        return True
    return state.progress.has_soaked


def _soaks_first_batch(state: ScaleSetState, image: Fingerprint, at: datetime) -> bool:
    """Whether the only batch so far is still soaking."""
    attempt = state.progress.attempt
    if state.desired.suspend or attempt is None or not image.is_of(attempt.step.image):
        return False
    if not attempt.instance_ids or state.progress.taken.difference(attempt.instance_ids):
        return False
    return at - attempt.at < _with_limits(state, at).rollout.first_soak


def _with_limits(state: ScaleSetState, at: datetime) -> ScaleSet:
    """The spec with the soaks that apply at this moment."""
    return with_urgent_limits(replace(state.desired, image=state.exact), at)


def _is_trying(state: ScaleSetState, image: Fingerprint, at: datetime) -> bool:
    """Whether the scale set runs its first batch on the image and has no result yet.

    Right after the daemon starts, a scale set whose model is on the image counts too.
    """
    model, has_slot = state.seen.listed_or_read, state.progress.has_slot
    is_on_it = model is not None and model.image is not None and image.is_of(model.image)
    if state.desired.suspend or not (is_on_it if has_slot is None else has_slot):
        return False
    reason = state.progress.last_reason
    if reason is None or state.progress.has_acquired:
        return True
    has_result = state.progress.blamed == image or _is_stuck(state, reason, at)
    return not has_result and reason.meaning.status not in {Status.STALLED, Status.WAITING}


def _is_stuck(state: ScaleSetState, reason: Reason, at: datetime) -> bool:
    """Whether the last step has passed the progress deadline without a result. False during a pause.

    While the scale set waits for instances, its own decision reports a wait that has lasted too long.
    """
    if reason is Reason.PROGRESS_DEADLINE_EXCEEDED:
        return True
    if reason is Reason.WAITING_FOR_INSTANCES and not (state.outcome and state.outcome.is_error):
        return False
    attempt, patience = state.progress.attempt, state.desired.rollout.progress_deadline
    return attempt is not None and not reason.meaning.is_pause and at - attempt.at > patience


def _rank(state: ScaleSetState) -> tuple[bool, int]:
    """The rank of a scale set among those that may begin. Names decide between equal ranks.

    A scale set that proves little ranks last. One that has not been observed yet ranks with the others.
    """
    seen = state.seen
    instances = seen.sightings.values()
    proves_little = not instances or not all(each.is_back for each in instances)
    return seen.instances_at is not None and proves_little, state.desired.wave


def _may_begin(state: ScaleSetState) -> bool:
    """Whether the scale set is waiting only for the pilot or a slot, as far as is known."""
    outcome = state.outcome
    if outcome is None:
        return not state.desired.suspend
    return outcome.reason.meaning.is_queued
