"""Instances that another writer changes each time the reconciler has upgraded them.

Without a limit, `converge: model` would upgrade such an instance forever. After the third upgrade, the
instance is not upgraded for 20 minutes, after the fourth for 40, and so on up to 5h20m. Other instances are
still upgraded meanwhile. A day without a further upgrade of the instance ends the contest.

    09:00  the instance lacks an extension, and is brought to the model
    09:10  the extension is missing again: the second upgrade; the third follows at 09:20
    09:30  the extension is missing again: no upgrade until 09:40, then one, then none until 10:20
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from reconciler.rollout.step import Upgrade

_MOST = 3
_FIRST, _DOUBLINGS = timedelta(minutes=20), 4
_OVER = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Contest:
    """How many times an instance already on the image was brought to the model, and when last."""

    times: int
    last: datetime


def contests_after(before: Mapping[str, Contest], step: Upgrade, at: datetime) -> dict[str, Contest]:
    """The contests by instance id, once the upgrade `step` has started at `at`."""
    open_ = {id_: each for id_, each in before.items() if at - each.last < _OVER}
    times = {id_: open_[id_].times if id_ in open_ else 0 for id_ in step.behind}
    return open_ | {id_: Contest(number + 1, at) for id_, number in times.items()}


def contested_until(contest: Contest | None) -> datetime | None:
    """When a contested instance may be upgraded again, or None if nothing delays it."""
    if contest is None or contest.times < _MOST:
        return None
    pause: timedelta = _FIRST * 2 ** min(contest.times - _MOST, _DOUBLINGS)
    return contest.last + pause
