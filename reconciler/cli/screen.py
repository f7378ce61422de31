"""What `reconciler run` shows: one log line per event and, on a terminal, a live table of the fleet below."""

import logging
import sys
from types import TracebackType

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from reconciler.cli.table import status_table
from reconciler.daemon import report
from reconciler.daemon.board import Board


class Screen:
    """Context manager around a run. Log lines go to standard error, so that a pipe gets nothing else."""

    def __init__(self, board: Board) -> None:
        self._board = board
        self._console = Console(stderr=True, highlight=False)
        self._live: Live | None = None
        self._handler: logging.Handler = logging.StreamHandler(sys.stderr)

    def __enter__(self) -> None:
        if self._console.is_terminal:
            self._handler = _Above(self._console)
            self._live = Live(
                console=self._console,
                get_renderable=self._table,
                refresh_per_second=4,
                vertical_overflow="visible",
            )
            self._live.start()
        formatter = logging.Formatter("%(asctime)s %(levelname)s %(message)s", "%Y-%m-%dT%H:%M:%S%z")
        self._handler.setFormatter(formatter)
        log = logging.getLogger("reconciler")
        log.setLevel(logging.INFO)
        log.addHandler(self._handler)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live:
            self._live.stop()
        logging.getLogger("reconciler").removeHandler(self._handler)

    def _table(self) -> Table:
        return status_table(report.entry(entry) for entry in self._board.entries())


class _Above(logging.Handler):
    """Prints log lines above the live table."""

    def __init__(self, console: Console) -> None:
        super().__init__()
        self._console = console

    def emit(self, record: logging.LogRecord) -> None:
        self._console.print(Text(self.format(record), "dim"))
