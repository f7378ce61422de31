"""Whether the memory of the daemon stays flat: a week of sweeps, and twice a day a rollout of each scale set.

    python -m benchmarks.flat 50 20 10000

The last number is that of the sweeps, a minute apart on the virtual clock. The simulated Azure is another
process. `make endure` counts the threads and descriptors of the real program.
"""

import gc
import json
import sys
import tempfile
from pathlib import Path

from benchmarks.apart import serve_apart
from benchmarks.azure import NEW, OLD, name
from benchmarks.daemon import Daemon, write_specs
from benchmarks.scale import fleet, resident
from reconciler.daemon.specs import Directory

_READINGS = 20
_ROLLOUT_EVERY = 720  # sweeps


def main(sets: int, instances: int, sweeps: int) -> None:
    """Run the measurement, and print the resident bytes after each part of the run."""
    with tempfile.TemporaryDirectory(prefix="reconciler-bench-") as scratch:
        specs = Path(scratch) / "specs"
        write_specs(specs, sets, OLD)
        with serve_apart(fleet(sets, instances)) as azure:
            daemon = Daemon(azure, Directory(specs))
            daemon.run()
            store, found, wanted = daemon.reconciler.store, [], OLD
            last = None
            for number in range(sweeps):
                if number % _ROLLOUT_EVERY == _ROLLOUT_EVERY - 1:
                    before, wanted = wanted, NEW if wanted == OLD else OLD
                    _declare(specs, sets, before, wanted)
                while store.last_sweep is last:
                    daemon.step()
                last = store.last_sweep
                if number % (sweeps // _READINGS) == 0:
                    gc.collect()
                    found.append((number, resident()))
            assert azure.images([name(0)]) == {wanted}, "the rollouts took place"
    print(json.dumps(found))


def _declare(specs: Path, sets: int, before: str, wanted: str) -> None:
    for number in range(sets):
        file = specs / f"{name(number)}.yaml"
        file.write_text(file.read_text().replace(before, wanted))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
