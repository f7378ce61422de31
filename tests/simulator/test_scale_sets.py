"""Scale sets over the wire: read, listed, changed and rejected as in recorded traffic."""

from __future__ import annotations

import json
from typing import Any

import pytest
from azure.core import MatchConditions
from azure.core.exceptions import (
    HttpResponseError,
    ResourceExistsError,
    ResourceModifiedError,
    ResourceNotFoundError,
)

from reconciler.simulator import SUBSCRIPTION
from tests.simulator.azure import GROUP, NEW, OLD, SET, Azure, Start

GALLERY = f"{GROUP}/providers/Microsoft.Compute/galleries/g/images/base"
MANAGED = f"{GROUP}/providers/Microsoft.Compute/images/base"
VHDS = [f"https://acct.blob.core.windows.net/vhds/base-{n}.vhd" for n in (1, 2)]
PLATFORM = {
    "publisher": "Canonical",
    "offer": "ubuntu-24_04-lts",
    "sku": "server",
    "version": "24.04.202602010",
}


def storage(profile: dict[str, Any]) -> bytes:
    return json.dumps({"properties": {"virtualMachineProfile": {"storageProfile": profile}}}).encode()


def reference(**fields: str | None) -> bytes:
    return storage({"imageReference": fields})


def test_a_scale_set_reads_as_recorded(azure: Azure) -> None:
    answer = azure.ask("GET", "")
    body = answer.json()
    assert list(body) == ["name", "id", "type", "location", "tags", "sku", "etag", "properties"]
    assert body["sku"] == {"name": "Standard_D2s_v5", "tier": "Standard", "capacity": 20}
    assert body["properties"]["provisioningState"] == "Succeeded"
    assert body["properties"]["platformFaultDomainCount"] == 5
    image = body["properties"]["virtualMachineProfile"]["storageProfile"]["imageReference"]
    assert image == {**PLATFORM, "version": OLD.rpartition(":")[2]}, "no exactVersion on the model"
    assert answer.headers["ETag"] == body["etag"] == '"1"'
    assert answer.body.startswith(b'{\r\n  "name"'), "the compute provider indents with CRLF"


@pytest.mark.parametrize(
    "version, has_etag", [("2023-07-01", False), ("2023-09-01", True), ("2026-04-01", True)]
)
def test_etags_exist_since_2023_09_01(azure: Azure, version: str, has_etag: bool) -> None:
    answer = azure.ask("GET", "", version=version)
    assert ("etag" in answer.json(), "ETag" in answer.headers) == (has_etag, has_etag)


def test_paths_match_in_any_casing(azure: Azure) -> None:
    path = SET.lower().replace("resourcegroups", "RESOURCEGROUPS").replace("shop", "ShoP")
    assert azure.ask("GET", path).json()["id"] == SET


def test_a_patch_returns_200_with_the_new_model_and_an_address(azure: Azure) -> None:
    answer = azure.ask("PATCH", "", reference(version="24.04.202602010"))
    assert answer.status == 200
    assert answer.json()["properties"]["provisioningState"] == "Updating"
    image = answer.json()["properties"]["virtualMachineProfile"]["storageProfile"]["imageReference"]
    assert image == PLATFORM
    assert answer.headers["ETag"] == '"2"'
    assert answer.headers["Azure-AsyncOperation"].startswith(
        f"https://arm.test/subscriptions/{SUBSCRIPTION}/"
    )
    assert "Location" not in answer.headers


def test_a_patched_image_reaches_no_instance_by_itself(azure: Azure) -> None:
    azure.patch_image(NEW)
    azure.wait(600)
    assert set(azure.sim.record.images("web").values()) == {OLD}
    assert not any(instance.is_current for instance in azure.sim.scale_set("web").instances)


