"""Instances over the wire: rows, views, domains, filters, pages, power, protection and forced states."""

from __future__ import annotations

import json
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError

from tests.simulator.azure import NEW, OLD, SET, Azure, Start


def rows(azure: Azure, query: str = "$expand=instanceView") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = azure.ask("GET", f"virtualMachines?{query}").json()["value"]
    return found


def test_a_row_reads_as_recorded(azure: Azure) -> None:
    row = rows(azure)[3]
    assert {name: row[name] for name in ("name", "instanceId", "etag")} == {
        "name": "web_3",
        "instanceId": "3",
        "etag": '"1"',
    }
    properties = row["properties"]
    assert (properties["latestModelApplied"], properties["modelDefinitionApplied"]) == (
        True,
        "VirtualMachineScaleSet",
    )
    assert properties["storageProfile"]["imageReference"]["exactVersion"] == OLD.rpartition(":")[2]
    assert properties["osProfile"]["computerName"] == "web000003"
    view = properties["instanceView"]
    assert (view["platformUpdateDomain"], view["platformFaultDomain"]) == (3, 3)
    assert [status["code"] for status in view["statuses"]] == [
        "ProvisioningState/succeeded",
        "PowerState/running",
    ]
    assert view["statuses"][0]["time"] == "2026-01-05T09:00:00+00:00"
    assert view["vmHealth"]["status"]["code"] == "HealthState/healthy"


@pytest.mark.parametrize("health", ["probe", "none"])
def test_health_shows_only_where_the_extension_reports_it(start: Start, health: str) -> None:
    assert "vmHealth" not in rows(start(health=health))[0]["properties"]["instanceView"]


def test_a_row_without_expansion_has_no_view(azure: Azure) -> None:
    assert "instanceView" not in rows(azure, "")[0]["properties"]


def test_a_vhd_is_shown_in_the_disk(start: Start) -> None:
    uri = "https://acct.blob.core.windows.net/vhds/base-1.vhd"
    profile = rows(start(image=uri))[0]["properties"]["storageProfile"]
    assert "imageReference" not in profile
    assert profile["osDisk"]["image"] == {"uri": uri}


def test_a_selection_has_few_fields_and_a_wrong_latest_model_flag(azure: Azure) -> None:
    row = rows(azure, "$select=instanceView&$expand=instanceView")[0]
    assert set(row) == {"id", "instanceId", "properties"}
    assert row["properties"]["latestModelApplied"] is False


def test_instances_are_filtered_by_the_latest_model(azure: Azure) -> None:
    azure.patch_image(NEW)
    azure.upgrade("2", "7").result()
    vms = azure.client.virtual_machine_scale_set_vms
    current = vms.list("shop", "web", filter="properties/latestModelApplied eq true")
    behind = vms.list("shop", "web", filter="properties/latestModelApplied eq false")
    assert [vm.instance_id for vm in current] == ["2", "7"]
    assert len(list(behind)) == 18


def test_the_next_page_keeps_the_parameters(start: Start) -> None:
    azure = start(capacity=120, top={"page": 50})
    listed = list(azure.client.virtual_machine_scale_set_vms.list("shop", "web", expand="instanceView"))
    assert [vm.instance_id for vm in listed] == [str(number) for number in range(120)]
    assert all(vm.instance_view is not None for vm in listed)
    charges = [
        exchange
        for exchange in azure.sim.record.requests
        if exchange.operation == "VirtualMachineScaleSetVMs_List"
    ]
    assert len(charges) == 3


@pytest.mark.parametrize(
    "shape, instance_id, domain",
    [
        pytest.param({}, "7", (None, 2, 2), id="a regional set"),
        pytest.param(
            {"capacity": 150}, "102", (None, 2, 2), id="the second placement group of a regional set"
        ),
        pytest.param({"faultDomains": 2}, "3", (None, 3, 1), id="a regional set with two fault domains"),
        pytest.param({"zones": ["1", "2", "3"]}, "5", ("3", 1, 0), id="a zonal set with update domains"),
        pytest.param(
            {"zones": ["1", "2", "3"], "zonalUpdateDomains": False},
            "5",
            ("3", None, 0),
            id="a zonal set without update domains",
        ),
    ],
)
def test_an_instance_shows_its_domains(
    start: Start, shape: dict[str, Any], instance_id: str, domain: tuple[Any, ...]
) -> None:
    azure = start(**shape)
    answer = azure.ask("GET", f"virtualMachines/{instance_id}?$expand=instanceView")
    row, view = answer.json(), answer.json()["properties"]["instanceView"]
    zones = row.get("zones", [None])
    assert (zones[0], view.get("platformUpdateDomain"), view["platformFaultDomain"]) == domain
    assert answer.headers["ETag"] == '"1"'


