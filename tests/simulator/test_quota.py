"""Quotas: what is charged to which bucket, what the headers report, and which requests are throttled."""

from __future__ import annotations

from typing import Any

import pytest

from reconciler.simulator import SUBSCRIPTION
from reconciler.simulator.tokens import token
from tests.simulator.azure import GROUP, OLD, SET, Azure, Start

RESOURCE = "x-ms-ratelimit-remaining-resource"
READS = "x-ms-ratelimit-remaining-subscription-reads"
ALL_READS = "x-ms-ratelimit-remaining-subscription-global-reads"
LIST = f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Compute/virtualMachineScaleSets"
THROTTLING = {"throttling": True}


def remaining(azure: Azure, policy: str, path: str = "", method: str = "GET") -> int | None:
    """Return what is left of a policy after this request."""
    quotas = azure.ask(method, path).headers[RESOURCE].split(",")
    found = [each.partition(";")[2] for each in quotas if each.startswith(f"Microsoft.Compute/{policy};")]
    return int(found[0]) if found else None


def other(name: str, location: str = "westeurope", group: str = "shop") -> dict[str, Any]:
    return {"name": name, "resourceGroup": group, "capacity": 3, "image": OLD, "location": location}


def of(name: str, group: str = "shop") -> str:
    return SET.replace("/shop/", f"/{group}/").replace("/web", f"/{name}")


@pytest.mark.parametrize(
    "policy, first, second, spent",
    [
        pytest.param("GetVMScaleSetResource", "", of("api"), 0, id="each scale set has its own"),
        pytest.param(
            "GetVMScaleSetResource", "", SET.upper(), 1, id="the spelling of a name does not matter"
        ),
        pytest.param("GetVMScaleSetSubscriptionMaximum", "", of("api"), 1, id="a region is shared"),
        pytest.param(
            "GetVMScaleSetSubscriptionMaximum", "", of("far", "away"), 0, id="another region is not shared"
        ),
        pytest.param(
            "GetVMScaleSetVMResource",
            "virtualMachines/0",
            "virtualMachines/1",
            0,
            id="each instance has its own",
        ),
        pytest.param(
            "GetVMScaleSetVMResource",
            "virtualMachines/0",
            "virtualMachines/0/instanceView",
            1,
            id="an instance and its view share a quota",
        ),
        pytest.param(
            "VMScaleSetVMViewsSubscriptionMaximum",
            "virtualMachines",
            "virtualMachines/0",
            1,
            id="rows and instances share a quota",
        ),
        pytest.param(
            "HighCostGetVMScaleSetSubscriptionMaximum",
            "virtualMachines",
            f"{GROUP}/providers/Microsoft.Compute/virtualMachineScaleSets",
            1,
            id="a list and a view share a quota",
        ),
    ],
)
def test_two_requests_share_a_quota_or_not(
    start: Start, policy: str, first: str, second: str, spent: int
) -> None:
    azure = start(other("api"), other("far", "northeurope", "away"))
    alone = remaining(start(other("api"), other("far", "northeurope", "away")), policy, second)
    remaining(azure, policy, first)
    together = remaining(azure, policy, second)
    assert alone is not None
    assert together is not None
    rows = 20 if first == "virtualMachines" and "Views" in policy else 1
    assert alone - together == spent * rows


def test_every_page_of_instances_is_charged_for_its_rows(start: Start) -> None:
    azure = start(top={"page": 8})
    policy = "VMScaleSetVMViewsSubscriptionMaximum"
    pages = ["", "&$skiptoken=8", "&$skiptoken=16"]
    assert [remaining(azure, policy, f"virtualMachines?a=b{page}") for page in pages] == [29992, 29984, 29980]
    assert remaining(azure, "HighCostGetVMScaleSetResource", "virtualMachines") == 26


