"""What a large fleet costs: a first observation, an hour without changes, and a rollout of some scale sets.

    python -m benchmarks.scale 1000 100 100

The last number is that of the scale sets that roll. The simulated Azure is a process of its own and throttles
as Azure does. The daemon is real except for its threads (`benchmarks.daemon`).
"""

import sys
import tempfile
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from time import process_time, thread_time
from typing import Any

from benchmarks.apart import AzureApart, serve_apart
from benchmarks.azure import GROUP, NEW, OLD, image, name
from benchmarks.daemon import Daemon, write_specs
from benchmarks.figures import Part, tell
from reconciler.daemon.specs import Directory
from reconciler.daemon.state import ScaleSetState
from reconciler.rollout.observed import Model
from reconciler.rollout.reason import Reason
from reconciler.spec.image import version

_HOUR = timedelta(hours=1)
_STATUS = Path("/proc/self/status")


def fleet(sets: int, instances: int) -> dict[str, Any]:
    """A fleet on OLD, each scale set in five update domains, and an Azure that throttles."""
    publisher = {key: value for key, value in image(OLD).items() if key != "version"}
    return {
        "throttling": True,
        "images": {"platform": [{**publisher, "versions": [OLD, NEW]}]},
        "timings": {"upgrade": "60s", "boot": "20s", "health": "15s"},
        "scaleSets": [
            {
                "name": "web",
                "count": sets,
                "capacity": instances,
                "resourceGroup": GROUP,
                "health": "extension",
                "image": {"platform": image(OLD)},
            }
        ],
    }


class Meter:
    """Runs the daemon, and measures it."""

    def __init__(self, azure: AzureApart, specs: Path) -> None:
        self._azure = azure
        self.daemon = Daemon(azure, Directory(specs))
        self._slowest = self._sweep = 0.0
        self._sweeps = self._reconciles = 0
        work = self.daemon.reconciler
        sweep, reconcile = work.sweep, work.reconcile

        def measured_sweep() -> tuple[str, ...]:
            began = thread_time()
            due = sweep()
            self._sweeps += 1
            self._sweep += thread_time() - began
            return due

        def measured_reconcile(key: str) -> Any:
            began = thread_time()
            outcome = reconcile(key)
            self._reconciles += 1
            self._slowest = max(self._slowest, thread_time() - began)
            return outcome

        work.sweep = measured_sweep  # type: ignore[method-assign]
        work.reconcile = measured_reconcile  # type: ignore[method-assign]

    def part(self, until: Callable[[], bool] | None = None) -> Part:
        """Run until `until()`, by default until everything is settled."""
        self._slowest = self._sweep = 0.0
        self._sweeps = self._reconciles = 0
        self._azure.forget()
        began, at = process_time(), self._azure.clock.now()
        self.daemon.run(until)
        counted = self._azure.by_minute
        return Part(
            azure=self._azure.clock.now() - at,
            cpu=timedelta(seconds=process_time() - began),
            sweeps=self._sweeps,
            sweep=timedelta(seconds=self._sweep),
            reconciles=self._reconciles,
            slowest=timedelta(seconds=self._slowest),
            requests=counted.total(),
            most=max(counted.values(), default=0),
            refused=self._azure.refused,
            least=dict(self._azure.least),
            resident=resident(),
        )


def resident() -> int:
    """The bytes that this process has in memory now."""
    line = next(each for each in _STATUS.read_text().splitlines() if each.startswith("VmRSS"))
    return int(line.split()[1]) * 1024


def main(sets: int, instances: int, rolling: int) -> None:
    """Run the measurement, and print the figures of each part when it ends."""
    with tempfile.TemporaryDirectory(prefix="reconciler-bench-") as scratch:
        specs = Path(scratch) / "specs"
        write_specs(specs, sets, OLD)
        with serve_apart(fleet(sets, instances)) as azure:
            meter = Meter(azure, specs)
            tell({"first": meter.part()})
            end = azure.clock.now() + _HOUR
            tell({"settled": meter.part(lambda: azure.clock.now() >= end)})
            if rolling:
                tell({"rolling": _roll(azure, meter, specs, rolling)})


def _roll(azure: AzureApart, meter: Meter, specs: Path, rolling: int) -> Part:
    names = [name(number) for number in range(rolling)]
    store = meter.daemon.reconciler.store
    keys = [each.key for each in store.states() if each.desired.name in names]
    for each in names:
        file = specs / f"{each}.yaml"
        file.write_text(file.read_text().replace(OLD, NEW))

    part = meter.part(lambda: all(is_rolled(store.get(key)) for key in keys))
    assert azure.images(names) == {NEW}
    return part


def is_rolled(state: ScaleSetState | None) -> bool:
    """Whether the rollout of a scale set to NEW has ended."""
    return state is not None and _runs(state.seen.model, NEW) and _is_up_to_date(state)


def _runs(model: Model | None, wanted: str) -> bool:
    return model is not None and model.image is not None and version(model.image) == wanted


def _is_up_to_date(state: ScaleSetState) -> bool:
    return state.outcome is not None and state.outcome.reason is Reason.UP_TO_DATE


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
