"""What could go wrong with a plan: each risk, and the scale sets that it is about."""

from collections import Counter
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest

from reconciler.prediction.block import Block, Effect, blocks
from reconciler.prediction.plan import Plan
from reconciler.prediction.risk import Risk, risks
from reconciler.rollout.pause import PAUSE, Pause, pause_text
from reconciler.rollout.reason import Reason
from reconciler.simulator import Slow
from tests.prediction.plans import plan_of
from tests.stories.world import (
    BAD,
    NEW,
    OLD,
    ROLE,
    SUBSCRIPTION,
    World,
    fleet,
    of_all,
    platform,
    scale_set,
    spec,
)

Document = Mapping[str, Any]


def risks_of(
    sets: list[dict[str, Any]], specs: list[dict[str, Any]], base: tuple[Document, ...] = ()
) -> tuple[Block | Risk, ...]:
    return all_of(plan_of(World(fleet(*sets), *specs), *base))


def all_of(plan: Plan) -> tuple[Block | Risk, ...]:
    """The blocks, then the risks."""
    return (*blocks(plan), *risks(plan))


def test_a_pause_is_the_first_risk_and_the_forecast_goes_on() -> None:
    """Nobody who reviews a change knows otherwise that it would not begin."""
    tag = {"subscription": SUBSCRIPTION, "resourceGroup": "shop"}
    world = World(fleet(scale_set(), permissions={"actions": ["*"]}), of_all(pauseTag=tag), spec())
    text = pause_text(Pause("checkout is down", "ada", world.clock.now()))
    world.azure.cloud.group(SUBSCRIPTION, "shop").tags = {PAUSE: text}
    plan = plan_of(world)
    first, *_ = all_of(plan)
    assert first.message.startswith("the fleet was paused by ada at ")
    assert "(checkout is down); nothing begins until `reconciler resume --all`" in first.message
    assert len(plan.rolling) == 1


@pytest.mark.parametrize(
    ("sets", "specs", "message", "names"),
    [
        pytest.param(
            [scale_set(mode="Automatic")],
            [spec()],
            "the upgrade mode is Automatic, so Azure would upgrade instances by itself as soon as the "
            "model changes; set upgradePolicy.mode to Manual",
            ("web",),
            id="a scale set that the reconciler does not touch",
        ),
        pytest.param(
            [scale_set(f"s{number}", mode="Automatic", capacity=number) for number in range(4)],
            [spec(f"s{number}", version="24.04.999999999") for number in range(4)],
            "the upgrade mode is Automatic, so Azure would upgrade instances by itself as soon as the "
            "model changes; set upgradePolicy.mode to Manual",
            ("s0", "s1", "s2", "s3"),
            id="one sentence for several scale sets",
        ),
        pytest.param(
            [
                scale_set(
                    capacity=5, instanceStates=[{"id": "3", "image": platform(NEW), "health": "unhealthy"}]
                )
            ],
            [spec()],
            "1 instance is unhealthy, and the forecast assumes that it recovers",
            ("web",),
            id="an instance that has to recover",
        ),
        pytest.param(
            [scale_set()],
            [spec(version="24.04.202612120")],
            "Canonical:ubuntu-24_04-lts:server:24.04.202612120 was not found",
            ("web",),
            id="an image that does not exist",
        ),
        pytest.param(
            [scale_set("a", capacity=5), scale_set("b", capacity=5)],
            [spec("a", suspend=True), spec("b", dependsOn=["a"])],
            "waiting for a (Suspended)",
            ("b",),
            id="a scale set that waits for another one for ever",
        ),
        pytest.param(
            [scale_set(capacity=5)],
            [spec(suspend=True)],
            "`spec.suspend` is set; remove `spec.suspend`, or set it to false",
            ("web",),
            id="a suspended scale set",
        ),
        pytest.param(
            [scale_set(capacity=5)],
            [spec(), of_all(freeze={"reason": "holidays"})],
            "`spec.freeze` of the Fleet is set",
            ("web",),
            id="a frozen fleet",
        ),
        pytest.param(
            [scale_set("a", capacity=1), scale_set("b", capacity=2), scale_set("c", capacity=5)],
            [spec("a"), spec("b"), spec("c")],
            "more than a third of the instances are unavailable at once: 1 of 1 in a; add an instance, or accept it",
            ("a", "b"),
            id="scale sets that are too small for a gentle rollout",
        ),
        pytest.param(
            [scale_set(capacity=5)],
            [spec(rollout={"deadline": "18m"})],
            "close to the deadline: takes about 16m of 18m (rollout.deadline)",
            ("web",),
            id="a deadline that is too near",
        ),
        pytest.param(
            [scale_set(capacity=5)],
            [spec(rollout={"approval": "start"})],
            "approval needed (rollout.approval); the times assume that it is given at once",
            ("web",),
            id="an approval",
        ),
        pytest.param(
            [scale_set(capacity=5, instanceStates=[{"id": "2", "latestModelApplied": False}])],
            [spec()],
            "the upgrade also applies pending changes of the model; compare the model with the instances "
            "first (Azure does not say which changes)",
            ("web",),
            id="a change of the model by somebody else",
        ),
    ],
)
def test_a_plan_names_the_risk_of(
    sets: list[dict[str, Any]], specs: list[dict[str, Any]], message: str, names: tuple[str, ...]
) -> None:
    found = risks_of(sets, specs)
    assert [each.names for each in found if each.message.startswith(message)] == [names], found


