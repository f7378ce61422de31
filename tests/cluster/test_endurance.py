"""Three replicas roll out one image after another, and once a minute something happens to them: `make endure`.

CLUSTER_MINUTES says how long, CLUSTER_SEED which faults. At the end the record of the simulated Azure is judged, and
figures are printed.
"""

import os
import random
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import cycle, pairwise
from pathlib import Path
from threading import Event, Thread

import pytest
import yaml

from reconciler.cluster.timing import Timing
from tests.cli.settable_clock import IS_MISSING, WHY_MISSING
from tests.cluster import server as real
from tests.cluster.faults_of_endurance import FAULTS, Site, play
from tests.cluster.replicas import SETS, Cluster, Replica, succession
from tests.git.conftest import empty, fresh_machine  # noqa: F401 - fixtures
from tests.git.forge import Forge, serve
from tests.git.remote import Remote
from tests.stories.world import FIX, NEW, OLD, spec

MINUTES = float(os.environ.get("CLUSTER_MINUTES", "0"))
SEED = int(os.environ.get("CLUSTER_SEED", "1"))
EVERY = timedelta(minutes=1)
TIMING = Timing(timedelta(seconds=15), timedelta(seconds=10), timedelta(seconds=2))
PACE = {"model": "1s", "upgrade": "4s", "boot": "3s", "health": "2s"}
OFTEN = ("--sweep", "5s", "--requeue-after", "4s")
# The machine may be busy: a start of the program, the first observation, a commit that has to be found.
SLACK = timedelta(seconds=30)
SETTLED = 300.0  # seconds after the last fault
_PROC = Path("/proc")

pytestmark = [
    pytest.mark.skipif(not MINUTES, reason="takes an hour: run `make endure`"),
    pytest.mark.skipif(real.BINARIES not in os.environ, reason="needs an API server that it may stop"),
    pytest.mark.skipif(IS_MISSING, reason=WHY_MISSING),
    pytest.mark.timeout(MINUTES * 60 + 900),
]


@dataclass(frozen=True)
class Footprint:
    """What a process takes at one moment."""

    megabytes: float
    threads: int
    descriptors: int

    @classmethod
    def of(cls, pid: int) -> "Footprint":
        status = dict(line.split(":", 1) for line in (_PROC / f"{pid}/status").read_text().splitlines())
        descriptors = len(list((_PROC / f"{pid}/fd").iterdir()))
        return cls(int(status["VmRSS"].split()[0]) / 1000, int(status["Threads"]), descriptors)

    def __str__(self) -> str:
        return f"{self.megabytes:.0f} MB, {self.threads} threads, {self.descriptors} descriptors"


@dataclass
class Watch:
    """Asks each replica every second whether it leads, and notes what its process takes."""

    cluster: Cluster
    led: list[tuple[float, int]] = field(default_factory=list)  # the moment, and the number of the replica
    footprints: dict[int, list[tuple[float, Footprint]]] = field(default_factory=dict)  # by process
    _ended: Event = field(default_factory=Event)
    _threads: list[Thread] = field(default_factory=list)

    def __enter__(self) -> "Watch":
        self._threads = [Thread(target=self._look, args=(each,)) for each in self.cluster.replicas]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join()

    def _look(self, replica: Replica) -> None:
        while not self._ended.wait(1):
            try:
                if replica.leads():
                    self.led.append((time.monotonic(), replica.number))
                found = Footprint.of(replica.daemon.pid)
            except (OSError, ValueError, KeyError):  # it has ended, is paused, or its page is not there yet
                continue
            self.footprints.setdefault(replica.daemon.pid, []).append((time.monotonic(), found))

    def longest_without_leader(self) -> timedelta:
        moments = sorted(at for at, _ in self.led)
        return timedelta(seconds=max(after - before for before, after in pairwise(moments)))


