"""`make bench`: measures, prints, and reports where the reconciler costs more than the script."""

import sys
from collections.abc import Iterator, Mapping
from itertools import chain

from rich.console import Console

from benchmarks import tables
from benchmarks.figures import (
    Figures,
    Part,
    measure,
    measure_comment,
    measure_costs,
    measure_delays,
    measure_parts,
)
from benchmarks.start_up import AZ
from benchmarks.tables import Row

_NOTES = """\
The script makes one call after another. It lists the scale sets and the instances of each. For a rollout it
calls begin_update and, for each update domain, begin_update_instances, waits for their .result(), and lists
the instances every 15 s until they are healthy. It does not resume a rollout, and it checks nothing else.
CPU s is the time of the client; values within a tenth count as equal. The simulated Azure runs in the same
process and is excluded, and so are the imports.
MB is the size of all bodies. PEAK MB is the resident memory, including the simulated Azure.
AZURE'S s is measured by Azure's clock: the model takes 8 s, a boot 20 s, health 15 s. It begins with a sweep;
a merge waits for the next sweep, half a minute on average.
The first observation requests each scale set 200 ms after the previous one, as the loop does. Afterwards
each scale set is observed once in its interval (at most 1 h): some 1,050 lists of instances in an hour.
Of the specs in one repository, SECONDS are those of a clock on the wall, and CPU s includes that of git.
The merges without a webhook are spread evenly over the interval between two sweeps, one minute.
Rollouts that nobody watches alternate with others in one run, by a clock on the wall, and the daemon does not
pause between its reconciles. The CPU time of an update includes that of sending it."""
_MERGES = 5
_PLANNED = (100, 200, 400, 1000)
_STARTS = 12


# The scale sets, the instances of each, and how many of the scale sets roll. The first is the baseline.
_FLEETS = ((100, 100, 10), (1000, 100, 100), (10_000, 20, 0))
_FULL = {
    "HighCostGetVMScaleSetSubscriptionMaximum": 1080,
    "VMScaleSetVMViewsSubscriptionMaximum": 30_000,
    "GetVMScaleSetSubscriptionMaximum": 2400,
    "VMScaleSetActionsSubscriptionMaximum": 1500,
    "VMScaleSetBatchedVMRequestsSubscriptionMaximum": 6000,
}
_PARTS = {
    "first": "first observation",
    "settled": "an hour without changes",
    "rolling": "a rollout of a tenth",
}


def main() -> None:
    """Run the measurements, each in a process of its own."""
    console = Console(width=160, highlight=False)
    if sys.argv[1:] == ["scale"]:
        scale(console)
        return
    excesses = [*sweep(console), *rollout(console)]
    budget(console)
    specs(console)
    merge(console)
    plan(console)
    start_up(console)
    page(console)
    console.print("[bold]Where the reconciler costs more than the script")
    for line in excesses:
        console.print(f"  {line}")
    console.print(f"\n{_NOTES}")


def sweep(console: Console) -> Iterator[str]:
    """Print the figures of a sweep, and return those that exceed the script's."""
    sets, instances = 1000, 20
    script, ours = _both("sweep", sets, instances, 60)
    beside = script["sweep"]
    rows = [
        Row("script: is everything up to date?", beside),
        Row("reconciler: a sweep, specs from a directory", ours["sweep"], beside),
        Row("reconciler: a sweep, specs from git", ours["sweep, git"], beside),
        Row("reconciler: a sweep that finds one changed spec", ours["sweep, change"]),
        Row("reconciler: the first observation after a start", ours["first observation"], beside),
    ]
    title = f"A sweep over {sets:,} sets x {instances} instances, all up to date"
    console.print(tables.costs(title, rows, tables.SWEEP), "")
    processes = {
        "script": [script["imports"], script["before"], beside],
        "reconciler": [ours["imports"], ours["before"], ours["sweep, git"]],
    }
    console.print(tables.memory(processes), "")
    return tables.excesses(rows, tables.SWEEP)


