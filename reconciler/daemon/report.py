"""The store as JSON: what `/status` serves, and what `status -o json` and `plan -o json` print."""

from datetime import datetime
from typing import Any

from reconciler.daemon.condition import Condition
from reconciler.daemon.gates.fleet import has_proven
from reconciler.daemon.history import RolloutRecord
from reconciler.daemon.in_force import Behind, RefusedCommit
from reconciler.daemon.leadership import Leadership, describe_standby
from reconciler.daemon.orphan import Orphan
from reconciler.daemon.picking import PickOffer, describe_pick
from reconciler.daemon.revision import Revision
from reconciler.daemon.state import ScaleSetState
from reconciler.daemon.store import Store, Sweep
from reconciler.forecast.forecast import Forecast
from reconciler.rollout.counts import InstanceCounts
from reconciler.rollout.gate import Gate
from reconciler.rollout.pause import FleetPause, Pause
from reconciler.rollout.persisted import Fingerprint, PersistedState
from reconciler.rollout.place import place_names
from reconciler.rollout.refusal import describe_fleet_pause, is_on_hold
from reconciler.rollout.step import PatchModel, Step, Upgrade
from reconciler.rollout.wait import Wait
from reconciler.spec.image import Image, short
from reconciler.spec.scale_set import ScaleSet

Json = dict[str, Any]


def store(shown: Store) -> Json:
    """The whole store: the last sweep, the pause of the fleet, every scale set by name, and who leads."""
    return {
        "sweep": _sweep(shown.last_sweep),
        "pause": _fleet_pause(shown.last_sweep.fleet_pause) if shown.last_sweep else None,
        "scaleSets": [state(each) for each in shown.states()],
        "orphans": [_orphan(each) for each in shown.orphans],
        "replica": _replica(shown.leadership),
    }


def state(shown: ScaleSetState) -> Json:
    """One scale set. "status", "reason" and "message" are None until its first reconcile.

    "revision" is what is declared, and "observedRevision" is what the last decision was about.
    "nextReconcile" is the latest time of the next reconcile, or None if the next sweep decides whether one is
    due. "modelImage" is the image of the model, or None if it has not been read. "since" is when the status
    and the reason began. "wait" is the wait for the current condition, or None if there is none. "instances"
    were counted at "instancesAt". "notes" are sentences about the scale set and its instances. "approval" is
    the last approval, or None if there is none. "behind" is the newer commit that does not apply here because
    it has errors, or None if there is none. Its "error" and "errors" are those that concern this scale set.
    "pick" is the last pick of instances, or None if there is none.
    """
    outcome, model = shown.outcome, shown.seen.listed_or_read
    due = outcome.at + outcome.requeue_after if outcome and outcome.requeue_after is not None else None
    return {
        "name": shown.desired.name,
        "target": shown.desired.target.id,
        "labels": dict(shown.desired.labels),
        "image": str(shown.desired.image),
        "shortImage": short(shown.desired.image),
        "modelImage": _text(model.image) if model else None,
        "shortModelImage": short(model.image) if model and model.image else None,
        "commit": outcome.commit if outcome else shown.commit,
        "status": str(outcome.status) if outcome else None,
        "reason": str(outcome.reason) if outcome else None,
        "message": outcome.full_message if outcome else None,
        "since": _moment(shown.published.since),
        "at": _moment(outcome.at) if outcome else None,
        "step": _step(outcome.step) if outcome else None,
        "nextReconcile": _moment(due),
        "wait": _wait(outcome.wait) if outcome else None,
        "instances": counts(shown.seen.counts),
        "disruption": disruption(shown),
        "instancesAt": _moment(shown.seen.instances_at),
        "forecast": forecast(shown.published.forecast, shown.desired),
        "suspended": is_suspended(shown),
        "revision": _revision(shown.revision),
        "observedRevision": _revision(shown.observed_revision),
        "behind": _behind(shown.behind),
        "conditions": [_condition(each) for each in shown.published.conditions],
        "notes": list(shown.seen.notes),
        "gates": [_gate(each) for each in outcome.gates] if outcome else [],
        "approval": _approval(model.persisted) if model else None,
        "history": [_record(each) for each in shown.published.history.records],
        "pick": _pick(shown),
    }


