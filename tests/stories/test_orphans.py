"""Scale sets whose spec is removed in the middle of a rollout: who reports them, for how long, and at what cost."""

import logging
from typing import Any

import pytest

from reconciler.daemon.report import store as report
from reconciler.rollout.tags import STATE
from reconciler.simulator import Status
from reconciler.web.metrics import exposition
from tests.stories.fleets import MINUTE, on, sets
from tests.stories.world import BASE, FIX, NEW, OLD, World, of_all, spec

URN = ":".join(BASE.values())
INSTANCES = "VirtualMachineScaleSetVMs_List"
REFUSED = Status(403, "AuthorizationFailed", "no")


def half_way(*others: dict[str, Any]) -> World:
    """The spec of web is removed in the middle of its rollout. That of api stays."""
    world = World(sets("api", "web"), *others, spec("api", OLD), spec("web", NEW))
    world.run(lambda: on(world, "web") == {NEW, OLD})
    world.unmerge("web")
    return world.rest(2 * MINUTE)


def orphans(world: World) -> dict[str, Any]:
    return {each["name"]: each for each in report(world.reconciler.store)["orphans"]}


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    lines = (each.getMessage() for each in caplog.records)
    return [each.partition(", so nothing")[0] for each in lines if "Orphaned" in each]


LEFT = "web: Orphaned: no spec declares the scale set"


def test_an_orphan_of_a_fleet_with_a_name_outlives_the_process(caplog: pytest.LogCaptureFixture) -> None:
    world = half_way(of_all())
    before = orphans(world)["web"]
    world.restart()
    world.rest(2 * MINUTE)
    after = orphans(world)["web"]
    assert {**after, "at": ""} == {**before, "at": ""}
    assert after["image"] == NEW
    assert 0 < after["instances"]["upToDate"] < after["instances"]["total"] == 5
    assert warnings(caplog) == [LEFT] * 2, "each process says it once"
    assert 'vmss_reconciler_orphaned{name="web"} 1.0' in metrics(world)


def metrics(world: World) -> list[str]:
    return exposition(world.reconciler.store, world.now()).decode().splitlines()


def test_in_a_fleet_without_a_name_nothing_says_whose_it_is_after_a_restart() -> None:
    world = half_way()
    assert orphans(world).keys() == {"web"}
    world.restart()
    world.rest(2 * MINUTE)
    assert orphans(world) == {}


def test_a_rollout_that_fails_outlives_the_process_too() -> None:
    rollout = {"onFailure": "rollback"}
    bad = spec("web", "24.04.202602010", rollout=rollout)
    world = World(sets("api", "web"), of_all(), spec("api", OLD), spec("web", OLD, rollout=rollout)).run()
    world.merge(bad)
    world.run(lambda: world.azure.scale_set("web").image.endswith(OLD) and world.has_upgraded(1))
    assert len(on(world, "web")) == 2
    world.unmerge("web")
    world.restart()
    world.rest(2 * MINUTE)
    assert orphans(world)["web"]["image"] == "24.04.202602010"


@pytest.mark.parametrize("name", [pytest.param(True, id="with a name"), pytest.param(False, id="without")])
def test_the_last_scale_set_of_a_subscription_is_an_orphan_though_nothing_is_listed(name: bool) -> None:
    policy = {"kind": "RolloutPolicy", "metadata": {"name": "slow"}, "spec": {}}  # declares something
    policy |= {"apiVersion": "vmss-reconciler/v1alpha1"}
    world = World(sets("web"), *([of_all()] if name else []), policy, spec("web", NEW))
    world.run(lambda: on(world, "web") == {NEW, OLD})
    world.unmerge("web")
    world.rest(2 * MINUTE)
    assert orphans(world).keys() == {"web"}
    world.azure.scale_set("web").scale_to(0)
    world.rest(10 * MINUTE)
    assert orphans(world) == {}


# What ends it


