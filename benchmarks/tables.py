"""The figures as tables, compared with the script's, and as sentences where the reconciler costs more."""

import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from rich.table import Table

from benchmarks.figures import Comment, Cost, Figures, Part

_MEGABYTE = 1_000_000


@dataclass(frozen=True, slots=True)
class Row:
    """The figures of one side. `beside` is its baseline, such as the script's job, if it has one."""

    what: str
    cost: Figures
    beside: Figures | None = None


@dataclass(frozen=True, slots=True)
class Measure:
    """A column. `digits` is the precision. Values that differ by less than `noise` count as equal."""

    title: str
    of: Callable[[Figures], float]
    digits: int = 0
    noise: float = 0.005


REQUESTS = Measure("REQUESTS", lambda cost: cost.requests)
WRITES = Measure("WRITES", lambda cost: cost.writes)
MEGABYTES = Measure("MB", lambda cost: cost.bytes / _MEGABYTE, 1)
CPU = Measure("CPU s", lambda cost: cost.cpu.total_seconds(), 2, noise=0.1)
AZURE = Measure("AZURE'S s", lambda cost: cost.azure.total_seconds())
EACH = Measure("CPU µs A REQUEST", lambda cost: cost.cpu.total_seconds() * 1e6 / cost.requests, noise=0.2)
PEAK = Measure("PEAK MB", lambda cost: cost.peak / _MEGABYTE)

SWEEP = (REQUESTS, MEGABYTES, CPU, PEAK)
BUDGET = (EACH,)
ROLLOUT = (REQUESTS, WRITES, MEGABYTES, AZURE, CPU, PEAK)


def costs(title: str, rows: Sequence[Row], measures: Sequence[Measure]) -> Table:
    """Return a row for each side, with the ratio of each figure to the baseline's."""
    table = _table(title)
    for measure in measures:
        table.add_column(measure.title, justify="right")
        table.add_column("", style="dim", no_wrap=True)
    for row in rows:
        cells: list[str] = []
        for measure in measures:
            cells.append(f"{measure.of(row.cost):,.{measure.digits}f}")
            cells.append(_comparison(_ratio(row.cost, row.beside, measure)) if row.beside else "")
        table.add_row(row.what, *cells)
    return table


def memory(processes: Mapping[str, Sequence[Figures]]) -> Table:
    """Return the peak memory: after the imports, with the simulated fleet, and at the end."""
    table = _table("Peak memory of the processes of the sweep")
    for title in ("IMPORTS MB", "+ SIMULATED FLEET", "AT THE END"):
        table.add_column(title, justify="right")
    for what, moments in processes.items():
        table.add_row(what, *(f"{PEAK.of(each):,.0f}" for each in moments))
    return table


def steps(title: str, rows: Mapping[str, Cost]) -> Table:
    """Return what each step costs."""
    table = _table(title)
    for heading in ("SECONDS", "CPU s", "PEAK MB", "BLOBS READ"):
        table.add_column(heading, justify="right")
    for what, cost in rows.items():
        times = (f"{each.total_seconds():,.2f}" for each in (cost.seconds, cost.cpu))
        table.add_row(what, *times, f"{cost.peak / _MEGABYTE:,.0f}", f"{cost.blobs:,}")
    return table


def parts(title: str, rows: Mapping[str, tuple[int, Part]]) -> Table:
    """Return what each part of the run of each fleet costs.

    Each row has the number of its scale sets. The cost of a sweep for each of them is compared with that of
    the first fleet in the same part.
    """
    table = _table(title)
    headings = ("AZURE'S min", "CPU s", "A MINUTE", "SWEEP ms", "PER SET", "RECONCILES", "SLOWEST ms")
    for heading in (*headings, "REQUESTS A MINUTE", "MOST", "429", "MB"):
        table.add_column(heading, justify="right")
    base: dict[str, timedelta] = {}
    for what, (sets, part) in rows.items():
        minutes, sweep = part.azure / timedelta(minutes=1), part.sweep / part.sweeps
        beside = base.setdefault(what.partition(": ")[2], sweep / sets)
        table.add_row(
            what,
            f"{minutes:,.1f}",
            f"{part.cpu.total_seconds():,.1f}",
            f"{part.cpu.total_seconds() / minutes:.2f}",
            f"{sweep / timedelta(milliseconds=1):,.0f}",
            _comparison(sweep / sets / beside),
            f"{part.reconciles:,}",
            f"{part.slowest / timedelta(milliseconds=1):,.0f}",
            f"{part.requests / minutes:,.0f}",
            f"{part.most:,}",
            f"{part.refused:,}",
            f"{part.resident / _MEGABYTE:,.0f}",
        )
    return table


