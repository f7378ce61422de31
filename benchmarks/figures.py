"""The costs of a job, and how they are passed on by the process that measured them."""

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any


@dataclass(frozen=True, slots=True)
class Figures:
    """The costs of a job, or of a process so far. The difference of two is the cost of what came between."""

    requests: float
    writes: float
    bytes: float  # in the bodies, in both directions
    cpu: timedelta  # of the client, including that of git if it calls git
    simulator: timedelta  # CPU time of its Azure, which runs in the same process
    azure: timedelta  # by Azure's clock
    peak: int  # the peak of resident bytes since the process began; never subtracted

    def __sub__(self, before: "Figures") -> "Figures":
        return Figures(
            self.requests - before.requests,
            self.writes - before.writes,
            self.bytes - before.bytes,
            self.cpu - before.cpu,
            self.simulator - before.simulator,
            self.azure - before.azure,
            self.peak,
        )

    def __truediv__(self, times: int) -> "Figures":
        """Return the costs of one of `times` equal jobs."""
        return Figures(
            self.requests / times,
            self.writes / times,
            self.bytes / times,
            self.cpu / times,
            self.simulator / times,
            self.azure / times,
            self.peak,
        )


def tell(figures: Mapping[str, Figures]) -> None:
    """Print figures for the process that started this one."""
    print(json.dumps({name: asdict(each) for name, each in figures.items()}, default=_seconds))


def measure(module: str, *arguments: object) -> Mapping[str, Figures]:
    """Return the figures that `python -m benchmarks.MODULE ARGUMENTS` prints.

    The peak memory of a process includes that of the process it was forked from. This process therefore stays
    small and imports neither the SDK nor the reconciler.
    """
    command = (sys.executable, "-m", f"benchmarks.{module}", *map(str, arguments))
    output = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True).stdout
    return {name: _read(each) for name, each in json.loads(output).items()}


def _read(output: dict[str, Any]) -> Figures:
    times = {name: timedelta(seconds=output[name]) for name in ("cpu", "simulator", "azure")}
    return Figures(**(output | times))


def _seconds(value: timedelta) -> float:
    return value.total_seconds()
