"""The board as plain data: what the status page serves and what `status -o json` and `plan -o json` print."""

from datetime import datetime
from typing import Any

from reconciler.daemon.condition import Condition
from reconciler.daemon.history import RolloutRecord
from reconciler.daemon.revision import Revision
from reconciler.daemon.state import ScaleSetState
from reconciler.daemon.store import Store, Sweep
from reconciler.forecast.forecast import Forecast
from reconciler.rollout.counts import InstanceCounts
from reconciler.rollout.gate import Gate
from reconciler.rollout.persisted import PersistedState
from reconciler.rollout.step import PatchModel, Step, Upgrade
from reconciler.rollout.wait import Wait
from reconciler.spec.image import short
from reconciler.spec.scale_set import ScaleSet

Json = dict[str, Any]


def store(shown: Store) -> Json:
    """The whole board: the last sweep and every scale set, by name."""
    return {"sweep": _sweep(shown.last_sweep), "scaleSets": [state(each) for each in shown.states()]}


def state(shown: ScaleSetState) -> Json:
    """One scale set. "standing", "reason" and "message" are None until its first tick.

    "revision" is what is declared, "observedRevision" what it was last decided on. "nextReconcile" is when it
    is looked at again at the latest, None where the next sweep tells whether that is due. "wait" is since
    when it has waited for the same, None where it does not. "instances" were counted at "instancesAt".
    "notes" are what it and its instances say of themselves, as sentences. "approval" is of the image that
    was approved last, None where none was.
    """
    outcome, model = shown.outcome, shown.seen.listed_or_read
    again = outcome.at + outcome.again if outcome and outcome.again is not None else None
    return {
        "name": shown.desired.name,
        "target": shown.desired.target.id,
        "image": str(shown.desired.image),
        "commit": outcome.commit if outcome else shown.commit,
        "status": str(outcome.status) if outcome else None,
        "reason": str(outcome.reason) if outcome else None,
        "message": outcome.told if outcome else None,
        "at": _moment(outcome.at) if outcome else None,
        "step": _step(outcome.step) if outcome else None,
        "nextReconcile": _moment(again),
        "wait": _wait(outcome.wait) if outcome else None,
        "instances": counts(shown.seen.counts),
        "instancesAt": _moment(shown.seen.instances_at),
        "forecast": forecast(shown.published.forecast, shown.desired),
        "suspended": is_suspended(shown.desired),
        "revision": _revision(shown.revision),
        "observedRevision": _revision(shown.observed),
        "conditions": [_condition(each) for each in shown.published.conditions],
        "notes": list(shown.seen.notes),
        "gates": [_gate(each) for each in outcome.gates] if outcome else [],
        "approval": _approval(model.persisted) if model else None,
        "history": [_record(each) for each in shown.published.history.records],
    }


def counts(counts: InstanceCounts | None) -> Json | None:
    """Instances by domain, in rollout order."""
    if counts is None:
        return None
    return {
        "total": counts.total,
        "upToDate": counts.up_to_date,
        "unavailable": counts.unavailable,
        "domains": [
            {
                "domain": str(tally.domain),
                "total": tally.total,
                "upToDate": tally.up_to_date,
                "unavailable": tally.unavailable,
            }
            for tally in counts.domains
        ],
    }


def is_suspended(desired: ScaleSet) -> bool:
    """Whether it is left alone because its spec, or the Fleet, says so; past the time named there as well."""
    return bool(desired.suspend or desired.fleet.freeze)


def _revision(revision: Revision | None) -> Json | None:
    return None if revision is None else {"commit": revision.commit, "spec": revision.spec}


def _condition(condition: Condition) -> Json:
    """In the shape of Kubernetes, with a revision where that has a generation."""
    return {
        "type": str(condition.type),
        "status": str(condition.status),
        "reason": str(condition.reason),
        "message": condition.message,
        "lastTransitionTime": _moment(condition.since),
        "observedRevision": _revision(condition.revision),
    }


def _gate(gate: Gate) -> Json:
    return {
        "name": gate.name,
        "open": gate.closed is None,
        "evidence": gate.evidence,
        "until": _moment(gate.until),
    }


def _approval(persisted: PersistedState) -> Json | None:
    """ "by" and "at" are None where that is not known, "through" where they said no other name than their
    token."""
    if persisted.approved is None:
        return None
    signature = persisted.signature_of(persisted.approved)
    return {
        "image": str(persisted.approved),
        "by": (signature.by or None) if signature else None,
        "through": (signature.through or None) if signature else None,
        "at": _moment(signature.at) if signature else None,
        "message": f"{short(persisted.approved)}{f' {signature}' if signature else ''}",
    }


def _record(record: RolloutRecord) -> Json:
    """Durations in seconds. "result" is None while it is under way, "from" and "began" where not known."""
    return {
        "from": _text(record.before),
        "image": str(record.image),
        "commit": record.commit,
        "began": _moment(record.began),
        "ended": _moment(record.ended),
        "result": _text(record.ending),
        "seconds": record.length.total_seconds() if record.length is not None else None,
        "batches": record.batches,
        "instances": record.instances,
        "longestBatchSeconds": record.longest.total_seconds(),
        "message": record.message,
    }


def forecast(expected: Forecast | None, desired: ScaleSet) -> Json | None:
    """What is to come, in order. Durations in seconds. "begins" and "ends" are None where a hold without
    "until" stands before."""
    if expected is None:
        return None
    max_batch = desired.rollout.max_batch
    return {
        "batches": [
            {
                "domain": batch.domain,
                "instances": len(batch.instance_ids),
                "instanceIds": list(batch.instance_ids),
                "at": batch.at.isoformat(),
                "canary": batch.is_canary,
            }
            for batch in expected.batches
        ],
        "worstLoss": {"instances": expected.max_unavailable, "of": expected.total},
        "maxBatch": {"declared": str(max_batch), "instances": max_batch.of(expected.total)},
        "patches": expected.patches,
        "writes": expected.writes,
        "begins": _moment(expected.begins),
        "ends": _moment(expected.ends),
        "seconds": int(expected.lasts.total_seconds()),
        "assumedBatchSeconds": int(expected.duration.whole.total_seconds()),
        "isMeasured": not expected.duration.is_assumed,
        "healthTimeoutSeconds": int(desired.health.timeout.total_seconds()),
        "holds": [
            {"reason": str(hold.reason), "at": hold.at.isoformat(), "until": _moment(hold.until)}
            for hold in expected.waits
        ],
        "endsWith": str(expected.end_reason) if expected.end_reason else None,
    }


def _wait(wait: Wait | None) -> Json | None:
    """Since when, and in how many looks, the same was waited for or tried again."""
    return None if wait is None else {"since": _moment(wait.since), "tries": wait.tries}


def _moment(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat()


def _text(value: object | None) -> str | None:
    return None if value is None else str(value)


def _step(step: Step | None) -> Json | None:
    match step:
        case PatchModel(image=image):
            return {"kind": "PatchModel", "image": str(image)}
        case Upgrade(image=image, instance_ids=instance_ids):
            return {"kind": "Upgrade", "image": str(image), "instanceIds": list(instance_ids)}
        case None:
            return None


def _sweep(sweep: Sweep | None) -> Json | None:
    if sweep is None:
        return None
    return {
        "at": _moment(sweep.at),
        "commit": sweep.commit,
        "subject": sweep.subject,
        "errors": list(sweep.errors),
    }
