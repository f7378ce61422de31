"""A new image goes into a wave by one scale set first, and a bad one goes no further: pilot and breaker.

**Breaker.** While an image has failed in more scale sets than `spec.maxFailedRollouts` of the Fleet allows,
it is begun nowhere, and no serving instance is taken to it. It stays open until the image has proven itself
in each of those, whatever is declared there meanwhile, or a person has had it tried again (`reconciler retry
--image`): then it takes an instance that fails on it anew. To remove the spec of one where it failed, or to
scale that to zero, proves nothing.

    30 scale sets declare it, 1% of them is none: one failure keeps it from the other 29
    400 scale sets, 1% is four: the fifth failure does

**Pilot.** In each wave, no more scale sets begin at once than have brought their first batch through its
soak, and one where none has: 1, 1, 2, 4, 8. One that cannot go on (braked, refused, without an instance to
upgrade, or past its progress deadline without a result) holds nobody up. Of those that wait, and of those
that were not looked at yet, the first goes by name; those that tell little of the image go last, without
an instance or with one that does not serve. An urgent image has one pilot for all waves.
"""

from collections.abc import Sequence
from datetime import datetime

from reconciler.daemon.gates.concurrency import with_reasons
from reconciler.daemon.state import ScaleSetState
from reconciler.rollout.gate import Gate
from reconciler.rollout.persisted import Fingerprint, Mark
from reconciler.rollout.reason import Phase, Reason, Status
from reconciler.rollout.step import Attempt
from reconciler.rollout.wording import join
from reconciler.spec.image import Image, short


def breaker(state: ScaleSetState, states: Sequence[ScaleSetState], exact: Image) -> tuple[Gate, ...]:
    """The gate, where the image has failed anywhere else; `exact` is what is to be begun, or gone on with."""
    image = Fingerprint.of(exact)
    declaring = [each for each in states if _exact(each) == image]
    failed = _failed_in(state, states, image)
    most = state.desired.fleet.max_failed
    if not failed:
        return ()
    evidence = (
        f"{short(exact)} has failed in {join(failed)}, and "
        f"spec.maxFailedRollouts of the Fleet bears {most.within(len(declaring))} of {len(declaring)}"
    )
    is_open = len(failed) <= most.within(len(declaring))
    return (Gate("breaker", evidence, None if is_open else Reason.IMAGE_FAILED_ELSEWHERE),)


def pilot(state: ScaleSetState, states: Sequence[ScaleSetState], exact: Image, at: datetime) -> Gate:
    """The gate, for one that has not begun; `states` are all, by name.

    An urgent image waits for no wave, so that all of them are one.
    """
    image = Fingerprint.of(exact)
    is_urgent = bool(state.desired.fleet.urgency(exact, at))
    wave = [
        each
        for each in states
        if each.key != state.key
        and (is_urgent or each.desired.wave == state.desired.wave)
        and _exact(each) == image
    ]
    proven = [each for each in wave if has_proven(each, image)]
    trying = [each for each in wave if each not in proven and _is_trying(each, image, at)]
    whose = " that declare it" if is_urgent else " of its wave"
    evidence = f"{short(exact)} is proven in {len(proven)} of {len(wave) + 1} scale sets{whose}"
    most, ahead = max(1, len(proven)), [] if state.progress.has_slot else _ahead(state, wave)
    before = trying if len(trying) >= most else [*trying, *ahead]
    if len(before) < most:
        return Gate("pilot", evidence)
    first = f"{with_reasons(before)} {'goes' if len(before) == 1 else 'go'} first"
    return Gate("pilot", f"{first}; {evidence}", Reason.AWAITING_PILOT)


def _failed_in(state: ScaleSetState, states: Sequence[ScaleSetState], image: Fingerprint) -> list[str]:
    """The names of the other scale sets in which it failed, those whose specs were removed since included."""
    others = {each.desired.name for each in states if each.key != state.key and has_failed(each, image)}
    declared = {each.desired.name for each in states}
    removed = {each.name for other in states for each in other.removed if each.image.digest == image.digest}
    retry = state.seen.model.persisted.retry if state.seen.model else None
    is_retried = retry is not None and retry.image.digest == image.digest
    return sorted(others if is_retried else others | (removed - declared))


def has_failed(state: ScaleSetState, image: Fingerprint) -> bool:
    """Whether there was evidence against it here: by what this process saw, or by what is persisted."""
    model = state.seen.listed or state.seen.model
    if model and _is_retried(model.persisted.retry, state.progress.attempt, image):
        return False
    if state.progress.blamed == image:
        return True
    failed = model.persisted.failed if model else None
    return failed is not None and failed.digest == image.digest and not has_proven(state, image)


def _is_retried(retry: Mark | None, attempt: Attempt | None, image: Fingerprint) -> bool:
    """Whether a person has had it tried again, and nothing was taken to it here since."""
    if retry is None or retry.image.digest != image.digest:
        return False
    return attempt is None or attempt.at < retry.at or not image.is_of(attempt.step.image)


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


def _is_trying(state: ScaleSetState, image: Fingerprint, at: datetime) -> bool:
    """Whether it is on its way with its first batch, and may tell of the image. After a start, one whose
    model is on it may be.
    """
    model, has_slot = state.seen.listed or state.seen.model, state.progress.has_slot
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
    anything."""
    if reason is Reason.PROGRESS_DEADLINE_EXCEEDED:
        return True
    attempt, patience = state.progress.attempt, state.desired.rollout.progress_deadline
    return attempt is not None and not reason.meaning.is_rest and at - attempt.at > patience


def _ahead(state: ScaleSetState, wave: Sequence[ScaleSetState]) -> list[ScaleSetState]:
    """Those of the wave that are to begin before this one."""
    own = _rank(state)
    return [each for each in wave if _may_begin(each) and _rank(each) < own]


def _rank(state: ScaleSetState) -> tuple[bool, int, str]:
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
    return outcome.reason.meaning.is_turn


def _exact(state: ScaleSetState) -> Fingerprint:
    return Fingerprint.of(state.exact)
