"""The cap on concurrent rollouts: who holds a place, who waits for one, and who goes first.

A scale set holds a place from the moment that the gates let it begin until its rollout is over, whether it
moves or has failed on the way: a bad image must not march through the fleet, one scale set after another.
One that is suspended holds none, and neither does one that waits for another scale set: that one may be the
very one that needs the place. A rollout that goes back to the last good image holds its place all the way,
and after it: only another image is its end.

A process that starts takes for under way what is half on its image, or waits for instances: a scale set that
was done before and has a sick instance now counts, until that is well. Of what it has not looked at yet it
cannot tell, and leaves a place for each. Who waits goes by name: the first of them when a place is free.
"""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

from reconciler.daemon.outcome import Outcome
from reconciler.daemon.state import ScaleSetState, ScaleSetStates
from reconciler.rollout.gate import Gate
from reconciler.rollout.progress import Progress
from reconciler.rollout.reason import Reason, Slot
from reconciler.rollout.wording import join_first


def concurrency(state: ScaleSetState, states: Sequence[ScaleSetState], *, has_begun: bool = False) -> Gate:
    """The gate. `states` are all, by name; `has_begun`: this one was seen to be half-way just now."""
    cap, total = state.desired.fleet.max_concurrent, len(states)
    has_slot = state.progress.has_slot
    if has_slot or (has_slot is None and has_begun):
        return Gate("turn", "its rollout is under way")
    slots = ScaleSetStates.of(states).find_once(_slots)
    moving = [each for each in slots.moving if each.key != state.key]
    unknown = [each for each in slots.unknown if each.key != state.key]
    unobserved = [each for each in unknown if each.outcome is None]
    undetermined = [each for each in unknown if each.outcome]
    ahead = slots.waiting[: bisect_left(slots.names, state.desired.name)]
    is_open = len(moving) + len(unknown) + len(ahead) < cap.of(total)
    who = "; ".join(
        (
            *([f"{with_reasons(moving)} {_are(moving)} under way"] if moving else []),
            *(
                [f"{_names(unobserved)} {_are(unobserved, 'was', 'were')} not looked at yet"]
                if unobserved
                else []
            ),
            *(
                [f"whether {with_reasons(undetermined)} {_are(undetermined)} under way is not known"]
                if undetermined
                else []
            ),
            *([f"{_names(ahead)} {_are(ahead, 'goes', 'go')} first"] if ahead else []),
        )
    )
    evidence = (
        f"{'a' if is_open else 'no'} place is free, and spec.maxConcurrentRollouts of the Fleet is "
        f"{cap.describe(total)}{f': {who}' if who else ''}"
    )
    return Gate("turn", evidence, None if is_open else Reason.AWAITING_TURN)


@dataclass(frozen=True, slots=True)
class _Slots:
    """Who holds a slot, of whom nobody knows, and who waits for one, with the names of those, in order."""

    moving: tuple[ScaleSetState, ...]
    unknown: tuple[ScaleSetState, ...]
    waiting: tuple[ScaleSetState, ...]
    names: tuple[str, ...]


def _slots(states: ScaleSetStates) -> _Slots:
    moving = (each for each in states if each.progress.has_slot)
    unknown = (each for each in states if each.progress.has_slot is None and not each.desired.suspend)
    waiting = sorted(filter(_is_waiting, states), key=lambda each: each.desired.name)
    return _Slots(tuple(moving), tuple(unknown), tuple(waiting), tuple(each.desired.name for each in waiting))


def slot_after(before: Progress, outcome: Outcome, *, may_have_begun: bool) -> bool | None:
    """Whether it holds a slot after a look that gave this outcome, None where that cannot be told.

    `may_have_begun`: its step was sent, and no answer came.
    """
    held = before.holds_slot
    if outcome.is_error and may_have_begun and before.has_acquired:
        return True
    if outcome.reason is Reason.REFUSED and held is None:
        return False  # nothing of ours can be under way where Azure lets us do nothing
    if outcome.is_error:
        return held
    slot = outcome.reason.meaning.slot
    if slot is Slot.FREES:
        return False
    if slot is Slot.KEEPS:
        return held
    if held is None:
        is_half = outcome.counts is not None and outcome.counts.up_to_date > 0
        return slot is Slot.HOLDS or is_half
    # The fix of a rollout that went wrong passes every gate, and so claims nothing; a rollout it is all the
    # same.
    has_begun = before.has_acquired or outcome.reason is Reason.MODEL_DRIFT
    return held or (has_begun and outcome.step is not None)


def _is_waiting(state: ScaleSetState) -> bool:
    if state.outcome is None or state.desired.suspend or state.progress.has_slot:
        return False
    return state.outcome.reason == Reason.AWAITING_TURN


def _are(states: Sequence[object], one: str = "is", many: str = "are") -> str:
    return one if len(states) == 1 else many


def _names(states: Sequence[ScaleSetState]) -> str:
    return join_first(states, lambda each: each.desired.name)


def with_reasons(states: Sequence[ScaleSetState]) -> str:
    """Their names, each with where it stands."""
    return join_first(
        states,
        lambda each: f"{each.desired.name} ({each.outcome.reason})" if each.outcome else each.desired.name,
    )
