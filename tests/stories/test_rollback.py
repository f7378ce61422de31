"""An image that is given up: the model goes back, and what fails is not tried again; a fix goes first, at once."""

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


def failed(on_failure: str, **rollout: Any) -> World:
    world = World(fleet(scale_set(capacity=10, tags=TAGS)), rolling(on_failure, **rollout))
    world.rest(2 * HOUR)
    assert world.reasons()[-1] == "RolloutFailed"
    return world


def test_a_bad_image_stops_after_the_canary_and_scaling_out_afterwards_makes_good_instances() -> None:
    world = failed("repin", canary={"instances": 1})
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
        pytest.param(OLD, OLD, id="a commit had declared it here, so the model goes back"),
        pytest.param(NEW, NEW, id="no commit had, so it stays"),
    ],
)
def test_after_a_restart_what_a_commit_had_declared_is_a_way_back(declared: str, expected: str) -> None:
    """The last batch bakes, no instance runs the last good image any more, and most fall sick."""
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
    assert ("only a tag says" in world.lines()["web"]) == (expected == NEW)


def test_what_was_given_up_stays_stalled_while_an_autoscaler_makes_good_instances() -> None:
    """An alert that asks for ten minutes of it would never fire, were it Reconciling at each of them."""
    autoscale = {"minimum": 4, "maximum": 8, "every": "9m"}
    world = World(fleet(scale_set(capacity=6, autoscale=autoscale)), rolling("rollback"))
    world.run(lambda: "RolloutFailed" in world.reasons())
    before = len(world.outcomes)
    world.rest(4 * HOUR)
    assert len(world.outcomes) - before > 20
    assert {(each.reason, each.status) for each in world.outcomes[before:]} == {("RolloutFailed", "Stalled")}


def test_one_that_is_made_on_the_last_good_image_and_stays_unhealthy_is_told() -> None:
    world = failed("rollback")
    world.azure.scale_set("web").instance("3").sicken()
    world.rest(2 * HOUR)
    assert world.lines()["web"] == says("HealthCheckFailed", "update domain 3", "web_3 (unhealthy)")


def test_the_line_of_a_rollout_on_its_way_back_names_what_failed() -> None:
    world = World(fleet(scale_set(capacity=6)), rolling("rollback"))
    world.run(lambda: "GivingUp" in world.reasons())
    world.azure.faults.arm("VirtualMachineScaleSets_UpdateInstances", OperationLost(), times=None)
    before = len(world.outcomes)
    world.rest(HOUR)
    told = {each.message.rpartition("; ")[2] for each in world.outcomes[before:]}
    assert told == {f"{BAD} failed"}


SATURDAY = [{"kind": "allow", "schedule": "0 12 * * 6", "duration": "1h", "timeZone": "UTC"}]


def test_repin_returns_the_sick_a_domain_at_a_time_outside_the_window_and_leaves_those_that_serve() -> None:
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
    back = [
        each.body["instanceIds"]
        for each in writes(world.azure.record, UPGRADE)
        if model_image(each).endswith(OLD)
    ]
    assert back == [["1"], ["5", "0"]]


def test_rollback_returns_the_upgraded_instances_too() -> None:
    world = failed("rollback")
    assert (model(world), on(world)) == (OLD, {OLD: 10})
    assert world.lines()["web"] == says("RolloutFailed", BAD, OLD)


@pytest.mark.parametrize("on_failure", ["repin", "rollback"])
def test_what_failed_is_not_tried_again_by_itself_whoever_asks(on_failure: str) -> None:
    world = failed(on_failure)
    asked = len(world.requests())
    world.restart()
    world.azure.scale_set("web").bump_etag()
    world.rest(6 * HOUR)
    nothing_was_written(world.azure.record, asked)
    assert world.reasons()[-1] == "RolloutFailed"


@pytest.mark.parametrize("on_failure", ["repin", "rollback"])
@pytest.mark.parametrize("steps", range(1, 40, 3))
def test_a_daemon_killed_anywhere_is_followed_by_one_that_ends_the_same(on_failure: str, steps: int) -> None:
    world = World(fleet(scale_set(capacity=10)), rolling(on_failure, canary={"instances": 1}))
    for _ in range(steps):
        world.step()
    world.restart()
    world.rest(3 * HOUR)
    assert (model(world), on(world).get(BAD, 0)) == (OLD, 0)
    assert world.reasons()[-1] == "RolloutFailed"


