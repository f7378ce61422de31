"""One scale set as a person reads it: what it is doing, why it stands still, and what would end that."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from urllib.parse import quote

from reconciler.daemon import report
from reconciler.daemon.state import ScaleSetState
from reconciler.daemon.store import CommitNote, Store
from reconciler.rollout.barred import bar_note
from reconciler.rollout.observed import HealthSource, id_order
from reconciler.rollout.reason import Hold, Reason
from reconciler.spec.image import same
from reconciler.web.page.action import Action
from reconciler.web.page.fleet import FleetRow, fleet_row, is_behind
from reconciler.web.page.heat_map import HeatMap, Legend, batch_under_way, heat_maps

FLEET_RESUME = "/actions/resume"


@dataclass(frozen=True, slots=True)
class Difference:
    """A field of the spec, beside the corresponding field of the model."""

    field: str
    declared: str
    running: str
    is_same: bool


@dataclass(frozen=True, slots=True)
class Command:
    """Something that a person may do about the status, and the command that does it.

    `action` does the same on the page, at the path `address`, or is None if the page does not offer it.
    """

    effect: str
    text: str
    action: Action | None = None
    address: str = ""


@dataclass(frozen=True, slots=True)
class ScaleSetView:
    """Everything that the page of a scale set shows.

    `report` has the shape of `reconciler.daemon.report.state`.
    """

    row: FleetRow
    report: Mapping[str, Any]
    cause: str
    maps: tuple[HeatMap, ...]
    legend: tuple[Legend, ...]
    batch: tuple[str, ...]
    differences: tuple[Difference, ...]
    commands: tuple[Command, ...]
    history: tuple[tuple[Mapping[str, Any], CommitNote | None], ...]
    note: CommitNote | None
    instances_at: datetime | None


def scale_set_view(store: Store, state: ScaleSetState) -> ScaleSetView:
    maps, legend = heat_maps(state)
    outcome, shown = state.outcome, report.state(state)
    return ScaleSetView(
        row=fleet_row(state),
        report=shown,
        cause=outcome.reason.meaning.cause if outcome else "",
        maps=maps,
        legend=legend,
        batch=tuple(sorted(batch_under_way(state), key=id_order)),
        differences=tuple(_differences(state)),
        commands=tuple(_commands(state)),
        history=tuple((each, store.commits.get(each["commit"])) for each in shown["history"]),
        note=store.commits.get(state.commit),
        instances_at=state.seen.instances_at,
    )


def _differences(state: ScaleSetState) -> Iterator[Difference]:
    model = state.seen.listed_or_read
    if model is None:
        return
    is_same = model.image is not None and same(model.image, state.exact)
    yield Difference("Image", str(state.exact), str(model.image or "none, or unsupported"), is_same)
    yield Difference("Upgrade policy", "Manual", model.mode or "not reported", model.mode == "Manual")
    automatic = "on" if model.automatic_os_upgrade else "off"
    yield Difference("Automatic OS upgrades", "off", automatic, not model.automatic_os_upgrade)
    has_health = model.health_source is not HealthSource.NONE
    yield Difference("Health of instances", "reported", str(model.health_source), has_health)
    counts = state.seen.counts
    if counts is not None:
        is_full = counts.total == model.capacity
        yield Difference("Instances", f"{model.capacity:,} (capacity)", f"{counts.total:,} listed", is_full)


def fleet_commands(store: Store) -> tuple[Command, ...]:
    """The commands that the page offers for the whole fleet in its current status."""
    declared, sweep = [each.desired for each in store.states()], store.last_sweep
    if sweep and sweep.fleet_pause.pause:
        command = Command("resume the fleet", "reconciler resume --all", Action.RESUME, FLEET_RESUME)
        return () if any(bar_note(each.fleet, Action.RESUME) for each in declared) else (command,)
    command = Command(
        "pause the fleet", 'reconciler pause --all --reason "…"', Action.PAUSE, "/actions/pause"
    )
    return (command,) if declared else ()


def _commands(state: ScaleSetState) -> Iterator[Command]:
    """The commands that suit the status of a scale set. Those that end the status come first."""
    outcome = state.outcome
    reason = outcome.reason if outcome else None
    hold = reason.meaning.hold if reason else None
    if hold:
        yield _release(state, hold)
    if reason is Reason.AWAITING_APPROVAL:
        yield _command(state, "approve this image", Action.APPROVE)
    if state.failures:
        yield _command(state, "retry the image", Action.RETRY)
        yield Command("declare the last good image", f"reconciler revert {state.desired.name}")
    if not hold and is_behind(state) and state.seen.instances:
        yield _command(state, "pick the next instances", Action.UPGRADE, " --domain …")
    if not hold:
        yield _command(state, "pause this scale set", Action.PAUSE, ' --reason "…"')
    yield _command(state, "reconcile it now", Action.RECONCILE)
    yield Command("show this on the command line", f"reconciler why {state.desired.name}")


def _command(state: ScaleSetState, effect: str, action: Action, options: str = "") -> Command:
    name = state.desired.name
    text = f"reconciler {action} {name}{options}"
    if bar_note(state.desired.fleet, action):
        return Command(effect, text)
    return Command(effect, text, action, f"/scale-sets/{quote(name, safe='')}/actions/{action}")


def _release(state: ScaleSetState, hold: Hold) -> Command:
    match hold:
        case Hold.FREEZE:
            return Command("resume the fleet", "remove spec.freeze of the Fleet in git")
        case Hold.UNKNOWN_PAUSE:
            right = "Microsoft.Resources/tags/read"
            return Command("resume the fleet", f"grant {right} on the resource group of spec.pauseTag")
        case Hold.PAUSE if state.fleet_pause.pause:
            is_barred = bool(bar_note(state.desired.fleet, Action.RESUME))
            command = Command("resume the fleet", "reconciler resume --all")
            return command if is_barred else replace(command, action=Action.RESUME, address=FLEET_RESUME)
        case Hold.PAUSE:
            return _command(state, "resume this scale set", Action.RESUME)
        case Hold.SUSPENSION:
            return Command(
                "resume this scale set", f"remove spec.suspend from {state.desired.place.file} in git"
            )
