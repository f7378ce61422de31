"""A plan as JSON: what `plan -o json` prints, and the source of its other formats.

`schemas/plan.schema.json` describes the JSON.
"""

from datetime import datetime
from typing import Any

from reconciler.daemon import report
from reconciler.daemon.state import ScaleSetState
from reconciler.prediction.block import Block, blocks
from reconciler.prediction.grouping import group_by
from reconciler.prediction.plan import ImageChange, Plan, Wave
from reconciler.prediction.risk import Risk, risks
from reconciler.spec.image import short

Json = dict[str, Any]


def plan(shown: Plan) -> Json:
    """The whole plan. "scaleSets" lists every scale set, sorted by name."""
    found = rollouts(shown)
    return {
        "at": shown.forecast.at.isoformat(),
        "base": shown.base.commit if shown.base else None,
        "summary": found["summary"],
        "waves": found["waves"],
        "risks": [*map(_block, blocks(shown)), *map(_risk, risks(shown))],
        "scaleSets": found["scaleSets"],
    }


def rollouts(shown: Plan) -> Json:
    """What happens to the fleet: the summary, the waves, and each scale set."""
    loss, moment = shown.worst_loss, shown.worst_moment
    return {
        "summary": {
            "total": len(shown.states),
            "changed": len(shown.changed),
            "rollingOut": len(shown.rolling),
            "instances": shown.instances,
            "otherRollouts": [each.desired.name for each in shown.other_rollouts],
            "removed": list(shown.removed),
            "fleetChanged": shown.changes_fleet,
            "paused": shown.paused or None,
            "images": [_image(each) for each in shown.images],
            "begins": _moment(shown.begins),
            "ends": _moment(shown.ends),
            "unfinishedAt": _moment(shown.unfinished_at),
            "onFailure": [
                {"action": str(action), "scaleSets": [each.desired.name for each in group]}
                for action, group in group_by(
                    shown.rolling, lambda each: each.desired.rollout.on_failure
                ).items()
            ],
            "failuresAllowed": shown.failures_allowed,
            "worstLoss": (
                {"name": loss.name, "instances": loss.instances, "of": loss.of, "at": _moment(loss.at)}
                if loss
                else None
            ),
            "worstMoment": (
                {"at": moment.at.isoformat(), "instances": moment.instances, "of": moment.of}
                if moment
                else None
            ),
        },
        "waves": [_wave(each) for each in shown.waves],
        "scaleSets": [_scale_set(shown, each) for each in shown.states],
    }


def _scale_set(shown: Plan, state: ScaleSetState) -> Json:
    """A scale set as in `daemon.report.state`, with its forecast, and whether the change affects it."""
    found = shown.forecast.forecasts.get(state.key)
    return report.state(state) | {
        "wave": state.desired.wave,
        "changed": shown.is_changed(state) if shown.base else found is not None,
        "forecast": report.forecast(found, state.desired),
    }


def _image(change: ImageChange) -> Json:
    return {
        "from": str(change.before) if change.before else None,
        "to": str(change.after),
        "shortFrom": short(change.before) if change.before else None,
        "shortTo": short(change.after),
        "scaleSets": list(change.names),
    }


def _wave(wave: Wave) -> Json:
    return {
        "wave": wave.number,
        "scaleSets": wave.scale_sets,
        "instances": wave.instances,
        "first": wave.first,
        "begins": wave.begins.isoformat(),
        "ends": _moment(wave.ends),
    }


def _block(block: Block) -> Json:
    return {
        "message": block.message,
        "scaleSets": list(block.names),
        "reason": block.reason and str(block.reason),
        "blocks": str(block.effect),
        "holdsUp": list(block.holds_up),
    }


def _risk(risk: Risk) -> Json:
    return {
        "message": risk.message,
        "scaleSets": list(risk.names),
        "reason": risk.reason and str(risk.reason),
        "blocks": None,
        "holdsUp": [],
    }


def _moment(at: datetime | None) -> str | None:
    return at.isoformat() if at else None
