"""The network interfaces of a scale set, one for each NIC and instance."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.simulator.azure import GROUP, SET, Azure, Start

LB = f"{GROUP}/providers/Microsoft.Network/loadBalancers/lb"
POOL, NAT = {"id": f"{LB}/backendAddressPools/p"}, {"id": f"{LB}/inboundNatPools/n"}


@pytest.fixture
def azure(start: Start) -> Azure:
    return start(capacity=2, health="none")


def list_interfaces(
    azure: Azure, path: str = "networkInterfaces", version: str = "2018-10-01"
) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = azure.ask("GET", path, version=version).json()["value"]
    return rows


def test_each_instance_has_an_interface_for_each_nic(azure: Azure) -> None:
    rows = list_interfaces(azure)
    assert [each["id"] for each in rows] == [
        f"{SET}/virtualMachines/{n}/networkInterfaces/web" for n in (0, 1)
    ]
    assert list_interfaces(azure, "virtualMachines/1/networkInterfaces") == rows[1:]
    assert azure.ask("GET", "virtualMachines/1/networkInterfaces/WEB", version="2018-10-01").json() == rows[1]
    shown = azure.ask("GET", "virtualMachines/1").json()["properties"]["networkProfile"]["networkInterfaces"]
    assert shown == [{"id": rows[1]["id"]}]
    properties = rows[1]["properties"]
    assert properties["virtualMachine"] == {"id": f"{SET}/virtualMachines/1"}
    assert (properties["primary"], properties["macAddress"]) == (True, "00-0D-3A-00-01-00")


@pytest.mark.parametrize(
    "version, later",
    [
        pytest.param("2017-03-30", set(), id="2017-03-30"),
        pytest.param("2018-10-01", {"hostedWorkloads", "tapConfigurations"}, id="2018-10-01"),
    ],
)
def test_a_version_shows_the_fields_of_its_time(azure: Azure, version: str, later: set[str]) -> None:
    shown = set(list_interfaces(azure, version=version)[0]["properties"])
    assert shown & {"hostedWorkloads", "tapConfigurations"} == later


def test_an_address_is_in_the_pools_of_the_model_and_has_a_rule_of_its_own(azure: Azure) -> None:
    card = azure.ask("GET", "").json()["properties"]["virtualMachineProfile"]["networkProfile"]
    (only,) = card["networkInterfaceConfigurations"]
    (address,) = only["properties"]["ipConfigurations"]
    address["properties"] |= {"loadBalancerBackendAddressPools": [POOL], "loadBalancerInboundNatPools": [NAT]}
    azure.ask(
        "PATCH", "", json.dumps({"properties": {"virtualMachineProfile": {"networkProfile": card}}}).encode()
    )
    azure.wait(60)
    azure.upgrade("1")
    azure.wait(60)
    before, after = (
        each["properties"]["ipConfigurations"][0]["properties"] for each in list_interfaces(azure)
    )
    assert "loadBalancerBackendAddressPools" not in before
    assert after["loadBalancerBackendAddressPools"] == [POOL]
    assert after["loadBalancerInboundNatRules"] == [{"id": f"{LB}/inboundNatRules/n.1"}]
    assert (before["privateIPAddress"], after["privateIPAddress"]) == ("10.0.0.4", "10.0.0.5")


@pytest.mark.parametrize(
    "path", ["virtualMachines/9/networkInterfaces", "virtualMachines/0/networkInterfaces/other"]
)
def test_an_unknown_interface_is_404(azure: Azure, path: str) -> None:
    assert azure.ask("GET", path, version="2018-10-01").status == 404


def test_a_list_has_pages(start: Start) -> None:
    azure = start(capacity=3, top={"page": 2})
    first = azure.ask("GET", "networkInterfaces", version="2018-10-01").json()
    assert (len(first["value"]), "$skiptoken=2" in first["nextLink"]) == (2, True)