def test_domains_are_numbered_in_each_placement_group(start: Start) -> None:
    azure = start(capacity=150, top={"page": 200})
    groups = [row["properties"]["instanceView"]["placementGroupId"] for row in rows(azure)]
    assert groups[0] == groups[99] != groups[100] == groups[149]
    assert azure.ask("GET", "").json()["properties"]["singlePlacementGroup"] is False


def test_a_flexible_set_has_no_instance_view_of_its_own(start: Start) -> None:
    azure = start(orchestration="Flexible", capacity=2)
    with pytest.raises(HttpResponseError, match="Flexible"):
        azure.client.virtual_machine_scale_sets.get_instance_view("shop", "web")


def test_a_deallocated_instance_keeps_its_domains_and_shows_no_guest(azure: Azure) -> None:
    azure.sim.scale_set("web").instance("3").deallocate()
    azure.wait(60)
    view = azure.ask("GET", "virtualMachines/3/instanceView").json()
    assert (view["platformUpdateDomain"], view["statuses"][1]["code"]) == (3, "PowerState/deallocated")
    assert not {"computerName", "osName", "vmAgent", "vmHealth"} & set(view)


def test_an_instance_being_created_has_no_domains_yet(azure: Azure) -> None:
    azure.sim.scale_set("web").scale_to(21)
    view = azure.ask("GET", "virtualMachines/20/instanceView").json()
    assert "platformUpdateDomain" not in view
    azure.wait(40)
    assert azure.ask("GET", "virtualMachines/20/instanceView").json()["platformUpdateDomain"] == 0


@pytest.mark.parametrize(
    "verb, under_way",
    [
        pytest.param("restart", "updating", id="an instance being restarted"),
        pytest.param("delete", "deleting", id="an instance being deleted"),
    ],
)
def test_a_status_in_transition_has_no_time(azure: Azure, verb: str, under_way: str) -> None:
    azure.ask("POST", verb, b'{"instanceIds":["3"]}')
    provisioning, power = azure.ask("GET", "virtualMachines/3/instanceView").json()["statuses"]
    assert provisioning["code"] == f"ProvisioningState/{under_way}"
    assert "time" not in provisioning
    assert "time" not in power


def test_the_status_of_an_instance_being_created_has_no_time(azure: Azure) -> None:
    azure.sim.scale_set("web").scale_to(21)
    status = azure.ask("GET", "virtualMachines/20/instanceView").json()["statuses"][0]
    assert status == {"code": "ProvisioningState/creating", "level": "Info", "displayStatus": "Creating"}


@pytest.mark.parametrize("state", ["succeeded", "failed"])
def test_the_status_of_a_settled_instance_has_a_time(azure: Azure, state: str) -> None:
    if state == "failed":
        azure.sim.scale_set("web").instance("3").fail()
    provisioning = azure.ask("GET", "virtualMachines/3/instanceView").json()["statuses"][0]
    assert provisioning["code"].startswith(f"ProvisioningState/{state}")
    assert "time" in provisioning


@pytest.mark.parametrize(
    "policy, status",
    [
        pytest.param(
            {"protectFromScaleIn": True, "protectFromScaleSetActions": True},
            200,
            id="protection from actions and scale-in",
        ),
        pytest.param({"protectFromScaleIn": True}, 200, id="protection from scale-in only"),
        pytest.param(
            {"protectFromScaleIn": False, "protectFromScaleSetActions": True},
            400,
            id="protection from actions without scale-in",
        ),
    ],
)
def test_an_instance_is_protected_by_a_put(azure: Azure, policy: dict[str, bool], status: int) -> None:
    body = json.dumps({"properties": {"protectionPolicy": policy}}).encode()
    answer = azure.ask("PUT", "virtualMachines/3", body)
    assert answer.status == status
    shown = azure.ask("GET", "virtualMachines/3").json()["properties"].get("protectionPolicy", {})
    assert {name: shown.get(name) for name in policy} == (policy if status == 200 else dict.fromkeys(policy))


