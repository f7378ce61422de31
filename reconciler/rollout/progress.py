"""What one process remembers of its looks at a scale set: how many in a row found it well, how long it waits.

Nothing here is needed in order to act. A new process begins with an empty streak: it then waits for as many
healthy looks once more, and gives a batch its whole time anew; what it starts is the same.
"""

from dataclasses import dataclass, replace
from datetime import datetime

from reconciler.rollout.reason import Phase, Reason

_ENDS = (Phase.DONE, Phase.GIVEN_UP)


@dataclass(frozen=True, slots=True)
class Progress:
    """`passes` counts the looks in a row that found every upgraded instance back.

    `waiting_since` is when it began to wait for instances, or when one more of them than ever was `back`,
    None while it does not wait. `is_under_way` says whether a rollout was seen to begin and not to end;
    None where neither was seen.
    """

    passes: int = 0
    waiting_since: datetime | None = None
    back: int = 0
    is_under_way: bool | None = None


def following(before: Progress, reason: Reason, back: int | None, at: datetime) -> Progress:
    """The streak after a look at `at` that gave this reason; `back` as in Survey, None where none was
    taken."""
    if reason is Reason.UPGRADING and before.waiting_since and back is not None and back <= before.back:
        return replace(before, passes=0, is_under_way=True)  # tried again: nothing has come of it yet
    phase = reason.meaning.phase
    if phase is Phase.BEGINS:
        return Progress(is_under_way=True)
    if back is None:
        return before
    if phase is Phase.AWAITS:
        if before.waiting_since is None or back > before.back:
            return Progress(0, at, back, before.is_under_way)
        return replace(before, passes=0)
    return Progress(before.passes + 1, is_under_way=False if phase in _ENDS else before.is_under_way)
