"""One scale set as a person reads it: what it is doing, why it stands still, and what ends that."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from reconciler.daemon import report
from reconciler.daemon.state import ScaleSetState
from reconciler.daemon.store import CommitNote, Store
from reconciler.rollout.observed import HealthSource
from reconciler.rollout.reason import Hold, Reason
from reconciler.spec.image import same
from reconciler.web.page.fleet import FleetRow, fleet_row
from reconciler.web.page.heat_map import HeatMap, Legend, batch_under_way, heat_maps


@dataclass(frozen=True, slots=True)
class Difference:
    """A field of the spec beside that of the model."""

    field: str
    declared: str
    running: str
    is_same: bool


@dataclass(frozen=True, slots=True)
class Command:
    """What a person may do about it, and the command that does it."""

    effect: str
    text: str


@dataclass(frozen=True, slots=True)
class ScaleSetView:
    """All that the page of a scale set shows. `report` has the shape of `reconciler.daemon.report.state`."""

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
    """The page of one scale set."""
    maps, legend = heat_maps(state)
    outcome, shown = state.outcome, report.state(state)
    return ScaleSetView(
        row=fleet_row(state),
        report=shown,
        cause=outcome.reason.meaning.cause if outcome else "",
        maps=maps,
        legend=legend,
        batch=tuple(sorted(batch_under_way(state), key=lambda each: (len(each), each))),
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
    yield Difference("Image", str(state.exact), str(model.image or "none, or of an unknown kind"), is_same)
    yield Difference("Upgrade policy", "Manual", model.mode or "not reported", model.mode == "Manual")
    automatic = "on" if model.automatic_os_upgrade else "off"
    yield Difference("Automatic OS upgrades", "off", automatic, not model.automatic_os_upgrade)
    has_health = model.health_source is not HealthSource.NONE
    yield Difference("Health of instances", "reported", str(model.health_source), has_health)
    counts = state.seen.counts
    if counts is not None:
        is_full = counts.total == model.capacity
        yield Difference("Instances", f"{model.capacity} (capacity)", f"{counts.total} listed", is_full)


def _commands(state: ScaleSetState) -> Iterator[Command]:
    """The commands that fit its status, those that end it first."""
    name, outcome = state.desired.name, state.outcome
    reason = outcome.reason if outcome else None
    hold = reason.meaning.hold if reason else None
    if hold:
        yield _release(state, hold)
    if reason is Reason.AWAITING_APPROVAL:
        yield Command("approve this image", f"reconciler approve {name}")
    if state.failures:
        yield Command("try the image again", f"reconciler retry {name}")
        yield Command("declare the last good image", f"reconciler revert {name}")
    if not hold:
        yield Command("stop it here", f'reconciler pause {name} --reason "…"')
    yield Command("reconcile it now", f"reconciler reconcile {name}")
    yield Command("read this on a terminal", f"reconciler why {name}")


def _release(state: ScaleSetState, hold: Hold) -> Command:
    match hold:
        case Hold.FREEZE:
            return Command("continue the fleet", "remove spec.freeze of the Fleet in git")
        case Hold.UNKNOWN_PAUSE:
            right = "Microsoft.Resources/tags/read"
            return Command("continue the fleet", f"grant {right} on the resource group of spec.pauseTag")
        case Hold.PAUSE if state.fleet_pause.pause:
            return Command("continue the fleet", "reconciler resume --all")
        case Hold.PAUSE:
            return Command("continue it", f"reconciler resume {state.desired.name}")
        case Hold.SUSPENSION:
            return Command("continue it", f"remove spec.suspend from {state.desired.place.file} in git")
