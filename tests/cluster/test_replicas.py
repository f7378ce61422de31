"""Three replicas of the real program, a real API server, and faults, judged by the record of the simulated Azure.

At no moment do two replicas write, and another one goes on in the time that docs/how-to/high-availability.md says.
"""

import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import groupby, pairwise
from pathlib import Path
from typing import Any

import pytest

from reconciler.cluster.timing import Timing
from reconciler.simulator import Simulator, WallClock
from reconciler.simulator.message import Request, Response
from reconciler.simulator.server import Server
from tests.cli.program import Daemon, bare, until, write_specs
from tests.cluster import server as real
from tests.cluster.wire import Wire
from tests.stories.world import NEW, fleet, scale_set, spec

SETS = 60
TIMING = Timing(timedelta(seconds=8), timedelta(seconds=7), timedelta(seconds=1))
# The Lease expires, that is noticed, and one write is waited out. Then the first observation takes place. The machine may
# be busy.
SUCCESSION = TIMING.duration + TIMING.retry_period + TIMING.write_timeout
SLACK = timedelta(seconds=15)
LONGEST = 300.0  # seconds for all rollouts; on an idle machine they take a minute
SLOW = {"model": "0.3s", "upgrade": "1s", "boot": "1s", "health": "0.5s"}

pytestmark = [
    pytest.mark.skipif(
        not {real.BINARIES, real.GIVEN} & set(os.environ),
        reason="needs an API server: run `make test-cluster`",
    ),
    pytest.mark.timeout(600),
]
AnyServer = real.ApiServer | real.GivenServer


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
    number: int
    wire: Wire
    daemon: Daemon

    def leads(self) -> bool:
        return "vmss_reconciler_leader 1.0" in self.daemon.get("/metrics")[1]


class Cluster:
    """Three replicas that follow a directory of specs."""

    def __init__(self, api: AnyServer, directory: Path, opened: ExitStack) -> None:
        self.api = api
        self.directory = directory
        self.azure = Simulator.load(fleet(scale_set(count=SETS, capacity=3), timings=SLOW), WallClock())
        self.names = [f"web-{number:04}" for number in range(SETS)]
        self.specs = write_specs(directory / "specs", *(spec(each) for each in self.names))
        self._opened = opened
        self.replicas = [self._start(number) for number in (1, 2, 3)]
        for each in self.replicas:
            each.daemon.started()

    def _start(self, number: int) -> Replica:
        home = self.directory / f"replica-{number}"
        home.mkdir()
        azure = self._opened.enter_context(Server(Stamped(self.azure, number)))  # type: ignore[arg-type]
        wire = Wire(self.api.host, self.api.port)
        self._opened.callback(wire.close)
        kubeconfig = self.api.kubeconfig(home / "kubeconfig", wire.port)
        environment = {
            **bare(),
            **azure.environment,
            "VMSS_RECONCILER_ARM_ENDPOINT": azure.url,
            "KUBECONFIG": str(kubeconfig),
            "SSL_CERT_FILE": str(azure.ca_file),
        }
        options = {
            "lease-duration": TIMING.duration,
            "renew-deadline": TIMING.renew_deadline,
            "retry-period": TIMING.retry_period,
        }
        times = [f"--leader-elect-{name}={value.seconds}s" for name, value in options.items()]
        daemon = Daemon("--specs", self.specs, "--leader-elect", *times, env=environment, cwd=home)
        return Replica(number, wire, self._opened.enter_context(daemon))

    def leader(self) -> Replica:
        """The one that leads. Waits until one does."""
        return until(lambda: next((each for each in self.replicas if each.leads()), None), self.story)

    def writes(self) -> Sequence[tuple[datetime, int]]:
        return sorted((each.at, each.client) for each in self.azure.record.requests if each.method != "GET")

    def writer_after(self, at: datetime, *, other_than: int = 0) -> tuple[datetime, int] | None:
        """The first write after this moment."""
        return next(((when, who) for when, who in self.writes() if when > at and who != other_than), None)

    def finish(self) -> None:
        """Wait until every instance has the image."""
        end = time.monotonic() + LONGEST
        while not all(
            image.endswith(NEW) for name in self.names for image in self.azure.record.images(name).values()
        ):
            assert time.monotonic() < end, self.story()
            time.sleep(0.2)

    def story(self) -> str:
        tenures = [(who, len(list(each))) for who, each in groupby(self.writes(), key=lambda write: write[1])]
        logs = ["\n".join(each.daemon.log()[-8:]) for each in self.replicas]
        return f"writes: {tenures}\n" + "\n\n".join(logs)

    def judge(self, *, released: int = 0) -> None:
        """No two replicas wrote at one moment, and no more than one domain of a scale set was out of service."""
        handovers = [(before, after) for before, after in pairwise(self.writes()) if before[1] != after[1]]
        hasty = [
            (before, after) for before, after in handovers if after[0] - before[0] < TIMING.write_timeout
        ]
        assert len(hasty) <= released, hasty
        for name in self.names:
            assert self.azure.record.max_unavailable_domains(name) <= 1, name


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AnyServer]:
    with real.serve(tmp_path_factory.mktemp("kube") / "home") as server:
        yield server


