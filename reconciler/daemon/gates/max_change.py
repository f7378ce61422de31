"""The cap on change: how many scale sets one commit may change. A commit that exceeds the cap changes none.

Changes are counted once, when a sweep applies a commit. A scale set counts if its declared image differs from
the previous one and its model is not on the declared image. A revert to the last good image does not count.
When this process sees a scale set for the first time, there is no previous image, so only the model decides.
A spec that follows `latest` does not count then. As a result, a process that starts while a commit is held
reaches the same count, and a process that starts during a rollout counts what remains of it. A commit that
has passed is not held later, even if the cap is lowered.

A suspended scale set does not count. Its image counts once the suspension ends.

A commit with errors counts as a whole. A scale set that is behind it counts as changed, unless the commit is
known to leave its image unchanged. The commit that fixes the error counts it together with the others.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from reconciler.daemon.state import Change, ScaleSetState
from reconciler.daemon.states import ScaleSetStates
from reconciler.rollout.gate import Gate
from reconciler.rollout.observed import Model
from reconciler.rollout.reason import Reason
from reconciler.rollout.urgency import urgency_note, waiting_note
from reconciler.spec.image import follows_latest, is_version_of, same
from reconciler.spec.scale_set import OnFailure
from reconciler.spec.wording import count

_Commit = tuple[str, datetime]


def count_changes(
    states: Sequence[ScaleSetState], listed: Mapping[str, Model], unlisted: frozenset[str], at: datetime
) -> tuple[ScaleSetState, ...]:
    """The states, each with the change that the specs active since `at` make to its scale set.

    `listed` has the models by key. `unlisted` has the keys that could not be listed.
    """
    after = [_count_change(each, listed, unlisted, at) for each in states]
    sizes = Counter(commit for each in after for commit in _commits(each))
    return tuple(
        _held_or_not(now, sizes, len(after)) if now is not before or _is_held(before) else now
        for before, now in zip(states, after, strict=True)
    )


def is_change_counted(state: ScaleSetState) -> bool:
    """Whether the change to the declared image has been counted.

    False while a sweep is still applying the commit.
    """
    return state.counted_image is not None and same(state.counted_image, state.desired.image)


def max_change(state: ScaleSetState, states: Sequence[ScaleSetState], at: datetime) -> tuple[Gate, ...]:
    """The max change gate, or () if no commit changes the image of this scale set."""
    if state.change is None:
        return ()
    if note := urgency_note(state.desired.fleet, state.exact, at):
        return (Gate("maxChange", f"passed; {note}"),)
    cap, total = state.desired.fleet.max_change, len(states)
    together = ScaleSetStates.of(states).total(0, _changes_with, _commit(state))
    who = f"commit {state.change.commit[:10]} changes" if state.change.commit else "the specs change"
    limit = cap.describe(total)
    images = f"{who} the image of {together} of {count(total, 'scale set')}"
    # A rollout of an urgent image is not stopped half-way once the image is no longer urgent.
    if state.change.is_held and not state.progress.has_slot:
        fix = f"split the commit, or raise spec.maxChange from {limit}{waiting_note(state.desired.fleet, at)}"
        return (Gate("maxChange", f"{images}; {fix}", Reason.TOO_MUCH_CHANGE),)
    return (Gate("maxChange", f"{images}, and spec.maxChange is {limit}"),)


def _changes_with(state: ScaleSetState, commit: _Commit | None) -> int:
    """How many times this commit counts as changing this scale set."""
    return sum(each == commit for each in _commits(state))


def _count_change(
    state: ScaleSetState, listed: Mapping[str, Model], unlisted: frozenset[str], at: datetime
) -> ScaleSetState:
    """The state with its change, if any. Which changes are held is decided once all have been counted."""
    key = state.key
    if state.desired.suspend or is_change_counted(state) or (state.counted_image is None and key in unlisted):
        return state
    is_change = key in unlisted or _changes(state, listed.get(key))
    mark = Change(*(state.origin or (state.commit, at)), is_held=False) if is_change else None
    return replace(state, counted_image=state.desired.image, change=mark)


def _changes(state: ScaleSetState, model: Model | None) -> bool:
    """Whether the declared image changes this model. False if the model is absent or unreadable."""
    desired = state.desired
    if model is None or model.image is None or same(model.image, desired.image):
        return False
    if model.persisted.rollback_target(desired.image) and desired.rollout.on_failure is not OnFailure.HOLD:
        return False  # the image failed, and the rollout was aborted
    if model.persisted.is_last_good(desired.image):
        return False  # a revert must not wait until the commit is split
    if follows_latest(desired.image) and is_version_of(model.image, desired.image):
        return state.counted_image is not None
    return True


def _held_or_not(state: ScaleSetState, sizes: Mapping[_Commit | None, int], total: int) -> ScaleSetState:
    if state.change is None or state.desired.suspend:
        return state
    is_held = sizes[_commit(state)] > state.desired.fleet.max_change.of(total)
    return replace(state, change=replace(state.change, is_held=is_held))


def _is_held(state: ScaleSetState) -> bool:
    return state.change is not None and state.change.is_held


def _commits(state: ScaleSetState) -> Iterator[_Commit | None]:
    """The commits that change this scale set: the active one, and a newer one with errors."""
    yield _commit(state)
    behind = state.behind
    if behind is None or state.desired.suspend:
        return
    if behind.image is None or not same(behind.image, state.desired.image):
        yield behind.origin


def _commit(state: ScaleSetState) -> _Commit | None:
    """The commit that changes this scale set, and when it became active.

    None if no commit changes the scale set, or while the scale set is suspended.
    """
    if state.change is None or state.desired.suspend:
        return None
    return state.change.commit, state.change.at
