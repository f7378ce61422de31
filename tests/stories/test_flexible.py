"""Flexible scale sets: their instances are virtual machines with names, without update domains."""

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


@pytest.mark.parametrize("health", ["extension", "none"], ids=["a health extension", "no health source"])
def test_a_zonal_flexible_scale_set_is_upgraded_to_the_new_image(health: str) -> None:
    world = World(fleet(flexible(zones=["1", "2", "3"], health=health)), spec()).run()
    assert world.lines() == {"web": says("UpToDate", "9", NEW)}
    assert all(set(each.body["instanceIds"]) <= names(world) for each in upgrades(world))


def test_a_regional_flexible_scale_set_is_upgraded_in_batches() -> None:
    world = World(fleet(flexible()), spec(rollout={"maxBatch": 2})).run()
    assert world.lines() == {"web": says("UpToDate", "9", NEW)}
    assert [len(each.body["instanceIds"]) for each in upgrades(world)] == [2, 2, 2, 2, 1]
    moments = [absence.since for absence in world.azure.record.absences("web")]
    assert max(len(world.azure.record.unavailable_at("web", moment)) for moment in moments) == 2


def test_a_bad_image_stops_after_its_first_batch() -> None:
    world = World(fleet(flexible()), spec(version=BAD))
    world.rest(timedelta(hours=1))
    assert world.lines()["web"] == says("HealthCheckFailed", "10m")
    assert len(upgrades(world)) == 1


def test_a_settled_flexible_scale_set_costs_only_the_list_pages() -> None:
    world = World(fleet(flexible()), spec()).run()
    world.rest(timedelta(minutes=6))
    before = len(world.azure.record.requests)
    world.rest(timedelta(minutes=10))
    assert {each.operation for each in world.azure.record.requests[before:]} == {
        "VirtualMachineScaleSets_ListAll"
    }


@pytest.mark.parametrize("operation", ["VirtualMachines_List", "VirtualMachineScaleSetVMs_List"])
@pytest.mark.parametrize("seconds", [15, 60, 240], ids="{} s behind".format)
def test_a_stale_list_takes_no_second_zone_out_of_service(operation: str, seconds: int) -> None:
    world = World(fleet(flexible(zones=["1", "2", "3"])), spec())
    world.azure.faults.arm(operation, Stale(timedelta(seconds=seconds)), times=None)
    world.rest(timedelta(hours=1))
    world.azure.faults.disarm()
    world.run()
    assert world.lines()["web"] == says("UpToDate", "9", NEW)


@pytest.mark.parametrize("rows", [False, True], ids=["rows of names alone", "rows with properties"])
def test_a_flexible_scale_set_is_upgraded_with_either_kind_of_list_rows(*, rows: bool) -> None:
    world = World(fleet(flexible(), flexibleRowProperties=rows), spec()).run()
    assert world.lines() == {"web": says("UpToDate", "9", NEW)}


def test_a_manually_attached_machine_is_reported_and_not_upgraded() -> None:
    pet = {
        "name": "sql-pet",
        "image": {"platform": {**BASE, "publisher": "MicrosoftSQLServer", "version": "1.0.0"}},
    }
    world = World(fleet(flexible(attached=[pet])), spec()).run()
    assert world.lines() == {"web": says("UpToDate", "9", NEW)}
    assert not any("sql-pet" in each.body["instanceIds"] for each in upgrades(world))
    assert world.state().seen.notes == ("attached by hand and left unchanged: sql-pet",)


def test_a_flexible_scale_set_without_a_profile_is_refused_after_one_read() -> None:
    world = World(fleet(flexible(virtualMachineProfile=False)), spec())
    world.rest(timedelta(minutes=5))
    assert world.lines()["web"] == says("NoProfile")
    assert set(world.requests()) <= {"VirtualMachineScaleSets_ListAll", "VirtualMachineScaleSets_Get"}


def names(world: World) -> set[str]:
    return {each.id for each in world.azure.scale_set("web").instances}
