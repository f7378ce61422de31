"""The image catalogue, and further requests to Resource Manager."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest

from reconciler.simulator import SUBSCRIPTION, FleetError, Simulator, VirtualClock
from reconciler.simulator.catalogue import storage_of
from tests.simulator.azure import BAD, GROUP, NEW, OLD, Azure, Start, fleet

PUBLISHER = (
    f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Compute/locations/westeurope/publishers/Canonical"
)
VERSIONS = f"{PUBLISHER}/artifacttypes/vmimage/offers/ubuntu-24_04-lts/skus/server/versions"
GALLERY = f"{GROUP}/providers/Microsoft.Compute/galleries/g/images/base"


def test_versions_are_a_bare_list(azure: Azure) -> None:
    found = azure.client.virtual_machine_images.list("westeurope", "Canonical", "ubuntu-24_04-lts", "server")
    assert [image.name for image in found] == ["24.04.202601010", "24.04.202602010", "24.04.202603010"]
    assert isinstance(azure.ask("GET", VERSIONS).json(), list)


@pytest.mark.parametrize(
    "query, names",
    [
        pytest.param("$top=1&$orderby=name desc", ["9.0.0"], id="the last one"),
        pytest.param(
            "$orderby=name desc",
            ["9.0.0", "24.04.202603010", "24.04.202602010", "24.04.202601010", "10.0.0"],
            id="all in descending order",
        ),
        pytest.param("$top=2", ["10.0.0", "24.04.202601010"], id="the first two"),
    ],
)
def test_versions_are_ordered_as_strings(azure: Azure, query: str, names: list[str]) -> None:
    for version in ("9.0.0", "10.0.0"):
        azure.sim.publish(f"{OLD.rpartition(':')[0]}:{version}")
    assert [row["name"] for row in azure.ask("GET", f"{VERSIONS}?{query}").json()] == names


def test_an_unknown_sku_has_no_versions(azure: Azure) -> None:
    assert azure.ask("GET", VERSIONS.replace("/server/", "/desktop/")).json() == []


def test_a_version_is_read(azure: Azure) -> None:
    assert azure.ask("GET", f"{VERSIONS}/24.04.202601010").json()["properties"]["architecture"] == "x64"
    assert azure.ask("GET", f"{VERSIONS}/latest").status == 404


def test_versions_in_a_gallery_are_listed_and_read(start: Start) -> None:
    azure = start(
        top={"images": {"ids": [f"{GALLERY}/versions/1.0.0", f"{GALLERY}/versions/1.1.0"]}}, image="a:b:c:1"
    )
    found = azure.client.gallery_image_versions.list_by_gallery_image("shop", "g", "base")
    assert [version.name for version in found] == ["1.0.0", "1.1.0"]
    one = azure.client.gallery_image_versions.get("shop", "g", "base", "1.1.0", expand="ReplicationStatus")
    assert one.replication_status is not None
    assert azure.ask("GET", f"{GALLERY}/versions/2.0.0").json()["error"]["code"] == "ResourceNotFound"


def test_subscriptions_and_groups_are_listed(azure: Azure) -> None:
    listed = azure.ask("GET", "/subscriptions").json()["value"]
    assert [each["subscriptionId"] for each in listed] == [SUBSCRIPTION]
    assert azure.ask("GET", f"/subscriptions/{SUBSCRIPTION}").json()["state"] == "Enabled"
    assert azure.ask("GET", GROUP.replace("shop", "SHOP")).json()["name"] == "shop"


def test_the_endpoints_of_a_cloud_need_no_token(azure: Azure) -> None:
    new = azure.ask("GET", "/metadata/endpoints", version="2022-09-01", headers={"Authorization": ""})
    old = azure.ask("GET", "/metadata/endpoints", version="2019-05-01", headers={"Authorization": ""})
    assert new.json()["resourceManager"] == old.json()[0]["resourceManager"] == "https://arm.test"


ELSEWHERE = "24.04.202604010"
SKU = OLD.rpartition(":")[0]
SHARED = "/sharedGalleries/gal-1/images/base"
COMMUNITY = "/communityGalleries/pub-1/images/base"
MANAGED = f"{GROUP}/providers/Microsoft.Compute/images/golden"
PLACE = f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Compute/locations/westeurope"


def images_with(*images: Mapping[str, Any]) -> dict[str, Any]:
    """Return a fleet's `images` with these details, and the platform images of all tests."""
    return {**fleet()["images"], "details": list(images)}


