"""`reconciler rehearse`: run the declared change on a copy of the fleet. Writes nothing."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
from rich.console import Group, RenderableType
from rich.text import Text

from reconciler.cli import markdown, plan_blocks, plan_group, plan_text, rehearsal_text, table
from reconciler.cli.access import FleetAccess
from reconciler.cli.announcement import announce
from reconciler.cli.exit_codes import FAILURE
from reconciler.cli.rehearsed import rehearse_file, rehearse_live
from reconciler.cli.simulator import simulator_required
from reconciler.cli.skipped_checks import skipped_checks_note
from reconciler.cli.structured import STRUCTURED, show_structured
from reconciler.cli.tagging import scale_sets_in_force
from reconciler.rehearsal.fault import Fault


def act(*, fleet: FleetAccess, file: Path | None, faults: tuple[Fault, ...], seed: int, output: str) -> None:
    """Run the declared change on a copy of the fleet, with faults if requested."""
    with simulator_required():
        import reconciler.simulator  # noqa: F401 - before anything is read
    in_force = scale_sets_in_force(fleet.specs, "rehearsed")
    if not in_force:
        click.echo("no scale set is declared")
        return
    if file:
        found = rehearse_file(file, fleet, faults, seed)
    else:
        announce(fleet.session)
        found = rehearse_live(fleet, faults, seed)
    skipped = skipped_checks_note(in_force.values())
    if output in STRUCTURED:
        if skipped:
            click.echo(skipped, err=True)
        show_structured(found, output)
    elif output == "markdown":
        click.echo(markdown.rehearsal(found, [skipped] if skipped else ()))
    else:
        table.show(Group(*_blocks(found, skipped)))
    if not found["isAsDeclared"]:
        sys.exit(FAILURE)


def _blocks(found: Mapping[str, Any], skipped: str) -> list[RenderableType]:
    """A rehearsal as shown on a terminal: a headline, the halts, timelines, and a summary."""
    shown = plan_blocks.overview(found)
    if halts := plan_blocks.warnings(rehearsal_text.halts(found)):
        shown += [Text(), *halts]
    groups = plan_blocks.groups(found)
    for each in groups:
        is_detailed = len(each.names) == 1 and len(groups) <= plan_blocks.MOST_BLOCKS
        shown.append(_timeline(each, found) if is_detailed else plan_blocks.block(each, found))
    rest = (
        plan_text.others(found),
        rehearsal_text.faults(found),
        rehearsal_text.approvals(found),
        skipped,
    )
    shown += [Text(), *(Text(each, "dim") for each in rest if each)]
    return [*shown, Text(rehearsal_text.summary(found), "bold")]


def _timeline(group: plan_group.Group, found: Mapping[str, Any]) -> RenderableType:
    entries = rehearsal_text.timeline(group.row, found["at"])
    lines = [f"  {moment:>9}  {text}" for moment, text in entries]
    return Text("\n".join(["", plan_group.headline(group, found), *lines]))