STATE = "vmss-reconciler-state"


def test_what_is_persisted_is_one_tag_beside_those_of_others() -> None:
    world = failed("repin")
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
    """Start a daemon on a scale set as one left it that knew only the former names of the tags."""
    live = world.azure.scale_set("web")
    written = {f"reconciler-{name.replace('_', '-')}": value for name, value in former.items()}
    live.set_tags(written | {STATE: None})
    world.restart()


@pytest.mark.parametrize("on_failure", ["repin", "rollback"])
def test_what_was_given_up_under_former_tags_is_not_tried_again_until_a_fix_is_named(on_failure: str) -> None:
    world = failed(on_failure)
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
def test_a_rollout_begun_under_former_tags_goes_back_to_its_last_good_image(on_failure: str) -> None:
    world = World(fleet(scale_set(capacity=10, tags=TAGS)), rolling(on_failure))
    world.run(lambda: world.azure.record.requests[-1].operation.endswith("_UpdateInstances"))
    restart_with_former_tags(world, last_good=str(image(OLD)), began=f"{START.isoformat()} {BAD}")
    world.rest(3 * HOUR)
    assert (model(world), world.reasons()[-1]) == (OLD, "RolloutFailed")
    tags = world.azure.scale_set("web").tags
    assert {name for name, value in tags.items() if value} == {*TAGS, STATE}


@pytest.mark.parametrize("on_failure", ["repin", "rollback"])
def test_what_a_later_version_gave_up_is_not_tried_again_by_this_one(on_failure: str) -> None:
    """A downgrade: nothing is done on a text whose version is not known here."""
    world = failed(on_failure)
    text = world.azure.scale_set("web").tags[STATE]
    world.azure.scale_set("web").set_tags({STATE: text.replace("v1;", "v2;", 1)})
    world.restart()
    asked = len(world.requests())
    world.rest(6 * HOUR)
    nothing_was_written(world.azure.record, asked)
    assert world.reasons()[-1] == "StateUnreadable"


@pytest.mark.parametrize("on_failure", ["repin", "rollback"])
def test_what_a_later_version_noted_beside_is_kept_to_the_end(on_failure: str) -> None:
    world = World(fleet(scale_set(capacity=10, tags=TAGS | {STATE: "v1;pilot=yes"})), rolling(on_failure))
    world.rest(3 * HOUR)
    found = persisted_state(world.azure.scale_set("web").tags)
    assert (found.others, world.reasons()[-1]) == (("pilot=yes",), "RolloutFailed")


@pytest.mark.parametrize("on_failure", ["repin", "rollback"])
def test_without_room_for_a_tag_it_does_not_begin_until_there_is(on_failure: str) -> None:
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


def test_under_hold_the_failure_is_noted_beside_the_tags_of_others_and_the_model_stays() -> None:
    world = World(fleet(scale_set(capacity=10, tags=TAGS)), rolling("hold"))
    world.rest(6 * HOUR)
    assert world.reasons()[-1] == "HealthCheckFailed"
    live = world.azure.scale_set("web")
    assert (model(world), {name: live.tags[name] for name in TAGS}) == (BAD, TAGS)
    assert persisted_state(live.tags) == PersistedState(
        last_good=image(OLD), failed=Fingerprint.of(image(BAD)), began=Mark.of(START, image(BAD))
    )
    assert len(tag_writes(world)) == 1
    (told,) = {outcome.line for outcome in world.outcomes if "recording" in outcome.line}
    assert told.endswith("; recording the failure")


