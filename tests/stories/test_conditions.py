"""Conditions, revisions and the history of a rollout, as the daemon reports them."""

from datetime import timedelta
from typing import Any

import pytest

from reconciler.daemon import report
from reconciler.daemon.condition import ConditionStatus, ConditionType
from reconciler.rollout.reason import Status
from reconciler.simulator import Page, Throttled, Timeout
from reconciler.simulator import Status as Refusal
from tests.stories.world import BAD, BASE, FIX, NEW, OLD, World, fleet, platform, scale_set, spec

MINUTE = timedelta(minutes=1)


def row(world: World, name: str = "web") -> dict[str, Any]:
    return report.state(world.state(name))


def conditions(world: World) -> str:
    """The statuses of the conditions in order, with the reasons of Healthy and Drifted."""
    shown = row(world)["conditions"]
    assert [each["type"] for each in shown] == list(ConditionType)
    return " ".join(
        f"{each['status']}({each['reason']})" if each["type"] in {"Healthy", "Drifted"} else each["status"]
        for each in shown
    )


def conditions_until_settled(world: World) -> list[str]:
    """The conditions after every step until web is settled, without repetitions in a row."""
    seen: list[str] = []

    def is_settled() -> bool:
        state = world.state()
        assert state.outcome is not None
        ready, reconciling, stalled, *_ = state.published.conditions
        assert [each.status for each in (ready, reconciling, stalled)].count(ConditionStatus.TRUE) <= 1
        assert (ready.status is ConditionStatus.TRUE) is (state.outcome.status is Status.READY)
        seen.append(conditions(world))
        return state.outcome.status.settled

    world.run(is_settled)
    return [now for before, now in zip([None, *seen], seen, strict=False) if now != before]


def observed_stages(*stages: str) -> list[str]:
    """These stages as they are observed: the instances of a scale set that reports Updating are not listed."""
    if World.during_upgrade == "Updating":
        return list(stages)
    seen = [each.replace("InstancesUnavailable", "WaitingForInstances") for each in stages]
    return [each for before, each in zip(["", *seen], seen, strict=False) if each != before]


def test_conditions_follow_a_rollout_from_the_merge_until_it_is_ready() -> None:
    world = World(fleet(scale_set(capacity=3)), spec(version=OLD)).run()
    assert conditions(world) == "True False False True(Serving) False(NoDrift)"
    since = row(world)["conditions"][0]["lastTransitionTime"]

    world.merge(spec(version=NEW))
    assert conditions_until_settled(world) == observed_stages(
        "Unknown True False Unknown(NotObserved) True(ModelDrift)",
        "Unknown True False False(Upgrading) True(InstanceDrift)",
        "Unknown True False False(InstancesUnavailable) True(InstanceDrift)",
        "Unknown True False False(WaitingForInstances) True(InstanceDrift)",
        "Unknown True False False(Upgrading) True(InstanceDrift)",
        "Unknown True False False(InstancesUnavailable) True(InstanceDrift)",
        "Unknown True False False(WaitingForInstances) True(InstanceDrift)",
        "Unknown True False False(Upgrading) True(InstanceDrift)",
        "Unknown True False False(InstancesUnavailable) True(InstanceDrift)",
        "Unknown True False False(WaitingForInstances) False(NoDrift)",
        "True False False True(Serving) False(NoDrift)",
    )
    assert row(world)["conditions"][0]["lastTransitionTime"] > since


def test_a_bad_image_is_not_ready_and_the_history_has_its_failure_and_its_fix() -> None:
    world = World(fleet(scale_set(capacity=10)), spec(version=OLD)).run()
    world.merge(spec(version=BAD))
    world.rest(20 * MINUTE)
    assert conditions(world) == "False True False False(HealthCheckFailed) True(InstanceDrift)"
    world.merge(spec(version=FIX))
    conditions_until_settled(world)
    assert [each["message"] for each in row(world)["history"]] == [
        f"{BAD} to {FIX}: succeeded in 9m; 10 instances in 5 batches, longest batch 1m45s",
        f"{OLD} to {BAD}: failed in 20m; 2 instances in 1 batch, longest batch 19m45s",
    ]


def test_a_suspended_scale_set_is_never_ready() -> None:
    world = World(fleet(scale_set(capacity=3)), spec(version=NEW)).run()
    assert row(world)["suspended"] is False
    world.merge(spec(version=NEW, suspend={"reason": "load test"}))
    world.rest(3 * MINUTE)
    assert conditions(world) == "Unknown False False True(Serving) False(NoDrift)"
    assert row(world)["suspended"] is True


