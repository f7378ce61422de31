"""Special scale sets: owned by another resource, without a profile, or short of instances."""

from __future__ import annotations

import json
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError

from tests.simulator.azure import GROUP, NEW, OLD, SET, Azure, Start

OWNER = f"{GROUP}/providers/Microsoft.ContainerService/managedClusters/shop"
SQL = "MicrosoftSQLServer:sql2022:standard:16.0.1"


def read(azure: Azure) -> Any:
    return azure.ask("GET", "").json()


def test_managed_by_names_the_owner(start: Start) -> None:
    azure = start(managedBy=OWNER)
    assert read(azure)["managedBy"] == OWNER
    azure.patch({"tags": {"a": "b"}})
    assert read(azure)["managedBy"] == OWNER


@pytest.mark.parametrize(
    "sku",
    [
        pytest.param(None, id="a sku that is null"),
        pytest.param({"name": "Standard_D2s_v5", "tier": "Standard"}, id="a sku without capacity"),
        pytest.param(
            {"name": "Standard_D2s_v5", "tier": "Standard", "capacity": None},
            id="a sku with a capacity of null",
        ),
    ],
)
def test_the_reported_sku_may_lack_the_capacity(start: Start, sku: Any) -> None:
    azure = start(reportedSku=sku)
    assert read(azure)["sku"] == sku
    listed = azure.ask("GET", f"{GROUP}/providers/Microsoft.Compute/virtualMachineScaleSets").json()["value"]
    assert listed[0]["sku"] == sku
    assert len(azure.sim.scale_set("web").instances) == 20


def start_without_profile(start: Start, *machines: dict[str, str]) -> Azure:
    return start(orchestration="Flexible", virtualMachineProfile=False, capacity=0, attached=list(machines))


def test_a_flexible_set_may_have_no_profile(start: Start) -> None:
    azure = start_without_profile(start)
    assert "virtualMachineProfile" not in read(azure)["properties"]
    azure.patch({"tags": {"a": "b"}})
    assert read(azure)["tags"] == {"a": "b"}
    assert "virtualMachineProfile" not in read(azure)["properties"]


def test_machines_may_be_attached(start: Start) -> None:
    azure = start_without_profile(start, {"name": "sql-1", "image": SQL}, {"name": "disk-1"})
    azure.sim.scale_set("web").attach("Sql-2", SQL)
    machines = f"{GROUP}/providers/Microsoft.Compute/virtualMachines"
    rows = azure.ask("GET", f"{machines}?$filter='virtualMachineScaleSet/id' eq '{SET}'").json()["value"]
    reported = {
        row["name"]: (storage["osDisk"]["createOption"], storage.get("imageReference", {}).get("publisher"))
        for row in rows
        for storage in (row["properties"]["storageProfile"],)
    }
    assert reported == {
        "sql-1": ("Attach", "MicrosoftSQLServer"),
        "disk-1": ("Attach", None),
        "Sql-2": ("Attach", "MicrosoftSQLServer"),
    }
    assert [row["name"] for row in azure.ask("GET", "virtualMachines").json()["value"]] == list(reported)
    assert azure.ask("GET", f"{machines}/sql-2").json()["name"] == "Sql-2"
    assert read(azure)["sku"]["capacity"] == 3


def test_an_upgrade_skips_attached_machines(start: Start) -> None:
    azure = start(orchestration="Flexible", capacity=2, attached=[{"name": "sql-1", "image": SQL}])
    azure.patch_image(NEW)
    azure.upgrade("*").result()
    assert sorted(azure.sim.record.images("web").values()) == [NEW, NEW, SQL]


def test_a_scale_set_may_have_fewer_instances_than_its_capacity(start: Start) -> None:
    azure = start(capacity=10, allocationLimit=8)
    assert (read(azure)["sku"]["capacity"], len(azure.sim.scale_set("web").instances)) == (10, 8)
    azure.patch_image(NEW)
    azure.upgrade("*").result()
    assert len(azure.sim.scale_set("web").instances) == 8


def test_a_scale_out_fails_if_azure_has_no_capacity(start: Start) -> None:
    azure = start(capacity=5)
    live = azure.sim.scale_set("web")
    live.limit_allocation(6)
    with pytest.raises(HttpResponseError, match="AllocationFailed") as caught:
        azure.patch({"sku": {"name": "Standard_D2s_v5", "capacity": 8}})
    assert caught.value.status_code == 200
    azure.wait(120)
    assert (live.capacity, len(live.instances), live.provisioning_state) == (8, 6, "Failed")
    live.limit_allocation(None)
    azure.ask("PATCH", "", json.dumps({"sku": {"name": "Standard_D2s_v5", "capacity": 9}}).encode())
    azure.wait(120)
    assert (len(live.instances), live.provisioning_state, live.image) == (9, "Succeeded", OLD)
