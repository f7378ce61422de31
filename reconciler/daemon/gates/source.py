"""The age of the source: no rollout begins from specs that have been unreadable for a long time.

The specs may be out of date by then: an image may have been withdrawn, or a freeze declared. Remediation and
fixes continue. So does a rollout in progress, because a fleet left halfway is no safer.
"""

from reconciler.daemon.state import ScaleSetState
from reconciler.rollout.gate import Gate
from reconciler.rollout.reason import Reason
from reconciler.rollout.wording import moment


def source(state: ScaleSetState) -> tuple[Gate, ...]:
    """The source gate, or () if the source is not stale.

    It is closed for a scale set whose rollout has not begun.
    """
    if state.stale_since is None:
        return ()
    evidence = f"the specs have been unreadable since {moment(state.stale_since)}"
    if state.progress.has_slot:
        return (Gate("source", f"{evidence}; a rollout in progress continues"),)
    return (Gate("source", evidence, Reason.SOURCE_STALE),)
