"""What could go wrong with a plan: each kind of risk once, with the scale sets that it affects."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

from reconciler.daemon.outcome import Outcome
from reconciler.daemon.state import ScaleSetState
from reconciler.prediction.grouping import group_by
from reconciler.prediction.plan import Plan
from reconciler.rollout.observed import Verdict
from reconciler.rollout.persisted import PersistedState
from reconciler.rollout.reason import Reason, Status
from reconciler.rollout.step import PatchModel
from reconciler.rollout.wording import list_names
from reconciler.spec.duration import format_duration
from reconciler.spec.image import same, short
from reconciler.spec.scale_set import CustomizedInstances, OnFailure, ScaleSet
from reconciler.spec.wording import count

# A scale set that loses a larger share at once is named as a risk. A fifth is the default of maxBatch.
_LARGE_SHARE = 1 / 3
_NEAR = 0.8  # of a deadline
_MOST_MESSAGES = 3  # of one reason; more are told once, in the words of the reason
_UNCHECKED = "the image catalogue cannot be read, so Azure checks the image only when the model is changed"


@dataclass(frozen=True, slots=True)
class Risk:
    """Something that might go wrong, as a sentence, and the names of the scale sets that it affects."""

    message: str
    names: tuple[str, ...]


def risks(plan: Plan) -> tuple[Risk, ...]:
    """All risks, the most serious first."""
    return tuple(risk for find in _RISKS for risk in find(plan))


def _paused(plan: Plan) -> Iterator[Risk]:
    """A pause. No spec declares it, so whoever merges the change must be told."""
    if plan.paused:
        yield Risk(
            f"{plan.paused}; nothing begins until `reconciler resume --all` is run; the times assume that it "
            "is run now",
            (),
        )


def _stopped(plan: Plan) -> Iterator[Risk]:
    """Changed scale sets that cannot begin."""
    stopped = [
        (each.desired.name, each.outcome, each.outcome.line)
        for each in plan.states
        if each.outcome and each.outcome.status.is_alarming and plan.is_changed(each)
    ]
    return _by_reason(stopped, lambda reason: f"{reason.meaning.cause}; {reason.meaning.remedy}")


def _blocked_later(plan: Plan) -> Iterator[Risk]:
    """Changed scale sets that nothing blocks now, but that do not complete in the forecast."""
    endings: Mapping[str, list[tuple[str, Outcome, str]]] = {"would not complete": [], "would not begin": []}
    for each in plan.states:
        last = plan.forecast.last.get(each.key)
        is_known = each.outcome and (each.outcome.status.is_alarming or each.outcome.reason.meaning.hold)
        if last is None or is_known or not plan.is_changed(each) or last.status is Status.READY:
            continue
        ending = "would not complete" if each.key in plan.forecast.forecasts else "would not begin"
        endings[ending].append((each.desired.name, last, f"{last.reason}: {last.message}"))
    for ending, blocked in endings.items():
        for risk in _by_reason(blocked, partial(_in_common, plan, blocked), is_one=_is_chain):
            yield Risk(f"according to the forecast, {ending}; {risk.message}", risk.names)


def _in_common(plan: Plan, blocked: Iterable[tuple[str, Outcome, str]], reason: Reason) -> str:
    """What several blocked scale sets have in common, with the first links of a chain of dependencies."""
    if not _is_chain(reason):
        return reason.meaning.cause
    names = {name for name, outcome, _ in blocked if outcome.reason is reason}
    waiting = [each.desired for each in plan.states if each.desired.name in names]
    before = {name for each in waiting for name in each.depends_on}
    first = [
        f"{each.desired.name} ({last.reason})"
        for each in plan.states
        if (last := plan.forecast.last.get(each.key))
        and last.status is not Status.READY
        and not _is_chain(last.reason)
        and (each.desired.name in before or any(_goes_before(each.desired, one) for one in waiting))
    ]
    return f"{reason.meaning.cause}, because of {list_names(first)}" if first else reason.meaning.cause


def _is_chain(reason: Reason) -> bool:
    return reason is Reason.DEPENDENCY_NOT_READY


def _goes_before(one: ScaleSet, other: ScaleSet) -> bool:
    """Whether `one` is in an earlier wave for the same image."""
    return one.wave < other.wave and same(one.image, other.image)


def _left_out(plan: Plan) -> Iterator[Risk]:
    left_out = [
        (each.desired.name, each.outcome.reason)
        for each in (plan.changed if plan.base else plan.states)
        if each.outcome and each.outcome.status is Status.SUSPENDED
    ]
    for reason, group in group_by(left_out, lambda each: each[1]).items():
        message = f"{reason}: nothing is upgraded, because {reason.meaning.cause}"
        yield Risk(message, tuple(name for name, _ in group))


def _approvals(plan: Plan) -> Iterator[Risk]:
    waiting = [
        each
        for each in plan.rolling
        if any(wait.reason is Reason.AWAITING_APPROVAL for wait in plan.forecast_of(each).waits)
    ]
    if waiting:
        message = "approval needed (rollout.approval); the times assume that it is given at once"
        yield Risk(message, _names(waiting))


def _failed_before(plan: Plan) -> Iterator[Risk]:
    failed = [
        each
        for each in plan.rolling
        if (mark := plan.snapshot.models[each.key].persisted.failed) and mark.is_of(each.exact)
    ]
    for image, group in group_by(failed, lambda each: short(each.exact)).items():
        yield Risk(f"{image} has failed before on these scale sets", _names(group))


def _without_way_back(plan: Plan) -> Iterator[Risk]:
    """Scale sets that would return to the last good image after a failure, but are known to have none."""
    lost = [
        each
        for each in plan.rolling
        if each.desired.rollout.on_failure is not OnFailure.HOLD
        and (persisted := _persisted_then(plan, each))
        and persisted.last_good is None
    ]
    if lost:
        message = "no last good image is known, so rollout.onFailure has no image to return to"
        yield Risk(message, _names(lost))


def _persisted_then(plan: Plan, state: ScaleSetState) -> PersistedState | None:
    """The persisted state during the rollout, or None if the step that writes it is not decided yet."""
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
        message = f"more than a third of the instances are unavailable at once: {example}"
        yield Risk(message, _names([one for one, _ in large]))


def _unread_catalogues(plan: Plan) -> Iterator[Risk]:
    """Exact versions that no catalogue could check. Without a catalogue, no rollout to `latest` begins."""
    messages = {
        each.desired.name: f"{_UNCHECKED}: {found.evidence}"
        for each in plan.rolling
        if (found := plan.snapshot.availabilities.get((each.key, str(each.desired.image).casefold())))
        and found.verdict is Verdict.UNCHECKED
    }
    yield from _by_message(messages, _UNCHECKED)


def _near_deadlines(plan: Plan) -> Iterator[Risk]:
    """Rollouts that complete shortly before their deadline. `_blocked_later` names those that exceed it."""
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
            _names([found[0] for found in near]),
        )


def _time_of_rollout(plan: Plan, state: ScaleSetState) -> timedelta | None:
    """The time that will count against `rollout.deadline` at the predicted end, or None if none does.

    A rollout in progress began before the plan. If the rollout is over, the daemon disregards a recorded time
    for which the deadline has already passed.
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
    """Instances that do not serve now, but that the forecast assumes will recover."""
    recovering = [each for each in plan.states if plan.forecast.assumed_recoveries.get(each.key)]
    number = sum(plan.forecast.assumed_recoveries[each.key] for each in recovering)
    if number:
        verb, end = ("is", "it recovers") if number == 1 else ("are", "they recover")
        message = f"{count(number, 'instance')} {verb} unhealthy, and the forecast assumes that {end}"
        yield Risk(message, _names(recovering))


