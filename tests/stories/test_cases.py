"""Situations that users of other tools reported or that operators tried, and how each must end."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from reconciler.rollout.reason import Status
from reconciler.simulator import OperationFails, OperationKeepsImage, Throttled
from reconciler.simulator import Status as Answer
from reconciler.simulator.faults import Malformed
from tests.messages import says
from tests.stories.world import BAD, BASE, FIX, NEW, OLD, World, fleet, scale_set, spec

PATCH, UPGRADE = "VirtualMachineScaleSets_Update", "VirtualMachineScaleSets_UpdateInstances"
LIST = "VirtualMachineScaleSetVMs_List"
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
        pytest.param("start", id="approval is required before the image is set"),
        pytest.param("canary", id="approval is required after the canary"),
    ],
)
def test_an_unapproved_image_is_not_used_to_remediate_many_unhealthy_instances(
    approval: str,
) -> None:
    """Half of the instances are unhealthy. Nothing is written, and an autoscaler creates no instance on the image."""
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
        pytest.param(False, id="the daemon runs throughout"),
        pytest.param(True, id="the daemon is restarted meanwhile"),
    ],
)
def test_a_permanently_unhealthy_instance_does_not_make_the_next_image_a_fix(*, is_restarted: bool) -> None:
    """The image that all instances have run for long has not failed, so the next one waits for its window."""
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


def test_a_canary_that_is_unhealthy_three_times_for_30_seconds_fails_the_image() -> None:
    """Every other observation finds it healthy, and no relapse is as long as health.timeout."""
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
    (line,) = [each.line for each in world.outcomes if each.reason == "GivingUp"]
    assert line == says("GivingUp", "web_0", "3 times", OLD)


def test_a_relapse_between_two_observations_restarts_the_soak_of_a_canary() -> None:
    """It is unhealthy for 20 seconds in every five minutes. Only the time that Azure reports with its health shows it."""
    world = World(
        fleet(scale_set(capacity=5, flapping=[{"id": "0", "healthy": "280s", "unhealthy": "20s"}])),
        spec(rollout={"canary": {"instances": ["0"], "soak": "30m"}}),
    )
    world.rest(3 * HOUR)
    assert on(world, NEW) == ["0"]


def on_model(world: World, image: str, *names: str) -> list[str]:
    """The scale sets among these whose model is on this version."""
    return [name for name in names if version(world, name) == image]


def after_a_failed_pilot(*names: str, **pilot: Any) -> World:
    """A world in which a bad image has failed in the first of these scale sets and is blocked in the others."""
    world = World(
        fleet(*(scale_set(name, capacity=4, **(pilot if name == names[0] else {})) for name in names)),
        *(spec(name, version=BAD) for name in names),
    )
    return world.run(lambda: world.lines().get(names[-1], "").startswith("ImageFailedElsewhere"))


def test_a_failed_image_stays_blocked_if_the_spec_of_its_scale_set_is_removed() -> None:
    world = after_a_failed_pilot("a", "b", "c")
    world.unmerge("a")
    world.rest(2 * HOUR)
    assert on_model(world, BAD, "a", "b", "c") == ["a"]
    assert world.lines()["b"] == says("ImageFailedElsewhere", BAD)


def test_a_failed_image_stays_blocked_if_its_scale_set_is_scaled_to_zero() -> None:
    world = after_a_failed_pilot("a", "b", "c")
    world.azure.scale_set("a").scale_to(0)
    world.rest(2 * HOUR)
    assert on_model(world, BAD, "a", "b", "c") == ["a"]


@pytest.mark.parametrize(
    "is_suspended",
    [
        pytest.param(True, id="its scale set is suspended"),
        pytest.param(False, id="its scale set is scaled to zero"),
    ],
)
def test_an_image_that_failed_with_hold_stays_blocked_after_a_restart(*, is_suspended: bool) -> None:
    world = after_a_failed_pilot("a", "b", "c")
    world.rest(5 * MINUTE)
    if is_suspended:
        world.merge(spec("a", version=BAD, suspend={"reason": "on call"}))
    else:
        world.azure.scale_set("a").scale_to(0)
    world.rest(5 * MINUTE)
    world.restart()
    world.rest(3 * HOUR)
    assert on_model(world, BAD, "a", "b", "c") == ["a"]
    assert world.lines()["b"] == says("ImageFailedElsewhere", BAD)


def test_a_failed_image_stays_blocked_after_a_fix_if_there_was_no_room_for_a_tag() -> None:
    world = after_a_failed_pilot("a", "b", "c", tags={f"owner-{number}": "" for number in range(50)})
    world.merge(spec("a", version=FIX))
    world.rest(2 * HOUR)
    assert on_model(world, FIX, "a", "b", "c") == ["a"]
    assert on_model(world, BAD, "a", "b", "c") == []


def test_a_failed_image_is_begun_elsewhere_once_it_becomes_healthy_where_it_failed() -> None:
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
            'QuotaExceeded ("The approved cores are in use")',
            id="the quota is exceeded",
        ),
        pytest.param(
            OperationKeepsImage(latest_model_applied=False),
            "4",
            id="the instances keep their image",
        ),
    ],
)
def test_an_upgrade_without_progress_until_its_deadline_reports_the_cause(fault: Any, fact: str) -> None:
    """No instance is unavailable, and none is waited for."""
    world = World(fleet(scale_set(capacity=5)), spec())
    world.azure.faults.arm(UPGRADE, fault, times=None)
    world.rest(4 * HOUR)
    assert world.lines()["web"] == says("ProgressDeadlineExceeded", NEW, fact)
    assert writes(world).count(UPGRADE) == 4
    world.azure.faults.disarm()
    world.merge(spec(rollout={"progressDeadline": "2h"}))
    world.run()
    assert on(world, NEW) == ["0", "1", "2", "3", "4"]


def test_a_busy_scale_set_becomes_failing_though_every_other_read_is_throttled() -> None:
    """It is Failing after half an hour as without the throttling, and its line says since when."""
    world = World(fleet(scale_set(capacity=4, provisioningState="Updating")), spec())
    reads = iter(range(1000))
    world.azure.faults.arm(
        "VirtualMachineScaleSets_Get",
        Throttled(retry_after=5 * SECOND),
        times=None,
        when=lambda _: next(reads) % 2 == 0,
    )
    world.rest(25 * MINUTE)
    statuses = {each.status for each in world.outcomes}
    world.rest(10 * MINUTE)
    told = world.state().outcome
    assert told is not None
    assert (statuses, told.status) == ({"Reconciling"}, "Failing")
    assert told.line == says("AzureUpdating", "updating")
    assert "since 2026-01-05 09:00 UTC" in told.line


def test_a_failed_scale_set_whose_reads_are_often_throttled_is_logged_once(caplog: Any) -> None:
    world = World(fleet(scale_set(capacity=4)), spec(version=BAD))
    world.run(lambda: world.reasons()[-1:] == ["HealthCheckFailed"])
    world.rest(2 * MINUTE)
    caplog.clear()
    reads = iter(range(1000))
    world.azure.faults.arm(
        "VirtualMachineScaleSetVMs_List",
        Throttled(retry_after=5 * SECOND),
        times=None,
        when=lambda _: next(reads) % 2 == 0,
    )
    world.rest(HOUR)
    outcome = world.state().outcome
    assert outcome is not None
    assert outcome.reason == "HealthCheckFailed"
    assert [each.message for each in caplog.records if each.name == "reconciler"] == []


def unreported(*ids: int) -> list[dict[str, Any]]:
    return [{"id": str(each), "power": "unknown", "health": "none"} for each in ids]


def batches(world: World) -> list[list[str]]:
    return [each.body["instanceIds"] for each in world.azure.record.requests if each.operation == UPGRADE]


@pytest.mark.parametrize("source", ["none", "probe"], ids="the health source is {}".format)
def test_if_nothing_shows_whether_instances_serve_only_one_batch_is_upgraded(source: str) -> None:
    """All may serve although Azure reports no power state, and the image may end that."""
    world = World(fleet(scale_set(capacity=10, health=source, instanceStates=unreported(*range(10)))), spec())
    world.rest(3 * HOUR)
    assert batches(world) == [["0", "5"]]
    assert world.lines()["web"] == says(
        "HealthCheckFailed", "web_0", "web_5", "with unknown power state", "10m"
    )
    for each in world.azure.scale_set("web").instances:
        each.report_power(None)
    world.run()
    assert world.lines()["web"] == says("UpToDate", "10", NEW)


def test_instances_that_report_nothing_follow_those_that_prove_the_image() -> None:
    states = unreported(0, 1, 5)
    world = World(
        fleet(scale_set(capacity=10, health="none", instanceStates=states, settledFor="1h")), spec()
    )
    world.rest(2 * HOUR)
    assert batches(world) == [["6"], ["2", "7"], ["3", "8"], ["4", "9"], ["0", "5"], ["1"]]
    assert world.lines()["web"] == says(
        "HealthCheckFailed", "web_0", "web_1", "web_5", "with unknown power state"
    )


@pytest.mark.parametrize(
    ("changes", "fact"),
    [
        pytest.param({}, "they have the latest model", id="ephemeral OS disks"),
        pytest.param({"orchestration": "Flexible"}, "the upgrade succeeded", id="a Flexible scale set"),
        pytest.param({"capacity": 1}, "it has the latest model", id="a single instance"),
    ],
)
def test_an_upgrade_that_keeps_the_image_says_that_another_will_not_help(
    changes: dict[str, Any], fact: str
) -> None:
    world = World(fleet(scale_set(**{"capacity": 10} | changes)), spec())
    world.azure.faults.arm(UPGRADE, OperationKeepsImage(), times=None)
    world.run(lambda: "NoEffect" in world.reasons())
    assert world.lines()["web"] == says("NoEffect", fact, OLD, "reimage")


@pytest.mark.parametrize("orchestration", ["Uniform", "Flexible"])
def test_a_retry_that_restarts_instances_on_their_old_image_stays_failing(orchestration: str) -> None:
    """Otherwise an alert would resolve at each retry, until the instances are healthy on that image again."""
    world = World(fleet(scale_set(orchestration=orchestration, capacity=5)), spec())
    world.azure.faults.arm(UPGRADE, OperationKeepsImage(latest_model_applied=False), times=3)
    world.run(lambda: writes(world).count(UPGRADE) == 4)
    failing = [each.status for each in world.outcomes].index(Status.FAILING)
    tried = world.outcomes[failing:]
    assert "WaitingForInstances" in {each.reason for each in tried}
    assert {each.status for each in tried} == {Status.FAILING}
    world.run(lambda: world.reasons()[-1] == "WaitingForInstances")
    assert world.outcomes[-1].status is Status.RECONCILING
    world.run()
    assert world.lines()["web"] == says("UpToDate", "5", NEW)


def test_past_the_deadline_an_upgrade_that_keeps_the_image_says_that_another_will_not_help() -> None:
    world = World(fleet(scale_set(orchestration="Flexible", capacity=5)), spec())
    world.azure.faults.arm(UPGRADE, OperationKeepsImage(latest_model_applied=False), times=None)
    world.rest(4 * HOUR)
    assert world.lines()["web"] == says("ProgressDeadlineExceeded", "the upgrade succeeded", OLD, "reimage")


def test_an_upgrade_that_is_not_applied_does_not_say_that_another_will_not_help() -> None:
    world = World(fleet(scale_set(capacity=5)), spec())
    world.azure.faults.arm(UPGRADE, OperationKeepsImage(latest_model_applied=False), times=None)
    world.rest(4 * HOUR)
    assert not any("reimage" in each.line for each in world.outcomes)


def holds_too_few(world: World) -> None:
    """Azure has room for no more instances, and an autoscaler asks for two."""
    world.azure.scale_set("web").limit_allocation(10)
    world.azure.scale_set("web").scale_to(12)


def reports_no_state(world: World) -> None:
    """The instance view of an instance is lost."""
    world.azure.faults.arm(LIST, Malformed("properties.instanceView", None, "web_3"), times=None)


INCOMPLETE = [
    pytest.param(holds_too_few, "10 of 12", id="Azure could not create two instances"),
    pytest.param(reports_no_state, "web_3", id="Azure reports no state for an instance"),
]


@pytest.mark.parametrize(("happens", "fact"), INCOMPLETE)
@pytest.mark.parametrize("on_failure", ["repin", "rollback"])
def test_the_model_returns_from_a_failed_image_though_no_list_is_complete(
    on_failure: str, happens: Callable[[World], None], fact: str
) -> None:
    """Until then each further instance would be created on the failed image. No instance is upgraded meanwhile."""
    world = World(fleet(scale_set(capacity=10)), spec(version=OLD))
    world.run()
    world.merge(spec(version=BAD, rollout={"onFailure": on_failure}))
    world.run(lambda: world.has_upgraded(1))
    happens(world)
    world.rest(2 * HOUR)
    assert (version(world), on(world, BAD)) == (OLD, ["0", "5"])
    assert batches(world) == [["0", "5"]]
    assert world.lines()["web"] == says("PartialRead", BAD, fact)
    world.azure.faults.disarm()
    world.azure.scale_set("web").limit_allocation(None)
    world.azure.scale_set("web").scale_to(10)
    world.run(lambda: world.reasons()[-1] == "RolloutFailed")
    assert on(world, BAD) == []


@pytest.mark.parametrize(("happens", "fact"), INCOMPLETE)
def test_a_revert_in_git_sets_the_model_back_though_no_list_is_complete(
    happens: Callable[[World], None], fact: str
) -> None:
    world = World(fleet(scale_set(capacity=10)), spec(version=OLD))
    world.run()
    world.merge(spec(version=BAD))
    world.run(lambda: world.has_upgraded(1))
    happens(world)
    world.rest(HOUR)
    assert version(world) == BAD
    world.merge(spec(version=OLD))
    world.rest(10 * MINUTE)
    assert (version(world), batches(world)) == (OLD, [["0", "5"]])
    assert world.lines()["web"] == says("PartialRead", fact)


@pytest.mark.parametrize(("happens", "fact"), INCOMPLETE)
def test_a_list_that_stays_incomplete_begins_no_rollout_and_says_what_to_do(
    happens: Callable[[World], None], fact: str
) -> None:
    world = World(fleet(scale_set(capacity=10)), spec(version=OLD))
    world.run()
    happens(world)
    world.run(lambda: world.reasons()[-1] in {"UpToDate", "PartialRead"}, limit=HOUR)
    world.merge(spec())
    world.rest(HOUR)
    world.restart()
    world.rest(HOUR)
    assert version(world) == OLD
    assert batches(world) == []
    assert world.lines()["web"] == says("PartialRead", fact)
    assert world.outcomes[-1].status == "Failing"


DENIED = Answer(403, "RequestDisallowedByPolicy", "Resource 'a' was disallowed by policy.")


def refuse_model_changes(world: World, name: str) -> None:
    """A policy denies every PATCH of this scale set from now on."""
    path = f"/virtualMachineScaleSets/{name}"
    world.azure.faults.arm(PATCH, DENIED, times=None, when=lambda request: request.path.endswith(path))


@pytest.mark.parametrize("on_failure", ["repin", "rollback"])
def test_an_image_is_not_begun_elsewhere_if_its_rollback_is_refused(on_failure: str) -> None:
    rollout = {"onFailure": on_failure}
    world = World(
        fleet(*(scale_set(name, capacity=5) for name in "abc")),
        *(spec(name, version=OLD) for name in "abc"),
    ).run()
    world.merge(*(spec(name, version=BAD, rollout=rollout) for name in "abc"))
    world.run(lambda: world.has_upgraded(1))
    refuse_model_changes(world, "a")
    world.rest(6 * HOUR)
    assert on_model(world, BAD, "a", "b", "c") == ["a"]
    assert world.lines()["b"] == says("ImageFailedElsewhere", BAD, "scale set a")
    assert world.lines()["a"] == says("Refused", "a_0 (unhealthy)", "RequestDisallowedByPolicy", BAD, OLD)
    world.azure.faults.disarm()
    world.run(lambda: world.lines()["a"].startswith("RolloutFailed"))
    assert on(world, BAD, "a") == []


def withdraw(world: World, version: str) -> None:
    """Azure deprecates this version from now on."""
    world.azure.publish(f"{':'.join(BASE.values())}:{version}", deprecation="Deprecated")


def suspend(world: World) -> None:
    world.merge(spec("a", version=BAD, suspend={"reason": "on call"}))


def scale_to_zero(world: World) -> None:
    world.azure.scale_set("a").scale_to(0)


ON_CALL = [
    pytest.param(suspend, id="its scale set is suspended"),
    pytest.param(scale_to_zero, id="its scale set is scaled to zero"),
]


def with_a_bad_pilot(on_failure: str) -> World:
    """Three scale sets that declare a bad image. The first instance of a has been upgraded to it."""
    world = World(
        fleet(*(scale_set(name, capacity=4) for name in "abc")),
        *(spec(name, version=OLD) for name in "abc"),
    ).run()
    world.merge(*(spec(name, version=BAD, rollout={"onFailure": on_failure}) for name in "abc"))
    return world.run(lambda: world.has_upgraded(1))


@pytest.mark.parametrize("happens", ON_CALL)
def test_an_image_without_a_way_back_stays_blocked_after_a_restart(
    happens: Callable[[World], None],
) -> None:
    """The last good image is withdrawn during the rollout, so the failed one cannot be rolled back."""
    world = with_a_bad_pilot("rollback")
    withdraw(world, OLD)
    world.run(lambda: world.lines()["a"].startswith("HealthCheckFailed"))
    assert world.lines()["a"] == says("HealthCheckFailed", "a_0", "ImageDeprecated", "declare another image")
    world.rest(5 * MINUTE)
    happens(world)
    world.rest(5 * MINUTE)
    world.restart()
    world.rest(3 * HOUR)
    assert on_model(world, BAD, "a", "b", "c") == ["a"]
    assert world.lines()["b"] == says("ImageFailedElsewhere", BAD, "scale set a")


def test_a_rollback_begins_once_its_target_is_available_again() -> None:
    world = World(fleet(scale_set(capacity=5)), spec(version=OLD)).run()
    world.merge(spec(version=BAD, rollout={"onFailure": "rollback"}))
    world.run(lambda: world.has_upgraded(1))
    withdraw(world, OLD)
    world.run(lambda: world.reasons()[-1] == "HealthCheckFailed")
    world.rest(5 * MINUTE)
    instances = world.state().seen.counts
    assert instances is not None
    assert instances.not_serving == 1
    world.azure.publish(f"{':'.join(BASE.values())}:{OLD}", deprecation="Active")
    world.run(lambda: world.reasons()[-1] == "GivingUp")
    assert world.lines()["web"] == says("GivingUp", BAD, OLD)
    world.run(lambda: world.reasons()[-1] == "RolloutFailed")
    assert on(world, BAD) == []


def test_a_rollout_without_a_way_back_continues_once_its_instances_are_healthy() -> None:
    world = World(fleet(scale_set(capacity=1)), spec(version=OLD)).run()
    world.merge(spec(version=BAD, rollout={"onFailure": "rollback"}))
    world.run(lambda: world.has_upgraded(1))
    withdraw(world, OLD)
    world.run(lambda: world.reasons()[-1] == "HealthCheckFailed")
    world.rest(HOUR)
    assert "failed=" in world.azure.scale_set("web").tags["vmss-reconciler-state"]
    world.azure.scale_set("web").instance("0").heal()
    world.rest(HOUR)
    assert world.lines()["web"] == says("UpToDate", BAD)
    assert "failed=" not in world.azure.scale_set("web").tags["vmss-reconciler-state"]


@pytest.mark.parametrize("happens", ON_CALL)
def test_an_image_is_not_begun_elsewhere_if_its_rollback_is_refused_before_a_restart(
    happens: Callable[[World], None],
) -> None:
    """The tags alone record the failure, which the policy permits."""
    world = with_a_bad_pilot("repin")
    world.azure.faults.arm(
        PATCH,
        DENIED,
        times=None,
        when=lambda request: request.path.endswith("/a") and b"imageReference" in request.body,
    )
    world.run(lambda: world.lines()["a"].startswith("Refused"))
    world.rest(5 * MINUTE)
    happens(world)
    world.rest(5 * MINUTE)
    world.restart()
    world.rest(3 * HOUR)
    assert world.lines()["b"] == says("ImageFailedElsewhere", BAD, "scale set a")


def test_an_upgrade_that_is_refused_during_a_rollback_names_the_failed_image() -> None:
    world = World(fleet(scale_set(capacity=5)), spec(version=OLD)).run()
    world.merge(spec(version=BAD, rollout={"onFailure": "rollback"}))
    world.run(lambda: "GivingUp" in world.reasons())
    world.azure.faults.arm(UPGRADE, DENIED, times=None)
    world.rest(HOUR)
    assert world.lines()["web"] == says("Refused", f"{BAD} failed", "web_0", OLD, "RequestDisallowedByPolicy")


def with_old_failures(*ids: int, **changes: Any) -> list[dict[str, Any]]:
    """Instances with a failure of an extension that ran once. They serve."""
    return [{"id": str(each), "provisioning": "failed"} | changes for each in ids]


@pytest.mark.parametrize("source", ["extension", "none", "probe"], ids="the health source is {}".format)
@pytest.mark.parametrize("number", [2, 6], ids="{} of 20".format)
def test_running_instances_with_an_old_failure_wait_for_their_window(number: int, source: str) -> None:
    """Nothing says that they do not serve, so a restart outside the window might interrupt them."""
    states = with_old_failures(*range(number), **({"health": "healthy"} if source == "extension" else {}))
    world = World(
        fleet(scale_set(health=source, instanceStates=states, provisioningState="Failed")),
        spec(rollout={"windows": [{"kind": "allow", "schedule": "0 12 * * *", "duration": "4h"}]}),
    )
    world.rest(2 * HOUR)
    world.restart()
    world.rest(50 * MINUTE)
    assert writes(world) == []
    assert world.lines()["web"] == says("OutsideWindow")
    world.run()
    assert world.lines()["web"] == says("UpToDate", "20", NEW)


def test_an_old_failure_makes_no_fix_of_the_next_image() -> None:
    """The window closes after two batches. The failure of the instances to come says nothing about their next image."""
    window = {"kind": "allow", "schedule": "55 8 * * *", "duration": "10m"}
    world = World(
        fleet(scale_set(capacity=20, health="none", instanceStates=with_old_failures(*range(10, 20)))),
        spec(rollout={"windows": [window], "soak": "2m"}),
    )
    world.run(lambda: world.reasons()[-1] == "OutsideWindow")
    written = len(writes(world))
    assert 1 < written < 6
    world.merge(spec(version=FIX, rollout={"windows": [window], "soak": "2m"}))
    world.rest(2 * HOUR)
    assert len(writes(world)) == written
    assert world.lines()["web"] == says("OutsideWindow", FIX)
    assert "failed=" not in world.azure.scale_set("web").tags["vmss-reconciler-state"]


@pytest.mark.parametrize("restarts", [False, True], ids=["by the same process", "after a restart"])
def test_a_failure_after_a_rollout_waits_for_the_window(restarts: bool) -> None:
    """The process that upgraded the instances decides as a new one does."""
    window = {"kind": "allow", "schedule": "0 9 * * *", "duration": "1h"}
    world = World(
        fleet(scale_set(capacity=20, health="none", settledFor="1h")), spec(rollout={"windows": [window]})
    ).run()
    world.rest(2 * HOUR)
    for number in range(6):
        world.azure.scale_set("web").instance(str(number)).fail()
    if restarts:
        world.restart()
    world.rest(HOUR)
    written = len(writes(world))
    world.merge(spec(version=FIX, rollout={"windows": [window]}))
    world.rest(2 * HOUR)
    assert len(writes(world)) == written
    assert world.lines()["web"] == says("OutsideWindow", FIX)