def test_a_put_of_an_instance_with_an_old_etag_is_412(azure: Azure) -> None:
    answer = azure.ask("PUT", "virtualMachines/3", b'{"tags":{"a":"b"}}', headers={"if-match": '"7"'})
    assert answer.json()["error"]["message"].endswith('"7" does not match etag "1" of resource.')


@pytest.mark.parametrize(
    "verb, during, after",
    [
        ("restart", "stopping", "running"),
        ("poweroff", "stopping", "stopped"),
        ("deallocate", "deallocating", "deallocated"),
        ("reimage", "stopping", "running"),
        ("reimageall", "stopping", "running"),
    ],
)
def test_power_actions_and_reimages_change_the_state(
    azure: Azure, verb: str, during: str, after: str
) -> None:
    live = azure.sim.scale_set("web").instance("3")
    assert azure.ask("POST", verb, b'{"instanceIds":["3"]}').headers["x-ms-request-charge"] == "1"
    assert live.state[1] == during
    azure.wait(120)
    assert (live.state[1], live.image) == (after, OLD)


def test_a_reimage_resolves_latest_again_and_keeps_the_model(start: Start) -> None:
    sku = OLD.rpartition(":")[0]
    azure = start(image=f"{sku}:latest")
    azure.sim.publish(f"{sku}:24.04.202604010")
    assert azure.sim.scale_set("web").instance("3").is_current, "a newer version does not change the flag"
    assert azure.upgrade("3", polling=False) is not None
    azure.ask("POST", "virtualMachines/3/reimage")
    azure.wait(120)
    assert azure.sim.record.images("web")["3"] == f"{sku}:24.04.202604010"


def test_deleted_instances_are_gone_and_their_ids_are_not_reused(azure: Azure) -> None:
    azure.ask("POST", "delete", b'{"instanceIds":["3","19"]}')
    azure.wait(60)
    with pytest.raises(ResourceNotFoundError, match="not found in this Azure location"):
        azure.client.virtual_machine_scale_set_vms.get("shop", "web", "3")
    live = azure.sim.scale_set("web")
    assert live.capacity == 18
    live.scale_to(19)
    assert [instance.id for instance in live.instances][-1] == "20"


def test_states_can_be_forced_on_an_instance(azure: Azure) -> None:
    live = azure.sim.scale_set("web").instance("3")
    for force, state in (
        (live.sicken, ("succeeded", "running", "unhealthy")),
        (live.heal, ("succeeded", "running", "healthy")),
        (live.fail, ("failed", "running", "unknown")),
        (live.evict, ("succeeded", "deallocated", "unknown")),
        (live.heal, ("succeeded", "running", "healthy")),
    ):
        force()
        assert live.state == state
        azure.wait(1)
    assert [absence.cause for absence in azure.sim.record.absences("web")] == ["unhealthy", "fail"]


def test_bad_health_ends_no_operation(azure: Azure) -> None:
    azure.patch_image(NEW)
    azure.upgrade("3", polling=False)
    live = azure.sim.scale_set("web").instance("3")
    live.sicken()
    azure.wait(95)
    assert (live.state, live.image) == (("succeeded", "running", "healthy"), NEW)


def test_a_spot_instance_may_vanish(start: Start) -> None:
    azure = start(spot=True, evictionPolicy="Delete")
    azure.sim.scale_set("web").instance("3").evict()
    assert azure.ask("GET", "virtualMachines/3").status == 404


def test_an_instance_on_another_image_is_not_on_the_latest_model(azure: Azure) -> None:
    live = azure.sim.scale_set("web").instance("3")
    live.apply_image(NEW)
    assert (live.image, live.is_current) == (NEW, False)


def test_the_scale_set_counts_its_instances(azure: Azure) -> None:
    azure.sim.scale_set("web").instance("3").fail()
    view = azure.ask("GET", "instanceView").json()
    assert view["virtualMachine"]["statusesSummary"] == [
        {"code": "ProvisioningState/succeeded", "count": 19},
        {"code": "ProvisioningState/failed", "count": 1},
    ]
    assert view["extensions"][0]["name"] == "AppHealth"


def test_an_instance_is_found_in_any_casing(azure: Azure) -> None:
    path = (
        SET.replace("virtualMachineScaleSets", "VIRTUALMACHINESCALESETS") + "/virtualmachines/%2A/deallocate"
    )
    assert azure.ask("POST", path).headers["x-ms-request-charge"] == "20"
