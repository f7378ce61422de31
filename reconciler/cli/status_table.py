"""The table of `status` and `run`: a line for each scale set.

On a terminal, each line is cut to the width of the window. In a pipe or a file, each line is complete, for
grep.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from reconciler.cli.age import age
from reconciler.cli.grid import Cell, Grid, Line, Lines, cut, plain
from reconciler.cli.row_filter import rank, resource_group_of, status_of, subscription_of
from reconciler.cli.standby import standby_message
from reconciler.daemon.status_word import ORPHANED, UNCHECKED
from reconciler.rollout.reason import Phase, meaning_of
from reconciler.spec.duration import short_length
from reconciler.spec.wording import count

Json = Mapping[str, Any]

STYLES = {
    "Ready": "green",
    "Reconciling": "cyan",
    "Waiting": "blue",
    "Failing": "yellow",
    "Stalled": "red",
    "Suspended": "magenta",
    ORPHANED: "yellow",
    UNCHECKED: "dim",
}
_MOST_DOMAINS = 12
_OTHER_LINES = 3  # lines besides the rows: the specs in force, the header, the summary


def status(store: Json, *, is_wide: bool = False, height: int | None = None) -> "StatusTable":
    """The table of a store, which has the shape of `reconciler.daemon.report.store`."""
    return StatusTable(store, is_wide, height, datetime.now(UTC))


@dataclass(frozen=True, slots=True)
class StatusTable:
    """The table of a store at one moment.

    `height` is the number of lines of a live table. If the rows do not all fit, the last ones are omitted,
    beginning with scale sets that are Ready or Suspended. `notice` is a line above everything else.
    """

    store: Json
    is_wide: bool
    height: int | None
    now: datetime
    notice: str = ""

    @property
    def rows(self) -> Sequence[Json]:
        """The scale sets and orphans, problems first."""
        return sorted((*self.store["scaleSets"], *(self.store.get("orphans") or ())), key=rank)

    def rendered(self, width: int | None) -> Lines:
        """The table for rich. Each line is cut to `width` unless it is None."""
        return Lines(list(self.lines(width)))

    def lines(self, width: int | None) -> Iterator[Line]:
        """The lines of the table. Each is cut to `width` unless it is None."""
        sweep, rows = self.store["sweep"], self.rows
        if self.notice:
            yield cut([(self.notice, "bold yellow")], width)
        if sweep is None:
            yield cut([("waiting for the first sweep …", "dim")], width)
            return
        if not rows:
            none = "" if sweep["errors"] else ": no scale set is declared"
            yield cut([(f"{heading(sweep)}{none}", "")], width)
            return
        yield cut([(heading(sweep), "dim")], width)
        pause = self.store.get("pause")  # none of a daemon of an older version
        if pause:
            yield cut([(pause["message"], "bold magenta")], width)
        standby = standby_message(self.store)
        if standby:
            yield cut([(standby, "bold yellow")], width)
        kept = rows if self.height is None else rows[: self._room(bool(pause) + bool(standby))]
        grid, cells = grid_of(is_wide=self.is_wide), [self.cells(each) for each in kept]
        for line in grid.lines(cells, grid.shown(grid.widths(cells), width)):
            yield cut(line, width)
        left_out = f" ({len(rows) - len(kept)} not shown)" if len(kept) < len(rows) else ""
        yield cut([(summary(self.store["scaleSets"]) + left_out, "dim")], width)

    def texts(self) -> tuple[Sequence[str], Sequence[Sequence[str]]]:
        """The header and the cells of every row, as text."""
        cells = ([plain(cell) for cell in self.cells(row)] for row in self.rows)
        return grid_of(is_wide=self.is_wide).header, list(cells)

    def _room(self, messages: int) -> int:
        assert self.height is not None, "there is no limit without a height"  # noqa: S101
        return max(1, self.height - _OTHER_LINES - messages - bool(self.notice))

    def cells(self, row: Json) -> Sequence[Cell]:
        """The cells of a scale set or an orphan."""
        is_observation = (self.store.get("source") or {}).get("kind") == "observation"
        if is_observation:  # nothing will happen, so nothing ends
            row = {**row, "forecast": None}
        return [make(row, self.now) for make in columns(self.is_wide).values()] + [
            [(why(row, is_observation=is_observation), "")]
        ]


def grid_of(*, is_wide: bool) -> Grid:
    """The columns of the table. The wide table never omits any of them."""
    header = (*columns(is_wide), "WHY")
    return Grid(header, () if is_wide else _OPTIONAL)


# Omitted in this order if the terminal is narrow.
_OPTIONAL = (("MODEL", "DECLARED"), ("DOMAINS",), ("LEFT",), ("FOR",), ("UP TO DATE",))


def columns(is_wide: bool) -> Mapping[str, Callable[[Json, datetime], Cell]]:
    """All columns except the last one, each with the function that makes its cells."""
    return {**_COLUMNS, **_WIDE} if is_wide else _COLUMNS


def heading(sweep: Json) -> str:
    """When the specs were last read, and which specs are in force."""
    specs = f"commit {sweep['commit'][:10]} ({sweep['subject']})" if sweep["commit"] else sweep["subject"]
    refused = sweep.get("refused")  # none of a daemon of an older version
    errors = f"; {count(refused['errors'], 'error')} in {refused['message']}" if specs and refused else ""
    shard = f", {sweep['shard']['message']}" if sweep.get("shard") else ""  # none of an older version
    return f"{sweep['at'][:19].replace('T', ' ')} UTC, {specs or 'no specs in force'}{shard}{errors}"


def summary(rows: Sequence[Json]) -> str:
    """
    >>> web = {"status": "Ready", "instances": {"upToDate": 3, "total": 3}}
    >>> summary([web, {"status": "Stalled", "instances": None}])
    '2 scale sets: 1 Ready, 1 Stalled; 3 of 3 instances up to date, 1 scale set not counted'
    """
    statuses = Counter(row["status"] or "not checked yet" for row in rows)
    counts = [row["instances"] for row in rows if row["instances"]]
    current, total = (sum(each[name] for each in counts) for name in ("upToDate", "total"))
    without = len(rows) - len(counts)
    uncounted = f", {count(without, 'scale set')} not counted" if without else ""
    return (
        f"{count(len(rows), 'scale set')}: "
        f"{', '.join(f'{number} {status}' for status, number in sorted(statuses.items()))}"
        f"{f'; {current} of {total} instances up to date{uncounted}' if counts else ''}"
    )


def share(instances: Json | None) -> str:
    """The share of instances that are up to date, such as "8/20", or "-" if they were not observed."""
    return f"{instances['upToDate']}/{instances['total']}" if instances else "-"


def why(row: Json, *, is_observation: bool = False) -> str:
    """The reason and the message of a scale set, or the message about an orphan.

    `is_observation` means that no daemon runs. The text then says that the step is not taken.
    """
    if status_of(row) is ORPHANED:
        return str(row["message"])
    behind = row.get("behind")  # none of a daemon of an older version
    untaken = "not taken: " if is_observation and row["step"] else ""
    said = f"{row['reason']}: {untaken}{row['message']}" if row["reason"] else "not checked yet"
    return f"{said}; behind {_commit(behind)}, which has errors: {behind['error']}" if behind else said


def _commit(refused: Json) -> str:
    return f"commit {refused['commit'][:10]}" if refused["commit"] else "the newest specs"


def _status(row: Json, _now: datetime) -> Cell:
    status = status_of(row)
    return [("…" if status == UNCHECKED else status, STYLES.get(status, "dim"))]


def _domains(row: Json, _now: datetime) -> Cell:
    """One character for each domain, in rollout order: done, in progress, still to come."""
    instances = row["instances"] or {}
    found = instances.get("domains") or ()
    drawn = [_domain(each) for each in found[:_MOST_DOMAINS]]
    more = len(found) - _MOST_DOMAINS
    return [*drawn, (f" +{more}", "")] if more > 0 else drawn


def _domain(domain: Json) -> tuple[str, str]:
    if domain["unavailable"]:
        return "◐", "yellow"
    return ("●", "green") if domain["upToDate"] == domain["total"] else ("○", "dim")


def _left(row: Json, now: datetime) -> Cell:
    """The time until the rollout is complete, according to the forecast."""
    forecast = row.get("forecast")
    end = meaning_of(forecast["endsWith"] or "") if forecast else None
    if not forecast or not forecast["ends"] or end is None or end.phase is not Phase.DONE:
        return [("-", "")]
    left = datetime.fromisoformat(forecast["ends"]) - now
    return [(short_length(left) if left.total_seconds() > 0 else "late", "")]


def _text(find: Callable[[Json], str | None]) -> Callable[[Json, datetime], Cell]:
    def cell(row: Json, _now: datetime) -> Cell:
        return [(find(row) or "-", "")]

    return cell


_COLUMNS: Mapping[str, Callable[[Json, datetime], Cell]] = {
    "SCALE SET": _text(lambda row: row["name"]),
    "STATUS": _status,
    "FOR": lambda row, now: [(age(row.get("since") or row.get("began"), now), "")],
    "UP TO DATE": _text(lambda row: share(row["instances"])),
    "DOMAINS": _domains,
    "MODEL": _text(lambda row: row.get("shortModelImage")),
    "DECLARED": _text(lambda row: row.get("shortImage")),
    "LEFT": _left,
}
_WIDE: Mapping[str, Callable[[Json, datetime], Cell]] = {
    "SUBSCRIPTION": _text(subscription_of),
    "RESOURCE GROUP": _text(resource_group_of),
    "COMMIT": _text(lambda row: (row.get("commit") or "")[:10]),
    "CHECKED": lambda row, now: [(age(row["at"], now), "")],
}
