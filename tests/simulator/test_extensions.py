"""The extensions of a model as resources of their own, and those that publishers offer."""

from __future__ import annotations

import json
from typing import Any

import pytest

from reconciler.simulator import SUBSCRIPTION
from tests.simulator.azure import SET, Azure, Start

CUSTOM = {"publisher": "Microsoft.Azure.Extensions", "type": "CustomScript", "typeHandlerVersion": "2.1"}
SHOWN = {"autoUpgradeMinorVersion": False, "settings": {}, **CUSTOM}
PUBLISHERS = f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Compute/locations/westeurope/publishers"
HEALTH = f"{PUBLISHERS}/Microsoft.ManagedServices/artifacttypes/vmextension/types"


@pytest.fixture
def azure(start: Start) -> Azure:
    return start(capacity=2, health="none")


def write_extension(azure: Azure, verb: str, name: str = "setup", **properties: Any) -> Any:
    body = {"properties": {**CUSTOM, **properties}} if properties or verb == "PUT" else None
    return azure.ask(verb, f"extensions/{name}", b"" if body is None else json.dumps(body).encode())


def names(azure: Azure) -> list[str]:
    return [each["name"] for each in azure.ask("GET", "extensions").json()["value"]]


def test_an_extension_is_created_and_changed(azure: Azure) -> None:
    created = write_extension(azure, "PUT", protectedSettings={"key": "secret"})
    assert (created.status, created.headers["x-ms-request-charge"]) == (201, "0")
    assert created.json() == {
        "name": "setup",
        "id": f"{SET}/extensions/setup",
        "type": "Microsoft.Compute/virtualMachineScaleSets/extensions",
        "properties": {**SHOWN, "provisioningState": "Creating"},
    }
    assert "ETag" not in created.headers
    assert "Azure-AsyncOperation" in created.headers
    azure.wait(60)
    assert azure.ask("GET", "extensions/SETUP").json()["properties"] == {
        **SHOWN,
        "provisioningState": "Succeeded",
    }
    assert names(azure) == ["setup"]
    for verb in ("PUT", "PATCH"):
        changed = write_extension(azure, verb, settings={"commandToExecute": verb})
        assert (changed.status, changed.json()["properties"]["provisioningState"]) == (200, "Updating")
        azure.wait(60)
        assert azure.ask("GET", "extensions/setup").json()["properties"]["settings"] == {
            "commandToExecute": verb
        }


def test_an_extension_changes_the_model_so_that_instances_are_out_of_date(azure: Azure) -> None:
    write_extension(azure, "PUT")
    azure.wait(60)
    profile = azure.ask("GET", "").json()["properties"]["virtualMachineProfile"]
    model = {name: value for name, value in SHOWN.items() if name != "settings"}
    assert profile["extensionProfile"]["extensions"] == [{"name": "setup", "properties": model}]
    row = azure.ask("GET", "virtualMachines/0").json()
    assert (row["properties"]["latestModelApplied"], "resources" in row) == (False, False)
    azure.upgrade("*")
    azure.wait(60)
    (extension,) = azure.ask("GET", "virtualMachines/0").json()["resources"]
    assert extension["id"].endswith("/virtualMachines/web_0/extensions/setup")
    assert extension["properties"] == {**SHOWN, "provisioningState": "Succeeded"}


def test_an_automatic_set_gets_an_extension_at_once_and_is_charged(start: Start) -> None:
    azure = start(capacity=2, health="none", mode="Automatic")
    assert write_extension(azure, "PUT").headers["x-ms-request-charge"] == "2"
    azure.wait(60)
    assert write_extension(azure, "DELETE").headers["x-ms-request-charge"] == "2"
    azure.wait(60)
    assert "resources" not in azure.ask("GET", "virtualMachines/0").json()


def test_an_extension_is_deleted(azure: Azure) -> None:
    write_extension(azure, "PUT")
    azure.wait(60)
    gone = write_extension(azure, "DELETE")
    assert (gone.status, gone.body) == (202, b"")
    azure.wait(60)
    missing = azure.ask("GET", "extensions/setup")
    assert (missing.status, missing.json()["error"]["code"]) == (404, "NotFound")
    assert write_extension(azure, "DELETE").status == 204
    assert azure.ask("PATCH", "extensions/setup", b"{}").status == 404


def test_publishers_offer_types_in_versions(azure: Azure) -> None:
    types = azure.ask("GET", HEALTH).json()
    assert [each["name"] for each in types] == ["ApplicationHealthLinux", "ApplicationHealthWindows"]
    versions = azure.ask("GET", f"{HEALTH}/ApplicationHealthLinux/versions").json()
    assert [each["name"] for each in versions] == ["1.0.5", "2.0.18"]
    one = azure.ask("GET", f"{HEALTH}/ApplicationHealthLinux/versions/2.0.18").json()
    assert one["id"].endswith("/ArtifactTypes/VMExtension/Types/ApplicationHealthLinux/Versions/2.0.18")
    assert (one["properties"]["operatingSystem"], one["properties"]["vmScaleSetEnabled"]) == ("Linux", True)


def test_an_extension_in_a_model_is_offered(azure: Azure) -> None:
    assert (
        write_extension(azure, "PUT", publisher="Acme", type="Agent", typeHandlerVersion="3.1").status == 201
    )
    versions = azure.ask("GET", f"{PUBLISHERS}/acme/artifacttypes/vmextension/types/agent/versions").json()
    assert [each["name"] for each in versions] == ["3.1.0"]


@pytest.mark.parametrize(
    "path",
    [
        pytest.param(f"{PUBLISHERS}/Nobody/artifacttypes/vmextension/types", id="publisher"),
        pytest.param(f"{HEALTH}/Nothing/versions", id="type"),
        pytest.param(f"{HEALTH}/ApplicationHealthLinux/versions/9.9", id="version"),
    ],
)
def test_an_unknown_extension_is_not_offered(azure: Azure, path: str) -> None:
    answer = azure.ask("GET", path)
    assert (answer.status, answer.json()["error"]["code"]) == (404, "NotFound")
