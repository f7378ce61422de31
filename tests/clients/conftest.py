"""A simulated Azure with a scale set of ten in five update domains, and an `az` that is signed in to it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from reconciler.simulator import Simulator, WallClock
from tests.cli.program import SWIFT, Azure
from tests.clients.clients import Az
from tests.stories.world import fleet, scale_set


@pytest.fixture
def world() -> Iterator[Azure]:
    timings = {**SWIFT, "create": "0.3s"}
    anything = {"actions": ["*"]}  # these are operators, not the reconciler
    declared = fleet(scale_set(capacity=10), timings=timings, page=4, permissions=anything)
    simulator = Simulator.load(declared, WallClock())
    with simulator.serve() as server:
        yield Azure(simulator, server)


@pytest.fixture
def outside(world: Azure, tmp_path: Path) -> Az:
    """An `az` that knows the cloud but has not signed in."""
    az = Az.at(world.server, tmp_path / "azure")
    az("cloud register --name simulator --endpoint-resource-manager", world.server.url)
    az("cloud set --name simulator")
    return az


@pytest.fixture
def az(outside: Az) -> Az:
    outside("login --identity")
    return outside
