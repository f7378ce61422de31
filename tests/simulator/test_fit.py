"""Images that are not compatible with a scale set: what the catalogue shows, and how Azure rejects them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from reconciler.simulator import SUBSCRIPTION as HOME
from reconciler.simulator.catalogue import storage_of
from tests.simulator.azure import GROUP, NEW, OLD, Azure, Start, fleet

GALLERY = f"{GROUP}/providers/Microsoft.Compute/galleries/g/images/base"
PLAN = {"publisher": "contoso", "product": "server", "name": "basic"}


def images(**details: Any) -> dict[str, Any]:
    return {"images": {**fleet()["images"], "details": [{"image": NEW, **details}]}}


def patch(azure: Azure, image: str = NEW, **options: Any) -> Any:
    change = {"properties": {"virtualMachineProfile": {"storageProfile": storage_of(image)}}}
    return azure.ask("PATCH", "", json.dumps(change).encode(), **options)


@pytest.mark.parametrize(
    "details, web, code, words",
    [
        pytest.param({"diskSizeGB": 64}, {}, "409 OperationNotAllowed", "30 GB is smaller", id="the OS disk size"),
        pytest.param(
            {"securityType": "TrustedLaunch"},
            {},
            "400 BadRequest",
            "only supports creation of VMs and VM Scale Sets with 'TrustedLaunch'",
            id="an image for trusted launch only",
        ),
        pytest.param(
            {"securityType": "Standard"},
            {"securityType": "TrustedLaunch"},
            "400 BadRequest",
            "Use of TrustedLaunch setting is not supported",
            id="an image without trusted launch",
        ),
        pytest.param(
            {"hyperVGeneration": "V1"},
            {"securityType": "TrustedLaunch"},
            "400 BadRequest",
            "Use of TrustedLaunch setting is not supported",
            id="generation 1 without trusted launch",
        ),
        pytest.param(
            {}, {"skuName": "Standard_D2_v3"}, "400 BadRequest", "cannot boot Hypervisor Generation '2'",
            id="generation 2 on a size for generation 1",
        ),
        pytest.param(
            {"hyperVGeneration": "V1"}, {"skuName": "Standard_D2s_v6"}, "400 BadRequest",
            "cannot boot Hypervisor Generation '1'", id="generation 1 on a size for generation 2",
        ),
        pytest.param(
            {"architecture": "Arm64"}, {}, "400 BadRequest", "only supports a CPU Architecture of 'x64'",
            id="Arm64 on an x64 size",
        ),
        pytest.param(
            {}, {"skuName": "Standard_D2ps_v5"}, "400 BadRequest", "only supports a CPU Architecture of 'Arm64'",
            id="x64 on an Arm64 size",
        ),
        pytest.param(
            {"plan": PLAN}, {}, "400 VMMarketplaceInvalidInput", "requires Plan information", id="a missing purchase plan"
        ),
        pytest.param(
            {"plan": PLAN}, {"plan": {**PLAN, "name": "gold"}}, "400 VMMarketplaceInvalidInput",
            "requires Plan information", id="a different purchase plan",
        ),
    ],
)  # fmt: skip
def test_an_image_that_does_not_fit_is_rejected(
    start: Start, details: dict[str, Any], web: dict[str, Any], code: str, words: str
) -> None:
    azure = start(top=images(**details), **web)
    answer = patch(azure)
    error = answer.json()["error"]
    assert f"{answer.status} {error['code']}" == code
    assert words in error["message"]
    assert azure.sim.scale_set("web").image == OLD


@pytest.mark.parametrize(
    "details, web",
    [
        pytest.param({"diskSizeGB": 64}, {"diskSizeGB": 64}, id="the OS disk size"),
        pytest.param(
            {"securityType": "TrustedLaunch"},
            {"securityType": "TrustedLaunch"},
            id="an image with trusted launch",
        ),
        pytest.param(
            {"hyperVGeneration": "V1"},
            {"skuName": "Standard_D2_v3"},
            id="generation 1 on a size for generation 1",
        ),
        pytest.param({"architecture": "Arm64"}, {"skuName": "Standard_D2ps_v5"}, id="Arm64 on an Arm64 size"),
        pytest.param({"plan": PLAN}, {"plan": PLAN}, id="a purchase plan"),
        pytest.param({"hyperVGeneration": "V1"}, {}, id="generation 1 on a size for both generations"),
    ],
)
def test_an_image_that_fits_is_accepted(start: Start, details: dict[str, Any], web: dict[str, Any]) -> None:
    assert patch(start(top=images(**details), **web)).status == 200


NEEDS = {
    "hyperVGeneration": "V1",
    "architecture": "Arm64",
    "diskSizeGB": 64,
    "securityType": "TrustedLaunch",
    "plan": PLAN,
}
FEATURES = [{"name": "SecurityType", "value": "TrustedLaunch"}]


def test_a_platform_image_shows_its_requirements(start: Start) -> None:
    azure = start(top=images(**NEEDS))
    publisher, offer, sku, version = NEW.split(":")
    place = f"/subscriptions/{HOME}/providers/Microsoft.Compute/locations/westeurope/publishers/{publisher}"
    one = azure.ask("GET", f"{place}/artifacttypes/vmimage/offers/{offer}/skus/{sku}/versions/{version}")
    properties = one.json()["properties"]
    assert (properties["hyperVGeneration"], properties["architecture"], properties["plan"]) == (
        "V1",
        "Arm64",
        PLAN,
    )
    # The size of an image of generation 1 is shown in bytes.
    assert properties["osDiskImage"]["sizeInBytes"] // 2**30 == 64
    assert properties["features"][:1] == FEATURES


def test_a_gallery_shows_requirements_of_the_definition_and_the_size_of_the_version(start: Start) -> None:
    newest = {"image": f"{GALLERY}/versions/1.1.0", **NEEDS}
    azure = start(
        top={"images": {"ids": [f"{GALLERY}/versions/1.0.0"], "details": [newest]}}, image="a:b:c:1"
    )
    image = azure.client.gallery_images.get("shop", "g", "base")
    assert image.properties is not None
    properties = image.properties.as_dict()
    assert (properties["hyperVGeneration"], properties["architecture"], properties["purchasePlan"]) == (
        "V1",
        "Arm64",
        PLAN,
    )
    assert properties["features"] == FEATURES
    sizes = [
        azure.ask("GET", f"{GALLERY}/versions/{version}").json()["properties"]["storageProfile"]
        for version in ("1.0.0", "1.1.0")
    ]
    assert [size["osDiskImage"]["sizeInGB"] for size in sizes] == [30, 64]
    assert azure.ask("GET", GALLERY.replace("/base", "/none")).status == 404


@pytest.mark.parametrize("kind", ["sharedGalleries", "communityGalleries"])
def test_a_shared_gallery_shows_requirements_by_region(start: Start, kind: str) -> None:
    details = {"image": f"/{kind}/g-1/images/base/versions/1.0.0", **NEEDS}
    azure = start(top={"images": {"details": [details]}}, image="a:b:c:1")
    place = f"/subscriptions/{HOME}/providers/Microsoft.Compute/locations/westeurope"
    properties = azure.ask("GET", f"{place}/{kind}/g-1/images/base").json()
    assert (properties["name"], properties["properties"]["architecture"]) == ("base", "Arm64")


def test_a_managed_image_shows_its_requirements(start: Start) -> None:
    name = f"{GROUP}/providers/Microsoft.Compute/images/golden"
    details = {"image": name, "hyperVGeneration": "V1", "diskSizeGB": 64}
    properties = (
        start(top={"images": {"details": [details]}}, image="a:b:c:1").ask("GET", name).json()["properties"]
    )
    assert (properties["hyperVGeneration"], properties["storageProfile"]["osDisk"]["diskSizeGB"]) == (
        "V1",
        64,
    )