@pytest.mark.parametrize(
    "image, patch, after",
    [
        pytest.param(OLD, reference(version="24.04.202602010"), NEW, id="the version of a platform image"),
        pytest.param(OLD, reference(version="latest"), "24.04.202603010", id="latest of a platform image"),
        pytest.param(
            f"{GALLERY}/versions/1.0.0",
            reference(id=f"{GALLERY}/versions/1.10.0"),
            "1.10.0",
            id="another version of a gallery image",
        ),
        pytest.param(
            f"{GALLERY}/versions/1.0.0",
            reference(id=GALLERY),
            "1.10.0",
            id="the definition of a gallery image resolves to its highest version",
        ),
        pytest.param(MANAGED, reference(id=f"{MANAGED}2"), "base2", id="another managed image"),
        pytest.param(VHDS[0], storage({"osDisk": {"image": {"uri": VHDS[1]}}}), VHDS[1], id="another VHD"),
    ],
)
def test_an_image_can_be_changed_within_its_kind(start: Start, image: str, patch: bytes, after: str) -> None:
    azure = start(image=image)
    for name in (*(f"{GALLERY}/versions/{version}" for version in ("1.10.0", "1.9.0")), f"{MANAGED}2", *VHDS):
        azure.sim.publish(name)
    assert azure.ask("PATCH", "", patch).status == 200
    assert azure.sim.scale_set("web").image.endswith(after)


@pytest.mark.parametrize(
    "image, patch, refusal, words",
    [
        pytest.param(
            OLD,
            reference(id=MANAGED),
            (409, "OperationNotAllowed"),
            "Image type",
            id="platform to managed image",
        ),
        pytest.param(
            MANAGED,
            reference(**PLATFORM),
            (409, "OperationNotAllowed"),
            "Image type",
            id="managed to platform image",
        ),
        pytest.param(
            OLD,
            reference(publisher="Debian", offer="debian-12", sku="12", version="1"),
            (409, "PropertyChangeNotAllowed"),
            "imageReference.publisher",
            id="a platform image of another publisher",
        ),
        pytest.param(
            OLD,
            reference(version="9.9.9"),
            (404, "PlatformImageNotFound"),
            "server:9.9.9",
            id="an unknown platform image version",
        ),
        pytest.param(
            f"{GALLERY}/versions/1.0.0",
            reference(id=f"{GALLERY}/versions/9.9.9"),
            (404, "GalleryImageNotFound"),
            "9.9.9",
            id="an unknown gallery image version",
        ),
        pytest.param(
            OLD,
            storage({"imageReference": None}),
            (400, "InvalidParameter"),
            "missing (null)",
            id="a model without an image",
        ),
        pytest.param(OLD, b"{", (400, "InvalidRequestContent"), "deserialized", id="a body that is not JSON"),
    ],
)
def test_a_patch_is_rejected(
    start: Start, image: str, patch: bytes, refusal: tuple[int, str], words: str
) -> None:
    azure = start(image=image)
    answer = azure.ask("PATCH", "", patch)
    error = answer.json()["error"]
    assert (answer.status, error["code"]) == refusal
    assert words in error["message"]
    assert azure.sim.scale_set("web").image == image
    assert azure.sim.scale_set("web").etag == '"1"'


def test_a_pinned_version_is_rejected_while_automatic_os_upgrade_is_on(start: Start) -> None:
    azure = start(image=OLD.rpartition(":")[0] + ":latest", automaticOSUpgrade=True)
    error = azure.ask("PATCH", "", reference(version="24.04.202602010")).json()["error"]
    assert (error["code"], error["target"]) == ("InvalidParameter", "imageReference.version")


def test_a_patch_with_an_old_etag_is_412(azure: Azure) -> None:
    sets = azure.client.virtual_machine_scale_sets
    seen = sets.get("shop", "web")
    azure.sim.scale_set("web").bump_etag()
    with pytest.raises(ResourceModifiedError) as caught:
        azure.patch({"tags": {"a": "b"}}, etag=seen.etag, match_condition=MatchConditions.IfNotModified)
    assert caught.value.error is not None
    assert (
        caught.value.error.message
        == 'Etag provided in if-match header "1" does not match etag "2" of resource.'
    )
    fresh = sets.get("shop", "web")
    azure.patch({"tags": {"a": "b"}}, etag=fresh.etag, match_condition=MatchConditions.IfNotModified)
    assert azure.sim.scale_set("web").tags == {"a": "b"}