def comments(title: str, rows: Mapping[int, Comment]) -> Table:
    """Return what the comment on a change of each number of scale sets costs."""
    table = _table(title)
    for heading in ("CHARACTERS", "REQUESTS", "CPU s", "CPU ms A SET", "PEAK MB"):
        table.add_column(heading, justify="right")
    for sets, each in rows.items():
        seconds = each.cpu.total_seconds()
        table.add_row(
            f"{sets:,} scale sets",
            f"{each.characters:,}",
            f"{each.requests:,}",
            f"{seconds:,.1f}",
            f"{1000 * seconds / sets:,.1f}",
            f"{each.peak / _MEGABYTE:,.0f}",
        )
    return table


def buckets(title: str, rows: Mapping[str, Part], sizes: Mapping[str, int]) -> Table:
    """Return how little was left of each bucket of Azure. `sizes` are those of full ones."""
    table = _table(title)
    for bucket, size in sizes.items():
        table.add_column(f"{bucket.removesuffix('SubscriptionMaximum')} OF {size:,}", justify="right")
    for what, part in rows.items():
        table.add_row(what, *(f"{part.least[each]:,}" if each in part.least else "" for each in sizes))
    return table


def delays(title: str, rows: Mapping[str, tuple[Sequence[float], float | None]]) -> Table:
    """Return the best and the median of each list of seconds, and the seconds that are aimed at."""
    table = _table(title)
    for heading in ("BEST s", "MEDIAN s", "WORST s", "AIM s"):
        table.add_column(heading, justify="right")
    for what, (seconds, aim) in rows.items():
        shown = (f"{each:,.1f}" for each in (min(seconds), statistics.median(seconds), max(seconds)))
        table.add_row(what, *shown, f"{aim:g}" if aim else "")
    return table


def starts(title: str, seconds: Mapping[str, Sequence[float]], aims: Mapping[str, float]) -> Table:
    """Return the least CPU time of each command, its ratio to that of the first, and the ratio aimed at."""
    base = min(next(iter(seconds.values())))
    table = _table(title)
    for heading in ("CPU s", "RATIO", "AIM"):
        table.add_column(heading, justify="right")
    for what, each in seconds.items():
        aim = f"{aims[what]:g}" if what in aims else ""
        table.add_row(what, f"{min(each):.2f}", f"{min(each) / base:.1f}", aim)
    return table


def page(sets: int, rolling: int, watchers: int, found: Mapping[str, Sequence[float]]) -> Table:
    """Return what the page of a fleet costs, and what those who watch it cost a reconcile."""
    table = _table(f"The page of {sets:,} scale sets, while {rolling} of them roll")
    for heading in ("TIMES", "MEDIAN ms", "SLOWEST ms", "MEDIAN RATIO", "SLOWEST RATIO", "AIM ms"):
        table.add_column(heading, justify="right")
    alone, size = found["alone"], statistics.median(found["size"]) / 1000
    for what, key, aim in (
        ("a reconcile while nobody watches", "alone", ""),
        (f"a reconcile while {watchers} browsers watch", "watched", ""),
        (f"CPU of an update of {size:.0f} KB for {watchers} browsers", "update", "50"),
        ("the whole page, over loopback", "paint", "1000"),
    ):
        seconds = found[key]
        median, slowest = statistics.median(seconds), max(seconds)
        ratios = ("", "")
        if key == "watched":
            ratios = (f"{median / statistics.median(alone):.2f}", f"{slowest / max(alone):.2f}")
        table.add_row(
            what, f"{len(seconds):,}", f"{median * 1000:,.1f}", f"{slowest * 1000:,.0f}", *ratios, aim
        )
    return table


def excesses(rows: Sequence[Row], measures: Sequence[Measure]) -> Iterator[str]:
    """Return each figure in which the reconciler costs more than the script, as a sentence."""
    for row in rows:
        if row.beside is None:
            continue
        ratios = {measure.title: _ratio(row.cost, row.beside, measure) for measure in measures}
        more = [f"{title} {ratio:.2f}x" for title, ratio in ratios.items() if ratio > 1]
        if more:
            yield f"{row.what}: {', '.join(more)}"


def _ratio(ours: Figures, script: Figures, measure: Measure) -> float:
    """Return the ratio, or 1.0 if only noise lies between the two."""
    ratio = measure.of(ours) / measure.of(script)
    return 1.0 if abs(ratio - 1) <= measure.noise else ratio


def _comparison(ratio: float) -> str:
    """
    >>> _comparison(20 / 1020), _comparison(1.3), _comparison(1.0)
    ('51x less', '1.30x more', 'same')
    """
    if ratio == 1:
        return "same"
    times, word = (ratio, "more") if ratio > 1 else (1 / ratio, "less")
    return f"{times:.0f}x {word}" if times >= 10 else f"{times:.2f}x {word}"


def _table(title: str) -> Table:
    table = Table(
        title=title, title_justify="left", title_style="bold", box=None, pad_edge=False, padding=(0, 1, 0, 0)
    )
    table.add_column("", no_wrap=True)
    return table
