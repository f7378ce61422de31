"""`reconciler plan`: what the daemon would do next about each scale set, and why. Changes nothing."""

import json
import sys
from collections import Counter
from collections.abc import Iterable
from typing import Any

import click

from reconciler.cli.options import Fleet, fleet_options, output_option
from reconciler.cli.table import console, plan_table
from reconciler.daemon import report


@click.command()
@fleet_options
@output_option
@click.option(
    "--detailed-exitcode",
    is_flag=True,
    help="Exit 0: nothing to change, 1: error, 2: something to change. As Terraform does.",
)
def plan(*, fleet: Fleet, output: str, detailed_exitcode: bool) -> None:
    """Show what would be done next about each scale set, and why.

    Reads the specs and Azure, and writes to neither. Exit 0 when every scale set could be planned, else 1.
    """
    board = fleet.reconciliation().once(act=False)
    rows = report.board(board)["scaleSets"]
    changes = sum(row["step"] is not None for row in rows)
    _print(rows, changes, output)

    trouble = board.last_sweep.trouble if board.last_sweep else ()
    for line in trouble:
        click.echo(f"error: {line}", err=True)
    if trouble or any(entry.outcome is None or entry.outcome.is_error for entry in board.entries()):
        sys.exit(1)
    if detailed_exitcode and changes:
        sys.exit(2)


def _print(rows: list[dict[str, Any]], changes: int, output: str) -> None:
    if output == "json":
        click.echo(json.dumps(rows, indent=2))
        return
    if rows:
        console().print(plan_table(rows))
        click.echo(f"{changes} to change, {len(rows) - changes} not ({_reasons(rows)})")
    else:
        click.echo("no scale set is declared")


def _reasons(rows: Iterable[dict[str, Any]]) -> str:
    counts = Counter(row["reason"] for row in rows if row["step"] is None)
    return ", ".join(f"{number} {reason}" for reason, number in sorted(counts.items())) or "none"
