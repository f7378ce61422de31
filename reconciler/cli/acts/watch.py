"""`reconciler status --watch`: the table of the running daemon, kept up to date."""

import json
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import click

from reconciler.cli.console import console
from reconciler.cli.daemon_client import DaemonUnreachable, instances_of, store_of
from reconciler.cli.failure import fail
from reconciler.cli.grid import Cell, plain
from reconciler.cli.live_table import Shown, live_table
from reconciler.cli.row_errors import check_names
from reconciler.cli.row_filter import RowFilter, filtered
from reconciler.cli.status_table import StatusTable, grid_of, status
from reconciler.cli.status_with_heat_map import StatusWithHeatMap
from reconciler.spec.duration import short_length

Json = Mapping[str, Any]

_INTERVAL = 2.0  # seconds between two questions
_SHARE = 10  # of the time that an answer takes: a daemon of a large fleet must do something else too
_TIMES = frozenset({"FOR", "LEFT", "CHECKED"})  # columns that change although nothing happens


def watch(server: str, wanted: RowFilter, output: str) -> None:
    """Show the scale sets that match, until Ctrl-C. Ends the command if no daemon responds at the start."""
    try:
        found = store_of(server)
    except DaemonUnreachable as unreachable:
        fail(
            f"{unreachable}; --watch needs a running daemon: start one with `reconciler run`, or omit --watch"
        )
    check_names(found, wanted)
    view = _View(server, wanted, found)
    out = console()
    if output != "json" and out.is_terminal and sys.stdout.isatty() and not out.is_dumb_terminal:
        with live_table(out, lambda height: view.shown(output, height), is_alone=True):
            while True:
                view.look()
    else:
        _print_changes(view, output)


class _View:
    """The last store that the daemon returned, limited to the scale sets that match."""

    def __init__(self, server: str, wanted: RowFilter, found: Json) -> None:
        self._server = server
        self._wanted = wanted
        self._store = filtered(found, wanted.fits)
        self._at = datetime.now(UTC)
        self._took = 0.0
        self.failure = ""
        self._instances = self._look_at_instances()

    @property
    def store(self) -> Json:
        return self._store

    def look(self) -> None:
        """Wait until the next request is due, and send it."""
        time.sleep(max(_INTERVAL, _SHARE * self._took))
        began = time.monotonic()
        try:
            found = store_of(self._server)
        except DaemonUnreachable as unreachable:
            self.failure = str(unreachable)
            return
        self._took = time.monotonic() - began
        if found["sweep"] is None and self._store["sweep"] is not None:
            self.failure = "the daemon has just started and has not read the fleet yet"
            return
        self._instances = self._look_at_instances()
        self._store, self._at, self.failure = filtered(found, self._wanted.fits), datetime.now(UTC), ""

    def _look_at_instances(self) -> Json | None:
        names = self._wanted.names
        return instances_of(self._server, names[0]) if len(names) == 1 else None

    def shown(self, output: str, height: int | None) -> Shown:
        """The table, and the heat map below it if one scale set was named."""
        return StatusWithHeatMap(self.table(output, height), self._instances)

    def table(self, output: str, height: int | None) -> StatusTable:
        """The table, with a notice of its age if the last request failed."""
        shown = status(self._store, is_wide=output == "wide", height=height)
        return replace(shown, notice=self._notice(shown.now)) if self.failure else shown

    def _notice(self, now: datetime) -> str:
        return (
            f"{self.failure}; the table is {short_length(now - self._at)} old, from {self._at:%H:%M:%S} UTC"
        )


def _print_changes(view: _View, output: str) -> None:
    """Print every scale set, and then a line for each one that changes, like `kubectl get --watch`."""
    known: dict[str, Sequence[str]] = {}
    said = ""
    lines = _ChangedLines(is_wide=output == "wide")
    while True:
        table = view.table(output, None)
        rows = {row["name"]: row for row in (*view.store["scaleSets"], *(view.store.get("orphans") or ()))}
        changed = [name for name, row in rows.items() if _state_of(table, row) != known.get(name)]
        removed = [name for name in known if name not in rows]
        known = {name: _state_of(table, row) for name, row in rows.items()}
        if output == "json":
            for name in changed:
                click.echo(json.dumps(rows[name]))
            for name in removed:
                click.echo(json.dumps({"name": name, "removed": True}))
        else:
            cells = [table.cells(rows[name]) for name in changed]
            for line in lines.of(cells, removed):
                click.echo(line)
        if view.failure != said and view.failure:
            click.echo(f"{view.failure}; still watching", err=True)
        said = view.failure
        view.look()


def _state_of(table: StatusTable, row: Json) -> Sequence[str]:
    """The cells of a row, except those that change merely because time passes."""
    header = grid_of(is_wide=table.is_wide).header
    return [plain(cell) for name, cell in zip(header, table.cells(row), strict=True) if name not in _TIMES]


class _ChangedLines:
    """Lines in columns that never become narrower. The header comes before the first line."""

    def __init__(self, *, is_wide: bool) -> None:
        self._grid = grid_of(is_wide=is_wide)
        self._widths: Sequence[int] = ()

    def of(self, rows: Sequence[Sequence[Cell]], removed: Sequence[str]) -> Iterator[str]:
        """A line for each of these rows, and a line for each scale set that is no longer shown."""
        is_first = not self._widths
        natural = self._grid.widths(rows)
        self._widths = [max(pair) for pair in zip(natural, self._widths or natural, strict=True)]
        shown = self._grid.shown(self._widths, None)
        lines = self._grid.lines(rows, shown) if is_first else (self._grid.line(row, shown) for row in rows)
        yield from (plain(line).rstrip() for line in lines)
        for name in removed:
            yield f"{name}  no longer matches, or its spec was removed"
