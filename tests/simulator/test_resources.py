"""Resource Manager's own view of a scale set: its tags, and its entry in lists of resources of all types."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

import pytest

from reconciler.simulator import SUBSCRIPTION
from tests.simulator.azure import GROUP, OLD, SET, Azure, Start

TAGS = f"{SET}/providers/Microsoft.Resources/tags/default"
ALL = f"/subscriptions/{SUBSCRIPTION}/resources"
SETS = "Microsoft.Compute/virtualMachineScaleSets"
MACHINES = "Microsoft.Compute/virtualMachines"


@pytest.fixture
def azure(start: Start) -> Azure:
    other = {"name": "api", "resourceGroup": "back", "capacity": 2, "image": OLD, "orchestration": "Flexible"}
    return start(other, capacity=2, tags={"team": "web", "tier": "front"})


def send_tags(azure: Azure, verb: str, body: Any = None) -> Any:
    return azure.ask(verb, TAGS, b"" if body is None else json.dumps(body).encode(), version="2021-04-01")


@pytest.mark.parametrize(
    "verb, operation, named, left",
    [
        pytest.param("PUT", None, {"a": "1"}, {"a": "1"}, id="PUT"),
        pytest.param("PATCH", "Replace", {"a": "1"}, {"a": "1"}, id="Replace"),
        pytest.param("PATCH", "Merge", {"a": "1", "TEAM": "api"}, {"tier": "front", "a": "1", "TEAM": "api"}, id="Merge"),
        pytest.param("PATCH", "Delete", {"Team": "web"}, {"tier": "front"}, id="Delete"),
        pytest.param("PATCH", "Delete", {"team": "api"}, {"team": "web", "tier": "front"}, id="Delete of a tag with another value"),
    ],
)  # fmt: skip
def test_tags_are_written(
    azure: Azure, verb: str, operation: str | None, named: dict[str, str], left: dict[str, str]
) -> None:
    body = {"properties": {"tags": named}, **({"operation": operation} if operation else {})}
    answer = send_tags(azure, verb, body)
    assert (answer.status, answer.json()["properties"]["tags"]) == (200, left)
    assert answer.json()["id"] == TAGS
    azure.wait(60)
    body = azure.ask("GET", "").json()
    assert (body["tags"], body["etag"]) == (
        left,
        '"1"' if left == {"team": "web", "tier": "front"} else '"2"',
    )
    assert azure.ask("GET", "virtualMachines/0").json()["properties"]["latestModelApplied"] is True


def test_tags_are_read_and_deleted(azure: Azure) -> None:
    assert send_tags(azure, "GET").json() == {
        "id": TAGS,
        "name": "default",
        "type": "Microsoft.Resources/tags",
        "properties": {"tags": {"team": "web", "tier": "front"}},
    }
    gone = send_tags(azure, "DELETE")
    assert (gone.status, gone.body) == (200, b"")
    assert azure.ask("GET", "").json()["tags"] == {}


@pytest.mark.parametrize(
    "verb, body, target",
    [
        pytest.param(
            "PATCH", {"operation": "Add", "properties": {"tags": {}}}, "operation", id="an unknown operation"
        ),
        pytest.param("PUT", {"properties": {}}, "properties.tags", id="missing tags"),
    ],
)
def test_an_invalid_write_of_tags_is_rejected(azure: Azure, verb: str, body: Any, target: str) -> None:
    answer = send_tags(azure, verb, body)
    assert (answer.status, answer.json()["error"]["target"]) == (400, target)


def test_a_resource_group_has_tags_of_its_own(azure: Azure) -> None:
    tags = f"{GROUP}/providers/Microsoft.Resources/tags/default"
    merge = {"operation": "Merge", "properties": {"tags": {"owner": "ada", "cost": "7"}}}
    assert azure.ask("PATCH", tags, json.dumps(merge).encode(), version="2021-04-01").json() == {
        "id": tags,
        "name": "default",
        "type": "Microsoft.Resources/tags",
        "properties": {"tags": {"owner": "ada", "cost": "7"}},
    }
    drop = {"operation": "Delete", "properties": {"tags": {"OWNER": "ada"}}}
    assert azure.ask("PATCH", tags, json.dumps(drop).encode(), version="2021-04-01").status == 200
    assert azure.ask("GET", tags, version="2021-04-01").json()["properties"]["tags"] == {"cost": "7"}
    assert azure.ask("GET", GROUP, version="2021-04-01").json()["tags"] == {"cost": "7"}
    assert azure.ask("GET", "").json()["tags"] == {"team": "web", "tier": "front"}
    assert azure.ask("DELETE", tags, version="2021-04-01").status == 200
    assert "tags" not in azure.ask("GET", GROUP, version="2021-04-01").json()


def test_a_missing_resource_group_has_no_tags(azure: Azure) -> None:
    absent = f"{GROUP}x/providers/Microsoft.Resources/tags/default"
    answer = azure.ask("GET", absent, version="2021-04-01")
    assert (answer.status, answer.json()["error"]["code"]) == (404, "ResourceGroupNotFound")


@pytest.mark.parametrize(
    "path, condition, found",
    [
        pytest.param(ALL, "", ["web", "api", "machine", "machine"], id="the list of a subscription"),
        pytest.param(f"{GROUP}/resources", "", ["web"], id="the list of a group"),
        pytest.param(ALL, f"resourceType eq '{SETS}'", ["web", "api"], id="a filter by type"),
        pytest.param(ALL, f"resourceType eq '{MACHINES.lower()}'", ["machine", "machine"], id="a filter by type in any casing"),
        pytest.param(ALL, f"resourceType ne '{MACHINES}'", ["web", "api"], id="a filter by another type"),
        pytest.param(ALL, f"resourceType eq '{SETS}' and name eq 'web'", ["web"], id="a filter by type and name"),
        pytest.param(ALL, "resourceGroup eq 'back' and location eq 'westeurope'", ["api", "machine", "machine"], id="a filter by group and region"),
        pytest.param(ALL, "tagName eq 'team' and tagValue eq 'web'", ["web"], id="a filter by tag"),
        pytest.param(ALL, "name eq 'None'", [], id="a filter by an unknown name"),
    ],
)  # fmt: skip
def test_resources_are_listed(azure: Azure, path: str, condition: str, found: list[str]) -> None:
    rows = azure.ask("GET", f"{path}?$filter={quote(condition)}", version="2021-04-01").json()["value"]
    assert ["machine" if each["type"] == MACHINES else each["name"] for each in rows] == found
    assert all({"id", "name", "type", "location"} <= set(each) for each in rows)


def test_a_scale_set_in_the_list_has_the_fields_of_every_resource(azure: Azure) -> None:
    (row,) = azure.ask("GET", f"{GROUP}/resources", version="2021-04-01").json()["value"]
    assert row == {
        "id": SET,
        "name": "web",
        "type": SETS,
        "location": "westeurope",
        "sku": {"name": "Standard_D2s_v5", "tier": "Standard", "capacity": 2},
        "tags": {"team": "web", "tier": "front"},
    }


@pytest.mark.parametrize("condition", ["substringof('web', name)", "name eq web", "colour eq 'blue'"])
def test_an_unsupported_filter_is_rejected(azure: Azure, condition: str) -> None:
    answer = azure.ask("GET", f"{ALL}?$filter={quote(condition)}", version="2021-04-01")
    assert (answer.status, answer.json()["error"]["code"]) == (400, "InvalidFilterInQueryString")


def test_a_list_has_pages(start: Start) -> None:
    others = [{"name": f"s{n}", "resourceGroup": "shop", "capacity": 0, "image": OLD} for n in range(4)]
    azure = start(*others, capacity=0, top={"page": 2})
    names, path = [], ALL
    while path:
        answer = azure.ask("GET", path, version="2021-04-01").json()
        names += [each["name"] for each in answer["value"]]
        path = (
            answer.get("nextLink", "").removeprefix("https://arm.test").replace("api-version=2021-04-01&", "")
        )
    assert names == ["web", "s0", "s1", "s2", "s3"]
    top = azure.ask("GET", f"{ALL}?$top=1", version="2021-04-01").json()
    assert [each["name"] for each in top["value"]] == ["web"]
