"""Three replicas of the real program, the API server that they ask, and the simulated Azure whose record judges them."""

import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import groupby, pairwise
from pathlib import Path
from typing import Any

from reconciler.cluster.timing import Timing
from reconciler.simulator import Simulator, WallClock
from reconciler.simulator.message import Request, Response
from reconciler.simulator.record import Exchange
from reconciler.simulator.server import Server
from tests.cli.program import Daemon, bare, until
from tests.cli.settable_clock import SettableClock
from tests.cluster import server as real
from tests.cluster.wire import Wire
from tests.stories.world import NEW, fleet, scale_set

SETS = 60
TIMING = Timing(timedelta(seconds=8), timedelta(seconds=7), timedelta(seconds=1))
# The machine may be busy.
SLACK = timedelta(seconds=15)
LONGEST = 300.0  # seconds for all rollouts; on an idle machine they take a minute
SLOW = {"model": "0.3s", "upgrade": "1s", "boot": "1s", "health": "0.5s"}

AnyServer = real.ApiServer | real.GivenServer


def succession(timing: Timing) -> timedelta:
    """The Lease expires, that is noticed, and one write is waited out. Then the first observation takes place."""
    return timing.duration + timing.retry_period + timing.write_timeout


class Stamped:
    """The simulated Azure as one replica reaches it: each of its requests has its number."""

    def __init__(self, azure: Simulator, number: int) -> None:
        self._azure = azure
        self._number = number

    def __getattr__(self, name: str) -> Any:
        return getattr(self._azure, name)

    def handle(self, request: Request) -> Response:
        return self._azure.handle(replace(request, client=self._number))


@dataclass
class Replica:
    """One replica. `number` is that of its requests. `clock` is None if it has the time of day of this machine."""

    number: int
    wire: Wire
    clock: SettableClock | None
    daemon: Daemon

    def leads(self) -> bool:
        return "vmss_reconciler_leader 1.0" in self.daemon.get("/metrics")[1]


class Cluster:
    """Three replicas that follow the same specs."""

    def __init__(
        self,
        api: AnyServer,
        directory: Path,
        opened: ExitStack,
        *options: object,
        timing: Timing = TIMING,
        pace: dict[str, str] = SLOW,
        has_clocks: bool = False,
    ) -> None:
        """`options` are those of the program, among them where the specs are."""
        self.api = api
        self.directory = directory
        self.timing = timing
        self.azure = Simulator.load(fleet(scale_set(count=SETS, capacity=3), timings=pace), WallClock())
        self.names = [f"web-{number:04}" for number in range(SETS)]
        self._opened = opened
        self._options = options
        self._starts = 0
        self.replicas = [self._replica(number, has_clock=has_clocks) for number in (1, 2, 3)]
        for each in self.replicas:
            each.daemon.started()

    def _replica(self, number: int, *, has_clock: bool) -> Replica:
        home = self.directory / f"replica-{number}"
        home.mkdir()
        wire = Wire(self.api.host, self.api.port)
        self._opened.callback(wire.close)
        clock = SettableClock(home) if has_clock else None
        return Replica(number, wire, clock, self._daemon(number, wire, clock))

    def _daemon(self, number: int, wire: Wire, clock: SettableClock | None) -> Daemon:
        """A new process, with a new clone and a new log."""
        self._starts += 1
        home = self.directory / f"start-{self._starts}"
        home.mkdir()
        azure = self._opened.enter_context(Server(Stamped(self.azure, number)))  # type: ignore[arg-type]
        environment = {
            **bare(),
            **azure.environment,
            "VMSS_RECONCILER_ARM_ENDPOINT": azure.url,
            "KUBECONFIG": str(self.api.kubeconfig(home / "kubeconfig", wire.port)),
            "SSL_CERT_FILE": str(azure.ca_file),
            **(clock.environment if clock else {}),
        }
        times = {
            "lease-duration": self.timing.duration,
            "renew-deadline": self.timing.renew_deadline,
            "retry-period": self.timing.retry_period,
        }
        options = [f"--leader-elect-{name}={value.seconds}s" for name, value in times.items()]
        # What is loaded into a process when it starts is not loaded into one that is forked.
        under = ["env"] if clock else []
        daemon = Daemon(*self._options, "--leader-elect", *options, env=environment, cwd=home, under=under)
        return self._opened.enter_context(daemon)

    def restart(self, replica: Replica) -> None:
        """Start a replica anew that has ended."""
        replica.daemon = self._daemon(replica.number, replica.wire, replica.clock).started()

    def leader(self) -> Replica:
        """The one that leads. Waits until one does."""
        return until(lambda: next((each for each in self.replicas if each.leads()), None), self.story)

    def exchanges(self) -> Sequence[Exchange]:
        """The writes, in the order in which Azure received them."""
        found = (each for each in self.azure.record.requests if each.method != "GET")
        return sorted(found, key=lambda each: each.at)

    def writes(self) -> Sequence[tuple[datetime, int]]:
        return [(each.at, each.client) for each in self.exchanges()]

    def writer_after(self, at: datetime, *, other_than: int = 0) -> tuple[datetime, int] | None:
        """The first write after this moment."""
        return next(((when, who) for when, who in self.writes() if when > at and who != other_than), None)

    def finish(self) -> None:
        """Wait until every instance has the image."""
        end = time.monotonic() + LONGEST
        while not self.is_on(NEW):
            assert time.monotonic() < end, self.story()
            time.sleep(0.2)

    def is_on(self, version: str) -> bool:
        """Whether every instance has the image."""
        images = (image for name in self.names for image in self.azure.record.images(name).values())
        return all(image.endswith(version) for image in images)

    def story(self) -> str:
        tenures = [(who, len(list(each))) for who, each in groupby(self.writes(), key=lambda write: write[1])]
        logs = ["\n".join(each.daemon.log()[-8:]) for each in self.replicas]
        return f"writes: {tenures}\n" + "\n\n".join(logs)

    def hasty_handovers(self) -> Sequence[tuple[tuple[datetime, int], tuple[datetime, int]]]:
        """Each two writes of different replicas that may have been under way at one moment."""
        least = self.timing.write_timeout
        return [
            (before, after)
            for before, after in pairwise(self.writes())
            if before[1] != after[1] and after[0] - before[0] < least
        ]

    def judge(self, *, released: int = 0) -> None:
        """No two replicas wrote at one moment, and no more than one domain of a scale set was out of service."""
        hasty = self.hasty_handovers()
        assert len(hasty) <= released, hasty
        for name in self.names:
            assert self.azure.record.max_unavailable_domains(name) <= 1, name