def rollout(console: Console) -> Iterator[str]:
    """Print the figures of rollouts, and return those that exceed the script's."""
    rows: list[Row] = []
    remarks: list[str] = []
    for sets, instances, upgrade in ((1, 100, 60), (1, 100, 120), (20, 20, 90)):
        script, ours = (each["rollout"] for each in _both("rollout", sets, instances, upgrade))
        job = f"{sets} x {instances}, {upgrade} s"
        rows += [Row(f"script: {job}", script), Row(f"reconciler: {job}", ours, script)]
        if sets > 1:
            alone = tables.AZURE.of(script / sets)
            remarks.append(
                f"reconciler: {job}: {sets} scripts at once would need {alone:,.0f} of Azure's seconds, "
                f"it needs {tables.AZURE.of(ours):,.0f}"
            )
    title = (
        "A rollout: sets x instances, in five update domains each, and how long Azure takes for an upgrade"
    )
    console.print(tables.costs(title, rows, tables.ROLLOUT), "")
    return chain(tables.excesses(rows, tables.ROLLOUT), remarks)


def budget(console: Console) -> None:
    """Print the cost of computing the request budgets, and the same for ten scale sets."""
    costs = {sets: measure("budget", sets)["lists"] for sets in (10, 1000, 10_000)}
    rows = [Row(f"{sets:,} sets", cost, None if sets == 10 else costs[10]) for sets, cost in costs.items()]
    title = "The request budgets, for one list of instances"
    console.print(tables.costs(title, rows, tables.BUDGET), "")


def specs(console: Console) -> None:
    """Print what many specs in one repository cost."""
    number = 10_000
    parts, start = (measure_costs("specs", job, number) for job in ("parts", "start"))
    rows = {
        "fetch and read the files": parts["fetch"],
        "validate them": parts["validate"],
        "a start without a clone: both, and take them over": start["start"],
        "a sweep that finds no new commit": start["unchanged"],
        "a commit that changes one spec": start["change"],
    }
    console.print(tables.steps(f"{number:,} specs in one repository", rows), "")


def merge(console: Console) -> None:
    """Print how long it takes until Azure has the first PATCH of a merge."""
    seconds = measure_delays("merge", _MERGES)
    rows = {
        "from a webhook": (seconds["webhook"], 5.0),
        "from a webhook right after a sweep": (seconds["webhook after another"], 5.0),
        "from the poll that finds the commit": (seconds["poll"], 15.0),
        "from the merge, without a webhook": (seconds["merge"], None),
    }
    title = f"The first PATCH, with the real program at its default interval, {_MERGES} times each"
    console.print(tables.delays(title, rows), "")


def plan(console: Console) -> None:
    """Print what the comment on a change of a whole fleet costs."""
    instances = 20
    costs = {sets: measure_comment("planning", sets, instances) for sets in _PLANNED}
    title = f"plan --base -o markdown, for a change of all scale sets of {instances} instances in three waves"
    console.print(tables.comments(title, costs), "")


def start_up(console: Console) -> None:
    """Print what it costs to start a command."""
    aims = {
        "reconciler --help": 3.0,
        "reconciler completion bash": 3.0,
        "reconciler validate, ten files": 5.0,
        "reconciler status, from a daemon": 6.0,
    }
    seconds = measure_delays("start_up", _STARTS)
    title = f"The start of a command, the least of {_STARTS} times each"
    console.print(tables.starts(title, seconds, aims))
    if AZ not in seconds:
        console.print(f"{AZ} was not measured, because there is no az; `make test-clients` installs it")
    console.print("")


def page(console: Console) -> None:
    """Print what the pages cost, and whether those who watch them slow a reconcile."""
    sets, instances, rolling, watchers = 1000, 20, 100, 200
    seconds = measure_delays("page", sets, instances, rolling, watchers)
    console.print(tables.page(sets, rolling, watchers, seconds), "")


def scale(console: Console) -> None:
    """Print what fleets of several sizes cost."""
    rows: dict[str, tuple[int, Part]] = {}
    for sets, instances, rolling in _FLEETS:
        measured = measure_parts("scale", sets, instances, rolling)
        rows |= {f"{sets:,} x {instances}: {_PARTS[key]}": (sets, each) for key, each in measured.items()}
    console.print(tables.parts("Fleets of several sizes, sets x instances", rows), "")
    lowest = {what: part for what, (_, part) in rows.items()}
    console.print(tables.buckets("What was left of Azure's buckets at their lowest", lowest, _FULL))


def _both(job: str, sets: int, instances: int, upgrade: int) -> tuple[Mapping[str, Figures], ...]:
    """Return the script's figures and the reconciler's. `upgrade` is in seconds."""
    return tuple(measure(module, job, sets, instances, upgrade) for module in ("script", "daemon"))


if __name__ == "__main__":
    main()