def test_a_manual_change_of_the_model_is_reported_as_model_drift() -> None:
    world = World(fleet(scale_set(capacity=3)), spec(version=NEW)).run()
    world.azure.scale_set("web").set_image(f"Canonical:ubuntu-24_04-lts:server:{OLD}")
    world.run(lambda: world.state().outcome is not world.outcomes[0])
    assert conditions(world) == "Unknown True False True(Serving) True(ModelDrift)"
    world.run()
    newest = row(world)["history"][0]
    assert newest["message"].startswith(f"{OLD} to {NEW}: succeeded in ")


def test_each_scale_set_observes_a_revision_by_itself() -> None:
    world = World(fleet(scale_set("web", capacity=2), scale_set("api", capacity=2)), spec("web"), spec("api"))
    world.run()
    seen = row(world, "web")
    assert seen["revision"] == seen["observedRevision"]
    assert seen["revision"]["commit"] == f"{1:040x}"

    # A commit that changes one of them only.
    world.merge(spec("web", FIX))
    world.reconciler.sweep()
    api, web = row(world, "api"), row(world, "web")
    assert api["observedRevision"] == api["revision"]
    assert web["revision"]["commit"] == api["revision"]["commit"] == f"{2:040x}"
    assert web["observedRevision"] == seen["revision"], "it is declared, and nothing was decided yet"
    assert {str(each["observedRevision"]) for each in web["conditions"]} == {str(seen["revision"])}

    world.run()
    web = row(world, "web")
    assert web["observedRevision"] == web["revision"]
    assert {str(each["observedRevision"]) for each in web["conditions"]} == {str(web["revision"])}


def test_a_merge_is_not_ready_while_the_scale_set_cannot_be_read() -> None:
    world = World(fleet(scale_set(capacity=2)), spec(version=NEW)).run()
    before = row(world)
    world.merge(spec(version=FIX))
    world.azure.faults.arm("VirtualMachineScaleSetVMs_List", Throttled(3 * MINUTE))
    world.step()
    after = row(world)
    assert (after["reason"], after["status"]) == ("Throttled", "Reconciling")
    assert conditions(world).startswith("Unknown True False")
    assert after["observedRevision"] == before["observedRevision"] != after["revision"]
    world.run()
    assert row(world)["observedRevision"] == after["revision"]


def test_an_instance_that_becomes_unhealthy_after_a_rollout_adds_no_history() -> None:
    world = World(fleet(scale_set(capacity=3)), spec(version=NEW)).run()
    (before,) = row(world)["history"]
    world.azure.scale_set("web").instance("1").sicken()
    world.merge(spec(version=NEW, interval="2h"))
    world.rest(5 * MINUTE)
    assert conditions(world) == "Unknown True False False(WaitingForInstances) False(NoDrift)"
    assert row(world)["history"] == [before]


def test_an_instance_that_becomes_unhealthy_while_approval_is_awaited_is_reported() -> None:
    world = World(fleet(scale_set(capacity=3)), spec(version=OLD)).run()
    world.azure.scale_set("web").instance("1").sicken()
    world.merge(spec(version=NEW, rollout={"approval": "start"}))
    world.rest(3 * MINUTE)
    assert row(world)["reason"] == "AwaitingApproval"
    assert conditions(world) == "Unknown True False False(InstancesUnavailable) True(ModelDrift)"


@pytest.mark.parametrize(
    ("tags", "began"),
    [
        pytest.param(0, "2026-01-05T09:00:00+00:00", id="the tag has the start"),
        pytest.param(50, None, id="there was no room for a tag"),
    ],
)
def test_a_restarted_daemon_reads_the_start_of_the_rollout_from_the_tag(tags: int, began: str | None) -> None:
    others = {f"owner-{number}": "x" for number in range(tags)}
    world = World(fleet(scale_set(capacity=10, tags=others)), spec(version=NEW))
    world.run(lambda: world.requests().count("VirtualMachineScaleSets_UpdateInstances") == 2)
    world.restart()
    world.run()
    (record,) = row(world)["history"]
    assert (record["began"], record["from"], record["result"]) == (began, None, "Succeeded")
    assert (record["batches"], record["instances"]) == (None, None), "some were upgraded before the restart"
    assert " since the daemon started, longest batch " in record["message"]


