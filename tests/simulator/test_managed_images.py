"""Managed images that a client creates from a virtual machine."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.simulator.azure import GROUP, Azure, Start

IMAGE = f"{GROUP}/providers/Microsoft.Compute/images/golden"
MACHINE = f"{GROUP}/providers/Microsoft.Compute/virtualMachines/builder"


def create_image(azure: Azure, **properties: Any) -> Any:
    body = {"location": "westeurope", "properties": {"sourceVirtualMachine": {"id": MACHINE}, **properties}}
    return azure.ask("PUT", IMAGE, json.dumps(body).encode())


def test_an_image_is_created_from_a_machine(azure: Azure) -> None:
    assert azure.ask("GET", IMAGE).status == 404
    answer = create_image(azure)
    properties = answer.json()["properties"]
    assert (answer.status, properties["provisioningState"], properties["hyperVGeneration"]) == (
        201,
        "Creating",
        "V1",
    )
    assert "diskSizeGB" not in properties["storageProfile"]["osDisk"]
    azure.wait(60)
    shown = azure.ask("GET", IMAGE).json()
    assert (shown["location"], shown["properties"]["provisioningState"]) == ("westeurope", "Succeeded")
    assert shown["properties"]["sourceVirtualMachine"] == {"id": MACHINE}
    disk = shown["properties"]["storageProfile"]["osDisk"]
    assert (disk["diskSizeGB"], disk["caching"], disk["managedDisk"]["id"].split("/")[-2]) == (
        30,
        "ReadWrite",
        "disks",
    )
    assert create_image(azure, hyperVGeneration="V2").status == 200


def test_a_scale_set_can_use_a_created_image(azure: Azure) -> None:
    create_image(azure)
    profile = {"storageProfile": {"imageReference": {"id": IMAGE}}}
    body = {
        "location": "westeurope",
        "sku": {"name": "Standard_D2s_v5", "capacity": 1},
        "properties": {"virtualMachineProfile": profile, "overprovision": False},
    }
    assert (
        azure.ask(
            "PUT",
            f"{GROUP}/providers/Microsoft.Compute/virtualMachineScaleSets/api",
            json.dumps(body).encode(),
        ).status
        == 201
    )
    azure.wait(300)
    assert azure.sim.record.images("api") == {"0": IMAGE}


def test_an_image_from_another_source_is_rejected(azure: Azure) -> None:
    answer = azure.ask("PUT", IMAGE, b'{"properties":{"storageProfile":{"osDisk":{"blobUri":"https://x"}}}}')
    assert (answer.status, answer.json()["error"]["target"]) == (400, "sourceVirtualMachine")


@pytest.mark.parametrize(
    "offer, version, generation, size",
    [
        pytest.param("UbuntuServer/skus/18.04-LTS", "2022-11-01", "V1", {"sizeInGb": 30, "sizeInBytes": 32212255232}, id="generation 1 at a version of 2022"),
        pytest.param("UbuntuServer/skus/18.04-LTS", "2024-07-01", "V1", {"sizeInBytes": 32212255232}, id="generation 1 at a version of 2024"),
        pytest.param("ubuntu-24_04-lts/skus/server", "2024-07-01", "V2", {"sizeInGb": 30}, id="generation 2"),
    ],
)  # fmt: skip
def test_a_platform_image_is_stored_by_its_generation(
    azure: Azure, offer: str, version: str, generation: str, size: dict[str, int]
) -> None:
    azure.sim.publish("Canonical:UbuntuServer:18.04-LTS:24.04.202602010")
    place = f"{GROUP.partition('/resourceGroups')[0]}/providers/Microsoft.Compute/locations/westeurope"
    path = f"{place}/publishers/Canonical/artifacttypes/vmimage/offers/{offer}/versions/24.04.202602010"
    properties = azure.ask("GET", path, version=version).json()["properties"]
    kept = {"V1": ("Unmanaged", "None"), "V2": ("Managed", "Unmanaged")}[generation]
    assert (
        properties["hyperVGeneration"],
        properties["replicaType"],
        properties["disallowed"]["vmDiskType"],
    ) == (generation, *kept)
    assert properties["osDiskImage"] == {"operatingSystem": "Linux", **size}
    assert ("replicaCount" in properties) is (generation == "V2")


@pytest.mark.parametrize(
    "name, generation, system, size",
    [
        pytest.param("Canonical:UbuntuServer:18.04-LTS:18.04.1", "V1", "Linux", 30, id="Ubuntu 18.04"),
        pytest.param("Canonical:0001-com-ubuntu-server-jammy:22_04-lts-gen2:1.0.0", "V2", "Linux", 30, id="Ubuntu 22.04, generation 2"),
        pytest.param("Canonical:ubuntu-24_04-lts:server:24.04.1", "V2", "Linux", 30, id="Ubuntu 24.04"),
        pytest.param("Canonical:ubuntu-24_04-lts:server-gen1:24.04.1", "V1", "Linux", 30, id="Ubuntu 24.04, generation 1"),
        pytest.param("Debian:debian-10:10:0.20230222.1299", "V1", "Linux", 30, id="Debian 10"),
        pytest.param("MicrosoftWindowsServer:WindowsServer:2019-Datacenter:1.0.0", "V1", "Windows", 127, id="Windows 2019"),
        pytest.param("MicrosoftWindowsServer:WindowsServer:2022-datacenter-g2:1.0.0", "V2", "Windows", 127, id="Windows 2022, generation 2"),
        pytest.param("MicrosoftWindowsServer:WindowsServer:2022-datacenter-azure-edition:1.0.0", "V2", "Windows", 127, id="Windows 2022 Azure Edition"),
        pytest.param("acme:base:stable:1.0.0", "V2", "Linux", 30, id="an unknown publisher"),
    ],
)  # fmt: skip
def test_the_generation_of_a_platform_image_follows_from_its_name(
    azure: Azure, name: str, generation: str, system: str, size: int
) -> None:
    azure.sim.publish(name)
    details = azure.sim.cloud.catalogue.details(name)
    assert (details.generation, details.disk_size_gb) == (generation, size)
    assert details.features == (
        [{"name": "SecurityType", "value": "TrustedLaunchSupported"}] if generation == "V2" else []
    )
    place = f"{GROUP.partition('/resourceGroups')[0]}/providers/Microsoft.Compute/locations/westeurope"
    publisher, offer, sku, version = name.split(":")
    path = (
        f"{place}/publishers/{publisher}/artifacttypes/vmimage/offers/{offer}/skus/{sku}/versions/{version}"
    )
    shown = azure.ask("GET", path).json()["properties"]
    assert (shown["hyperVGeneration"], shown["osDiskImage"]["operatingSystem"]) == (generation, system)


@pytest.mark.parametrize(
    "name, generation",
    [
        pytest.param(IMAGE, "V1", id="a managed image"),
        pytest.param("https://acct.blob.core.windows.net/vhds/base-1.vhd", "V1", id="a VHD"),
        pytest.param(f"{GROUP}/providers/Microsoft.Compute/galleries/g/images/base/versions/1.0.0", "V2", id="a gallery image version"),
    ],
)  # fmt: skip
def test_a_private_image_has_the_usual_generation(azure: Azure, name: str, generation: str) -> None:
    azure.sim.publish(name)
    assert azure.sim.cloud.catalogue.details(name).generation == generation


@pytest.mark.parametrize("said, security", [("V1", "Standard"), ("V2", "TrustedLaunchSupported")])
def test_a_fleet_overrides_the_properties_that_follow_from_a_name(
    start: Start, said: str, security: str
) -> None:
    azure = start(
        top={"images": {"ids": [IMAGE], "details": [{"image": IMAGE, "hyperVGeneration": said}]}},
        image="a:b:c:1",
    )
    details = azure.sim.cloud.catalogue.details(IMAGE)
    assert (details.generation, details.security_type) == (said, security)
