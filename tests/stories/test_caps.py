"""The limits of a Fleet, maxChange and maxConcurrentRollouts; and single passes, in which the order must not matter."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

import pytest

from reconciler.simulator import Reset, Status
from tests.messages import says
from tests.stories.fleets import MINUTE, is_there, most_at_once, on, reason, sets, writes
from tests.stories.test_crash import Mortal, live
from tests.stories.world import BAD, FIX, NEW, OLD, World, fleet, of_all, platform, scale_set, spec


def changing(count: int, total: int = 10, version: str = NEW) -> list[dict[str, Any]]:
    return [spec(f"s{number}", version if number < count else OLD) for number in range(total)]


TEN = [f"s{number}" for number in range(10)]


def test_a_commit_above_max_change_changes_nothing_until_it_is_split() -> None:
    world = World(sets(*TEN, capacity=2), of_all(maxChange="30%"), *changing(0)).run()
    world.merge(*changing(4))
    for _ in range(4):
        world.rest(5 * MINUTE)
        world.restart()
    world.rest(MINUTE)
    assert [name for name in TEN if writes(world, name)] == []
    assert [reason(world, name) for name in TEN] == ["TooMuchChange"] * 4 + ["UpToDate"] * 6
    assert world.lines()["s0"] == (
        says("TooMuchChange", "0000000000", "4 of 10", "spec.maxChange", "30%", "3 of 10", NEW)
    )
    world.merge(*changing(2))
    world.rest(2 * MINUTE).run()
    assert [on(world, name) for name in TEN] == [{NEW}] * 2 + [{OLD}] * 8
    world.merge(*changing(4))
    world.rest(2 * MINUTE).run()
    assert [on(world, name) for name in TEN] == [{NEW}] * 4 + [{OLD}] * 6


def test_raising_max_change_releases_a_blocked_commit() -> None:
    world = World(sets(*TEN, capacity=2), of_all(maxChange=3), *changing(4))
    world.rest(5 * MINUTE)
    assert Counter(reason(world, name) for name in TEN) == {"TooMuchChange": 4, "UpToDate": 6}
    world.merge(of_all(maxChange=4))
    world.rest(2 * MINUTE).run()
    assert [on(world, name) for name in TEN] == [{NEW}] * 4 + [{OLD}] * 6


def test_a_revert_above_max_change_is_not_blocked() -> None:
    """Three commits roll an image to three scale sets, and one commit reverts all of them."""
    rollout = {"onFailure": "rollback"}
    names = TEN[:3]
    world = World(
        sets(*names, capacity=2), of_all(maxChange=1), *(spec(name, OLD, rollout=rollout) for name in names)
    ).run()
    for name in names:
        world.merge(spec(name, NEW, rollout=rollout))
        world.rest(2 * MINUTE).run()
    assert [on(world, name) for name in names] == [{NEW}] * 3
    world.merge(*(spec(name, OLD, rollout=rollout) for name in names))
    world.rest(2 * MINUTE).run()
    assert [on(world, name) for name in names] == [{OLD}] * 3


@pytest.mark.parametrize("minutes", range(1, 14, 3), ids="restarted after {} min".format)
def test_a_restart_during_an_allowed_change_does_not_block_it(minutes: int) -> None:
    world = World(sets(*TEN, capacity=2), of_all(maxChange=3, maxConcurrentRollouts=1), *changing(0)).run()
    world.merge(*changing(3))
    world.rest(minutes * MINUTE)
    world.restart()
    world.run()
    assert [on(world, name) for name in TEN] == [{NEW}] * 3 + [{OLD}] * 7
    assert not any(each.reason == "TooMuchChange" for each in world.outcomes)


def test_scale_sets_blocked_by_max_change_cost_only_the_list_pages() -> None:
    world = World(sets(*TEN, capacity=2), of_all(maxChange=3), *changing(10))
    world.rest(5 * MINUTE)
    before = len(world.requests())
    world.rest(30 * MINUTE)
    assert set(world.requests()[before:]) == {"VirtualMachineScaleSets_ListAll"}


# maxConcurrentRollouts.


@pytest.mark.parametrize(
    "every", [None, 1], ids=["the daemon runs throughout", "the daemon is killed every minute"]
)
def test_ten_scale_sets_finish_with_at_most_three_rolling_at_once(every: int | None) -> None:
    world = World(sets(*TEN), of_all(maxConcurrentRollouts=3), *changing(10))
    minutes = 0
    while not all(on(world, name) == {NEW} for name in TEN):
        world.rest(MINUTE)
        minutes += 1
        assert minutes < 240, world.lines()
        if every and minutes % every == 0:
            world.restart()
    assert most_at_once(world, TEN) == 3
    waiting = [each.counts for each in world.outcomes if each.reason == "AwaitingTurn"]
    assert waiting
    assert not any(counts and counts.up_to_date for counts in waiting), (
        "a rollout in progress waits for no slot"
    )


@pytest.mark.parametrize(
    "is_before", [True, False], ids=["the daemon dies before it", "the daemon dies after it"]
)
@pytest.mark.parametrize("write", range(9), ids="write {}".format)
def test_max_concurrent_rollouts_is_kept_if_the_daemon_dies_at_a_write(
    write: int, monkeypatch: pytest.MonkeyPatch, *, is_before: bool
) -> None:
    names = ["a", "b", "c"]
    for name, value in {"written": 0, "write": write, "before": is_before}.items():
        monkeypatch.setattr(Mortal, name, value)
    documents = [of_all(maxConcurrentRollouts=1, maxChange=3), *map(spec, names)]
    world = World(sets(*names, capacity=2), *documents, compute=Mortal)
    live(world, 40 * MINUTE)
    assert Mortal.written > write, "that write was never made"
    assert [on(world, name) for name in names] == [{NEW}] * 3
    assert most_at_once(world, names) == 1


def test_the_other_scale_sets_wait_for_a_failed_pilot_after_restarts() -> None:
    world = World(sets(*TEN), of_all(maxConcurrentRollouts=2), *changing(10, version=BAD))
    for _ in range(4):
        world.rest(10 * MINUTE)
        world.restart()
    world.rest(2 * MINUTE)
    assert [name for name in TEN if writes(world, name)] == ["s0"], "the pilot"
    assert world.lines()["s2"] == (
        says(
            "ImageFailedElsewhere",
            BAD,
            "spec.maxFailedRollouts",
            "0 of 10",
            f"`reconciler retry --image {BAD}`",
            BAD,
        )
    )
    world.merge(*changing(10, version=FIX))
    world.run()
    assert all(on(world, name) == {FIX} for name in TEN)
    assert most_at_once(world, TEN) <= 2


@pytest.mark.parametrize(
    "killed", [False, True], ids=["the daemon runs throughout", "the daemon is killed once"]
)
@pytest.mark.parametrize("on_failure", ["repin", "rollback"])
def test_no_other_scale_set_begins_an_image_that_was_rolled_back(on_failure: str, *, killed: bool) -> None:
    rollout = {"onFailure": on_failure}
    documents = [spec(name, version=BAD, rollout=rollout) for name in ("a", "b")]
    world = World(sets("a", "b"), of_all(maxConcurrentRollouts=1), *documents)
    world.run(lambda: reason(world, "a") == "RolloutFailed")
    if killed:
        world.restart()
    world.rest(30 * MINUTE)
    assert writes(world, "b") == []
    assert world.lines()["b"] == says("ImageFailedElsewhere", BAD, "spec.maxFailedRollouts")


def test_a_free_slot_is_used_again_within_two_minutes() -> None:
    world = World(sets("a", "b"), of_all(maxConcurrentRollouts=1), spec("a"), spec("b"))
    world.run(lambda: bool(writes(world, "b")))
    done = max(absence.until for absence in world.azure.record.absences("a") if absence.until)
    assert world.clock.now() - done < 2 * MINUTE


def test_a_slot_is_released_if_azure_refuses_the_change_of_the_model() -> None:
    world = World(sets("a", "b"), of_all(maxConcurrentRollouts=1), spec("a"), spec("b"))
    world.azure.faults.arm(
        "VirtualMachineScaleSets_Update",
        Status(403, "AuthorizationFailed", "The client does not have authorization to perform action."),
        times=None,
        when=lambda request: request.path.endswith("/a"),
    )
    world.run(lambda: on(world, "b") == {NEW})
    assert "Refused" in world.reasons("a")


def test_a_slot_is_kept_if_the_answer_to_the_change_of_the_model_is_lost() -> None:
    world = World(sets("a", "b"), of_all(maxConcurrentRollouts=1), spec("a"), spec("b"))
    world.azure.faults.arm("VirtualMachineScaleSets_Update", Reset(lost_answer=True))
    world.run(lambda: bool(writes(world, "b")))
    assert world.reasons("a")[:2] == ["AwaitingTurn", "Unreachable"]
    assert on(world, "a") == {NEW}


def test_a_scale_set_that_waits_for_a_dependency_lends_it_its_slot() -> None:
    world = World(sets("api", "db"), of_all(maxConcurrentRollouts=1), spec("api"), spec("db", version=OLD))
    world.run(lambda: writes(world, "api").count("VirtualMachineScaleSets_UpdateInstances") == 2)
    world.merge(spec("api", dependsOn=["db"]), spec("db", version=NEW))
    world.run()
    assert (on(world, "api"), on(world, "db")) == ({NEW}, {NEW})
    assert most_at_once(world, ["api", "db"]) == 1


def test_a_scale_set_suspended_during_its_rollout_releases_its_slot() -> None:
    world = World(sets("a", "b"), of_all(maxConcurrentRollouts=1), spec("a", version=BAD), spec("b"))
    world.run(is_there(world, "HealthCheckFailed", "a"))
    world.merge(spec("a", version=BAD, suspend=True))
    world.run(lambda: on(world, "b") == {NEW})


# Single passes.


def plan(world: World) -> Mapping[str, str]:
    """The reasons that a plan of a new process reports, by scale set."""
    world.restart()
    store = world.reconciler.once(act=False)
    return {each.desired.name: each.outcome.reason for each in store.states() if each.outcome}


def test_a_plan_reads_dependencies_before_the_scale_sets_that_wait_for_them() -> None:
    world = World(
        fleet(
            scale_set("a", capacity=2),
            scale_set("m", capacity=2, image=platform(NEW)),
            scale_set("z", capacity=2, image=platform(NEW)),
        ),
        spec("a", dependsOn=["m"]),
        spec("m", dependsOn=["z"]),
        spec("z"),
    )
    assert plan(world) == {"a": "ModelDrift", "m": "UpToDate", "z": "UpToDate"}


def test_a_plan_assigns_slots_by_name_in_any_order_of_observation() -> None:
    world = World(sets(*TEN), of_all(maxConcurrentRollouts=3), *changing(10))
    for _ in range(3):
        found = plan(world)
        assert [name for name in TEN if found[name] == "ModelDrift"] == ["s0"]
        assert [name for name in TEN if found[name] == "AwaitingPilot"] == TEN[1:]
    assert world.lines()["s9"] == says("AwaitingPilot", "s0", "ModelDrift")


def test_concurrent_reconciles_of_one_pass_take_no_more_slots_than_there_are() -> None:
    world = World(sets(*TEN), of_all(maxConcurrentRollouts=3), *changing(10))
    world.reconciler.once(act=True)
    assert [name for name in TEN if writes(world, name)] == ["s0"]
    world.restart()
    world.reconciler.once(act=True)
    assert len([name for name in TEN if writes(world, name)]) == 1


def test_single_passes_continue_the_rollouts_that_earlier_passes_began() -> None:
    world = World(sets(*TEN), of_all(maxConcurrentRollouts=3), *changing(10))
    passes = 0
    while not all(on(world, name) == {NEW} for name in TEN):
        world.restart()
        world.reconciler.once(act=True)
        world.clock.advance(MINUTE)
        passes += 1
        assert passes < 240, world.lines()
    assert most_at_once(world, TEN) == 3
