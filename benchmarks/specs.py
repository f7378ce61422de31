"""The costs of many specs in one repository: a start without a clone, and then commits of one spec.

python -m benchmarks.specs parts 10000
python -m benchmarks.specs start 10000
"""

import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from benchmarks.azure import OLD, imports
from benchmarks.daemon import change_spec, commit_specs, write_specs
from benchmarks.figures import Cost, tell
from reconciler.daemon.specs import Specs
from reconciler.spec.declared import declare
from tests.git.standin import StandIn

_COMMITS = 5  # of one spec each; their median is reported


class Meter:
    """Measures what a call costs, with the blobs that git reads for it."""

    def __init__(self, standin: StandIn) -> None:
        self._standin = standin

    def cost(self, call: Callable[[], object]) -> Cost:
        cpu, began = imports().cpu, time.monotonic()
        call()
        seconds, spent = time.monotonic() - began, imports()
        return Cost(timedelta(seconds=seconds), spent.cpu - cpu, spent.peak, len(self._standin.take_blobs()))


def parts(tree: Path, meter: Meter) -> dict[str, Cost]:
    """Fetch the specs, and validate them."""
    source = commit_specs(tree, tree.parent / "clone")
    fetched = meter.cost(source.read)
    files = source.read().files
    return {"fetch": fetched, "validate": meter.cost(lambda: declare(files))}


def start(tree: Path, meter: Meter) -> dict[str, Cost]:
    """Take the specs over, look for a newer commit, and then take over commits of one spec."""
    specs = Specs(commit_specs(tree, tree.parent / "clone"))
    found = {"start": meter.cost(specs.refresh), "unchanged": meter.cost(specs.refresh)}
    changes = []
    for number in range(_COMMITS):
        change_spec(tree, number)
        before = {id(each) for each in specs.scale_sets}
        changes.append(meter.cost(specs.refresh))
        assert sum(id(each) not in before for each in specs.scale_sets) == 1, "no other spec was parsed again"
    return found | {"change": statistics.median_low(changes)}


def main(job: str, specs: int) -> None:
    """Run the measurement and print its figures."""
    with tempfile.TemporaryDirectory(prefix="reconciler-bench-") as scratch:
        standin = StandIn.make(Path(scratch) / "bin")
        os.environ["PATH"] = standin.path
        tree = Path(scratch) / "specs"
        write_specs(tree, specs, OLD)
        tell({"parts": parts, "start": start}[job](tree, Meter(standin)))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
