"""Instances that a person picks by hand go next, by every rule of the rollout."""

import re
from datetime import timedelta
from typing import Any

import pytest

from reconciler.daemon import report
from reconciler.daemon.pick_request import PickRequest
from reconciler.daemon.picking import PickOffer, PickRefused
from reconciler.daemon.state import PickEnd
from tests.messages import says
from tests.stories.fleets import is_there, on
from tests.stories.world import BAD, FIX, NEW, OLD, World, fleet, of_all, scale_set, spec

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
AT_NINE_TWENTY = {"kind": "allow", "schedule": "20 9 * * *", "duration": "1h", "timeZone": "UTC"}
AT_NINE_FIVE = AT_NINE_TWENTY | {"schedule": "5 9 * * *"}


def ten(**changes: Any) -> dict[str, Any]:
    """Two instances in each of five update domains."""
    return fleet(scale_set(capacity=10, **changes))


def pick(world: World, place: str = "", *ids: str, name: str = "web", is_trial: bool = False) -> PickOffer:
    """Pick them as `reconciler upgrade` does."""
    return world.reconciler.pick(PickRequest(name, "ada", place, ids, is_trial))


def end(world: World) -> PickEnd | None:
    known = world.state().pick
    return known.end if known else None


def batches(world: World) -> list[str]:
    """The ids of each upgrade, in order."""
    return [
        "".join(each.body["instanceIds"])
        for each in world.azure.record.requests
        if each.operation == "VirtualMachineScaleSets_UpdateInstances"
    ]


def obstacles(offer: PickOffer) -> dict[str, str]:
    return {each.seen.id: each.obstacle for each in offer.instances}


def test_a_picked_domain_goes_next_and_then_the_rollout_continues_in_its_order() -> None:
    world = World(ten(), spec())
    world.run(lambda: world.has_upgraded(1))
    assert obstacles(pick(world, "update domain 3")) == {"3": "", "8": ""}
    world.run()
    assert batches(world) == ["05", "38", "16", "27", "49"]
    assert end(world) == PickEnd(end(world).at, f"2 of 2 run {NEW}", is_served=True)  # type: ignore[union-attr]


def test_picked_instances_of_two_domains_go_one_domain_at_a_time() -> None:
    world = World(ten(), spec())
    world.run(lambda: world.has_upgraded(1))
    pick(world, "", "7", "3")
    world.run()
    assert batches(world) == ["05", "7", "3", "16", "2", "8", "49"]


def test_a_picked_domain_that_is_larger_than_a_batch_takes_several_with_their_soaks() -> None:
    """The soaks are longer than `health.timeout`, after which a rollout that stands still ends the pick."""
    world = World(ten(), spec(rollout={"maxBatch": 1, "soak": "20m"}, health={"timeout": "10m"}))
    world.run(lambda: world.has_upgraded(1))
    pick(world, "3")
    world.run(lambda: world.has_upgraded(4))
    assert batches(world) == ["0", "3", "8", "5"]


def test_a_pick_outside_the_window_waits_for_it() -> None:
    world = World(ten(), spec(rollout={"windows": [AT_NINE_FIVE]}))
    world.run(is_there(world, "OutsideWindow"))
    pick(world, "3")
    world.rest(3 * MINUTE)
    assert batches(world) == []
    assert world.lines()["web"] == says("OutsideWindow")
    assert report.state(world.state())["pick"]["message"].endswith(
        "picked by ada at 09:00:00 UTC; ends at 09:10:00 UTC unless the rollout makes progress"
    )
    world.run(lambda: world.has_upgraded(1))
    assert batches(world) == ["38"]


def test_a_pick_dies_while_its_window_stays_closed() -> None:
    world = World(ten(), spec(rollout={"windows": [AT_NINE_TWENTY]}))
    world.run(is_there(world, "OutsideWindow"))
    pick(world, "3")
    world.run(lambda: world.has_upgraded(1))
    assert batches(world) == ["05"]
    found = end(world)
    assert found is not None
    assert not found.is_served
    assert found.message == "the rollout has made no progress for 10m: OutsideWindow"


def test_a_pick_in_an_unhealthy_fleet_waits_for_its_recovery() -> None:
    world = World(ten(), spec())
    world.run(lambda: world.has_upgraded(1))
    web = world.azure.scale_set("web")
    for each in map(web.instance, "129"):
        each.protect()
        each.sicken()
    world.run(is_there(world, "TooManyUnhealthy"))
    pick(world, "3")
    world.rest(5 * MINUTE)
    assert batches(world) == ["05"]
    web.instance("1").heal()
    world.run(lambda: world.has_upgraded(2))
    assert batches(world) == ["05", "38"]


