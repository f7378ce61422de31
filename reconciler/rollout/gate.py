"""The state of one gate: whether serving instances may be upgraded now, why not, and until when."""

from dataclasses import dataclass
from datetime import datetime

from reconciler.rollout.reason import Reason

BREAKER = "breaker"


@dataclass(frozen=True, slots=True)
class Gate:
    """The state of one gate.

    `closed` is the reason why the gate is closed, or None if it is open. `evidence` explains the state of the
    gate in one line. `until` is when the state can change next, if known. Otherwise the gate is evaluated
    again at the next reconcile.
    """

    name: str
    evidence: str
    closed: Reason | None = None
    until: datetime | None = None
