"""What one gate says: whether working instances may be taken down now, why not, when it looks again."""

from dataclasses import dataclass
from datetime import datetime

from reconciler.rollout.reason import Reason

BREAKER = "breaker"


@dataclass(frozen=True, slots=True)
class Gate:
    """`closed` is the reason why it is, None where it is open; `evidence` what that rests on, in a line.

    `until` is when it may change, where that is known; else it is asked again at the next look.
    """

    name: str
    evidence: str
    closed: Reason | None = None
    until: datetime | None = None
