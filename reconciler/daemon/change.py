"""The cap on change: one commit may change the images of so many scale sets, or else it changes none.

Counted once, when a sweep takes a commit over: those whose declared image differs from the one before, and
whose model is not on it already. Of a scale set that this process sees for the first time there is none
before, and its model alone tells; where the spec follows latest, that tells nothing. So a process that starts
while a commit is held counts the same again, and one that starts in the middle of a rollout counts what is
left of it. What was let go is let go: a cap that is lowered later holds nothing half-way.

A suspended scale set does not count; its image does once the suspension ends.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from reconciler.daemon.board import Change, Entry
from reconciler.rollout.gate import Gate
from reconciler.rollout.observed import Model
from reconciler.rollout.reason import Reason
from reconciler.spec.image import follows_latest, is_version_of, same
from reconciler.spec.scale_set import OnFailure

_Commit = tuple[str, datetime]


def counted(
    entries: Sequence[Entry], listed: Mapping[str, Model], unlisted: frozenset[str], at: datetime
) -> tuple[Entry, ...]:
    """The entries with what the specs that are in force since `at` change.

    `listed` are the models by key; of the keys in `unlisted` the list failed.
    """
    weighed = [_weighed(each, listed, unlisted, at) for each in entries]
    sizes = Counter(_commit(each) for each in weighed)
    return tuple(
        _held_or_not(after, sizes, len(weighed)) if after is not before or _is_held(before) else after
        for before, after in zip(entries, weighed, strict=True)
    )


def is_counted(entry: Entry) -> bool:
    """Whether its declared image was weighed; it is not while a sweep is at taking over a commit."""
    return entry.counted is not None and same(entry.counted, entry.desired.image)


def change(entry: Entry, entries: Sequence[Entry]) -> tuple[Gate, ...]:
    """The gate, where a commit changes the image of this scale set."""
    if entry.change is None:
        return ()
    cap = entry.desired.fleet.max_change
    together, total = sum(_commit(each) == _commit(entry) for each in entries), len(entries)
    who = f"commit {entry.change.commit[:10]} changes" if entry.change.commit else "the specs change"
    said = (
        f"{who} the images of {together} of {total} scale sets, and spec.maxChange of the Fleet is "
        f"{cap.said(total)}"
    )
    if entry.change.is_held:
        return (Gate("maxChange", f"{said}; split it, or raise the cap", Reason.TOO_MUCH_CHANGE),)
    return (Gate("maxChange", said),)


def _weighed(entry: Entry, listed: Mapping[str, Model], unlisted: frozenset[str], at: datetime) -> Entry:
    """The entry, marked with this change where it is one; whether that is held is seen once all are."""
    key = entry.desired.target.key
    if entry.desired.suspend or is_counted(entry) or (entry.counted is None and key in unlisted):
        return entry
    is_change = key in unlisted or _changes(entry, listed.get(key))
    mark = Change(entry.commit, at, is_held=False) if is_change else None
    return replace(entry, counted=entry.desired.image, change=mark)


def _changes(entry: Entry, model: Model | None) -> bool:
    """Whether what is declared now changes this model; not one that is not there, or cannot be read."""
    desired = entry.desired
    if model is None or model.image is None or same(model.image, desired.image):
        return False
    if model.marks.stand_in(desired.image) and desired.rollout.on_failure is not OnFailure.HOLD:
        return False  # it was tried and given up
    if follows_latest(desired.image) and is_version_of(model.image, desired.image):
        return entry.counted is not None
    return True


def _held_or_not(entry: Entry, sizes: Mapping[_Commit | None, int], total: int) -> Entry:
    if entry.change is None or entry.desired.suspend:
        return entry
    is_held = sizes[_commit(entry)] > entry.desired.fleet.max_change.of(total)
    return replace(entry, change=replace(entry.change, is_held=is_held))


def _is_held(entry: Entry) -> bool:
    return entry.change is not None and entry.change.is_held


def _commit(entry: Entry) -> _Commit | None:
    """What tells apart the commit that changes this scale set; it counts for none while it is suspended."""
    if entry.change is None or entry.desired.suspend:
        return None
    return entry.change.commit, entry.change.at
