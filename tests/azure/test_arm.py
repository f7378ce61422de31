"""Azure's JSON in our words, on bodies of the shapes that Azure sends."""

from datetime import UTC, datetime
from typing import Any

import pytest

from reconciler.azure import arm
from reconciler.azure.failure import MalformedResponse
from reconciler.rollout.observed import HealthSource, Operation
from reconciler.rollout.persisted import PersistedState
from reconciler.spec.image import (
    CommunityGalleryImage,
    GalleryImage,
    Image,
    ManagedImage,
    PlatformImage,
    SharedGalleryImage,
    VhdImage,
)

UBUNTU = {"publisher": "Canonical", "offer": "UbuntuServer", "sku": "18.04-LTS", "version": "18.04.202401161"}
VERSION = (
    "/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/galleries/G/images/web/versions/1.4.0"
)


def scale_set(**properties: Any) -> dict[str, Any]:
    return {
        "id": "/subscriptions/S/resourceGroups/RG/providers/Microsoft.Compute/virtualMachineScaleSets/vmss1",
        "location": "westus",
        "sku": {"name": "Standard_DS1_v2", "tier": "Standard", "capacity": 2},
        "etag": '"4"',
        "properties": {
            "orchestrationMode": "Uniform",
            "upgradePolicy": {"mode": "Manual"},
            "virtualMachineProfile": {"storageProfile": {"imageReference": UBUNTU}},
            "provisioningState": "Succeeded",
        }
        | properties,
    }


@pytest.mark.parametrize("tags", [None, {}, {"team": "web", "vmss-reconciler-state": "v1"}])
def test_a_patch_of_the_model_holds_its_image_and_its_tags(tags: dict[str, str] | None) -> None:
    patch = arm.model_patch(PlatformImage(**UBUNTU), tags)
    assert patch.pop("tags", None) == tags
    assert patch == {"properties": {"virtualMachineProfile": {"storageProfile": {"imageReference": UBUNTU}}}}


def test_the_persisted_state_is_read_from_the_tags() -> None:
    body = scale_set() | {"tags": {"vmss-reconciler-state": "v1;good=C:O:S:1.0.0", "odd": 7}}
    found = arm.model(body)
    assert found.persisted == PersistedState(PlatformImage("C", "O", "S", "1.0.0"))
    assert found.tags == {"vmss-reconciler-state": "v1;good=C:O:S:1.0.0"}


def test_a_token_in_the_address_of_a_vhd_is_not_kept() -> None:
    uri = "https://acct.blob.core.windows.net/vhds/base-1.vhd"
    profile = {"storageProfile": {"osDisk": {"image": {"uri": f"{uri}?sv=2020&sig=secret"}}}}
    assert arm.model(scale_set(virtualMachineProfile=profile)).image == VhdImage(uri)


@pytest.mark.parametrize(
    ("version", "exact", "runs"),
    [
        pytest.param("/versions/latest", "1.0.10", "1.0.10", id="latest with an exact version"),
        pytest.param("", "1.0.10", "1.0.10", id="a definition with an exact version"),
        pytest.param("/versions/1.0.9", "1.0.9", "1.0.9", id="a version"),
    ],
)
def test_an_instance_runs_the_exact_version_of_a_gallery_image(version: str, exact: str, runs: str) -> None:
    definition = VERSION.rpartition("/versions/")[0]
    reference = {"id": f"{definition}{version}", "exactVersion": exact}
    found = arm.instance(row(storageProfile={"imageReference": reference})).image
    assert found == GalleryImage(f"{definition}/versions/{runs}")


@pytest.mark.parametrize(
    "body", [{}, {"id": "x"}, {"id": "x", "properties": None}, {"id": "x", "properties": "y"}]
)
def test_a_scale_set_that_cannot_be_read_is_malformed(body: dict[str, Any]) -> None:
    with pytest.raises(MalformedResponse):
        arm.model(body)


@pytest.mark.parametrize("body", [{}, {"instanceId": "0"}, {"instanceId": "0", "properties": None}])
def test_an_instance_that_cannot_be_read_is_malformed(body: dict[str, Any]) -> None:
    with pytest.raises(MalformedResponse):
        arm.instance(body)


def extensions(*listed: tuple[str, str]) -> dict[str, Any]:
    return {
        "virtualMachineProfile": {
            "extensionProfile": {
                "extensions": [{"name": "x", "properties": {"publisher": p, "type": t}} for p, t in listed]
            }
        }
    }


def row(**properties: Any) -> dict[str, Any]:
    return {
        "name": "vmss1_3",
        "instanceId": "3",
        "zones": ["2"],
        "properties": {
            "latestModelApplied": True,
            "provisioningState": "Succeeded",
            "storageProfile": {"imageReference": {**UBUNTU, "version": "latest", "exactVersion": "18.04.7"}},
            "instanceView": view(),
        }
        | properties,
    }


