"""Flexible scale sets: virtual machines of their own, named and without update domains."""

from datetime import timedelta
from typing import Any

import pytest

from reconciler.simulator import Exchange
from reconciler.simulator.faults import Stale
from tests.messages import says
from tests.stories.world import BAD, BASE, NEW, World, fleet, scale_set, spec


def flexible(**changes: Any) -> dict[str, Any]:
    return scale_set(orchestration="Flexible", capacity=9, **changes)


def upgrades(world: World) -> list[Exchange]:
    return [
        each
        for each in world.azure.record.requests
        if each.operation == "VirtualMachineScaleSets_UpdateInstances"
    ]


@pytest.mark.parametrize("health", ["extension", "none"])
def test_a_zonal_one_follows_a_merge_zone_by_zone(health: str) -> None:
    world = World(fleet(flexible(zones=["1", "2", "3"], health=health)), spec()).run()
    assert world.lines() == {"web": says("UpToDate", "9", NEW)}
    assert all(set(each.body["instanceIds"]) <= names(world) for each in upgrades(world))


def test_a_regional_one_follows_in_batches() -> None:
    world = World(fleet(flexible()), spec(rollout={"maxBatch": 2})).run()
    assert world.lines() == {"web": says("UpToDate", "9", NEW)}
    assert [len(each.body["instanceIds"]) for each in upgrades(world)] == [2, 2, 2, 2, 1]
    moments = [absence.since for absence in world.azure.record.absences("web")]
    assert max(len(world.azure.record.unavailable_at("web", moment)) for moment in moments) == 2


def test_a_bad_image_stops_after_its_first_batch() -> None:
    world = World(fleet(flexible()), spec(version=BAD))
    world.rest(timedelta(hours=1))
    assert world.lines()["web"] == says("HealthCheckFailed", "the scale set")
    assert len(upgrades(world)) == 1


def test_a_settled_one_costs_the_list_pages_and_nothing_else() -> None:
    world = World(fleet(flexible()), spec()).run()
    world.rest(timedelta(minutes=6))
    before = len(world.azure.record.requests)
    world.rest(timedelta(minutes=10))
    assert {each.operation for each in world.azure.record.requests[before:]} == {
        "VirtualMachineScaleSets_ListAll"
    }


@pytest.mark.parametrize("operation", ["VirtualMachines_List", "VirtualMachineScaleSetVMs_List"])
@pytest.mark.parametrize("seconds", [15, 60, 240])
def test_of_two_lists_one_may_lag_behind_and_no_second_zone_goes(operation: str, seconds: int) -> None:
    world = World(fleet(flexible(zones=["1", "2", "3"])), spec())
    world.azure.faults.arm(operation, Stale(timedelta(seconds=seconds)), times=None)
    world.rest(timedelta(hours=1))
    world.azure.faults.disarm()
    world.run()
    assert world.lines()["web"] == says("UpToDate", "9", NEW)


@pytest.mark.parametrize("rows", [False, True], ids=["rows of names alone", "rows with properties"])
def test_it_rolls_whatever_the_rows_of_its_list_hold(*, rows: bool) -> None:
    world = World(fleet(flexible(), flexibleRowProperties=rows), spec()).run()
    assert world.lines() == {"web": says("UpToDate", "9", NEW)}


def test_a_machine_attached_by_hand_is_named_and_not_touched() -> None:
    pet = {
        "name": "sql-pet",
        "image": {"platform": {**BASE, "publisher": "MicrosoftSQLServer", "version": "1.0.0"}},
    }
    world = World(fleet(flexible(attached=[pet])), spec()).run()
    assert world.lines() == {"web": says("UpToDate", "9", NEW)}
    assert not any("sql-pet" in each.body["instanceIds"] for each in upgrades(world))
    assert world.state().seen.notes == ("attached by hand and left unchanged: sql-pet",)


def test_one_without_a_profile_is_refused_before_anything_else_is_asked() -> None:
    world = World(fleet(flexible(virtualMachineProfile=False)), spec())
    world.rest(timedelta(minutes=5))
    assert world.lines()["web"] == says("NoProfile")
    assert set(world.requests()) <= {"VirtualMachineScaleSets_ListAll", "VirtualMachineScaleSets_Get"}


def names(world: World) -> set[str]:
    return {each.id for each in world.azure.scale_set("web").instances}