def rejection_of(azure: Azure, image: str) -> tuple[int, str, str]:
    change = {"properties": {"virtualMachineProfile": {"storageProfile": storage_of(image)}}}
    answer = azure.ask("PATCH", "", json.dumps(change).encode())
    error = answer.json()["error"]
    return answer.status, error["code"], error["message"]


@pytest.mark.parametrize(
    "details, listed, state",
    [
        pytest.param({"regions": ["westeurope"]}, True, "Active", id="in the region"),
        pytest.param({"regions": ["West Europe"]}, True, "Active", id="in the region by its display name"),
        pytest.param({"regions": ["northeurope"]}, False, "NotFound", id="in another region"),
        pytest.param(
            {"deprecation": "ScheduledForDeprecation"},
            True,
            "ScheduledForDeprecation",
            id="scheduled for deprecation",
        ),
        pytest.param({"deprecation": "Deprecated"}, False, "ImageVersionDeprecated", id="deprecated"),
    ],
)
def test_a_region_lists_the_versions_available_there(
    start: Start, details: dict[str, Any], listed: bool, state: str
) -> None:
    azure = start(top={"images": images_with({"image": f"{SKU}:{ELSEWHERE}", **details})})
    names = [row["name"] for row in azure.ask("GET", VERSIONS).json()]
    one = azure.ask("GET", f"{VERSIONS}/{ELSEWHERE}").json()
    assert (ELSEWHERE in names) == listed
    found = one["properties"]["imageDeprecationStatus"]["imageState"] if listed else one["error"]["code"]
    assert found == state


def test_a_version_shows_when_it_will_be_deprecated(start: Start) -> None:
    azure = start(
        top={"images": images_with({"image": OLD, "deprecation": "ScheduledForDeprecation"})},
    )
    found = azure.client.virtual_machine_images.get(
        "westeurope", "Canonical", "ubuntu-24_04-lts", "server", "24.04.202601010"
    )
    assert found.properties is not None
    assert found.properties.image_deprecation_status is not None
    assert (
        found.properties.image_deprecation_status.scheduled_deprecation_time
        == azure.clock.now() + timedelta(days=90)
    )


def test_a_gallery_version_shows_the_regions_of_its_copies(start: Start) -> None:
    name = f"{GALLERY}/versions/1.0.0"
    details = {
        "image": name,
        "regions": ["westeurope"],
        "replicating": ["northeurope"],
        "excludeFromLatest": True,
    }
    azure = start(top={"images": {"details": [details]}}, image="a:b:c:1")
    plain = azure.ask("GET", name).json()["properties"]
    assert "replicationStatus" not in plain
    assert plain["publishingProfile"]["excludeFromLatest"] is True
    assert plain["publishingProfile"]["publishedDate"] == azure.clock.now().isoformat()
    assert [region["name"] for region in plain["publishingProfile"]["targetRegions"]] == [
        "West Europe",
        "North Europe",
    ]
    assert azure.ask("GET", f"{name}?$expand=ReplicationStatus").json()["properties"][
        "replicationStatus"
    ] == {
        "aggregatedState": "InProgress",
        "summary": [
            {"region": "West Europe", "state": "Completed", "details": "", "progress": 100},
            {"region": "North Europe", "state": "Replicating", "details": "", "progress": 50},
        ],
    }
    assert plain["provisioningState"] == "Updating"
    azure.sim.publish(name, replicating=["westeurope", "northeurope"])
    assert azure.ask("GET", name).json()["properties"]["provisioningState"] == "Creating"
    azure.sim.publish(name, regions=["westeurope", "northeurope"], replicating=[])
    status = azure.ask("GET", f"{name}?$expand=ReplicationStatus").json()["properties"]["replicationStatus"]
    assert status["aggregatedState"] == "Completed"


