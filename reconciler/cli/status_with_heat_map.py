"""The table of `status`, and the heat map of one scale set below it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from reconciler.cli.grid import Lines, cut
from reconciler.cli.heat_map import heat_map_lines
from reconciler.cli.status_table import StatusTable


@dataclass(frozen=True, slots=True)
class StatusWithHeatMap:
    """The table with the heat maps below it.

    `instances` are the heat maps as the daemon serves them, or None if there are none.
    """

    table: StatusTable
    instances: Mapping[str, Any] | None

    def rendered(self, width: int | None) -> Lines:
        """The table and the heat maps for rich. Each line is cut to `width` unless `width` is None."""
        below = heat_map_lines(self.instances, width) if self.instances else ()
        return Lines([*self.table.lines(width), *(cut(line, width) for line in below)])
