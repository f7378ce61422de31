"""The door to Azure, on a simulated one: a scale set of 10 and a list of 120."""

from typing import Any

import pytest
from azure.core.credentials import AccessToken

from reconciler.azure.compute import Compute
from reconciler.simulator import Simulator, VirtualClock
from reconciler.spec.image import PlatformImage
from reconciler.spec.scale_set import Target
from tests.stories.world import BASE, NEW, SUBSCRIPTION, fleet, scale_set

Door = Compute
TARGET = Target(SUBSCRIPTION, "shop", "web")
IMAGE = PlatformImage(**BASE, version=NEW)


class Token:
    """The in-process door asks for no identity; the SDK asks for a token all the same."""

    def get_token(self, *_scopes: str, **_options: Any) -> AccessToken:
        return AccessToken("test", 4_102_444_800)


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


@pytest.fixture
def azure(clock: VirtualClock) -> Simulator:
    return Simulator.load(fleet(scale_set(capacity=10), scale_set("many", count=119, capacity=1)), clock)


@pytest.fixture
def door(azure: Simulator, clock: VirtualClock) -> Compute:
    return Compute(credential=Token(), transport=azure.transport(), now=clock.now)
