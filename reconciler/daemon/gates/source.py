"""The age of the source: no rollout begins from specs that have been unreadable for a long time.

What is declared may be out of date then: an image may have been taken back, or a freeze declared. A rollout
in progress continues, because a fleet that stays half-way is no safer. So do remediation and fixes.
"""

from reconciler.daemon.state import ScaleSetState
from reconciler.rollout.gate import Gate
from reconciler.rollout.reason import Reason
from reconciler.rollout.wording import moment


def source(state: ScaleSetState) -> tuple[Gate, ...]:
    """The gate, if the source is stale. It is closed for a scale set whose rollout has not begun."""
    if state.stale_since is None:
        return ()
    evidence = f"the specs have been unreadable since {moment(state.stale_since)}"
    if state.progress.has_slot:
        return (Gate("source", f"{evidence}; a rollout in progress continues"),)
    return (Gate("source", evidence, Reason.SOURCE_STALE),)
