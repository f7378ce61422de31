"""What happens if the image of a plan fails, and how a person can stop the change.

A plan and its rows have the shape of `reconciler.prediction.report`.
"""

from collections.abc import Mapping
from typing import Any

from reconciler.cli import forecast, plan_group
from reconciler.rollout.reason import Reason
from reconciler.spec.wording import count

Json = Mapping[str, Any]

_ON_FAILURE = {
    "hold": "the upgraded instances keep the image",
    "repin": "the model and the unhealthy instances return to the last good image",
    "rollback": "the model and all upgraded instances return to the last good image",
}

_LEFT_ALONE = "healthy instances that are not upgraded are left alone"
_ENDS = (
    "This lasts until another image is merged, a fix or a revert, or until someone runs `reconciler retry`."
)


def on_failure(plan: Json) -> list[str]:
    """Sentences that say what happens if an image fails. Empty if nothing rolls out."""
    if not plan["summary"]["onFailure"]:
        return []
    then = _then(plan["summary"])
    return [*_spread(plan), *_reach(plan), *_evidence(plan), then, _returns(plan), _ENDS]


def _returns(plan: Json) -> str:
    """What becomes of the instances that already run the image."""
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
    most = _most_at_once(plan)
    begins = f"{first['name']} begins{f', with {size}' if size else ''}."
    if not is_piloted(plan, first["wave"]):
        return [begins, f"No pilot guards the others. {most}"]
    where = (
        "In each wave one scale set, the pilot," if len(plan["waves"]) > 1 else "One scale set, the pilot,"
    )
    return [
        f"{where} takes it first, and the others wait until its first batch is healthy.",
        begins,
        f"Others follow as the image proves itself: one, two, four and so on. {most}",
    ]


def _most_at_once(plan: Json) -> str:
    """A sentence that says how many scale sets and instances are upgraded at the same time."""
    most = plan_group.most_at_once(plan)
    text = f"At most {_scale_sets(most)} upgrade{'s' * (most == 1)} at once"
    if worst := plan["summary"]["worstMoment"]:
        text += f"; together at most {_being_upgraded(worst)} at any moment"
    return f"{text}."


def _being_upgraded(worst: Json) -> str:
    number = worst["instances"]
    return f"{count(number, 'instance')} {'is' if number == 1 else 'are'} being upgraded"


def _reach(plan: Json) -> list[str]:
    """How many instances a bad image reaches.

    Empty if the number depends on which image is bad, on instances that already run the image, or on a race
    that no pilot prevents.
    """
    summary, rolling = plan["summary"], plan_group.alone(plan)
    first = rolling[0].row
    taken = first["forecast"]["batches"]
    is_first = len(rolling) == 1 or (is_piloted(plan, first["wave"]) and not summary["failuresAllowed"])
    image, *others = summary["images"]
    if not taken or not is_first or others or image["from"] == image["to"]:
        return []
    where = f", all in {first['name']}" if len(rolling) > 1 else ""
    early = f"Bad from the start: {count(taken[0]['instances'], 'instance')}{where}."
    if taken[0]["instances"] == summary["instances"]:
        return [early]
    by = f" by {forecast.moment(summary['ends'], plan['at'])}" if summary["ends"] else ""
    return [early, f"Bad only later: every instance upgraded by then, up to {summary['instances']:,}{by}."]


def is_piloted(plan: Json, wave: int) -> bool:
    """Whether scale sets of this wave wait for the pilot of the wave."""
    return any(
        wait["reason"] == Reason.AWAITING_PILOT
        for row in plan["scaleSets"]
        if row["wave"] == wave and plan_group.is_rolling(row)
        for wait in row["forecast"]["waits"]
    )


def _evidence(plan: Json) -> list[str]:
    """What counts as a failure of the image."""
    rolling = plan_group.rolling(plan)
    length = forecast.length_range([row["forecast"]["healthTimeoutSeconds"] for row in rolling])
    where, there = (" in a scale set", " there") if plan["summary"]["total"] > 1 else ("", "")
    return [
        "The next batch begins only once the upgraded instances are healthy.",
        f"The image has failed{where} once more than `maxUnhealthyUpgraded` of the instances upgraded{there} "
        f"are unhealthy for longer than `health.timeout` ({length}), and a larger share than among "
        f"those{there} that were not upgraded.",
        "Instances that were unhealthy before do not count.",
    ]


def _then(summary: Json) -> str:
    """A sentence that says where upgrades stop after a failure."""
    if summary["total"] < 2:
        return f"From then on {_LEFT_ALONE}."
    everywhere = f"no scale set begins it, and {_LEFT_ALONE}"
    if not (allowed := summary["failuresAllowed"]):
        return f"From then on {everywhere} (`maxFailedRollouts` allows no failure)."
    return (
        f"From then on {_LEFT_ALONE} in this scale set. Once it has failed in {_scale_sets(allowed + 1)}, "
        f"{everywhere} everywhere (`maxFailedRollouts` allows {count(allowed, 'failure')})."
    )


def how_to_stop(plan: Json) -> list[str]:
    """Sentences that say how a person can stop the change. Empty if nothing rolls out."""
    if not plan["summary"]["onFailure"]:
        return []
    worst = plan["summary"]["worstMoment"]
    flight = f", at most {count(worst['instances'], 'instance')} in all," if worst else ""
    return [
        'run `reconciler pause --all --reason "..."`, which needs permission to write tags in Azure, or '
        "merge `freeze: true` into the Fleet.",
        f"Batches in progress{flight} are completed.",
        "`reconciler resume --all`, or a merge without `freeze`, continues where it stopped.",
    ]


def _scale_sets(amount: int) -> str:
    return count(amount, "scale set")