def test_tags_merge_and_null_removes(start: Start) -> None:
    azure = start(tags={"keep": "1", "go": "2"})
    azure.ask("PATCH", "", json.dumps({"tags": {"go": None, "new": "3"}}).encode())
    assert azure.sim.scale_set("web").tags == {"keep": "1", "new": "3"}
    assert all(instance.is_current for instance in azure.sim.scale_set("web").instances), (
        "tags are not part of the model"
    )


def test_a_write_that_changes_nothing_keeps_the_etag(azure: Azure) -> None:
    answer = azure.ask("PATCH", "", reference(version=OLD.rpartition(":")[2]))
    assert (answer.status, answer.headers["ETag"]) == (200, '"1"')


def test_a_put_without_an_image_keeps_the_image(azure: Azure) -> None:
    body = {"location": "westeurope", "tags": {"foo": "bar"}, "properties": {"virtualMachineProfile": {}}}
    answer = azure.ask("PUT", "", json.dumps(body).encode())
    assert answer.headers["ETag"] == '"2"'
    assert azure.sim.scale_set("web").image == OLD


def test_a_put_of_a_bare_version_keeps_the_rest_of_the_image(azure: Azure) -> None:
    answer = azure.ask("PUT", "", reference(version="24.04.202602010"))
    assert answer.status == 200
    assert azure.sim.scale_set("web").image == NEW


def test_a_put_creates_a_scale_set_that_was_not_there(azure: Azure) -> None:
    profile = {"storageProfile": {"imageReference": PLATFORM}}
    body = {
        "location": "westeurope",
        "sku": {"name": "Standard_D2s_v5", "capacity": 2},
        "properties": {
            "virtualMachineProfile": profile,
            "upgradePolicy": {"mode": "Manual"},
            "overprovision": False,
        },
    }
    answer = azure.ask("PUT", SET[:-3] + "api", json.dumps(body).encode())
    assert (answer.status, answer.json()["properties"]["provisioningState"]) == (201, "Creating")
    azure.wait(60)
    assert azure.sim.scale_set("api").provisioning_state == "Succeeded"
    assert azure.sim.record.images("api") == {"0": NEW, "1": NEW}


def test_a_new_scale_set_overprovisions_by_default(azure: Azure) -> None:
    body = {
        "location": "westeurope",
        "sku": {"name": "Standard_D2s_v5", "capacity": 2},
        "properties": {"virtualMachineProfile": {"storageProfile": {"imageReference": PLATFORM}}},
    }
    answer = azure.ask("PUT", SET[:-3] + "api", json.dumps(body).encode())
    assert answer.json()["properties"]["overprovision"] is True
    assert len(azure.sim.scale_set("api").instances) > 2
    azure.wait(120)
    assert len(azure.sim.scale_set("api").instances) == 2


def test_scaling_out_gives_new_instances_the_current_model(azure: Azure) -> None:
    azure.patch_image(NEW)
    azure.sim.scale_set("web").scale_to(22)
    azure.wait(120)
    images = azure.sim.record.images("web")
    assert (images["19"], images["20"], images["21"]) == (OLD, NEW, NEW)
    assert azure.sim.scale_set("web").instance("20").is_current


def test_scaling_in_keeps_protected_instances(start: Start) -> None:
    azure = start(protected=["19"])
    azure.sim.scale_set("web").scale_to(18)
    azure.wait(120)
    left = [instance.id for instance in azure.sim.scale_set("web").instances]
    assert len(left) == 18
    assert "19" in left


def test_a_later_patch_preempts_an_earlier_one(azure: Azure) -> None:
    first = azure.ask("PATCH", "", reference(version="24.04.202602010"))
    azure.ask("PATCH", "", reference(version="24.04.202603010"))
    operation = azure.ask(
        "GET", first.headers["Azure-AsyncOperation"].removeprefix("https://arm.test")
    ).json()
    assert (operation["status"], operation["error"]["code"]) == ("Failed", "OperationPreempted")
    azure.wait(30)
    assert azure.sim.scale_set("web").provisioning_state == "Succeeded"


