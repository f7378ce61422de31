"""The output of `reconciler run`: log lines and, on a terminal, a live table of the fleet."""

import logging
import sys
from datetime import datetime
from types import TracebackType

from rich.console import Console
from rich.table import Table
from rich.text import Text

from reconciler.cli.console import console
from reconciler.cli.live_table import live_table
from reconciler.cli.log_lines import log_lines
from reconciler.cli.status_table import StatusTable, status
from reconciler.daemon import report
from reconciler.daemon.store import Store


class Screen:
    """Shows a run in progress. Log lines go to standard error, so a pipe gets only the table."""

    def __init__(self, store: Store, *, log_format: str, log_level: str) -> None:
        self._store = store
        self._level = log_level.upper()
        self._console = console(stderr=True)
        self._is_over = False
        # With FORCE_COLOR, rich treats a pipe as a terminal. Colours are fine in a pipe, a live table is not.
        is_usable = sys.stderr.isatty() and not self._console.is_dumb_terminal
        self.is_live = is_usable and log_format == "text"
        self._live = live_table(self._console, self._status, is_alone=False, is_over=lambda: self._is_over)
        self._handler = _Above(self._console) if self.is_live else log_lines(log_format)

    def __enter__(self) -> "Screen":
        if self.is_live:
            self._live.start()
        log = logging.getLogger("reconciler")
        log.setLevel(self._level)
        log.addHandler(self._handler)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._is_over = True
        if self.is_live:
            self._live.stop()
        logging.getLogger("reconciler").removeHandler(self._handler)

    def _status(self, height: int | None) -> StatusTable:
        return status(report.store(self._store), height=height)


class _Above(logging.Handler):
    """Prints log lines above the live table."""

    def __init__(self, console: Console) -> None:
        super().__init__()
        self._console = console

    def emit(self, record: logging.LogRecord) -> None:
        line = Table.grid(padding=(0, 1, 0, 0))
        line.add_row(
            Text(f"{datetime.fromtimestamp(record.created):%H:%M:%S}", "dim"),
            Text(self.format(record), "red" if record.levelno >= logging.ERROR else ""),
        )
        self._console.print(line)
