"""How the pages name a status."""

from reconciler.daemon.state import ScaleSetState
from reconciler.daemon.status_word import FROZEN, ORDER, PAUSED, UNCHECKED
from reconciler.rollout.reason import Reason, Status

ALARMING = frozenset({str(Status.STALLED), str(Status.FAILING)})
RANKS = {word: rank for rank, word in enumerate(ORDER)}

MEANINGS = {
    "Stalled": "blocked until a person changes the spec or the scale set",
    "Failing": "blocked; resumes automatically once the cause is gone",
    "Orphaned": "its spec was removed in the middle of a rollout",
    "Reconciling": "a rollout is under way",
    "Waiting": "blocked on purpose by a gate, such as a window or an approval",
    "Unchecked": "declared, and not observed yet",
    "Paused": "stopped by `reconciler pause`",
    "Frozen": "stopped by `spec.freeze` of the Fleet",
    "Suspended": "stopped by `spec.suspend`",
    "Ready": "every instance that can be upgraded runs the declared image",
}


def status_word(state: ScaleSetState) -> str:
    """The status in one word, with separate words for a pause and a freeze."""
    outcome = state.outcome
    if outcome is None:
        return UNCHECKED
    if outcome.reason is Reason.PAUSED:
        return PAUSED
    return FROZEN if outcome.reason is Reason.FROZEN else str(outcome.status)