def _other_changes(plan: Plan) -> Iterator[Risk]:
    """Changes by other writers that an upgrade applies or reverts."""
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
        yield Risk("the upgrade also applies other pending model changes", _names(pending))
    if reverted := customized[CustomizedInstances.OVERWRITE]:
        yield Risk(
            "the upgrade reverts instances that were changed individually (modelDefinitionApplied)",
            _names(reverted),
        )
    if skipped := customized[CustomizedInstances.SKIP]:
        yield Risk(
            "instances that were changed individually (modelDefinitionApplied) keep their image, unless "
            "rollout.customizedInstances is overwrite",
            _names(skipped),
        )


def _removed(plan: Plan) -> Iterator[Risk]:
    if plan.removed:
        yield Risk("spec removed: unchanged in Azure, and no longer managed", plan.removed)


def _not_forecast(plan: Plan) -> Iterator[Risk]:
    if plan.snapshot.failures:
        names = [each.desired.name for each in plan.states if each.key in plan.snapshot.failures]
        yield Risk("the instances could not be read, so there is no forecast", tuple(names))
    if not plan.forecast.is_whole:
        yield Risk("the forecast stops before the end: the change takes too long, or has too many steps", ())


def _by_reason(
    found: Iterable[tuple[str, Outcome, str]],
    in_common: Callable[[Reason], str],
    *,
    is_one: Callable[[Reason], bool] = lambda _: False,
) -> Iterator[Risk]:
    """The risks of scale sets, grouped by reason. `found` has the name, outcome and message of each.

    `is_one` says whether different messages with the same reason are one risk.
    """
    for reason, group in group_by(found, lambda each: each[1].reason).items():
        messages = {name: message for name, _, message in group}
        most = 1 if is_one(reason) else _MOST_MESSAGES
        yield from _by_message(messages, f"{reason}: {in_common(reason)}", most)


def _by_message(messages: Mapping[str, str], in_common: str, most: int = _MOST_MESSAGES) -> Iterator[Risk]:
    """One risk for each message, or a single common risk if there are more than `most` messages."""
    groups = group_by(messages, messages.__getitem__)
    if len(groups) > most:
        groups = {in_common: list(messages)}
    for message, names in groups.items():
        yield Risk(message, tuple(names))


def _names(states: Sequence[ScaleSetState]) -> tuple[str, ...]:
    return tuple(each.desired.name for each in states)


_RISKS: tuple[Callable[[Plan], Iterator[Risk]], ...] = (
    _paused,
    _stopped,
    _blocked_later,
    _not_forecast,
    _unread_catalogues,
    _failed_before,
    _without_way_back,
    _large_losses,
    _recoveries,
    _near_deadlines,
    _other_changes,
    _approvals,
    _left_out,
    _removed,
)
