"""The state of one gate: whether serving instances may be upgraded now, why not, and until when."""

from dataclasses import dataclass
from datetime import datetime

from reconciler.rollout.reason import Reason

BREAKER = "breaker"


@dataclass(frozen=True, slots=True)
class Gate:
    """`closed` is the reason why it is closed, None if it is open. `evidence` explains it in one line.

    `until` is when it may change, if known. Otherwise it is evaluated again at the next reconcile.
    """

    name: str
    evidence: str
    closed: Reason | None = None
    until: datetime | None = None
