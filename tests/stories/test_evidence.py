"""What is evidence against an image, and what is not: a good image does not fail because of something else."""

from datetime import timedelta

import pytest

from reconciler.simulator import OperationFails
from tests.exchanges import UPGRADE, model_image, writes
from tests.messages import says
from tests.stories.world import BAD, BASE, FIX, NEW, OLD, World, fleet, scale_set, spec

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
URN = ":".join(BASE.values())


def model(world: World) -> str:
    return world.azure.scale_set("web").image.rpartition(":")[2]


def on(world: World, version: str) -> int:
    return [image.rpartition(":")[2] for image in world.azure.record.images("web").values()].count(version)


def is_soaking(world: World) -> bool:
    return world.reasons()[-1:] == ["Soaking"]


ROLLBACK = {"onFailure": "rollback", "canary": {"instances": 1, "soak": "30m"}}


def test_a_failure_of_a_shared_database_is_no_evidence_against_the_image() -> None:
    world = World(fleet(scale_set(capacity=10)), spec(rollout=ROLLBACK))
    world.run(lambda: is_soaking(world))
    for each in world.azure.scale_set("web").instances:
        each.sicken()
    world.rest(2 * HOUR)
    assert world.reasons()[-1] == "HealthCheckFailed"
    assert (model(world), on(world, NEW)) == (NEW, 1)
    for each in world.azure.scale_set("web").instances:
        each.heal()
    world.run()
    assert on(world, NEW) == 10


def test_an_instance_unhealthy_before_the_rollout_does_not_block_it_or_hide_a_bad_image() -> None:
    """Of 20 instances 1 is unhealthy before. It is upgraded first and stays unhealthy. Then a batch of 4 fails."""
    unhealthy = [{"id": "19", "health": "unhealthy"}]
    world = World(
        fleet(scale_set(capacity=20, instanceStates=unhealthy)),
        spec(version=OLD, rollout={"onFailure": "rollback"}),
    )
    world.rest(HOUR)
    world.merge(spec(version=BAD, rollout={"onFailure": "rollback"}))
    world.rest(3 * HOUR)
    assert world.reasons()[-1] == "RolloutFailed"
    assert (model(world), on(world, OLD)) == (OLD, 20)
    first, second, *_ = (
        each.body["instanceIds"]
        for each in world.azure.record.requests
        if each.operation == "VirtualMachineScaleSets_UpdateInstances"
    )
    assert (first, len(second)) == (["19"], 4)


def test_a_canary_unhealthy_six_minutes_in_twenty_fails_the_image_at_its_third_relapse() -> None:
    world = World(fleet(scale_set(capacity=5)), spec(rollout=ROLLBACK, health={"timeout": "10m"}))
    world.run(lambda: is_soaking(world))
    canary, relapses = world.azure.scale_set("web").instance("0"), 0
    while model(world) == NEW and relapses < 9:
        canary.sicken()
        relapses += 1
        world.rest(6 * MINUTE)
        canary.heal()
        world.rest(14 * MINUTE)
    assert relapses == 3
    assert on(world, NEW) <= 1
    (line,) = [each.line for each in world.outcomes if each.reason == "GivingUp"]
    assert line == says("GivingUp", "web_0", "3 times", OLD)


@pytest.mark.parametrize(
    ("flapping", "soak"),
    [
        pytest.param(
            {"healthy": "280s", "unhealthy": "20s"}, "30m", id="every observation finds the canary healthy"
        ),
        pytest.param({"healthy": "40s", "unhealthy": "20s"}, "2m", id="the soak lasts two minutes"),
    ],
)
def test_a_canary_unhealthy_for_20_seconds_fails_the_image_at_its_third_relapse(
    flapping: dict[str, str], soak: str
) -> None:
    declared = scale_set(capacity=5, flapping=[{"id": "0"} | flapping])
    rollout = {"canary": {"instances": ["0"], "soak": soak}, "onFailure": "rollback"}
    world = World(fleet(declared), spec(rollout=rollout))
    world.rest(HOUR)
    assert model(world) == OLD
    assert world.requests().count("VirtualMachineScaleSets_UpdateInstances") == 2, "to the new image and back"
    assert "GivingUp" in world.reasons()


