"""What an action will do, in the words that a person reads before confirming it."""

import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from reconciler.acts.pause import duration_note
from reconciler.acts.tagging import unknown_version_note
from reconciler.daemon.pick_request import PickRequest
from reconciler.daemon.picking import PickOffer, PickRefused, describe_picked, offer_of
from reconciler.daemon.state import ScaleSetState
from reconciler.daemon.store import Store
from reconciler.rollout.barred import bar_note, first_bar_note
from reconciler.rollout.health import State
from reconciler.rollout.observed import id_order
from reconciler.rollout.pause import PAUSE, Pause, pause_text
from reconciler.rollout.pick import Pick
from reconciler.rollout.reason import Status
from reconciler.rollout.refusal import describe_fleet_pause, describe_pause
from reconciler.rollout.wording import list_names
from reconciler.spec.duration import format_duration
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
    Action.UPGRADE: "Upgrade instances of",
}


@dataclass(frozen=True, slots=True)
class Confirmation:
    """What an action will do to a scale set, or to the fleet if `name` is "".

    `effects` are sentences. `command` does the same on a terminal. `refusal` says why the action is not
    possible, or is "" if the action is possible. `resource` is the id of the resource whose tags are written,
    or "" if there are several. `image` is the image that the action is about, or None. `pauses` are the
    pauses that the action lifts. `pick` has the instances to upgrade next, and `replaced` is the earlier pick
    that it replaces.
    """

    action: Action
    name: str
    effects: tuple[str, ...]
    command: str
    refusal: str = ""
    resource: str = ""
    image: Image | None = None
    pauses: tuple[Pause, ...] = ()
    pick: PickRequest | None = None
    replaced: Pick | None = None

    @property
    def heading(self) -> str:
        return f"{_VERBS[self.action]} {self.name or 'the whole fleet'}"

    @property
    def needs_reason(self) -> bool:
        return self.action is Action.PAUSE

    @property
    def needs_choice(self) -> bool:
        """Whether the person has yet to choose instances."""
        return self.action is Action.UPGRADE and self.pick is None

    @property
    def shown(self) -> tuple[str, ...]:
        """The values that a person agrees to. If they change meanwhile, the person must confirm again."""
        about = (str(self.action), self.name, self.resource, str(self.image or ""))
        pick = (self.pick.place, *self.pick.ids) if self.pick else ()
        return *about, *map(pause_text, self.pauses), *pick, *_identity(self.replaced)


def _identity(pick: Pick | None) -> tuple[str, ...]:
    """The values that distinguish a pick from any other."""
    if pick is None:
        return ()
    return "replaces", pick.by, pick.at.isoformat(), *sorted(pick.instances, key=id_order)


def confirmation_of_fleet(action: Action, store: Store) -> Confirmation:
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
                    "All rollout rules still apply.",
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


def confirmation_of_upgrade(state: ScaleSetState, request: PickRequest) -> Confirmation:
    """What an upgrade of the chosen instances will do. If none are chosen, the person has yet to choose."""
    desired, image = state.desired, state.exact
    command = f"reconciler upgrade {desired.name}"
    about = (Action.UPGRADE, desired.name)
    if not request.place and not request.ids:
        refusal = bar_note(desired.fleet, Action.UPGRADE)
        return Confirmation(*about, (), f"{command} --domain …", refusal, desired.target.id, image)
    chosen = ("--domain", request.place) if request.place else ("--instances", ",".join(request.ids))
    command = f"{command} {shlex.join(chosen)}"
    effects: Iterator[str] = iter(())
    replaced = None
    refusal = "choose either a domain or instances" if request.place and request.ids else ""
    try:
        offer = offer_of(state, request)
    except PickRefused as refused:
        refusal = refusal or str(refused)
    else:
        replaced = state.pick.pick if state.pick and state.pick.end is None else None
        effects = _upgrade(offer, replaced)
        # Exactly these, whatever joins the domain until the form is sent.
        ids = tuple(sorted(offer.ids, key=id_order))
        request = replace(offer.request, ids=ids)
        refusal = refusal or ("" if offer.ids else f"no upgrade reaches {_obstacles(offer)}")
    return Confirmation(
        *about,
        tuple(effects),
        command,
        refusal,
        desired.target.id,
        image,
        pick=request,
        replaced=replaced,
    )