def test_declaring_it_again_completes_the_rollout(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "reconciler")
    world = half_way(of_all())
    world.merge(spec("web", NEW))
    world.rest(2 * MINUTE).run()
    assert (orphans(world), on(world, "web")) == ({}, {NEW})
    assert warnings(caplog) == [LEFT, "web: no longer Orphaned"]


def test_completing_it_by_hand_ends_it() -> None:
    world = half_way(of_all())
    for each in world.azure.scale_set("web").instances:
        each.apply_image(f"{URN}:{NEW}")
    world.rest(6 * MINUTE)
    assert orphans(world) == {}
    asked = world.requests().count(INSTANCES)
    world.rest(30 * MINUTE)
    assert orphans(world) == {}
    assert world.requests().count(INSTANCES) == asked, "what has ended is not looked at again"


def test_an_image_that_another_writer_sets_makes_the_rollout_theirs() -> None:
    world = half_way(of_all())
    world.azure.scale_set("web").set_image(f"{URN}:{FIX}")
    world.rest(2 * MINUTE)
    assert orphans(world) == {}


def test_another_fleet_that_takes_it_over_ends_it() -> None:
    world = half_way(of_all())
    live = world.azure.scale_set("web")
    live.set_tags({STATE: live.tags[STATE].replace("fleet=fleet", "fleet=other")})
    world.rest(2 * MINUTE)
    assert orphans(world) == {}


def test_a_scale_set_that_is_deleted_is_no_orphan() -> None:
    world = half_way(of_all())
    world.azure.scale_set("web").delete()
    world.rest(10 * MINUTE)
    assert orphans(world) == {}


def test_a_rollout_that_had_ended_leaves_no_orphan_in_any_process() -> None:
    world = World(sets("api", "web", capacity=3), of_all(), spec("api", OLD), spec("web", FIX)).run()
    world.unmerge("web")
    world.rest(2 * MINUTE)
    assert orphans(world) == {}
    world.restart()
    world.rest(2 * MINUTE)
    assert orphans(world) == {}


# What cannot be read


def test_what_is_known_of_an_orphan_stays_while_azure_refuses() -> None:
    world = half_way(of_all())
    before = orphans(world)
    world.azure.faults.arm("*", REFUSED, times=None)
    world.rest(20 * MINUTE)
    assert orphans(world) == before
    world.azure.faults.disarm()
    world.rest(6 * MINUTE)
    assert orphans(world).keys() == {"web"}


def test_instances_that_cannot_be_read_after_a_restart_are_read_later() -> None:
    world = half_way(of_all())
    world.restart()
    world.azure.faults.arm(INSTANCES, REFUSED, times=None)
    world.rest(2 * MINUTE)
    assert orphans(world) == {}
    world.azure.faults.disarm()
    world.rest(6 * MINUTE)
    assert orphans(world).keys() == {"web"}


# What it costs


def test_the_instances_of_an_orphan_are_listed_every_five_minutes() -> None:
    world = half_way(of_all())
    world.rest(10 * MINUTE)
    asked = world.requests().count(INSTANCES)
    world.rest(60 * MINUTE)
    assert 11 <= world.requests().count(INSTANCES) - asked <= 14, "one of these is that of api"


def test_a_fleet_that_was_retired_costs_a_few_lists_at_each_sweep_until_all_were_seen() -> None:
    names = [f"web{number}" for number in range(12)]
    world = World(
        sets("api", *names, capacity=1), of_all(), spec("api", OLD), *(spec(each, NEW) for each in names)
    ).run()
    world.unmerge(*names)
    world.restart()
    asked, lists = world.requests().count(INSTANCES), list[int]()
    for _ in range(6):
        world.step()
        lists.append(world.requests().count(INSTANCES) - asked)
        asked += lists[-1]
    assert sum(lists) == 12 + 1, "each once, and that of api"
    assert max(lists) <= 5 + 1
    assert orphans(world) == {}


def test_without_anything_to_find_no_request_is_made() -> None:
    world = World(sets("api", "web"), of_all(), spec("api", OLD)).run()
    world.rest(10 * MINUTE)
    assert not [each for each in world.azure.record.requests if "/web/" in f"{each.path}/".lower()]
