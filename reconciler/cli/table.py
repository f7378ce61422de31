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

_LEAST_OF_OTHERS = 45  # the width that the other columns of a plan need, with a narrow one for the reason


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


def plan(rows: Iterable[Json], room: int) -> Table:
    """The next step of each scale set. Scale sets with the same step and reason share a row.

    `rows` have the shape of `reconciler.daemon.report.state`. `room` is the width of the window, or a huge
    number in a pipe.
    """
    alike: dict[tuple[str, str], list[Json]] = {}
    for row in rows:
        alike.setdefault((row["step"]["kind"] if row["step"] else "-", why(row)), []).append(row)
    names = [join(row["name"] for row in same) for same in alike.values()]
    longest = max((len(row["name"]) for same in alike.values() for row in same), default=0)
    table = _table("SCALE SET", "STEP", "UP TO DATE", "WHY", width=_width_of_names(names, longest, room))
    for text, ((step, reason), same) in zip(names, alike.items(), strict=True):
        style, counts = "dim" if step == "-" else "bold cyan", share_of_all(row["instances"] for row in same)
        table.add_row(Text(text), Text(step, style), Text(counts), Text(reason))
    return table


def _width_of_names(names: Sequence[str], longest: int, room: int) -> int:
    """The width of the first column: a third of the room, or more if a name would otherwise be broken."""
    unbroken = min(longest + len(","), room - _LEAST_OF_OTHERS)
    return min(max(map(len, names), default=0), max(unbroken, room // 3))


def grid(header: Sequence[str], rows: Iterable[Sequence[str]]) -> Table:
    """A table of text cells under a header."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for each in header:
        table.add_column(each.upper(), no_wrap=True)
    for cells in rows:
        table.add_row(*map(Text, cells))
    return table


def _table(name: str, *others: str, width: int) -> Table:
    """An empty table. Its first column has this width, and its last one the rest. Both wrap their text."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    *narrow, why = others
    table.add_column(name, overflow="fold", width=max(width, len(name)))
    for column in narrow:
        table.add_column(column, no_wrap=True)
    table.add_column(why, overflow="fold")
    return table