def pick_offer(offer: PickOffer) -> Json:
    """The result of a request to upgrade instances next.

    "obstacle" says why no upgrade would reach an instance, or is None. "pick" is None if nothing was picked.
    "timeoutSeconds" is how long a pick lasts while the rollout makes no progress.
    """
    desired = offer.state.desired
    return {
        "name": desired.name,
        "image": str(offer.state.exact),
        "shortImage": short(offer.state.exact),
        "instances": [
            {
                "id": each.seen.id,
                "place": ", ".join(place_names(each.seen)) or None,
                "shortImage": short(each.seen.image) if each.seen.image else None,
                "health": str(each.seen.state),
                "obstacle": each.obstacle or None,
            }
            for each in offer.instances
        ],
        "timeoutSeconds": int(desired.health.timeout.total_seconds()),
        "pick": None if offer.request.is_trial or not offer.ids else _pick(offer.state),
    }


def _pick(shown: ScaleSetState) -> Json | None:
    """The last pick, or None before the first. "end" is None until the pick is over."""
    known = shown.pick
    if known is None:
        return None
    ends_at = known.moved_at + shown.desired.health.timeout
    return {
        "instanceIds": sorted(known.pick.instances),
        "place": known.pick.place or None,
        "by": known.pick.by or None,
        "at": known.pick.at.isoformat(),
        "endsAt": None if known.end else ends_at.isoformat(),
        "end": known.end
        and {"at": _moment(known.end.at), "message": known.end.message, "isServed": known.end.is_served},
        "message": describe_pick(known, ends_at),
    }


def _replica(leadership: Leadership) -> Json | None:
    """Whether this replica leads, and who does, or None if there is only one replica.

    "message" says why this replica is on standby, or is None if it leads. "leader" is None if unknown.
    "leaseAgeSeconds" is the time since the last renewal that this replica knows of.
    """
    if not leadership.is_shared:
        return None
    leader, age = leadership.leader, leadership.lease_age
    return {
        "leads": leadership.term > 0,
        "message": None if leadership.term else describe_standby(leadership),
        "leader": {"name": leader.name, "address": leader.address or None, "since": _moment(leader.since)}
        if leader
        else None,
        "leaseAgeSeconds": age.total_seconds() if age is not None else None,
    }


def counts(counts: InstanceCounts | None) -> Json | None:
    """The instance counts, with the domains in rollout order, or None if there are none."""
    if counts is None:
        return None
    return {
        "total": counts.total,
        "upToDate": counts.up_to_date,
        "unavailable": counts.unavailable,
        "domains": [
            {
                "domain": str(each.domain),
                "total": each.total,
                "upToDate": each.up_to_date,
                "unavailable": each.unavailable,
            }
            for each in counts.domains
        ],
    }


def is_suspended(state: ScaleSetState) -> bool:
    """Whether the scale set is suspended, frozen or paused, even if the hold's `until` has passed."""
    return is_on_hold(state.desired, state.fleet_pause, state.seen.listed_or_read)


def _fleet_pause(pause: FleetPause) -> Json | None:
    """The pause of the fleet, or None if it is not paused. "by", "at" and "until" are None if unknown."""
    message = describe_fleet_pause(pause)
    if not message:
        return None
    ordered = pause.pause or Pause()
    return {
        "reason": ordered.reason,
        "by": ordered.by or None,
        "at": _moment(ordered.at),
        "until": _moment(ordered.until),
        "message": message,
    }