@pytest.mark.parametrize("on_failure", ["repin", "rollback"])
def test_an_aborted_rollout_is_stalled_and_recorded_in_the_history(on_failure: str) -> None:
    rollout = {"onFailure": on_failure}
    world = World(fleet(scale_set(capacity=10)), spec(version=OLD, rollout=rollout)).run()
    world.merge(spec(version=BAD, rollout=rollout))
    world.run()
    assert conditions(world).startswith("False False True")
    assert conditions(world).endswith("True(ModelDrift)")
    (record,) = row(world)["history"]
    assert record["message"].startswith(f"{OLD} to {BAD}: given up in ")
    assert (record["batches"], record["instances"]) == (1, 2)


def test_conditions_become_unknown_if_a_scale_set_is_unreachable_for_long() -> None:
    world = World(fleet(scale_set(capacity=2)), spec(version=NEW, interval="10m")).run()
    world.azure.faults.arm("VirtualMachineScaleSetVMs_List", Page(), times=None)
    world.merge(spec(version=NEW, interval="11m"))
    world.rest(3 * MINUTE)
    assert conditions(world) == "Unknown True False True(Serving) False(NoDrift)"
    world.rest(20 * MINUTE)
    assert conditions(world) == "False True False Unknown(NotObserved) Unknown(NotObserved)"


def test_each_sweep_confirms_a_settled_scale_set_unless_it_is_unreachable() -> None:
    world = World(fleet(scale_set(capacity=2)), spec(version=NEW)).run()
    world.rest(30 * MINUTE)
    assert world.state().published.known_at == world.reconciler.store.last_sweep.at  # type: ignore[union-attr]
    known = world.state().published.known_at
    world.azure.faults.arm("VirtualMachineScaleSetVMs_List", Page(), times=None)
    world.azure.scale_set("web").bump_etag()
    world.rest(10 * MINUTE)
    assert world.reasons()[-1] == "Unreachable"
    assert world.state().published.known_at == known


def test_a_refused_change_counts_as_observed_and_an_unanswered_one_does_not() -> None:
    world = World(fleet(scale_set(capacity=2)), spec(version=NEW)).run()
    before = row(world)["revision"]
    world.azure.faults.arm(
        "VirtualMachineScaleSets_Update",
        Refusal(403, "AuthorizationFailed", "The client does not have authorization to perform action."),
        times=None,
    )
    world.azure.faults.arm("VirtualMachineScaleSets_ListAll", Page(), times=None)
    world.merge(spec(version=FIX))
    world.rest(3 * MINUTE)
    assert (row(world)["observedRevision"], row(world)["conditions"][0]["status"]) == (before, "True")
    world.azure.faults.disarm()

    world.azure.faults.arm("VirtualMachineScaleSets_Update", Timeout(), times=None)
    world.rest(3 * MINUTE)
    assert (world.reasons()[-1], row(world)["observedRevision"]) == ("Unreachable", before)
    assert row(world)["conditions"][0]["observedRevision"] == row(world)["revision"]
    world.azure.faults.disarm()

    world.azure.faults.arm(
        "VirtualMachineScaleSets_Update",
        Refusal(403, "AuthorizationFailed", "The client does not have authorization to perform action."),
        times=None,
    )
    world.rest(3 * MINUTE)
    assert (world.reasons()[-1], row(world)["observedRevision"]) == ("Refused", row(world)["revision"])
    assert conditions(world).startswith("False False True")


def test_a_newer_version_of_latest_is_drift_until_all_instances_run_it() -> None:
    latest = {"platform": {**BASE, "version": "latest"}}
    images = {"platform": [{**BASE, "versions": [OLD, NEW]}]}
    declared = fleet(scale_set(capacity=2, image=platform(NEW)), images=images)
    world = World(declared, spec(image=latest, interval="5m")).run()
    world.azure.publish(f"Canonical:ubuntu-24_04-lts:server:{FIX}")
    world.run(lambda: world.reasons()[-1] == "ModelDrift")
    assert conditions(world) == "Unknown True False Unknown(NotObserved) True(ModelDrift)"
    assert row(world)["instances"] is None, "they have not been counted for the newer version yet"
    assert conditions_until_settled(world) == observed_stages(
        "Unknown True False False(Upgrading) True(InstanceDrift)",
        "Unknown True False False(InstancesUnavailable) True(InstanceDrift)",
        "Unknown True False False(WaitingForInstances) True(InstanceDrift)",
        "Unknown True False False(Upgrading) True(InstanceDrift)",
        "Unknown True False False(InstancesUnavailable) True(InstanceDrift)",
        "Unknown True False False(WaitingForInstances) False(NoDrift)",
        "True False False True(Serving) False(NoDrift)",
    )
