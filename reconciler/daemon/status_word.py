"""The words for the status of a scale set in overviews: those of `Status`, and four more."""

from reconciler.rollout.reason import Status

UNCHECKED, ORPHANED = "Unchecked", "Orphaned"
PAUSED, FROZEN = "Paused", "Frozen"  # kinds of Suspended

# Problems first, then what moves, what waits, and what needs nobody.
ORDER = (
    str(Status.STALLED),
    str(Status.FAILING),
    ORPHANED,
    str(Status.RECONCILING),
    str(Status.WAITING),
    UNCHECKED,
    PAUSED,
    FROZEN,
    str(Status.SUSPENDED),
    str(Status.READY),
)
