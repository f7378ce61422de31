"""Scaling out and in: the autoscaler, and which instances are deleted."""

from __future__ import annotations

import json

import pytest

from tests.simulator.azure import NEW, OLD, Azure, Start


def ids(azure: Azure) -> list[str]:
    return [instance.id for instance in azure.sim.scale_set("web").instances]


def test_an_autoscaler_scales_out_and_in_by_the_clock(start: Start) -> None:
    azure = start(capacity=3, autoscale={"minimum": 2, "maximum": 5, "every": "10m"})
    seen = []
    for _ in range(9):
        azure.wait(600)
        seen.append(azure.sim.scale_set("web").capacity)
    assert seen == [4, 5, 4, 3, 2, 3, 4, 5, 4]
    azure.wait(60)
    assert len(ids(azure)) == 4


def test_an_autoscaler_brings_a_set_back_into_its_bounds(start: Start) -> None:
    azure = start(capacity=9, autoscale={"minimum": 2, "maximum": 5, "every": "10m"})
    azure.wait(700)
    assert azure.sim.scale_set("web").capacity == 5


def test_a_new_instance_is_on_the_current_model(start: Start) -> None:
    azure = start(capacity=3, autoscale={"minimum": 2, "maximum": 5, "every": "10m"})
    azure.patch_image(NEW)
    azure.wait(700)
    assert azure.sim.record.images("web") == {"0": OLD, "1": OLD, "2": OLD, "3": NEW}


def test_an_autoscaler_continues_after_a_rejection(start: Start) -> None:
    azure = start(capacity=2, autoscale={"minimum": 2, "maximum": 5, "every": "10m"})
    azure.sim.publish(OLD, deprecation="Deprecated")
    azure.wait(1300)
    assert azure.sim.scale_set("web").capacity == 2
    azure.sim.publish(OLD, deprecation="Active")
    azure.wait(600)
    assert azure.sim.scale_set("web").capacity == 3


def test_an_autoscaler_ends_with_its_scale_set(start: Start) -> None:
    azure = start(capacity=2, autoscale={"minimum": 2, "maximum": 5, "every": "10m"})
    azure.sim.scale_set("web").delete()
    azure.wait(3600)
    with pytest.raises(KeyError):
        azure.sim.scale_set("web")


@pytest.mark.parametrize(
    "web, capacity, left",
    [
        pytest.param({"capacity": 4}, 2, ["0", "1"], id="the highest ids are deleted"),
        pytest.param({"capacity": 4, "protected": ["3"]}, 2, ["0", "3"], id="a protected one stays"),
        pytest.param(
            {"capacity": 3, "protected": ["0", "1", "2"]},
            1,
            ["0", "1", "2"],
            id="all instances are protected",
        ),
        pytest.param(
            {"instances": ["0", "1", "3", "6"], "zones": ["1", "2", "3"]},
            3,
            ["0", "1", "3"],
            id="the highest id in the fullest zone",
        ),
        pytest.param(
            {"instances": ["0", "3", "6", "7", "8"], "zones": ["1", "2", "3"]},
            3,
            ["0", "7", "8"],
            id="the fullest zone before higher ids elsewhere",
        ),
        pytest.param(
            {"instances": ["0", "3", "6", "1", "16"], "zones": ["1", "2", "3"], "faultDomains": 5},
            4,
            ["0", "3", "1", "16"],
            id="the fullest zone before the fullest fault domain",
        ),
        pytest.param(
            {"instances": ["0", "5", "9"]},
            2,
            ["0", "9"],
            id="the fullest fault domain",
        ),
    ],
)
def test_scale_in_deletes_instances_by_the_default_policy(
    start: Start, web: dict[str, object], capacity: int, left: list[str]
) -> None:
    azure = start(**web)
    azure.sim.scale_set("web").scale_to(capacity)
    azure.wait(120)
    assert ids(azure) == left


def test_a_new_instance_takes_the_slot_of_a_deleted_one(start: Start) -> None:
    azure = start(capacity=9, zones=["1", "2", "3"], placementGroupSize=3)
    live = azure.sim.scale_set("web")
    before = sorted(str(instance.domain) for instance in live.instances)
    for gone in (["1", "4", "7"], ["0"], ["9", "10"]):
        azure.ask("POST", "delete", json.dumps({"instanceIds": gone}).encode())
        azure.wait(60)
        live.scale_to(9)
        azure.wait(120)
    assert sorted(str(instance.domain) for instance in live.instances) == before
    assert ids(azure) == ["2", "3", "5", "6", "8", "11", "12", "13", "14"]


def test_an_id_is_never_reused(start: Start) -> None:
    azure = start(instances=["5", "3"])
    azure.sim.scale_set("web").scale_to(5)
    assert ids(azure) == ["5", "3", "6", "7", "8"]


def test_scale_in_of_a_flexible_set_deletes_the_oldest_instance(start: Start) -> None:
    azure = start(capacity=3, orchestration="Flexible")
    before = ids(azure)
    azure.sim.scale_set("web").scale_to(2)
    azure.wait(120)
    assert ids(azure) == before[1:]


@pytest.mark.parametrize(
    "web, asked, limit",
    [
        pytest.param({"capacity": 1}, 101, 100, id="one placement group"),
        pytest.param(
            {"capacity": 1, "zones": ["1", "2", "3"]},
            301,
            300,
            id="one placement group in each of three zones",
        ),
        pytest.param({"capacity": 1, "orchestration": "Flexible"}, 1001, 1000, id="many placement groups"),
    ],
)
def test_a_scale_set_has_a_limit(start: Start, web: dict[str, object], asked: int, limit: int) -> None:
    azure = start(**web)
    answer = azure.ask("PATCH", "", f'{{"sku": {{"capacity": {asked}}}}}'.encode())
    assert answer.status == 409
    limits = f"exceeds the total limit of '{limit}' Virtual Machine instances."
    assert answer.json()["error"]["message"].endswith(limits)
