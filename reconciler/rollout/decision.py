"""What was decided about one scale set: at most one step, and one line that says why.

The log, the events, the table, the output of `plan` and the tests all use the text of `Decision.line`. A
decision is worded nowhere else.
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
    """One reason, one human-readable message, and at most one step.

    `soon` asks for the next reconcile in seconds instead of at the next sweep, because something is in
    progress. `until` is when the next step may be taken, if known. `watch` is the interval between reconciles
    until then, if it is shorter than usual.

    `counts` are the instance counts by domain, if the instances were read. If the step is an upgrade,
    `counts` are as if the upgrade had begun, and `observed_counts` are as read. `gates` are the gates that
    were evaluated, and `doing` is what a closed gate blocks. `blamed` is an image against which there is
    evidence. `rolled_back_from` is the name of the failed image during a rollback. `cause` is the message of
    a failure without the part that says what happens next. If there is a step, `cause` says why the step is
    taken, for the message in case the step fails.

    `continues_failure` keeps a Failing scale set Failing: the decision waits for a retried upgrade that has
    brought no instance to the image yet, or for an image that has failed here.

    `to_persist` is a state to write to the tags, in a write that changes nothing else. Nothing depends on
    that write: if Azure refuses it, the decision still stands.
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
    rolled_back_from: str = ""
    continues_failure: bool = False
    to_persist: PersistedState | None = None
    observed_counts: InstanceCounts | None = field(default=None, compare=False)
    cause: str = field(default="", compare=False)

    @property
    def counts_without_step(self) -> InstanceCounts | None:
        """The counts if the step is not taken."""
        return self.observed_counts or self.counts

    @property
    def line(self) -> str:
        """The whole decision in one line."""
        return f"{self.reason}: {self.message}"
