"""What happens if the image of a plan fails, and how a person can stop the change.

A plan and its rows have the shape of `reconciler.prediction.report`.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from reconciler.cli import plan_group
from reconciler.rollout.reason import Reason
from reconciler.spec.duration import format_duration
from reconciler.spec.wording import count

Json = Mapping[str, Any]

_ON_FAILURE = {
    "hold": "the upgraded instances keep the image",
    "repin": "the model and the unhealthy instances return to the last good image",
    "rollback": "the model and all upgraded instances return to the last good image",
}


_ENDS = (
    "This lasts until another image is merged, a fix or a revert, or until someone runs `reconciler retry`."
)


def on_failure(plan: Json) -> str:
    """What happens if an image fails, or "" if nothing rolls out."""
    if not plan["summary"]["onFailure"]:
        return ""
    return " ".join((*_spread(plan), _evidence(plan), _then(plan["summary"]), _returns(plan), _ENDS))


def _returns(plan: Json) -> str:
    """What becomes of the instances that run the image already."""
    groups = plan["summary"]["onFailure"]
    where = [f", in {_scale_sets(len(each['scaleSets']))}" if len(groups) > 1 else "" for each in groups]
    parts = [
        f"{_ON_FAILURE[each['action']]} (`onFailure: {each['action']}`{some})"
        for each, some in zip(groups, where, strict=True)
    ]
    text = "; ".join(parts)
    return f"{text[0].upper()}{text[1:]}."


def _spread(plan: Json) -> list[str]:
    """Who takes the image first, and how fast it spreads."""
    rolling = plan_group.alone(plan)
    first = rolling[0].row
    taken = first["forecast"]["batches"]
    size = count(taken[0]["instances"], "instance") if taken else ""
    if len(rolling) == 1:
        return (
            [f"{size} of {first['name']} take{'s' * (taken[0]['instances'] == 1)} it first."] if taken else []
        )
    most = f"{_scale_sets(plan_group.most_at_once(plan))} at the same time"
    if worst := plan["summary"]["worstMoment"]:
        most += f", with {count(worst['instances'], 'instance')} in a batch"
    begins = f"{first['name']} begins{f', with {size}' if size else ''}."
    if not is_piloted(plan, first["wave"]):
        return [begins, f"No pilot guards the others, and at most {most}."]
    where = (
        "In each wave one scale set, the pilot," if len(plan["waves"]) > 1 else "One scale set, the pilot,"
    )
    return [
        f"{where} takes it first, and the others wait until its first batch is healthy.",
        begins,
        f"Others follow as the image proves itself: one, two, four and so on, at most {most}.",
    ]


def is_piloted(plan: Json, wave: int) -> bool:
    """Whether scale sets of this wave wait for its pilot."""
    return any(
        wait["reason"] == Reason.AWAITING_PILOT
        for row in plan["scaleSets"]
        if row["wave"] == wave and row["changed"] and row["forecast"]
        for wait in row["forecast"]["waits"]
    )


def _evidence(plan: Json) -> str:
    """What counts as a failure of the image."""
    lengths = sorted({each.row["forecast"]["healthTimeoutSeconds"] for each in plan_group.alone(plan)})
    shown = [format_duration(timedelta(seconds=each)) for each in (lengths[0], lengths[-1])]
    where, there = (" in a scale set", " there") if plan["summary"]["total"] > 1 else ("", "")
    return (
        f"The image has failed{where} once upgraded instances{there} are not healthy after "
        f"{' to '.join(dict.fromkeys(shown))} (`health.timeout`) while the others are."
    )


def _then(summary: Json) -> str:
    """Where no further instance is upgraded after a failure."""
    if summary["total"] < 2:
        return "From then on no further serving instance is upgraded."
    everywhere = "no scale set begins it, and those in progress upgrade no further serving instance"
    if not (allowed := summary["failuresAllowed"]):
        return f"From then on {everywhere} (`maxFailedRollouts`)."
    return (
        "From then on this scale set upgrades no further serving instance. Once it has failed in "
        f"{_scale_sets(allowed + 1)}, {everywhere} (`maxFailedRollouts`)."
    )


def how_to_stop(plan: Json) -> str:
    """How a person can stop the change, or "" if nothing rolls out."""
    if not plan["summary"]["onFailure"]:
        return ""
    worst = plan["summary"]["worstMoment"]
    flight = f", of {count(worst['instances'], 'instance')} at most," if worst else ""
    return (
        "run `reconciler pause --all`, which needs permission to write tags in Azure, or merge "
        f"`freeze: true` into the Fleet. Batches in progress{flight} are completed. "
        "`reconciler resume --all`, or a merge without `freeze`, continues where it stopped."
    )


def _scale_sets(amount: int) -> str:
    return count(amount, "scale set")
