"""The door to Azure, on a simulated one: a scale set of 10 and a list of 120."""

import pytest

from reconciler.azure.compute import Compute
from reconciler.azure.session import Session
from reconciler.simulator import Simulator, VirtualClock
from reconciler.spec.image import PlatformImage
from reconciler.spec.scale_set import Target
from tests.stories.world import BASE, NEW, SUBSCRIPTION, fleet, scale_set
from tests.token import Token

Door = Compute
TARGET = Target(SUBSCRIPTION, "shop", "web")
IMAGE = PlatformImage(**BASE, version=NEW)


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


@pytest.fixture
def azure(clock: VirtualClock) -> Simulator:
    return Simulator.load(fleet(scale_set(capacity=10), scale_set("many", count=119, capacity=1)), clock)


@pytest.fixture
def door(azure: Simulator, clock: VirtualClock) -> Compute:
    return Compute(Session(credential=Token(), transport=azure.transport(), now=clock.now))
