"""Overprovisioning: additional instances are created, and deleted again."""

from __future__ import annotations

import json

import pytest

from tests.simulator.azure import BAD, NEW, Azure, Start


def rows(azure: Azure) -> list[str]:
    return [row["instanceId"] for row in azure.ask("GET", "virtualMachines").json()["value"]]


def test_surplus_instances_are_created_and_deleted_before_the_operation_ends(start: Start) -> None:
    azure = start(capacity=4, overprovision=True)
    answer = azure.ask("PATCH", "", json.dumps({"sku": {"capacity": 6}}).encode())
    assert len(rows(azure)) == 8
    assert azure.sim.scale_set("web").capacity == 6
    azure.wait(50)
    live = azure.sim.scale_set("web")
    assert live.provisioning_state == "Updating", "the surplus is being deleted"
    azure.wait(30)
    assert (len(rows(azure)), live.provisioning_state) == (6, "Succeeded")
    operation = azure.ask(
        "GET", answer.headers["Azure-AsyncOperation"].removeprefix("https://arm.test")
    ).json()
    assert operation["status"] == "Succeeded"


def test_ids_of_surplus_instances_are_never_reused(start: Start) -> None:
    azure = start(capacity=2, overprovision=True)
    live = azure.sim.scale_set("web")
    for capacity in (4, 6):
        live.scale_to(capacity)
        azure.wait(200)
    ids = [int(each) for each in rows(azure)]
    assert len(ids) == 6
    assert max(ids) > 5
    assert len(azure.sim.record.absences("web")) == 8, "four instances stay, and four are surplus"


def test_the_etag_moves_once_more_when_the_surplus_is_gone(start: Start) -> None:
    azure = start(capacity=2, overprovision=True)
    live = azure.sim.scale_set("web")
    live.scale_to(4)
    before = live.etag
    azure.wait(200)
    assert live.etag != before


@pytest.mark.parametrize(
    "web",
    [
        pytest.param({"overprovision": False}, id="a set with overprovisioning off"),
        pytest.param({"overprovision": True, "orchestration": "Flexible"}, id="a Flexible set"),
    ],
)
def test_a_set_that_does_not_overprovision_has_no_surplus(start: Start, web: dict[str, object]) -> None:
    azure = start(capacity=2, **web)
    azure.sim.scale_set("web").scale_to(4)
    assert len(azure.sim.scale_set("web").instances) == 4


def test_failed_instances_fail_the_operation_despite_a_surplus(start: Start) -> None:
    azure = start(capacity=2, overprovision=True)
    azure.sim.publish(BAD, boots="fails")
    azure.sim.scale_set("web").set_image(BAD)
    azure.wait(30)
    azure.sim.scale_set("web").scale_to(4)
    azure.wait(200)
    live = azure.sim.scale_set("web")
    assert (live.provisioning_state, len(live.instances)) == ("Failed", 4)


def test_scaling_in_before_the_surplus_is_deleted(start: Start) -> None:
    azure = start(capacity=4, overprovision=True, image=NEW)
    live = azure.sim.scale_set("web")
    live.scale_to(6)
    live.scale_to(3)
    azure.wait(300)
    assert (len(live.instances), live.capacity, live.provisioning_state) == (3, 3, "Succeeded")


def test_deleting_the_scale_set_before_the_surplus_is_deleted(start: Start) -> None:
    azure = start({"name": "api", "resourceGroup": "shop", "image": NEW}, capacity=4, overprovision=True)
    patch = azure.ask("PATCH", "", json.dumps({"sku": {"capacity": 6}}).encode())
    answer = azure.ask("DELETE", "")
    azure.wait(300)
    for each in (answer, patch):
        address = each.headers["Azure-AsyncOperation"].removeprefix("https://arm.test")
        assert azure.ask("GET", address).json()["status"] == ("Succeeded" if each is answer else "Failed")
    assert azure.ask("GET", "").status == 404


def test_deleting_the_surplus_by_hand(start: Start) -> None:
    azure = start(capacity=2, overprovision=True)
    live = azure.sim.scale_set("web")
    live.scale_to(3)
    bodies = [json.dumps({"instanceIds": [each]}).encode() for each in ("2", "3", "4")]
    statuses = [azure.ask("POST", "delete", body).status for body in bodies]
    assert sorted(statuses) == [202, 202, 409], "only the instance that stays is busy"
    azure.wait(300)
    assert (len(live.instances), live.capacity, live.provisioning_state) == (3, 3, "Succeeded")
