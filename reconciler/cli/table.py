"""The table of `plan`, and the functions that print tables.

On a terminal, a table fits the window. In a pipe or a file, every row is one complete line, for grep.
"""

import sys
from collections.abc import Iterable, Sequence

import click
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from reconciler.cli.console import wide_console
from reconciler.cli.grid import plain
from reconciler.cli.status_table import StatusTable

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


def plan(header: Sequence[str], rows: Sequence[Sequence[str]], room: int) -> Table:
    """A table of what happens to each scale set. `room` is the width of the window, or huge in a pipe.

    The second column has the names of the scale sets, and the last column has prose.
    """
    names = [cells[1] for cells in rows]
    longest = max((len(name) for each in names for name in each.split(", ")), default=0)
    width = max(_width_of_names(names, longest, room), len(header[1]))
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for position, each in enumerate(header):
        is_name, is_text = position == 1, position == len(header) - 1
        table.add_column(
            each.upper(),
            width=width if is_name else None,
            overflow="fold",
            no_wrap=not (is_name or is_text),
        )
    for cells in rows:
        table.add_row(*map(Text, cells))
    return table


def _width_of_names(names: Sequence[str], longest: int, room: int) -> int:
    """The width of the name column: at most a third of the room, or more if a name would otherwise break."""
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