def test_a_commit_of_another_image_ends_the_pick() -> None:
    world = World(ten(), spec(rollout={"windows": [AT_NINE_FIVE]}))
    world.run(is_there(world, "OutsideWindow"))
    pick(world, "3")
    world.merge(spec(version=FIX, rollout={"windows": [AT_NINE_FIVE]}))
    world.run()
    assert batches(world)[0] == "05"
    found = end(world)
    assert found is not None
    assert (found.message, found.is_served) == (f"{FIX} is declared now", False)


def test_a_pick_does_not_outlive_the_daemon() -> None:
    world = World(ten(), spec(rollout={"windows": [AT_NINE_FIVE]}))
    world.run(is_there(world, "OutsideWindow"))
    pick(world, "3")
    world.restart()
    world.run()
    assert batches(world)[0] == "05"


def test_the_image_that_was_picked_first_and_is_bad_stops_the_rollout_there() -> None:
    world = World(ten(), spec(version=BAD, rollout={"windows": [AT_NINE_FIVE]}))
    world.run(is_there(world, "OutsideWindow"))
    pick(world, "3")
    world.run(is_there(world, "HealthCheckFailed")).rest(HOUR)
    assert batches(world) == ["38"]
    found = end(world)
    assert found is not None
    assert found.message == "the rollout has made no progress for 10m: HealthCheckFailed"


def test_what_no_rollout_would_upgrade_is_named_and_not_upgraded() -> None:
    world = World(ten(), spec())
    world.run(lambda: world.has_upgraded(1)).run(is_there(world, "WaitingForInstances"))
    web = world.azure.scale_set("web")
    web.instance("3").protect()
    web.instance("8").deallocate()
    web.instance("7").give_own_model()
    world.run(lambda: world.has_upgraded(2))
    offer = pick(world, "", "0", "3", "7", "8", "9")
    assert obstacles(offer) == {
        "0": "already up to date",
        "3": "protected from scale set actions",
        "7": "changed individually",
        "8": "deallocated",
        "9": "",
    }
    world.run(lambda: world.has_upgraded(3))
    assert batches(world)[2] == "9"


def test_a_trial_changes_nothing() -> None:
    world = World(ten(), spec())
    world.run(lambda: world.has_upgraded(1))
    assert pick(world, "3", is_trial=True).ids == {"3", "8"}
    assert world.state().pick is None
    world.run()
    assert batches(world) == ["05", "16", "27", "38", "49"]


def test_a_later_pick_replaces_an_earlier_one() -> None:
    world = World(ten(), spec(rollout={"windows": [AT_NINE_FIVE]}))
    world.run(is_there(world, "OutsideWindow"))
    pick(world, "3")
    world.rest(MINUTE)
    pick(world, "", "9")
    world.run()
    assert batches(world)[:2] == ["9", "05"]


@pytest.mark.parametrize(
    ("request_", "why"),
    [
        pytest.param(
            PickRequest("wbe", "ada", "3"), "no spec in force is named wbe", id="an undeclared scale set"
        ),
        pytest.param(
            PickRequest("web", "ada", "update domain 7"),
            "no instance is in update domain 7; use one of: fault domain 0, fault domain 1, fault domain 2, "
            "fault domain 3, fault domain 4, placement group ID, update domain 0, update domain 1, "
            "update domain 2, update domain 3, update domain 4",
            id="a domain that is not there",
        ),
        pytest.param(
            PickRequest("web", "ada", ids=("3", "12")),
            "12 is not an instance of the scale set; its instances are 0, 1, 2, 3 and 6 more",
            id="an instance that is not there",
        ),
    ],
)
def test_a_pick_that_is_refused_says_why(request_: PickRequest, why: str) -> None:
    world = World(ten(), spec())
    world.run(lambda: world.has_upgraded(1))
    with pytest.raises(PickRefused) as refused:
        world.reconciler.pick(request_)
    assert re.sub("group [0-9a-f]{8}", "group ID", str(refused.value)) == why


def test_before_the_instances_are_listed_a_pick_is_refused() -> None:
    world = World(ten(), spec())
    world.reconciler.sweep()
    with pytest.raises(PickRefused, match="no instance of web has been listed yet; try again"):
        pick(world, "3")


def test_a_pick_that_the_fleet_bars_is_refused() -> None:
    world = World(ten(), of_all(barredCommands=["upgrade"]), spec())
    world.run(lambda: world.has_upgraded(1))
    with pytest.raises(PickRefused, match="bars `reconciler upgrade`"):
        pick(world, "3")


def test_a_settled_scale_set_has_nothing_to_pick() -> None:
    world = World(ten(), spec(version=OLD)).run()
    assert pick(world, "3").ids == set()
    assert world.state().pick is None
    assert on(world, "web") == {OLD}
