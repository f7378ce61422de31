"""The five conditions of a scale set, following the rules of kstatus and Flux.

Ready, Reconciling and Stalled follow from the status of the outcome (`SUMMARY`). At most one of them is true,
and Ready is true only if the scale set is as declared:

- Suspended or frozen: Ready is Unknown, because nothing brings the scale set into line with its spec. Flux
  keeps the last value of Ready, so a suspended object stays green however far it drifts.
- Failing and retried: Ready is False and Reconciling is True, with the reason of the outcome. Flux calls this
  ProgressingWithRetry.
- Waiting for a window, a slot or an approval: Reconciling is True and Stalled is False. The spec itself asks
  for the wait, and the rollout continues without a change to the spec or the scale set. A stalled scale set
  needs such a change, so an alert on Stalled always needs a person.

Healthy and Drifted describe the last observation. They are Unknown once it is older than `spec.interval`. A
throttled observation changes no condition.
"""

from dataclasses import replace
from datetime import datetime
from typing import NamedTuple

from reconciler.daemon.condition import NOT_OBSERVED, Condition, ConditionStatus, ConditionType
from reconciler.daemon.outcome import Outcome
from reconciler.daemon.revision import Revision
from reconciler.daemon.state import ScaleSetState
from reconciler.rollout.counts import InstanceCounts
from reconciler.rollout.observed import Model
from reconciler.rollout.reason import Reason, Status
from reconciler.rollout.wording import join
from reconciler.spec.image import Image, follows_latest, is_version_of, same, short

# Ready, Reconciling, Stalled.
SUMMARY: dict[Status, tuple[ConditionStatus, ConditionStatus, ConditionStatus]] = {
    Status.READY: (ConditionStatus.TRUE, ConditionStatus.FALSE, ConditionStatus.FALSE),
    Status.RECONCILING: (ConditionStatus.UNKNOWN, ConditionStatus.TRUE, ConditionStatus.FALSE),
    Status.WAITING: (ConditionStatus.UNKNOWN, ConditionStatus.TRUE, ConditionStatus.FALSE),
    Status.FAILING: (ConditionStatus.FALSE, ConditionStatus.TRUE, ConditionStatus.FALSE),
    Status.STALLED: (ConditionStatus.FALSE, ConditionStatus.FALSE, ConditionStatus.TRUE),
    Status.SUSPENDED: (ConditionStatus.UNKNOWN, ConditionStatus.FALSE, ConditionStatus.FALSE),
}

SERVING, UNAVAILABLE = "Serving", "InstancesUnavailable"
MODEL_DRIFT, INSTANCE_DRIFT, NO_DRIFT = "ModelDrift", "InstanceDrift", "NoDrift"


class _Finding(NamedTuple):
    status: ConditionStatus
    reason: str
    message: str = ""


def conditions(state: ScaleSetState) -> tuple[Condition, ...]:
    """The conditions of a scale set after an observation. `state` still holds the previous ones."""
    outcome = state.outcome
    if outcome is None:
        return state.published.conditions
    revision = Revision.of(state.desired, state.commit)
    if outcome.as_of:
        return state.published.conditions
    now = {
        **_summary(outcome),
        ConditionType.HEALTHY: _healthy(state, outcome),
        ConditionType.DRIFTED: _drift(state, outcome),
    }
    return tuple(
        _next(before, now[before.type], outcome.at, revision) for before in state.published.conditions
    )


def _next(before: Condition, now: _Finding, at: datetime, revision: Revision) -> Condition:
    """The next condition. `since` moves only when the status changes, and never backwards."""
    since = before.since
    if since is None:
        since = at
    elif now.status is not before.status:
        since = max(since, at)
    after = (now.status, now.reason, now.message, since, revision)
    if after == (before.status, before.reason, before.message, before.since, before.revision):
        return before
    return replace(
        before,
        status=now.status,
        reason=now.reason,
        message=now.message,
        since=since,
        revision=revision,
    )


