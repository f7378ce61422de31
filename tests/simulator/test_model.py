"""Changes of the model, their effect on instances, and the reported health."""

from __future__ import annotations

import json
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError, ResourceExistsError

from reconciler.simulator.catalogue import storage_of
from tests.simulator.azure import BAD, GROUP, NEW, OLD, Azure, Start

GALLERY = f"{GROUP}/providers/Microsoft.Compute/galleries/g/images/base/versions/1.0.0"
MANAGED = f"{GROUP}/providers/Microsoft.Compute/images/golden"


def write(azure: Azure, image: str) -> Any:
    change = {"properties": {"virtualMachineProfile": {"storageProfile": storage_of(image)}}}
    return azure.ask("PATCH", "", json.dumps(change).encode())


def upgrade(azure: Azure, *ids: str) -> Any:
    return azure.ask("POST", "manualupgrade", json.dumps({"instanceIds": list(ids)}).encode())


def test_at_most_ten_models_are_in_use_at_once(start: Start) -> None:
    azure = start(capacity=12)
    live = azure.sim.scale_set("web")
    for number in range(9):
        live.add_extension(f"Agent{number}", "Contoso", "Agent")
        azure.wait(30)
        azure.upgrade(str(number)).result()
    azure.wait(60)
    refused = write(azure, NEW)
    assert (refused.status, refused.json()["error"]["code"]) == (409, "OperationNotAllowed")
    assert refused.json()["error"]["message"] == (
        "Virtual Machine Scale Set 'web' has reached its limit of 10 models that may be referenced by one or more "
        "VMs belonging to the Virtual Machine Scale Set. Upgrade the VMs to the latest model of the Virtual "
        "Machine Scale Set before trying again."
    )
    azure.patch({"tags": {"team": "web"}})
    azure.upgrade("0", "1").result()
    assert write(azure, NEW).status == 200


@pytest.mark.parametrize(
    "web, image, refusal",
    [
        pytest.param(
            {"image": GALLERY, "securityType": "TrustedLaunch"},
            MANAGED,
            (400, "BadRequest", "Managed Images are not supported for virtual machines with security type"),
            id="a managed image with Trusted Launch",
        ),
        pytest.param(
            {"image": GALLERY},
            MANAGED,
            (
                409,
                "OperationNotAllowed",
                "The Image type for a Virtual Machine Scale Set may not be changed.",
            ),
            id="an image of another kind",
        ),
        pytest.param(
            {"image": OLD},
            "Debian:ubuntu-24_04-lts:server:24.04.202601010",
            (409, "PropertyChangeNotAllowed", "Changing property 'imageReference.publisher' is not allowed."),
            id="an image of another publisher",
        ),
        pytest.param(
            {"image": OLD},
            "Canonical:ubuntu-26_04-lts:server:26.04.1",
            (409, "PropertyChangeNotAllowed", "Changing property 'imageReference.offer' is not allowed."),
            id="an image of another offer if offers are fixed",
        ),
    ],
)
def test_a_forbidden_change_of_the_image_is_rejected(
    start: Start, web: dict[str, Any], image: str, refusal: tuple[int, str, str]
) -> None:
    azure = start(top={"fixedImageFields": ["publisher", "offer"]}, **web)
    azure.sim.publish(image)
    answer = write(azure, image)
    error = answer.json()["error"]
    assert (answer.status, error["code"], error["message"][: len(refusal[2])]) == refusal


def test_an_offer_may_change_where_it_is_not_fixed(azure: Azure) -> None:
    image = "Canonical:ubuntu-26_04-lts:server:26.04.1"
    azure.sim.publish(image)
    assert write(azure, image).status == 200


