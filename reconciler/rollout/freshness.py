"""How old a fact may be if a step depends on it.

A step must be taken within ten seconds after the fact was read, and within a minute after its first page was
requested. The fact must also have been read after our own last write. An upgrade has no If-Match, so the
model is read again right before the upgrade, after all other facts.

     0:00  the instances are listed          0.2 s
     0:00  Azure's own rolling upgrade       55 s: the list is too old by now
     0:55  the instances are listed again    0.2 s
     0:55  the model                         0.1 s
     0:55  the upgrade is sent: the list and the rolling upgrade are 0.3 s old

If several reads are slow, each fact is too old by the time the next one has been read. After two minutes, the
decision is to do nothing, with the reason `ReadsTooSlow`.
"""

from datetime import datetime, timedelta

from reconciler.rollout.decision import Decision
from reconciler.rollout.observed import FRESH, Need, Observed, ReadTime
from reconciler.rollout.reason import Reason
from reconciler.rollout.step import Step, Upgrade
from reconciler.spec.duration import format_duration

_LONGEST = timedelta(minutes=1)
_PATIENCE = timedelta(minutes=2)


def stale_fact(step: Step, observed: Observed) -> Need | Decision | None:
    """The fact that must be read again before `step` is taken, or the decision that reads are too slow.

    None if all facts are fresh.
    """
    look = _first_stale(step, observed)
    if look is None or observed.began is None or observed.at - observed.began <= _PATIENCE:
        return look
    return Decision(
        Reason.READS_TOO_SLOW,
        f"Azure's responses took {format_duration(observed.at - observed.began)}, so the first one is too "
        "old to act on; everything will be read again at the next reconcile",
    )


def are_instances_stale(observed: Observed) -> bool:
    """Whether the instances were listed too long ago to act on."""
    return observed.instances is not None and not _is_fresh(observed.instances_read, observed)


def _first_stale(step: Step, observed: Observed) -> Need | None:
    if are_instances_stale(observed):
        return Need.INSTANCES
    if observed.rolling_upgrade is None or not _is_fresh(observed.rolling_upgrade_read, observed):
        return Need.ROLLING_UPGRADE
    read = observed.model_read
    if read is None or not _is_fresh(read, observed):
        return Need.MODEL
    # The model is read last if that is quick. A slow read would make everything else too old, again and
    # again.
    is_last = observed.last_need is Need.MODEL or read.ended - read.began > FRESH
    return None if is_last or not isinstance(step, Upgrade) else Need.MODEL


def _is_fresh(read: ReadTime | None, observed: Observed) -> bool:
    if read is None or observed.at - read.ended > FRESH or observed.at - read.began > _LONGEST:
        return False
    written_at = _last_write(observed)
    return written_at is None or read.began >= written_at


def _last_write(observed: Observed) -> datetime | None:
    """When our last step was sent, or None if that time is in the future because the clock was set back."""
    attempt = observed.attempt
    return attempt.at if attempt and attempt.at <= observed.at else None
