"""What may happen to three replicas while they work: each fault begins, lasts, and ends."""

import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random

from reconciler.simulator import Slow, Throttled
from tests.cluster import server as real
from tests.cluster.replicas import Cluster, Replica
from tests.git.forge import Forge

HOUR = timedelta(hours=1)


@dataclass
class Site:
    """The replicas, and what they depend on. `terminations` is how many were asked to stop."""

    cluster: Cluster
    api: real.ApiServer
    forge: Forge
    random: Random
    terminations: int = 0

    def victim(self) -> Replica:
        """The leader in most cases, otherwise any replica."""
        return (
            self.cluster.leader()
            if self.random.random() < 0.75
            else self.random.choice(self.cluster.replicas)
        )

    def past_the_lease(self) -> timedelta:
        timing = self.cluster.timing
        return timing.duration + timing.write_timeout + timedelta(seconds=self.random.uniform(3, 10))


Fault = Callable[[Site], AbstractContextManager[timedelta]]
"""Within the context it is in force. The value is how long it should be."""


@contextmanager
def kill(site: Site) -> Iterator[timedelta]:
    victim = site.victim()
    victim.daemon.signal(signal.SIGKILL)
    victim.daemon.ended()
    yield timedelta(seconds=site.random.uniform(0, 30))
    site.cluster.restart(victim)


@contextmanager
def terminate(site: Site) -> Iterator[timedelta]:
    victim = site.victim()
    site.terminations += 1
    victim.daemon.signal(signal.SIGTERM)
    victim.daemon.ended()
    yield timedelta(seconds=site.random.uniform(0, 10))
    site.cluster.restart(victim)


@contextmanager
def pause(site: Site) -> Iterator[timedelta]:
    victim = site.victim()
    victim.daemon.signal(signal.SIGSTOP)
    yield site.past_the_lease()
    victim.daemon.signal(signal.SIGCONT)


@contextmanager
def cut(site: Site) -> Iterator[timedelta]:
    victim = site.victim()
    victim.wire.cut()
    yield site.past_the_lease()
    victim.wire.mend()


@contextmanager
def stop_api(site: Site) -> Iterator[timedelta]:
    site.api.stop()
    yield site.past_the_lease()
    site.api.start()


@contextmanager
def pause_api(site: Site) -> Iterator[timedelta]:
    site.api.pause()
    yield site.past_the_lease()
    site.api.go_on()


@contextmanager
def throttle(site: Site) -> Iterator[timedelta]:
    length = timedelta(seconds=20)
    fault = Throttled(retry_after=timedelta(seconds=10))
    site.cluster.azure.faults.arm("*", fault, times=None, until=datetime.now(UTC) + length)
    yield length


@contextmanager
def hang(site: Site) -> Iterator[timedelta]:
    """Azure answers each request, and 15 seconds later."""
    length = timedelta(seconds=20)
    fault = Slow(delay=timedelta(seconds=15))
    site.cluster.azure.faults.arm("*", fault, times=None, until=datetime.now(UTC) + length)
    yield length


@contextmanager
def git_down(site: Site) -> Iterator[timedelta]:
    site.forge.answer = (503, {}, b"away")
    yield timedelta(seconds=30)
    site.forge.answer = None


@contextmanager
def set_clock(site: Site) -> Iterator[timedelta]:
    victim = site.victim()
    assert victim.clock
    victim.clock.set_ahead(site.random.choice([-HOUR, HOUR]))
    yield timedelta(seconds=30)
    victim.clock.set_ahead(timedelta())


FAULTS: Mapping[str, Fault] = {
    "kill -9 of a replica, started again": kill,
    "SIGTERM to a replica, started again": terminate,
    "a replica paused past its Lease": pause,
    "its connection to the API server cut": cut,
    "the API server stopped": stop_api,
    "the API server hung": pause_api,
    "Azure throttles": throttle,
    "Azure hangs": hang,
    "the git server is down": git_down,
    "the clock of a replica set by an hour, and back": set_clock,
}


def play(site: Site, fault: Fault) -> timedelta:
    """Let a fault happen. Returns how long it lasted."""
    began = time.monotonic()
    with fault(site) as length:
        time.sleep(length.total_seconds())
    return timedelta(seconds=time.monotonic() - began)
