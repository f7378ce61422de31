"""Inputs of a rollout that are not reliable: lists, operations, its own tag, clocks."""

from datetime import timedelta
from itertools import pairwise

import pytest

from reconciler.simulator import Misdated, Partial
from reconciler.simulator.faults import OperationLost, Stale
from tests.messages import says
from tests.stories.world import BAD, NEW, OLD, World, fleet, scale_set, spec

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)


def upgrades(world: World) -> int:
    return world.requests().count("VirtualMachineScaleSets_UpdateInstances")


def is_done(world: World) -> bool:
    return bool(world.lines()["web"] == says("UpToDate", "10", NEW))


@pytest.mark.parametrize("lacks", [1, 9], ids="{} of 10 rows missing".format)
def test_no_step_follows_from_a_list_that_lacks_rows(lacks: int) -> None:
    world = World(fleet(scale_set(capacity=10)), spec())
    world.run(lambda: upgrades(world) == 2)
    world.azure.faults.arm("VirtualMachineScaleSetVMs_List", Partial(lacks), times=None)
    world.rest(HOUR)
    assert world.reasons()[-1] == "PartialRead"
    assert upgrades(world) == 2
    world.azure.faults.disarm()
    world.rest(HOUR)
    assert is_done(world)


def test_a_rollback_decided_on_a_stale_list_is_checked_once_more() -> None:
    quick = {"model": "5s", "upgrade": "10s", "boot": "5s", "health": "5s"}
    declared = spec(version=BAD, rollout={"onFailure": "rollback"}, health={"timeout": "2m"})
    world = World(fleet(scale_set(capacity=5), timings=quick), declared)
    stale = Stale(4 * MINUTE)
    world.azure.faults.arm(
        "VirtualMachineScaleSetVMs_List", stale, when=lambda _: world.reasons()[-1:] == ["GivingUp"]
    )
    world.run()
    assert "and no instance runs the failed image" in world.lines()["web"]
    assert world.azure.record.images("web")["0"].endswith(BAD)
    world.rest(HOUR / 4)
    assert world.azure.record.images("web")["0"].endswith(OLD)


def test_an_upgrade_that_azure_does_not_carry_out_is_retried_after_five_minutes() -> None:
    world = World(fleet(scale_set(capacity=10)), spec())
    world.azure.faults.arm("VirtualMachineScaleSets_UpdateInstances", OperationLost(), after=1)
    world.run()
    assert is_done(world)
    assert "NoEffect" in world.reasons()
    asked = [
        each
        for each in world.azure.record.requests
        if each.operation == "VirtualMachineScaleSets_UpdateInstances"
    ]
    first, second = asked[1:3]
    assert first.body == second.body
    assert timedelta(minutes=5) <= second.at - first.at < timedelta(minutes=7)


def test_a_failed_rollout_without_its_state_tag_has_no_rollback_target_and_holds() -> None:
    world = World(fleet(scale_set(capacity=10)), spec(version=BAD, rollout={"onFailure": "rollback"}))
    world.run(lambda: upgrades(world) == 1)
    world.azure.scale_set("web").set_tags({"vmss-reconciler-state": None})
    world.rest(2 * HOUR)
    line = world.lines()["web"]
    assert line == says("HealthCheckFailed", "update domain 0", "there is no known good image to return to")
    assert upgrades(world) == 1
    world.merge(spec(version=NEW, rollout={"onFailure": "rollback"}))
    world.rest(HOUR)
    assert is_done(world)


def test_a_failed_image_is_tried_once_more_if_its_state_tag_is_removed() -> None:
    world = World(fleet(scale_set(capacity=10)), spec(version=BAD, rollout={"onFailure": "rollback"}))
    world.rest(2 * HOUR)
    assert world.reasons()[-1] == "RolloutFailed"
    world.azure.scale_set("web").set_tags({"vmss-reconciler-state": None})
    world.rest(3 * HOUR)
    assert world.reasons().count("GivingUp") == 2
    assert world.reasons()[-1] == "RolloutFailed"


@pytest.mark.parametrize(
    "ahead",
    [timedelta(days=1), 12 * MINUTE, -12 * MINUTE, timedelta(days=-1)],
    ids=["a day ahead", "12 minutes ahead", "12 minutes behind", "a day behind"],
)
def test_a_rollout_with_a_wrong_clock_ends_as_usual(ahead: timedelta) -> None:
    slow = fleet(scale_set(capacity=10), timings={"boot": "3m", "health": "2m"})
    world = World(slow, spec(rollout={"onFailure": "rollback", "soak": "10m"}))
    world.jump(ahead)
    world.run(limit=2 * HOUR)
    assert is_done(world)
    assert upgrades(world) == 5
    assert "Soaking" in world.reasons()


@pytest.mark.parametrize(
    "ahead", [timedelta(days=1), timedelta(days=-1)], ids=["a day ahead", "a day behind"]
)
def test_the_time_at_which_the_specs_were_read_is_published_by_the_clock_of_azure(ahead: timedelta) -> None:
    """Our own clock keeps the error that it started with, even once that of the system was corrected."""
    world = World(fleet(scale_set(capacity=1)), spec(version=OLD))
    world.jump(ahead)
    world.run()
    sweep = world.reconciler.store.last_sweep
    assert sweep is not None
    assert sweep.source_read_at is not None
    assert abs(sweep.source_read_at - sweep.at) < timedelta(seconds=10)


@pytest.mark.parametrize(
    "ahead", [timedelta(days=1), timedelta(days=-1)], ids=["a day ahead", "a day behind"]
)
def test_a_bad_image_is_stopped_in_time_with_a_wrong_clock(ahead: timedelta) -> None:
    world = World(fleet(scale_set(capacity=10)), spec(version=BAD))
    world.jump(ahead)
    world.run(lambda: world.reasons()[-1:] == ["HealthCheckFailed"], limit=20 * MINUTE)
    reported, asked = world.outcomes[-1].at, world.azure.record.absences("web")[0].since
    assert 10 * MINUTE < reported - asked < 14 * MINUTE
    world.rest(HOUR)
    assert upgrades(world) == 1


@pytest.mark.parametrize("ahead", [24 * HOUR, -24 * HOUR], ids=["dated tomorrow", "dated yesterday"])
def test_three_answers_dated_another_day_do_not_change_the_length_of_a_soak(ahead: timedelta) -> None:
    declared = spec(rollout={"soak": "30m", "onFailure": "rollback"})
    world = World(fleet(scale_set(capacity=10)), declared)
    world.run(lambda: upgrades(world) == 2)
    world.azure.faults.arm("*", Misdated(ahead), times=3)
    world.run(lambda: upgrades(world) == 3)
    world.calm()
    world.run(limit=3 * HOUR)
    assert is_done(world)
    at = [
        each.at
        for each in world.azure.record.requests
        if each.operation == "VirtualMachineScaleSets_UpdateInstances"
    ]
    assert all(30 * MINUTE < after - before < 36 * MINUTE for before, after in pairwise(at))
