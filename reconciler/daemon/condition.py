"""One thing that is so of a scale set, or is not, or is not known: in the shape that Kubernetes gives it."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from reconciler.daemon.revision import Revision


class ConditionType(StrEnum):
    """What is said of a scale set. The second and the third are worth a word only where they are true."""

    READY = "Ready"  # it is as declared
    RECONCILING = "Reconciling"  # it moves, or waits to move by itself
    STALLED = "Stalled"  # nothing happens until a person acts
    HEALTHY = "Healthy"  # every instance that stays is serving
    DRIFTED = "Drifted"  # its model or an instance is on another image than the declared one


class ConditionStatus(StrEnum):
    """Whether it is so."""

    TRUE = "True"
    FALSE = "False"
    UNKNOWN = "Unknown"


@dataclass(frozen=True, slots=True)
class Condition:
    """`since` is when its status last changed, None while nothing was ever looked at. `revision` is what the
    look that says so was about."""

    type: ConditionType
    status: ConditionStatus
    reason: str
    message: str
    since: datetime | None
    revision: Revision | None


NOT_OBSERVED = "NotObserved"

# Of a scale set that was never looked at.
UNOBSERVED = tuple(
    Condition(each, ConditionStatus.UNKNOWN, NOT_OBSERVED, "", None, None) for each in ConditionType
)
