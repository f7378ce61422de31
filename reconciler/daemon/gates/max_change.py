"""The cap on change: one commit may change the images of so many scale sets, or else it changes none.

Counted once, when a sweep takes a commit over: those whose declared image differs from the one before, and
whose model is not on it already. A revert to the last good image does not count. Of a scale set that this
process sees for the first time there is none before, and its model alone tells; where the spec follows
latest, that tells nothing. So a process that starts while a commit is held counts the same again, and one
that starts in the middle of a rollout counts what is left of it. What was let go is let go: a cap that is
lowered later holds nothing half-way.

A suspended scale set does not count; its image does once the suspension ends.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from reconciler.daemon.state import Change, ScaleSetState, ScaleSetStates
from reconciler.rollout.gate import Gate
from reconciler.rollout.observed import Model
from reconciler.rollout.reason import Reason
from reconciler.rollout.urgency import urgency_note, waiting_note
from reconciler.spec.image import follows_latest, is_version_of, same
from reconciler.spec.scale_set import OnFailure

_Commit = tuple[str, datetime]


def weigh(
    states: Sequence[ScaleSetState], listed: Mapping[str, Model], unlisted: frozenset[str], at: datetime
) -> tuple[ScaleSetState, ...]:
    """The entries with what the specs that are in force since `at` change.

    `listed` are the models by key; of the keys in `unlisted` the list failed.
    """
    after = [_weigh_one(each, listed, unlisted, at) for each in states]
    sizes = Counter(_commit(each) for each in after)
    return tuple(
        _held_or_not(now, sizes, len(after)) if now is not before or _is_held(before) else now
        for before, now in zip(states, after, strict=True)
    )


def is_weighed(state: ScaleSetState) -> bool:
    """Whether its declared image was weighed; it is not while a sweep is at taking over a commit."""
    return state.weighed is not None and same(state.weighed, state.desired.image)


def max_change(state: ScaleSetState, states: Sequence[ScaleSetState], at: datetime) -> tuple[Gate, ...]:
    """The gate, where a commit changes the image of this scale set."""
    if state.change is None:
        return ()
    if note := urgency_note(state.desired.fleet, state.exact, at):
        return (Gate("maxChange", f"passed; {note}"),)
    cap, total = state.desired.fleet.max_change, len(states)
    together = ScaleSetStates.of(states).found(_sizes)[_commit(state)]
    who = f"commit {state.change.commit[:10]} changes" if state.change.commit else "the specs change"
    said = (
        f"{who} the images of {together} of {total} scale sets, and spec.maxChange of the Fleet is "
        f"{cap.describe(total)}"
    )
    # What an urgent image has begun is not left half-way once it no longer is urgent.
    if state.change.is_held and not state.progress.has_slot:
        mend = f"split it, or raise the cap{waiting_note(state.desired.fleet, at)}"
        return (Gate("maxChange", f"{said}; {mend}", Reason.TOO_MUCH_CHANGE),)
    return (Gate("maxChange", said),)


def _sizes(states: ScaleSetStates) -> Counter[_Commit | None]:
    """How many each commit changes."""
    return Counter(map(_commit, states))


def _weigh_one(
    state: ScaleSetState, listed: Mapping[str, Model], unlisted: frozenset[str], at: datetime
) -> ScaleSetState:
    """The entry, marked with this change where it is one; whether that is held is seen once all are."""
    key = state.key
    if state.desired.suspend or is_weighed(state) or (state.weighed is None and key in unlisted):
        return state
    is_change = key in unlisted or _changes(state, listed.get(key))
    mark = Change(state.commit, at, is_held=False) if is_change else None
    return replace(state, weighed=state.desired.image, change=mark)


def _changes(state: ScaleSetState, model: Model | None) -> bool:
    """Whether what is declared now changes this model; not one that is not there, or cannot be read."""
    desired = state.desired
    if model is None or model.image is None or same(model.image, desired.image):
        return False
    if model.persisted.rollback_target(desired.image) and desired.rollout.on_failure is not OnFailure.HOLD:
        return False  # it was tried and given up
    if model.persisted.is_last_good(desired.image):
        return False  # a revert, which must not wait until somebody has split it
    if follows_latest(desired.image) and is_version_of(model.image, desired.image):
        return state.weighed is not None
    return True


def _held_or_not(state: ScaleSetState, sizes: Mapping[_Commit | None, int], total: int) -> ScaleSetState:
    if state.change is None or state.desired.suspend:
        return state
    is_held = sizes[_commit(state)] > state.desired.fleet.max_change.of(total)
    return replace(state, change=replace(state.change, is_held=is_held))


def _is_held(state: ScaleSetState) -> bool:
    return state.change is not None and state.change.is_held


def _commit(state: ScaleSetState) -> _Commit | None:
    """What tells apart the commit that changes this scale set; it counts for none while it is suspended."""
    if state.change is None or state.desired.suspend:
        return None
    return state.change.commit, state.change.at
