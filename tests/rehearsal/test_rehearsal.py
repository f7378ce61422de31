"""Rehearsals of a change: what each fault halts, what recovers, and how a rehearsal ends."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import pytest

from reconciler.azure.compute import Compute
from reconciler.azure.session import Session
from reconciler.daemon.specs import Specs
from reconciler.prediction.playback import Limits
from reconciler.rehearsal import report
from reconciler.rehearsal.fault import parse_fault
from reconciler.rehearsal.injection import NoTarget
from reconciler.rehearsal.rehearsal import LIMITS, Rehearsal, rehearse
from reconciler.rehearsal.simulated_azure import SimulatedAzure, simulate
from reconciler.rollout.reason import Reason
from reconciler.simulator.clock import MONDAY_MORNING
from tests.rehearsal.copies import merged, plan_now, snapshot_now
from tests.stories.test_forecast import AS_ASSUMED, windows
from tests.stories.world import BAD, BASE, NEW, OLD, World, fleet, of_all, platform, scale_set, spec
from tests.token import Token

Json = dict[str, Any]

MINUTE = timedelta(minutes=1)
ALL = of_all(maxChange="100%")


def sets(*names: str, **fields: Any) -> Json:
    """A fleet of scale sets of five."""
    return fleet(*(scale_set(name, **{"capacity": 5, **fields}) for name in names), timings=AS_ASSUMED)


def play(
    described: Json,
    *specs: Mapping[str, Any],
    faults: tuple[str, ...] = (),
    seed: int = 0,
    limits: Limits = LIMITS,
    at: datetime = MONDAY_MORNING,
) -> Rehearsal:
    declared = Specs(merged(*specs), lambda: at)
    declared.refresh()
    assert declared.errors == ()
    return rehearse(described, declared, at, [parse_fault(each) for each in faults], seed=seed, limits=limits)


def reasons(found: Rehearsal) -> dict[str, Reason | None]:
    """Why each scale set is as it is in the end."""
    return {each.desired.name: each.outcome.reason if each.outcome else None for each in found.states}


def batches(rows: Mapping[str, Any]) -> dict[str, list[tuple[datetime, list[str]]]]:
    """When each batch begins, and its instances, by scale set, of a plan or a rehearsal."""
    return {
        row["name"]: [
            (datetime.fromisoformat(each["at"]), each["instanceIds"]) for each in row["forecast"]["batches"]
        ]
        for row in rows["scaleSets"]
        if row["forecast"]
    }


CAREFUL = {"canary": {"instances": 1, "soak": "30m"}, "soak": "10m", "bakeTime": "20m"}
CHANGES: dict[str, tuple[Mapping[str, Any], ...]] = {
    "all at once": (spec("a"), spec("b"), spec("c")),
    "three waves": (spec("a", wave=1), spec("b", wave=2), spec("c", wave=3)),
    "canaries, soaks and bake times": tuple(spec(each, rollout=CAREFUL) for each in "abc"),
    "one at a time": (of_all(maxChange="100%", maxConcurrentRollouts=1), spec("a"), spec("b"), spec("c")),
    "a dependency": (spec("a"), spec("b", dependsOn=["c"]), spec("c")),
    "a window": (spec("a", **windows("allow", "0 11 * * *", "4h")), spec("b"), spec("c", dependsOn=["a"])),
    "an approval": (spec("a", rollout={"approval": "start"}), spec("b"), spec("c")),
}


@pytest.mark.parametrize("kind", CHANGES)
def test_a_rehearsal_without_faults_does_what_the_plan_says(kind: str) -> None:
    """Stated bounds: the same batches, each within a minute."""
    specs = (ALL, *CHANGES[kind])
    with simulate(sets("a", "b", "c"), MONDAY_MORNING) as azure:
        planned = batches(plan_now(azure, *specs))
    found = play(sets("a", "b", "c"), *specs)
    rehearsed = batches(report.rehearsal(found))
    assert found.is_as_declared
    assert {name: [ids for _, ids in rows] for name, rows in rehearsed.items()} == {
        name: [ids for _, ids in rows] for name, rows in planned.items()
    }
    late = [
        abs(at - expected)
        for name, rows in rehearsed.items()
        for (at, _), (expected, _) in zip(rows, planned[name], strict=True)
    ]
    assert max(late) <= MINUTE


def test_a_window_in_five_days_takes_no_real_time() -> None:
    monday = windows("allow", "0 2 * * SAT", "4h")
    found = play(sets("web"), spec(**monday))
    assert found.is_as_declared
    assert found.until - MONDAY_MORNING > timedelta(days=4)


def test_a_rehearsal_goes_on_where_a_rollout_is() -> None:
    world = World(sets("web"), spec())
    world.run(lambda: world.has_upgraded(2))
    session = Session(credential=Token(), transport=world.azure.transport(), now=world.clock.now)
    running = SimulatedAzure(world.azure, world.clock, session, Compute(session))
    copied = snapshot_now(running, spec())
    assert copied.left_out == ()
    found = play(copied.fleet, spec(), at=world.clock.now())
    assert found.is_as_declared
    assert [ids for _, ids in batches(report.rehearsal(found))["web"]] == [["2"], ["3"], ["4"]]


def test_an_unhealthy_instance_halts_its_scale_set_and_what_waits_for_it() -> None:
    found = play(sets("a", "b"), ALL, spec("a"), spec("b", dependsOn=["a"]), faults=("unhealthy:1%",), seed=1)
    assert [str(fault) for fault, _ in found.faults] == ["unhealthy:1%"]
    assert found.faults[0][1] == "a_0"
    assert reasons(found) == {"a": Reason.HEALTH_CHECK_FAILED, "b": Reason.DEPENDENCY_NOT_READY}
    assert not found.is_as_declared
    shown = report.rehearsal(found)
    assert [(each["reason"], each["scaleSets"]) for each in shown["halts"]] == [
        ("HealthCheckFailed", ["a"]),
        ("DependencyNotReady", ["b"]),
    ]
    assert shown["halts"][0]["remedy"] == Reason.HEALTH_CHECK_FAILED.meaning.remedy


def test_a_tolerated_unhealthy_instance_stops_no_batch() -> None:
    tolerant = {"maxUnhealthyUpgraded": 1, "maxUnhealthy": 2}
    found = play(sets("web", capacity=10), spec(rollout=tolerant), faults=("unhealthy:1%",))
    assert len(batches(report.rehearsal(found))["web"]) == 5
    assert reasons(found) == {"web": Reason.HEALTH_CHECK_FAILED}


def test_repairs_by_azure_end_a_halt() -> None:
    repaired = sets("web", automaticRepairs={"grace": "10m", "action": "replace"})
    found = play(repaired, spec(), faults=("unhealthy:1%",))
    (row,) = report.rehearsal(found)["scaleSets"]
    assert found.is_as_declared
    assert [each["reason"] for each in row["halts"]] == ["HealthCheckFailed"]
    assert row["halts"][0]["until"] is not None


def test_a_rollback_leaves_a_failed_scale_set_on_its_old_image() -> None:
    found = play(sets("web"), spec(rollout={"onFailure": "rollback"}), faults=("unhealthy:100%",))
    assert reasons(found) == {"web": Reason.ROLLOUT_FAILED}
    kinds = [each["kind"] for each in report.rehearsal(found)["scaleSets"][0]["timeline"]]
    assert kinds[-1] == "halt"
    assert kinds.count("step") > 2, "what was upgraded is upgraded back"


def test_without_a_health_extension_an_unhealthy_instance_fails() -> None:
    found = play(sets("web", health="none"), spec(), faults=("unhealthy:100%",))
    assert reasons(found) == {"web": Reason.HEALTH_CHECK_FAILED}


def test_a_throttled_rehearsal_takes_longer_and_ends() -> None:
    plain = play(sets("a", "b"), ALL, spec("a"), spec("b", wave=1))
    found = play(sets("a", "b"), ALL, spec("a"), spec("b", wave=1), faults=("throttle",))
    assert found.is_as_declared
    assert found.until > plain.until
    assert found.faults[0][1].endswith(" requests got 429")
    assert found.faults[0][1] != "0 requests got 429"


def test_throttling_keeps_no_halted_rehearsal_from_its_end() -> None:
    found = play(sets("web"), spec(), faults=("throttle", "unhealthy:100%"))
    assert found.stopped_after == ""
    assert reasons(found) == {"web": Reason.HEALTH_CHECK_FAILED}


def test_a_batch_that_never_completes_halts_its_scale_set_only() -> None:
    found = play(sets("a", "b"), ALL, spec("a"), spec("b"), faults=("stuck:1",))
    stuck = found.faults[0][1].partition("_")[0]
    assert reasons(found)[stuck] in {Reason.HEALTH_CHECK_FAILED, Reason.PROGRESS_DEADLINE_EXCEEDED}
    assert [each.desired.name for each in found.not_as_declared] == [stuck]


def test_stuck_batches_are_in_different_scale_sets_as_far_as_possible() -> None:
    found = play(sets("a", "b", "c"), ALL, spec("a"), spec("b"), spec("c"), faults=("stuck:3",))
    assert {each.partition("_")[0] for each in found.faults[0][1].split(", ")} == {"a", "b", "c"}


def test_an_eviction_is_survived() -> None:
    found = play(sets("web", spot=True), spec(), faults=("evict:1",))
    (happened,) = found.happened
    assert found.is_as_declared
    assert reasons(found) == {"web": Reason.INSTANCES_LEFT_OUT}
    timeline = report.rehearsal(found)["scaleSets"][0]["timeline"]
    assert [each["text"] for each in timeline if each["kind"] == "fault"] == [happened.text]
    assert [each["kind"] for each in timeline][:3] == ["step", "step", "fault"], (
        "in the middle of the rollout"
    )


def test_an_evicted_instance_is_part_of_the_loss_of_later_batches() -> None:
    """In five instances, the batch after the eviction takes a second one out of service."""
    found = play(sets("web", capacity=5, spot=True), spec(), faults=("evict:1",))
    loss = report.rehearsal(found)["summary"]["worstLoss"]
    assert loss == {"name": "web", "instances": 2, "of": 5, "at": "2026-01-05T09:03:15+00:00"}


def test_an_instance_that_was_deallocated_before_is_no_part_of_the_loss() -> None:
    """Nobody lost it during the rehearsal. Of the four others, each batch takes one out of service."""
    deallocated = [{"id": "3", "power": "deallocated"}]
    found = play(sets("web", capacity=5, spot=True, instanceStates=deallocated), spec())
    loss = report.rehearsal(found)["summary"]["worstLoss"]
    assert loss == {"name": "web", "instances": 1, "of": 5, "at": "2026-01-05T09:00:15+00:00"}


def test_more_evictions_happen_at_later_batches() -> None:
    found = play(sets("web", spot=True), spec(), faults=("evict:2",))
    assert len({each.text for each in found.happened}) == 2


def test_an_eviction_needs_spot_instances() -> None:
    with pytest.raises(NoTarget, match="evict:1: no scale set of the fleet has Spot instances"):
        play(sets("web"), spec(), faults=("evict:1",))


@pytest.mark.parametrize("fault", ["unhealthy:50%", "stuck:1", "evict:1"])
def test_a_fault_of_a_fleet_that_is_as_declared_has_no_effect(fault: str) -> None:
    found = play(sets("web", spot=True), spec(version=OLD), faults=(fault,))
    assert found.is_as_declared
    assert found.faults[0][1] in {"no instance is to be upgraded", "no Spot instance was outside a batch"}


def test_the_same_seed_gives_the_same_rehearsal_and_another_one_may_not() -> None:
    def found(seed: int) -> Json:
        specs = (ALL, spec("a"), spec("b", wave=1))
        return report.rehearsal(play(sets("a", "b"), *specs, faults=("unhealthy:10%",), seed=seed))

    assert found(3) == found(3)
    assert len({found(seed)["faults"][0]["effect"] for seed in range(4)}) > 1


def test_several_faults_concern_different_instances() -> None:
    found = play(sets("web", capacity=20), spec(), faults=("unhealthy:20%", "stuck:3"))
    unhealthy, stuck = (set(effect.split(", ")) for _, effect in found.faults)
    assert not unhealthy & stuck


def test_a_bad_image_fails_by_itself() -> None:
    found = play(sets("web"), spec(version=BAD))
    assert reasons(found) == {"web": Reason.HEALTH_CHECK_FAILED}


def test_an_approval_is_given_at_once_and_reported() -> None:
    found = play(sets("web"), spec(rollout={"approval": "canary", "canary": {"instances": 1}}))
    assert found.is_as_declared
    shown = report.rehearsal(found)
    assert [(each["scaleSet"], each["image"]) for each in shown["approvals"]] == [("web", NEW)]
    assert [each["kind"] for each in shown["scaleSets"][0]["timeline"]].count("approval") == 1


def test_an_approval_is_given_however_much_azure_throttles() -> None:
    found = play(sets("web"), spec(rollout={"approval": "start"}), faults=("throttle",))
    assert found.is_as_declared


def test_a_suspended_scale_set_counts_as_declared() -> None:
    found = play(sets("a", "b"), ALL, spec("a", suspend=True), spec("b"))
    assert reasons(found) == {"a": Reason.SUSPENDED, "b": Reason.UP_TO_DATE}
    assert found.is_as_declared


@pytest.mark.parametrize(
    "described, specs, reason",
    [
        pytest.param(sets("web", mode="Automatic"), (spec(),), Reason.NOT_MANUAL_MODE, id="it is refused"),
        pytest.param(sets("api"), (spec(),), Reason.NOT_FOUND, id="it does not exist"),
        pytest.param(
            sets("web", "api"),
            (ALL, spec("api", suspend=True), spec(dependsOn=["api"])),
            Reason.DEPENDENCY_NOT_READY,
            id="it waits for ever",
        ),
        pytest.param(
            sets("web") | {"permissions": {"actions": ["*/read"]}},
            (spec(),),
            Reason.REFUSED,
            id="the role lacks an action",
        ),
        pytest.param(
            sets("web") | {"permissions": {"actions": []}},
            (spec(),),
            Reason.REFUSED,
            id="nothing can be listed",
        ),
    ],
)
def test_a_scale_set_that_cannot_get_there_ends_the_rehearsal(
    described: Json, specs: tuple[Mapping[str, Any], ...], reason: Reason
) -> None:
    found = play(described, *specs)
    assert found.stopped_after == ""
    assert reasons(found)["web"] is reason
    assert [each.desired.name for each in found.not_as_declared] == ["web"]
    assert found.until - MONDAY_MORNING < timedelta(hours=3)


def test_a_list_that_fails_is_a_halt_in_the_timeline() -> None:
    found = play(sets("web") | {"permissions": {"actions": []}}, spec())
    (row,) = report.rehearsal(found)["scaleSets"]
    assert [each["kind"] for each in row["timeline"]] == ["halt"]


@pytest.mark.parametrize(
    "limits, stopped",
    [
        pytest.param(Limits(timedelta(days=2), 100_000), "2 simulated days", id="too many days"),
        pytest.param(Limits(timedelta(days=30), 3), "3 reconciles", id="too many reconciles"),
    ],
)
def test_a_rehearsal_stops_at_its_limits_and_says_so(limits: Limits, stopped: str) -> None:
    found = play(sets("web"), spec(**windows("allow", "0 2 * * SAT", "4h")), limits=limits)
    assert found.stopped_after == stopped
    assert not found.is_as_declared


def test_events_and_faults_of_a_fleet_file_happen() -> None:
    withdrawn = {"after": "0s", "event": {"withdraw": f"{':'.join(BASE.values())}:{NEW}"}}
    assert reasons(play(sets("web") | {"events": [withdrawn]}, spec())) == {"web": Reason.IMAGE_NOT_FOUND}
    locked = {"code": 403, "errorCode": "ScopeLocked", "message": "The scope is locked."}
    fault = {"operation": "VirtualMachineScaleSets_Update", "times": "always", "fault": {"status": locked}}
    assert reasons(play(sets("web") | {"faults": [fault]}, spec())) == {"web": Reason.REFUSED}


def test_images_of_mixed_instances_are_brought_to_the_declared_one() -> None:
    described = sets("web", image=platform(NEW), instanceStates=[{"id": "3", "image": platform(OLD)}])
    found = play(described, spec())
    assert [ids for _, ids in batches(report.rehearsal(found))["web"]] == [["3"]]