@pytest.mark.parametrize(
    "definition, unique",
    [
        pytest.param(SHARED, "/SharedGalleries/gal-1/Images/base", id="a shared gallery"),
        pytest.param(COMMUNITY, "/CommunityGalleries/pub-1/Images/base", id="a community gallery"),
    ],
)
def test_a_gallery_that_is_shared_shows_what_is_in_the_region(
    start: Start, definition: str, unique: str
) -> None:
    details = [
        {"image": f"{definition}/versions/1.0.0", "excludeFromLatest": True},
        {"image": f"{definition}/versions/1.1.0", "regions": ["northeurope"]},
    ]
    azure = start(top={"images": {"details": details}}, image="a:b:c:1")
    (one,) = azure.ask("GET", f"{PLACE}{definition}/versions").json()["value"]
    assert one == azure.ask("GET", f"{PLACE}{definition}/versions/1.0.0").json()
    assert (one["name"], one["location"]) == ("1.0.0", "westeurope")
    assert one["identifier"]["uniqueId"] == f"{unique}/Versions/1.0.0"
    assert one["properties"]["excludeFromLatest"] is True
    assert azure.ask("GET", f"{PLACE}{definition}/versions/1.1.0").status == 404


def test_a_shared_gallery_through_the_sdk(start: Start) -> None:
    azure = start(image=f"{SHARED}/versions/1.0.0")
    azure.sim.publish(f"{COMMUNITY}/versions/2.0.0")
    shared = azure.client.shared_gallery_image_versions.get("westeurope", "gal-1", "base", "1.0.0")
    public = azure.client.community_gallery_image_versions.get("westeurope", "pub-1", "base", "2.0.0")
    assert (shared.location, public.name) == ("westeurope", "2.0.0")


def test_a_managed_image_is_in_one_region(start: Start) -> None:
    azure = start(
        top={"images": {"details": [{"image": MANAGED, "regions": ["northeurope"]}]}}, image="a:b:c:1"
    )
    assert azure.client.images.get("shop", "golden").location == "northeurope"
    assert azure.ask("GET", MANAGED + "x").status == 404


NOT_HERE = "is not available in westeurope region. Please contact image owner to replicate to this region, or"


@pytest.mark.parametrize(
    "start_on, image, details, error",
    [
        pytest.param(
            OLD,
            f"{SKU}:{ELSEWHERE}",
            {"regions": ["northeurope"]},
            (
                404,
                "PlatformImageNotFound",
                f"The platform image '{SKU}:{ELSEWHERE}' is not available. Verify",
            ),
            id="a platform image of another region",
        ),
        pytest.param(
            OLD,
            NEW,
            {"deprecation": "Deprecated"},
            (404, "ImageVersionDeprecated", f"The platform image '{NEW}' is deprecated."),
            id="a deprecated platform image",
        ),
        pytest.param(
            f"{GALLERY}/versions/1.0.0",
            f"{GALLERY}/versions/1.1.0",
            {"regions": ["westeurope"], "replicating": ["westeurope"]},
            (404, "GalleryImageNotFound", f'"The gallery image {GALLERY}/versions/1.1.0 {NOT_HERE}'),
            id="a gallery version whose copy is replicating",
        ),
        pytest.param(
            f"{SHARED}/versions/1.0.0",
            f"{SHARED}/versions/1.1.0",
            {"regions": ["northeurope"]},
            (404, "GalleryImageNotFound", f'"The gallery image {SHARED}/versions/1.1.0 {NOT_HERE}'),
            id="a shared gallery's version of another region",
        ),
        pytest.param(
            MANAGED + "-1",
            MANAGED,
            {"regions": ["northeurope"]},
            (404, "ImageNotFound", f"The Image '{MANAGED}' cannot be found in 'westeurope' region."),
            id="a managed image of another region",
        ),
    ],
)
def test_an_unavailable_image_is_rejected(
    start: Start, start_on: str, image: str, details: dict[str, Any], error: tuple[int, str, str]
) -> None:
    azure = start(top={"images": images_with({"image": image, **details})}, image=start_on)
    status, code, message = rejection_of(azure, image)
    assert (status, code, message[: len(error[2])]) == error
    assert azure.sim.scale_set("web").image == start_on
    azure.sim.publish(image, regions=["westeurope"], deprecation="Active", replicating=[])
    azure.sim.scale_set("web").set_image(image)
    assert azure.sim.scale_set("web").image == image


def test_a_set_on_a_deprecated_image_keeps_running_and_cannot_scale_out(azure: Azure) -> None:
    azure.sim.publish(OLD, deprecation="Deprecated")
    azure.patch({"tags": {"team": "web"}})
    grown = azure.ask("PATCH", "", json.dumps({"sku": {"capacity": 21}}).encode())
    assert (grown.status, grown.json()["error"]["code"]) == (404, "ImageVersionDeprecated")
    azure.patch({"sku": {"capacity": 19}})
    assert (azure.sim.scale_set("web").capacity, len(azure.sim.scale_set("web").instances)) == (19, 19)


