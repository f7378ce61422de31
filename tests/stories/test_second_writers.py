"""Other writers of the same scale set: autoscalers, automatic repairs, evictions, people, Azure itself."""

from datetime import timedelta
from typing import Any

import pytest

from reconciler.rollout.reason import Status
from tests.messages import says
from tests.stories.world import BAD, BASE, NEW, OLD, SUBSCRIPTION, World, fleet, platform, scale_set, spec

HOUR = timedelta(hours=1)


def upgraded_ids(world: World) -> list[str]:
    """The instance ids of all upgrades, in order."""
    return [
        id_
        for each in world.azure.record.requests
        if each.operation == "VirtualMachineScaleSets_UpdateInstances"
        for id_ in each.body["instanceIds"]
    ]


def rollout_in_progress(**changes: Any) -> World:
    """A rollout of ten instances whose second domain is being upgraded."""
    world = World(fleet(scale_set(**{"capacity": 10} | changes)), spec())
    return world.run(lambda: world.requests().count("VirtualMachineScaleSets_UpdateInstances") == 2)


@pytest.mark.parametrize("every", ["1m", "4m", "9m"], ids="scales every {}".format)
def test_a_rollout_completes_beside_a_busy_autoscaler(every: str) -> None:
    changing = scale_set(capacity=8, autoscale={"minimum": 5, "maximum": 14, "every": every})
    world = World(fleet(changing), spec())
    world.run(
        lambda: set(world.azure.record.images("web").values()) == {f"Canonical:ubuntu-24_04-lts:server:{NEW}"}
    )
    assert len(upgraded_ids(world)) == len(set(upgraded_ids(world))), "an instance was upgraded twice"


def test_an_autoscaler_hours_after_a_rollout_does_not_make_it_fail() -> None:
    autoscale = {"minimum": 4, "maximum": 8, "every": "9m"}
    world = World(fleet(scale_set(capacity=6, autoscale=autoscale)), spec())
    world.run()
    before = len(world.outcomes)
    world.rest(4 * HOUR)
    assert {each.status for each in world.outcomes[before:]} == {Status.READY, Status.RECONCILING}


def test_scaling_in_during_an_upgrade_does_not_stop_the_rollout() -> None:
    world = rollout_in_progress()
    world.azure.scale_set("web").scale_to(7)
    world.run()
    assert world.lines() == {"web": says("UpToDate", "7", NEW)}


def test_repairs_on_a_bad_image_do_not_advance_the_rollout() -> None:
    """Azure replaces unhealthy instances by new ones on the same bad image, again and again."""
    declared = scale_set(capacity=10, automaticRepairs={"grace": "10m", "action": "replace"})
    world = World(fleet(declared), spec(version=BAD))
    world.rest(2 * HOUR)
    assert len(upgraded_ids(world)) == 2
    assert sum(BAD in image for image in world.azure.record.images("web").values()) == 2
    world.merge(spec(version=NEW))
    world.rest(HOUR).run()
    assert world.lines() == {"web": says("UpToDate", "10", NEW)}


def test_a_rollout_completes_beside_repairs_of_an_instance_unhealthy_before() -> None:
    declared = scale_set(
        capacity=10,
        automaticRepairs={"grace": "10m", "action": "replace"},
        instanceStates=[{"id": "7", "health": "unhealthy"}],
    )
    world = World(fleet(declared), spec()).run()
    assert world.lines() == {"web": says("UpToDate", "10", NEW)}


@pytest.mark.parametrize(
    ("policy", "line"),
    [
        pytest.param(
            "Delete", says("UpToDate", "9", NEW), id="an evicted instance that is deleted no longer counts"
        ),
        pytest.param(
            "Deallocate",
            says("InstancesLeftOut", "9 of 10", NEW, "web_9 (deallocated)"),
            id="an evicted instance that is deallocated is reported",
        ),
    ],
)
def test_a_rollout_completes_after_an_eviction(policy: str, line: str) -> None:
    world = rollout_in_progress(spot=True, evictionPolicy=policy)
    world.azure.scale_set("web").instance("9").evict()
    world.run()
    assert world.lines() == {"web": line}


def test_an_evicted_instance_that_is_started_again_is_upgraded() -> None:
    world = rollout_in_progress(spot=True, evictionPolicy="Deallocate")
    world.azure.scale_set("web").instance("9").evict()
    world.run()
    world.azure.scale_set("web").instance("9").start()
    world.rest(2 * HOUR)
    assert world.lines() == {"web": says("UpToDate", "10", NEW)}


def test_an_upgraded_instance_that_is_evicted_does_not_block_the_rollout() -> None:
    world = rollout_in_progress(spot=True, evictionPolicy="Deallocate")
    world.azure.scale_set("web").instance("0").evict()
    world.run()
    assert set(upgraded_ids(world)) == set("0123456789")


