"""What keeps changed scale sets from being upgraded or from completing: causes, then what waits for them."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from reconciler.daemon.outcome import Outcome
from reconciler.daemon.state import ScaleSetState
from reconciler.prediction.grouping import group_by, in_common
from reconciler.prediction.plan import Plan, names_of
from reconciler.rollout.reason import Reason, Status
from reconciler.rollout.wording import list_names
from reconciler.spec.image import Image


class Effect(StrEnum):
    """What a block does to its scale sets, in the forecast."""

    PAUSES = "paused"  # the fleet is paused; the forecast goes on as if it were resumed
    STOPS = "doesNotBegin"
    SUSPENDS = "suspended"  # a person has suspended, frozen or paused it
    INTERRUPTS = "doesNotComplete"
    QUEUES = "waits"  # it waits for others that never complete


@dataclass(frozen=True, slots=True)
class Block:
    """One cause, as a sentence, with the names of the scale sets that it blocks.

    `holds_up` has the names of the scale sets that wait without end for a blocked scale set.
    """

    effect: Effect
    message: str
    names: tuple[str, ...]
    reason: Reason | None = None
    holds_up: tuple[str, ...] = ()


def blocks(plan: Plan) -> tuple[Block, ...]:
    """All blocks of the change: causes before consequences, those that hold up the most scale sets first."""
    causes_first = sorted(_blocks(plan), key=lambda each: (each.effect is Effect.QUEUES, -len(each.holds_up)))
    return (*_pause(plan), *causes_first)


def _pause(plan: Plan) -> Iterator[Block]:
    """The block for a fleet pause. No spec declares a pause, so whoever merges the change must be told."""
    if plan.paused:
        message = (
            f"{plan.paused}; nothing begins until `reconciler resume --all` is run; the times assume that it "
            "is run now"
        )
        yield Block(Effect.PAUSES, message, ())


def _blocks(plan: Plan) -> Iterator[Block]:
    blocked = [(each, found) for each in plan.states if (found := _blocked_by(plan, each))]
    waiting = _Waiting([state for state, (effect, _) in blocked if effect is Effect.QUEUES])
    for (effect, reason), group in group_by(blocked, lambda each: (each[1][0], each[1][1].reason)).items():
        states = [state for state, _ in group]
        if effect is Effect.QUEUES:
            yield Block(effect, _cause_of_wait(plan, group, waiting), names_of(states), reason)
            continue
        messages = {state.desired.name: _message(outcome) for state, (_, outcome) in group}
        for message, names in in_common(messages, reason.meaning.cause).items():
            causes = [each for each in states if each.desired.name in set(names)]
            yield Block(effect, message, names, reason, waiting.behind(causes))


def _blocked_by(plan: Plan, state: ScaleSetState) -> tuple[Effect, Outcome] | None:
    """Why a changed scale set does not reach its image in the forecast, or None if it does."""
    now, last = state.outcome, plan.forecast.last.get(state.key)
    if not plan.is_changed(state) or (last and last.status is Status.READY):
        return None
    if now and now.reason.meaning.hold:
        return Effect.SUSPENDS, now
    is_stopped = now is not None and now.status.is_alarming
    found = now if is_stopped else last
    if found is None:
        return None
    if state.key in plan.forecast.forecasts:
        return Effect.INTERRUPTS, last or found
    return (Effect.QUEUES if is_chain(found.reason) else Effect.STOPS), found


def is_chain(reason: Reason) -> bool:
    """Whether the reason is only that another scale set goes first."""
    return reason is Reason.DEPENDENCY_NOT_READY


def _message(outcome: Outcome) -> str:
    """The message, or the cause and the remedy if a person has suspended the scale set."""
    meaning = outcome.reason.meaning
    return f"{meaning.cause}; {meaning.remedy}" if outcome.status is Status.SUSPENDED else outcome.message


def _cause_of_wait(
    plan: Plan, group: Sequence[tuple[ScaleSetState, tuple[Effect, Outcome]]], waiting: "_Waiting"
) -> str:
    """What a group waits for: the scale sets at the start of the chain, or else a message for the whole
    group.
    """
    first = [
        f"{each.desired.name} ({last.reason})"
        for each in plan.states
        if (last := plan.forecast.last.get(each.key))
        and last.status is not Status.READY
        and not is_chain(last.reason)
        and waiting.has_behind(each)
    ]
    if first:
        return f"waiting for {list_names(first)}"
    messages = {outcome.message for _, (_, outcome) in group}
    return messages.pop() if len(messages) == 1 else Reason.DEPENDENCY_NOT_READY.meaning.cause


class _Waiting:
    """The scale sets that wait without end, by what they wait for."""

    def __init__(self, states: Iterable[ScaleSetState]) -> None:
        self._by_dependency: dict[str, list[ScaleSetState]] = defaultdict(list)
        self._by_wave: dict[str, dict[int, list[ScaleSetState]]] = defaultdict(lambda: defaultdict(list))
        for each in states:
            for name in each.desired.depends_on:
                self._by_dependency[name].append(each)
            self._by_wave[_key(each.desired.image)][each.desired.wave].append(each)

    def has_behind(self, state: ScaleSetState) -> bool:
        """Whether any waiting scale set waits directly for this scale set."""
        return any(self._directly_behind(state))

    def behind(self, causes: Iterable[ScaleSetState]) -> tuple[str, ...]:
        """The sorted names of the scale sets that wait for any of `causes`, directly or through others."""
        found: dict[str, ScaleSetState] = {}
        left = list(causes)
        own = {each.key for each in left}
        visited = set[tuple[str, int]]()  # a wave waits for every earlier one, so it is followed once
        while left:
            each = left.pop()
            place = (_key(each.desired.image), each.desired.wave)
            following = self._dependents(each) if place in visited else self._directly_behind(each)
            visited.add(place)
            new = {one.key: one for one in following if one.key not in found and one.key not in own}
            found |= new
            left += new.values()
        return tuple(sorted(each.desired.name for each in found.values()))

    def _directly_behind(self, state: ScaleSetState) -> Iterator[ScaleSetState]:
        yield from self._dependents(state)
        for wave, states in self._by_wave.get(_key(state.desired.image), {}).items():
            if wave > state.desired.wave:
                yield from states

    def _dependents(self, state: ScaleSetState) -> Sequence[ScaleSetState]:
        return self._by_dependency.get(state.desired.name, ())


def _key(image: Image) -> str:
    return str(image).casefold()
