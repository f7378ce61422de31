"""`reconciler plan`: the next step of each scale set, and why. Changes nothing."""

import json
import sys
from collections import Counter
from collections.abc import Sequence
from typing import Any

import click
from rich.console import Group, RenderableType
from rich.text import Text

from reconciler.cli import forecast, markdown, table
from reconciler.cli.announcement import announce
from reconciler.cli.options import FleetAccess, fleet_options
from reconciler.cli.skipped_checks import skipped_checks_note
from reconciler.cli.verb import Verb
from reconciler.daemon import report


@click.command(cls=Verb)
@fleet_options
@click.option(
    "-o",
    "--output",
    type=click.Choice(["table", "json", "markdown"]),
    default="table",
    show_default=True,
    help="Output format; markdown is for a comment on a pull request.",
)
@click.option(
    "--detailed-exitcode",
    is_flag=True,
    help="Exit 0: all as declared or suspended, 1: error, 2: not (yet) as declared. As in Terraform.",
)
@click.option(
    "--checks",
    is_flag=True,
    help="Run the checks of the specs, at the addresses that they name. Without it they count as passed.",
)
def plan(*, fleet: FleetAccess, output: str, detailed_exitcode: bool, checks: bool) -> None:
    """Show the next step of each scale set, and why.

    Includes a forecast: the daemon's own decisions, simulated as if nothing fails. Reads the specs and Azure,
    and writes to neither. Exit 0 if every scale set could be planned, else 1.
    """
    announce(fleet.session)
    store = fleet.reconciler(asks_checks=checks).once(act=False)
    skipped = "" if checks else skipped_checks_note(each.desired for each in store.states())
    errors = store.last_sweep.errors if store.last_sweep else ()
    for line in errors:
        click.echo(f"error: {line}", err=True)

    rows = report.store(store)["scaleSets"]
    if output == "json":
        if skipped:
            click.echo(skipped, err=True)
        click.echo(json.dumps(rows, indent=2))
    elif rows and output == "markdown":
        click.echo(markdown.plan(rows, _summary(rows, skipped)))
    elif rows:
        blocks = [_block(row) for row in rows if row["forecast"]]
        table.show(Group(table.plan(rows), _summary(rows, skipped), *blocks))
    elif not errors:
        click.echo("no scale set is declared")

    if errors or any(state.outcome is None or state.outcome.is_error for state in store.states()):
        sys.exit(1)
    if detailed_exitcode and not store.is_as_declared:
        sys.exit(2)


def _block(row: dict[str, Any]) -> RenderableType:
    """The forecast of one scale set: a headline, then the batches."""
    shown = forecast.lines(row)
    width = max((len(each.text) for each in shown if each.taken), default=0)
    lines = [f"{each.numbers:>6}  {each.text:{width}}  {each.taken}".rstrip() for each in shown]
    return Text("\n".join(["", f"{row['name']}: {forecast.headline(row)}", *lines]))


def _summary(rows: Sequence[dict[str, Any]], skipped: str = "") -> str:
    """
    >>> _summary([{"step": {}, "reason": "Upgrading"}, {"step": None, "reason": "UpToDate"}])
    '1 to change, 1 without a step (1 UpToDate)'
    """
    left = Counter(row["reason"] for row in rows if row["step"] is None)
    why = ", ".join(f"{number} {reason}" for reason, number in sorted(left.items()))
    without = f", {left.total()} without a step ({why})" if left else ""
    summary = f"{len(rows) - left.total()} to change{without}"
    return f"{summary}; {skipped}" if skipped else summary
