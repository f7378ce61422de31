"""Pilot and breaker: a new image enters each wave through one scale set first, and a bad image stops there.

**Breaker.** If an image has failed in more scale sets than `spec.maxFailedRollouts` of the Fleet allows, no
scale set begins it, and no serving instance is upgraded to it. The breaker holds until the image has proven
itself in each of those scale sets, or until `reconciler retry --image` retries it. After a retry, only a new
failure counts. Declaring another image there, removing the spec or scaling to zero does not lift it.

    30 scale sets declare it, 1% of 30 is 0: one failure keeps it from the other 29
    400 scale sets declare it, 1% of 400 is 4: the fifth failure keeps it from the others

**Pilot.** In each wave, as many scale sets may begin together as have brought their first batch through its
soak, and at least one: 1, 1, 2, 4, 8. A scale set that cannot continue blocks no other: it is suspended or
frozen, refused, has no instance to upgrade, or has passed its progress deadline without a result. Scale sets
begin in the order of names. Those that prove little, because they have no instances or unhealthy ones, begin
last. An urgent image has one pilot for all waves. An image that is the last good one of any scale set of the
wave needs no pilot.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from reconciler.daemon.gates.concurrency import with_reasons
from reconciler.daemon.state import ScaleSetState, ScaleSetStates
from reconciler.rollout.blame import is_retried
from reconciler.rollout.gate import BREAKER, Gate
from reconciler.rollout.persisted import Fingerprint
from reconciler.rollout.reason import Phase, Reason, Status
from reconciler.rollout.urgency import with_urgent_limits
from reconciler.rollout.wording import list_names
from reconciler.spec.image import Image, short

_Rank = tuple[bool, int, str]


def breaker(state: ScaleSetState, states: Sequence[ScaleSetState], exact: Image) -> tuple[Gate, ...]:
    """The gate, if the image has failed in another scale set. `exact` is the image to begin or continue."""
    image, together = Fingerprint.of(exact), ScaleSetStates.of(states)
    failed = _failed_in(state, together, image)
    if not failed:
        return ()
    declaring = together.find_once(_declarations)[image]
    most = state.desired.fleet.max_failed.within(declaring)
    where = f"scale set{'s' * (len(failed) > 1)} {list_names(failed)}"
    evidence = (
        f"{short(exact)} failed in {where} (spec.maxFailedRollouts allows {most} of {declaring} to fail)"
    )
    if len(failed) <= most:
        return (Gate(BREAKER, evidence),)
    fix = f"declare another image, or run `reconciler retry --image {short(exact)}`"
    closed = f"the image failed in {where}; {fix} (spec.maxFailedRollouts allows {most} of {declaring})"
    return (Gate(BREAKER, closed, Reason.IMAGE_FAILED_ELSEWHERE),)


def pilot(state: ScaleSetState, states: Sequence[ScaleSetState], exact: Image, at: datetime) -> Gate:
    """The gate of a scale set that has not begun. `states` are all scale sets, sorted by name.

    For an urgent image all waves count as one.
    """
    image, is_urgent = Fingerprint.of(exact), bool(state.desired.fleet.urgency(exact, at))
    together, number = ScaleSetStates.of(states), None if is_urgent else state.desired.wave
    if image in together.find_once(_good_images, number):
        where = "a scale set that declares it" if is_urgent else "its wave"
        return Gate("pilot", f"{short(exact)} has already been proven in {where}")
    wave = together.find_once(_wave, image, number, at)
    proven = len(wave.proven - {state.key})
    trying = [each for each in wave.trying if each.key != state.key]
    whose = " that declare it" if is_urgent else " in its wave"
    evidence = f"{short(exact)} has been proven in {proven} of {wave.size} scale sets{whose}"
    most, ahead = max(1, proven), () if state.progress.has_slot else wave.ahead_of(state)
    before = trying if len(trying) >= most else [*trying, *ahead]
    if len(before) < most:
        return Gate("pilot", evidence)
    first = f"{with_reasons(before)} {'goes' if len(before) == 1 else 'go'} first"
    return Gate("pilot", f"{first}; {evidence}", Reason.AWAITING_PILOT)


@dataclass(frozen=True, slots=True)
class _WaveProgress:
    """The scale sets of a wave that declare one image.

    `proven` are the keys of those that have proven it, `trying` those that run their first batch, and
    `waiting` those that may begin, by rank.
    """

    size: int
    proven: frozenset[str]
    trying: tuple[ScaleSetState, ...]
    waiting: tuple[ScaleSetState, ...]
    ranks: tuple[_Rank, ...]

    def ahead_of(self, state: ScaleSetState) -> Sequence[ScaleSetState]:
        """The scale sets that begin before this one."""
        return self.waiting[: bisect_left(self.ranks, _rank(state))]


def _wave(states: ScaleSetStates, image: Fingerprint, wave: int | None, at: datetime) -> _WaveProgress:
    """The scale sets of one wave, or of all waves if `wave` is None."""
    members = [
        each for each in states if (wave is None or each.desired.wave == wave) and _exact(each) == image
    ]
    healthy = [each for each in members if has_proven(each, image)]
    soaking = frozenset(each.key for each in healthy if _soaks_first_batch(each, image, at))
    proven = frozenset(each.key for each in healthy) - soaking
    trying = tuple(
        each
        for each in members
        if each.key in soaking or (each.key not in proven and _is_trying(each, image, at))
    )
    waiting = sorted(filter(_may_begin, members), key=_rank)
    return _WaveProgress(len(members), proven, trying, tuple(waiting), tuple(map(_rank, waiting)))


def _good_images(states: ScaleSetStates, wave: int | None) -> frozenset[Fingerprint]:
    """The last good images of the scale sets of one wave, or of all waves if `wave` is None."""
    models = (each.seen.listed_or_read for each in states if wave is None or each.desired.wave == wave)
    good = (model.persisted.last_good for model in models if model)
    return frozenset(Fingerprint.of(image) for image in good if image)


def _declarations(states: ScaleSetStates) -> Counter[Fingerprint]:
    """The number of scale sets that declare each image."""
    return Counter(map(_exact, states))


def _failures(states: ScaleSetStates, image: Fingerprint) -> tuple[Mapping[str, str], frozenset[str]]:
    """The scale sets in which the image failed: names by key, and names of those without a spec."""
    failed = {each.key: each.desired.name for each in states if has_failed(each, image)}
    removed = {each.name for state in states for each in state.removed if each.image.digest == image.digest}
    return failed, frozenset(removed.difference(each.desired.name for each in states) if removed else ())


def _failed_in(state: ScaleSetState, states: ScaleSetStates, image: Fingerprint) -> list[str]:
    """The names of the other scale sets in which the image failed."""
    failed, removed = states.find_once(_failures, image)
    others = {name for key, name in failed.items() if key != state.key}
    retry = state.seen.model.persisted.retry if state.seen.model else None
    is_retried = retry is not None and retry.image.digest == image.digest
    return sorted(others if is_retried else others | removed)


def has_failed(state: ScaleSetState, image: Fingerprint) -> bool:
    """Whether there is evidence against the image here, observed by this process or persisted."""
    model = state.seen.listed_or_read
    if model and is_retried(model.persisted.retry, state.progress.attempt, image):
        return False
    if state.progress.blamed == image:
        return True
    failed = model.persisted.failed if model else None
    return failed is not None and failed.digest == image.digest and not has_proven(state, image)


def has_proven(state: ScaleSetState, image: Fingerprint) -> bool:
    """Whether its first batch on this image has passed its soak and is serving."""
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
    """Whether its only batch so far is still in its soak."""
    attempt = state.progress.attempt
    if state.desired.suspend or attempt is None or not image.is_of(attempt.step.image):
        return False
    if not attempt.instance_ids or state.progress.taken.difference(attempt.instance_ids):
        return False
    rollout = with_urgent_limits(replace(state.desired, image=state.exact), at).rollout
    return at - attempt.at < rollout.first_soak


def _is_trying(state: ScaleSetState, image: Fingerprint, at: datetime) -> bool:
    """Whether it runs its first batch on the image, and has no result yet.

    After a start, a scale set whose model is on the image counts too.
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
    """Whether its last step is older than its progress deadline, without a result and outside a pause.

    While it waits for instances, its own decision reports when that has taken too long.
    """
    if reason is Reason.PROGRESS_DEADLINE_EXCEEDED:
        return True
    if reason is Reason.WAITING_FOR_INSTANCES and not (state.outcome and state.outcome.is_error):
        return False
    attempt, patience = state.progress.attempt, state.desired.rollout.progress_deadline
    return attempt is not None and not reason.meaning.is_pause and at - attempt.at > patience


def _rank(state: ScaleSetState) -> _Rank:
    """Its rank among those that may begin. A scale set that was not observed yet ranks with the others."""
    seen = state.seen
    instances = seen.sightings.values()
    proves_little = not instances or not all(each.is_back for each in instances)
    return seen.instances_at is not None and proves_little, state.desired.wave, state.desired.name


def _may_begin(state: ScaleSetState) -> bool:
    """Whether it waits only for the pilot or a slot, as far as is known."""
    outcome = state.outcome
    if outcome is None:
        return not state.desired.suspend
    return outcome.reason.meaning.is_queued


def _exact(state: ScaleSetState) -> Fingerprint:
    return Fingerprint.of(state.exact)
