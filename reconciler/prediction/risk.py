"""What could go wrong with a plan: each kind of risk once, with the scale sets that it affects.

`block` covers what keeps scale sets from being upgraded at all.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta

from reconciler.daemon.state import ScaleSetState
from reconciler.prediction.grouping import group_by, in_common
from reconciler.prediction.plan import Plan, names_of
from reconciler.rollout.observed import Verdict
from reconciler.rollout.persisted import PersistedState
from reconciler.rollout.reason import Reason, Status
from reconciler.rollout.step import PatchModel
from reconciler.spec.duration import format_duration
from reconciler.spec.image import short
from reconciler.spec.scale_set import CustomizedInstances, OnFailure
from reconciler.spec.wording import count

# A scale set that loses a larger share at once is named as a risk. A fifth is the default of maxBatch.
_LARGE_SHARE = 1 / 3
_NEAR = 0.8  # of a deadline
_UNCHECKED = "the image catalogue cannot be read, so Azure checks the image only when the model is changed"


@dataclass(frozen=True, slots=True)
class Risk:
    """Something that might go wrong, as a sentence, and the names of the scale sets that it affects."""

    message: str
    names: tuple[str, ...]
    reason: Reason | None = None


def risks(plan: Plan) -> tuple[Risk, ...]:
    """All risks, the most serious first."""
    return tuple(risk for find in _RISKS for risk in find(plan))


def _failing(plan: Plan) -> Iterator[Risk]:
    """Changed scale sets that are stopped now, but reach their image in the forecast."""
    failing = [
        (each.desired.name, each.outcome)
        for each in plan.states
        if each.outcome
        and each.outcome.status.is_alarming
        and not each.outcome.reason.meaning.hold
        and plan.is_changed(each)
        and (last := plan.forecast.last.get(each.key))
        and last.status is Status.READY
    ]
    for reason, group in group_by(failing, lambda each: each[1].reason).items():
        messages = {name: outcome.message for name, outcome in group}
        for message, names in in_common(messages, reason.meaning.cause).items():
            yield Risk(f"stopped now, and the forecast assumes that this ends: {message}", names, reason)


def _approvals(plan: Plan) -> Iterator[Risk]:
    waiting = [
        each
        for each in plan.rolling
        if any(wait.reason is Reason.AWAITING_APPROVAL for wait in plan.forecast_of(each).waits)
    ]
    if waiting:
        message = "approval needed (rollout.approval); the times assume that it is given at once"
        yield Risk(message, names_of(waiting))


def _failed_before(plan: Plan) -> Iterator[Risk]:
    failed = [
        each
        for each in plan.rolling
        if (mark := plan.snapshot.models[each.key].persisted.failed) and mark.is_of(each.exact)
    ]
    for image, group in group_by(failed, lambda each: short(each.exact)).items():
        yield Risk(f"{image} has failed before on these scale sets", names_of(group))


def _without_way_back(plan: Plan) -> Iterator[Risk]:
    """Scale sets that would return to the last good image after a failure, but have none."""
    lost = [
        each
        for each in plan.rolling
        if each.desired.rollout.on_failure is not OnFailure.HOLD
        and (persisted := _persisted_then(plan, each))
        and persisted.last_good is None
    ]
    if lost:
        message = "no last good image is known, so rollout.onFailure has no image to return to"
        yield Risk(message, names_of(lost))


def _persisted_then(plan: Plan, state: ScaleSetState) -> PersistedState | None:
    """The persisted state during the rollout, or None if the step that writes it has not been decided yet."""
    step = state.outcome.step if state.outcome else None
    if isinstance(step, PatchModel):
        return step.persisted
    return None if plan.forecast_of(state).patches else plan.snapshot.models[state.key].persisted


def _large_losses(plan: Plan) -> Iterator[Risk]:
    large = [
        (each, found)
        for each in plan.rolling
        if (found := plan.forecast_of(each)).batches and found.max_unavailable > _LARGE_SHARE * found.total
    ]
    if large:
        each, worst = max(large, key=lambda one: one[1].max_unavailable / one[1].total)
        example = f"{worst.max_unavailable} of {worst.total}"
        if len(large) > 1:
            example += f" in {each.desired.name}"
        is_small = all(one.max_unavailable == 1 for _, one in large)
        fix = "add an instance" if is_small else "lower rollout.maxBatch"
        message = f"more than a third of the instances are unavailable at once: {example}"
        yield Risk(f"{message}; {fix}, or accept it", names_of([one for one, _ in large]))


def _unread_catalogues(plan: Plan) -> Iterator[Risk]:
    """Rollouts to exact versions that no catalogue could check. Without a catalogue, no rollout to `latest`
    begins.
    """
    messages = {
        each.desired.name: f"{_UNCHECKED}: {found.evidence}"
        for each in plan.rolling
        if (found := plan.snapshot.availabilities.get((each.key, str(each.desired.image).casefold())))
        and found.verdict is Verdict.UNCHECKED
    }
    for message, names in in_common(messages, _UNCHECKED).items():
        yield Risk(message, names)


def _near_deadlines(plan: Plan) -> Iterator[Risk]:
    """Rollouts that complete shortly before their deadline. `block` names those that exceed it."""
    near = [
        (each, took, deadline)
        for each in plan.rolling
        if (deadline := each.desired.rollout.deadline)
        and (took := _time_of_rollout(plan, each)) is not None
        and _NEAR * deadline < took
        and plan.forecast.last[each.key].reason is not Reason.DEADLINE_EXCEEDED
    ]
    if near:
        each, took, deadline = max(near, key=lambda found: found[1] / found[2])
        minutes = timedelta(minutes=-(-took // timedelta(minutes=1)))
        example = f"{format_duration(minutes)} of {format_duration(deadline)}"
        if len(near) > 1:
            example += f" in {each.desired.name}"
        yield Risk(
            f"close to the deadline: takes about {example} (rollout.deadline)",
            names_of([found[0] for found in near]),
        )


def _time_of_rollout(plan: Plan, state: ScaleSetState) -> timedelta | None:
    """How much of `rollout.deadline` will be used at the predicted end, or None if the deadline does not
    apply.

    A rollout in progress began before the plan, at the time in the tags. This time stays in the tags after
    the rollout. The daemon disregards it once the deadline has passed and the rollout is over.
    """
    found, first = plan.forecast_of(state), plan.steps_begin(state)
    began, deadline = first, state.desired.rollout.deadline
    if not found.patches:
        on_tag = plan.snapshot.models[state.key].persisted.began_at(state.exact)
        if on_tag is None or (deadline and plan.forecast.at - on_tag > deadline):
            return None
        began = on_tag
    return first + found.lasts - began


def _recoveries(plan: Plan) -> Iterator[Risk]:
    """Instances that are not serving now, but that are assumed to recover."""
    recovering = [each for each in plan.states if plan.forecast.assumed_recoveries.get(each.key)]
    number = sum(plan.forecast.assumed_recoveries[each.key] for each in recovering)
    if number:
        verb, end = ("is", "it recovers") if number == 1 else ("are", "they recover")
        message = f"{count(number, 'instance')} {verb} unhealthy, and the forecast assumes that {end}"
        yield Risk(message, names_of(recovering))


def _other_changes(plan: Plan) -> Iterator[Risk]:
    """Changes by other writers that an upgrade would apply or revert."""
    pending = list[ScaleSetState]()
    customized = {each: list[ScaleSetState]() for each in CustomizedInstances}
    for each in plan.rolling:
        model, instances = plan.snapshot.models[each.key], plan.snapshot.instances[each.key]
        # After a rollback no instance is on the latest model: it was on the failed image in between.
        is_ours = bool(model.persisted.failed_before(model.image))
        is_behind = (one.latest_model is False and model.image and one.runs(model.image) for one in instances)
        if not is_ours and any(is_behind):
            pending.append(each)
        if any(one.has_own_model and not one.is_attached for one in instances):
            customized[each.desired.rollout.customized_instances].append(each)
    if pending:
        yield Risk(
            "the upgrade also applies pending changes of the model; compare the model with the instances "
            "first (Azure does not say which changes)",
            names_of(pending),
        )
    if reverted := customized[CustomizedInstances.OVERWRITE]:
        yield Risk(
            "the upgrade reverts instances that were changed individually (modelDefinitionApplied)",
            names_of(reverted),
        )
    if skipped := customized[CustomizedInstances.SKIP]:
        yield Risk(
            "instances that were changed individually (modelDefinitionApplied) keep their image, unless "
            "rollout.customizedInstances is overwrite",
            names_of(skipped),
        )


def _removed(plan: Plan) -> Iterator[Risk]:
    if plan.removed:
        yield Risk("spec removed: unchanged in Azure, and no longer managed", plan.removed)


def _not_forecast(plan: Plan) -> Iterator[Risk]:
    if plan.snapshot.failures:
        names = names_of(each for each in plan.states if each.key in plan.snapshot.failures)
        yield Risk("the instances could not be read, so there is no forecast", names)
    if not plan.forecast.is_whole:
        yield Risk("the forecast stops before the end: the change takes too long, or has too many steps", ())


_RISKS: tuple[Callable[[Plan], Iterator[Risk]], ...] = (
    _failing,
    _not_forecast,
    _unread_catalogues,
    _failed_before,
    _without_way_back,
    _large_losses,
    _recoveries,
    _near_deadlines,
    _other_changes,
    _approvals,
    _removed,
)
