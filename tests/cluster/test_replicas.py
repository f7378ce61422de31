"""Three replicas of the real program, a real API server, and faults, judged by the record of the simulated Azure.

At no moment do two replicas write, and another one goes on in the time that docs/how-to/high-availability.md says.
"""

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.cli.program import until, write_specs
from tests.cli.settable_clock import IS_MISSING, WHY_MISSING
from tests.cluster import server as real
from tests.cluster.replicas import SETS, SLACK, TIMING, AnyServer, Cluster, Replica, succession
from tests.stories.world import spec

SUCCESSION = succession(TIMING)
HOUR = timedelta(hours=1)

pytestmark = [
    pytest.mark.skipif(real.IS_MISSING, reason=real.WHY_MISSING),
    pytest.mark.timeout(600),
]


@pytest.fixture
def released(real_api: AnyServer) -> Iterator[AnyServer]:
    """The server, with a Lease that nobody holds."""
    real_api.create_lease()
    yield real_api
    real_api.delete_lease()


@pytest.fixture
def cluster(released: AnyServer, tmp_path: Path) -> Iterator[Cluster]:
    specs = write_specs(tmp_path / "specs", *(spec(f"web-{number:04}") for number in range(SETS)))
    with ExitStack() as opened:
        yield Cluster(released, tmp_path, opened, "--specs", specs)


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


@pytest.mark.skipif(IS_MISSING, reason=WHY_MISSING)
@pytest.mark.parametrize("step", [pytest.param(-HOUR, id="back"), pytest.param(HOUR, id="forward")])
def test_the_leader_goes_on_when_its_clock_is_set(
    released: AnyServer, tmp_path: Path, step: timedelta
) -> None:
    """And it sees the specs that are declared from then on."""
    names = [f"web-{number:04}" for number in range(SETS)]
    specs = write_specs(tmp_path / "specs", *(spec(each) for each in names[: SETS // 2]))
    with ExitStack() as opened:
        cluster = Cluster(released, tmp_path, opened, "--specs", specs, has_clocks=True)
        leader = cluster.leader()
        until(lambda: len(cluster.writes()) > 10, cluster.story)
        began = datetime.now(UTC)
        assert leader.clock
        leader.clock.set_ahead(step)
        write_specs(specs, *(spec(each) for each in names[SETS // 2 :]))
        when, _ = until(lambda: cluster.writer_after(began), cluster.story)
        assert when - began < SUCCESSION + SLACK, cluster.story()
        cluster.finish()
        cluster.judge()
        assert {who for _, who in cluster.writes()} == {leader.number}, cluster.story()


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
