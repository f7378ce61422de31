"""The costs of a job, and how they are passed on by the process that measured them."""

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
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


@dataclass(frozen=True, slots=True, order=True)
class Cost:
    """What a step costs that Azure has no part in. `seconds` are those of a clock on the wall."""

    seconds: timedelta
    cpu: timedelta  # including that of git
    peak: int  # the peak of resident bytes since the process began
    blobs: int  # files that were read from git


@dataclass(frozen=True, slots=True)
class Part:
    """What a part of the run of a large fleet costs the daemon, which is a process of its own.

    `azure` is the time by Azure's clock. `sweep` is the CPU time of all sweeps, `slowest` that of the slowest
    reconcile. `most` is the number of requests in the busiest minute, and `refused` that of those with a 429.
    `least` is what was left of each bucket at its lowest. `resident` are the bytes in memory at the end.
    """

    azure: timedelta
    cpu: timedelta
    sweeps: int
    sweep: timedelta
    reconciles: int
    slowest: timedelta
    requests: int
    most: int
    refused: int
    least: Mapping[str, int]
    resident: int


@dataclass(frozen=True, slots=True)
class Comment:
    """What the comment on a change costs: its length, and what the plan takes."""

    characters: int
    cpu: timedelta
    requests: int
    peak: int  # the peak of resident bytes since the process began


def tell(
    figures: Mapping[str, Figures] | Mapping[str, Cost] | Mapping[str, Part] | Mapping[str, Comment],
) -> None:
    """Print figures for the process that started this one."""
    print(json.dumps({name: asdict(each) for name, each in figures.items()}, default=_seconds), flush=True)


def measure(module: str, *arguments: object) -> Mapping[str, Figures]:
    """Return the figures that `python -m benchmarks.MODULE ARGUMENTS` prints.

    The peak memory of a process includes that of the process it was forked from. This process therefore stays
    small and imports neither the SDK nor the reconciler.
    """
    return {name: _read(each) for name, each in _output(module, *arguments).items()}


def measure_costs(module: str, *arguments: object) -> Mapping[str, Cost]:
    """Return the costs that `python -m benchmarks.MODULE ARGUMENTS` prints."""
    return {
        name: Cost(
            timedelta(seconds=each["seconds"]), timedelta(seconds=each["cpu"]), each["peak"], each["blobs"]
        )
        for name, each in _output(module, *arguments).items()
    }


def measure_parts(module: str, *arguments: object) -> Mapping[str, Part]:
    """Return the parts of a run that `python -m benchmarks.MODULE ARGUMENTS` prints."""
    times = ("azure", "cpu", "sweep", "slowest")
    return {
        name: Part(**(each | {time: timedelta(seconds=each[time]) for time in times}))
        for name, each in _output(module, *arguments).items()
    }


def measure_comment(module: str, *arguments: object) -> Comment:
    """Return the figures of the comment that `python -m benchmarks.MODULE ARGUMENTS` prints."""
    (printed,) = _output(module, *arguments).values()
    return Comment(**(printed | {"cpu": timedelta(seconds=printed["cpu"])}))


def measure_delays(module: str, *arguments: object) -> Mapping[str, Sequence[float]]:
    """Return the lists of seconds that `python -m benchmarks.MODULE ARGUMENTS` prints."""
    return _output(module, *arguments)


def _output(module: str, *arguments: object) -> dict[str, Any]:
    """Return the JSON that `python -m benchmarks.MODULE ARGUMENTS` prints, in one line or several."""
    command = (sys.executable, "-m", f"benchmarks.{module}", *map(str, arguments))
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True)
    printed: dict[str, Any] = {}
    for line in done.stdout.splitlines():
        printed |= json.loads(line)
    return printed


def _read(printed: dict[str, Any]) -> Figures:
    times = {name: timedelta(seconds=printed[name]) for name in ("cpu", "simulator", "azure")}
    return Figures(**(printed | times))


def _seconds(value: timedelta) -> float:
    return value.total_seconds()