@pytest.fixture
def site(tmp_path: Path, empty: Remote, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:  # noqa: F811
    for role in ("AUTHOR", "COMMITTER"):
        monkeypatch.delenv(f"GIT_{role}_DATE")
    with ExitStack() as opened:
        api = opened.enter_context(real.serve(tmp_path / "kube"))
        assert isinstance(api, real.ApiServer), "it is stopped and paused"
        api.create_lease()
        forge: Forge = opened.enter_context(serve(empty.bare.parent))
        declare(empty, NEW)
        cluster = Cluster(
            api, tmp_path, opened, "--git", forge.url(), *OFTEN, timing=TIMING, pace=PACE, has_clocks=True
        )
        yield Site(cluster, api, forge, random.Random(SEED))  # noqa: S311 - no security


def declare(remote: Remote, version: str) -> None:
    """Push a commit that declares this image for each scale set."""
    for number in range(SETS):
        name = f"web-{number:04}"
        remote.write(f"specs/{name}.yaml", yaml.safe_dump(spec(name, version)))
    remote.push(f"Roll out {version}")


@dataclass
class Rollouts:
    """Declares the next image as soon as every instance has the last one."""

    cluster: Cluster
    remote: Remote
    done: int = 0
    version: str = NEW
    _ended: Event = field(default_factory=Event)

    def run(self) -> None:
        for version in cycle((FIX, OLD, NEW)):
            while not self.cluster.is_on(self.version):
                if self._ended.wait(1):
                    return
            self.done += 1
            self.version = version
            declare(self.remote, version)

    def __enter__(self) -> "Rollouts":
        self._thread = Thread(target=self.run)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()


class Report:
    """What happened, in a file beside the API server, line by line."""

    def __init__(self) -> None:
        self._file = Path(os.environ[real.BINARIES]) / "endurance.txt"
        self._file.write_text("")
        self.add(f"{MINUTES:g} minutes, seed {SEED}, {SETS} scale sets of 3, {TIMING}")

    def add(self, line: str) -> None:
        with self._file.open("a") as file:
            file.write(f"{line}\n")


def test_three_replicas_endure_a_fault_a_minute(site: Site, empty: Remote) -> None:  # noqa: F811
    cluster, faults, report = site.cluster, Counter[str](), Report()
    longest_fault = timedelta()
    cluster.leader()
    began = datetime.now(UTC)
    end = time.monotonic() + MINUTES * 60
    with Watch(cluster) as watch, Rollouts(cluster, empty) as rollouts:
        while (fault_at := time.monotonic()) < end:
            name = site.random.choice([*FAULTS])
            at = datetime.now(UTC) - began
            lasted = play(site, FAULTS[name])
            longest_fault = max(longest_fault, lasted)
            faults[name] += 1
            report.add(f"{at!s:.7} {lasted.total_seconds():3.0f} s: {name}")
            time.sleep(max(0.0, fault_at + EVERY.total_seconds() - time.monotonic()))
    ended = datetime.now(UTC)
    settled = time.monotonic() + SETTLED
    while not cluster.is_on(rollouts.version):
        assert time.monotonic() < settled, cluster.story()
        time.sleep(1)

    writes = [each for each in cluster.writes() if began <= each[0] <= ended]
    without_write = max(after - before for (before, _), (after, _) in pairwise(writes))
    without_leader = watch.longest_without_leader()
    first, last = footprints(watch)
    figures = {
        **faults,
        "faults": faults.total(),
        "the longest fault": longest_fault,
        "rollouts of the fleet": rollouts.done,
        "writes": len(writes),
        "takeovers": sum(before[1] != after[1] for before, after in pairwise(writes)),
        "handovers sooner than a write may take": len(cluster.hasty_handovers()),
        "longest time without a leader": without_leader,
        "longest time without a write": without_write,
        "the oldest process two minutes after its start": first,
        "the same at its end": last,
    }
    for what, figure in figures.items():
        report.add(f"| {what} | {figure} |")
    for seen in watch.footprints.values():
        report.add(f"{(seen[-1][0] - seen[0][0]) / 60:3.0f} min: {seen[0][1]}; then {seen[-1][1]}")

    cluster.judge(released=site.terminations)
    assert without_leader < longest_fault + succession(TIMING) + SLACK
    assert without_write < longest_fault + succession(TIMING) + SLACK
    assert rollouts.done >= MINUTES / 6
    assert last.threads <= first.threads + 5
    assert last.descriptors <= first.descriptors + 20
    assert last.megabytes <= 1.3 * first.megabytes + 20


def footprints(watch: Watch) -> tuple[Footprint, Footprint]:
    """Of the process that ran longest: two minutes after its start, and ten seconds before its end."""
    seen = max(watch.footprints.values(), key=lambda each: each[-1][0] - each[0][0])
    warm, end = seen[0][0] + 120, seen[-1][0] - 10  # at the very end it may be exiting
    first = next((each for at, each in seen if at >= warm), seen[0][1])
    return first, next((each for at, each in reversed(seen) if at <= end), seen[-1][1])