def view(*codes: str, **more: Any) -> dict[str, Any]:
    listed = codes or ("ProvisioningState/succeeded", "PowerState/running")
    return {
        "placementGroupId": "11111111-2222-3333-4444-555555555555",
        "platformUpdateDomain": 0,
        "platformFaultDomain": 4,
        "statuses": [{"code": code, "time": "2024-08-26T09:01:11.1234567+00:00"} for code in listed],
    } | more


def test_a_scale_set_is_converted() -> None:
    model = arm.model(scale_set())
    assert (model.etag, model.capacity, model.provisioning, model.mode) == ('"4"', 2, "succeeded", "Manual")
    assert model.image == PlatformImage(**UBUNTU)
    assert (model.automatic_os_upgrade, model.service_fabric, model.health_source) == (
        False,
        False,
        HealthSource.NONE,
    )


@pytest.mark.parametrize(
    ("properties", "field", "value"),
    [
        pytest.param(
            {
                "upgradePolicy": {
                    "mode": "Manual",
                    "automaticOSUpgradePolicy": {"enableAutomaticOSUpgrade": True},
                }
            },
            "automatic_os_upgrade",
            True,
            id="automatic OS upgrade",
        ),
        pytest.param({"upgradePolicy": None}, "mode", "", id="no upgrade policy of a Uniform set"),
        pytest.param({"upgradePolicy": {"mode": "manual"}}, "mode", "Manual", id="a mode in small letters"),
        pytest.param({"upgradePolicy": {"mode": "ROLLING"}}, "mode", "Rolling", id="a mode in capitals"),
        pytest.param({"upgradePolicy": {"mode": "Other"}}, "mode", "Other", id="a mode that nobody knows"),
        pytest.param(
            {"upgradePolicy": None, "orchestrationMode": "Flexible"},
            "mode",
            "Manual",
            id="no upgrade policy of a Flexible set: upgraded manually",
        ),
        pytest.param(
            {"upgradePolicy": {"mode": "Automatic"}, "orchestrationMode": "Flexible"},
            "mode",
            "Automatic",
            id="an upgrade policy of a Flexible set",
        ),
        pytest.param(
            extensions(("Microsoft.Azure.ServiceFabric", "ServiceFabricLinuxNode")),
            "service_fabric",
            True,
            id="the Service Fabric extension",
        ),
        pytest.param(
            extensions(("Microsoft.ManagedServices", "ApplicationHealthLinux")),
            "health_source",
            HealthSource.EXTENSION,
            id="the health extension for Linux",
        ),
        pytest.param(
            extensions(("microsoft.managedservices", "applicationhealthwindows")),
            "health_source",
            HealthSource.EXTENSION,
            id="the health extension in other casing",
        ),
        pytest.param(
            {"virtualMachineProfile": {"networkProfile": {"healthProbe": {"id": "/probes/p"}}}},
            "health_source",
            HealthSource.PROBE,
            id="a load balancer probe",
        ),
        pytest.param({"virtualMachineProfile": {}}, "image", None, id="a model without an image"),
    ],
)
def test_a_fact_of_the_model(properties: dict[str, Any], field: str, value: object) -> None:
    assert getattr(arm.model(scale_set(**properties)), field) == value


@pytest.mark.parametrize(
    ("storage", "image"),
    [
        pytest.param({"imageReference": {"id": VERSION}}, GalleryImage(VERSION), id="gallery"),
        pytest.param(
            {"imageReference": {"id": "/x/images/i"}}, ManagedImage("/x/images/i"), id="managed image"
        ),
        pytest.param(
            {"imageReference": {"communityGalleryImageId": "/CommunityGalleries/c/Images/i/Versions/1.0.0"}},
            CommunityGalleryImage("/CommunityGalleries/c/Images/i/Versions/1.0.0"),
            id="community gallery",
        ),
        pytest.param(
            {
                "imageReference": {
                    "sharedGalleryImageId": "/SharedGalleries/s/Images/i",
                    "exactVersion": "1.0.0",
                }
            },
            SharedGalleryImage("/SharedGalleries/s/Images/i/versions/1.0.0"),
            id="an instance of a shared gallery definition, by its exact version",
        ),
        pytest.param(
            {"imageReference": {"id": VERSION.removesuffix("/versions/1.4.0"), "exactVersion": "1.4.0"}},
            GalleryImage(VERSION),
            id="an instance of a gallery definition, by its exact version",
        ),
        pytest.param(
            {"imageReference": {**UBUNTU, "version": "latest", "exactVersion": "18.04.9"}},
            PlatformImage(**{**UBUNTU, "version": "18.04.9"}),
            id="an instance of latest, by its exact version",
        ),
        pytest.param(
            {"osDisk": {"image": {"uri": "https://a/b.vhd"}}}, VhdImage("https://a/b.vhd"), id="VHD"
        ),
        pytest.param({"imageReference": None, "osDisk": {}}, None, id="no image reference"),
    ],
)
def test_an_image_reference_is_converted(storage: dict[str, Any], image: Image | None) -> None:
    assert arm.instance(row(storageProfile=storage)).image == image


