"""What one process knows of the rollout of a scale set: whether one is under way, and how far its step is.

Nothing here is needed in order to act. A new process begins without: it then waits for as many healthy looks
once more, gives a batch its whole time anew, and may ask for a step again; what it starts is the same.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from reconciler.rollout.contest import Contest, contests_after
from reconciler.rollout.persisted import Fingerprint
from reconciler.rollout.reason import Phase, Reason
from reconciler.rollout.step import Attempt, PatchModel, Step, TagWrite, Upgrade
from reconciler.rollout.wait import Wait

_ENDS = (Phase.DONE, Phase.GIVEN_UP)
_GAP = timedelta(minutes=6)  # longer than between any two looks at what moves


@dataclass(frozen=True, slots=True)
class Progress:
    """`passes` counts the looks in a row that found every upgraded instance back. `waiting_since` is when it
    began to wait for instances, or when one more of them than ever was `back`, None while it does not wait.
    `is_under_way` says whether a rollout was seen to begin and not to end; None where neither was seen.
    `attempt` is the last step that Azure accepted.
    `last_reason` is that of the last decision; a call that fails decides nothing. `holds_slot` says whether
    it holds one of the slots of `spec.maxConcurrentRollouts`, None where this process cannot tell yet;
    `has_acquired` that the look under way took one, which it gives back if it begins nothing. `wait` is what
    its last looks have waited for in vain.

    `taken` are the instances that were upgraded since a rollout began where none was under way, and `unwell`
    those that did not serve then, or when they were first taken; `relapses`
    counts how often fewer were back than `most_back` had been, since the last step. `seen_at` is when the
    instances were last counted. `braked` is for how long the rollout was suspended or frozen, and
    `braked_since` since when it is. `left_under_way` is what `is_under_way` was of the image that was
    declared before. `knows_all`: it has seen the scale set at rest, and heard of each of its steps since.
    Else an instance that does not serve may have been taken down by a step that it does not know of.
    `contests` are those over single instances, by id. `tag_write` is the last write of the tags alone that
    was asked for.
    """

    passes: int = 0
    waiting_since: datetime | None = None
    back: int = 0
    is_under_way: bool | None = None
    attempt: Attempt | None = None
    last_reason: Reason | None = None
    holds_slot: bool | None = None
    has_acquired: bool = False
    wait: Wait | None = None
    taken: frozenset[str] = frozenset()
    unwell: frozenset[str] = frozenset()
    relapses: int = 0
    most_back: int = 0
    seen_at: datetime | None = None
    braked: timedelta = timedelta()
    braked_since: datetime | None = None
    left_under_way: bool | None = None
    blamed: Fingerprint | None = None
    wrote_good: Fingerprint | None = None
    has_soaked: bool = False
    knows_all: bool = False
    contests: Mapping[str, Contest] = field(default_factory=dict)
    tag_write: TagWrite | None = None

    def braked_until(self, at: datetime) -> timedelta:
        """For how long it was suspended or frozen up to now."""
        return self.braked + (at - self.braked_since if self.braked_since else timedelta())

    def is_waiting_for(self, step: Step) -> bool:
        """Whether this step takes again what was taken last."""
        return self.attempt is not None and self.attempt.step == step

    @property
    def has_slot(self) -> bool | None:
        """Whether it counts against the cap just now; None where this process cannot tell yet."""
        return True if self.has_acquired else self.holds_slot

    def anew(self, *, is_same_image: bool) -> "Progress":
        """For a spec that says something else: what its looks had in common is no longer so."""
        return replace(
            self,
            is_under_way=self.is_under_way if is_same_image else None,
            left_under_way=self.left_under_way if is_same_image else self.is_under_way,
            passes=0,
            waiting_since=None,
            back=0,
            wait=None,
            attempt=self.attempt.anew() if self.attempt else None,
            relapses=0,
            most_back=0,
            has_soaked=self.has_soaked and is_same_image,
            contests={},
            tag_write=self.tag_write if is_same_image else None,
        )

    def tried_again(self) -> "Progress":
        """For an image that a person has tried again: nothing that was seen before counts against it."""
        return replace(self.anew(is_same_image=True), blamed=None, tag_write=None)


def progress_after(
    before: Progress, reason: Reason, back: int | None, at: datetime, step: Step | None = None
) -> Progress:
    """The progress after a decision at `at` for this reason and step; `back` as in InstanceCounts, None where
    the instances were not counted."""
    after = _after_hold(replace(before, last_reason=reason), reason, at)
    phase = reason.meaning.phase
    if reason is Reason.UPGRADING and step and before.taken and not before.is_waiting_for(step) and back:
        # A second batch goes only after the first one's soak, or where nothing of that is left.
        after = replace(after, has_soaked=True)
    if phase is Phase.DONE:
        # A scale set without instances is done as well, and has proven nothing.
        after = replace(after, relapses=0, has_soaked=after.has_soaked or back != 0)
    if phase in _ENDS:
        after = replace(after, knows_all=True)
    if phase is Phase.BEGINS:
        if isinstance(step, Upgrade):
            after = replace(after, contests=contests_after(after.contests, step, at))
        return _after_step(after, reason, back, step)
    if back is None or reason.meaning.is_brake:
        return after
    after = replace(_after_a_gap(after, at), seen_at=at)
    if phase is Phase.AWAITS:
        relapses = after.relapses + (after.passes > 0 and back < after.most_back)
        after = replace(after, passes=0, relapses=relapses)
        if after.waiting_since is None or back > after.back:
            return replace(after, waiting_since=at, back=back)
        return after
    is_under_way = False if phase in _ENDS else after.is_under_way
    # Not the most there ever were: after a scale-in each instance that is being made would be a relapse.
    return replace(
        after,
        passes=after.passes + 1,
        waiting_since=None,
        back=0,
        most_back=back,
        is_under_way=is_under_way,
    )


def _after_step(before: Progress, reason: Reason, back: int | None, step: Step | None) -> Progress:
    """A step is taken. One that is taken again, of which nothing has come, does not begin the wait anew."""
    after = replace(_with_upgraded(before, step), is_under_way=True, passes=0, most_back=0)
    if isinstance(step, PatchModel) and not before.is_under_way:
        after = replace(after, braked=timedelta())  # what was braked before it began is none of its time
    if isinstance(step, PatchModel):
        after = replace(after, tag_write=None)
    if isinstance(step, PatchModel) and step.good:
        after = replace(after, wrote_good=step.good)
    if reason is Reason.UPGRADING and after.waiting_since and back is not None and back <= after.back:
        return after
    return replace(after, waiting_since=None, back=0, relapses=0)


def _with_upgraded(before: Progress, step: Step | None) -> Progress:
    """What a step of ours took down while it served is our loss, and stays so through every fix."""
    match step:
        case PatchModel(unwell=unwell) if before.is_under_way is False or not before.taken:
            return replace(before, taken=frozenset(), unwell=unwell)
        case Upgrade(instance_ids=ids, unwell=unwell):
            named = frozenset(ids)
            first = named - before.taken
            # One that was unwell when it was taken first, and serves by now, is our loss from now on.
            still = before.unwell - first - (named - unwell)
            new = unwell & first if before.knows_all else unwell & first & before.unwell
            return replace(before, taken=before.taken | first, unwell=still | new)
        case _:
            return before


def _after_hold(progress: Progress, reason: Reason, at: datetime) -> Progress:
    """Brakes stop every clock: nobody looks, and nothing is to be done."""
    if reason.meaning.is_brake:
        return replace(progress, braked_since=progress.braked_since or at)
    return replace(progress, braked_since=None, braked=progress.braked_until(at))


def _after_a_gap(progress: Progress, at: datetime) -> Progress:
    """What was not looked at for minutes, braked or out of reach, is given that time: nobody could have seen
    it come back."""
    if progress.waiting_since is None or progress.seen_at is None or at - progress.seen_at <= _GAP:
        return progress
    return replace(progress, waiting_since=min(progress.waiting_since + (at - progress.seen_at), at))
