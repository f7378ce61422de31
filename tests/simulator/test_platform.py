"""Resources around scale sets: tenants, subscriptions, regions, providers, sizes, publishers, endpoints."""

from __future__ import annotations

from typing import Any

import pytest

from reconciler.simulator import Request
from reconciler.simulator.tokens import TENANT
from tests.simulator.azure import GROUP, NEW, OLD, SET, Azure, Start

SUBSCRIPTION = GROUP.partition("/resourceGroups")[0]
LOCATION = f"{SUBSCRIPTION}/providers/Microsoft.Compute/locations/westeurope"
CANONICAL = f"{LOCATION}/publishers/Canonical/artifacttypes/vmimage/offers"
SHOUTED = f"{SUBSCRIPTION.replace('subscriptions', 'Subscriptions')}/Providers/Microsoft.Compute/Locations/westeurope"


def names(azure: Azure, path: str) -> list[str]:
    body: Any = azure.ask("GET", path).json()
    return [each["name"] for each in (body["value"] if isinstance(body, dict) else body)]


@pytest.mark.parametrize(
    "path, expected",
    [
        pytest.param(f"{SUBSCRIPTION}/locations", ["eastus2", "westeurope"], id="the regions of the fleet"),
        pytest.param(
            f"{SUBSCRIPTION}/resourcegroups", ["shop", "far"], id="the resource groups of the fleet"
        ),
        pytest.param(f"{LOCATION}/publishers", ["Canonical", "Debian"], id="the publishers of a region"),
        pytest.param(CANONICAL, ["ubuntu-24_04-lts"], id="the offers of one publisher"),
        pytest.param(
            f"{CANONICAL.upper()}/UBUNTU-24_04-LTS/SKUS", ["server"], id="the SKUs of an offer, in any casing"
        ),
    ],
)
def test_directory_lists_have_entries(start: Start, path: str, expected: list[str]) -> None:
    far = {"name": "far", "resourceGroup": "far", "location": "eastus2", "image": "Debian:debian-13:13:1.0.0"}
    assert names(start(far), path) == expected


def test_a_region_has_a_display_name(azure: Azure) -> None:
    (place,) = azure.ask("GET", f"{SUBSCRIPTION}/locations").json()["value"]
    assert (place["name"], place["displayName"]) == ("westeurope", "West Europe")


def test_there_is_one_tenant(azure: Azure) -> None:
    assert [each["tenantId"] for each in azure.ask("GET", "/tenants").json()["value"]] == [TENANT]
    assert [each["tenantId"] for each in azure.ask("GET", "/subscriptions").json()["value"]] == [TENANT]


def test_publishers_offers_and_skus_are_bare_arrays_with_upper_case_ids(azure: Azure) -> None:
    assert azure.ask("GET", f"{CANONICAL}/ubuntu-24_04-lts/skus").json() == [
        {
            "location": "westeurope",
            "name": "server",
            "id": f"{SHOUTED}/Publishers/Canonical/ArtifactTypes/VMImage/Offers/ubuntu-24_04-lts/Skus/server",
        }
    ]
    assert azure.ask("GET", f"{LOCATION}/publishers").json()[0]["id"] == f"{SHOUTED}/Publishers/Canonical"


@pytest.mark.parametrize(
    "path",
    [
        pytest.param(f"{LOCATION}/publishers/Contoso/artifacttypes/vmimage/offers", id="a publisher"),
        pytest.param(f"{CANONICAL}/x/skus", id="an offer"),
    ],
)
def test_an_unknown_publisher_or_offer_is_404(azure: Azure, path: str) -> None:
    assert azure.ask("GET", path).status == 404


@pytest.mark.parametrize("expand", ["properties", "properties/imageDeprecationStatus"])
def test_versions_can_be_listed_with_their_properties(azure: Azure, expand: str) -> None:
    path = f"{CANONICAL}/ubuntu-24_04-lts/skus/server/versions"
    rows = azure.ask("GET", f"{path}?$expand={expand}").json()
    assert {OLD.rpartition(":")[2], NEW.rpartition(":")[2]} <= {row["name"] for row in rows}
    assert {row["properties"]["imageDeprecationStatus"]["imageState"] for row in rows} == {"Active"}
    assert not any("properties" in row for row in azure.ask("GET", path).json())


def test_providers_are_registered(azure: Azure) -> None:
    listed = azure.ask("GET", f"{SUBSCRIPTION}/providers").json()["value"]
    assert {each["registrationState"] for each in listed} == {"Registered"}
    one = azure.ask("GET", f"{SUBSCRIPTION}/providers/microsoft.compute").json()
    assert one == next(each for each in listed if each["namespace"] == "Microsoft.Compute")
    assert one == azure.ask("POST", f"{SUBSCRIPTION}/providers/Microsoft.Compute/register").json()
    kinds = {kind["resourceType"]: kind for kind in one["resourceTypes"]}
    assert kinds["virtualMachineScaleSets"]["locations"] == ["West Europe"]
    refused = azure.ask("GET", f"{SUBSCRIPTION}/providers/Microsoft.Banana")
    assert (refused.status, refused.json()["error"]["code"]) == (404, "InvalidResourceNamespace")


def test_the_skus_of_a_scale_set_include_its_own_size(start: Start) -> None:
    rows = start(skuName="Standard_M8ms").ask("GET", "skus").json()["value"]
    assert {"Standard_M8ms", "Standard_D2s_v5"} <= {row["sku"]["name"] for row in rows}
    assert {row["resourceType"] for row in rows} == {"Microsoft.Compute/virtualMachineScaleSets"}
    capacity = {"minimum": 0, "maximum": 100, "defaultCapacity": 1, "scaleType": "Automatic"}
    assert rows[0]["capacity"] == capacity


def test_sizes_are_in_megabytes(azure: Azure) -> None:
    sizes = {row["name"]: row for row in azure.ask("GET", f"{LOCATION}/vmSizes").json()["value"]}
    assert (sizes["Standard_DS1_v2"]["numberOfCores"], sizes["Standard_DS1_v2"]["memoryInMB"]) == (1, 3584)


def test_the_endpoints_are_an_object_and_were_a_list_before(azure: Azure) -> None:
    def endpoints(version: str) -> Any:
        return azure.sim.handle(
            Request("GET", f"https://arm.test/metadata/endpoints?api-version={version}")
        ).json()

    now = endpoints("2022-09-01")
    assert endpoints("2019-05-01") == [now]
    assert (now["resourceManager"], now["authentication"]["loginEndpoint"]) == ("https://arm.test",) * 2
    assert (now["authentication"]["tenant"], now["authentication"]["audiences"]) == (
        TENANT,
        ["https://management.azure.com/"],
    )


@pytest.mark.parametrize(
    "path",
    ["locations", "resourcegroups", "providers", "providers/Microsoft.Compute/locations/westeurope/vmSizes"],
)
def test_another_subscription_is_not_found(azure: Azure, path: str) -> None:
    response = azure.ask("GET", f"/subscriptions/00000000-0000-0000-0000-000000000000/{path}")
    assert (response.status, response.json()["error"]["code"]) == (404, "SubscriptionNotFound")


def test_the_skus_of_a_missing_scale_set_are_404(azure: Azure) -> None:
    assert azure.ask("GET", f"{SET}-of-old/skus").status == 404
