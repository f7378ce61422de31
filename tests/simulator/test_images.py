"""The image catalogue, and what else Resource Manager is asked."""

from __future__ import annotations

import pytest

from reconciler.simulator import SUBSCRIPTION
from tests.simulator.azure import GROUP, OLD, Azure, Start

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
        ("$top=1&$orderby=name desc", ["9.0.0"]),
        ("$orderby=name desc", ["9.0.0", "24.04.202603010", "24.04.202602010", "24.04.202601010", "10.0.0"]),
        ("$top=2", ["10.0.0", "24.04.202601010"]),
    ],
)
def test_versions_are_ordered_as_strings(azure: Azure, query: str, names: list[str]) -> None:
    for version in ("9.0.0", "10.0.0"):
        azure.sim.publish(f"{OLD.rpartition(':')[0]}:{version}")
    assert [row["name"] for row in azure.ask("GET", f"{VERSIONS}?{query}").json()] == names


def test_an_unknown_sku_has_no_versions(azure: Azure) -> None:
    assert azure.ask("GET", VERSIONS.replace("/server/", "/desktop/")).json() == []


def test_one_version(azure: Azure) -> None:
    assert azure.ask("GET", f"{VERSIONS}/24.04.202601010").json()["properties"]["architecture"] == "x64"
    assert azure.ask("GET", f"{VERSIONS}/latest").status == 404


def test_gallery_versions(start: Start) -> None:
    azure = start(
        top={"images": {"ids": [f"{GALLERY}/versions/1.0.0", f"{GALLERY}/versions/1.1.0"]}}, image="a:b:c:1"
    )
    found = azure.client.gallery_image_versions.list_by_gallery_image("shop", "g", "base")
    assert [version.name for version in found] == ["1.0.0", "1.1.0"]
    one = azure.client.gallery_image_versions.get("shop", "g", "base", "1.1.0", expand="ReplicationStatus")
    assert one.replication_status is not None
    assert azure.ask("GET", f"{GALLERY}/versions/2.0.0").json()["error"]["code"] == "ResourceNotFound"


def test_subscriptions_and_groups(azure: Azure) -> None:
    listed = azure.ask("GET", "/subscriptions").json()["value"]
    assert [each["subscriptionId"] for each in listed] == [SUBSCRIPTION]
    assert azure.ask("GET", f"/subscriptions/{SUBSCRIPTION}").json()["state"] == "Enabled"
    assert azure.ask("GET", GROUP.replace("shop", "SHOP")).json()["name"] == "shop"


def test_where_a_cloud_is_needs_no_token(azure: Azure) -> None:
    new = azure.ask("GET", "/metadata/endpoints", version="2022-09-01", headers={"Authorization": ""})
    old = azure.ask("GET", "/metadata/endpoints", version="2019-05-01", headers={"Authorization": ""})
    assert new.json()["resourceManager"] == old.json()[0]["resourceManager"] == "https://arm.test"