def test_a_relapse_restarts_the_soak() -> None:
    world = World(fleet(scale_set(capacity=5)), spec(rollout={"soak": "9m"}))
    world.run(lambda: is_soaking(world))
    world.rest(MINUTE)
    first = world.azure.scale_set("web").instance("0")
    first.sicken()
    world.rest(6 * MINUTE)
    first.heal()
    recovered = world.clock.now()
    world.run(lambda: world.has_upgraded(2))
    assert world.clock.now() - recovered >= 9 * MINUTE


@pytest.mark.parametrize(
    "boots",
    [
        pytest.param("fails", id="provisioning fails"),
        pytest.param("never", id="instances never boot"),
        pytest.param("extensionFails", id="an extension fails"),
    ],
)
def test_the_model_returns_to_the_last_good_image_if_the_new_one_cannot_boot(boots: str) -> None:
    images = {
        "platform": [{**BASE, "versions": [OLD, NEW, BAD, FIX]}],
        "bad": [{"image": f"{URN}:{BAD}", "boots": boots}],
    }
    world = World(
        fleet(scale_set(capacity=5), images=images), spec(version=BAD, rollout={"onFailure": "repin"})
    )
    world.rest(3 * HOUR)
    assert (model(world), world.reasons()[-1]) == (OLD, "RolloutFailed")


FAILING = OperationFails("OSProvisioningTimedOut", "OS provisioning did not finish in the allotted time.")
QUOTA = OperationFails("QuotaExceeded", "No cores are left.")


def upgrades(world: World, version: str = BAD) -> int:
    """How often Azure was asked to upgrade instances to this version."""
    return sum(model_image(each).endswith(version) for each in writes(world.azure.record, UPGRADE))


@pytest.mark.parametrize("on_failure", ["repin", "rollback"])
def test_the_second_upgrade_that_times_out_in_provisioning_fails_the_image(
    on_failure: str,
) -> None:
    world = World(fleet(scale_set(capacity=5)), spec(version=BAD, rollout={"onFailure": on_failure}))
    world.azure.faults.arm(UPGRADE, FAILING, times=2)
    world.rest(6 * HOUR)
    assert (model(world), world.reasons()[-1], upgrades(world)) == (OLD, "RolloutFailed", 2)
    assert on(world, OLD) == 5


def test_upgrades_that_fail_with_hold_are_tried_four_times_and_block_the_image_elsewhere() -> None:
    world = World(fleet(*(scale_set(name, capacity=5) for name in "ab")), spec("a", BAD), spec("b", BAD))
    world.azure.faults.arm(UPGRADE, FAILING, times=None)
    world.rest(6 * HOUR)
    assert upgrades(world) == 4
    assert world.lines()["b"] == says("ImageFailedElsewhere", BAD)


@pytest.mark.parametrize(
    "faults",
    [
        pytest.param([FAILING], id="provisioning fails once"),
        pytest.param([QUOTA, QUOTA, QUOTA], id="the quota is exceeded three times"),
        pytest.param([FAILING, QUOTA, FAILING], id="provisioning never fails twice in a row"),
    ],
)
def test_failed_upgrades_that_may_be_transient_are_no_evidence(faults: list[OperationFails]) -> None:
    world = World(fleet(scale_set(capacity=5)), spec(rollout={"onFailure": "rollback"}))
    for number, fault in enumerate(faults):
        world.azure.faults.arm(UPGRADE, fault, after=number)
    world.run()
    assert world.lines()["web"] == says("UpToDate", "5", NEW)
    assert "GivingUp" not in world.reasons()


def test_a_deadline_that_passes_while_approval_is_awaited_is_no_evidence() -> None:
    rollout = {"approval": "canary", "deadline": "2h", "onFailure": "rollback", "canary": {"instances": 1}}
    world = World(fleet(scale_set(capacity=5)), spec(rollout=rollout))
    world.rest(5 * HOUR)
    assert world.reasons()[-1] in {"AwaitingApproval", "DeadlineExceeded"}
    assert (model(world), on(world, NEW)) == (NEW, 1)
    closed = {"windows": [{"kind": "allow", "schedule": "0 3 * * 6", "duration": "1h"}]}
    world.merge(spec(version=FIX, rollout=rollout | closed))
    world.rest(HOUR)
    assert (model(world), world.reasons()[-1]) == (NEW, "OutsideWindow")


