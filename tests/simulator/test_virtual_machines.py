"""Instances of Flexible scale sets as virtual machines."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

import pytest

from reconciler.simulator import SUBSCRIPTION
from tests.simulator.azure import GROUP, NEW, OLD, SET, Azure, Start

MACHINES = "/providers/Microsoft.Compute/virtualMachines"
THE_SET = f"'virtualMachineScaleSet/id' eq '{SET}'"
OF_WEB = f"$filter={quote(THE_SET)}"


@pytest.fixture
def flexible(start: Start) -> Azure:
    """The scale set `web` with 5 machines, beside another Flexible one and a Uniform one."""
    return start(
        {"name": "api", "resourceGroup": "shop", "capacity": 2, "image": OLD, "orchestration": "Flexible"},
        {"name": "old", "resourceGroup": "shop", "capacity": 3, "image": OLD},
        orchestration="Flexible",
        capacity=5,
    )


def names(azure: Azure) -> list[str]:
    return [instance.id for instance in azure.sim.scale_set("web").instances]


def list_machines(azure: Azure, path: str) -> list[dict[str, Any]]:
    answer = azure.ask("GET", path)
    assert answer.status == 200, answer.body
    rows: list[dict[str, Any]] = answer.json()["value"]
    return rows


def test_a_machine_reads_as_a_resource_of_its_own(flexible: Azure) -> None:
    name = names(flexible)[0]
    machine = flexible.ask("GET", f"{GROUP}{MACHINES}/{name}").json()
    assert (machine["name"], machine["id"]) == (name, f"{GROUP}{MACHINES}/{name}")
    assert machine["type"] == "Microsoft.Compute/virtualMachines"
    properties = machine["properties"]
    assert properties["virtualMachineScaleSet"] == {"id": SET}
    assert properties["storageProfile"]["imageReference"]["exactVersion"] == OLD.rpartition(":")[2]
    assert properties["hardwareProfile"] == {"vmSize": "Standard_D2s_v5"}
    assert properties["provisioningState"] == "Succeeded"
    assert not {"latestModelApplied", "instanceView"} & set(properties)


@pytest.mark.parametrize(
    "path, found",
    [
        pytest.param(f"{GROUP}{MACHINES}?{OF_WEB}", 5, id="a filter by scale set"),
        pytest.param(f"{GROUP}{MACHINES}?{OF_WEB.upper().replace('$FILTER', '$filter')}", 5, id="a filter in any casing"),
        pytest.param(f"{GROUP}{MACHINES}?{OF_WEB.replace(quote(' eq ') + '%27', quote(' eq '))}", 5, id="a filter without quotes around the id"),
        pytest.param(f"/subscriptions/{SUBSCRIPTION}{MACHINES}?{OF_WEB}", 5, id="the list of a subscription"),
        pytest.param(f"{GROUP}{MACHINES}", 7, id="the list of a group has no instances of the Uniform set"),
        pytest.param(f"{GROUP}{MACHINES}?{OF_WEB.replace('web', 'old')}", 0, id="a filter by a Uniform set"),
    ],
)  # fmt: skip
def test_machines_are_found_by_their_scale_set(flexible: Azure, path: str, found: int) -> None:
    assert len(list_machines(flexible, path)) == found


def test_the_list_of_a_subscription_has_the_group_in_upper_case(flexible: Azure) -> None:
    row = list_machines(flexible, f"/subscriptions/{SUBSCRIPTION}{MACHINES}?{OF_WEB}")[0]
    assert "/resourceGroups/SHOP/" in row["id"]
    assert "/resourceGroups/SHOP/" in row["properties"]["virtualMachineScaleSet"]["id"]


def test_the_sdk_reads_all_pages_with_their_instance_views(start: Start) -> None:
    azure = start(orchestration="Flexible", capacity=20, top={"page": 6})
    machines = list(azure.client.virtual_machines.list("shop", filter=THE_SET, expand="instanceView"))
    assert [machine.name for machine in machines] == names(azure)
    codes = {
        tuple(s.code for s in machine.instance_view.statuses or ())
        for machine in machines
        if machine.instance_view
    }
    assert codes == {("ProvisioningState/succeeded", "PowerState/running")}
    assert [each.operation for each in azure.sim.record.requests] == ["VirtualMachines_List"] * 4


@pytest.mark.parametrize(
    "domains, shown",
    [
        pytest.param({}, [None] * 4, id="one fault domain is not shown"),
        pytest.param({"faultDomains": 3}, [0, 1, 2, 0], id="three fault domains are shown"),
    ],
)
def test_the_view_of_a_machine_has_no_update_domain(
    start: Start, domains: dict[str, int], shown: list[int | None]
) -> None:
    azure = start(orchestration="Flexible", capacity=4, **domains)
    views = [azure.ask("GET", f"{GROUP}{MACHINES}/{name}/instanceView").json() for name in names(azure)]
    assert [view.get("platformFaultDomain") for view in views] == shown
    assert not {"platformUpdateDomain", "placementGroupId"} & set(views[0])
    assert views[0]["vmHealth"]["status"]["code"] == "HealthState/healthy"
    assert {"computerName", "osName", "vmAgent"} <= set(views[0])
    expanded = azure.ask("GET", f"{GROUP}{MACHINES}/{names(azure)[0]}?$expand=instanceView").json()
    assert expanded["properties"]["instanceView"] == views[0]


def test_a_zonal_machine_shows_its_zone(start: Start) -> None:
    azure = start(orchestration="Flexible", capacity=3, zones=["1", "2", "3"])
    assert [row["zones"] for row in list_machines(azure, f"{GROUP}{MACHINES}")] == [["1"], ["2"], ["3"]]


@pytest.mark.parametrize(
    "path, status, code, words",
    [
        pytest.param(f"{GROUP}{MACHINES}/nobody", 404, "ResourceNotFound", "'Microsoft.Compute/virtualMachines/nobody'", id="a missing machine"),
        pytest.param(f"{GROUP.replace('shop', 'void')}{MACHINES}", 404, "ResourceGroupNotFound", "'void'", id="a missing resource group"),
        pytest.param(f"{GROUP}{MACHINES}?$filter=name%20eq%20%27x%27", 400, "InvalidParameter", "not supported", id="an unsupported filter"),
        pytest.param(f"{GROUP}{MACHINES}?$expand=instanceView", 400, "InvalidParameter", "$filter", id="views of all machines"),
    ],
)  # fmt: skip
def test_a_missing_machine_or_an_unsupported_filter_is_rejected(
    flexible: Azure, path: str, status: int, code: str, words: str
) -> None:
    answer = flexible.ask("GET", path)
    assert (answer.status, answer.json()["error"]["code"]) == (status, code)
    assert words in answer.json()["error"]["message"]


@pytest.mark.parametrize("end", ["", "/instanceView"])
def test_a_machine_is_not_found_by_name_below_its_scale_set(flexible: Azure, end: str) -> None:
    answer = flexible.ask("GET", f"virtualMachines/{names(flexible)[0]}{end}")
    assert (answer.status, answer.json()["error"]["target"]) == (400, "instanceId")


@pytest.mark.parametrize(
    "web, zones",
    [
        pytest.param({}, [[None]] * 3, id="a regional set"),
        pytest.param({"zones": ["1", "2"]}, [["1"], ["2"], ["1"]], id="a zonal set"),
    ],
)
def test_a_row_of_the_scale_sets_own_list_is_little_more_than_a_name(
    start: Start, web: dict[str, Any], zones: list[list[str | None]]
) -> None:
    azure = start(orchestration="Flexible", capacity=3, tags={"team": "web"}, **web)
    assert list_machines(azure, f"{SET}/virtualMachines?$expand=instanceView") == [
        {
            "name": name,
            "id": f"{SET}/virtualMachines/{name}",
            "type": "Microsoft.Compute/virtualMachineScaleSets/virtualMachines",
            "location": "westeurope",
            "instanceId": name,
            "zones": zone,
        }
        for name, zone in zip(names(azure), zones, strict=True)
    ]


@pytest.mark.parametrize(
    "version, has_properties",
    [
        pytest.param("2026-04-01", True, id="a version that can"),
        pytest.param("2025-04-01", False, id="an older version"),
    ],
)
def test_rows_may_have_properties_that_name_the_machine(
    flexible: Azure, version: str, has_properties: bool
) -> None:
    flexible.sim.cloud.flexible_row_properties = True
    flexible.patch_image(NEW)
    row = flexible.ask("GET", "virtualMachines", version=version).json()["value"][0]
    assert ("properties" in row) is has_properties
    if has_properties:
        machine = f"{GROUP}{MACHINES}/{names(flexible)[0]}"
        properties = row["properties"]
        assert (properties["virtualMachineResourceId"], row["id"]) == (
            machine,
            f"{SET}/virtualMachines/{row['name']}",
        )
        assert properties["latestModelApplied"] is False
        assert "instanceView" not in properties


@pytest.mark.parametrize(
    "policy, shown",
    [pytest.param({}, None, id="no policy"), pytest.param({"mode": "Rolling"}, "Rolling", id="Rolling")],
)
def test_a_flexible_set_shows_the_upgrade_policy_that_a_client_wrote(
    start: Start, policy: dict[str, str], shown: str | None
) -> None:
    azure = start(orchestration="Flexible", capacity=1, **policy)
    assert azure.ask("GET", "").json()["properties"].get("upgradePolicy", {}).get("mode") == shown


def test_machines_are_upgraded_by_name(flexible: Azure) -> None:
    flexible.patch_image(NEW)
    first, *others = names(flexible)
    answer = flexible.ask("POST", "manualupgrade", json.dumps({"instanceIds": [first]}).encode())
    assert (answer.status, answer.headers["x-ms-request-charge"]) == (202, "1")
    machine = flexible.ask("GET", f"{GROUP}{MACHINES}/{first}?$expand=instanceView").json()
    assert machine["properties"]["provisioningState"] == "Updating"
    flexible.wait(100)
    images = flexible.sim.record.images("web")
    assert images == {first: NEW, **dict.fromkeys(others, OLD)}
    unknown = flexible.ask("POST", "manualupgrade", b'{"instanceIds":["web_0"]}')
    assert unknown.json()["error"]["target"] == "upgradePolicies.instanceIds"


def test_a_deallocated_machine_has_no_guest(flexible: Azure) -> None:
    flexible.sim.scale_set("web").instances[0].deallocate()
    flexible.wait(60)
    view = flexible.ask("GET", f"{GROUP}{MACHINES}/{names(flexible)[0]}/instanceView").json()
    assert view["statuses"][1]["code"] == "PowerState/deallocated"
    assert not {"computerName", "osName", "vmAgent", "vmHealth"} & set(view)
