"""The table of `status` and `run`: a line for each scale set.

On a terminal, each line is cut to the width of the window. In a pipe or a file, each line is complete, for
grep.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from reconciler.cli.age import age
from reconciler.cli.grid import Cell, Grid, Line, Lines, Optional, cut, plain
from reconciler.cli.row_filter import rank, resource_group_of, status_of, subscription_of
from reconciler.cli.standby import standby_message
from reconciler.daemon.status_word import ORDER, ORPHANED, UNCHECKED
from reconciler.rollout.reason import Phase, Status, meaning_of
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
    """The table of `store`, which has the shape of `reconciler.daemon.report.store`."""
    return StatusTable(store, is_wide, height, datetime.now(UTC))


@dataclass(frozen=True, slots=True)
class StatusTable:
    """The table of a store at one moment.

    `height` is the number of lines of a live table. Rows that do not fit are omitted from the end, where the
    Ready and Suspended scale sets are. Up to half of the rows are reserved for rollouts in progress, so that
    many problems do not hide them. `notice` is a line above everything else.
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
        """The table for rich. Each line is cut to `width` unless `width` is None."""
        return Lines(list(self.lines(width)))

    def lines(self, width: int | None) -> Iterator[Line]:
        """The lines of the table, each cut to `width` unless `width` is None."""
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
        pause = self.store.get("pause")  # none of a daemon of an older version
        standby = standby_message(self.store)
        ends = summary(self.store["scaleSets"])
        # A row may be omitted, and that is said too.
        most = ends if self.height is None else (*ends, f"{len(rows):,} not shown")
        messages = bool(pause) + bool(standby) + len(_join(most, width)) - 1
        kept = rows if self.height is None else _choose_rows(rows, self._room(messages))
        image = declared_image(rows)
        grid = grid_of(is_wide=self.is_wide, is_uniform=bool(image))
        cells = [self.cells(each) for each in kept]
        shown = grid.shown(grid.widths(cells), width)
        yield from _title_lines(heading(sweep), "" if _has(grid, shown, "DECLARED") else image, width)
        if pause:
            yield cut([(pause["message"], "bold magenta")], width)
        if standby:
            yield cut([(standby, "bold yellow")], width)
        for line in grid.lines(cells, shown):
            yield cut(line, width)
        left_out = [f"{len(rows) - len(kept):,} not shown"] if len(kept) < len(rows) else []
        for text in _join((*ends, *left_out), width):
            yield cut([(text, "dim")], width)

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


