"""The table of `plan`, and the functions that print tables.

On a terminal, a table fits the window. In a pipe or a file, every row is one complete line, for grep.
"""

import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import click
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from reconciler.cli.console import wide_console
from reconciler.cli.grid import plain
from reconciler.cli.status_table import StatusTable, share_of_all, why
from reconciler.rollout.wording import join

Json = Mapping[str, Any]

_LONGEST_NAME = 32  # that is never broken


def show(shown: RenderableType) -> None:
    """Print to standard output. In a pipe or a file, lines have no trailing spaces."""
    out = wide_console()
    if sys.stdout.isatty():
        out.print(shown)
        return
    with out.capture() as captured:
        out.print(shown, crop=False)
    # click would remove colours that are meant for a pipe.
    click.echo("\n".join(line.rstrip() for line in captured.get().splitlines()), color=out.is_terminal)


def show_status(table: StatusTable) -> None:
    """Print the table of `status`. The lines of the wide table are never cut."""
    if not wide_console().is_terminal:  # without colours, rich has nothing to do for thousands of lines
        click.echo("\n".join(plain(line).rstrip() for line in table.lines(None)))
        return
    is_cut = sys.stdout.isatty() and not table.is_wide
    show(table.rendered(wide_console().width if is_cut else None))


def plan(rows: Iterable[Json]) -> Table:
    """The next step of each scale set. Scale sets with the same step and reason share a row.

    `rows` have the shape of `reconciler.daemon.report.state`.
    """
    alike: dict[tuple[str, str], list[Json]] = {}
    for row in rows:
        alike.setdefault((row["step"]["kind"] if row["step"] else "-", why(row)), []).append(row)
    longest = max((len(row["name"]) for same in alike.values() for row in same), default=0)
    table = _table("SCALE SET", "STEP", "UP TO DATE", "WHY", least=min(longest + len(","), _LONGEST_NAME))
    for (step, reason), same in alike.items():
        style = "dim" if step == "-" else "bold cyan"
        names, counts = join(row["name"] for row in same), share_of_all(row["instances"] for row in same)
        table.add_row(Text(names), Text(step, style), Text(counts), Text(reason))
    return table


def grid(header: Sequence[str], rows: Iterable[Sequence[str]]) -> Table:
    """A table of text cells under a header."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for each in header:
        table.add_column(each.upper(), no_wrap=True)
    for cells in rows:
        table.add_row(*map(Text, cells))
    return table


def _table(name: str, *others: str, least: int) -> Table:
    """An empty table. Its first and last columns share the remaining width, and wrap their text.

    The first column has at least `least` cells, so that a name is not broken.
    """
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    *narrow, why = others
    table.add_column(name, overflow="fold", min_width=least)
    for column in narrow:
        table.add_column(column, no_wrap=True)
    table.add_column(why, overflow="fold")
    return table
