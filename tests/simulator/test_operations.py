"""Long-running operations: polled, resumed, unknown."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import pytest

from reconciler.simulator import SUBSCRIPTION
from tests.simulator.azure import GROUP, NEW, SET, Azure

MACHINES = "/providers/Microsoft.Compute/virtualMachines"


def start_upgrade(azure: Azure) -> tuple[str, str]:
    """Start a manual upgrade and return its two addresses, without the host."""
    azure.patch_image(NEW)
    headers = azure.ask("POST", "manualupgrade", b'{"instanceIds":["0"]}').headers
    addresses = [
        headers[name].removeprefix("https://arm.test") for name in ("Azure-AsyncOperation", "Location")
    ]
    return addresses[0], addresses[1]


def test_an_operation_is_in_progress_and_then_succeeded(azure: Azure) -> None:
    status, _ = start_upgrade(azure)
    begun = azure.ask("GET", status)
    assert set(begun.json()) == {"startTime", "status", "name"}
    assert begun.json()["status"] == "InProgress"
    assert int(begun.headers["Retry-After"]) > 0
    azure.wait(80)
    ended = azure.ask("GET", status).json()
    assert (ended["status"], set(ended)) == ("Succeeded", {"startTime", "endTime", "status", "name"})
    assert ended["endTime"] == azure.clock.now().isoformat()


def test_the_monitor_is_202_and_then_an_empty_200(azure: Azure) -> None:
    _, monitor = start_upgrade(azure)
    assert azure.ask("GET", monitor).status == 202
    azure.wait(80)
    answer = azure.ask("GET", monitor)
    assert (answer.status, answer.body) == (200, b"")


def test_addresses_are_signed_and_long_since_2024(azure: Azure) -> None:
    status, _ = start_upgrade(azure)
    assert set(parse_qs(urlsplit(status).query)) == {"p", "api-version", "t", "c", "s", "h"}
    old = azure.ask("POST", "manualupgrade", b'{"instanceIds":["1"]}', version="2023-09-01").headers
    assert set(parse_qs(urlsplit(old["Azure-AsyncOperation"]).query)) == {"p", "api-version"}


def test_an_unknown_operation_is_404(azure: Azure) -> None:
    path = (
        f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Compute/locations/westeurope/operations/nothing"
    )
    assert azure.ask("GET", path).status == 404


def test_an_upgrade_with_nothing_to_do_takes_a_moment(azure: Azure) -> None:
    headers = azure.ask("POST", "manualupgrade", b'{"instanceIds":["0"]}').headers
    azure.wait(60)
    operation = azure.ask("GET", headers["Azure-AsyncOperation"].removeprefix("https://arm.test")).json()
    took = datetime.fromisoformat(operation["endTime"]) - datetime.fromisoformat(operation["startTime"])
    assert took == timedelta(seconds=0.6)


def test_another_process_can_continue_polling(azure: Azure) -> None:
    azure.patch_image(NEW)
    token = azure.upgrade("0").continuation_token()
    nothing: Any = None
    resumed = azure.client.virtual_machine_scale_sets.begin_update_instances(
        "shop", "web", nothing, continuation_token=token
    )
    resumed.result()
    assert azure.sim.record.images("web")["0"] == NEW


def test_polling_can_be_disabled(azure: Azure) -> None:
    azure.patch_image(NEW)
    before = len(azure.sim.record.requests)
    azure.upgrade("0", polling=False)
    assert [exchange.operation for exchange in azure.sim.record.requests[before:]] == [
        "VirtualMachineScaleSets_UpdateInstances"
    ]


NONSENSE = (
    b"5",
    b"[]",
    b"null",
    b"\xff",
    b'{"instanceIds":5}',
    b'{"instanceIds":"*"}',
    b'{"instanceIds":[{}]}',
)


@pytest.mark.parametrize("body", NONSENSE)
@pytest.mark.parametrize(
    "action",
    ["manualupgrade", "delete", "restart", "setOrchestrationServiceState", "virtualMachines/x/restart"],
)
def test_an_action_with_an_invalid_body_is_rejected(azure: Azure, action: str, body: bytes) -> None:
    assert azure.ask("POST", action, body).status == 400


@pytest.mark.parametrize(
    "body", [b'{"properties":5}', b'{"properties":{"protectionPolicy":[]}}', b'{"properties":{"protectionPolicy":{"protectFromScaleIn":1}}}']
)  # fmt: skip
def test_a_put_of_an_instance_with_an_invalid_body_is_rejected(azure: Azure, body: bytes) -> None:
    assert azure.ask("PUT", "virtualMachines/0", body).status == 400


@pytest.mark.parametrize("token", ["-1", "x", "²", "99999999999999999999"])
@pytest.mark.parametrize(
    "path",
    [
        pytest.param(f"{SET}/virtualMachines", id="instances"),
        pytest.param(SET.rpartition("/")[0], id="scale sets"),
        pytest.param(f"{GROUP}{MACHINES}", id="virtual machines"),
    ],
)
def test_any_skip_token_is_accepted(azure: Azure, path: str, token: str) -> None:
    assert azure.ask("GET", f"{path}?$skiptoken={quote(token)}").status == 200