def test_one_deadline_of_several_is_the_example() -> None:
    sets = [scale_set("a", capacity=5), scale_set("b", capacity=10)]
    rollout: dict[str, Any] = {"rollout": {"deadline": "18m"}}
    found = risks_of(sets, [of_all(maxChange="100%"), spec("a", **rollout), spec("b", **rollout)])
    assert found == (
        Risk("close to the deadline: takes about 16m of 18m in a (rollout.deadline)", ("a", "b")),
    )


def test_the_deadline_of_a_rollout_in_progress_counts_from_its_beginning() -> None:
    """What is left of it would fit into the deadline twice."""
    world = World(fleet(scale_set(capacity=5)), spec(rollout={"deadline": "15m"}))
    world.rest(timedelta(minutes=4))
    (found,) = all_of(plan_of(world))
    assert found.message == "close to the deadline: takes about 13m of 15m (rollout.deadline)"


def test_the_deadline_of_a_rollout_that_ended_long_ago_does_not_count() -> None:
    """Its beginning is still on the tags when an instance that was left out can be upgraded."""
    world = World(fleet(scale_set(capacity=5)), spec(rollout={"deadline": "18m"}))
    left_out = world.azure.scale_set("shop/web").instance("1")
    left_out.protect()
    world.run()
    world.rest(timedelta(hours=2))
    left_out.protect(is_protected=False)
    plan = plan_of(world)
    assert (len(plan.rolling), all_of(plan)) == (1, ())


def test_a_deadline_that_is_exceeded_is_named_once() -> None:
    found = risks_of([scale_set(capacity=5)], [spec(rollout={"deadline": "10m"})])
    assert [each.names for each in found] == [("web",)]
    assert isinstance(found[0], Block)
    assert (found[0].effect, found[0].reason) == (Effect.INTERRUPTS, Reason.DEADLINE_EXCEEDED)


MAY_NOT = {"actions": ROLE, "notActions": ["Microsoft.Compute/locations/publishers/*"]}


def test_a_catalogue_that_cannot_be_read_is_a_risk_of_an_exact_version() -> None:
    sets = [scale_set("a", capacity=5), scale_set("b", capacity=5)]
    world = World(fleet(*sets, permissions=MAY_NOT), of_all(maxChange="100%"), spec("a"), spec("b"))
    (found,) = all_of(plan_of(world))
    assert found.names == ("a", "b")
    assert found.message.startswith(
        "the image catalogue cannot be read, so Azure checks the image only when the model is changed: "
    )
    assert "AuthorizationFailed" in found.message


def test_a_catalogue_that_cannot_be_read_is_no_risk_of_what_does_not_change() -> None:
    world = World(fleet(scale_set(capacity=5, image=platform(NEW)), permissions=MAY_NOT), spec())
    assert all_of(plan_of(world)) == ()


def test_a_catalogue_that_blocks_the_rollout_is_named_once() -> None:
    world = World(fleet(scale_set(capacity=5), permissions=MAY_NOT), spec(version="latest"))
    (found,) = all_of(plan_of(world))
    assert isinstance(found, Block)
    assert (found.effect, found.reason) == (Effect.STOPS, Reason.CATALOGUE_UNREADABLE)
    assert "ongoing since" not in found.message


def test_a_change_without_risks_has_none() -> None:
    assert risks_of([scale_set(capacity=5)], [spec()]) == ()


def test_an_image_that_failed_here_before_is_a_risk_when_it_is_declared_again() -> None:
    world = World(
        fleet(scale_set(capacity=5), timings={"upgrade": "10s"}),
        spec(version=BAD, rollout={"onFailure": "rollback", "progressDeadline": "10m"}),
    ).run()
    world.merge(spec(version=NEW))
    world.run()
    world.merge(spec(version=BAD))
    found = all_of(plan_of(world))
    assert [
        each.names for each in found if each.message == f"{BAD} has failed before on these scale sets"
    ] == [("web",)], found


def test_a_chain_of_waits_is_one_risk_that_names_where_it_begins() -> None:
    """Each wave waits for the one before, so that each scale set has a message of its own."""
    names = ["a", "b", "c", "d"]
    modes = {"a": "Automatic"}
    sets = [scale_set(name, capacity=5, mode=modes.get(name, "Manual")) for name in names]
    specs = [spec(name, wave=wave) for wave, name in enumerate(names)]
    found = risks_of(sets, [of_all(maxChange="100%"), *specs])
    assert [each.names for each in found] == [("a",), ("b", "c", "d")]
    assert found[1].message == "waiting for a (NotManualMode)"


