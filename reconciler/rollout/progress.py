"""What one process knows about a rollout: whether it is in progress, and how far its last step has come.

The daemon needs none of this in order to act. A new process begins without this knowledge: it waits for
healthy observations again, gives a batch its full time again, and might repeat a step. A process never takes
a different step for lack of this knowledge.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from reconciler.rollout.contest import Contest, contests_after
from reconciler.rollout.persisted import Fingerprint
from reconciler.rollout.reason import Phase, Reason
from reconciler.rollout.step import Attempt, PatchModel, Step, TagWrite, Upgrade
from reconciler.rollout.wait import Wait

_ENDS = (Phase.DONE, Phase.ROLLED_BACK)
_WAITS = (Phase.AWAITS, Phase.RETRIES)
_GAP = timedelta(minutes=6)  # longer than between any two observations during a rollout


@dataclass(frozen=True, slots=True)
class Progress:
    """What one process remembers of one rollout. A new process begins with the defaults."""

    passes: int = 0  # observations in a row that found every upgraded instance healthy
    waiting_since: datetime | None = None  # when the wait for instances, or for one more of them, began
    back: int = 0  # the largest number of healthy instances during this wait
    is_under_way: bool | None = None  # a rollout was seen to begin but not to end; None: neither was seen
    attempt: Attempt | None = None  # the last step that Azure accepted
    last_reason: Reason | None = None  # of the last decision; a failed call decides nothing
    holds_slot: bool | None = None  # of `spec.maxConcurrentRollouts`; None: this process cannot know yet
    has_acquired: bool = False  # this reconcile took a slot, and returns it if it begins nothing
    wait: Wait | None = None  # what the last observations waited for without success
    taken: frozenset[str] = frozenset()  # ids upgraded since the rollout began
    not_serving: frozenset[str] = frozenset()  # ids that did not serve then, or when first upgraded
    relapses: int = 0  # how many times fewer were healthy than `most_healthy`, since the last step
    most_healthy: int = 0
    seen_at: datetime | None = None  # when the instances were last counted
    time_on_hold: timedelta = (
        timedelta()
    )  # how long the rollout was suspended or frozen, not counting the current hold
    on_hold_since: datetime | None = None
    was_under_way: bool | None = None  # `is_under_way` of the image that was declared before
    blamed: Fingerprint | None = None
    wrote_last_good: Fingerprint | None = None  # the last good image that this process wrote to the tags
    has_soaked: bool = False
    # This process has seen the scale set at rest, and every step since. Otherwise a step that it has not seen
    # might have taken out of service an instance that does not serve now.
    has_seen_all_steps: bool = False
    contests: Mapping[str, Contest] = field(default_factory=dict)  # by instance id
    tag_write: TagWrite | None = None  # the last write of the tags alone
    partial_since: datetime | None = None  # since when every list of the instances was incomplete

    def hold_until(self, at: datetime) -> timedelta:
        """How long the rollout has been on hold in total, up to `at`."""
        return self.time_on_hold + (at - self.on_hold_since if self.on_hold_since else timedelta())

    def is_waiting_for(self, step: Step) -> bool:
        """Whether this step repeats the last one."""
        return self.attempt is not None and self.attempt.step == step

    @property
    def has_slot(self) -> bool | None:
        """Whether the scale set has a concurrency slot now, or None if this process cannot know yet."""
        return True if self.has_acquired else self.holds_slot

    def for_new_spec(self, *, is_same_image: bool) -> "Progress":
        """This progress without the observations that do not apply to a changed spec."""
        return replace(
            self,
            is_under_way=self.is_under_way if is_same_image else None,
            was_under_way=self.was_under_way if is_same_image else self.is_under_way,
            passes=0,
            waiting_since=None,
            back=0,
            wait=None,
            attempt=self.attempt.without_tries() if self.attempt else None,
            relapses=0,
            most_healthy=0,
            has_soaked=self.has_soaked and is_same_image,
            contests={},
            tag_write=self.tag_write if is_same_image else None,
        )

    def for_retry(self) -> "Progress":
        """This progress without the observations that count against the retried image."""
        return replace(self.for_new_spec(is_same_image=True), blamed=None, tag_write=None)


def progress_after(
    before: Progress, reason: Reason, back: int | None, at: datetime, step: Step | None = None
) -> Progress:
    """The progress after a decision at `at` with this reason and step.

    `back` is the number of healthy instances on the image, or None if the instances were not counted.
    """
    partial_since = (before.partial_since or at) if reason is Reason.PARTIAL_READ else None
    after = replace(before, last_reason=reason, partial_since=partial_since)
    after = _after_hold(after, reason, at)
    phase = reason.meaning.phase
    if reason is Reason.UPGRADING and step and before.taken and not before.is_waiting_for(step) and back:
        # A second batch starts only after the soak of the first, or if no instance of the first is left.
        after = replace(after, has_soaked=True)
    if phase is Phase.DONE:
        # A scale set without instances is also done, but has proven nothing.
        after = replace(after, relapses=0, has_soaked=after.has_soaked or back != 0)
    if phase in _ENDS:
        after = replace(after, has_seen_all_steps=True)
    if phase is Phase.BEGINS:
        if isinstance(step, Upgrade):
            after = replace(after, contests=contests_after(after.contests, step, at))
        return _after_step(after, reason, back, step)
    if back is None or reason.meaning.hold:
        return after
    after = replace(after_a_gap(after, at), seen_at=at)
    if phase is Phase.AWAITS:
        relapses = after.relapses + (after.passes > 0 and back < after.most_healthy)
        after = replace(after, passes=0, relapses=relapses)
    if phase in _WAITS:
        if after.waiting_since is None or back > after.back:
            return replace(after, waiting_since=at, back=back)
        return after
    is_under_way = False if phase in _ENDS else after.is_under_way
    # Not the maximum so far: after a scale-in, each instance that is being created would count as a relapse.
    return replace(
        after,
        passes=after.passes + 1,
        waiting_since=None,
        back=0,
        most_healthy=back,
        is_under_way=is_under_way,
    )


def _after_step(before: Progress, reason: Reason, back: int | None, step: Step | None) -> Progress:
    """The progress after a step. Repeating a step that had no effect does not restart the wait.

    Such a repetition also keeps the observations that confirmed health. Otherwise `health.passes: 2` would
    end the wait at every retry, and neither `progressDeadline` nor the age of the wait would ever reach its
    limit.
    """
    after = replace(_with_upgraded(before, step), is_under_way=True)
    if isinstance(step, PatchModel) and not before.is_under_way:
        after = replace(after, time_on_hold=timedelta())  # a hold before the rollout began does not count
    if isinstance(step, PatchModel):
        after = replace(after, tag_write=None)
    if isinstance(step, PatchModel) and step.good:
        after = replace(after, wrote_last_good=step.good)
    if reason is Reason.UPGRADING and after.waiting_since and back is not None and back <= after.back:
        return after
    return replace(after, passes=0, most_healthy=0, waiting_since=None, back=0, relapses=0)


def _with_upgraded(before: Progress, step: Step | None) -> Progress:
    """Add the instances of this step to `taken` and, if they do not serve, to `not_serving`.

    An instance that served when a step of ours upgraded it counts against the rollout from then on, even if a
    fix follows.
    """
    match step:
        case PatchModel(not_serving=not_serving) if before.is_under_way is False or not before.taken:
            return replace(before, taken=frozenset(), not_serving=not_serving)
        case Upgrade(instance_ids=ids, not_serving=not_serving):
            named = frozenset(ids)
            first = named - before.taken
            # An instance that did not serve when first upgraded, and serves when upgraded again, counts from
            # now on.
            still = before.not_serving - first - (named - not_serving)
            new = (
                not_serving & first if before.has_seen_all_steps else not_serving & first & before.not_serving
            )
            return replace(before, taken=before.taken | first, not_serving=still | new)
        case _:
            return before


def _after_hold(progress: Progress, reason: Reason, at: datetime) -> Progress:
    """Update the time on hold. A hold stops every clock, because nothing is observed or done meanwhile."""
    if reason.meaning.hold:
        return replace(progress, on_hold_since=progress.on_hold_since or at)
    return replace(progress, on_hold_since=None, time_on_hold=progress.hold_until(at))


def after_a_gap(progress: Progress, at: datetime) -> Progress:
    """Exclude a gap of minutes between observations from the time of the wait.

    No recovery can be seen during such a gap, for example on hold or while Azure is unreachable.
    """
    if progress.waiting_since is None or progress.seen_at is None or at - progress.seen_at <= _GAP:
        return progress
    return replace(progress, waiting_since=min(progress.waiting_since + (at - progress.seen_at), at))
