"""The tables people read: where every scale set stands, and what a plan would do.

On a terminal a table fits the window; into a pipe or a file every row is one line, whole, for grep.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

Json = Mapping[str, Any]

STYLES = {
    "Ready": "green",
    "Reconciling": "cyan",
    "Failing": "yellow",
    "Stalled": "red",
    "Suspended": "magenta",
}
_MOST_DOMAINS = 40


def console() -> Console:
    """Standard output, as wide as the terminal, or without end where there is none."""
    out = Console(highlight=False, soft_wrap=False)
    return out if out.is_terminal else Console(highlight=False, width=10_000)


def status_table(rows: Iterable[Json]) -> Table:
    """One row per scale set, of the shape of `reconciler.daemon.report.entry`."""
    table = _table("SCALE SET", "STANDING", "UP TO DATE", "DOMAINS", "WHY")
    for row in rows:
        standing = row["standing"] or "…"
        why = f"{row['reason']}: {row['message']}" if row["reason"] else "not looked at yet"
        table.add_row(
            row["name"],
            Text(standing, STYLES.get(standing, "dim")),
            share(row["instances"]),
            domains(row["instances"]),
            Text(why),
        )
    return table


def plan_table(rows: Iterable[Json]) -> Table:
    """One row per scale set, with its next step; of the same shape."""
    table = _table("SCALE SET", "STEP", "UP TO DATE", "WHY")
    for row in rows:
        step = Text(row["step"]["kind"], "bold cyan") if row["step"] else Text("-", "dim")
        table.add_row(row["name"], step, share(row["instances"]), Text(f"{row['reason']}: {row['message']}"))
    return table


def share(instances: Json | None) -> Text:
    """Up to date of all: "8/20", or "-" where the instances were not looked at."""
    return Text(f"{instances['upToDate']}/{instances['total']}" if instances else "-")


def domains(instances: Json | None) -> Text:
    """One character per domain, in rollout order: done, at work on, still to come."""
    drawn = Text()
    for domain in (instances["domains"] if instances else ())[:_MOST_DOMAINS]:
        if domain["away"]:
            drawn.append("◐", "yellow")
        elif domain["upToDate"] == domain["total"]:
            drawn.append("●", "green")
        else:
            drawn.append("○", "dim")
    if instances and len(instances["domains"]) > _MOST_DOMAINS:
        drawn.append(f" +{len(instances['domains']) - _MOST_DOMAINS}")
    return drawn


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for column in columns[:-1]:
        table.add_column(column, no_wrap=True)
    table.add_column(columns[-1], overflow="fold")
    return table
