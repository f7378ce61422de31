"""The image catalogues through the real SDK: where and how often they are read, and the results."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from reconciler.azure.budget import Priority
from reconciler.azure.compute import Compute
from reconciler.azure.session import Session
from reconciler.rollout.observed import Verdict
from reconciler.simulator import Simulator, Status, VirtualClock
from reconciler.spec.image import GalleryImage, Image, ManagedImage, PlatformImage, VhdImage, at_version
from tests.build import model
from tests.stories.test_images import KINDS, named
from tests.stories.world import BASE, SUBSCRIPTION, fleet, scale_set
from tests.token import Token

OTHER = "22222222-2222-2222-2222-222222222222"
UBUNTU = PlatformImage(**BASE, version="1.0.10")
WEB = GalleryImage(named("gallery", "1.0.10"))


def azure(*details: dict[str, Any], **changes: Any) -> Simulator:
    images = {
        "platform": [{**BASE, "versions": ["1.0.9", "1.0.10", "daily"]}],
        "ids": [named(kind, version) for kind in KINDS for version in ("1.0.9", "1.0.10")],
        "details": list(details),
    }
    there = scale_set(capacity=1, image={"platform": {**BASE, "version": "1.0.9"}})
    return Simulator.load(fleet(there, images=images, **changes), VirtualClock())


def door(simulator: Simulator) -> Compute:
    return Compute(Session(credential=Token(), transport=simulator.transport(), now=simulator.clock.now))


def found(simulator: Simulator, image: Image, **of: Any) -> tuple[Verdict, str]:
    said = door(simulator).availability(image, model(**of), Priority.ROLLOUT)
    return said.verdict, str(said.image).rpartition("/")[2].rpartition(":")[2]


@pytest.mark.parametrize(
    ("details", "newest"),
    [
        pytest.param({}, "1.0.10", id="versions are ordered as numbers; other versions are ignored"),
        pytest.param({"deprecation": "Deprecated"}, "1.0.9", id="a deprecated version is skipped"),
        pytest.param({"regions": ["northeurope"]}, "1.0.9", id="not one of another region"),
    ],
)
def test_the_latest_of_a_platform_image(details: dict[str, Any], newest: str) -> None:
    simulator = azure({"image": named("platform", "1.0.10"), **details}) if details else azure()
    assert found(simulator, at_version(UBUNTU, "Latest")) == (Verdict.AVAILABLE, newest)


@pytest.mark.parametrize(
    ("details", "newest"),
    [
        pytest.param({}, "1.0.10", id="by number"),
        pytest.param({"excludeFromLatest": True}, "1.0.9", id="not one that is excluded"),
        pytest.param({"regions": ["northeurope"]}, "1.0.9", id="not one of another region"),
        pytest.param(
            {"regions": ["westeurope", "northeurope"], "replicating": ["westeurope"]},
            "1.0.9",
            id="not one that is being copied to this region",
        ),
        pytest.param(
            {"regions": ["westeurope", "northeurope"], "replicating": ["northeurope"]},
            "1.0.10",
            id="one that is being copied to another region only",
        ),
    ],
)
def test_the_latest_of_a_gallery_image(details: dict[str, Any], newest: str) -> None:
    simulator = azure({"image": WEB.id, **details}) if details else azure()
    assert found(simulator, at_version(WEB, "latest")) == (Verdict.AVAILABLE, newest)


def test_a_version_that_is_deleted_after_its_list_is_skipped() -> None:
    simulator = azure()
    simulator.faults.arm("GalleryImageVersions_Get", Status(404, "ResourceNotFound", "It was not found."))
    assert found(simulator, at_version(WEB, "latest")) == (Verdict.AVAILABLE, "1.0.9")


@pytest.mark.parametrize("image", [WEB, ManagedImage(named("managed", "1.0.10"))], ids=["gallery", "managed"])
def test_an_image_is_looked_up_in_its_own_subscription(image: Any) -> None:
    simulator = azure()
    elsewhere = replace(image, id=image.id.replace(SUBSCRIPTION, OTHER))
    simulator.publish(elsewhere.id)
    assert found(simulator, elsewhere)[0] is Verdict.AVAILABLE
    assert all(f"/subscriptions/{OTHER}/" in exchange.path for exchange in simulator.record.requests)


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(Status(403, "AuthorizationFailed", "No."), id="no permission"),
        pytest.param(
            Status(401, "InvalidAuthenticationTokenTenant", "Wrong issuer."),
            id="a subscription of another tenant",
        ),
        pytest.param(
            Status(404, "SubscriptionNotFound", "No such."), id="a subscription that is not visible"
        ),
        pytest.param(Status(503, "ServerTimeout", "Try later."), id="no response"),
    ],
)
def test_an_unreadable_catalogue_blocks_no_exact_version_and_has_no_latest(fault: Status) -> None:
    simulator = azure()
    simulator.faults.arm("*", fault, times=None)
    assert found(simulator, WEB)[0] is Verdict.UNCHECKED
    assert found(simulator, at_version(WEB, "latest"))[0] is Verdict.UNREADABLE


def test_a_malformed_catalogue_counts_as_unreadable() -> None:
    simulator = azure()
    compute = door(simulator)
    simulator.faults.arm(
        "VirtualMachineImages_Get", Status(200, "x", "y")
    )  # an error in an answer that is none
    assert compute.availability(UBUNTU, model(), Priority.ROLLOUT).verdict is Verdict.UNCHECKED


def test_a_vhd_has_no_catalogue() -> None:
    simulator = azure()
    vhd = VhdImage("https://acct.blob.core.windows.net/vhds/base-1.vhd")
    assert found(simulator, vhd)[0] is Verdict.UNCHECKED
    assert simulator.record.requests == ()


def test_a_result_is_kept_for_a_subscription_and_region_for_a_minute() -> None:
    simulator = azure()
    compute = door(simulator)
    web = model()

    def asked(image: Image, about: Any) -> int:
        before = len(simulator.record.requests)
        compute.availability(image, about, Priority.ROLLOUT)
        return len(simulator.record.requests) - before

    # That of the model too, for what it is made for.
    assert [asked(UBUNTU, web), asked(UBUNTU, replace(web, id=f"{web.id}2"))] == [2, 0]
    assert asked(replace(UBUNTU, publisher="CANONICAL"), web) == 0
    assert asked(UBUNTU, replace(web, location="northeurope")) == 2
    assert asked(UBUNTU, replace(web, id=web.id.replace(SUBSCRIPTION, OTHER))) == 2
    simulator.clock.sleep(timedelta(minutes=1))
    assert asked(UBUNTU, web) == 2
