"""Scale sets that belong to another controller or another fleet are refused."""

from datetime import timedelta
from typing import Any

import pytest

from reconciler.rollout.tags import STATE, persisted_state
from tests.invariants import nothing_was_written
from tests.messages import says
from tests.stories.world import BAD, FIX, NEW, World, fleet, of_all, platform, scale_set, spec

AKS = {"aks-managed-poolName": "pool1", "aks-managed-orchestrator": "Kubernetes:1.33.2"}


@pytest.mark.parametrize(
    ("signs", "owner"),
    [
        pytest.param(
            {"tags": AKS},
            "Azure Kubernetes Service",
            id="an AKS node pool",
        ),
        pytest.param(
            {"tags": {"__AzureDevOpsElasticPool": "linux"}},
            "Azure DevOps agent pool",
            id="an Azure DevOps agent pool",
        ),
        pytest.param(
            {"managedBy": "/subscriptions/s/resourceGroups/g/providers/Contoso.Farm/farms/f"},
            "/subscriptions/s/resourceGroups/g/providers/Contoso.Farm/farms/f",
            id="managedBy names an unknown controller",
        ),
    ],
)
def test_a_scale_set_of_another_controller_is_refused_after_one_read(
    signs: dict[str, Any], owner: str
) -> None:
    world = World(fleet(scale_set(capacity=3, **signs)), spec())
    world.rest(timedelta(hours=2))
    assert world.lines()["web"] == says("ManagedByAnother", owner)
    assert set(world.requests()) <= {"VirtualMachineScaleSets_ListAll", "VirtualMachineScaleSets_Get"}
    nothing_was_written(world.azure.record)


def test_a_scale_set_that_another_controller_takes_over_is_not_written_again() -> None:
    world = World(fleet(scale_set(capacity=10)), spec())
    world.run(lambda: world.has_upgraded(1))
    world.azure.scale_set("web").set_tags(AKS)
    before = len(world.azure.record.requests)
    world.rest(timedelta(hours=1))
    assert world.lines()["web"] == says("ManagedByAnother")
    nothing_was_written(world.azure.record, before)


def named(name: str, **fields: Any) -> dict[str, Any]:
    """The Fleet document with this name."""
    return of_all(**fields) | {"metadata": {"name": name}}


def beside(world: World, *documents: dict[str, Any]) -> World:
    """Another fleet on the same Azure, with a daemon and specs of its own."""
    other = World(world.declared, *documents)
    other.azure, other.clock = world.azure, world.clock
    other.restart()
    world.daemons += other.daemons
    return other


def state(world: World, name: str = "web") -> str:
    return world.azure.scale_set(name).tags.get(STATE, "")


@pytest.mark.parametrize(
    "documents",
    [
        pytest.param((named("prod"), spec(version=FIX)), id="the second fleet has another name"),
        pytest.param((spec(version=FIX),), id="the second specs name no fleet"),
    ],
)
def test_the_second_of_two_fleets_leaves_a_scale_set_to_the_first(
    documents: tuple[dict[str, Any], ...],
) -> None:
    world = World(fleet(scale_set(capacity=10)), named("shop"), spec())
    world.run(lambda: world.has_upgraded(1))
    other = beside(world, *documents)
    world.run()
    assert world.lines()["web"] == says("UpToDate")
    assert other.reasons() == ["OwnedByAnotherFleet"]
    assert 'belongs to the fleet "shop"' in other.lines()["web"]
    assert {each.image.rpartition(":")[2] for each in world.azure.scale_set("web").instances} == {NEW}
    assert persisted_state({STATE: state(world)}).fleet == "shop"


def test_the_etag_decides_between_two_fleets_that_begin_at_once() -> None:
    world = World(fleet(scale_set(capacity=10)), named("shop"), spec())
    other = beside(world, named("prod"), spec(version=FIX))
    world.rest(timedelta(hours=1))
    owner = persisted_state({STATE: state(world)}).fleet
    reasons = {"shop": world.reasons()[-1], "prod": other.reasons()[-1]}
    assert reasons.pop(owner) == "UpToDate"
    assert set(reasons.values()) == {"OwnedByAnotherFleet"}
    assert world.requests().count("VirtualMachineScaleSets_Update") == 1


def test_a_renamed_fleet_stops_until_it_takes_over_its_scale_sets() -> None:
    world = World(fleet(scale_set(capacity=10)), named("shop"), spec())
    world.run(lambda: world.has_upgraded(1))
    world.unmerge("shop")
    world.merge(named("prod"))
    before = len(world.azure.record.requests)
    world.rest(timedelta(hours=1))
    assert world.reasons()[-1] == "OwnedByAnotherFleet"
    nothing_was_written(world.azure.record, before)
    world.azure.scale_set("web").set_tags({STATE: "v1;fleet=prod"})
    world.run()
    assert world.lines()["web"] == says("UpToDate", "10")


def test_the_name_of_the_fleet_is_written_without_a_request_of_its_own() -> None:
    """It is not written while there is nothing to do, nor during a freeze."""
    world = World(fleet(scale_set(capacity=3, image=platform(NEW))), named("shop"), spec())
    world.rest(timedelta(hours=2))
    assert world.lines()["web"] == says("UpToDate")
    world.merge(named("shop", freeze=True), spec(version=FIX))
    world.rest(timedelta(hours=2))
    assert world.lines()["web"] == says("Frozen")
    nothing_was_written(world.azure.record)
    world.merge(named("shop"))
    world.run()
    assert persisted_state({STATE: state(world)}).fleet == "shop"
    assert world.requests().count("VirtualMachineScaleSets_Update") == 1


def test_a_rollback_keeps_the_name_of_the_fleet_on_the_tag() -> None:
    document = spec(version=BAD, rollout={"onFailure": "rollback"})
    world = World(fleet(scale_set(capacity=10)), named("shop"), document).run()
    assert world.reasons()[-1] == "RolloutFailed"
    assert state(world).startswith("v1;fleet=shop;failed=")