@pytest.mark.parametrize(
    "image",
    [
        PlatformImage(**UBUNTU),
        GalleryImage(VERSION),
        ManagedImage("/x/images/i"),
        CommunityGalleryImage("/CommunityGalleries/c/Images/i/Versions/1.0.0"),
        SharedGalleryImage("/SharedGalleries/s/Images/i/Versions/1.0.0"),
        VhdImage("https://a/b.vhd"),
    ],
    ids=lambda image: image.kind,
)
def test_a_patch_sets_what_a_model_then_reads(image: Image) -> None:
    assert arm.model(scale_set(**arm.image_patch(image)["properties"])).image == image


def test_a_patch_sets_only_the_image() -> None:
    assert arm.image_patch(PlatformImage(**UBUNTU)) == {
        "properties": {"virtualMachineProfile": {"storageProfile": {"imageReference": UBUNTU}}}
    }


def test_an_instance_is_converted() -> None:
    seen = arm.instance(row(instanceView=view(vmHealth={"status": {"code": "HealthState/healthy"}})))
    assert (seen.id, seen.name, seen.zone) == ("3", "vmss1_3", "2")
    assert (seen.provisioning, seen.power, seen.health) == ("succeeded", "running", "healthy")
    assert (seen.update_domain, seen.fault_domain, seen.placement_group[:8]) == (0, 4, "11111111")
    assert seen.since == datetime(2024, 8, 26, 9, 1, 11, 123456, UTC)
    assert (seen.latest_model, seen.protected, seen.error) == (True, False, "")


@pytest.mark.parametrize(
    ("properties", "field", "value"),
    [
        pytest.param(
            {"instanceView": view("PowerState/running", "ProvisioningState/updating")},
            "provisioning",
            "updating",
            id="statuses in another order",
        ),
        pytest.param(
            {"instanceView": view("ProvisioningState/failed/OSProvisioningTimedOut")},
            "error",
            "OSProvisioningTimedOut",
            id="the code of a failure",
        ),
        pytest.param(
            {"instanceView": None},
            "provisioning",
            "",
            id="a row without its instance view",
        ),
        pytest.param(
            {"instanceView": None, "provisioningState": "Creating"},
            "provisioning",
            "creating",
            id="an instance that is being created has no view yet",
        ),
        pytest.param(
            {"protectionPolicy": {"protectFromScaleIn": True, "protectFromScaleSetActions": True}},
            "protected",
            True,
            id="protection from scale set actions",
        ),
        pytest.param(
            {"protectionPolicy": {"protectFromScaleIn": True}}, "protected", False, id="from scale-in"
        ),
        pytest.param(
            {"instanceView": view("ProvisioningState/succeeded") | {"platformUpdateDomain": None}},
            "update_domain",
            None,
            id="no update domain yet",
        ),
    ],
)
def test_a_fact_of_an_instance(properties: dict[str, Any], field: str, value: object) -> None:
    assert getattr(arm.instance(row(**properties)), field) == value


@pytest.mark.parametrize(
    "body",
    [
        pytest.param({}, id="an empty object"),
        pytest.param({"id": "x", "properties": {}, "sku": {"name": "s"}}, id="no capacity"),
        pytest.param({"id": "x", "sku": {"capacity": 1}}, id="no properties"),
        pytest.param({"id": "x", "properties": {}, "sku": {"capacity": "many"}}, id="an invalid capacity"),
    ],
)
def test_a_scale_set_without_mandatory_fields_is_malformed(body: dict[str, Any]) -> None:
    with pytest.raises(MalformedResponse):
        arm.model(body)


def test_an_instance_without_an_id_is_malformed() -> None:
    with pytest.raises(MalformedResponse):
        arm.instance({"properties": {}})


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        pytest.param({"status": "Succeeded"}, Operation("Succeeded"), id="succeeded"),
        pytest.param({"status": "succeeded"}, Operation("Succeeded"), id="succeeded in other letters"),
        pytest.param({"status": "Running"}, Operation("InProgress"), id="any other status is not final"),
        pytest.param(
            {"status": "Updating", "error": {"code": "X"}},
            Operation("InProgress"),
            id="succeeded with an error beside",
        ),
        pytest.param(
            {"status": "Failed", "error": {"code": "X", "message": "No."}},
            Operation("Failed", "X: No."),
            id="failed",
        ),
        pytest.param(
            {"status": "Canceled"},
            Operation("Canceled", "Canceled, without a code or a message"),
            id="canceled",
        ),
        pytest.param({}, Operation(""), id="no status"),
    ],
)
def test_the_status_of_a_long_operation(body: dict[str, Any], expected: Operation) -> None:
    assert arm.operation(body) == expected
