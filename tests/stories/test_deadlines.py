"""Deadlines, bake times, passes and the order of domains."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from reconciler.rollout.reason import Status
from reconciler.simulator import OperationFails, Timeout
from tests.messages import says
from tests.stories.world import BAD, NEW, OLD, World, fleet, scale_set, spec

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)


def on(world: World) -> dict[str, int]:
    """How many instances run each version."""
    versions = [image.rpartition(":")[2] for image in world.azure.record.images("web").values()]
    return {version: versions.count(version) for version in set(versions)}


def model(world: World) -> str:
    return world.azure.scale_set("web").image.rpartition(":")[2]


def batches(world: World) -> list[list[str]]:
    """The instances that each upgrade named."""
    asked = [
        each
        for each in world.azure.record.requests
        if each.operation == "VirtualMachineScaleSets_UpdateInstances"
    ]
    return [list(each.body["instanceIds"]) for each in asked]


def repaired(**changes: Any) -> Mapping[str, Any]:
    """A scale set whose unhealthy instances Azure replaces again and again."""
    return scale_set(capacity=6, automaticRepairs={"grace": "10m", "action": "replace"}, **changes)


def test_a_bad_image_fails_at_the_progress_deadline_though_repairs_replace_its_instances() -> None:
    declared = spec(version=BAD, rollout={"onFailure": "repin"}, health={"timeout": "30m"})
    world = World(fleet(repaired()), declared)
    world.rest(6 * HOUR)
    (given_up,) = [outcome.message for outcome in world.outcomes if outcome.reason == "GivingUp"]
    assert "1h passed without another instance becoming healthy" in given_up
    assert model(world) == OLD
    assert world.reasons()[-1] == "RolloutFailed"


def test_a_failed_image_stays_failing_while_repairs_replace_its_instances() -> None:
    """Otherwise an alert would resolve at each repair. Once the instances are healthy, the next batch begins anew."""
    world = World(fleet(repaired()), spec(version=BAD))
    world.rest(HOUR)
    world.restart()
    world.rest(2 * HOUR)
    statuses = [each.status for each in world.outcomes]
    failed = world.outcomes[statuses.index(Status.FAILING) :]
    assert {each.status for each in failed} == {Status.FAILING}
    assert {"WaitingForInstances", "AzureUpdating"} <= {each.reason for each in failed}
    for each in world.azure.scale_set("web").instances:
        each.heal()
    world.run(lambda: len(batches(world)) == 2 and world.reasons()[-1] == "WaitingForInstances")
    assert world.outcomes[-1].status is Status.RECONCILING


def test_a_tolerated_failure_that_max_unavailable_does_not_permit_stays_failing() -> None:
    """The rollout waits for each replacement, and tolerates it once it is overdue, forever."""
    limits = {"maxUnavailable": 1, "maxUnhealthyUpgraded": 1}
    world = World(fleet(repaired(zones=["1", "2", "3"])), spec(version=BAD, rollout=limits))
    world.rest(6 * HOUR)
    statuses = [each.status for each in world.outcomes]
    failed = world.outcomes[statuses.index(Status.FAILING) :]
    assert {"TooManyUnavailable", "WaitingForInstances"} <= {each.reason for each in failed}
    assert {each.status for each in failed} == {Status.FAILING}


def test_the_deadline_of_a_rollout_survives_restarts_and_does_not_fail_the_image() -> None:
    slow = spec(rollout={"soak": "1h", "deadline": "2h", "onFailure": "repin"})
    world = World(fleet(scale_set(capacity=10)), slow)
    for _ in range(16):
        world.rest(10 * MINUTE)
        world.restart()
    world.rest(HOUR)
    assert world.lines()["web"] == says("DeadlineExceeded")
    assert model(world) == NEW
    assert 0 < on(world)[NEW] < 10, "the rollout holds half-way"


def test_a_passed_deadline_holds_the_rollout_until_it_is_extended() -> None:
    world = World(fleet(scale_set(capacity=10)), spec(rollout={"soak": "1h", "deadline": "2h"}))
    world.rest(3 * HOUR)
    assert world.reasons()[-1] == "DeadlineExceeded"
    outcome = world.state().outcome
    assert outcome is not None
    assert outcome.status == "Failing"
    done = len(batches(world))
    world.rest(2 * HOUR)
    assert len(batches(world)) == done, "no more instances are upgraded"
    world.merge(spec(rollout={"soak": "1h", "deadline": "24h"}))
    world.run()
    assert on(world) == {NEW: 10}


def test_an_unhealthy_last_batch_counts_against_the_image() -> None:
    world = World(fleet(scale_set(capacity=5)), spec(rollout={"onFailure": "rollback"}))
    world.run(lambda: len(batches(world)) == 5)
    world.run(lambda: world.azure.scale_set("web").instance("4").state[0] == "succeeded")
    world.azure.scale_set("web").instance("4").sicken()
    world.rest(2 * HOUR)
    assert (model(world), on(world)) == (OLD, {OLD: 5})
    assert world.reasons()[-1] == "RolloutFailed"
    assert batches(world)[5:] == [["4"], ["3"], ["2"], ["1"], ["0"]], (
        "the unhealthy instance first, then the others in reverse order"
    )


def test_an_instance_that_becomes_unhealthy_during_the_bake_time_counts_against_the_image() -> None:
    world = World(fleet(scale_set(capacity=5)), spec(rollout={"onFailure": "repin", "bakeTime": "2h"}))
    world.run(lambda: world.reasons()[-1] == "Baking")
    world.rest(HOUR)
    assert world.reasons()[-1] == "Baking"
    world.azure.scale_set("web").instance("2").sicken()
    world.rest(30 * MINUTE)
    assert (model(world), world.reasons()[-1]) == (OLD, "RolloutFailed")


def test_an_instance_that_is_unhealthy_for_a_moment_causes_no_rollback() -> None:
    world = World(fleet(scale_set(capacity=5)), spec(rollout={"onFailure": "rollback", "bakeTime": "2h"}))
    world.run(lambda: world.reasons()[-1] == "Baking")
    world.rest(HOUR)
    world.azure.scale_set("web").instance("2").sicken()
    world.step()
    world.azure.scale_set("web").instance("2").heal()
    world.run()
    assert (model(world), on(world)) == (NEW, {NEW: 5})


def test_a_rollout_bakes_only_once() -> None:
    world = World(fleet(scale_set(capacity=5)), spec(rollout={"bakeTime": "1h"})).run()
    reasons = world.reasons()
    assert reasons[-2:] == ["Baking", "UpToDate"]
    world.azure.scale_set("web").bump_etag()
    world.rest(5 * MINUTE)
    assert world.reasons() == reasons


def test_a_batch_must_be_observed_healthy_as_often_as_passes_says() -> None:
    world = World(fleet(scale_set(capacity=5)), spec(health={"passes": 4})).run()
    assert world.reasons().count("ConfirmingHealth") == 4, "once between any two of five batches"
    confirmed = [outcome.at for outcome in world.outcomes if outcome.reason == "ConfirmingHealth"]
    assert len(confirmed) == 4 * 3, "three observations, and the fourth starts the next batch"


def test_domains_are_upgraded_in_the_declared_order() -> None:
    world = World(
        fleet(scale_set(capacity=10)), spec(rollout={"order": ["update domain 3", "update domain 1"]})
    ).run()
    assert batches(world) == [["3", "8"], ["1", "6"], ["0", "5"], ["2", "7"], ["4", "9"]]


def test_a_rollout_continues_while_max_unhealthy_upgraded_is_not_exceeded() -> None:
    world = World(fleet(scale_set(capacity=10)), spec(rollout={"maxUnhealthyUpgraded": 1, "maxBatch": 1}))
    world.run(lambda: len(batches(world)) == 1)
    world.run(lambda: world.azure.scale_set("web").instance("0").state[0] == "succeeded")
    world.azure.scale_set("web").instance("0").sicken()
    world.rest(3 * HOUR)
    assert on(world) == {NEW: 10}
    assert world.lines()["web"] == says("HealthCheckFailed", "update domain 0", "web_0 (unhealthy)")


def test_time_in_which_azure_was_unreachable_exceeds_no_deadline_when_it_is_back() -> None:
    """The first observation after the outage must not find the rollout too slow, and the next one not."""
    world = World(fleet(scale_set(capacity=3)), spec())
    world.azure.faults.arm(
        "VirtualMachineScaleSets_UpdateInstances", OperationFails("VMExtensionProvisioningError", "No.")
    )
    world.run(lambda: "OperationFailed" in world.reasons())
    world.azure.faults.arm("*", Timeout(), times=None)
    world.rest(90 * MINUTE)
    world.azure.faults.disarm()
    world.run()
    assert "ProgressDeadlineExceeded" not in world.reasons()
    assert world.lines()["web"] == says("UpToDate", "3", NEW)
