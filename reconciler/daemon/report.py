"""The board as plain data: what the status page serves and what `status -o json` and `plan -o json` print."""

from typing import Any

from reconciler.daemon.board import Board, Entry, Sweep
from reconciler.rollout.step import PatchModel, Step, Upgrade
from reconciler.rollout.survey import Survey

Json = dict[str, Any]


def board(shown: Board) -> Json:
    """The whole board: the last sweep and every scale set, by name."""
    return {"sweep": _sweep(shown.last_sweep), "scaleSets": [entry(each) for each in shown.entries()]}


def entry(shown: Entry) -> Json:
    """One scale set. "standing", "reason" and "message" are None until its first tick."""
    outcome = shown.outcome
    return {
        "name": shown.desired.name,
        "target": shown.desired.target.id,
        "image": str(shown.desired.image),
        "commit": outcome.commit if outcome else shown.commit,
        "standing": str(outcome.standing) if outcome else None,
        "reason": str(outcome.reason) if outcome else None,
        "message": outcome.message if outcome else None,
        "at": outcome.at.isoformat() if outcome else None,
        "step": _step(outcome.step) if outcome else None,
        "instances": survey(shown.survey),
    }


def survey(counts: Survey | None) -> Json | None:
    """Instances by domain, in rollout order."""
    if counts is None:
        return None
    return {
        "total": counts.total,
        "upToDate": counts.up_to_date,
        "away": counts.away,
        "domains": [
            {
                "domain": str(tally.domain),
                "total": tally.total,
                "upToDate": tally.up_to_date,
                "away": tally.away,
            }
            for tally in counts.tallies
        ],
    }


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
        "at": sweep.at.isoformat(),
        "commit": sweep.commit,
        "subject": sweep.subject,
        "trouble": list(sweep.trouble),
    }
