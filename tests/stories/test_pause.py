"""A pause by a tag: of the whole fleet on a resource group, and of one scale set on itself."""

from datetime import timedelta

import pytest

from reconciler.rollout.pause import PAUSE, Pause, pause_text
from reconciler.simulator import Status, Throttled, Timeout
from reconciler.simulator.faults import Fault
from tests.invariants import nothing_was_written
from tests.messages import says
from tests.stories.world import (
    BAD,
    NEW,
    OLD,
    SUBSCRIPTION,
    World,
    fleet,
    of_all,
    platform,
    scale_set,
    spec,
)

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
TAG = {"subscription": SUBSCRIPTION, "resourceGroup": "shop"}
READ = "Tags_GetAtScope"
DENIED = Status(403, "AuthorizationFailed", "The client does not have authorization to perform action.")


def pause(world: World, until: timedelta | None = None) -> None:
    """Pause the fleet now, as `reconciler pause --all` does."""
    now = world.clock.now()
    tag = pause_text(Pause("checkout is down", "ada", now, now + until if until else None))
    world.azure.resource_group(SUBSCRIPTION, "shop").set_tags({PAUSE: tag})


def resume(world: World) -> None:
    world.azure.resource_group(SUBSCRIPTION, "shop").set_tags({PAUSE: None})


def paused(*documents: dict[str, object]) -> World:
    """A world whose Fleet names a pause tag."""
    return World(fleet(scale_set(capacity=5)), of_all(pauseTag=TAG), *(documents or (spec(),)))


def test_a_paused_fleet_stands_still_until_it_is_resumed() -> None:
    world = paused()
    world.run(lambda: world.has_upgraded(1))
    pause(world)
    asked = len(world.requests())
    world.rest(HOUR)
    nothing_was_written(world.azure.record, asked)
    assert world.lines()["web"] == says("Paused", "ada", "checkout is down", "`reconciler resume --all`")
    resume(world)
    world.run()
    assert world.lines()["web"] == says("UpToDate")


def test_a_pause_between_two_sweeps_stops_the_next_write() -> None:
    """It is read before each write, so it does not wait for the sweep that notices it."""
    world = World(fleet(scale_set(capacity=5)), of_all(pauseTag=TAG), spec(), sweep=timedelta(hours=2))
    world.run(lambda: world.has_upgraded(1))
    pause(world)
    asked = len(world.requests())
    world.rest(HOUR)
    nothing_was_written(world.azure.record, asked)
    assert world.lines()["web"] == says("Paused")


def test_a_pause_covers_a_scale_set_that_is_declared_later() -> None:
    world = paused(scale := spec())
    pause(world)
    world.unmerge(scale["metadata"]["name"])
    world.rest(5 * MINUTE)
    world.merge(spec())
    world.rest(HOUR)
    assert world.lines()["web"] == says("Paused")
    nothing_was_written(world.azure.record, 0)


def test_past_its_planned_end_a_pause_holds_and_is_stalled() -> None:
    world = paused()
    pause(world, until=HOUR)
    world.rest(2 * HOUR)
    assert world.lines()["web"] == says("PauseExpired", "`reconciler resume --all`")
    nothing_was_written(world.azure.record, 0)


def test_a_pause_holds_the_model_that_would_go_back() -> None:
    world = paused(spec(version=BAD, rollout={"onFailure": "rollback"}))
    world.run(lambda: world.has_upgraded(1))
    pause(world)
    asked = len(world.requests())
    world.rest(3 * HOUR)
    nothing_was_written(world.azure.record, asked)
    line = world.lines()["web"]
    assert line == says("Paused", BAD, "not proven in this scale set")
    resume(world)
    world.run()
    assert world.lines()["web"] == says("RolloutFailed", OLD)


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(DENIED, id="the read is forbidden"),
        pytest.param(Status(404, "ResourceGroupNotFound", "Gone."), id="the resource group is gone"),
        pytest.param(Status(500, "InternalServerError", "Oops."), id="Azure answers 500"),
        pytest.param(Throttled(timedelta(seconds=30)), id="Azure throttles"),
        pytest.param(Timeout(), id="Azure does not answer"),
    ],
)
def test_a_tag_that_was_never_read_counts_as_a_pause(fault: Fault) -> None:
    world = paused()
    world.azure.faults.arm(READ, fault, times=None)
    world.rest(HOUR)
    nothing_was_written(world.azure.record, 0)
    assert world.lines()["web"] == says("PauseUnknown", "shop")
    world.azure.faults.disarm()
    world.run()
    assert world.lines()["web"] == says("UpToDate")


def test_while_the_tag_cannot_be_read_the_last_value_holds_for_five_minutes() -> None:
    world = paused()
    world.run(lambda: world.has_upgraded(1))
    world.azure.faults.arm(READ, DENIED, times=None)
    world.rest(4 * MINUTE)
    assert world.has_upgraded(2), "the value is not too old yet"
    world.rest(20 * MINUTE)
    assert world.lines()["web"] == says("PauseUnread")
    asked = len(world.requests())
    world.rest(HOUR)
    nothing_was_written(world.azure.record, asked)
    world.azure.faults.disarm()
    world.run()
    assert world.lines()["web"] == says("UpToDate")


def test_a_pause_that_cannot_be_read_any_more_holds() -> None:
    world = paused()
    pause(world)
    world.rest(5 * MINUTE)
    world.azure.faults.arm(READ, DENIED, times=None)
    world.rest(2 * HOUR)
    assert world.lines()["web"] == says("Paused")
    nothing_was_written(world.azure.record, 0)


def test_while_the_tag_is_unread_a_failed_model_goes_back_and_a_serving_instance_stays() -> None:
    world = paused(spec(version=BAD, rollout={"onFailure": "rollback"}))
    world.run(lambda: world.has_upgraded(1))
    world.azure.faults.arm(READ, DENIED, times=None)
    world.rest(3 * HOUR)
    assert world.azure.scale_set("web").image.endswith(OLD)
    world.azure.faults.disarm()
    world.run()
    assert world.lines()["web"] == says("RolloutFailed", OLD)


def test_a_tag_on_a_scale_set_pauses_it_alone() -> None:
    world = World(fleet(scale_set(), scale_set("api")), spec(), spec("api"))
    world.azure.scale_set("web").set_tags({PAUSE: "checkout is down"})
    world.rest(2 * HOUR)
    assert world.lines()["web"] == says("Paused", "checkout is down", "`reconciler resume web`")
    assert world.lines()["api"] == says("UpToDate", NEW)
    world.azure.scale_set("web").set_tags({PAUSE: None})
    world.run()
    assert world.lines()["web"] == says("UpToDate", NEW)


def test_a_tag_in_the_middle_of_a_rollout_stops_the_next_batch() -> None:
    world = World(fleet(scale_set(capacity=5)), spec())
    world.run(lambda: world.has_upgraded(1))
    world.azure.scale_set("web").set_tags({PAUSE: "checkout is down"})
    asked = len(world.requests())
    world.rest(HOUR)
    nothing_was_written(world.azure.record, asked)
    assert world.azure.scale_set("web").tags[PAUSE] == "checkout is down"


def test_a_settled_fleet_asks_once_a_sweep() -> None:
    world = World(fleet(scale_set(image=platform(NEW))), of_all(pauseTag=TAG), spec())
    world.rest(10 * MINUTE)
    before = len(world.requests())
    world.rest(20 * MINUTE)
    assert world.requests()[before:].count(READ) == 20
