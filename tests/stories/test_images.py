"""Images in Azure's catalogues: latest of every kind, and images that are not available yet."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from reconciler.simulator import Status
from tests.invariants import nothing_was_written
from tests.messages import says
from tests.stories.world import (
    BAD,
    BASE,
    NEW,
    OLD,
    ROLE,
    SUBSCRIPTION,
    World,
    fleet,
    platform,
    scale_set,
    spec,
)

ARM = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/images/providers/Microsoft.Compute"
URN = ":".join(BASE.values())


def named(kind: str, version: str) -> str:
    """An image of each kind, as a fleet file names it."""
    return {
        "platform": f"{URN}:{version}",
        "gallery": f"{ARM}/galleries/g/images/web/versions/{version}",
        "communityGallery": f"/CommunityGalleries/pub/Images/web/Versions/{version}",
        "sharedGallery": f"/SharedGalleries/uni/Images/web/Versions/{version}",
        "managed": f"{ARM}/images/web-{version}",
    }[kind]


def declared(kind: str, version: str) -> dict[str, Any]:
    """The same image, as a spec names it."""
    return platform(version) if kind == "platform" else {kind: {"id": named(kind, version)}}


def world_of(kind: str, version: str, *others: dict[str, Any]) -> World:
    """A scale set of 5 on 1.0.9 of that kind. 1.0.10 exists too. `others` are details of images."""
    images = {
        "platform": [{**BASE, "versions": ["1.0.9", "1.0.10"]}],
        "ids": [named(each, number) for each in KINDS for number in ("1.0.9", "1.0.10")],
        "details": list(others),
    }
    own = {"platform": {**BASE, "version": "1.0.9"}} if kind == "platform" else {"id": named(kind, "1.0.9")}
    sets = fleet(scale_set(capacity=5, image=own), images=images)
    return World(sets, spec(image=declared(kind, version)))


KINDS = ("gallery", "communityGallery", "sharedGallery", "managed")
VERSIONED = ("platform", "gallery", "communityGallery", "sharedGallery")


def on(world: World) -> set[str]:
    return {
        image.rpartition("/")[2].rpartition(":")[2] for image in world.azure.record.images("web").values()
    }


@pytest.mark.parametrize("kind", ["platform", *KINDS])
def test_an_exact_version_of_every_kind_of_image_is_rolled_out(kind: str) -> None:
    world = world_of(kind, "1.0.10").run()
    assert world.state().outcome is not None
    assert world.lines()["web"] == says("UpToDate", "5")
    assert {image.endswith("1.0.10") for image in world.azure.record.images("web").values()} == {True}


@pytest.mark.parametrize("kind", VERSIONED)
def test_latest_of_every_kind_is_the_highest_version_and_is_pinned_in_the_model(kind: str) -> None:
    world = world_of(kind, "latest").run()
    assert on(world) == {"1.0.10"}
    assert world.azure.scale_set("web").image == named(kind, "1.0.10")
    assert world.requests().count("VirtualMachineScaleSets_Update") == 1


def test_a_newer_version_of_latest_is_rolled_out_within_the_interval() -> None:
    world = world_of("platform", "latest").run()
    world.rest(timedelta(minutes=6))  # when it is observed once more
    world.azure.publish(named("platform", "1.0.11"))
    world.rest(timedelta(minutes=50))
    assert on(world) == {"1.0.10"}
    world.rest(timedelta(minutes=15)).run()
    assert on(world) == {"1.0.11"}


def test_a_settled_scale_set_on_latest_costs_one_catalogue_request_per_interval() -> None:
    world = world_of("platform", "latest").run()
    before = world.requests().count("VirtualMachineImages_List")
    world.rest(timedelta(hours=3))
    assert world.requests().count("VirtualMachineImages_List") - before == 3


def test_withdrawing_the_latest_version_causes_no_rollback() -> None:
    world = world_of("platform", "latest").run()
    asked = len(world.requests())
    world.azure.publish(named("platform", "1.0.10"), deprecation="Deprecated")
    world.rest(timedelta(hours=3))
    assert on(world) == {"1.0.10"}
    nothing_was_written(world.azure.record, asked)


@pytest.mark.parametrize("kind", ["platform", "gallery"])
def test_an_image_that_is_withdrawn_after_its_rollout_is_noted_within_a_day(kind: str) -> None:
    world = world_of(kind, "1.0.10").run()
    world.azure.withdraw(named(kind, "1.0.10"))
    world.rest(timedelta(hours=26))
    assert world.lines()["web"].startswith("UpToDate")
    (note,) = world.state().seen.notes
    assert note.startswith("scale-out and repairs will fail: ")


@pytest.mark.parametrize(
    ("rollout", "reason"),
    [
        pytest.param({"onFailure": "rollback"}, "RolloutFailed", id="the rollback to it is complete"),
        pytest.param({"approval": "start"}, "AwaitingApproval", id="the next rollout awaits an approval"),
    ],
)
def test_a_model_on_a_withdrawn_image_is_noted_within_a_day(rollout: dict[str, Any], reason: str) -> None:
    """The declared image is another one, and the catalogue has it."""
    world = World(fleet(scale_set(capacity=5)), spec(version=OLD)).run()
    world.merge(spec(version=BAD, rollout=rollout))
    world.run(lambda: world.reasons()[-1] == reason)
    world.azure.withdraw(f"{':'.join(BASE.values())}:{OLD}")
    world.rest(timedelta(hours=26))
    assert world.reasons()[-1] == reason
    (note,) = world.state().seen.notes
    assert note.startswith("scale-out and repairs will fail: ")


def test_the_catalogue_is_asked_for_settled_scale_sets_once_a_day_for_each_image() -> None:
    names = tuple(f"s{number}" for number in range(5))
    world = World(fleet(*map(scale_set, names)), *map(spec, names)).run()
    before = world.requests().count("VirtualMachineImages_Get")
    world.rest(timedelta(days=3, hours=4))
    assert world.requests().count("VirtualMachineImages_Get") - before == 3


def test_latest_skips_a_version_that_is_excluded_from_latest() -> None:
    world = world_of(
        "gallery", "latest", {"image": named("gallery", "1.0.10"), "excludeFromLatest": True}
    ).run()
    assert on(world) == {"1.0.9"}
    world.azure.publish(named("gallery", "1.0.10"), exclude_from_latest=False)
    world.rest(timedelta(minutes=70)).run()
    assert on(world) == {"1.0.10"}


def test_latest_skips_a_version_until_it_is_replicated() -> None:
    newest = named("gallery", "1.0.10")
    world = world_of("gallery", "latest", {"image": newest, "replicating": ["westeurope"]}).run()
    assert on(world) == {"1.0.9"}
    assert world.lines()["web"] == says("UpToDate", "5", "web/1.0.9")
    world.azure.publish(newest, replicating=[])
    world.rest(timedelta(minutes=70)).run()
    assert on(world) == {"1.0.10"}


def test_a_rollout_to_latest_completes_though_the_catalogue_becomes_unreadable() -> None:
    world = world_of("platform", "latest")
    world.run(lambda: world.requests().count("VirtualMachineScaleSets_UpdateInstances") == 2)
    world.azure.faults.arm(
        "VirtualMachineImages_List", Status(503, "ServerTimeout", "Try later."), times=None
    )
    world.rest(timedelta(hours=1))
    assert on(world) == {"1.0.10"}
    assert world.lines()["web"] == says("CatalogueUnreadable"), "the line does not call it the latest"
    world.azure.faults.disarm()
    world.rest(timedelta(minutes=6))
    assert world.lines()["web"] == says("UpToDate", "5", "1.0.10")


@pytest.mark.parametrize(
    ("kind", "version", "details", "reason", "publish"),
    [
        pytest.param(
            "platform",
            "1.0.11",
            {},
            "ImageNotFound",
            lambda world: world.azure.publish(named("platform", "1.0.11")),
            id="the platform version does not exist",
        ),
        pytest.param(
            "gallery",
            "1.0.11",
            {},
            "ImageNotFound",
            lambda world: world.azure.publish(named("gallery", "1.0.11")),
            id="the gallery version does not exist",
        ),
        pytest.param(
            "communityGallery",
            "1.0.11",
            {},
            "ImageNotFound",
            lambda world: world.azure.publish(named("communityGallery", "1.0.11")),
            id="the community gallery version does not exist",
        ),
        pytest.param(
            "gallery",
            "1.0.10",
            {"regions": ["northeurope"]},
            "ImageNotReplicated",
            lambda world: world.azure.publish(
                named("gallery", "1.0.10"), regions=["northeurope", "westeurope"]
            ),
            id="the gallery version is in another region",
        ),
        pytest.param(
            "gallery",
            "1.0.10",
            {"regions": ["northeurope", "westeurope"], "replicating": ["westeurope"]},
            "ImageReplicating",
            lambda world: world.azure.publish(named("gallery", "1.0.10"), replicating=[]),
            id="the gallery version is still replicating",
        ),
        pytest.param(
            "managed",
            "1.0.10",
            {"regions": ["northeurope"]},
            "ImageNotReplicated",
            lambda world: world.azure.publish(named("managed", "1.0.10"), regions=["westeurope"]),
            id="the managed image is in another region",
        ),
        pytest.param(
            "platform",
            "1.0.10",
            {"deprecation": "Deprecated"},
            "ImageDeprecated",
            lambda world: world.azure.publish(named("platform", "1.0.10"), deprecation="Active"),
            id="the platform version is deprecated",
        ),
        pytest.param(
            "gallery",
            "latest",
            {"image": named("gallery", "1.0.9"), "excludeFromLatest": True},
            "",
            lambda _: None,
            id="an older version is excluded from latest, which blocks nothing",
        ),
    ],
)
def test_nothing_is_written_until_the_image_is_available(
    kind: str, version: str, details: dict[str, Any], reason: str, publish: Callable[[World], None]
) -> None:
    world = world_of(kind, version, *([{"image": named(kind, version), **details}] if details else []))
    world.rest(timedelta(minutes=10))
    if reason:
        assert world.lines()["web"] == says(reason)
        nothing_was_written(world.azure.record)
    publish(world)
    world.rest(timedelta(minutes=2)).run()
    assert world.lines()["web"] == says("UpToDate")


def test_a_scheduled_deprecation_is_reported_and_blocks_nothing() -> None:
    world = world_of(
        "platform", "1.0.10", {"image": named("platform", "1.0.10"), "deprecation": "ScheduledForDeprecation"}
    )
    world.run()
    drift = next(each for each in world.outcomes if each.reason == "ModelDrift")
    assert "scheduled for deprecation" in drift.message
    assert on(world) == {"1.0.10"}


@pytest.mark.parametrize(
    ("version", "line"),
    [
        pytest.param("1.0.10", says("UpToDate", "5", "1.0.10"), id="an exact version is rolled out"),
        pytest.param(
            "latest",
            says("CatalogueUnreadable", URN, "AuthorizationFailed"),
            id="latest cannot be resolved",
        ),
    ],
)
def test_a_role_without_access_to_the_catalogue_affects_only_latest(version: str, line: str) -> None:
    world = world_of("platform", version)
    may_not = ["Microsoft.Compute/locations/publishers/*"]
    sets = {**world.declared, "permissions": {"actions": ROLE, "notActions": may_not}}
    world = World(sets, spec(image=declared("platform", version)))
    world.rest(timedelta(minutes=20))
    assert world.lines()["web"] == line


def test_one_merge_for_20_scale_sets_reads_the_catalogue_once_a_minute_at_most() -> None:
    sets = fleet(scale_set(count=20, capacity=2))
    names = [f"web-{number:04}" for number in range(20)]
    world = World(sets, *(spec(name, OLD) for name in names)).run()
    world.merge(*(spec(name, NEW) for name in names))
    began = world.clock.now()
    world.run()
    assert all(line == says("UpToDate", NEW) for line in world.lines().values())
    minutes = (world.clock.now() - began) / timedelta(minutes=1)
    assert world.requests().count("VirtualMachineImages_Get") <= minutes
