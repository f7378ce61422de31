"""Situations that users of others' tools reported, and that operators tried: what must come of each."""

from datetime import timedelta
from typing import Any

import pytest

from tests.stories.world import NEW, OLD, World, fleet, scale_set, spec

SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)
SATURDAY = [{"kind": "allow", "schedule": "0 2 * * 6", "duration": "4h"}]  # the story begins on a Monday


def unhealthy(*ids: int) -> list[dict[str, Any]]:
    return [{"id": str(each), "health": "unhealthy"} for each in ids]


def writes(world: World) -> list[str]:
    return [each.operation for each in world.azure.record.requests if each.method != "GET"]


def version(world: World, name: str = "web") -> str:
    return world.azure.scale_set(name).image.rpartition(":")[2]


def on(world: World, image: str, name: str = "web") -> list[str]:
    """The instances that run this version."""
    return [id_ for id_, runs in world.azure.record.images(name).items() if runs.endswith(image)]


@pytest.mark.parametrize(
    "approval",
    [
        pytest.param("start", id="an approval is asked before the image is set"),
        pytest.param("canary", id="an approval is asked after the canary"),
    ],
)
def test_so_many_are_unhealthy_that_the_image_might_be_the_cure_and_nobody_has_approved_it(
    approval: str,
) -> None:
    """Nothing is written, and an autoscaler makes no instance on it."""
    world = World(
        fleet(scale_set(capacity=10, instanceStates=unhealthy(1, 2, 3, 4, 5))),
        spec(rollout={"windows": SATURDAY, "approval": approval}),
    )
    world.rest(3 * HOUR)
    world.azure.scale_set("web").scale_to(12)
    world.rest(HOUR)
    assert writes(world) == []
    assert version(world) == OLD
    assert on(world, NEW) == []


@pytest.mark.parametrize(
    "is_restarted",
    [
        pytest.param(False, id="the daemon has run all the time"),
        pytest.param(True, id="the daemon was restarted meanwhile"),
    ],
)
def test_an_autoscaler_makes_instances_beside_one_that_is_unhealthy_for_good(*, is_restarted: bool) -> None:
    """The image that all of them have run for long did not fail for that, and the next one waits for its window."""
    world = World(
        fleet(scale_set(capacity=10, instanceStates=unhealthy(1))),
        spec(version=OLD, rollout={"windows": SATURDAY}),
    )
    world.rest(HOUR)
    world.merge(spec(rollout={"windows": SATURDAY}))
    world.rest(HOUR)
    if is_restarted:
        world.restart()
        world.rest(10 * MINUTE)
    world.azure.scale_set("web").scale_to(11)
    world.rest(2 * HOUR)
    assert writes(world) == []
    assert version(world) == OLD


def test_a_canary_that_is_unhealthy_for_less_than_a_minute_again_and_again_is_given_up() -> None:
    """It is well at every other look, and never sick for as long as a single failure has to last."""
    canary = {"canary": {"instances": ["0"], "soak": "30m"}, "onFailure": "rollback"}
    world = World(fleet(scale_set(capacity=5)), spec(rollout=canary))
    world.run(lambda: "Soaking" in world.reasons())
    for _ in range(3):
        world.azure.scale_set("web").instance("0").sicken()
        world.run(lambda: world.reasons()[-1] in {"WaitingForInstances", "HealthCheckFailed", "GivingUp"})
        world.rest(30 * SECOND)
        world.azure.scale_set("web").instance("0").heal()
        world.rest(MINUTE)
    world.rest(10 * MINUTE)
    assert world.reasons()[-1] == "RolloutFailed"
    assert version(world) == OLD
    assert any("unhealthy 3 times since the upgrade" in each.message for each in world.outcomes)


def test_a_canary_that_is_unhealthy_for_moments_between_two_looks_soaks_anew() -> None:
    """20 seconds in every five minutes, and none of them at a look: Azure's time of its health alone tells."""
    world = World(
        fleet(scale_set(capacity=5, flapping=[{"id": "0", "healthy": "280s", "unhealthy": "20s"}])),
        spec(rollout={"canary": {"instances": ["0"], "soak": "30m"}}),
    )
    world.rest(3 * HOUR)
    assert on(world, NEW) == ["0"]
