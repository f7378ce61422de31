"""A condition of a scale set, in the format of a Kubernetes condition."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from reconciler.daemon.revision import Revision


class ConditionType(StrEnum):
    READY = "Ready"  # it is as declared
    RECONCILING = "Reconciling"  # it moves, or will continue without intervention
    STALLED = "Stalled"  # nothing happens until a person acts
    HEALTHY = "Healthy"  # every instance that stays is serving
    DRIFTED = "Drifted"  # its model or an instance is not on the declared image


class ConditionStatus(StrEnum):
    TRUE = "True"
    FALSE = "False"
    UNKNOWN = "Unknown"


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition of a scale set.

    `since` is when the status last changed, or None before the first observation. `revision` is the spec that
    the observation was about.
    """

    type: ConditionType
    status: ConditionStatus
    reason: str
    message: str
    since: datetime | None
    revision: Revision | None


NOT_OBSERVED = "NotObserved"

# The conditions of a scale set before its first observation.
UNOBSERVED = tuple(
    Condition(each, ConditionStatus.UNKNOWN, NOT_OBSERVED, "", None, None) for each in ConditionType
)
