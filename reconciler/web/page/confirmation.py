"""What an action will do, in the words that a person reads before confirming it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from reconciler.acts.pause import duration_note
from reconciler.acts.tagging import unknown_version_note
from reconciler.daemon.state import ScaleSetState
from reconciler.daemon.store import Store
from reconciler.rollout.barred import bar_note, first_bar_note
from reconciler.rollout.observed import id_order
from reconciler.rollout.pause import PAUSE, Pause, pause_text
from reconciler.rollout.refusal import describe_fleet_pause, describe_pause
from reconciler.rollout.wording import list_names
from reconciler.spec.image import Image, short
from reconciler.spec.scale_set import Approval, Approver, ScaleSet, pause_tag_of
from reconciler.spec.wording import count
from reconciler.web.page.action import Action
from reconciler.web.page.heat_map import batch_under_way

_VERBS = {
    Action.PAUSE: "Pause",
    Action.RESUME: "Resume",
    Action.APPROVE: "Approve the image of",
    Action.RETRY: "Retry the image of",
    Action.RECONCILE: "Reconcile",
}


@dataclass(frozen=True, slots=True)
class Confirmation:
    """What an action will do to a scale set, or to the fleet if `name` is "".

    `effects` are sentences. `command` does the same on a terminal. `refusal` says why the action is not
    possible, or is "" if it is. `resource` is the id of the resource whose tags are written, or
    "" if there are several. `image` is the image that the action is about, or None. `pauses` are those that
    it lifts.
    """

    action: Action
    name: str
    effects: tuple[str, ...]
    command: str
    refusal: str = ""
    resource: str = ""
    image: Image | None = None
    pauses: tuple[Pause, ...] = ()

    @property
    def heading(self) -> str:
        return f"{_VERBS[self.action]} {self.name or 'the whole fleet'}"

    @property
    def needs_reason(self) -> bool:
        return self.action is Action.PAUSE

    @property
    def shown(self) -> tuple[str, ...]:
        """The values that a person agrees to. If they change meanwhile, the person has to confirm again."""
        about = (str(self.action), self.name, self.resource, str(self.image or ""))
        return *about, *map(pause_text, self.pauses)


def confirmation_of_fleet(action: Action, store: Store) -> Confirmation:
    """What an action on the whole fleet will do."""
    states = store.states()
    declared = tuple(each.desired for each in states)
    pauses = _pauses_of_fleet(store) if action is Action.RESUME else {}
    effects = _fleet_resumption(store, pauses) if action is Action.RESUME else _fleet_pause(states, declared)
    reason = ' --reason "…"' if action is Action.PAUSE else ""
    command = f"reconciler {action} --all{reason}"
    tag, refusal = pause_tag_of(declared), first_bar_note((each.fleet for each in declared), action)
    return Confirmation(
        action, "", tuple(effects), command, refusal, tag.id if tag else "", pauses=tuple(pauses)
    )


def confirmation_of_scale_set(action: Action, state: ScaleSetState) -> Confirmation:
    """What an action on one scale set will do."""
    name, image = state.desired.name, None
    pauses: tuple[Pause, ...] = ()
    match action:
        case Action.PAUSE:
            effects = _pause(state)
        case Action.RESUME:
            pause = _pause_of(state)
            effects = _resumption(state, pause)
            pauses = (pause,) if pause else ()
        case Action.APPROVE:
            effects, image = _approval(state), state.exact
        case Action.RETRY:
            effects, image = _retry(state), state.exact
        case Action.RECONCILE:
            effects = iter(
                (
                    f"The daemon reads {name} and its instances now, and takes the next step if one is due.",
                    "Every rule of a rollout applies as always.",
                )
            )
    reason = ' --reason "…"' if action is Action.PAUSE else ""
    refusal = bar_note(state.desired.fleet, action)
    if action is Action.APPROVE and state.desired.rollout.approval is None:
        refusal = "its spec requires no approval (spec.rollout.approval)"
    refusal = refusal or (unknown_version_note(image) if image else "")
    command = f"reconciler {action} {name}{reason}"
    return Confirmation(
        action, name, tuple(effects), command, refusal, state.desired.target.id, image, pauses
    )


def _fleet_pause(states: Sequence[ScaleSetState], declared: tuple[ScaleSet, ...]) -> Iterator[str]:
    tag = pause_tag_of(declared)
    later = ", with those that are declared later" if tag else ""
    fleet = count(len(declared), "scale set")
    yield f"Nothing is written to any scale set until somebody resumes the fleet: {fleet}{later}."
    under_way = [each.desired.name for each in states if batch_under_way(each)]
    if under_way:
        yield f"Azure finishes the batches under way in {list_names(under_way)}."
    yield "This daemon stops writing at once. It cannot call back what Azure has accepted."
    if tag:
        yield f"The tag {PAUSE} is written to the resource group {tag.resource_group}."
        return
    yield f"The tag {PAUSE} is written to each of them, because the Fleet names no spec.pauseTag."
    if note := duration_note(declared):
        yield f"{note}."


def _pauses_of_fleet(store: Store) -> dict[Pause, list[str]]:
    """The pauses that a resumption of the fleet lifts, with the names of the scale sets that have the tag."""
    states, sweep = store.states(), store.last_sweep
    pauses: dict[Pause, list[str]] = {}
    if sweep and sweep.fleet_pause.pause:
        pauses[sweep.fleet_pause.pause] = []
    if pause_tag_of(tuple(each.desired for each in states)) is None:
        for each in states:
            if pause := _pause_of(each):
                pauses.setdefault(pause, []).append(each.desired.name)
    return pauses


def _fleet_resumption(store: Store, pauses: Mapping[Pause, Sequence[str]]) -> Iterator[str]:
    sweep = store.last_sweep
    fleet = describe_fleet_pause(sweep.fleet_pause) if sweep else ""
    if fleet:
        yield f"{_sentence(fleet)}."
    for pause, names in pauses.items():
        if names and not (sweep and sweep.fleet_pause.pause == pause):
            who = names[0] if len(names) == 1 else f"each of {list_names(names)}"
            yield f"{_sentence(describe_pause(pause, who))}."
    if not fleet and not pauses:
        yield "As last read, the fleet is not paused."
    if pause_tag_of(tuple(each.desired for each in store.states())):
        yield "Every rollout continues where it stopped. A scale set that was paused by name stays paused."
        return
    yield (
        f"Every rollout continues where it stopped. The tag {PAUSE} is removed from each scale set, even "
        f"if it "
        "was paused by name, because the Fleet names no spec.pauseTag."
    )


def _pause(state: ScaleSetState) -> Iterator[str]:
    name, counts, batch = state.desired.name, state.seen.counts, batch_under_way(state)
    yield f"Nothing is written to {name} until somebody resumes it."
    if batch:
        ids = list_names(sorted(batch, key=id_order))
        yield f"Azure finishes the batch under way: {count(len(batch), 'instance')} ({ids})."
    if counts and counts.up_to_date < counts.total:
        yield (
            f"As last counted, {counts.up_to_date} of {count(counts.total, 'instance')} are up to date. New "
            f"instances get the image of the model: {_model(state)}."
        )
    yield f"The tag {PAUSE} is written to {state.desired.target.id}."


def _pause_of(state: ScaleSetState) -> Pause | None:
    """The pause of the scale set itself, by its newest model.

    That is the row of the last sweep, or what a reconcile has read since. Each act of the page is followed by
    a reconcile, and the next sweep may be an hour away.
    """
    seen, known_at = state.seen, state.published.known_at
    is_row_newer = seen.listed_at is not None and (known_at is None or known_at <= seen.listed_at)
    model = seen.listed if is_row_newer else seen.model or seen.listed
    return model.persisted.pause if model else None


def _resumption(state: ScaleSetState, pause: Pause | None) -> Iterator[str]:
    name = state.desired.name
    yield (
        f"{_sentence(describe_pause(pause, name))}."
        if pause
        else f"As last read, {name} itself is not paused."
    )
    if fleet := describe_fleet_pause(state.fleet_pause):
        yield f"It stays paused with the fleet: {fleet}."
    else:
        yield "Its rollout continues where it was."


def _approval(state: ScaleSetState) -> Iterator[str]:
    desired, counts = state.desired, state.seen.counts
    size = f" of {count(counts.total, 'instance')}" if counts else ""
    goes_on = "begins" if desired.rollout.approval is Approval.START else "continues after its canary"
    yield f"{short(state.exact)} is approved, and no other image. The rollout{size} {goes_on}."
    yield f"The model is on {_model(state)} now."
    if desired.rollout.approver is Approver.ANOTHER:
        yield "The approval does not count if you are the author of the commit that declares the image."


def _retry(state: ScaleSetState) -> Iterator[str]:
    failures = "a rollback, steps without effect, deadlines"
    yield f"Earlier failures of {short(state.exact)} no longer count: {failures}."
    yield "Gates and unhealthy instances still count."
    yield f"The model is on {_model(state)} now."


def _model(state: ScaleSetState) -> str:
    model = state.seen.listed_or_read
    return short(model.image) if model and model.image else "an image that is not known"


def _sentence(clause: str) -> str:
    return f"{clause[0].upper()}{clause[1:]}"
