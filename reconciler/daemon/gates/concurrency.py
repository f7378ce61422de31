"""The cap on concurrent rollouts: which scale sets hold a slot, which wait for one, and in what order.

A scale set holds a slot from the moment when the gates let it begin until its rollout ends. A failed rollout
keeps its slot, so that a bad image does not spread through the fleet, one scale set after another. After a
rollback to the last good image, the scale set keeps the slot until another image is declared. A suspended
scale set holds no slot. Neither does a scale set that waits for another scale set, which may need the slot.

After the daemon starts, a scale set that is partly on its image, or that waits for instances, counts as
rolling out. This includes a completed scale set with an unhealthy instance, until the instance recovers. One
slot is reserved for each scale set that has not been observed yet. Free slots are given out in order of name.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from reconciler.daemon.outcome import Outcome
from reconciler.daemon.some import Some
from reconciler.daemon.state import ScaleSetState
from reconciler.daemon.states import ScaleSetStates
from reconciler.rollout.gate import Gate
from reconciler.rollout.progress import Progress
from reconciler.rollout.reason import Reason, Slot
from reconciler.rollout.wording import list_names


def concurrency(state: ScaleSetState, states: Sequence[ScaleSetState], *, has_begun: bool = False) -> Gate:
    """The concurrency gate of one scale set.

    `states` has the states of all scale sets, sorted by name. `has_begun` means that the observation found
    that the rollout has begun.
    """
    cap, total = state.desired.fleet.max_concurrent, len(states)
    has_slot = state.progress.has_slot
    if has_slot or (has_slot is None and has_begun):
        return Gate("turn", "the rollout is in progress")
    together = ScaleSetStates.of(states)
    others = together.total_of_others(state.key, _Slots(), _slots)
    ahead: Some[ScaleSetState] = together.total_before(state.desired.name, Some(), _waiting)
    moving, unobserved, undetermined = others.moving, others.unobserved, others.undetermined
    is_open = moving.size + unobserved.size + undetermined.size + ahead.size < cap.of(total)
    who = ", and ".join(
        (
            *([f"{with_reasons(moving)} {_are(moving)} rolling out"] if moving else []),
            *(
                [f"{_names(unobserved)} {_are(unobserved, 'has', 'have')} not been checked yet"]
                if unobserved
                else []
            ),
            *([f"{with_reasons(undetermined)} may be rolling out"] if undetermined else []),
            *([f"{_names(ahead)} {_are(ahead, 'goes', 'go')} first"] if ahead else []),
        )
    )
    evidence = (
        f"{'a' if is_open else 'no'} concurrency slot is free; spec.maxConcurrentRollouts is "
        f"{cap.describe(total)}{f'; {who}' if who else ''}"
    )
    return Gate("turn", evidence, None if is_open else Reason.AWAITING_TURN)


@dataclass(frozen=True, slots=True)
class _Slots:
    """The scale sets that hold a slot, or may hold one.

    Those in `moving` hold a slot. Those in `unobserved` may hold one, because they have not been observed
    yet. Those in `undetermined` have been observed, but may still hold one.
    """

    moving: Some[ScaleSetState] = field(default_factory=Some)
    unobserved: Some[ScaleSetState] = field(default_factory=Some)
    undetermined: Some[ScaleSetState] = field(default_factory=Some)

    def __add__(self, other: "_Slots") -> "_Slots":
        return _Slots(
            self.moving + other.moving,
            self.unobserved + other.unobserved,
            self.undetermined + other.undetermined,
        )


def _slots(state: ScaleSetState) -> _Slots:
    is_unknown = state.progress.has_slot is None and not state.desired.suspend
    return _Slots(
        Some.one_if(state.progress.has_slot, state),
        Some.one_if(is_unknown and state.outcome is None, state),
        Some.one_if(is_unknown and state.outcome, state),
    )


def _waiting(state: ScaleSetState) -> Some[ScaleSetState]:
    return Some.one_if(_is_waiting(state), state)


def slot_after(before: Progress, outcome: Outcome, *, is_on_image: bool, may_have_begun: bool) -> bool | None:
    """Whether a scale set holds a slot after this outcome, or None if that is unknown.

    `is_on_image` means that the model is on the declared image. `may_have_begun` means that the step was
    sent, but no response arrived.
    """
    held = before.holds_slot
    if outcome.is_error and may_have_begun and before.has_acquired:
        return True
    if outcome.reason is Reason.REFUSED and held is None:
        return False  # where Azure refuses every call, no rollout of ours can be in progress
    if outcome.is_error:
        return held
    slot = outcome.reason.meaning.slot
    if slot is Slot.FREES:
        return False
    if slot is Slot.KEEPS:
        return held
    if held is None:
        # Instances on the image show no rollout if the model is on another one. Otherwise two scale sets that
        # were left like this would both begin.
        is_half = is_on_image and outcome.counts is not None and outcome.counts.up_to_date > 0
        return slot is Slot.HOLDS or is_half
    # The fix of a failed rollout passes every gate and acquires no slot here. It is a rollout nevertheless.
    has_begun = before.has_acquired or outcome.reason is Reason.MODEL_DRIFT
    return held or (has_begun and outcome.step is not None)


def _is_waiting(state: ScaleSetState) -> bool:
    if state.outcome is None or state.desired.suspend or state.progress.has_slot:
        return False
    return state.outcome.reason == Reason.AWAITING_TURN


def _are(some: Some[ScaleSetState], one: str = "is", many: str = "are") -> str:
    return one if some.size == 1 else many


def _names(some: Some[ScaleSetState]) -> str:
    return f"{_scale_sets(some)} {list_names((each.desired.name for each in some.first), some.size)}"


def with_reasons(some: Some[ScaleSetState]) -> str:
    """The names of these scale sets, each with its reason."""
    names = (
        f"{each.desired.name} ({each.outcome.reason})" if each.outcome else each.desired.name
        for each in some.first
    )
    return f"{_scale_sets(some)} {list_names(names, some.size)}"


def _scale_sets(some: Some[ScaleSetState]) -> str:
    return "scale set" if some.size == 1 else "scale sets"
