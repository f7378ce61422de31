"""Canaries and soaks over time, with a bad image and with restarts."""

from datetime import timedelta
from functools import partial
from itertools import pairwise

import pytest

from tests.messages import says
from tests.stories.world import BAD, NEW, World, fleet, scale_set, spec

MINUTE = timedelta(minutes=1)
POLICY = {
    "apiVersion": "vmss-reconciler/v1alpha1",
    "kind": "RolloutPolicy",
    "metadata": {"name": "careful"},
    "spec": {"canary": {"instances": 1, "soak": "30m"}, "soak": "10m"},
}


def upgrades(world: World) -> list[tuple[int, timedelta]]:
    """How many instances each upgrade names, and how long after the previous upgrade."""
    asked = [
        each
        for each in world.azure.record.requests
        if each.operation == "VirtualMachineScaleSets_UpdateInstances"
    ]
    times = [asked[0].at, *(each.at for each in asked)]
    return [
        (len(each.body["instanceIds"]), after - before)
        for each, (before, after) in zip(asked, pairwise(times), strict=True)
    ]


def test_a_bad_image_stops_after_the_canary() -> None:
    world = World(fleet(scale_set()), spec(version=BAD, rollout={"canary": {"instances": 1}}))
    world.rest(timedelta(hours=1))
    assert sum(image.endswith(BAD) for image in world.azure.record.images("web").values()) == 1
    assert world.lines()["web"] == says("HealthCheckFailed", "update domain 0", "web_0 (unhealthy)")


@pytest.mark.parametrize(
    "killed", [False, True], ids=["the daemon runs throughout", "the daemon is killed after each upgrade"]
)
def test_the_soaks_of_a_policy_are_measured_by_azures_own_times(*, killed: bool) -> None:
    world = World(fleet(scale_set(capacity=10)), POLICY, spec(rollout={"policy": "careful"}))
    for number in range(1, 7):
        world.run(partial(world.has_upgraded, number))
        if killed:
            world.restart()
    world.run()
    assert world.lines() == {"web": says("UpToDate", "10", NEW)}
    sizes, gaps = zip(*upgrades(world), strict=True)
    assert sizes == (1, 1, 2, 2, 2, 2)
    assert gaps[1] >= 30 * MINUTE
    assert all(10 * MINUTE <= gap <= 14 * MINUTE for gap in gaps[2:])
    assert "Soaking" in world.reasons()


def test_fields_of_a_spec_override_the_policy() -> None:
    world = World(
        fleet(scale_set(capacity=10)), POLICY, spec(rollout={"policy": "careful", "soak": "0s"})
    ).run()
    sizes, gaps = zip(*upgrades(world), strict=True)
    assert sizes == (1, 1, 2, 2, 2, 2)
    assert gaps[1] >= 30 * MINUTE
    assert all(gap < 4 * MINUTE for gap in gaps[2:])


def test_a_canary_that_becomes_unhealthy_during_its_soak_stops_the_rollout() -> None:
    world = World(fleet(scale_set(capacity=10)), POLICY, spec(rollout={"policy": "careful"}))
    world.run(lambda: world.reasons()[-1:] == ["Soaking"])
    world.azure.scale_set("web").instance("0").sicken()
    world.rest(timedelta(hours=2))
    assert world.lines()["web"] == says("HealthCheckFailed")
    assert len(upgrades(world)) == 1


def test_a_soak_ends_though_an_autoscaler_scales_every_four_minutes() -> None:
    changing = scale_set(capacity=8, autoscale={"minimum": 5, "maximum": 14, "every": "4m"})
    world = World(fleet(changing), spec(rollout={"soak": "10m"}))
    world.run(
        lambda: {image.rpartition(":")[2] for image in world.azure.record.images("web").values()} == {NEW}
    )