def _summary(outcome: Outcome) -> dict[ConditionType, _Finding]:
    """Ready, Reconciling and Stalled.

    Ready always carries the message of the outcome. The other two carry it only if they are true.
    """
    ready, reconciling, stalled = SUMMARY[outcome.status]
    return {
        ConditionType.READY: _Finding(ready, outcome.reason, outcome.full_message),
        ConditionType.RECONCILING: _Finding(
            reconciling, outcome.reason, _message_if_true(reconciling, outcome)
        ),
        ConditionType.STALLED: _Finding(stalled, outcome.reason, _message_if_true(stalled, outcome)),
    }


def _message_if_true(status: ConditionStatus, outcome: Outcome) -> str:
    return outcome.full_message if status is ConditionStatus.TRUE else ""


def _healthy(state: ScaleSetState, outcome: Outcome) -> _Finding:
    if outcome.reason.meaning.is_unseen:
        return _Finding(ConditionStatus.UNKNOWN, outcome.reason, outcome.full_message)
    counts = state.seen.counts
    if counts is None or _is_old(state.seen.instances_at, state, outcome):
        return _Finding(ConditionStatus.UNKNOWN, NOT_OBSERVED)
    if not counts.unavailable:
        return _Finding(ConditionStatus.TRUE, SERVING)
    if outcome.reason.meaning.names_instances:
        return _Finding(ConditionStatus.FALSE, outcome.reason, outcome.full_message)
    return _Finding(ConditionStatus.FALSE, UNAVAILABLE, _unavailable_message(counts))


def _unavailable_message(counts: InstanceCounts) -> str:
    where = join(f"{each.unavailable} of {each.domain}" for each in counts.domains if each.unavailable)
    return f"{counts.unavailable} of {counts.total} instances are out of service: {where}"


def _drift(state: ScaleSetState, outcome: Outcome) -> _Finding:
    if outcome.reason.meaning.is_unseen or outcome.reason.meaning.is_latest_unknown:
        return _Finding(ConditionStatus.UNKNOWN, outcome.reason, outcome.full_message)
    if outcome.reason == Reason.MODEL_DRIFT:
        return _Finding(ConditionStatus.TRUE, MODEL_DRIFT, outcome.full_message)
    model, counts = state.seen.model, state.seen.counts
    if model is None or _is_old(state.published.known_at, state, outcome):
        return _Finding(ConditionStatus.UNKNOWN, NOT_OBSERVED)
    if model.image is None:
        return _Finding(ConditionStatus.UNKNOWN, Reason.IMAGE_UNREADABLE)
    if not _is_declared(model.image, state) or _is_rolled_back(model, outcome):
        on, declared = short(model.image), short(state.desired.image)
        return _Finding(ConditionStatus.TRUE, MODEL_DRIFT, f"the model is on {on}; {declared} is declared")
    if counts is None or _is_old(state.seen.instances_at, state, outcome):
        return _Finding(ConditionStatus.UNKNOWN, NOT_OBSERVED)
    if counts.up_to_date < counts.total:
        return _Finding(ConditionStatus.TRUE, INSTANCE_DRIFT, counts.summary)
    return _Finding(ConditionStatus.FALSE, NO_DRIFT)


def _is_declared(image: Image, state: ScaleSetState) -> bool:
    """Whether the model is on the declared image. For `latest`, any version of that image counts."""
    declared = state.desired.image
    return is_version_of(image, declared) if follows_latest(declared) else same(image, declared)


def _is_rolled_back(model: Model, outcome: Outcome) -> bool:
    """Whether the image failed, and the model is back on the last good image."""
    if model.persisted.failed is None or outcome.status is Status.READY:
        return False
    return model.persisted.is_last_good(model.image)


def _is_old(seen: datetime | None, state: ScaleSetState, outcome: Outcome) -> bool:
    return seen is None or outcome.at - seen > state.desired.interval
