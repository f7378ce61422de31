"""Check the invariants of a rollout at the end of every story."""

from collections.abc import Iterator

import pytest

from tests.stories.world import World


@pytest.fixture(autouse=True)
def _judged() -> Iterator[None]:
    World.unjudged.clear()
    yield
    for world in tuple(World.unjudged):
        world.judge()