def test_a_suspension_of_three_hours_does_not_count_against_a_deadline() -> None:
    rollout = {"deadline": "1h", "onFailure": "rollback"}
    world = World(fleet(scale_set(capacity=10)), spec(rollout=rollout))
    world.run(lambda: world.has_upgraded(2))
    world.merge(spec(rollout=rollout, suspend=True))
    world.rest(3 * HOUR)
    world.merge(spec(rollout=rollout))
    world.run()
    assert on(world, NEW) == 10
    assert "DeadlineExceeded" not in world.reasons()


def test_the_soak_of_a_slow_application_begins_when_it_becomes_healthy() -> None:
    slow = fleet(scale_set(capacity=5), timings={"health": "6m"})
    world = World(slow, spec(rollout={"soak": "5m"}))
    world.run(lambda: world.has_upgraded(2))
    first, second = (
        each.at
        for each in world.azure.record.requests
        if each.operation == "VirtualMachineScaleSets_UpdateInstances"
    )
    assert second - first >= 12 * MINUTE


def test_the_notice_that_azure_gives_before_an_upgrade_does_not_fail_a_good_image() -> None:
    """Azure warns an instance for 15 minutes before it replaces its OS disk, and health.timeout is 10."""
    noticed = scale_set(capacity=3, osImageNotification="15m")
    world = World(fleet(noticed), spec(rollout={"onFailure": "rollback"}))
    world.run()
    assert on(world, NEW) == 3
    assert not {"GivingUp", "HealthCheckFailed"} & set(world.reasons())


def test_a_soak_of_two_hours_ends_though_the_daemon_is_restarted_every_hour() -> None:
    world = World(fleet(scale_set(capacity=2, health="none")), spec(rollout={"soak": "2h"}))
    for _ in range(4):
        world.rest(HOUR)
        world.restart()
    world.rest(HOUR)
    assert on(world, NEW) == 2


def test_a_fix_is_set_though_the_scale_set_reports_updating_permanently() -> None:
    world = World(fleet(scale_set(capacity=5)), spec(version=BAD))
    world.run(lambda: world.reasons()[-1:] == ["HealthCheckFailed"])
    world.azure.scale_set("web").report("Updating")
    world.merge(spec(version=FIX))
    world.rest(5 * MINUTE)
    assert model(world) == FIX


@pytest.mark.parametrize(
    "protected",
    [
        pytest.param(["3"], id="one instance still runs the previous image"),
        pytest.param([], id="all instances run the new image"),
    ],
)
def test_an_instance_that_fails_hours_after_the_rollout_is_no_evidence_after_a_restart(
    protected: list[str],
) -> None:
    declared = fleet(scale_set(capacity=10, protected=protected))
    world = World(declared, spec(rollout={"onFailure": "rollback"}, health={"timeout": "5m"})).run()
    world.rest(3 * HOUR)
    world.azure.scale_set("web").instance("0").fail()
    world.rest(7 * MINUTE)
    world.restart()
    world.rest(HOUR)
    assert world.azure.scale_set("web").image.endswith(NEW)
    assert world.state().progress.blamed is None
    assert world.lines()["web"] == says("HealthCheckFailed", "update domain 0", "web_0")


def test_a_failed_instance_does_not_make_the_next_image_a_fix_after_a_restart() -> None:
    declared = fleet(scale_set(capacity=2), scale_set("db", capacity=2))
    world = World(
        declared,
        spec("db", suspend=True),
        spec(wave=1, rollout={"maxUnhealthy": "50%"}, health={"timeout": "3m"}),
    )
    world.rest(HOUR)
    world.azure.scale_set("web").instance("0").fail()
    world.rest(4 * MINUTE)
    world.restart()
    world.rest(HOUR)
    assert world.azure.scale_set("web").image.endswith(OLD)
