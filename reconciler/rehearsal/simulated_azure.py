"""A simulator in this process, with a virtual clock and the client that the daemon uses."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from reconciler.azure.compute import Compute
from reconciler.azure.session import Session
from reconciler.simulator import Simulator, VirtualClock
from reconciler.simulator.credential import InProcessCredential


@dataclass(frozen=True, slots=True)
class SimulatedAzure:
    """A simulator, its clock, and a client for it.

    As a context manager, closes the connections of the client on exit.
    """

    simulator: Simulator
    clock: VirtualClock
    session: Session
    compute: Compute

    def sleep(self, seconds: float) -> None:
        """Advance the clock by this many seconds, without a real wait."""
        self.clock.advance(timedelta(seconds=seconds))

    def __enter__(self) -> "SimulatedAzure":
        return self

    def __exit__(self, *_: object) -> None:
        self.session.close()


def simulate(fleet: Mapping[str, Any], at: datetime) -> SimulatedAzure:
    """Load a fleet into a simulator whose clock begins at `at`. Raises FleetError if `fleet` is invalid."""
    clock = VirtualClock(at)
    simulator = Simulator.load(fleet, clock)
    session = Session(credential=InProcessCredential(), transport=simulator.transport(), now=clock.now)
    return SimulatedAzure(simulator, clock, session, Compute(session))
