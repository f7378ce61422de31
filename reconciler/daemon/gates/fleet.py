"""A new image goes into a wave by one scale set first, and a bad one goes no further: pilot and breaker.

**Breaker.** While an image has failed in more scale sets than `spec.maxFailedRollouts` of the Fleet allows,
it is begun nowhere, and no serving instance is taken to it. It stays open until the image has proven itself
in each of those, whatever is declared there meanwhile, or a person has had it tried again (`reconciler retry
--image`): then it takes an instance that fails on it anew. To remove the spec of one where it failed, or to
scale that to zero, proves nothing.

    30 scale sets declare it, 1% of them is none: one failure keeps it from the other 29
    400 scale sets, 1% is four: the fifth failure does

**Pilot.** In each wave, no more scale sets begin at once than have brought their first batch through its
soak, and one where none has: 1, 1, 2, 4, 8. One that cannot go on (on hold, refused, without an instance to
upgrade, or past its progress deadline without a result) holds nobody up. Of those that wait, and of those
that were not looked at yet, the first goes by name; those that tell little of the image go last, without
an instance or with one that does not serve. An urgent image has one pilot for all waves. The last good image
of any scale set of the wave was proven there before, and needs no pilot.
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
from reconciler.rollout.wording import join
from reconciler.spec.image import Image, short

_Rank = tuple[bool, int, str]


def breaker(state: ScaleSetState, states: Sequence[ScaleSetState], exact: Image) -> tuple[Gate, ...]:
    """The gate, where the image has failed anywhere else; `exact` is what is to be begun, or gone on with."""
    image, together = Fingerprint.of(exact), ScaleSetStates.of(states)
    failed = _failed_in(state, together, image)
    if not failed:
        return ()
    declaring = together.found(_declarations)[image]
    most = state.desired.fleet.max_failed.within(declaring)
    evidence = (
        f"{short(exact)} has failed in {join(failed)}, and spec.maxFailedRollouts of the Fleet bears {most} "
        f"of {declaring}"
    )
    if len(failed) <= most:
        return (Gate(BREAKER, evidence),)
    which = "it" if len(failed) == 1 else "them"
    mend = f"name another image, heal {which}, or run `reconciler retry --image {short(exact)}`"
    return (Gate(BREAKER, f"{evidence}; {mend}", Reason.IMAGE_FAILED_ELSEWHERE),)


def pilot(state: ScaleSetState, states: Sequence[ScaleSetState], exact: Image, at: datetime) -> Gate:
    """The gate, for one that has not begun; `states` are all, by name.

    An urgent image waits for no wave, so that all of them are one.
    """
    image, is_urgent = Fingerprint.of(exact), bool(state.desired.fleet.urgency(exact, at))
    together, number = ScaleSetStates.of(states), None if is_urgent else state.desired.wave
    if image in together.found(_good_images, number):
        return Gate("pilot", f"{short(exact)} was proven before")
    wave = together.found(_wave, image, number, at)
    proven = len(wave.proven - {state.key})
    trying = [each for each in wave.trying if each.key != state.key]
    whose = " that declare it" if is_urgent else " of its wave"
    evidence = f"{short(exact)} is proven in {proven} of {wave.size} scale sets{whose}"
    most, ahead = max(1, proven), () if state.progress.has_slot else wave.ahead_of(state)
    before = trying if len(trying) >= most else [*trying, *ahead]
    if len(before) < most:
        return Gate("pilot", evidence)
    first = f"{with_reasons(before)} {'goes' if len(before) == 1 else 'go'} first"
    return Gate("pilot", f"{first}; {evidence}", Reason.AWAITING_PILOT)


@dataclass(frozen=True, slots=True)
class _Wave:
    """The scale sets that are to run one image: how many there are, the keys of those that have proven it,
    those that are trying it, and those that may begin, by rank."""

    size: int
    proven: frozenset[str]
    trying: tuple[ScaleSetState, ...]
    waiting: tuple[ScaleSetState, ...]
    ranks: tuple[_Rank, ...]

    def ahead_of(self, state: ScaleSetState) -> Sequence[ScaleSetState]:
        """Those that are to begin before this one."""
        return self.waiting[: bisect_left(self.ranks, _rank(state))]


def _wave(states: ScaleSetStates, image: Fingerprint, wave: int | None, at: datetime) -> _Wave:
    """Those of one wave, or of all where that is None."""
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
    return _Wave(len(members), proven, trying, tuple(waiting), tuple(map(_rank, waiting)))


def _good_images(states: ScaleSetStates, wave: int | None) -> frozenset[Fingerprint]:
    """What the scale sets of one wave, or of all where that is None, ran well before what they run now."""
    models = (each.seen.listed_or_read for each in states if wave is None or each.desired.wave == wave)
    good = (model.persisted.last_good for model in models if model)
    return frozenset(Fingerprint.of(image) for image in good if image)


def _declarations(states: ScaleSetStates) -> Counter[Fingerprint]:
    """How many declare each image."""
    return Counter(map(_exact, states))


def _failures(states: ScaleSetStates, image: Fingerprint) -> tuple[Mapping[str, str], frozenset[str]]:
    """The names by key of those in which it failed, and the names of such whose specs were removed since."""
    failed = {each.key: each.desired.name for each in states if has_failed(each, image)}
    removed = {each.name for state in states for each in state.removed if each.image.digest == image.digest}
    return failed, frozenset(removed.difference(each.desired.name for each in states) if removed else ())


def _failed_in(state: ScaleSetState, states: ScaleSetStates, image: Fingerprint) -> list[str]:
    """The names of the other scale sets in which it failed."""
    failed, removed = states.found(_failures, image)
    others = {name for key, name in failed.items() if key != state.key}
    retry = state.seen.model.persisted.retry if state.seen.model else None
    is_retried = retry is not None and retry.image.digest == image.digest
    return sorted(others if is_retried else others | removed)


def has_failed(state: ScaleSetState, image: Fingerprint) -> bool:
    """Whether there was evidence against it here: by what this process saw, or by what is persisted."""
    model = state.seen.listed_or_read
    if model and is_retried(model.persisted.retry, state.progress.attempt, image):
        return False
    if state.progress.blamed == image:
        return True
    failed = model.persisted.failed if model else None
    return failed is not None and failed.digest == image.digest and not has_proven(state, image)


def has_proven(state: ScaleSetState, image: Fingerprint) -> bool:
    """Whether its first batch on this image is through its soak, and serves."""
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
    """Whether the one batch that there was is not through its soak: after it no other waits for that."""
    attempt = state.progress.attempt
    if state.desired.suspend or attempt is None or not image.is_of(attempt.step.image):
        return False
    if not attempt.instance_ids or state.progress.taken.difference(attempt.instance_ids):
        return False
    rollout = with_urgent_limits(replace(state.desired, image=state.exact), at).rollout
    return at - attempt.at < rollout.first_soak


def _is_trying(state: ScaleSetState, image: Fingerprint, at: datetime) -> bool:
    """Whether it is on its way with its first batch, and may tell of the image. After a start, one whose
    model is on it may be.
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
    """Whether its last step is older than its progress deadline, and it neither rests nor has proven
    anything. While it waits for instances it tells by itself when that has taken too long."""
    if reason is Reason.PROGRESS_DEADLINE_EXCEEDED:
        return True
    if reason is Reason.WAITING_FOR_INSTANCES and not (state.outcome and state.outcome.is_error):
        return False
    attempt, patience = state.progress.attempt, state.desired.rollout.progress_deadline
    return attempt is not None and not reason.meaning.is_pause and at - attempt.at > patience


def _rank(state: ScaleSetState) -> _Rank:
    """Its place among those that may begin. One that was not looked at yet may tell as much as any."""
    seen = state.seen
    instances = seen.sightings.values()
    tells_little = not instances or not all(each.is_back for each in instances)
    return seen.instances_at is not None and tells_little, state.desired.wave, state.desired.name


def _may_begin(state: ScaleSetState) -> bool:
    """Whether it waits for nothing but its turn, as far as is known."""
    outcome = state.outcome
    if outcome is None:
        return not state.desired.suspend
    return outcome.reason.meaning.is_queued


def _exact(state: ScaleSetState) -> Fingerprint:
    return Fingerprint.of(state.exact)
