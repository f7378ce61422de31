"""What goes wrong on order, as a client of the SDK meets it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from azure.core.exceptions import (
    DecodeError,
    HttpResponseError,
    ServiceRequestError,
    ServiceRequestTimeoutError,
    ServiceResponseError,
    ServiceResponseTimeoutError,
)

from reconciler.simulator import Reset, Status, Throttled, Timeout, Truncated
from reconciler.simulator.faults import Fault
from tests.simulator.azure import Azure, Start


def read(azure: Azure) -> None:
    azure.client.virtual_machine_scale_sets.get("shop", "web")


@pytest.mark.parametrize(
    "fault, raised",
    [
        pytest.param(Throttled(timedelta(seconds=30)), HttpResponseError, id="throttled"),
        pytest.param(Status(503, "ServerTimeout", "Try again."), HttpResponseError, id="unavailable"),
        pytest.param(Reset(), ServiceRequestError, id="reset before"),
        pytest.param(Reset(lost_answer=True), ServiceResponseError, id="reset after"),
        pytest.param(Timeout(), ServiceRequestTimeoutError, id="silence before"),
        pytest.param(Timeout(lost_answer=True), ServiceResponseTimeoutError, id="silence after"),
        pytest.param(Truncated(), DecodeError, id="half an answer"),
    ],
)
def test_a_fault_strikes_once(azure: Azure, fault: Fault, raised: type[Exception]) -> None:
    azure.sim.faults.arm("scaleSets.get", fault)
    with pytest.raises(raised) as caught:
        read(azure)
    assert type(caught.value) is raised
    read(azure)


@pytest.mark.parametrize("lost, tags", [(False, {}), (True, {"a": "b"})])
def test_a_lost_answer_was_carried_out_and_a_lost_request_was_not(
    azure: Azure, lost: bool, tags: dict[str, str]
) -> None:
    azure.sim.faults.arm("scaleSets.patch", Reset(lost_answer=lost))
    with pytest.raises((ServiceRequestError, ServiceResponseError)):
        azure.patch({"tags": {"a": "b"}})
    assert azure.sim.scale_set("web").tags == tags
    assert azure.sim.record.requests[-1].status == 0


def test_throttling_says_so_in_azures_own_odd_words(azure: Azure) -> None:
    azure.sim.faults.arm("*", Throttled(timedelta(seconds=120)))
    with pytest.raises(HttpResponseError) as caught:
        read(azure)
    error = caught.value.error
    assert error is not None
    assert (caught.value.status_code, error.code) == (429, "OperationNotAllowed")
    assert error.details is not None
    assert error.details[0].code == "TooManyRequests"
    response: Any = caught.value.response
    assert response.headers["retry-after"] == "120"


def test_faults_wait_for_their_turn(azure: Azure) -> None:
    azure.sim.faults.arm(
        "scaleSets.get", Reset(), times=2, after=1, when=lambda request: "web" in request.path
    )
    outcomes = []
    for _ in range(4):
        try:
            read(azure)
            outcomes.append("answered")
        except ServiceRequestError:
            outcomes.append("lost")
    assert outcomes == ["answered", "lost", "lost", "answered"]


def test_a_fault_is_for_its_operation_only(azure: Azure) -> None:
    azure.sim.faults.arm("scaleSets.list", Reset(), times=None)
    read(azure)
    azure.sim.faults.disarm()
    list(azure.client.virtual_machine_scale_sets.list_all())


def test_quotas_run_dry_and_fill_again_where_the_fleet_says_so(start: Start) -> None:
    azure = start(top={"throttling": True})
    answers = [azure.ask("PATCH", "", b'{"tags":{}}') for _ in range(13)]
    assert [answer.status for answer in answers] == [200] * 12 + [429]
    assert answers[0].headers["x-ms-ratelimit-remaining-resource"].split(",")[1] == (
        "Microsoft.Compute/VMScaleSetActionsResource;11"
    )
    refused = answers[-1]
    assert refused.json()["error"]["details"][0]["target"] == "VMScaleSetActionsResource"
    assert refused.headers["Retry-After"] == "15"
    azure.wait(15)
    assert azure.ask("PATCH", "", b'{"tags":{}}').status == 200


def test_quotas_never_refuse_otherwise(azure: Azure) -> None:
    assert {azure.ask("GET", "").status for _ in range(60)} == {200}
