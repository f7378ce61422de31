"""A simulated Azure for each test."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from azure.mgmt.compute import ComputeManagementClient

from reconciler.simulator import SUBSCRIPTION, Simulator, VirtualClock
from tests.simulator.azure import Azure, Credential, Start, fleet


@pytest.fixture
def start() -> Iterator[Start]:
    """Start a simulator with the scale set `shop/web`, by default of 20 instances, and with `others`."""
    clients: list[ComputeManagementClient] = []

    def start_simulator(
        *others: Mapping[str, Any], top: Mapping[str, Any] | None = None, **web: Any
    ) -> Azure:
        clock = VirtualClock()
        sim = Simulator.load({**fleet(*others, **web), **(top or {})}, clock)
        client = ComputeManagementClient(
            Credential(), SUBSCRIPTION, transport=sim.transport(), polling_interval=1, retry_total=0
        )
        clients.append(client)
        return Azure(sim, clock, client)

    yield start_simulator
    for client in clients:
        client.close()


@pytest.fixture
def azure(start: Start) -> Azure:
    return start()
