"""A failed image: the model returns to the last good image, and the failed one is not retried."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

from reconciler.rollout.persisted import Fingerprint, Mark, PersistedState
from reconciler.rollout.tags import persisted_state
from reconciler.simulator import Exchange, OperationLost, Status
from reconciler.spec.image import PlatformImage
from tests.exchanges import PATCH, UPGRADE, image_of, model_image, writes
from tests.invariants import nothing_was_written
from tests.messages import says
from tests.stories.world import BAD, BASE, FIX, NEW, OLD, World, fleet, platform, scale_set, spec

HOUR = timedelta(hours=1)
START = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
TAGS = {"team": "web", "cost-center": "7"}


def on(world: World) -> dict[str, int]:
    """How many instances run each version."""
    versions = [image.rpartition(":")[2] for image in world.azure.record.images("web").values()]
    return {version: versions.count(version) for version in set(versions)}


def model(world: World) -> str:
    return world.azure.scale_set("web").image.rpartition(":")[2]


def rolling(on_failure: str, version: str = BAD, **rollout: Any) -> dict[str, Any]:
    return spec(version=version, rollout={"onFailure": on_failure, **rollout})


def world_after_failure(on_failure: str, **rollout: Any) -> World:
    world = World(fleet(scale_set(capacity=10, tags=TAGS)), rolling(on_failure, **rollout))
    world.rest(2 * HOUR)
    assert world.reasons()[-1] == "RolloutFailed"
    return world


def test_repin_stops_a_bad_image_at_the_canary_and_new_instances_run_the_good_one() -> None:
    world = world_after_failure("repin", canary={"instances": 1})
    assert (model(world), on(world)) == (OLD, {OLD: 10})
    assert world.lines()["web"] == says("RolloutFailed", BAD, OLD)
    outcome = world.state().outcome
    assert outcome is not None
    assert outcome.status == "Stalled"
    world.azure.scale_set("web").scale_to(13)
    world.rest(HOUR)
    assert on(world) == {OLD: 13}
    world.merge(rolling("repin", FIX))
    world.run()
    assert world.lines()["web"] == says("UpToDate", "13", FIX)


@pytest.mark.parametrize(
    ("declared", "expected"),
    [
        pytest.param(OLD, OLD, id="a commit had declared it: the model returns"),
        pytest.param(NEW, NEW, id="no commit had declared it: the model stays"),
    ],
)
def test_after_a_restart_only_an_image_that_a_commit_declared_is_a_rollback_target(
    declared: str, expected: str
) -> None:
    """During the bake time no instance runs the last good image any more, and most become unhealthy."""
    rollout = {"onFailure": "rollback", "bakeTime": "2h"}
    world = World(
        fleet(scale_set(capacity=4)), spec(version=declared, suspend=declared == NEW, rollout=rollout)
    )
    world.rest(3 * HOUR)
    world.merge(spec(rollout=rollout))
    world.run(lambda: world.reasons()[-1] == "Baking" and on(world) == {NEW: 4})
    world.restart()
    world.rest(timedelta(minutes=5))
    for each in world.azure.scale_set("web").instances[:3]:
        each.sicken()
    world.rest(HOUR)
    assert model(world) == expected
    assert ("is a tag" in world.lines()["web"]) == (expected == NEW)


def test_a_failed_rollout_stays_stalled_while_an_autoscaler_creates_good_instances() -> None:
    """If each new instance made it Reconciling, an alert on ten minutes of Stalled would never fire."""
    autoscale = {"minimum": 4, "maximum": 8, "every": "9m"}
    world = World(fleet(scale_set(capacity=6, autoscale=autoscale)), rolling("rollback"))
    world.run(lambda: "RolloutFailed" in world.reasons())
    before = len(world.outcomes)
    world.rest(4 * HOUR)
    assert len(world.outcomes) - before > 20
    assert {(each.reason, each.status) for each in world.outcomes[before:]} == {("RolloutFailed", "Stalled")}


def test_an_instance_that_becomes_unhealthy_after_a_rollback_is_reported() -> None:
    world = world_after_failure("rollback")
    world.azure.scale_set("web").instance("3").sicken()
    world.rest(2 * HOUR)
    assert world.lines()["web"] == says("HealthCheckFailed", "update domain 3", "web_3 (unhealthy)")


def test_every_message_during_a_rollback_names_the_failed_image() -> None:
    world = World(fleet(scale_set(capacity=6)), rolling("rollback"))
    world.run(lambda: "GivingUp" in world.reasons())
    world.azure.faults.arm("VirtualMachineScaleSets_UpdateInstances", OperationLost(), times=None)
    before = len(world.outcomes)
    world.rest(HOUR)
    assert world.outcomes[before:]
    assert all(f"{BAD} failed" in each.message for each in world.outcomes[before:])


SATURDAY = [{"kind": "allow", "schedule": "0 12 * * 6", "duration": "1h", "timeZone": "UTC"}]


def test_repin_returns_only_unhealthy_instances_outside_the_window_one_domain_at_a_time() -> None:
    world = World(fleet(scale_set(capacity=10)), rolling("repin", NEW))
    world.run(lambda: on(world).get(NEW, 0) == 6)
    world.run(lambda: world.reasons()[-1] == "WaitingForInstances")
    for each in ("0", "1", "5"):
        world.azure.scale_set("web").instance(each).sicken()
    world.merge(rolling("repin", NEW, windows=SATURDAY))
    world.rest(2 * HOUR)
    assert (model(world), world.reasons()[-1]) == (OLD, "RolloutFailed")
    images = world.azure.record.images("web")
    assert {each for each, image in images.items() if image.endswith(NEW)} == {"2", "3", "6", "7", "8"}
    returned = [
        each.body["instanceIds"]
        for each in writes(world.azure.record, UPGRADE)
        if model_image(each).endswith(OLD)
    ]
    assert returned == [["1"], ["5", "0"]]


def test_rollback_returns_all_upgraded_instances() -> None:
    world = world_after_failure("rollback")
    assert (model(world), on(world)) == (OLD, {OLD: 10})
    assert world.lines()["web"] == says("RolloutFailed", BAD, OLD)


@pytest.mark.parametrize("on_failure", ["repin", "rollback"])
def test_a_failed_image_is_not_retried_after_a_restart_or_a_change_of_the_etag(on_failure: str) -> None:
    world = world_after_failure(on_failure)
    asked = len(world.requests())
    world.restart()
    world.azure.scale_set("web").bump_etag()
    world.rest(6 * HOUR)
    nothing_was_written(world.azure.record, asked)
    assert world.reasons()[-1] == "RolloutFailed"


@pytest.mark.parametrize("on_failure", ["repin", "rollback"])
@pytest.mark.parametrize("steps", range(1, 40, 3), ids="killed after step {}".format)
def test_a_failed_rollout_ends_the_same_if_the_daemon_is_killed_at_any_step(
    on_failure: str, steps: int
) -> None:
    world = World(fleet(scale_set(capacity=10)), rolling(on_failure, canary={"instances": 1}))
    for _ in range(steps):
        world.step()
    world.restart()
    world.rest(3 * HOUR)
    assert (model(world), on(world).get(BAD, 0)) == (OLD, 0)
    assert world.reasons()[-1] == "RolloutFailed"


STATE = "vmss-reconciler-state"


def test_the_persisted_state_is_one_tag_beside_the_tags_of_others() -> None:
    world = world_after_failure("repin")
    live = world.azure.scale_set("web")
    assert live.tags.keys() == {*TAGS, STATE}
    assert persisted_state(live.tags) == PersistedState(
        last_good=image(OLD), failed=Fingerprint.of(image(BAD)), began=Mark.of(START, image(BAD))
    )
    world.merge(rolling("repin", FIX))
    world.run()
    found = persisted_state(live.tags)
    assert (found.last_good, found.failed) == (image(OLD), Fingerprint.of(image(BAD)))
    assert found.began
    assert found.began.image.is_of(image(FIX))


def image(version: str) -> PlatformImage:
    return PlatformImage(**BASE, version=version)


def restart_with_former_tags(world: World, **former: str) -> None:
    """Restart the daemon on a scale set with tags under their former names only."""
    live = world.azure.scale_set("web")
    written = {f"reconciler-{name.replace('_', '-')}": value for name, value in former.items()}
    live.set_tags(written | {STATE: None})
    world.restart()


@pytest.mark.parametrize("on_failure", ["repin", "rollback"])
def test_an_image_recorded_as_failed_under_former_tag_names_is_not_retried(on_failure: str) -> None:
    world = world_after_failure(on_failure)
    restart_with_former_tags(
        world, last_good=str(image(OLD)), failed=str(image(BAD)), began=f"{START.isoformat()} {BAD}"
    )
    asked = len(world.requests())
    world.rest(6 * HOUR)
    nothing_was_written(world.azure.record, asked)
    assert world.reasons()[-1] == "RolloutFailed"
    world.merge(rolling(on_failure, FIX))
    world.run()
    assert on(world) == {FIX: 10}


@pytest.mark.parametrize("on_failure", ["repin", "rollback"])
def test_a_rollout_begun_under_former_tag_names_returns_to_its_last_good_image(on_failure: str) -> None:
    world = World(fleet(scale_set(capacity=10, tags=TAGS)), rolling(on_failure))
    world.run(lambda: world.azure.record.requests[-1].operation.endswith("_UpdateInstances"))
    restart_with_former_tags(world, last_good=str(image(OLD)), began=f"{START.isoformat()} {BAD}")
    world.rest(3 * HOUR)
    assert (model(world), world.reasons()[-1]) == (OLD, "RolloutFailed")
    tags = world.azure.scale_set("web").tags
    assert {name for name, value in tags.items() if value} == {*TAGS, STATE}


@pytest.mark.parametrize("on_failure", ["repin", "rollback"])
def test_an_image_recorded_as_failed_by_a_later_version_is_not_retried(on_failure: str) -> None:
    """After a downgrade nothing is written if the tag has an unknown version."""
    world = world_after_failure(on_failure)
    text = world.azure.scale_set("web").tags[STATE]
    world.azure.scale_set("web").set_tags({STATE: text.replace("v1;", "v2;", 1)})
    world.restart()
    asked = len(world.requests())
    world.rest(6 * HOUR)
    nothing_was_written(world.azure.record, asked)
    assert world.reasons()[-1] == "StateUnreadable"


@pytest.mark.parametrize("on_failure", ["repin", "rollback"])
def test_unknown_fields_of_a_later_version_are_kept_on_the_tag(on_failure: str) -> None:
    world = World(fleet(scale_set(capacity=10, tags=TAGS | {STATE: "v1;pilot=yes"})), rolling(on_failure))
    world.rest(3 * HOUR)
    found = persisted_state(world.azure.scale_set("web").tags)
    assert (found.others, world.reasons()[-1]) == (("pilot=yes",), "RolloutFailed")


@pytest.mark.parametrize("on_failure", ["repin", "rollback"])
def test_a_rollout_that_could_not_be_undone_waits_for_room_for_a_tag(on_failure: str) -> None:
    owners = {f"owner-{number}": "x" for number in range(50)}
    world = World(fleet(scale_set(capacity=5, tags=owners)), rolling(on_failure, NEW))
    world.rest(HOUR)
    nothing_was_written(world.azure.record)
    assert world.reasons()[-1] == "TooManyTags"
    world.azure.scale_set("web").set_tags({"owner-0": None})
    world.run()
    assert on(world) == {NEW: 5}


def tag_writes(world: World) -> list[Exchange]:
    """Every PATCH of the tags alone."""
    return [each for each in writes(world.azure.record, PATCH) if not image_of(each)]


def test_hold_records_the_failure_on_one_tag_and_leaves_the_model() -> None:
    world = World(fleet(scale_set(capacity=10, tags=TAGS)), rolling("hold"))
    world.rest(6 * HOUR)
    assert world.reasons()[-1] == "HealthCheckFailed"
    live = world.azure.scale_set("web")
    assert (model(world), {name: live.tags[name] for name in TAGS}) == (BAD, TAGS)
    assert persisted_state(live.tags) == PersistedState(
        last_good=image(OLD), failed=Fingerprint.of(image(BAD)), began=Mark.of(START, image(BAD))
    )
    assert len(tag_writes(world)) == 1
    (told,) = {outcome.line for outcome in world.outcomes if "being recorded" in outcome.line}
    assert told.endswith("; the failure is being recorded in a tag")


def test_a_refused_record_of_a_failure_is_reported_and_retried_less_and_less_often() -> None:
    world = World(fleet(scale_set(capacity=10, tags=TAGS)), rolling("hold"))
    world.run(lambda: world.has_upgraded(1))
    world.azure.faults.arm(PATCH, Status(409, "ScopeLocked", "a lock"), times=None)
    world.rest(6 * HOUR)
    assert world.reasons()[-1] == "HealthCheckFailed"
    assert set(world.reasons()).isdisjoint({"Refused", "Conflict"})
    assert "a restart would lose it" in world.lines()["web"]
    assert "ScopeLocked" in world.lines()["web"]
    at = [each.at for each in tag_writes(world)]
    apart = [(after - before) // timedelta(minutes=1) for before, after in pairwise(at)]
    assert apart[:4] == [5, 10, 20, 40]
    assert set(apart[4:]) == {40}
    world.azure.faults.disarm()
    world.rest(HOUR)
    failed = persisted_state(world.azure.scale_set("web").tags).failed
    assert failed == Fingerprint.of(image(BAD))
    assert world.lines()["web"] == says("HealthCheckFailed", "update domain 0")


def test_the_record_of_a_failure_is_removed_once_the_image_becomes_healthy() -> None:
    """Its instance was unhealthy for another reason."""
    world = World(fleet(scale_set(capacity=5)), rolling("hold", NEW))
    first = world.azure.scale_set("web").instance("0")
    world.run(lambda: first.image.endswith(NEW))
    first.sicken()
    world.run(lambda: len(tag_writes(world)) == 1)
    world.azure.scale_set("web").instance("0").heal()
    world.run()
    assert on(world) == {NEW: 5}
    assert persisted_state(world.azure.scale_set("web").tags).failed is None
    assert len(tag_writes(world)) == 2
    noon = {"kind": "allow", "schedule": "0 12 * * *", "duration": "1h", "timeZone": "UTC"}
    world.merge(rolling("hold", FIX, windows=[noon]))
    world.rest(HOUR)
    assert world.reasons()[-1] == "OutsideWindow"
    assert model(world) == NEW


@pytest.mark.parametrize(
    ("unhealthy", "told"),
    [
        pytest.param(
            ["9"],
            f"the model is back on {OLD}, and no instance runs the failed image",
            id="one",
        ),
        pytest.param(["7", "8", "9"], "TooManyUnhealthy", id="too many"),
    ],
)
def test_an_image_is_a_rollback_target_if_few_instances_were_unhealthy_on_it(
    unhealthy: list[str], told: str
) -> None:
    states = [{"id": each, "health": "unhealthy"} for each in unhealthy]
    world = World(fleet(scale_set(capacity=10, instanceStates=states)), rolling("repin", OLD))
    world.rest(HOUR)
    world.merge(rolling("repin"))
    world.rest(2 * HOUR)
    assert told in world.lines()["web"]
    assert model(world) == (OLD if len(unhealthy) == 1 else BAD)


def test_a_model_on_latest_is_no_rollback_target() -> None:
    floating = scale_set(capacity=5, image={"platform": {**BASE, "version": "latest"}})
    world = World(fleet(floating, images={"platform": [{**BASE, "versions": [OLD]}]}), rolling("repin"))
    world.azure.publish(f"{':'.join(BASE.values())}:{BAD}", boots="unhealthy")
    world.rest(2 * HOUR)
    assert world.lines()["web"] == says("HealthCheckFailed", "there is no known good image to return to")
    assert persisted_state(world.azure.scale_set("web").tags).last_good is None


def test_the_last_good_image_is_that_of_the_last_completed_rollout() -> None:
    world = World(fleet(scale_set(capacity=5)), rolling("repin", NEW)).run()
    world.merge(rolling("repin", BAD))
    world.rest(2 * HOUR)
    assert model(world) == NEW


def test_a_manual_change_of_the_model_to_the_failed_image_is_reverted() -> None:
    world = world_after_failure("repin")
    world.azure.scale_set("web").set_image(f"Canonical:ubuntu-24_04-lts:server:{BAD}")
    world.rest(timedelta(minutes=10))
    assert (model(world), world.reasons()[-1]) == (OLD, "RolloutFailed")


def test_an_image_that_only_a_tag_names_is_no_rollback_target() -> None:
    """One instance runs another image, so the image that the model leaves is not proven either."""
    behind = [{"id": "0", "image": platform(NEW)}]
    forged = {"vmss-reconciler-state": f"v1;good={':'.join(BASE.values())}:{FIX}"}
    declared = scale_set(capacity=10, instanceStates=behind, tags=forged)
    world = World(fleet(declared), rolling("rollback"))
    world.rest(2 * HOUR)
    assert model(world) == BAD
    assert world.lines()["web"] == says(
        "HealthCheckFailed",
        "declare another image",
        f"no instance runs {FIX}, and the only record that {FIX} was good is a tag",
    )


def test_declaring_the_last_good_image_again_returns_the_canary_to_it() -> None:
    world = world_after_failure("repin", canary={"instances": 1})
    world.merge(rolling("repin", OLD))
    world.run()
    assert world.lines()["web"] == says("UpToDate", "10", OLD)


def test_an_instance_that_becomes_unhealthy_after_the_rollout_causes_no_rollback() -> None:
    world = World(fleet(scale_set(capacity=5)), rolling("rollback", NEW)).run()
    world.azure.scale_set("web").instance("0").sicken()
    world.azure.scale_set("web").bump_etag()
    world.rest(HOUR)
    assert world.reasons()[-1] == "HealthCheckFailed"
    assert model(world) == NEW
