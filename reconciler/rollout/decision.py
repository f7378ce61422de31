"""What was decided about one scale set: at most one step, and one line that says why.

`Decision.line` is the log line, the event, the table cell, the answer of `plan` and what tests expect;
nobody words it a second time.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from reconciler.rollout.counts import InstanceCounts
from reconciler.rollout.gate import Gate
from reconciler.rollout.persisted import Fingerprint, PersistedState
from reconciler.rollout.reason import Reason
from reconciler.rollout.step import Step


@dataclass(frozen=True, slots=True)
class Decision:
    """One reason, one message for people, and at most one step.

    `soon` asks for the next look in seconds instead of at the next sweep: something is moving. `until` is
    when the next step may be taken, where that is known, and `watch` how often to look until then, where that
    is more often than usual.
    `counts` counts the instances by domain where they were looked at. `gates` are those that were asked
    whether working instances may be taken down; where one is closed, `doing` is what it holds up.
    `blamed` is an image that there is evidence against, `given_up` the name of the one that the instances are
    taken back from. `to_persist` is to be written on the tags, and nothing else. Nothing depends on that:
    where Azure refuses it, the decision stands.
    """

    reason: Reason
    message: str
    step: Step | None = None
    soon: bool = False
    until: datetime | None = None
    watch: timedelta | None = None
    counts: InstanceCounts | None = None
    gates: tuple[Gate, ...] = ()
    doing: str = ""
    blamed: Fingerprint | None = None
    given_up: str = ""
    to_persist: PersistedState | None = None
    cause: str = field(default="", compare=False)

    @property
    def line(self) -> str:
        """The whole decision in one line."""
        return f"{self.reason}: {self.message}"
