"""A new image is begun in one scale set of a wave first, and a bad image goes no further."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from tests.messages import says
from tests.stories.world import BAD, FIX, NEW, OLD, World, fleet, of_all, platform, scale_set, spec

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
THIRTY = [f"s{number:02}" for number in range(30)]


def models(world: World, version: str) -> list[str]:
    """The scale sets whose model is on this version."""
    names = [state.desired.name for state in world.reconciler.store.states()]
    return [name for name in names if world.azure.scale_set(name).image.endswith(version)]


def sets(*names: str, **changes: Any) -> Any:
    return fleet(*(scale_set(name, **({"capacity": 2} | changes)) for name in names))


def test_a_bad_image_is_begun_in_one_of_thirty_scale_sets() -> None:
    world = World(sets(*THIRTY), *(spec(name, version=BAD) for name in THIRTY))
    world.rest(2 * HOUR)
    assert models(world, BAD) == ["s00"]
    assert world.lines()["s29"] == says("ImageFailedElsewhere", BAD)


def test_more_scale_sets_begin_at_once_after_the_pilot() -> None:
    world = World(sets(*THIRTY[:15]), *(spec(name) for name in THIRTY[:15]))
    begun: list[int] = []
    while len(models(world, NEW)) < 15:
        world.step()
        if not begun or len(models(world, NEW)) != begun[-1]:
            begun.append(len(models(world, NEW)))
    assert begun[:2] == [1, 2]
    world.run()
    assert models(world, NEW) == THIRTY[:15]


@pytest.mark.parametrize("on_failure", ["hold", "repin", "rollback"])
@pytest.mark.parametrize(
    "killed", [False, True], ids=["the daemon runs throughout", "the daemon is killed after each commit"]
)
def test_a_fix_for_the_failed_scale_set_does_not_unblock_the_bad_image_elsewhere(
    on_failure: str, *, killed: bool
) -> None:
    """Three scale sets declare the bad image. A fix is merged for one of them, and then the version after the fix."""
    rollout = {"onFailure": on_failure}
    others = [spec(name, version=BAD, rollout=rollout) for name in ("b", "c")]
    world = World(sets("a", "b", "c"), spec("a", version=BAD, rollout=rollout), *others)
    world.run(lambda: world.lines().get("b", "").startswith("ImageFailedElsewhere"))
    for version in (FIX, NEW):
        world.merge(spec("a", version=version, rollout=rollout))
        world.rest(HOUR)
        assert (models(world, BAD), models(world, version)) == ([], ["a"])
        if killed:
            world.restart()


def test_a_failed_image_is_retried_if_it_is_declared_again_after_another() -> None:
    rollout = {"onFailure": "rollback"}
    world = World(sets("a"), spec("a", version=BAD, rollout=rollout))
    world.rest(HOUR)
    world.merge(spec("a", version=NEW, rollout=rollout))
    world.rest(HOUR)
    world.merge(spec("a", version=BAD, rollout=rollout))
    world.rest(HOUR)
    assert world.reasons("a").count("GivingUp") == 2
    assert models(world, NEW) == ["a"], "back to the last good image, and not to the one before it"


SUSPENDED = spec("a", version=BAD, suspend=True)


@pytest.mark.parametrize(
    "act",
    [
        pytest.param(lambda world: world.merge(SUSPENDED), id="the failed scale set is suspended"),
        pytest.param(
            lambda world: world.azure.scale_set("a").scale_to(1), id="the failed scale set is scaled in"
        ),
        pytest.param(
            lambda world: world.azure.scale_set("a").scale_to(0), id="the failed scale set is scaled to zero"
        ),
        pytest.param(lambda world: world.azure.scale_set("a").delete(), id="the failed scale set is deleted"),
    ],
)
def test_a_failed_image_stays_blocked_elsewhere(
    act: Callable[[World], None],
) -> None:
    world = World(sets("a", "b"), spec("a", version=BAD), spec("b", version=BAD))
    world.run(lambda: world.lines().get("b", "").startswith("ImageFailedElsewhere"))
    act(world)
    world.rest(HOUR)
    assert world.azure.scale_set("b").image.endswith(OLD)
    assert world.lines()["b"] == says("ImageFailedElsewhere", BAD)


@pytest.mark.parametrize(
    "first",
    [
        pytest.param({"suspend": True}, id="the first scale set is suspended"),
        pytest.param({"rollout": {"approval": "start"}}, id="the first scale set awaits an approval"),
        pytest.param({"dependsOn": ["z"]}, id="the first scale set depends on another"),
    ],
)
def test_a_scale_set_that_cannot_begin_is_not_the_pilot(first: dict[str, Any]) -> None:
    world = World(
        fleet(scale_set("a", capacity=2), scale_set("b", capacity=2), scale_set("z", capacity=2)),
        spec("a", **first),
        spec("b"),
        spec("z", version=OLD, rollout={"windows": []}, suspend=True),
    )
    world.rest(HOUR)
    assert models(world, NEW) == ["b"]


@pytest.mark.parametrize(
    "first",
    [
        pytest.param({"capacity": 0}, id="the first scale set has no instances"),
        pytest.param(
            {"instanceStates": [{"id": "1", "health": "unhealthy"}]},
            id="one of its two instances is unhealthy",
        ),
    ],
)
def test_a_scale_set_that_proves_little_about_an_image_is_not_the_pilot(first: dict[str, Any]) -> None:
    declared = fleet(scale_set("a", **({"capacity": 2} | first)), scale_set("b", capacity=2))
    world = World(declared, spec("a"), spec("b"))
    world.run(lambda: bool(models(world, NEW)))
    assert models(world, NEW) == ["b"]
    assert world.lines()["a"] == says("AwaitingPilot")
    world.run()
    assert models(world, NEW) == ["a", "b"]


def test_an_image_that_is_good_in_dev_and_bad_in_prod_fails_in_one_scale_set_of_prod() -> None:
    prod = [f"prod-{number}" for number in range(5)]
    world = World(
        fleet(
            scale_set("dev", capacity=2), *(scale_set(name, capacity=2, health="extension") for name in prod)
        ),
        spec("dev", wave=0),
        *(spec(name, wave=1, rollout={"soak": "10m"}) for name in prod),
    )
    world.run(lambda: bool(models(world, NEW)) and "prod-0" in models(world, NEW))
    for _ in range(30):
        for each in world.azure.scale_set("prod-0").instances:
            if each.image.endswith(NEW):
                each.sicken()
        world.rest(MINUTE)
    assert [name for name in models(world, NEW) if name in prod] == ["prod-0"]


def test_a_wave_after_one_without_instances_begins_only_with_allow_unproven_wave() -> None:
    def world_of(**fields: Any) -> World:
        empty = scale_set("dr", capacity=0, image=platform(NEW))
        return World(
            fleet(empty, scale_set("prod", capacity=2)),
            of_all(**fields),
            spec("dr", wave=0),
            spec("prod", wave=1),
        )

    world = world_of()
    world.rest(HOUR)
    assert models(world, NEW) == ["dr"]
    assert world.lines()["prod"] == says("DependencyNotReady")
    world = world_of(allowUnprovenWave=True)
    world.run()
    assert models(world, NEW) == ["dr", "prod"]


def test_a_scale_set_scaled_to_zero_after_it_proved_the_image_does_not_block_the_next_wave() -> None:
    night = {"windows": [{"kind": "allow", "schedule": "0 22 * * *", "duration": "2h", "timeZone": "UTC"}]}
    world = World(sets("dev", "prod"), spec("dev"), spec("prod", wave=1, rollout=night))
    world.rest(10 * HOUR)
    world.azure.scale_set("dev").scale_to(0)
    world.run()
    assert world.lines()["dev"] == says("UpToDate")
    assert models(world, NEW) == ["dev", "prod"]


def test_a_deallocated_instance_does_not_block_the_next_wave() -> None:
    states = [{"id": "1", "power": "deallocated"}]
    world = World(
        fleet(scale_set("dev", capacity=2, instanceStates=states), scale_set("prod", capacity=2)),
        spec("dev", wave=0),
        spec("prod", wave=1),
    )
    world.run()
    assert world.lines()["dev"] == says("InstancesLeftOut", "1 of 2")
    assert models(world, NEW) == ["dev", "prod"]


def test_a_failed_image_is_not_used_for_remediation_in_another_scale_set() -> None:
    """All instances of "b" are unhealthy, so the declared image passes all other gates."""
    world = World(
        fleet(
            scale_set("a", capacity=2),
            scale_set("b", capacity=2, instanceStates=[{"id": each, "health": "unhealthy"} for each in "01"]),
        ),
        spec("a", version=BAD),
        spec("b", version=OLD),
    )
    world.rest(HOUR)
    assert models(world, BAD) == ["a"]
    world.merge(spec("b", version=BAD, wave=1))
    world.rest(HOUR)
    assert models(world, BAD) == ["a"]
    assert world.lines()["b"] == says("ImageFailedElsewhere", BAD)
    world.merge(spec("b", version=NEW))
    world.rest(HOUR)
    assert models(world, NEW) == ["b"]


def test_a_revert_to_the_previous_image_waits_for_no_pilot() -> None:
    world = World(
        fleet(*(scale_set(name, capacity=5) for name in "abc")), *(spec(name, OLD) for name in "abc")
    )
    world.run()
    world.merge(*(spec(name, NEW) for name in "abc"))
    world.run()
    for each in ("0", "1"):
        world.azure.scale_set("a").instance(each).sicken()
    world.rest(timedelta(minutes=15))
    since = len(world.outcomes)
    world.merge(*(spec(name, OLD) for name in "abc"))
    world.run()
    assert all(line == says("UpToDate", "5", OLD) for line in world.lines().values())
    assert "AwaitingPilot" not in {str(each.reason) for each in world.outcomes[since:]}


def test_a_scale_set_that_waits_for_a_window_or_an_approval_reports_the_failed_image() -> None:
    """It reports this because neither a window nor an approval would let it begin."""
    saturday = {"windows": [{"kind": "allow", "schedule": "0 12 * * 6", "duration": "1h", "timeZone": "UTC"}]}
    world = World(
        fleet(*(scale_set(name, capacity=5) for name in "abc")),
        spec("a", BAD),
        spec("b", BAD, rollout=saturday),
        spec("c", BAD, rollout={"approval": "start"}),
    )
    world.run(lambda: world.lines().get("a", "").startswith("HealthCheckFailed"))
    world.rest(timedelta(minutes=2))
    for name in "bc":
        assert world.lines()[name] == (
            says(
                "ImageFailedElsewhere",
                BAD,
                "spec.maxFailedRollouts",
                "0 of 3",
                f"`reconciler retry --image {BAD}`",
                BAD,
            )
        )
        outcome = world.state(name).outcome
        assert outcome is not None
        assert outcome.status == "Stalled"
    world.merge(spec("b", FIX, rollout=saturday))
    world.rest(timedelta(minutes=2))
    assert world.lines()["b"] == says("OutsideWindow")