def test_where_the_note_is_refused_the_line_stays_says_so_and_it_is_tried_less_and_less_often() -> None:
    world = World(fleet(scale_set(capacity=10, tags=TAGS)), rolling("hold"))
    world.run(lambda: world.has_upgraded(1))
    world.azure.faults.arm(PATCH, Status(409, "ScopeLocked", "a lock"), times=None)
    world.rest(6 * HOUR)
    assert world.reasons()[-1] == "HealthCheckFailed"
    assert set(world.reasons()).isdisjoint({"Refused", "Conflict"})
    assert "so a restart will not know of it" in world.lines()["web"]
    assert "ScopeLocked" in world.lines()["web"]
    at = [each.at for each in tag_writes(world)]
    apart = [(after - before) // timedelta(minutes=1) for before, after in pairwise(at)]
    assert apart[:4] == [5, 10, 20, 40]
    assert set(apart[4:]) == {40}
    world.azure.faults.disarm()
    world.rest(HOUR)
    failed = persisted_state(world.azure.scale_set("web").tags).failed
    assert failed == Fingerprint.of(image(BAD))
    assert "a restart" not in world.lines()["web"]


def test_an_image_that_is_well_after_all_is_no_failed_one_and_the_next_is_no_fix() -> None:
    """Its instances were unhealthy for want of something else."""
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
    ("unhealthy", "ends"),
    [
        pytest.param(
            ["9"],
            f"the model is back on {OLD}; no instance runs the failed image; declare another image",
            id="one",
        ),
        pytest.param(["7", "8", "9"], "no serving instance is upgraded; 3 of 10 up to date", id="too many"),
    ],
)
def test_an_image_is_good_though_few_instances_were_sick_on_it(unhealthy: list[str], ends: str) -> None:
    states = [{"id": each, "health": "unhealthy"} for each in unhealthy]
    world = World(fleet(scale_set(capacity=10, instanceStates=states)), rolling("repin", OLD))
    world.rest(HOUR)
    world.merge(rolling("repin"))
    world.rest(2 * HOUR)
    assert world.lines()["web"].endswith(ends)
    assert model(world) == (OLD if len(unhealthy) == 1 else BAD)


def test_a_model_on_latest_is_nothing_to_go_back_to() -> None:
    floating = scale_set(capacity=5, image={"platform": {**BASE, "version": "latest"}})
    world = World(fleet(floating, images={"platform": [{**BASE, "versions": [OLD]}]}), rolling("repin"))
    world.azure.publish(f"{':'.join(BASE.values())}:{BAD}", boots="unhealthy")
    world.rest(2 * HOUR)
    assert world.lines()["web"].endswith("no rollback target: no image is known to be good here")
    assert persisted_state(world.azure.scale_set("web").tags).last_good is None


def test_the_last_good_image_is_the_one_before_the_last_that_was_completed() -> None:
    world = World(fleet(scale_set(capacity=5)), rolling("repin", NEW)).run()
    world.merge(rolling("repin", BAD))
    world.rest(2 * HOUR)
    assert model(world) == NEW


def test_somebody_who_sets_the_model_to_what_failed_is_put_right() -> None:
    world = failed("repin")
    world.azure.scale_set("web").set_image(f"Canonical:ubuntu-24_04-lts:server:{BAD}")
    world.rest(timedelta(minutes=10))
    assert (model(world), world.reasons()[-1]) == (OLD, "RolloutFailed")


def test_an_image_that_a_tag_alone_names_is_no_way_back_though_our_own_change_passes_it_on() -> None:
    """One instance was left behind on another image, so that what the model leaves is not proven."""
    behind = [{"id": "0", "image": platform(NEW)}]
    forged = {"vmss-reconciler-state": f"v1;good={':'.join(BASE.values())}:{FIX}"}
    declared = scale_set(capacity=10, instanceStates=behind, tags=forged)
    world = World(fleet(declared), rolling("rollback"))
    world.rest(2 * HOUR)
    assert model(world) == BAD
    assert world.reasons()[-1] == "HealthCheckFailed"
    assert f"no rollback target: only a tag says that {FIX} was good here" in world.lines()["web"]


def test_naming_the_last_good_image_again_brings_back_the_canary() -> None:
    world = failed("repin", canary={"instances": 1})
    world.merge(rolling("repin", OLD))
    world.run()
    assert world.lines()["web"] == says("UpToDate", "10", OLD)


def test_an_instance_that_falls_sick_after_the_rollout_sets_nothing_back() -> None:
    world = World(fleet(scale_set(capacity=5)), rolling("rollback", NEW)).run()
    world.azure.scale_set("web").instance("0").sicken()
    world.azure.scale_set("web").bump_etag()
    world.rest(HOUR)
    assert world.reasons()[-1] == "HealthCheckFailed"
    assert model(world) == NEW
