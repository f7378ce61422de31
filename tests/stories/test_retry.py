"""`reconciler retry`: after a failed image, after steps without effect, and for images that the breaker blocks."""

from dataclasses import replace
from datetime import timedelta

import pytest

from reconciler.acts import retry as acts
from reconciler.azure.budget import Priority
from reconciler.azure.compute import Compute
from reconciler.azure.session import Session
from reconciler.rollout.observed import Absent
from reconciler.simulator.faults import OperationLost
from reconciler.spec.image import PlatformImage
from reconciler.spec.scale_set import Target
from tests.messages import says
from tests.stories.world import BAD, BASE, FIX, NEW, OLD, SUBSCRIPTION, World, fleet, of_all, scale_set, spec
from tests.token import Token

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
SOON = {"timeout": "2m"}


def retry(world: World, name: str, version: str) -> None:
    """Retry as the command does."""
    session = Session(credential=Token(), transport=world.azure.transport(), now=world.clock.now)
    compute, target = Compute(session), Target(SUBSCRIPTION, "shop", name)
    model = compute.model(target, Priority.ROLLOUT)
    assert not isinstance(model, Absent)
    persisted = model.persisted.with_retry(PlatformImage(**BASE, version=version), world.clock.now())
    compute.persist(target, model, persisted)


def test_a_retry_of_latest_is_never_of_the_version_that_the_model_returned_to() -> None:
    described = fleet(scale_set(capacity=3))
    described["images"]["platform"] = [{**BASE, "versions": [OLD, BAD]}]
    world = World(described, spec(version="latest", rollout={"onFailure": "rollback"}, health=SOON)).run()
    assert is_on(world, OLD)
    world.azure.publish(f"{':'.join(BASE.values())}:{FIX}")
    session = Session(credential=Token(), transport=world.azure.transport(), now=world.clock.now)
    desired = world.state("web").desired
    result = acts.retry(desired, desired.image, Compute(session))
    assert result.startswith(f"earlier failures of {FIX} no longer count, ")


def is_on(world: World, version: str, name: str = "web") -> bool:
    return world.azure.scale_set(name).image.endswith(version)


def test_retry_begins_a_failed_image_again() -> None:
    """Its instance became unhealthy for another reason, which no longer exists."""
    world = World(fleet(scale_set(capacity=3)), spec(rollout={"onFailure": "rollback"}, health=SOON))
    first = world.azure.scale_set("web").instance("0")
    world.run(lambda: first.image.endswith(NEW))
    first.sicken()
    world.run()
    assert world.reasons()[-1] == "RolloutFailed"
    retry(world, "web", NEW)
    world.rest(2 * MINUTE)
    world.run()
    assert world.lines() == {"web": says("UpToDate", "3", NEW)}


def test_a_retry_that_the_fleet_bars_is_ignored() -> None:
    """The tag of a retry may still be written, by another program or by an older version of this one."""
    world = World(
        fleet(scale_set(capacity=3)),
        of_all(barredCommands=["retry"]),
        spec(rollout={"onFailure": "rollback"}, health=SOON),
    )
    first = world.azure.scale_set("web").instance("0")
    world.run(lambda: first.image.endswith(NEW))
    first.sicken()
    world.run()
    assert world.reasons()[-1] == "RolloutFailed"
    retry(world, "web", NEW)
    world.rest(10 * MINUTE)
    assert world.reasons()[-1] == "RolloutFailed"


def test_a_retried_image_that_fails_again_is_rolled_back_again() -> None:
    world = World(
        fleet(scale_set(capacity=3)), spec(version=BAD, rollout={"onFailure": "repin"}, health=SOON)
    ).run()
    retry(world, "web", BAD)
    world.rest(2 * MINUTE)
    world.run()
    assert world.reasons().count("GivingUp") == 2
    assert is_on(world, OLD)


def test_retry_repeats_an_upgrade_that_had_no_effect() -> None:
    world = World(fleet(scale_set(capacity=3)), spec())
    world.azure.faults.arm("VirtualMachineScaleSets_UpdateInstances", OperationLost(), times=4)
    world.rest(3 * HOUR)
    assert world.requests().count("VirtualMachineScaleSets_UpdateInstances") == 4
    retry(world, "web", NEW)
    world.rest(2 * MINUTE)
    world.run()
    assert world.lines() == {"web": says("UpToDate", "3", NEW)}


def test_retry_restarts_the_deadline() -> None:
    rollout = {"deadline": "2h"}
    noon = {"kind": "allow", "schedule": "0 12 * * *", "duration": "1h", "timeZone": "UTC"}
    world = World(fleet(scale_set(capacity=3)), spec(rollout=rollout))
    world.run(lambda: world.has_upgraded(1))
    world.merge(spec(rollout=rollout | {"windows": [noon]}))
    world.rest(4 * HOUR)
    world.merge(spec(rollout=rollout))
    world.rest(HOUR)
    assert world.lines()["web"] == says("DeadlineExceeded")
    retry(world, "web", NEW)
    world.rest(2 * MINUTE)
    world.run()
    assert world.lines() == {"web": says("UpToDate", "3", NEW)}


@pytest.mark.parametrize("on_failure", ["hold", "repin"])
def test_retry_lets_the_image_begin_elsewhere_until_it_fails_there_too(
    on_failure: str,
) -> None:
    rollout = {"onFailure": on_failure}
    world = World(
        fleet(*(scale_set(name, capacity=2) for name in ("a", "b", "c"))),
        *(spec(name, BAD, rollout=rollout, health=SOON) for name in ("a", "b", "c")),
    )
    world.rest(HOUR)
    assert world.lines()["b"] == says("ImageFailedElsewhere")
    retry(world, "a", BAD)
    world.rest(10 * MINUTE)
    # With hold its instance is still unhealthy, so the scale set itself stays failed.
    assert (world.reasons("a")[-1] == "HealthCheckFailed") is (on_failure == "hold")
    world.rest(2 * HOUR)
    # With repin the first scale set is the pilot again, and its instance is still unhealthy.
    assert is_on(world, BAD, "b") is (on_failure == "hold")
    assert world.lines()["c"] == says("ImageFailedElsewhere")
    assert not is_on(world, BAD, "c")


def test_retry_keeps_other_tags_and_the_last_good_image() -> None:
    world = World(
        fleet(scale_set(capacity=3, tags={"team": "web"})),
        spec(version=BAD, rollout={"onFailure": "repin"}, health=SOON),
    ).run()
    before = world.state().seen.model
    retry(world, "web", BAD)
    world.rest(MINUTE)
    after = world.azure.scale_set("web").tags
    assert after["team"] == "web"
    assert before is not None
    assert f"good={before.persisted.last_good}" in after["vmss-reconciler-state"]
    assert replace(before.persisted, failed=None) != before.persisted