@pytest.fixture
def cluster(api: AnyServer, tmp_path: Path) -> Iterator[Cluster]:
    api.create_lease()
    try:
        with ExitStack() as opened:
            yield Cluster(api, tmp_path, opened)
    finally:
        api.delete_lease()


def kill(_api: AnyServer, leader: Replica) -> None:
    leader.daemon.signal(signal.SIGKILL)


def pause(_api: AnyServer, leader: Replica) -> None:
    """Past its Lease, and until another one has written."""
    leader.daemon.signal(signal.SIGSTOP)


def cut(_api: AnyServer, leader: Replica) -> None:
    leader.wire.cut()


def stop_api(api: real.ApiServer, _leader: Replica) -> None:
    api.stop()
    time.sleep(TIMING.duration.total_seconds() + 4)
    api.start()


def pause_api(api: real.ApiServer, _leader: Replica) -> None:
    api.pause()
    time.sleep(TIMING.duration.total_seconds() + 4)
    api.go_on()


@pytest.mark.parametrize("fault", [kill, pause, cut])
def test_another_replica_goes_on_when_the_leader_cannot(cluster: Cluster, fault: Callable[..., None]) -> None:
    leader = cluster.leader()
    until(lambda: len(cluster.writes()) > 10, cluster.story)
    began = datetime.now(UTC)
    fault(cluster.api, leader)
    when, _ = until(lambda: cluster.writer_after(began, other_than=leader.number), cluster.story)
    assert when - began < SUCCESSION + SLACK, cluster.story()
    if fault is pause:
        leader.daemon.signal(signal.SIGCONT)
    leader.wire.mend()
    cluster.finish()
    cluster.judge()
    if fault is not kill:
        assert leader.daemon.get("/livez")[0] == 200


@pytest.mark.parametrize("fault", [stop_api, pause_api])
def test_nobody_writes_without_the_api_server_and_one_goes_on_with_it(
    cluster: Cluster, fault: Callable[..., None]
) -> None:
    if isinstance(cluster.api, real.GivenServer):
        pytest.skip("the API server is not ours to stop")
    leader = cluster.leader()
    until(lambda: len(cluster.writes()) > 10, cluster.story)
    began = datetime.now(UTC)
    fault(cluster.api, leader)
    back = datetime.now(UTC)
    without = [when for when, _ in cluster.writes() if began + TIMING.renew_deadline < when < back]
    assert without == [], cluster.story()
    when, _ = until(lambda: cluster.writer_after(back), cluster.story)
    assert when - back < SUCCESSION + SLACK, cluster.story()
    cluster.finish()
    cluster.judge()


def test_a_leader_that_is_stopped_hands_over_at_once(cluster: Cluster) -> None:
    leader = cluster.leader()
    until(lambda: len(cluster.writes()) > 10, cluster.story)
    leader.daemon.signal(signal.SIGTERM)
    assert leader.daemon.ended() == 0
    ended = datetime.now(UTC)
    assert not [when for when, who in cluster.writes() if when > ended and who == leader.number]
    when, _ = until(lambda: cluster.writer_after(ended), cluster.story)
    assert when - ended < TIMING.duration, cluster.story()
    cluster.finish()
    cluster.judge(released=1)
    assert cluster.api.lease()["spec"]["leaseTransitions"] == 2


def test_a_standby_shows_who_leads(cluster: Cluster) -> None:
    leader = cluster.leader()
    holder = cluster.api.lease()["spec"]["holderIdentity"]
    for each in cluster.replicas:
        shown = until(lambda each=each: (found := each.daemon.status()["replica"])["leader"] and found)  # type: ignore[misc]
        assert shown["leader"]["name"] == holder
        assert shown["leads"] == (each is leader)
        assert each.daemon.get("/readyz")[0] in {200, 503}
