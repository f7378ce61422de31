"""Situations that users of others' tools reported, and that operators tried: what must come of each."""

from datetime import timedelta
from typing import Any

import pytest

from reconciler.simulator import OperationFails, OperationKeepsImage, Throttled
from tests.messages import says
from tests.stories.world import BAD, FIX, NEW, OLD, World, fleet, scale_set, spec

SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)
SATURDAY = [{"kind": "allow", "schedule": "0 2 * * 6", "duration": "4h"}]  # the story begins on a Monday


def unhealthy(*ids: int) -> list[dict[str, Any]]:
    return [{"id": str(each), "health": "unhealthy"} for each in ids]


def writes(world: World) -> list[str]:
    return [each.operation for each in world.azure.record.requests if each.method != "GET"]


def version(world: World, name: str = "web") -> str:
    return world.azure.scale_set(name).image.rpartition(":")[2]


def on(world: World, image: str, name: str = "web") -> list[str]:
    """The instances that run this version."""
    return [id_ for id_, runs in world.azure.record.images(name).items() if runs.endswith(image)]


@pytest.mark.parametrize(
    "approval",
    [
        pytest.param("start", id="an approval is asked before the image is set"),
        pytest.param("canary", id="an approval is asked after the canary"),
    ],
)
def test_so_many_are_unhealthy_that_the_image_might_be_the_cure_and_nobody_has_approved_it(
    approval: str,
) -> None:
    """Nothing is written, and an autoscaler makes no instance on it."""
    world = World(
        fleet(scale_set(capacity=10, instanceStates=unhealthy(1, 2, 3, 4, 5))),
        spec(rollout={"windows": SATURDAY, "approval": approval}),
    )
    world.rest(3 * HOUR)
    world.azure.scale_set("web").scale_to(12)
    world.rest(HOUR)
    assert writes(world) == []
    assert version(world) == OLD
    assert on(world, NEW) == []


@pytest.mark.parametrize(
    "is_restarted",
    [
        pytest.param(False, id="the daemon has run all the time"),
        pytest.param(True, id="the daemon was restarted meanwhile"),
    ],
)
def test_an_autoscaler_makes_instances_beside_one_that_is_unhealthy_for_good(*, is_restarted: bool) -> None:
    """The image that all of them have run for long did not fail for that, and the next one waits for its window."""
    world = World(
        fleet(scale_set(capacity=10, instanceStates=unhealthy(1))),
        spec(version=OLD, rollout={"windows": SATURDAY}),
    )
    world.rest(HOUR)
    world.merge(spec(rollout={"windows": SATURDAY}))
    world.rest(HOUR)
    if is_restarted:
        world.restart()
        world.rest(10 * MINUTE)
    world.azure.scale_set("web").scale_to(11)
    world.rest(2 * HOUR)
    assert writes(world) == []
    assert version(world) == OLD


def test_a_canary_that_is_unhealthy_for_less_than_a_minute_again_and_again_is_given_up() -> None:
    """It is well at every other look, and never sick for as long as a single failure has to last."""
    canary = {"canary": {"instances": ["0"], "soak": "30m"}, "onFailure": "rollback"}
    world = World(fleet(scale_set(capacity=5)), spec(rollout=canary))
    world.run(lambda: "Soaking" in world.reasons())
    for _ in range(3):
        world.azure.scale_set("web").instance("0").sicken()
        world.run(lambda: world.reasons()[-1] in {"WaitingForInstances", "HealthCheckFailed", "GivingUp"})
        world.rest(30 * SECOND)
        world.azure.scale_set("web").instance("0").heal()
        world.rest(MINUTE)
    world.rest(10 * MINUTE)
    assert world.reasons()[-1] == "RolloutFailed"
    assert version(world) == OLD
    assert any("unhealthy 3 times since the upgrade" in each.message for each in world.outcomes)


def test_a_canary_that_is_unhealthy_for_moments_between_two_looks_soaks_anew() -> None:
    """20 seconds in every five minutes, and none of them at a look: Azure's time of its health alone tells."""
    world = World(
        fleet(scale_set(capacity=5, flapping=[{"id": "0", "healthy": "280s", "unhealthy": "20s"}])),
        spec(rollout={"canary": {"instances": ["0"], "soak": "30m"}}),
    )
    world.rest(3 * HOUR)
    assert on(world, NEW) == ["0"]


def on_model(world: World, image: str, *names: str) -> list[str]:
    """Those of the scale sets whose model is on this version."""
    return [name for name in names if version(world, name) == image]


def after_a_failed_pilot(*names: str, **pilot: Any) -> World:
    """A world in which a bad image has failed in the first of these and is begun in no other."""
    world = World(
        fleet(*(scale_set(name, capacity=4, **(pilot if name == names[0] else {})) for name in names)),
        *(spec(name, version=BAD) for name in names),
    )
    return world.run(lambda: world.lines().get(names[-1], "").startswith("ImageFailedElsewhere"))


def test_the_spec_of_the_one_where_an_image_failed_is_removed_and_it_is_begun_in_no_other() -> None:
    world = after_a_failed_pilot("a", "b", "c")
    world.unmerge("a")
    world.rest(2 * HOUR)
    assert on_model(world, BAD, "a", "b", "c") == ["a"]
    assert world.lines()["b"] == says("ImageFailedElsewhere", BAD)