def _fleet_pause(states: Sequence[ScaleSetState], declared: tuple[ScaleSet, ...]) -> Iterator[str]:
    tag = pause_tag_of(declared)
    later = ", and any declared later" if tag else ""
    fleet = count(len(declared), "scale set")
    yield f"No changes are made to any scale set ({fleet}{later}) until someone resumes the fleet."
    under_way = [each.desired.name for each in states if batch_under_way(each)]
    if under_way:
        yield f"Azure finishes the batches under way in {list_names(under_way)}."
    yield "This daemon stops writing at once. It cannot recall what Azure has accepted."
    if tag:
        yield f"The tag `{PAUSE}` is written to the resource group {tag.resource_group}."
        return
    yield f"The tag `{PAUSE}` is written to each of them, because the Fleet names no `spec.pauseTag`."
    if note := duration_note(declared):
        yield f"{note}."


def _pauses_of_fleet(store: Store) -> dict[Pause, list[str]]:
    """The pauses that resuming the fleet lifts, each with the names of the scale sets that have its tag."""
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
        f"Every rollout continues where it stopped. The tag `{PAUSE}` is removed from each scale set, even "
        "if it was paused by name, because the Fleet names no `spec.pauseTag`."
    )


def _pause(state: ScaleSetState) -> Iterator[str]:
    name, counts, batch = state.desired.name, state.seen.counts, batch_under_way(state)
    yield f"No changes are made to {name} until someone resumes it."
    if batch:
        ids = list_names(sorted(batch, key=id_order))
        yield f"Azure finishes the batch under way: {count(len(batch), 'instance')} ({ids})."
    if counts and counts.up_to_date < counts.total:
        yield (
            f"As last counted, {counts.up_to_date} of {count(counts.total, 'instance')} are up to date. New "
            f"instances get the image of the model: {_model(state)}."
        )
    yield f"The tag `{PAUSE}` is written to `{state.desired.target.id}`."


def _pause_of(state: ScaleSetState) -> Pause | None:
    """The pause of the scale set itself, according to its newest model.

    The newest model is the list entry of the last sweep, or what a reconcile has read since. A reconcile
    follows each action on the page, and the next sweep may be an hour away.
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
    yield f"Only {short(state.exact)} is approved. The rollout{size} {goes_on}."
    yield f"The model is on {_model(state)} now."
    if desired.rollout.approver is Approver.ANOTHER:
        yield "The approval does not count if you are the author of the commit that declares the image."


def _retry(state: ScaleSetState) -> Iterator[str]:
    failures = "a rollback, steps without effect, deadlines"
    yield f"Earlier failures of {short(state.exact)} ({failures}) no longer count."
    yield "Gates and unhealthy instances still count."
    yield f"The model is on {_model(state)} now."


def _upgrade(offer: PickOffer, replaced: Pick | None) -> Iterator[str]:
    state = offer.state
    going = [each.seen for each in offer.instances if not each.obstacle]
    place = f" in {offer.request.place}" if offer.request.place else ""
    yield (
        f"{count(len(going), 'instance')}{place} to be upgraded next to {short(state.exact)}: "
        f"{list_names([each.id for each in going])}."
    )
    if unwell := [each.id for each in going if each.state is not State.HEALTHY]:
        yield f"Not healthy now: {list_names(unwell)}."
    if len(going) < len(offer.instances):
        yield f"Not upgraded: {_obstacles(offer)}."
    if replaced:
        yield f"This replaces an earlier pick: {describe_picked(replaced)}."
    yield (
        "Every rule of the rollout applies: they wait for windows, approvals, the canary and unhealthy "
        "instances, and take as many batches as `rollout.maxBatch` requires."
    )
    if state.outcome and state.outcome.status not in {Status.RECONCILING, Status.READY}:
        yield f"Now it stands still: {state.outcome.line}. {_sentence(state.outcome.reason.meaning.remedy)}."
        timeout = format_duration(state.desired.health.timeout)
        yield f"The pick lapses if the rollout stands still for {timeout} (`health.timeout`)."


def _obstacles(offer: PickOffer) -> str:
    """The instances that no upgrade reaches, grouped by the reason."""
    by_obstacle: dict[str, list[str]] = {}
    for each in offer.instances:
        if each.obstacle:
            by_obstacle.setdefault(each.obstacle, []).append(each.seen.id)
    return "; ".join(f"{list_names(ids)} ({obstacle})" for obstacle, ids in by_obstacle.items())


def _model(state: ScaleSetState) -> str:
    model = state.seen.listed_or_read
    return short(model.image) if model and model.image else "an unknown image"


def _sentence(clause: str) -> str:
    return f"{clause[0].upper()}{clause[1:]}"
