"""The simulated Azure of the simulator's own tests."""

from tests.simulator.conftest import start

__all__ = ["start"]