@pytest.mark.parametrize(
    ("changes", "on_failure", "names"),
    [
        pytest.param({"mode": "Manual"}, "rollback", (), id="all instances run the image before"),
        pytest.param({"image": platform("latest")}, "repin", ("web",), id="the model is on latest"),
        pytest.param({"image": platform("latest")}, "hold", (), id="it would hold anyway"),
    ],
)
def test_an_image_to_return_to_is_missed_before_it_is_needed(
    changes: dict[str, Any], on_failure: str, names: tuple[str, ...]
) -> None:
    found = risks_of([scale_set(capacity=5) | changes], [spec(rollout={"onFailure": on_failure})])
    message = "no last good image is known, so rollout.onFailure has no image to return to"
    assert tuple(name for each in found if each.message == message for name in each.names) == names, found


def test_a_removed_spec_is_a_risk() -> None:
    found = risks_of(
        [scale_set("a", capacity=5), scale_set("b", capacity=5)],
        [spec("a", version=OLD)],
        (spec("a", version=OLD), spec("b", version=OLD)),
    )
    assert found == (Risk("spec removed: unchanged in Azure, and no longer managed", ("b",)),)


def test_a_scale_set_that_the_change_does_not_concern_is_no_risk_of_it() -> None:
    sets = [scale_set("a", capacity=5), scale_set("b", capacity=5, mode="Automatic")]
    base = (spec("a", version=OLD), spec("b"))
    assert risks_of(sets, [spec("a"), spec("b")], base) == ()


@pytest.mark.parametrize(
    ("customized", "words"),
    [
        pytest.param("skip", "keep their image", id="left out"),
        pytest.param("overwrite", "the upgrade reverts instances", id="overwritten"),
    ],
)
def test_instances_that_were_changed_individually_are_a_risk(customized: str, words: str) -> None:
    states = [{"id": "1", "modelDefinitionApplied": "VirtualMachine"}]
    declared = spec(rollout={"customizedInstances": customized})
    found = risks_of([scale_set(capacity=5, instanceStates=states)], [declared])
    (risk,) = [each for each in found if "changed individually" in each.message]
    assert risk.names == ("web",)
    assert words in risk.message


def test_pending_changes_on_the_old_image_only() -> None:
    """An instance that is behind by its image alone is what the rollout is for."""
    states = [{"id": "1", "image": platform(OLD)}]
    assert risks_of([scale_set(capacity=5, image=platform(NEW), instanceStates=states)], [spec()]) == ()


def test_our_own_rollback_is_not_a_change_by_others() -> None:
    rollout = {"onFailure": "rollback", "progressDeadline": "10m"}
    world = World(fleet(scale_set(capacity=5)), spec(version=BAD, rollout=rollout))
    world.rest(timedelta(hours=1))
    world.merge(spec(rollout=rollout))
    assert all_of(plan_of(world)) == ()


def test_a_short_health_timeout_does_not_foretell_a_failure() -> None:
    """Three minutes are assumed for a batch, unless the spec expects it to be healthy sooner."""
    short: dict[str, Any] = {"health": {"timeout": "1m"}, "rollout": {"progressDeadline": "2m"}}
    assert risks_of([scale_set(capacity=5)], [spec(**short)]) == ()


def test_a_plan_reads_each_scale_set_once_and_the_catalogue_once_for_each_image() -> None:
    names = [f"s{number}" for number in range(60)]
    world = World(
        fleet(*(scale_set(name, capacity=2) for name in names)), of_all(maxChange="100%"), *map(spec, names)
    )
    slow = Slow(timedelta(seconds=20))  # so that the row of a list is old when it is used
    world.azure.faults.arm("VirtualMachineScaleSetVMs_List", slow)
    plan_of(world)
    assert Counter(world.requests()) == {
        "VirtualMachineScaleSets_ListAll": 2,  # pages of 50 rows
        "VirtualMachineScaleSetVMs_List": 60,
        "VirtualMachineImages_Get": 2,  # the new version and the old one
        "VirtualMachineScaleSetRollingUpgrades_GetLatest": 1,
    }


def test_causes_come_first_and_name_all_that_they_hold_up() -> None:
    """Through a wave, and through a dependency on what waits."""
    sets = [scale_set(name, capacity=2, mode="Automatic" if name in "ax" else "Manual") for name in "abcdx"]
    specs = [
        spec("a"),
        spec("b", suspend=True),
        spec("c", wave=1),
        spec("d", wave=1, dependsOn=["c"]),
        spec("x", wave=2),
    ]
    found = blocks(plan_of(World(fleet(*sets), of_all(maxChange="100%"), *specs)))
    assert [(each.effect, each.names, each.holds_up) for each in found] == [
        (Effect.STOPS, ("a", "x"), ("c", "d")),
        (Effect.SUSPENDS, ("b",), ("c", "d")),
        (Effect.QUEUES, ("c", "d"), ()),
    ]
