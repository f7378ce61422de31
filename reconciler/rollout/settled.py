"""The end of a rollout: whether it is complete, and what to report."""

from collections.abc import Sequence

from reconciler.rollout.batching import bake_wait
from reconciler.rollout.contest import contested_until
from reconciler.rollout.context import Context
from reconciler.rollout.decision import Decision
from reconciler.rollout.member import Member, obstacle
from reconciler.rollout.observed import Instance, Model
from reconciler.rollout.reason import Reason
from reconciler.rollout.wording import list_names, time_of_day
from reconciler.spec.image import short
from reconciler.spec.wording import count


def completion(context: Context) -> Decision:
    """The decision once every instance that can be upgraded runs the image.

    It either waits for the bake time, or reports that the rollout is complete, perhaps with instances left
    out. If this process has seen the rollout end, the restart of an instance does not restart the bake time.
    """
    staying, counts, observed = context.members, context.counts, context.observed
    is_over = context.is_return or observed.progress.is_under_way is False
    if not is_over and (waits := bake_wait(context)):
        return waits
    image = short(context.image)
    others = f"{_other_changes(staying, context.model)}{_attached_names(observed.instances or ())}"
    if contested := [each for each in staying if each.is_contested]:
        return _contested(context, contested)
    if outdated := [each for each in staying if each.is_outdated]:
        left_out = list_names(f"{each.instance.name} ({obstacle(each)})" for each in outdated)
        return Decision(
            Reason.INSTANCES_LEFT_OUT,
            f"{counts.up_to_date} of {counts.total} instances {'runs' if counts.up_to_date == 1 else 'run'} "
            f"{image}; {left_out} cannot be upgraded now{others}",
            counts=counts,
        )
    if not staying and (attached := _attached_names(observed.instances or ())):
        return Decision(Reason.INSTANCES_LEFT_OUT, f"no instance runs {image}{attached}", counts=counts)
    what = {
        0: "the scale set has no instances; its model is on",
        1: "the only instance runs",
        2: "both instances run",
    }.get(counts.total, f"all {counts.total} instances run")
    return Decision(Reason.UP_TO_DATE, f"{what} {image}{others}", counts=counts)


def _contested(context: Context, members: Sequence[Member]) -> Decision:
    """The decision to report that another writer keeps undoing the upgrade of some instances.

    A person must choose between that writer and the reconciler.
    """
    contests = context.observed.progress.contests
    until = min(
        until for each in members if (until := contested_until(contests.get(each.instance.id))) is not None
    )
    undone = [contests[each.instance.id] for each in members]
    most = max(each.times for each in undone)
    names = list_names(each.instance.name for each in members)
    last = time_of_day(max(each.last for each in undone))
    times = f"as many as {most} times" if len(undone) > 1 else f"{most} times"
    return Decision(
        Reason.CONTESTED,
        f"another writer changes {names} after each upgrade ({times} so far, most recently at {last}); "
        f"stop that writer, or set rollout.converge to `image`; next upgrade after {time_of_day(until)}",
        until=until,
        counts=context.counts,
    )


def _other_changes(staying: Sequence[Member], model: Model) -> str:
    """A note on the model changes that up-to-date instances lack, or "" if they lack none."""
    pending = sum(each.instance.latest_model is False for each in staying if not each.is_outdated)
    if not pending:
        return ""
    lacks = f"{count(pending, 'instance')} {'lacks' if pending == 1 else 'lack'}"
    if failed := model.persisted.failed_before(model.image):
        origin = f"made by the rollback from {failed}, or by another writer"
        changes = f"model changes other than the image ({origin})"
        return f"; {lacks} {changes}; `converge: model` would apply these changes"
    change = "a model change other than the image (latestModelApplied is false)"
    return f"; {lacks} {change}; `converge: model` would apply it"


def _attached_names(instances: Sequence[Instance]) -> str:
    """A note that names the instances that a person attached, or "" if there are none."""
    names = [each.name for each in instances if each.is_attached]
    if not names:
        return ""
    verb = "was" if len(names) == 1 else "were"
    return f"; {list_names(names)} {verb} attached by hand and will be left unchanged"
