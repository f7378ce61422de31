"""The tables of `status` and `plan`.

On a terminal a table fits the window. In a pipe or a file every row is one whole line, for grep.
"""

import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import click
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from reconciler.cli.console import wide_console
from reconciler.rollout.wording import join
from reconciler.spec.wording import count

Json = Mapping[str, Any]

STYLES = {
    "Ready": "green",
    "Reconciling": "cyan",
    "Waiting": "blue",
    "Failing": "yellow",
    "Stalled": "red",
    "Suspended": "magenta",
}
_MOST_DOMAINS = 12
_OTHER_LINES = 3  # lines besides the rows: the specs in force, the header, the summary


def show(shown: RenderableType) -> None:
    """Print to standard output. In a pipe, without the padding of the last column."""
    out = wide_console()
    if sys.stdout.isatty():
        out.print(shown)
        return
    with out.capture() as captured:
        out.print(shown)
    # click would remove colours that are meant for a pipe.
    click.echo("\n".join(line.rstrip() for line in captured.get().splitlines()), color=out.is_terminal)


def status(store: Json, *, height: int | None = None) -> RenderableType:
    """The status table of a store, in the shape of `reconciler.daemon.report.store`.

    `height` is the number of lines of a live table. Each row is then cut to one line. If not all rows fit,
    those that are as declared or suspended are omitted first.
    """
    sweep, rows = store["sweep"], store["scaleSets"]
    if sweep is None:
        return Text("waiting for the first sweep …", "dim")
    orphans = store.get("orphans") or ()  # none of a daemon of an older version
    if not rows and not orphans:
        return Text(heading(sweep) if sweep["errors"] else f"{heading(sweep)}: no scale set is declared")
    kept = rows if height is None else _most_relevant(rows, max(1, height - _OTHER_LINES))
    left_out = f" ({len(rows) - len(kept)} not shown)" if len(kept) < len(rows) else ""
    one_line = height is not None
    return Group(
        _line(heading(sweep), "dim", one_line=one_line),
        _status_table(kept, orphans, one_line=one_line),
        _line(summary(rows) + left_out, "dim", one_line=one_line),
    )


def heading(sweep: Json) -> str:
    """When the specs were last read, and which specs are in force."""
    specs = f"commit {sweep['commit'][:10]} ({sweep['subject']})" if sweep["commit"] else sweep["subject"]
    refused = sweep.get("refused")  # none of a daemon of an older version
    errors = f"; {count(refused['errors'], 'error')} in {refused['message']}" if specs and refused else ""
    return f"{sweep['at'][:19].replace('T', ' ')} UTC, {specs or 'no specs in force'}{errors}"


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


def plan(rows: Iterable[Json]) -> Table:
    """The next step of each scale set. Scale sets with the same text share a row.

    `rows` are as in `reconciler.daemon.report.state`.
    """
    table = _table("SCALE SET", "STEP", "UP TO DATE", "WHY")
    alike: dict[tuple[str, str, str], list[str]] = {}
    for row in rows:
        step = row["step"]["kind"] if row["step"] else "-"
        alike.setdefault((step, share(row["instances"]).plain, _why(row)), []).append(row["name"])
    for (step, shown, why), names in alike.items():
        style = "dim" if step == "-" else "bold cyan"
        table.add_row(Text(join(names)), Text(step, style), Text(shown), Text(why))
    return table


def share(instances: Json | None) -> Text:
    """The share of instances that are up to date: "8/20", or "-" if they were not observed."""
    return Text(f"{instances['upToDate']}/{instances['total']}" if instances else "-")


def domains(instances: Json | None) -> Text:
    """One character for each domain, in rollout order: done, in progress, still to come."""
    drawn = Text()
    for domain in (instances["domains"] if instances else ())[:_MOST_DOMAINS]:
        if domain["unavailable"]:
            drawn.append("◐", "yellow")
        elif domain["upToDate"] == domain["total"]:
            drawn.append("●", "green")
        else:
            drawn.append("○", "dim")
    if instances and len(instances["domains"]) > _MOST_DOMAINS:
        drawn.append(f" +{len(instances['domains']) - _MOST_DOMAINS}")
    return drawn


def _status_table(rows: Iterable[Json], orphans: Iterable[Json], *, one_line: bool) -> Table:
    table = _table("SCALE SET", "STATUS", "UP TO DATE", "DOMAINS", "WHY")
    for row in rows:
        status = row["status"] or "…"
        table.add_row(
            _line(row["name"], one_line=one_line),
            Text(status, STYLES.get(status, "dim")),
            share(row["instances"]),
            domains(row["instances"]),
            _line(_why(row), one_line=one_line),
        )
    for orphan in orphans:
        table.add_row(
            _line(orphan["name"], one_line=one_line),
            Text("Orphaned", STYLES["Failing"]),
            share(orphan["instances"]),
            Text(),
            _line(orphan["message"], one_line=one_line),
        )
    return table


def _line(text: str, style: str = "", *, one_line: bool) -> Text:
    """Text that is folded, or cut, if it does not fit."""
    return Text(text, style, no_wrap=one_line, overflow="ellipsis" if one_line else "fold")


def _why(row: Json) -> str:
    behind = row.get("behind")  # none of a daemon of an older version
    said = f"{row['reason']}: {row['message']}" if row["reason"] else "not checked yet"
    return f"{said}; behind {_commit(behind)}, which has errors: {behind['error']}" if behind else said


def _commit(refused: Json) -> str:
    return f"commit {refused['commit'][:10]}" if refused["commit"] else "the newest specs"


def _most_relevant(rows: Sequence[Json], number: int) -> Sequence[Json]:
    """At most `number` rows, in their order. Rows that are as declared or suspended are omitted first."""
    if len(rows) <= number:
        return rows
    ranked = sorted(rows, key=lambda row: row["status"] in {"Ready", "Suspended"})
    return sorted(ranked[:number], key=lambda row: str(row["name"]))


def grid(header: Sequence[str], rows: Iterable[Sequence[str]]) -> Table:
    """Rows of text under a header."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for each in header:
        table.add_column(each.upper(), no_wrap=True)
    for cells in rows:
        table.add_row(*map(Text, cells))
    return table


def _table(name: str, *others: str) -> Table:
    """A table whose first and last columns share the remaining width, and fold."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    *narrow, why = others
    table.add_column(name, overflow="fold")
    for column in narrow:
        table.add_column(column, no_wrap=True)
    table.add_column(why, overflow="fold")
    return table
