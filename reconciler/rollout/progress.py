"""What one process knows of the rollout of a scale set: whether one is under way, and how far its step is.

Nothing here is needed in order to act. A new process begins without: it then waits for as many healthy looks
once more, gives a batch its whole time anew, and may ask for a step again; what it starts is the same.
"""

from dataclasses import dataclass, replace
from datetime import datetime

from reconciler.rollout.reason import Phase, Reason
from reconciler.rollout.step import Attempt
from reconciler.rollout.wait import Wait

_ENDS = (Phase.DONE, Phase.GIVEN_UP)


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

    @property
    def has_slot(self) -> bool | None:
        """Whether it counts against the cap just now; None where this process cannot tell yet."""
        return True if self.has_acquired else self.holds_slot

    def anew(self, *, is_same_image: bool) -> "Progress":
        """For a spec that says something else: what its looks had in common is no longer so."""
        return replace(
            self,
            is_under_way=self.is_under_way if is_same_image else None,
            passes=0,
            waiting_since=None,
            back=0,
            wait=None,
            attempt=replace(self.attempt, tries=1) if self.attempt else None,
        )


def progress_after(before: Progress, reason: Reason, back: int | None, at: datetime) -> Progress:
    """The progress after a decision at `at` for this reason; `back` as in InstanceCounts, None where the
    instances were not counted."""
    before = replace(before, last_reason=reason)
    if reason is Reason.UPGRADING and before.waiting_since and back is not None and back <= before.back:
        return replace(before, passes=0, is_under_way=True)  # tried again: nothing has come of it yet
    phase = reason.meaning.phase
    if phase is Phase.BEGINS:
        return replace(before, is_under_way=True, passes=0, waiting_since=None, back=0)
    if back is None:
        return before
    if phase is Phase.AWAITS:
        if before.waiting_since is None or back > before.back:
            return replace(before, passes=0, waiting_since=at, back=back)
        return replace(before, passes=0)
    is_under_way = False if phase in _ENDS else before.is_under_way
    return replace(before, passes=before.passes + 1, waiting_since=None, back=0, is_under_way=is_under_way)