def test_an_extension_added_by_a_policy_makes_all_instances_out_of_date_and_shows_once_applied(
    azure: Azure,
) -> None:
    live = azure.sim.scale_set("web")
    live.add_extension("Monitor", "Contoso", "Agent")
    azure.wait(10)
    assert not any(instance.is_current for instance in live.instances)
    azure.upgrade("3").result()
    shown = {
        name: [
            each["name"]
            for each in azure.ask("GET", f"virtualMachines/{name}/instanceView").json()["extensions"]
        ]
        for name in ("3", "4")
    }
    assert shown == {"3": ["AppHealth", "Monitor"], "4": ["AppHealth"]}
    assert azure.sim.record.absences("web") == (), "an extension is installed while the instance serves"


def test_an_extension_that_fails_fails_the_operation_and_the_instance(start: Start) -> None:
    azure = start(extensions=[{"name": "Setup", "publisher": "Contoso", "type": "Script"}])
    azure.sim.publish(NEW, boots="extensionFails")
    azure.patch_image(NEW)
    with pytest.raises(HttpResponseError, match="when processing extension 'Setup'") as caught:
        azure.upgrade("3").result()
    assert caught.value.error is not None
    assert caught.value.error.code == "VMExtensionProvisioningError"
    azure.wait(60)
    live = azure.sim.scale_set("web")
    assert (live.instance("3").state, live.instance("3").image) == (("failed", "running", "healthy"), NEW)
    assert live.instance("3").is_current
    statuses = azure.ask("GET", "virtualMachines/3/instanceView").json()["statuses"]
    assert statuses[0]["code"] == "ProvisioningState/failed/VMExtensionProvisioningError"


def test_all_instances_except_the_protected_are_upgraded(start: Start) -> None:
    azure = start(
        protected=["2"],
        instanceStates=[{"id": "1", "power": "deallocated"}, {"id": "3", "provisioning": "failed"}],
    )
    azure.patch_image(NEW)
    assert upgrade(azure, "*").headers["x-ms-request-charge"] == "19"
    azure.wait(200)
    live = azure.sim.scale_set("web")
    assert {instance.id for instance in live.instances if instance.image == OLD} == {"2"}
    assert live.instance("1").state[1] == "deallocated"
    assert live.instance("3").state == ("succeeded", "running", "healthy")


def test_a_write_too_soon_after_another_is_rejected(start: Start) -> None:
    azure = start(top={"timings": {"conflict": "5s"}})
    azure.patch_image(NEW)
    with pytest.raises(ResourceExistsError, match="conflict with a concurrent request"):
        azure.upgrade("3")
    assert write(azure, BAD).json()["error"]["code"] == "Conflict"
    azure.wait(5)
    azure.upgrade("3").result()
    assert azure.sim.record.images("web")["3"] == NEW


@pytest.mark.parametrize("capacity", [-1, "many", 1.5, None])
def test_an_invalid_capacity_is_rejected(azure: Azure, capacity: Any) -> None:
    answer = azure.ask("PATCH", "", json.dumps({"sku": {"capacity": capacity}}).encode())
    assert (answer.status, azure.sim.scale_set("web").capacity) == (200 if capacity is None else 400, 20)


@pytest.mark.parametrize(
    "health, seen",
    [
        pytest.param(
            "extension",
            ["initializing", "healthy", "unhealthy", "unknown"],
            id="rich states are reported at any time",
        ),
        pytest.param(
            "binaryExtension",
            [None, "healthy", "unhealthy", None],
            id="binary states are reported after the first result",
        ),
        pytest.param("probe", [None] * 4, id="a probe is not reported for an instance"),
        pytest.param("none", [None] * 4, id="no health source is never reported"),
    ],
)
def test_the_health_of_an_instance_is_reported(start: Start, health: str, seen: list[str | None]) -> None:
    azure = start(health=health)
    one = azure.sim.scale_set("web").instance("3")
    azure.ask("POST", "virtualMachines/3/restart")
    found = []
    for wait, happens in ((20, None), (15, None), (1, one.sicken), (1, one.fail)):
        azure.wait(wait)
        if happens is not None:
            happens()
        view = azure.ask("GET", "virtualMachines/3/instanceView").json()
        code = view.get("vmHealth", {}).get("status", {}).get("code")
        found.append(code and code.partition("/")[2])
    assert found == seen