def _choose_rows(rows: Sequence[Json], room: int) -> Sequence[Json]:
    """Choose the rows to show if there is room for this many. The rows keep their order."""
    in_progress = [number for number, row in enumerate(rows) if row.get("status") == Status.RECONCILING]
    first = in_progress[: room // 2]
    rest = [number for number in range(len(rows)) if number not in first][: room - len(first)]
    return [rows[number] for number in sorted((*first, *rest))]


def grid_of(*, is_wide: bool, is_uniform: bool = False) -> Grid:
    """The columns of the table. The wide table never omits a column.

    `is_uniform` means that every row declares the same image, so that one line can name the image for all
    rows.
    """
    header = (*columns(is_wide), "WHY")
    images = (Optional(("MODEL", "DECLARED"), 30),) if is_uniform else (Optional(("MODEL",), 30),)
    return Grid(header, () if is_wide else (*images, *_OPTIONAL))


# Omitted in this order, after the image of the model, if the terminal is narrow. What a rollout is about goes
# last: the image that is wanted, the time left, and how far it is. For these, the reason may be cut to little
# more than its word.
_OPTIONAL = (
    Optional(("DOMAINS",), 30),
    Optional(("FOR",), 30),
    Optional(("DECLARED",), 24),
    Optional(("LEFT",), 20, name=24),
    Optional(("UP TO DATE",), 16, name=20),
)


def columns(is_wide: bool) -> Mapping[str, Callable[[Json, datetime], Cell]]:
    """All columns except the last one, each with the function that makes its cells."""
    return {**_COLUMNS, **_WIDE} if is_wide else _COLUMNS


def heading(sweep: Json) -> str:
    """When the specs were last read, and which specs are active."""
    specs = f"commit {sweep['commit'][:10]} ({sweep['subject']})" if sweep["commit"] else sweep["subject"]
    refused = sweep.get("refused")  # none of a daemon of an older version
    errors = f"; {count(refused['errors'], 'error')} in {refused['message']}" if specs and refused else ""
    shard = f", {sweep['shard']['message']}" if sweep.get("shard") else ""  # none of an older version
    return f"{sweep['at'][:19].replace('T', ' ')} UTC, {specs or 'no specs in force'}{shard}{errors}"


def declared_image(rows: Sequence[Json]) -> str:
    """The image that all these scale sets declare, or "" if they declare several."""
    images = {image for row in rows if (image := row.get("shortImage"))}
    return f"image {images.pop()}" if len(images) == 1 else ""


def _title_lines(heading: str, end: str, width: int | None) -> Iterator[Line]:
    """The line above the table. If it is too long, `heading` is cut, and `end` is kept if there is room."""
    room = None if width is None else max(width - len(end) - 2, width // 2)
    if end:
        yield cut([*cut([(heading, "dim")], room), (f"; {end}", "dim")], width)
    else:
        yield cut([(heading, "dim")], width)


def _has(grid: Grid, shown: Collection[int], name: str) -> bool:
    return grid.header.index(name) in shown


def _join(parts: Sequence[str], width: int | None) -> Sequence[str]:
    """Join the parts into one line if they fit, or else leave the first part on a line above the others.

    >>> _join(("2 scale sets: 2 Ready", "8 of 8 up to date", "1 not shown"), 40)
    ('2 scale sets: 2 Ready', '8 of 8 up to date; 1 not shown')
    """
    whole = "; ".join(parts)
    if width is None or len(whole) <= width or len(parts) < 2:
        return (whole,)
    return parts[0], "; ".join(parts[1:])


def summary(rows: Sequence[Json]) -> Sequence[str]:
    """How many scale sets have each status, and how many instances are up to date.

    >>> web = {"status": "Ready", "instances": {"upToDate": 3, "total": 3}}
    >>> summary([web, {"status": "Stalled", "instances": None}])
    ('2 scale sets: 1 Stalled, 1 Ready', '3 of 3 instances up to date, 1 scale set not counted')
    """
    statuses = Counter(row["status"] or UNCHECKED for row in rows)
    words = ", ".join(
        f"{statuses[word]:,} {'not checked yet' if word == UNCHECKED else word}"
        for word in (*ORDER, *sorted(statuses.keys() - set(ORDER)))
        if statuses[word]
    )
    counts = [row["instances"] for row in rows if row["instances"]]
    current, total = (sum(each[name] for each in counts) for name in ("upToDate", "total"))
    without = len(rows) - len(counts)
    uncounted = f", {count(without, 'scale set')} not counted" if without else ""
    told = (f"{current:,} of {total:,} instances up to date{uncounted}",) if counts else ()
    return f"{count(len(rows), 'scale set')}: {words}", *told


def share(instances: Json | None) -> str:
    """The share of instances that are up to date, such as "8/20", or "-" if they were not observed."""
    return f"{instances['upToDate']}/{instances['total']}" if instances else "-"


def share_of_all(every: Iterable[Json | None]) -> str:
    """The share of instances that are up to date in several scale sets, or "-" if none was observed."""
    counted = [each for each in every if each]
    total = {name: sum(each[name] for each in counted) for name in ("upToDate", "total")}
    return share(total if counted else None)


def why(row: Json, *, is_observation: bool = False) -> str:
    """The reason and the message of a scale set, or the message about an orphan.

    `is_observation` means that no daemon is running. The text then says that the step will not be taken.
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