def test_latest_is_the_newest_version_in_the_region_of_the_scale_set(start: Start) -> None:
    azure = start(
        {"name": "far", "location": "northeurope", "image": f"{SKU}:latest"},
        top={"images": images_with({"image": f"{SKU}:{ELSEWHERE}", "regions": ["northeurope"]})},
        image=f"{SKU}:latest",
    )
    assert azure.sim.scale_set("web").image == BAD
    assert azure.sim.scale_set("far").image == f"{SKU}:{ELSEWHERE}"


def test_latest_skips_excluded_versions_and_compares_numbers(start: Start) -> None:
    azure = start(
        top={
            "images": {
                "ids": [f"{GALLERY}/versions/{version}" for version in ("1.9.0", "1.10.0", "1.11.0")],
                "details": [{"image": f"{GALLERY}/versions/1.11.0", "excludeFromLatest": True}],
            }
        },
        image=GALLERY,
    )
    assert azure.sim.scale_set("web").image == f"{GALLERY}/versions/1.10.0"


LATER = f"{SKU}:{ELSEWHERE}"


def test_a_new_version_changes_no_flag_and_upgrades_no_instance(start: Start) -> None:
    azure = start(image=f"{SKU}:latest")
    azure.sim.publish(LATER)
    azure.patch({"tags": {"team": "web"}})
    live = azure.sim.scale_set("web")
    assert all(instance.is_current for instance in live.instances)
    answer = azure.ask("POST", "manualupgrade", b'{"instanceIds": ["*"]}')
    assert (answer.status, answer.headers["x-ms-request-charge"]) == (202, "0")
    azure.wait(600)
    assert set(azure.sim.record.images("web").values()) == {BAD}


def test_new_reimaged_and_upgraded_instances_get_a_new_version(start: Start) -> None:
    azure = start(image=f"{SKU}:latest")
    azure.sim.publish(LATER)
    live = azure.sim.scale_set("web")
    live.scale_to(21)
    azure.wait(100)
    azure.ask("POST", "virtualMachines/3/reimage")
    azure.wait(200)
    live.add_extension("Monitor", "Contoso", "Agent")
    azure.wait(60)
    azure.upgrade("5").result()
    newer = {name for name, image in azure.sim.record.images("web").items() if image == LATER}
    assert newer == {"20", "3", "5"}
    azure.sim.publish(f"{SKU}:24.04.202605010")
    azure.upgrade("7").result()
    assert azure.sim.record.images("web")["7"].endswith("24.04.202605010")
    assert [live.instance(name).is_current for name in ("20", "3", "5", "6")] == [False, False, True, False]


def test_a_reimage_may_name_the_version(start: Start) -> None:
    azure = start(image=f"{SKU}:latest")
    body = json.dumps({"exactVersion": "24.04.202601010"}).encode()
    azure.ask("POST", "virtualMachines/3/reimage", body)
    rejection = azure.ask("POST", "reimage", b'{"instanceIds": ["4"], "exactVersion": "1"}')
    azure.wait(200)
    reference = azure.ask("GET", "virtualMachines/3").json()["properties"]["storageProfile"]["imageReference"]
    assert (reference["version"], reference["exactVersion"]) == ("latest", "24.04.202601010")
    assert (rejection.status, rejection.json()["error"]["code"]) == (404, "PlatformImageNotFound")
    assert azure.sim.scale_set("web").instance("3").is_current


def test_a_set_on_latest_keeps_running_when_no_version_is_left(start: Start) -> None:
    azure = start(image=f"{SKU}:latest")
    for image in (OLD, NEW, BAD):
        azure.sim.publish(image, deprecation="Deprecated")
    azure.patch({"tags": {"team": "web"}})
    azure.patch({"sku": {"capacity": 19}})
    azure.ask("POST", "virtualMachines/3/reimage")
    azure.wait(200)
    assert set(azure.sim.record.images("web").values()) == {BAD}
    grown = azure.ask("PATCH", "", json.dumps({"sku": {"capacity": 21}}).encode())
    assert (grown.status, grown.json()["error"]["code"]) == (404, "PlatformImageNotFound")


def test_writing_a_definition_again_makes_instances_out_of_date(start: Start) -> None:
    azure = start(top={"images": {"ids": [f"{GALLERY}/versions/1.0.0"]}}, image=GALLERY)
    live = azure.sim.scale_set("web")
    azure.sim.publish(f"{GALLERY}/versions/1.1.0")
    assert live.instance("0").is_current
    live.set_image(GALLERY)
    assert not live.instance("0").is_current