def test_the_list_of_a_subscription_is_charged_in_every_region_without_headers(start: Start) -> None:
    azure = start(other("far", "northeurope", "away"))
    answer = azure.ask("GET", LIST)
    assert RESOURCE not in answer.headers
    policy = "HighCostGetVMScaleSetSubscriptionMaximum"
    assert remaining(azure, policy, f"{SET}/instanceView") == 1078
    assert remaining(azure, policy, f"{of('far', 'away')}/instanceView") == 1078


def test_the_quota_headers_count_down_and_refill(azure: Azure) -> None:
    def gateway_quota() -> tuple[str, str]:
        headers = azure.ask("GET", "").headers
        return headers[READS], headers[ALL_READS]

    assert [gateway_quota() for _ in range(3)] == [("249", "3749"), ("248", "3748"), ("247", "3747")]
    azure.wait(0.1)
    assert gateway_quota() == ("248", "3749"), (
        "25 tokens are refilled each second, and fifteen times as many for all callers"
    )
    azure.wait(60)
    assert gateway_quota() == ("249", "3749")


def test_the_gateway_throttles_a_caller_without_the_others(start: Start) -> None:
    azure = start(top=THROTTLING)

    def ask(caller: str) -> Any:
        bearer = f"Bearer {token('https://management.azure.com/', 0, caller)}"
        return azure.ask("GET", LIST, headers={"Authorization": bearer})

    assert {ask("one").status for _ in range(250)} == {200}
    refused = ask("one")
    error = refused.json()["error"]
    assert (refused.status, error["code"]) == (429, "SubscriptionRequestsThrottled")
    assert error["message"].startswith(f"Number of 'read' requests for subscription '{SUBSCRIPTION}' actor '")
    assert error["message"].endswith("' exceeded. Please try again after '1' seconds.")
    assert (refused.headers["Retry-After"], refused.headers["x-ms-failure-cause"]) == ("1", "gateway")
    assert refused.headers[READS] == "0"
    assert ask("two").status == 200
    azure.wait(1)
    assert [ask("one").status for _ in range(26)] == [200] * 25 + [429]


def test_requests_while_throttled_take_no_tokens(start: Start) -> None:
    azure = start(top=THROTTLING)
    while azure.ask("PATCH", "", b'{"tags":{}}').status == 200:
        pass
    for _ in range(29):
        azure.wait(0.5)
        assert azure.ask("PATCH", "", b'{"tags":{}}').status == 429
    azure.wait(0.5)
    assert azure.ask("PATCH", "", b'{"tags":{}}').status == 200


def test_a_429_of_compute_names_the_policy_and_the_wait(start: Start) -> None:
    azure = start(top=THROTTLING)
    for _ in range(36):
        assert azure.ask("GET", "").status == 200
    refused = azure.ask("GET", "")
    error = refused.json()["error"]
    assert (refused.status, error["code"]) == (429, "OperationNotAllowed")
    assert error["details"][0]["target"] == "GetVMScaleSetResource"
    assert '"allowedRequestCount":36' in error["details"][0]["message"]
    assert error["innererror"] == {"internalErrorCode": "TooManyRequestsReceived"}
    assert refused.headers["Retry-After"] == "5"
    assert azure.ask("GET", of("web") + "/virtualMachines").status == 200, "another policy"


def test_the_quota_of_instance_views_is_charged_by_the_row(start: Start) -> None:
    azure = start(capacity=1000, top={**THROTTLING, "page": 1000})
    statuses = [azure.ask("GET", "virtualMachines").status for _ in range(30)]
    assert statuses == [200] * 30
    refused = azure.ask("GET", "virtualMachines/0")
    assert refused.json()["error"]["details"][0]["target"] == "VMScaleSetVMViewsSubscriptionMaximum"


def test_a_fleet_without_throttling_rejects_no_request(azure: Azure) -> None:
    answers = [azure.ask("GET", "") for _ in range(300)]
    assert {answer.status for answer in answers} == {200}
    assert answers[-1].headers[READS] == "0"
