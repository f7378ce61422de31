"""How a scale set stands, as five conditions after the rules of kstatus and Flux, for what goes by those.

Ready, Reconciling and Stalled say what the standing of the outcome says, each standing in one way
(`SUMMARY`). So at most one of them is true, and Ready is true of nothing but what is as declared:

- What is suspended or frozen is left as it is, whatever is declared: Ready is Unknown.
  Flux leaves Ready as it last was; then a suspended one shows green for as long as it is suspended, however
  far it drifts, and every dashboard has to know better.
- What fails and is tried again is both: Ready is False, and Reconciling is true. Flux calls that
  ProgressingWithRetry; the reason here is that of the outcome.
- What waits for its window, its turn or a person's approval is Reconciling and not Stalled: its own spec
  asks for the wait, it is asked again at every look, and nobody is to be woken for it. Stalled is what cannot
  go on as spec and scale set are, and an alert on it is worth its noise.

Healthy and Drifted rest on what was last seen, and are Unknown once that is older than `interval`, the time
for which the spec lets instances go unlooked at. A look for which Azure left no request says nothing new:
every condition stays.
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

SERVING, AWAY = "Serving", "InstancesUnavailable"
MODEL_DRIFT, INSTANCE_DRIFT, NO_DRIFT = "ModelDrift", "InstanceDrift", "NoDrift"


class _Said(NamedTuple):
    status: ConditionStatus
    reason: str
    message: str = ""


def conditions(state: ScaleSetState) -> tuple[Condition, ...]:
    """Those of a scale set after a look, from what its entry then holds; its conditions are those before."""
    outcome = state.outcome
    if outcome is None:
        return state.published.conditions
    revision = Revision.of(state.desired, state.commit)
    if outcome.as_of:
        return state.published.conditions
    said = {
        **_summary(outcome),
        ConditionType.HEALTHY: _healthy(state, outcome),
        ConditionType.DRIFTED: _drift(state, outcome),
    }
    return tuple(
        _next(before, said[before.type], outcome.at, revision) for before in state.published.conditions
    )


def _next(before: Condition, said: _Said, at: datetime, revision: Revision) -> Condition:
    """The condition that follows; it turned when its status changed, and never before it turned last."""
    since = before.since
    if since is None:
        since = at
    elif said.status is not before.status:
        since = max(since, at)
    return replace(
        before,
        status=said.status,
        reason=said.reason,
        message=said.message,
        since=since,
        revision=revision,
    )


def _summary(outcome: Outcome) -> dict[ConditionType, _Said]:
    """Ready says the line of the outcome, and so does what else is true; the others have nothing to add."""
    ready, reconciling, stalled = SUMMARY[outcome.status]
    return {
        ConditionType.READY: _Said(ready, outcome.reason, outcome.told),
        ConditionType.RECONCILING: _Said(reconciling, outcome.reason, _where_true(reconciling, outcome)),
        ConditionType.STALLED: _Said(stalled, outcome.reason, _where_true(stalled, outcome)),
    }


def _where_true(status: ConditionStatus, outcome: Outcome) -> str:
    return outcome.told if status is ConditionStatus.TRUE else ""


def _healthy(state: ScaleSetState, outcome: Outcome) -> _Said:
    if outcome.reason.meaning.is_unseen:
        return _Said(ConditionStatus.UNKNOWN, outcome.reason, outcome.told)
    counts = state.seen.counts
    if counts is None or _is_old(state.seen.instances_at, state, outcome):
        return _Said(ConditionStatus.UNKNOWN, NOT_OBSERVED)
    if not counts.unavailable:
        return _Said(ConditionStatus.TRUE, SERVING)
    if outcome.reason.meaning.names_instances:
        return _Said(ConditionStatus.FALSE, outcome.reason, outcome.told)
    return _Said(ConditionStatus.FALSE, AWAY, _away(counts))


def _away(counts: InstanceCounts) -> str:
    where = join(f"{each.unavailable} of {each.domain}" for each in counts.domains if each.unavailable)
    return f"{counts.unavailable} of {counts.total} are not serving: {where}"


def _drift(state: ScaleSetState, outcome: Outcome) -> _Said:
    if outcome.reason.meaning.is_unseen or outcome.reason.meaning.is_latest_unknown:
        return _Said(ConditionStatus.UNKNOWN, outcome.reason, outcome.told)
    if outcome.reason == Reason.MODEL_DRIFT:
        return _Said(ConditionStatus.TRUE, MODEL_DRIFT, outcome.told)
    model, counts = state.seen.model, state.seen.counts
    if model is None or _is_old(state.published.known_at, state, outcome):
        return _Said(ConditionStatus.UNKNOWN, NOT_OBSERVED)
    if model.image is None:
        return _Said(ConditionStatus.UNKNOWN, Reason.IMAGE_UNREADABLE)
    if not _is_declared(model.image, state) or _is_given_up(model, outcome):
        on, declared = short(model.image), short(state.desired.image)
        return _Said(ConditionStatus.TRUE, MODEL_DRIFT, f"the model is on {on}, and {declared} is declared")
    if counts is None or _is_old(state.seen.instances_at, state, outcome):
        return _Said(ConditionStatus.UNKNOWN, NOT_OBSERVED)
    if counts.up_to_date < counts.total:
        return _Said(ConditionStatus.TRUE, INSTANCE_DRIFT, counts.summary)
    return _Said(ConditionStatus.FALSE, NO_DRIFT)


def _is_declared(image: Image, state: ScaleSetState) -> bool:
    """Whether the model is on the declared image; for latest on a version of it, as far as is known here."""
    declared = state.desired.image
    return is_version_of(image, declared) if follows_latest(declared) else same(image, declared)


def _is_given_up(model: Model, outcome: Outcome) -> bool:
    """Whether an image was given up, and the model is on the last good one instead."""
    if model.persisted.failed is None or outcome.status is Status.READY:
        return False
    return model.persisted.is_last_good(model.image)


def _is_old(seen: datetime | None, state: ScaleSetState, outcome: Outcome) -> bool:
    return seen is None or outcome.at - seen > state.desired.interval
