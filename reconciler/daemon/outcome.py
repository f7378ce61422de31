"""What came of one tick of one scale set: a decision, or a failure on the way to one or of its step."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from reconciler.azure.failure import AzureFailure, Conflict, Malformed, Refused, Throttled, Unreachable
from reconciler.daemon.settings import Settings
from reconciler.rollout.decision import Decision
from reconciler.rollout.gate import Gate
from reconciler.rollout.reason import Reason
from reconciler.rollout.step import Step
from reconciler.rollout.survey import Survey
from reconciler.spec.scale_set import ScaleSet


class Standing(StrEnum):
    """How a scale set stands, in one word: what a person scans a table for."""

    READY = "Ready"  # it is as declared
    RECONCILING = "Reconciling"  # on its way; nothing to do for a person
    WAITING = "Waiting"  # held on purpose by a gate of its spec: a window, an approval, its turn
    FAILING = "Failing"  # held, and looked at again at every sweep: it goes on once the cause is gone
    STALLED = "Stalled"  # nothing will happen until a person changes the spec or the scale set
    SUSPENDED = "Suspended"

    @property
    def settled(self) -> bool:
        """Whether nothing more will happen by itself."""
        return self in {Standing.READY, Standing.STALLED, Standing.SUSPENDED}


# A canary that falls sick while it soaks is told within this time.
_WATCH = timedelta(minutes=5)

STANDINGS: dict[str, Standing] = {
    Reason.UP_TO_DATE: Standing.READY,
    Reason.SUSPENDED: Standing.SUSPENDED,
    Reason.SUSPENSION_EXPIRED: Standing.STALLED,
    Reason.FROZEN: Standing.SUSPENDED,
    Reason.FREEZE_EXPIRED: Standing.STALLED,
    Reason.PARTIAL_READ: Standing.FAILING,
    Reason.NO_EFFECT: Standing.FAILING,
    Reason.OPERATION_FAILED: Standing.FAILING,
    Reason.AZURE_BUSY: Standing.RECONCILING,
    Reason.MODEL_DRIFT: Standing.RECONCILING,
    Reason.UPGRADING: Standing.RECONCILING,
    Reason.WAITING_FOR_INSTANCES: Standing.RECONCILING,
    Reason.HEALTH_CHECK_FAILED: Standing.FAILING,
    Reason.PROGRESS_DEADLINE_EXCEEDED: Standing.FAILING,
    Reason.DEADLINE_EXCEEDED: Standing.FAILING,
    Reason.GIVING_UP: Standing.RECONCILING,
    Reason.ROLLOUT_FAILED: Standing.STALLED,
    Reason.CONFIRMING_HEALTH: Standing.RECONCILING,
    Reason.SOAKING: Standing.RECONCILING,
    Reason.BAKING: Standing.RECONCILING,
    Reason.CANARY_MISSING: Standing.STALLED,
    Reason.TOO_MANY_UNHEALTHY: Standing.FAILING,
    Reason.TOO_MANY_UNAVAILABLE: Standing.FAILING,
    Reason.OUTSIDE_WINDOW: Standing.WAITING,
    Reason.AWAITING_APPROVAL: Standing.WAITING,
    Reason.TOO_MUCH_CHANGE: Standing.STALLED,
    Reason.DEPENDENCY_NOT_READY: Standing.WAITING,
    Reason.CHECK_FAILED: Standing.FAILING,
    Reason.AWAITING_TURN: Standing.WAITING,
    Reason.NATIVE_UPGRADE_IN_PROGRESS: Standing.FAILING,
    Reason.NOT_FOUND: Standing.STALLED,
    Reason.MANAGED_BY_ANOTHER: Standing.STALLED,
    Reason.NO_PROFILE: Standing.STALLED,
    Reason.ETAG_MISSING: Standing.FAILING,
    Reason.SERVICE_FABRIC: Standing.STALLED,
    Reason.NOT_MANUAL_MODE: Standing.STALLED,
    Reason.AUTOMATIC_OS_UPGRADE: Standing.STALLED,
    Reason.IMAGE_UNREADABLE: Standing.STALLED,
    Reason.IMAGE_TYPE_IMMUTABLE: Standing.STALLED,
    Reason.IMAGE_INCOMPATIBLE: Standing.STALLED,
    Reason.IMAGE_NOT_FOUND: Standing.STALLED,
    Reason.IMAGE_NOT_REPLICATED: Standing.STALLED,
    Reason.IMAGE_REPLICATING: Standing.RECONCILING,
    Reason.IMAGE_DEPRECATED: Standing.STALLED,
    Reason.NO_LATEST_VERSION: Standing.STALLED,
    Reason.CATALOGUE_UNREADABLE: Standing.FAILING,
    Reason.TOO_MANY_MODELS: Standing.STALLED,
    Reason.DOMAINS_UNKNOWN: Standing.STALLED,
    Reason.INSTANCES_LEFT_OUT: Standing.STALLED,
}


# Of what nothing could be decided about. A throttled look leaves the standing as it was, where it was known.
FAILED: dict[str, Standing] = {
    Refused.reason: Standing.STALLED,
    Conflict.reason: Standing.RECONCILING,
    Throttled.reason: Standing.RECONCILING,
    Unreachable.reason: Standing.FAILING,
    Malformed.reason: Standing.FAILING,
    "Bug": Standing.FAILING,
}


@dataclass(frozen=True, slots=True)
class Outcome:
    """One tick of one scale set. `commit` is the id the spec was read at, "" for a plain directory.

    `step` is the one that was decided on and, where steps are taken at all, that Azure accepted. `again` is
    when to look next, None for the next sweep.
    """

    name: str
    commit: str
    at: datetime
    reason: str
    message: str
    standing: Standing
    step: Step | None = None
    survey: Survey | None = None
    gates: tuple[Gate, ...] = ()
    again: timedelta | None = None

    @property
    def line(self) -> str:
        """The whole outcome in one line, as it is logged, shown and answered everywhere."""
        return f"{self.reason}: {self.message}"

    @property
    def is_error(self) -> bool:
        """Whether nothing could be decided or done: a call failed, or we did."""
        return self.reason not in STANDINGS


def decided(
    desired: ScaleSet, commit: str, at: datetime, decision: Decision, follow_up: timedelta
) -> Outcome:
    """A decision was reached."""
    return Outcome(
        name=desired.name,
        commit=commit,
        at=at,
        reason=decision.reason,
        message=decision.message,
        standing=STANDINGS[decision.reason],
        step=decision.step,
        survey=decision.survey,
        gates=decision.gates,
        again=rest_until(decision, at, follow_up, desired.interval),
    )


def rest_until(
    decision: Decision, at: datetime, follow_up: timedelta, interval: timedelta
) -> timedelta | None:
    """How soon to look again, None for the next sweep.

    What must not go wrong meanwhile is looked at meanwhile. Where nothing has been upgraded yet there is
    nothing to watch.
    """
    if decision.until is None and STANDINGS[decision.reason] is not Standing.WAITING:
        return follow_up if decision.soon else None
    watch = _WATCH if decision.survey and decision.survey.up_to_date else max(interval, _WATCH)
    return watch if decision.until is None else min(max(decision.until - at, follow_up), watch)


def failed(
    name: str,
    commit: str,
    at: datetime,
    failure: AzureFailure,
    *,
    again: timedelta | None = None,
    doing: str = "",
) -> Outcome:
    """A call failed: on the way to a decision, or taking its step, which `doing` then words."""
    standing = FAILED.get(failure.reason, Standing.FAILING)
    message = f"{failure} (while {doing})" if doing else str(failure)
    return Outcome(name, commit, at, failure.reason, message, standing, again=again)


def rest_after(failure: AzureFailure, settings: Settings) -> timedelta | None:
    """When to look again after a failure; None for the next sweep.

    Not the next sweep where the list itself may be what fails: what is rolling goes on without it.
    """
    match failure:
        case Throttled(retry_after=asked_for):
            return max(asked_for, settings.follow_up)
        case Conflict():
            return settings.follow_up
        case Unreachable():
            return settings.sweep
        case _:
            return None


def bug(name: str, commit: str, at: datetime, error: Exception) -> Outcome:
    """An error of our own: it costs this scale set its tick and nothing else."""
    message = f"a bug in the reconciler, please report it: {type(error).__name__}: {error}"
    return Outcome(name, commit, at, "Bug", message, Standing.FAILING)
