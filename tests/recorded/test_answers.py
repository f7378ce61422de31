"""Recorded requests, and the responses that the simulator must give: which fields each API version shows.

A row names a field by its path, which a response has or does not have. The bounds come from recorded traffic
of 2017 to 2026.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, cast

import pytest

from reconciler.simulator import Simulator, VirtualClock
from tests.simulator.azure import GROUP, SET, Azure, Start, fleet

MACHINE = "virtualMachines/0"
CARD = "properties.virtualMachineProfile.networkProfile.networkInterfaceConfigurations.0.properties"
GUEST = "properties.virtualMachineProfile.osProfile"
DISK = "properties.virtualMachineProfile.storageProfile.osDisk"
ABSENT = object()
OLDEST, NEWEST = "2017-03-30", "2026-04-01"


def put(**properties: Any) -> dict[str, Any]:
    """Return a PUT with as few fields as possible."""
    reference = {"publisher": "Canonical", "offer": "ubuntu-24_04-lts", "sku": "server", "version": "latest"}
    profile = {
        "osProfile": {"computerNamePrefix": "web", "adminUsername": "me", "adminPassword": "secret"},
        "storageProfile": {"imageReference": reference},
        "networkProfile": {
            "networkInterfaceConfigurations": [
                {"name": "card", "properties": {"primary": True, "ipConfigurations": [{"name": "ip"}]}}
            ]
        },
    }
    return {
        "location": "westeurope",
        "sku": {"name": "Standard_DS1_v2", "capacity": 1},
        "properties": {"overprovision": False, "virtualMachineProfile": {**profile, **properties}},
    }


@pytest.fixture
def azure(start: Start) -> Azure:
    """A settled scale set that a client created with a short PUT."""
    return created_set(start(capacity=1))


def created_set(azure: Azure) -> Azure:
    azure.ask("DELETE", "")
    azure.wait(300)
    answer = azure.ask("PUT", "", json.dumps(put()).encode(), version="2024-07-01")
    assert answer.status == 201
    azure.wait(300)
    return azure


def at(body: Any, path: str) -> Any:
    for part in path.split("."):
        if isinstance(body, list):
            body = body[int(part)]
        elif part not in body:
            return ABSENT
        else:
            body = body[part]
    return body


# The field, its value, the first and the last version that show it; "" for no bound.
SCALE_SET: tuple[tuple[str, Any, str, str], ...] = (
    ("etag", '"1"', "2023-09-01", ""),
    ("sku.tier", "Standard", "", ""),
    ("properties.singlePlacementGroup", True, "", ""),
    ("properties.overprovision", False, "", ""),
    ("properties.orchestrationMode", "Uniform", "2022-03-01", ""),
    ("properties.doNotRunExtensionsOnOverprovisionedVMs", False, "2019-03-01", ""),
    ("properties.platformFaultDomainCount", 5, "2023-09-01", ""),
    ("properties.timeCreated", ..., "2022-03-01", ""),
    ("properties.virtualMachineProfile.timeCreated", ..., "2023-09-01", ""),
    ("properties.upgradePolicy.mode", "Manual", "", ""),
    ("properties.upgradePolicy.automaticOSUpgrade", False, "", "2017-12-01"),
    (f"{GUEST}.secrets", [], "", ""),
    (f"{GUEST}.allowExtensionOperations", True, "2019-03-01", ""),
    (f"{GUEST}.requireGuestProvisionSignal", True, "2019-03-01", ""),
    (f"{GUEST}.linuxConfiguration.disablePasswordAuthentication", False, "", ""),
    (f"{GUEST}.linuxConfiguration.provisionVMAgent", True, "2019-03-01", ""),
    (f"{GUEST}.linuxConfiguration.enableVMAgentPlatformUpdates", False, "2022-03-01", "2022-11-01"),
    (f"{DISK}.createOption", "FromImage", "", ""),
    (f"{DISK}.caching", "None", "", ""),
    (f"{DISK}.managedDisk.storageAccountType", "Premium_LRS", "", ""),
    (f"{DISK}.osType", "Linux", "2022-03-01", ""),
    (f"{DISK}.diskSizeGB", 30, "2020-06-01", ""),
    (f"{CARD}.enableAcceleratedNetworking", False, "", "2022-03-01"),
    ("properties.virtualMachineProfile.storageProfile.diskControllerType", "SCSI", "2022-11-01", ""),
    (f"{CARD}.enableIPForwarding", False, "2017-12-01", ""),
    (f"{CARD}.disableTcpStateTracking", False, "2022-03-01", ""),
    (f"{CARD}.dnsSettings", {"dnsServers": []}, "", ""),
    (f"{CARD}.ipConfigurations.0.properties.privateIPAddressVersion", "IPv4", "", ""),
)
INSTANCE: tuple[tuple[str, Any, str, str], ...] = (
    ("etag", ..., "2023-09-01", ""),
    ("properties.latestModelApplied", True, "", ""),
    ("properties.modelDefinitionApplied", "VirtualMachineScaleSet", "2019-03-01", ""),
    ("properties.networkProfileConfiguration", ..., "2019-03-01", ""),
    ("properties.hardwareProfile.vmSize", "Standard_DS1_v2", "2022-03-01", ""),
    ("properties.resilientVMDeletionStatus", "Disabled", "2024-07-01", ""),
    ("properties.storageProfile.imageReference.exactVersion", "24.04.202603010", "2020-06-01", ""),
    ("properties.storageProfile.osDisk.osType", "Linux", "", ""),
    ("properties.storageProfile.osDisk.diskSizeGB", 30, "", ""),
    ("properties.storageProfile.dataDisks", [], "", ""),
    (
        "properties.osProfile.linuxConfiguration.patchSettings.patchMode",
        "ImageDefault",
        "2020-06-01",
        "2020-12-01",
    ),
    ("properties.timeCreated", ..., "2022-03-01", ""),
)
VIEW: tuple[tuple[str, Any, str, str], ...] = (
    ("platformUpdateDomain", 0, "", ""),
    ("computerName", "web000000", "2017-12-01", ""),
    ("osName", ..., "2017-12-01", ""),
    ("hyperVGeneration", "V2", "2020-06-01", ""),
    ("vmAgent.extensionHandlers", [], "", ""),
)
VERSIONS = (
    "2017-03-30", "2017-12-01", "2019-03-01", "2020-06-01", "2020-12-01", "2022-03-01", "2022-11-01", "2023-09-01",
    "2024-07-01", "2025-04-01", "2026-04-01",
)  # fmt: skip


def rows() -> Iterator[Any]:
    """Yield each field at the versions on both sides of its bounds, and at the oldest and the newest."""
    tables = (("", SCALE_SET), (MACHINE, INSTANCE), (f"{MACHINE}/instanceView", VIEW))
    for ask, table in tables:
        for path, value, since, last in table:
            near = {OLDEST, since or OLDEST, last or NEWEST, *_neighbours(since, -1), *_neighbours(last, 1)}
            # Accelerated networking is shown again in 2025, which has its own test.
            near -= {NEWEST} if path.endswith("enableAcceleratedNetworking") else set()
            for version in sorted(near):
                shown = (since or OLDEST) <= version <= (last or NEWEST)
                name = f"{path.rpartition('.')[2]} of {ask or 'the set'} at {version}"
                yield pytest.param(ask, path, value if shown else ABSENT, version, id=name)


def _neighbours(version: str, step: int) -> set[str]:
    if not version:
        return set()
    place = VERSIONS.index(version) + step
    return {VERSIONS[place]} if 0 <= place < len(VERSIONS) else set()


@pytest.fixture(scope="module")
def answers() -> Mapping[tuple[str, str], Any]:
    """The responses to each request at each version, fetched once for all rows."""
    clock = VirtualClock()
    azure = created_set(Azure(Simulator.load(fleet(capacity=1), clock), clock, cast(Any, None)))
    asked = ("", MACHINE, f"{MACHINE}/instanceView")
    return {
        (ask, version): azure.ask("GET", ask, version=version).json() for ask in asked for version in VERSIONS
    }


@pytest.mark.parametrize("ask, path, value, version", list(rows()))
def test_a_field_is_shown_to_the_versions_that_have_it(
    answers: Mapping[tuple[str, str], Any], ask: str, path: str, value: Any, version: str
) -> None:
    found = at(answers[ask, version], path)
    assert found is not ABSENT if value is ... else found == value


@pytest.mark.parametrize(
    "version, shown",
    [
        pytest.param("2022-03-01", False, id="2022-03-01: shown"),
        pytest.param("2022-11-01", ABSENT, id="2022-11-01: not shown"),
        pytest.param("2024-07-01", ABSENT, id="2024-07-01: not shown"),
        pytest.param("2025-04-01", False, id="2025-04-01: shown"),
    ],
)
def test_some_versions_show_accelerated_networking_that_was_omitted(
    azure: Azure, version: str, shown: Any
) -> None:
    assert at(azure.ask("GET", "", version=version).json(), f"{CARD}.enableAcceleratedNetworking") is shown


@pytest.mark.parametrize("version", VERSIONS)
def test_writing_back_a_response_changes_nothing(azure: Azure, version: str) -> None:
    shown = azure.ask("GET", "", version=version).json()
    answer = azure.ask("PUT", "", json.dumps(shown).encode(), version=version)
    assert (answer.status, answer.json()["properties"]["provisioningState"]) == (200, "Updating")
    azure.wait(60)
    assert azure.ask("GET", "").json()["etag"] == '"1"'
    assert azure.ask("GET", MACHINE).json()["properties"]["latestModelApplied"] is True


def test_versions_before_exact_version_show_it_as_the_version(azure: Azure) -> None:
    path = "properties.storageProfile.imageReference.version"
    found = [
        at(azure.ask("GET", MACHINE, version=version).json(), path)
        for version in ("2019-03-01", "2020-06-01")
    ]
    assert found == ["24.04.202603010", "latest"]


@pytest.mark.parametrize(
    "profile, path",
    [
        pytest.param({"userData": "aGk="}, "userData", id="user data"),
        pytest.param(
            {"osProfile": {"adminPassword": "x", "customData": "aGk="}},
            "osProfile.customData",
            id="custom data",
        ),
        pytest.param({"osProfile": {"adminPassword": "x"}}, "osProfile.adminPassword", id="a password"),
        pytest.param(
            {
                "extensionProfile": {
                    "extensions": [
                        {
                            "name": "e",
                            "properties": {
                                "publisher": "P",
                                "type": "T",
                                "typeHandlerVersion": "1.0",
                                "protectedSettings": {"key": "x"},
                            },
                        }
                    ]
                }
            },
            "extensionProfile.extensions.0.properties.protectedSettings",
            id="protected settings",
        ),
    ],
)
def test_a_secret_is_not_shown(azure: Azure, profile: dict[str, Any], path: str) -> None:
    change = json.dumps({"properties": {"virtualMachineProfile": profile}}).encode()
    for answer in (azure.ask("PATCH", "", change), azure.ask("GET", "")):
        assert answer.status == 200
        assert at(answer.json(), f"properties.virtualMachineProfile.{path}") is ABSENT


def test_user_data_is_shown_on_request(azure: Azure) -> None:
    azure.ask("PATCH", "", b'{"properties":{"virtualMachineProfile":{"userData":"aGk="}}}')
    azure.wait(60)
    azure.upgrade("*")
    azure.wait(60)
    for ask, path in (("", "properties.virtualMachineProfile.userData"), (MACHINE, "properties.userData")):
        assert (
            at(azure.ask("GET", f"{ask}?$expand=userData" if ask else f"{SET}?$expand=userData").json(), path)
            == "aGk="
        )
        assert at(azure.ask("GET", ask).json(), path) is ABSENT
    azure.ask("PATCH", "", b'{"properties":{"virtualMachineProfile":{"userData":""}}}')
    answer = azure.ask("GET", f"{SET}?$expand=userData").json()
    assert at(answer, "properties.virtualMachineProfile.userData") is ABSENT


@pytest.mark.parametrize(
    "change, path, value",
    [
        pytest.param({"scaleInPolicy": {"forceDeletion": True}}, "scaleInPolicy", {"forceDeletion": True}, id="a scale-in policy is replaced"),
        pytest.param(
            {"virtualMachineProfile": {"scheduledEventsProfile": {"terminateNotificationProfile": {"notBeforeTimeout": "PT9M"}}}},
            "virtualMachineProfile.scheduledEventsProfile.terminateNotificationProfile",
            {"enable": True, "notBeforeTimeout": "PT9M"},
            id="a notification is merged",
        ),
        pytest.param(
            {"virtualMachineProfile": {"scheduledEventsProfile": {"terminateNotificationProfile": {"enable": False}}}},
            "virtualMachineProfile.scheduledEventsProfile",
            {},
            id="a disabled notification is removed",
        ),
        pytest.param(
            {"virtualMachineProfile": {"storageProfile": {"osDisk": {"caching": "readonly"}}}},
            "virtualMachineProfile.storageProfile.osDisk.caching",
            "ReadOnly",
            id="words are returned in Azure's spelling",
        ),
        pytest.param(
            {"virtualMachineProfile": {"storageProfile": {"osDisk": {"caching": "ReadOnly"}}}},
            "virtualMachineProfile.storageProfile.imageReference.sku",
            "server",
            id="an omitted image is kept",
        ),
    ],
)  # fmt: skip
def test_a_second_put_with_fewer_fields(azure: Azure, change: dict[str, Any], path: str, value: Any) -> None:
    first = {
        "scaleInPolicy": {"rules": ["OldestVM"]},
        "virtualMachineProfile": {
            "scheduledEventsProfile": {
                "terminateNotificationProfile": {"enable": True, "notBeforeTimeout": "PT8M"}
            }
        },
    }
    for properties in (first, change):
        body = {"location": "westeurope", "properties": properties}
        assert azure.ask("PUT", "", json.dumps(body).encode()).status == 200
        azure.wait(60)
    assert at(azure.ask("GET", "").json()["properties"], path) == value


@pytest.mark.parametrize(
    "sku, account",
    [
        ("Standard_DS1_v2", "Premium_LRS"),
        ("Standard_D2s_v5", "Premium_LRS"),
        ("Standard_D1_v2", "Standard_LRS"),
        ("Standard_A1_v2", "Standard_LRS"),
    ],
)
def test_disks_are_premium_if_the_size_supports_it(start: Start, sku: str, account: str) -> None:
    azure = start()
    reference = {"publisher": "Canonical", "offer": "UbuntuServer", "sku": "18.04-LTS", "version": "18.04.1"}
    azure.sim.publish("Canonical:UbuntuServer:18.04-LTS:18.04.1")
    storage = {"imageReference": reference, "dataDisks": [{"lun": 0, "diskSizeGB": 10}]}
    body = {**put(storageProfile=storage), "sku": {"name": sku, "capacity": 1}}
    assert azure.ask("PUT", SET[:-3] + "api", json.dumps(body).encode()).status == 201
    azure.wait(300)
    shown = azure.ask("GET", f"{SET[:-3]}api").json()["properties"]["virtualMachineProfile"]["storageProfile"]
    assert shown["osDisk"]["managedDisk"] == {"storageAccountType": account}
    assert shown["dataDisks"] == [
        {
            "lun": 0,
            "diskSizeGB": 10,
            "createOption": "Empty",
            "caching": "None",
            "managedDisk": {"storageAccountType": account},
        }
    ]
    disk = azure.ask("GET", f"{SET[:-3]}api/virtualMachines/0").json()["properties"]["storageProfile"][
        "dataDisks"
    ][0]
    assert (disk["lun"], disk["toBeDetached"], disk["managedDisk"]["storageAccountType"]) == (
        0,
        False,
        account,
    )
    assert disk["managedDisk"]["id"].endswith(f"/disks/{disk['name']}")


@pytest.mark.parametrize(
    "zones, shown",
    [
        pytest.param(["1"], (False, 1, ABSENT), id="one zone"),
        pytest.param(["1", "2"], (False, 1, False), id="two zones"),
    ],
)
def test_a_zonal_set_has_one_fault_domain(start: Start, zones: list[str], shown: tuple[Any, ...]) -> None:
    azure = start()
    answer = azure.ask(
        "PUT", SET[:-3] + "api", json.dumps({**put(), "zones": zones}).encode(), version="2020-12-01"
    )
    found = tuple(
        at(answer.json()["properties"], name)
        for name in ("singlePlacementGroup", "platformFaultDomainCount", "zoneBalance")
    )
    assert found == shown


def test_a_data_disk_is_attached_and_detached(azure: Azure) -> None:
    disk = {
        "lun": 0,
        "createOption": "attach",
        "managedDisk": {"id": f"{GROUP}/providers/Microsoft.Compute/disks/d1"},
    }

    def put_disks(disks: list[Any]) -> Any:
        body = {"properties": {"storageProfile": {"dataDisks": disks}}}
        answer = azure.ask("PUT", MACHINE, json.dumps(body).encode())
        assert answer.status == 200
        shown = [
            (each["name"], each["toBeDetached"])
            for each in answer.json()["properties"]["storageProfile"]["dataDisks"]
        ]
        azure.wait(60)
        kept = azure.ask("GET", MACHINE).json()["properties"]["storageProfile"]["dataDisks"]
        return shown, [each["name"] for each in kept]

    assert put_disks([disk]) == ([("d1", False)], ["d1"])
    assert put_disks([]) == ([("d1", True)], [])


@pytest.mark.parametrize(
    "change, shown",
    [
        pytest.param({"singlePlacementGroup": True}, 5, id="one placement group"),
        pytest.param({"singlePlacementGroup": False}, 1, id="several placement groups"),
        pytest.param({"orchestrationMode": "Flexible"}, 1, id="a Flexible set"),
        pytest.param(
            {"singlePlacementGroup": False, "platformFaultDomainCount": 3},
            3,
            id="a written number of fault domains",
        ),
    ],
)
def test_omitted_fault_domains_are_filled_in(start: Start, change: dict[str, Any], shown: int) -> None:
    body = put()
    body["properties"] |= change
    answer = start().ask("PUT", SET[:-3] + "api", json.dumps(body).encode())
    assert (answer.status, answer.json()["properties"]["platformFaultDomainCount"]) == (201, shown)


def test_every_version_shows_the_fault_domains_of_a_spot_set(start: Start) -> None:
    body = json.dumps(put(priority="spot", evictionPolicy="deallocate")).encode()
    answer = start().ask("PUT", SET[:-3] + "api", body, version="2020-06-01").json()["properties"]
    profile = answer["virtualMachineProfile"]
    assert (answer["platformFaultDomainCount"], profile["priority"], profile["evictionPolicy"]) == (
        1,
        "Spot",
        "Deallocate",
    )


@pytest.mark.parametrize("mode, status", [("Flexible", 201), ("Uniform", 400)])
def test_a_flexible_set_may_have_no_profile(start: Start, mode: str, status: int) -> None:
    body = json.dumps({"location": "westeurope", "properties": {"orchestrationMode": mode}}).encode()
    answer = start().ask("PUT", SET[:-3] + "api", body)
    assert answer.status == status
    assert "virtualMachineProfile" not in answer.json().get("properties", {})


def test_the_view_of_an_instance_has_all_of_its_disks(azure: Azure) -> None:
    disk = {
        "lun": 0,
        "createOption": "attach",
        "managedDisk": {"id": f"{GROUP}/providers/Microsoft.Compute/disks/d1"},
    }
    azure.ask("PUT", MACHINE, json.dumps({"properties": {"storageProfile": {"dataDisks": [disk]}}}).encode())
    system, data = azure.ask("GET", f"{MACHINE}/instanceView").json()["disks"]
    assert "_OS_" in system["name"]
    assert (data["name"], data["statuses"][0]["code"]) == ("d1", "ProvisioningState/succeeded")


@pytest.mark.parametrize(
    "path, value, since",
    [
        pytest.param(f"{DISK}.deleteOption", "Delete", OLDEST, id="the disk is deleted with its machine"),
        pytest.param(f"{CARD}.deleteOption", "Delete", OLDEST, id="the NIC is deleted with its machine"),
        pytest.param(f"{CARD}.auxiliaryMode", "None", "2023-09-01", id="the auxiliary mode of the NIC"),
        pytest.param(f"{CARD}.auxiliarySku", "None", "2023-09-01", id="the auxiliary SKU of the NIC"),
        pytest.param(f"{CARD}.ipConfigurations.0.properties.applicationSecurityGroups", [], OLDEST, id="empty lists"),
        pytest.param(f"{GUEST}.linuxConfiguration.patchSettings", {"patchMode": "AutomaticByPlatform", "assessmentMode": "ImageDefault"}, OLDEST, id="the patch settings"),
        pytest.param("properties.virtualMachineProfile.networkProfile.networkApiVersion", "2020-11-01", OLDEST, id="the API version of the network"),
        pytest.param("properties.overprovision", ABSENT, OLDEST, id="overprovisioning is not shown"),
        pytest.param("properties.upgradePolicy", ABSENT, OLDEST, id="an upgrade policy is not shown"),
    ],
)  # fmt: skip
def test_omitted_fields_of_a_flexible_set_are_filled_in(
    start: Start, path: str, value: Any, since: str
) -> None:
    azure = start()
    body = put()
    body["properties"] |= {"orchestrationMode": "Flexible"}
    del body["properties"]["overprovision"]
    guest = body["properties"]["virtualMachineProfile"]["osProfile"]
    guest["linuxConfiguration"] = {"patchSettings": {"patchMode": "AutomaticByPlatform"}}
    assert azure.ask("PUT", SET[:-3] + "api", json.dumps(body).encode()).status == 201
    for version in ("2022-11-01", "2024-07-01"):
        found = at(azure.ask("GET", f"{SET[:-3]}api", version=version).json(), path)
        assert found == (value if version >= since else ABSENT)