def disruption(state: ScaleSetState) -> Json | None:
    """Whether an instance may be taken out of service now, or None if the instances were not counted.

    "allowed" is the number of instances for which maxUnavailable and maxUnhealthy permit this. "imageProven"
    is whether an instance of the scale set has proven the image of the model, or None if that image is
    unknown.
    """
    counts, model, rollout = state.seen.counts, state.seen.listed_or_read, state.desired.rollout
    if counts is None:
        return None
    most, unavailable = rollout.max_unavailable.of(counts.total), counts.unavailable - counts.deallocated
    is_sick = counts.not_serving > rollout.max_unhealthy.of(counts.total)
    return {
        "allowed": 0 if is_sick else max(0, most - unavailable),
        "unavailable": unavailable,
        "of": counts.total,
        "maxUnavailable": str(rollout.max_unavailable),
        "unhealthy": counts.not_serving,
        "maxUnhealthy": str(rollout.max_unhealthy),
        "imageProven": _is_proven(state, model.image) if model and model.image else None,
    }


def _is_proven(state: ScaleSetState, image: Image) -> bool:
    model = state.seen.listed_or_read
    is_last_good = model is not None and model.persisted.is_last_good(image)
    return is_last_good or has_proven(state, Fingerprint.of(image))


def _revision(revision: Revision | None) -> Json | None:
    return None if revision is None else {"commit": revision.commit, "spec": revision.spec}


def _condition(condition: Condition) -> Json:
    """A condition in the Kubernetes format, with "observedRevision" instead of `observedGeneration`."""
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
    """The last approval, or None if there is none. "by" and "at" are None if unknown.

    "through" is None if the approver gave no name other than that of the token.
    """
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
    """One rollout. "result" is None until the rollout ends.

    "from" and "began" are None if unknown. "batches" and "instances" are None if the rollout was in progress
    when this process started, because they would leave out what was upgraded before.
    """
    return {
        "from": _text(record.before),
        "image": str(record.image),
        "commit": record.commit,
        "began": _moment(record.began),
        "ended": _moment(record.ended),
        "result": _text(record.ending),
        "seconds": record.length.total_seconds() if record.length is not None else None,
        "batches": None if record.is_partial else record.batches,
        "instances": None if record.is_partial else record.instances,
        "longestBatchSeconds": record.longest.total_seconds(),
        "message": record.message,
    }


def forecast(expected: Forecast | None, desired: ScaleSet) -> Json | None:
    """The forecast, with batches in order and durations in seconds.

    "begins" and "ends" are None if a wait without "until" comes first.
    """
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
        "waits": [
            {"reason": str(wait.reason), "at": wait.at.isoformat(), "until": _moment(wait.until)}
            for wait in expected.waits
        ],
        "endsWith": str(expected.end_reason) if expected.end_reason else None,
    }


def _wait(wait: Wait | None) -> Json | None:
    """When the wait for the current condition began, and how many times the condition was checked."""
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
        "warnings": list(sweep.warnings),
        "partial": sweep.is_partial,
        "readAt": _moment(sweep.source_read_at),
        "staleSince": _moment(sweep.stale_since),
        "refused": _refused_commit(sweep.refused) if sweep.refused else None,
        "shard": _shard(sweep),
    }


def _shard(sweep: Sweep) -> Json | None:
    """The part of the fleet that this daemon acts for. "of" is the number of scale sets in all parts."""
    shard = sweep.shard
    return {"name": shard.name, "message": str(shard), "of": sweep.total} if shard else None


def _orphan(orphan: Orphan) -> Json:
    """An undeclared scale set whose rollout has not ended. "instances" were counted at "at"."""
    return {
        "name": orphan.name,
        "target": orphan.target,
        "image": orphan.image,
        "began": _moment(orphan.began),
        "instances": {"upToDate": orphan.up_to_date, "total": orphan.total},
        "at": _moment(orphan.at),
        "message": orphan.message,
    }


def _refused_commit(refused: RefusedCommit) -> Json:
    """A commit with errors.

    "message" is a human-readable name for the commit. "error" is the first error, and "errors" is the number
    of errors.
    """
    return {
        "commit": refused.commit,
        "subject": refused.subject,
        "author": refused.author,
        "message": str(refused),
        "error": refused.error,
        "errors": refused.errors,
    }


def _behind(behind: Behind | None) -> Json | None:
    if behind is None:
        return None
    return _refused_commit(behind.refused) | {"error": behind.error, "errors": behind.errors}