@pytest.mark.parametrize(
    "details, message",
    [
        pytest.param(
            {"image": OLD, "excludeFromLatest": True},
            f"images.details[0].excludeFromLatest applies only to a version in a gallery, unlike {OLD}: remove this field",
            id="a platform image that is excluded",
        ),
        pytest.param(
            {"image": MANAGED, "deprecation": "Deprecated"},
            f"images.details[0].deprecation applies only to a platform image, unlike {MANAGED}: remove this field",
            id="a managed image that is deprecated",
        ),
        pytest.param(
            {"image": OLD, "deprecation": "deprecated"},
            "images.details[0].deprecation 'deprecated' is not a valid value: did you mean Deprecated?",
            id="an unknown deprecation state",
        ),
        pytest.param(
            {"image": GALLERY, "excludeFromLatest": "no"},
            "images.details[0].excludeFromLatest 'no' is not a boolean: write true or false",
            id="an exclusion that is not a boolean",
        ),
        pytest.param(
            {"regions": []}, "images.details[0] has no image: add `image: ", id="details without an image"
        ),
    ],
)
def test_invalid_details_are_an_error(details: dict[str, Any], message: str) -> None:
    with pytest.raises(FleetError) as caught:
        Simulator.load({"images": {"details": [details]}}, VirtualClock())
    assert message in str(caught.value)


@pytest.mark.parametrize(
    "kind, old, new, path",
    [
        pytest.param("platform", OLD, NEW, f"{VERSIONS}/{NEW.rpartition(':')[2]}", id="a platform image"),
        pytest.param(
            "gallery", f"{GALLERY}/versions/1.0.0", f"{GALLERY}/versions/1.1.0", f"{GALLERY}/versions/1.1.0",
            id="a gallery image",
        ),
        pytest.param("managed", MANAGED, f"{MANAGED}2", f"{MANAGED}2", id="a managed image"),
    ],
)  # fmt: skip
def test_a_deleted_image_is_unavailable_except_to_instances_that_run_it(
    start: Start, kind: str, old: str, new: str, path: str
) -> None:
    azure = start(top={"images": {"details": [{"image": old}, {"image": new}]}}, image=old, capacity=2)
    assert azure.ask("GET", path).status == 200
    azure.patch({"properties": {"virtualMachineProfile": {"storageProfile": storage_of(new)}}})
    azure.upgrade("0").result()
    azure.sim.withdraw(new)
    assert azure.ask("GET", path).status == 404, kind
    assert azure.sim.scale_set("web").instance("0").image == new
    scaled = azure.ask("PATCH", "", b'{"sku": {"name": "Standard_D2s_v5", "capacity": 3}}')
    assert (scaled.status, "mageNotFound" in scaled.json()["error"]["code"]) == (404, True)
    azure.patch({"properties": {"virtualMachineProfile": {"storageProfile": storage_of(old)}}})
    assert rejection_of(azure, new)[0] == 404
    azure.sim.publish(new)
    assert azure.ask("GET", path).status == 200


def test_a_deleted_platform_image_is_in_no_list(azure: Azure) -> None:
    azure.sim.withdraw(NEW)
    versions = [row["name"] for row in azure.ask("GET", VERSIONS).json()]
    assert versions == [OLD.rpartition(":")[2], BAD.rpartition(":")[2]]


def test_latest_never_resolves_to_a_deleted_version(start: Start) -> None:
    azure = start(top={"images": {"ids": [f"{GALLERY}/versions/1.{n}.0" for n in (0, 1)]}}, image=GALLERY)
    azure.sim.withdraw(f"{GALLERY}/versions/1.1.0")
    assert [row["name"] for row in azure.ask("GET", f"{GALLERY}/versions").json()["value"]] == ["1.0.0"]
    azure.patch({"properties": {"virtualMachineProfile": {"storageProfile": storage_of(GALLERY)}}})
    assert azure.sim.scale_set("web").image == f"{GALLERY}/versions/1.0.0"


def test_an_image_may_be_deprecated_during_a_run(azure: Azure) -> None:
    azure.sim.publish(NEW, deprecation="Deprecated")
    assert rejection_of(azure, NEW)[:2] == (404, "ImageVersionDeprecated")
