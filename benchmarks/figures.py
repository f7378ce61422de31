"""What a job cost, and how such figures come from the process that measured them."""

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any


@dataclass(frozen=True, slots=True)
class Figures:
    """The costs of a job, or of a process so far. The difference of two is what came between them."""

    requests: float
    writes: float
    bytes: float  # in the bodies, both ways
    cpu: timedelta  # of the client, with git's where it calls git
    simulator: timedelta  # CPU too: that of its Azure, which lives in the same process
    azure: timedelta  # by Azure's clock
    peak: int  # the most bytes that were resident since the process began; never subtracted

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
        """One of `times` equal jobs."""
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
    """The figures that `python -m benchmarks.MODULE ARGUMENTS` tells.

    The peak memory of a process counts that of the one it was forked from: this one stays small, and
    imports neither the SDK nor the reconciler.
    """
    command = (sys.executable, "-m", f"benchmarks.{module}", *map(str, arguments))
    output = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True).stdout
    return {name: _read(each) for name, each in json.loads(output).items()}


def _read(output: dict[str, Any]) -> Figures:
    times = {name: timedelta(seconds=output[name]) for name in ("cpu", "simulator", "azure")}
    return Figures(**(output | times))


def _seconds(value: timedelta) -> float:
    return value.total_seconds()
