"""The activity log: who requested which write, and how it ended."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any
from urllib.parse import quote

import pytest
from azure.core.exceptions import HttpResponseError
from azure.core.rest import HttpRequest

from reconciler.simulator import ConnectionLost, OperationFails, Timeout
from reconciler.simulator.activity_log import OBJECT_ID
from reconciler.simulator.tokens import principal, token
from tests.simulator.azure import GROUP, NEW, SET, Azure, Start

PATH = f"{GROUP.partition('/resourceGroups')[0]}/providers/microsoft.insights/eventtypes/management/values"
VERSION = "2015-04-01"
WRITE = "Microsoft.Compute/virtualMachineScaleSets/write"
UPGRADE = "Microsoft.Compute/virtualMachineScaleSets/manualUpgrade/action"
LONG = 600.0  # until every write has ended, and its end is in the log


def answer(azure: Azure, wanted: str, more: str = "") -> Any:
    return azure.ask("GET", f"{PATH}?$filter={quote(wanted)}{more}", version=VERSION)


def since(azure: Azure, more: str = "") -> str:
    return f"eventTimestamp ge '{azure.clock.now() - timedelta(days=89):%Y-%m-%dT%H:%M:%SZ}'{more}"


def told(azure: Azure, more: str = "", query: str = "") -> list[tuple[str, str]]:
    """The operation and the status of each event, in the order of the answer."""
    rows = answer(azure, since(azure, more), query).json()["value"]
    return [(row["operationName"]["value"], row["status"]["value"]) for row in rows]


def of_web(more: str = "") -> str:
    return f" and resourceUri eq '{SET}'{more}"


def bearer(client: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token('https://management.azure.com', int(time.time()), client)}"}


def test_a_write_has_an_event_for_its_start_its_acceptance_and_its_end(azure: Azure) -> None:
    azure.patch_image(NEW)
    azure.upgrade("0", "1")
    azure.wait(LONG)
    assert told(azure, of_web()) == [
        (UPGRADE, "Succeeded"),
        (UPGRADE, "Accepted"),
        (UPGRADE, "Started"),
        (WRITE, "Succeeded"),
        (WRITE, "Accepted"),
        (WRITE, "Started"),
    ]


def test_the_events_of_one_write_share_its_ids_and_name_its_caller(azure: Azure) -> None:
    response = azure.ask("PATCH", "", b'{"tags": {"a": "b"}}', headers=bearer("app"))
    azure.wait(LONG)
    rows = answer(azure, since(azure, of_web())).json()["value"]
    assert {row["correlationId"] for row in rows} == {response.headers["x-ms-correlation-request-id"]}
    assert {row["caller"] for row in rows} == {principal("app")} == {row["claims"][OBJECT_ID] for row in rows}
    assert {row["resourceId"] for row in rows} == {SET}
    assert {(row["resourceGroupName"], row["resourceType"]["value"]) for row in rows} == {
        ("shop", "Microsoft.Compute/virtualMachineScaleSets")
    }
    assert len({row["eventDataId"] for row in rows}) == 3
    assert {row["httpRequest"]["method"] for row in rows} == {"PATCH"}


@pytest.mark.parametrize(
    ("sent", "correlations"),
    [
        pytest.param("1b4e28ba-2fa1-11d2-883f-0016d3cca427", 1, id="an id of the client"),
        pytest.param("not an id", 2, id="a text that is no id"),
        pytest.param("", 2, id="no id"),
    ],
)
def test_writes_of_one_run_share_the_correlation_id_that_their_client_sent(
    azure: Azure, sent: str, correlations: int
) -> None:
    responses = [
        azure.ask("PATCH", "", body, headers={"x-ms-correlation-request-id": sent})
        for body in (b'{"tags": {"a": "b"}}', b'{"sku": {"capacity": -1}}')
    ]
    azure.wait(LONG)
    rows = answer(azure, since(azure, of_web())).json()["value"]
    assert {row["correlationId"] for row in rows} == {
        each.headers["x-ms-correlation-request-id"] for each in responses
    }
    assert len({row["correlationId"] for row in rows}) == correlations
    assert {row["operationId"] for row in rows} == {each.headers["x-ms-request-id"] for each in responses}
    assert len({row["operationId"] for row in rows}) == 2


def test_an_event_is_shown_only_after_the_lag_of_the_log(start: Start) -> None:
    azure = start(top={"timings": {"log": "5m"}})
    azure.ask("PATCH", "", b'{"tags": {"a": "b"}}')
    azure.wait(299)
    assert told(azure) == []
    azure.wait(1)
    assert told(azure) == [(WRITE, "Started"), (WRITE, "Accepted")][::-1]


def test_a_failed_operation_ends_with_failed(azure: Azure) -> None:
    azure.sim.faults.arm("VirtualMachineScaleSets_Update", OperationFails("Broken", "it broke"))
    with pytest.raises(HttpResponseError):
        azure.patch_image(NEW)
    azure.wait(LONG)
    assert told(azure, of_web())[0] == (WRITE, "Failed")


def test_a_write_whose_answer_was_lost_is_logged(azure: Azure) -> None:
    azure.sim.faults.arm("VirtualMachineScaleSets_Update", Timeout(lost_answer=True))
    with pytest.raises(ConnectionLost):
        azure.ask("PATCH", "", b'{"tags": {"a": "b"}}')
    azure.wait(LONG)
    assert told(azure, of_web())[-1] == (WRITE, "Started")


@pytest.mark.parametrize(
    ("body", "etag", "status"),
    [
        pytest.param(b'{"sku": {"capacity": -1}}', "*", "Failed", id="a bad value"),
        pytest.param(b'{"tags": {"a": "b"}}', '"0"', "Failed", id="another etag"),
    ],
)
def test_a_refused_write_has_failed(azure: Azure, body: bytes, etag: str, status: str) -> None:
    azure.ask("PATCH", "", body, headers={"If-Match": etag})
    azure.wait(LONG)
    assert told(azure, of_web()) == [(WRITE, status), (WRITE, "Started")]


def test_reads_are_not_logged(azure: Azure) -> None:
    azure.ask("GET", "")
    azure.wait(LONG)
    assert told(azure) == []


@pytest.mark.parametrize(
    ("more", "count"),
    [
        pytest.param("", 5, id="every event"),
        pytest.param(of_web(), 3, id="one resource"),
        pytest.param(
            of_web().upper().replace(" AND RESOURCEURI EQ ", " and resourceUri eq "), 3, id="casing"
        ),
        pytest.param(f" and resourceId eq '{SET}'", 3, id="one resource, as az asks for it"),
        pytest.param(" and resourceGroupName eq 'shop'", 5, id="a resource group"),
        pytest.param(" and resourceProvider eq 'Microsoft.Compute'", 5, id="a provider"),
        pytest.param(" and caller eq 'nobody'", 0, id="another caller"),
        pytest.param(" and status eq 'Started' and eventChannels eq 'Admin'", 2, id="a status"),
        pytest.param(" and eventTimestamp le '2000-01-01T00:00:00Z'", 0, id="an earlier end"),
    ],
)
def test_a_filter_chooses(azure: Azure, more: str, count: int) -> None:
    azure.ask("PATCH", "", b'{"tags": {"a": "b"}}')
    azure.ask("PATCH", f"{SET}-of-old", b"{}")
    azure.wait(LONG)
    found = told(azure, more)
    assert len(found) == count


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        pytest.param(
            "eventTimestamp ge 2018-01-01T00:00:00+00:00 and eventTimestamp le 2999-01-01T00:00:00+00:00",
            "The start time cannot be more than 90 days in the past.",
            id="a start too early, as recorded",
        ),
        pytest.param("", "The $filter '' is not valid.", id="no filter"),
        pytest.param("caller eq 'ada'", "The $filter must have a start", id="no start"),
        pytest.param("eventTimestamp ge 'soon'", "'soon' is not a valid time.", id="a bad time"),
        pytest.param("resourceUri ne 'x'", "is not valid.", id="another comparison"),
    ],
)
def test_a_bad_filter_gets_a_400(azure: Azure, wanted: str, message: str) -> None:
    response = answer(azure, wanted)
    assert response.status == 400
    assert response.json()["Code"] == "BadRequest"
    assert message in response.json()["Message"]


def test_a_selection_has_only_these_fields(azure: Azure) -> None:
    azure.ask("PATCH", "", b'{"tags": {"a": "b"}}')
    azure.wait(LONG)
    (first, *_) = answer(azure, since(azure), "&$select=caller,eventTimestamp").json()["value"]
    assert set(first) == {"caller", "eventTimestamp"}


def test_pages_are_linked(start: Start) -> None:
    azure = start(top={"page": 2})
    azure.patch_image(NEW)
    azure.wait(LONG)
    body = answer(azure, since(azure)).json()
    assert len(body["value"]) == 2
    rest = azure.client.send_request(HttpRequest("GET", body["nextLink"])).json()
    assert ([row["status"]["value"] for row in rest["value"]], rest.get("nextLink")) == (["Started"], None)


def test_without_the_right_the_answer_is_a_403(start: Start) -> None:
    azure = start(top={"permissions": {"notActions": ["Microsoft.Insights/eventtypes/values/read"]}})
    assert answer(azure, since(azure)).status == 403