def test_an_extension_by_policy_makes_instances_out_of_date_and_keeps_them_running(azure: Azure) -> None:
    live = azure.sim.scale_set("web")
    live.add_extension("Audit", "Microsoft.Azure.Security", "AuditAgent")
    assert not any(instance.is_current for instance in live.instances)
    azure.upgrade("*").result()
    assert all(instance.is_current for instance in live.instances)
    assert azure.sim.record.absences("web") == ()


def test_a_scale_set_being_deleted_rejects_changes_and_then_is_gone(azure: Azure) -> None:
    azure.client.virtual_machine_scale_sets.begin_delete("shop", "web", polling=False)
    with pytest.raises(ResourceExistsError, match="marked for deletion"):
        azure.patch({"tags": {}})
    assert azure.sim.scale_set("web").provisioning_state == "Deleting"
    azure.wait(60)
    with pytest.raises(ResourceNotFoundError):
        azure.client.virtual_machine_scale_sets.get("shop", "web")
    assert azure.ask("DELETE", "").status == 204


@pytest.mark.parametrize("size, pages", [(2, 3), (5, 1), (50, 1)])
def test_lists_are_paged_with_links_to_the_next_page(start: Start, size: int, pages: int) -> None:
    azure = start({"name": "w", "resourceGroup": "Other", "image": OLD, "count": 4}, top={"page": size})
    listed = list(azure.client.virtual_machine_scale_sets.list_all())
    assert [each.name for each in listed] == ["web", "w-0000", "w-0001", "w-0002", "w-0003"]
    asked = [
        exchange
        for exchange in azure.sim.record.requests
        if exchange.operation == "VirtualMachineScaleSets_ListAll"
    ]
    assert len(asked) == pages


def test_only_a_subscription_list_has_the_resource_group_in_upper_case(azure: Azure) -> None:
    sets = azure.client.virtual_machine_scale_sets
    assert "/resourceGroups/SHOP/" in str(next(iter(sets.list_all())).id)
    assert "/resourceGroups/shop/" in str(next(iter(sets.list("shop"))).id)


@pytest.mark.parametrize(
    "path, status, code, by_gateway",
    [
        pytest.param(SET + "x", 404, "ResourceNotFound", True, id="a missing scale set"),
        pytest.param(
            SET.replace("/shop/", "/x/"), 404, "ResourceGroupNotFound", True, id="a missing resource group"
        ),
        pytest.param(
            "/subscriptions/x/resourceGroups/y",
            404,
            "SubscriptionNotFound",
            True,
            id="a missing subscription",
        ),
        pytest.param(
            SET + "x/virtualMachines",
            404,
            "ParentResourceNotFound",
            True,
            id="instances of a missing scale set",
        ),
        pytest.param(SET + "/virtualMachines/99", 404, "NotFound", False, id="a missing instance"),
        pytest.param(
            SET + "/virtualMachines/0x",
            400,
            "InvalidParameter",
            False,
            id="an instance id that is not a number",
        ),
        pytest.param(SET + "/nonsense", 404, "InvalidResourceType", True, id="an unknown resource type"),
    ],
)
def test_a_missing_resource_is_404(azure: Azure, path: str, status: int, code: str, by_gateway: bool) -> None:
    answer = azure.ask("GET", path)
    assert (answer.status, answer.json()["error"]["code"]) == (status, code)
    assert (answer.headers.get("x-ms-failure-cause") == "gateway") == by_gateway
    assert (b"\r\n" in answer.body) != by_gateway, "the gateway is compact, compute is not"


def test_a_request_needs_a_version_and_a_token(azure: Azure) -> None:
    no_token = azure.ask("GET", "", headers={"Authorization": ""})
    assert (no_token.status, no_token.json()["error"]["code"]) == (401, "AuthenticationFailed")
    assert no_token.headers["WWW-Authenticate"].startswith("Bearer authorization_uri=")
    no_version = azure.ask("GET", "", version="")
    assert (no_version.status, no_version.json()["error"]["code"]) == (400, "MissingApiVersionParameter")


def test_the_sdk_raises_its_own_error_for_a_404(azure: Azure) -> None:
    with pytest.raises(HttpResponseError) as caught:
        azure.patch_image(OLD.rpartition(":")[0] + ":9.9.9")
    assert caught.value.error is not None
    assert caught.value.error.code == "PlatformImageNotFound"