def test_an_instance_protected_during_a_rollout_is_left_out_and_reported() -> None:
    world = rollout_in_progress()
    world.azure.scale_set("web").instance("9").protect()
    world.run()
    assert world.lines() == {
        "web": says("InstancesLeftOut", "9 of 10", NEW, "web_9 (protected from scale set actions)")
    }
    assert "9" not in upgraded_ids(world)


def test_a_manual_change_of_the_model_is_reverted_and_the_rollout_completes() -> None:
    world = rollout_in_progress()
    world.azure.scale_set("web").set_image(f"Canonical:ubuntu-24_04-lts:server:{OLD}")
    world.run()
    assert world.lines()["web"] == says("UpToDate", "10", NEW)


def test_another_pending_change_of_the_model_is_reported_before_upgrades_apply_it() -> None:
    world = World(fleet(scale_set(capacity=5)), spec(version=OLD)).run()
    world.azure.scale_set("web").add_extension("agent", "Contoso", "Agent")
    world.merge(spec(version=NEW))
    world.run()
    drift = next(each for each in world.outcomes if each.reason == "ModelDrift")
    assert f"{drift.reason}: {drift.message}" == says("ModelDrift", OLD, NEW, "all 5 instances")


def test_a_change_of_the_upgrade_mode_stops_the_rollout_before_its_next_step() -> None:
    world = rollout_in_progress()
    world.azure.scale_set("web").set_mode("Rolling")
    world.rest(HOUR)
    assert world.lines()["web"] == says("NotManualMode", "Rolling")
    assert world.requests().count("VirtualMachineScaleSets_UpdateInstances") == 2
    world.azure.scale_set("web").set_mode("Manual")
    world.rest(timedelta(minutes=2)).run()
    assert world.lines() == {"web": says("UpToDate", "10", NEW)}


def test_a_rollout_waits_while_ten_models_are_in_use() -> None:
    old = [platform(f"24.04.{number}") for number in range(10)]
    urns = [f"Canonical:ubuntu-24_04-lts:server:24.04.{number}" for number in range(10)]
    states = [{"id": str(number), "image": urns[number]} for number in range(10)]
    world = World(fleet(scale_set(capacity=10, image=old[0], instanceStates=states[1:])), spec())
    world.run()
    assert world.lines()["web"] == says("TooManyModels", "10")
    assert "VirtualMachineScaleSets_Update" not in world.requests()
    for each in world.azure.scale_set("web").instances[1:3]:
        each.apply_image(urns[0])
    world.rest(timedelta(minutes=2)).run()
    assert world.lines() == {"web": says("UpToDate", "10", NEW)}


def test_instances_that_another_writer_keeps_changing_are_upgraded_less_and_less_often() -> None:
    """An agent changes each of them a few minutes after every upgrade."""
    world = World(fleet(scale_set(capacity=4)), spec(rollout={"converge": "model"})).run()
    first, end = len(upgraded_ids(world)), world.clock.now() + 24 * HOUR
    instances = world.azure.cloud.scale_set(SUBSCRIPTION, "shop", "web").instances
    while world.clock.now() < end:
        world.step()
        for each in (instances["0"], instances["1"]):
            is_quiet = world.clock.now() - each.changed > timedelta(minutes=3)
            if each.is_current and each.provisioning == "succeeded" and is_quiet:
                each.put_behind()
    assert upgraded_ids(world)[first:].count("0") == 10
    assert set(upgraded_ids(world)[first:]) == {"0", "1"}
    outcome = world.state().outcome
    assert outcome is not None
    assert outcome.status is Status.FAILING
    assert world.lines()["web"] == says("Contested", "web_0", "10")


@pytest.mark.parametrize(
    "tolerated", [pytest.param(0, id="none is tolerated"), pytest.param(1, id="one of two is tolerated")]
)
def test_a_bad_image_goes_no_further_though_another_writer_keeps_changing_the_model(
    tolerated: int,
) -> None:
    """An unhealthy instance is left alone at last, but the next one does not get the image that made it so."""
    rollout = {"converge": "model", "maxBatch": 1, "maxUnhealthyUpgraded": tolerated}
    world = World(fleet(scale_set(capacity=4)), spec(version=BAD, rollout=rollout))
    world.run(lambda: world.has_upgraded(1 + tolerated))
    tried = set(upgraded_ids(world))
    for _ in range(12):
        world.azure.scale_set("web").set_image(f"{':'.join(BASE.values())}:{OLD}")
        world.rest(timedelta(minutes=10))
    assert set(upgraded_ids(world)) == tried
    assert len(upgraded_ids(world)) > 3, "the other writer makes the daemon repeat the upgrade"
    outcome = world.state().outcome
    assert outcome is not None
    assert outcome.reason == "HealthCheckFailed"
