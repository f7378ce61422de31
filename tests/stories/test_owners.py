"""Scale sets of another controller, or of another fleet: refused, whoever declares them."""

from datetime import timedelta
from typing import Any

import pytest

from reconciler.rollout.tags import STATE, persisted_state
from tests.invariants import nothing_was_written
from tests.messages import says
from tests.stories.world import BAD, FIX, NEW, World, fleet, of_all, platform, scale_set, spec

AKS = {"aks-managed-poolName": "pool1", "aks-managed-orchestrator": "Kubernetes:1.33.2"}


@pytest.mark.parametrize(
    ("signs", "said"),
    [
        pytest.param(
            {"tags": AKS},
            "Azure Kubernetes Service",
            id="a node pool of AKS",
        ),
        pytest.param(
            {"tags": {"__AzureDevOpsElasticPool": "linux"}},
            "Azure DevOps agent pool",
            id="Azure DevOps agents",
        ),
        pytest.param(
            {"managedBy": "/subscriptions/s/resourceGroups/g/providers/Contoso.Farm/farms/f"},
            "/subscriptions/s/resourceGroups/g/providers/Contoso.Farm/farms/f",
            id="one of a controller that nobody here knows",
        ),
    ],
)
def test_it_is_refused_after_its_get_and_before_anything_else_is_asked(
    signs: dict[str, Any], said: str
) -> None:
    world = World(fleet(scale_set(capacity=3, **signs)), spec())
    world.rest(timedelta(hours=2))
    assert world.lines()["web"] == says("ManagedByAnother", said)
    assert set(world.requests()) <= {"VirtualMachineScaleSets_ListAll", "VirtualMachineScaleSets_Get"}
    nothing_was_written(world.azure.record)


def test_one_that_another_controller_takes_over_in_the_middle_is_left_at_that() -> None:
    world = World(fleet(scale_set(capacity=10)), spec())
    world.run(lambda: world.has_upgraded(1))
    world.azure.scale_set("web").set_tags(AKS)
    before = len(world.azure.record.requests)
    world.rest(timedelta(hours=1))
    assert world.lines()["web"] == says("ManagedByAnother")
    nothing_was_written(world.azure.record, before)


def named(name: str, **said: Any) -> dict[str, Any]:
    """The document of kind Fleet, of this name."""
    return of_all(**said) | {"metadata": {"name": name}}


def beside(world: World, *documents: dict[str, Any]) -> World:
    """Another fleet on the same Azure: a daemon of its own, with specs of its own."""
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
        pytest.param((named("prod"), spec(version=FIX)), id="a fleet of another name"),
        pytest.param((spec(version=FIX),), id="specs that name no fleet"),
    ],
)
def test_of_two_fleets_that_declare_one_scale_set_the_second_leaves_it_to_the_first(
    documents: tuple[dict[str, Any], ...],
) -> None:
    world = World(fleet(scale_set(capacity=10)), named("shop"), spec())
    world.run(lambda: world.has_upgraded(1))
    other = beside(world, *documents)
    world.run()
    assert world.lines()["web"] == says("UpToDate")
    assert other.reasons() == ["OwnedByAnotherFleet"]
    assert "belongs to the fleet shop" in other.lines()["web"]
    assert {each.image.rpartition(":")[2] for each in world.azure.scale_set("web").instances} == {NEW}
    assert persisted_state({STATE: state(world)}).fleet == "shop"


def test_two_fleets_that_begin_at_once_are_told_apart_by_the_etag() -> None:
    world = World(fleet(scale_set(capacity=10)), named("shop"), spec())
    other = beside(world, named("prod"), spec(version=FIX))
    world.rest(timedelta(hours=1))
    owner = persisted_state({STATE: state(world)}).fleet
    stands = {"shop": world.reasons()[-1], "prod": other.reasons()[-1]}
    assert stands.pop(owner) == "UpToDate"
    assert set(stands.values()) == {"OwnedByAnotherFleet"}
    assert world.requests().count("VirtualMachineScaleSets_Update") == 1


def test_a_fleet_that_gets_another_name_stops_until_it_takes_its_scale_sets_over() -> None:
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


def test_the_name_costs_no_request_of_its_own() -> None:
    """Not where nothing is to be done, and not under a freeze."""
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


def test_a_rollback_leaves_the_name_on_the_tag() -> None:
    document = spec(version=BAD, rollout={"onFailure": "rollback"})
    world = World(fleet(scale_set(capacity=10)), named("shop"), document).run()
    assert world.reasons()[-1] == "RolloutFailed"
    assert state(world).startswith("v1;fleet=shop;failed=")