def test_the_one_where_an_image_failed_is_scaled_to_zero_and_it_is_begun_in_no_other() -> None:
    world = after_a_failed_pilot("a", "b", "c")
    world.azure.scale_set("a").scale_to(0)
    world.rest(2 * HOUR)
    assert on_model(world, BAD, "a", "b", "c") == ["a"]


@pytest.mark.parametrize("gone", ["suspended", "scaled to zero"])
def test_an_image_that_failed_under_hold_is_begun_in_no_other_after_a_restart(gone: str) -> None:
    world = after_a_failed_pilot("a", "b", "c")
    world.rest(5 * MINUTE)
    if gone == "suspended":
        world.merge(spec("a", version=BAD, suspend={"reason": "on call"}))
    else:
        world.azure.scale_set("a").scale_to(0)
    world.rest(5 * MINUTE)
    world.restart()
    world.rest(3 * HOUR)
    assert on_model(world, BAD, "a", "b", "c") == ["a"]
    assert world.lines()["b"] == says("ImageFailedElsewhere", BAD)


def test_there_was_no_tag_left_to_note_a_failure_on_and_after_its_fix_the_image_is_begun_in_no_other() -> (
    None
):
    world = after_a_failed_pilot("a", "b", "c", tags={f"owner-{number}": "" for number in range(50)})
    world.merge(spec("a", version=FIX))
    world.rest(2 * HOUR)
    assert on_model(world, FIX, "a", "b", "c") == ["a"]
    assert on_model(world, BAD, "a", "b", "c") == []


def test_an_image_that_failed_for_a_while_is_begun_in_others_once_it_is_well_where_it_failed() -> None:
    world = World(fleet(*(scale_set(name, capacity=4) for name in "abc")), *(spec(name) for name in "abc"))
    world.run(lambda: on(world, NEW, "a") != [])
    world.azure.scale_set("a").instance("0").sicken()
    world.run(lambda: world.lines().get("c", "").startswith("ImageFailedElsewhere"))
    world.azure.scale_set("a").instance("0").heal()
    world.rest(2 * HOUR)
    assert on_model(world, NEW, "a", "b", "c") == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("fault", "fact"),
    [
        pytest.param(
            OperationFails("QuotaExceeded", "The approved cores are in use."),
            "QuotaExceeded: The approved cores are in use",
            id="Azure has no quota for it",
        ),
        pytest.param(
            OperationKeepsImage(latest_model_applied=False),
            "4",
            id="the instances keep the image that they run",
        ),
    ],
)
def test_nothing_has_come_of_an_upgrade_for_longer_than_a_batch_may_take_and_the_line_says_what_is_wrong(
    fault: Any, fact: str
) -> None:
    """No instance is away, and none is waited for."""
    upgrade = "VirtualMachineScaleSets_UpdateInstances"
    world = World(fleet(scale_set(capacity=5)), spec())
    world.azure.faults.arm(upgrade, fault, times=None)
    world.rest(4 * HOUR)
    assert world.lines()["web"] == says("ProgressDeadlineExceeded", NEW, fact)
    assert writes(world).count(upgrade) == 4
    world.azure.faults.disarm()
    world.merge(spec(rollout={"progressDeadline": "2h"}))
    world.run()
    assert on(world, NEW) == ["0", "1", "2", "3", "4"]


def test_azure_is_at_work_for_good_and_every_other_look_is_throttled() -> None:
    """It is Failing after half an hour as it would be otherwise, and says for how long."""
    world = World(fleet(scale_set(capacity=4, provisioningState="Updating")), spec())
    looks = iter(range(1000))
    world.azure.faults.arm(
        "VirtualMachineScaleSets_Get",
        Throttled(retry_after=5 * SECOND),
        times=None,
        when=lambda _: next(looks) % 2 == 0,
    )
    world.rest(25 * MINUTE)
    statuses = {each.status for each in world.outcomes}
    world.rest(10 * MINUTE)
    told = world.state().outcome
    assert told is not None
    assert (statuses, told.status) == ({"Reconciling"}, "Failing")
    assert told.line == says("AzureBusy", "updating")
    assert "since 2026-01-05 09:00 UTC" in told.line


def test_a_scale_set_of_which_every_other_look_is_throttled_is_logged_once(caplog: Any) -> None:
    world = World(fleet(scale_set(capacity=4)), spec(version=BAD))
    world.run(lambda: world.reasons()[-1:] == ["HealthCheckFailed"])
    world.rest(2 * MINUTE)
    caplog.clear()
    looks = iter(range(1000))
    world.azure.faults.arm(
        "VirtualMachineScaleSetVMs_List",
        Throttled(retry_after=5 * SECOND),
        times=None,
        when=lambda _: next(looks) % 2 == 0,
    )
    world.rest(HOUR)
    told = world.state().outcome
    assert told is not None
    assert told.reason == "HealthCheckFailed"
    assert [each.message for each in caplog.records if each.name == "reconciler"] == []
