"""The replay itself, on cassettes of our own: what exists at the start, and how much time passes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.recorded.__main__ import main
from tests.recorded.cassette import Cassette, Interaction
from tests.recorded.replay import Outcome, replay

GROUP = "/subscriptions/S/resourceGroups/shop"
SET = f"{GROUP}/providers/Microsoft.Compute/virtualMachineScaleSets/web"
OPERATIONS = "/subscriptions/S/providers/Microsoft.Compute/locations/westus/operations"
FIRST, SECOND = ("11111111-1111-1111-1111-111111111111", "22222222-2222-2222-2222-222222222222")
PROFILE = {
    "storageProfile": {
        "imageReference": {
            "publisher": "Canonical",
            "offer": "UbuntuServer",
            "sku": "18.04-LTS",
            "version": "latest",
        }
    }
}


def scale_set(**properties: Any) -> dict[str, Any]:
    return {
        "name": "web",
        "id": SET,
        "type": "Microsoft.Compute/virtualMachineScaleSets",
        "location": "westus",
        "sku": {"name": "Standard_DS1_v2", "tier": "Standard", "capacity": 2},
        "properties": {"virtualMachineProfile": PROFILE, "provisioningState": "Succeeded", **properties},
    }


def row(number: str, **properties: Any) -> dict[str, Any]:
    return {"id": f"{SET}/virtualMachines/{number}", "instanceId": number, "properties": properties}


def interaction(
    ask: str, status: int, answer: Any = None, *, sent: Any = None, headers: Mapping[str, str] | None = None
) -> Interaction:
    method, _, path = ask.partition(" ")
    return Interaction(0, method, path, {"api-version": "2024-07-01"}, sent, status, headers or {}, answer)


def outcomes_of(*interactions: Interaction) -> list[Outcome]:
    return list(replay(Cassette("ours", interactions)))


def operation_body(operation: str, status: str) -> dict[str, Any]:
    return {"name": operation, "status": status}


def test_a_set_created_before_the_cassette_exists_with_the_instances_of_later_responses() -> None:
    found = outcomes_of(
        interaction(f"GET {SET}", 200, scale_set()),
        interaction(f"GET {SET}/virtualMachines", 200, {"value": [row("0"), row("3")]}),
        interaction(f"GET {SET}/virtualMachines/3/instanceView", 200, {"statuses": []}),
        interaction(f"POST {SET}/virtualMachines/3/restart", 202),
    )
    assert [each.status for each in found] == [200, 200, 200, 202]
    assert found[2].answer["platformUpdateDomain"] == 3
    assert [each["instanceId"] for each in found[1].answer["value"]] == ["0", "3"]


def test_a_set_does_not_exist_until_the_cassette_creates_it() -> None:
    body = {
        "location": "westus",
        "sku": {"name": "Standard_DS1_v2", "capacity": 1},
        "properties": {"virtualMachineProfile": PROFILE},
    }
    found = outcomes_of(
        interaction(f"GET {SET}", 404, {"error": {"code": "ResourceNotFound"}}),
        interaction(f"PUT {SET}", 201, scale_set(provisioningState="Creating"), sent=body),
        interaction(f"GET {SET}", 200, scale_set()),
    )
    assert [each.status for each in found] == [404, 201, 200]
    assert [each.answer["properties"]["provisioningState"] for each in found[1:]] == ["Creating", "Succeeded"]


def test_an_operation_runs_for_as_long_as_it_was_recorded() -> None:
    started = {
        "azure-asyncoperation": f"https://management.azure.com{OPERATIONS}/{FIRST}?api-version=2024-07-01"
    }
    states = ["InProgress", "InProgress", "Succeeded"]
    found = outcomes_of(
        interaction(f"GET {SET}", 200, scale_set()),
        interaction(f"POST {SET}/restart", 202, headers=started),
        *(interaction(f"GET {OPERATIONS}/{FIRST}", 200, operation_body(FIRST, state)) for state in states),
        interaction(f"GET {SET}", 200, scale_set()),
    )
    assert [each.answer["status"] for each in found[2:5]] == states
    assert found[5].answer["properties"]["provisioningState"] == "Succeeded"


def test_an_operation_that_no_request_of_the_cassette_started_exists() -> None:
    (found,) = outcomes_of(
        interaction(f"GET {OPERATIONS}/{SECOND}", 200, operation_body(SECOND, "Succeeded"))
    )
    assert (found.status, found.answer["status"]) == (200, "Succeeded")


def test_a_recorded_conflict_is_rejected_and_succeeds_later() -> None:
    refusal = {"error": {"code": "Conflict", "message": "The request failed due to conflict"}}
    found = outcomes_of(
        interaction(f"GET {SET}", 200, scale_set()),
        interaction(f"POST {SET}/restart", 202),
        interaction(f"GET {SET}", 200, scale_set()),
        interaction(f"POST {SET}/manualupgrade", 409, refusal, sent={"instanceIds": ["*"]}),
        interaction(f"POST {SET}/manualupgrade", 202, sent={"instanceIds": ["*"]}),
    )
    assert [each.status for each in found[3:]] == [409, 202]


def test_the_report_counts_interactions_and_kinds_of_differences(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    entries = [
        {
            "n": 0,
            "request": {"method": "GET", "path": SET, "query": "api-version=2024-07-01", "body": None},
            "response": {"status": 200, "headers": {}, "body": scale_set(colour="blue")},
        }
    ]
    (tmp_path / "ours.json").write_text(json.dumps(entries))
    assert main([str(tmp_path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "ours: 1 interactions, 1 same status, 0 same fields"
    assert any(line.endswith("1 added .etag") for line in lines)


def test_the_report_needs_one_directory(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert "DIRECTORY" in capsys.readouterr().err
