"""Injected faults, as a client of the SDK sees them."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
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

from reconciler.simulator import (
    ForeignLinks,
    Malformed,
    OperationFails,
    OperationKeepsImage,
    OperationLost,
    Page,
    Partial,
    Rejected,
    Reset,
    Slow,
    Stale,
    Status,
    Throttled,
    Timeout,
    Truncated,
    errors,
)
from reconciler.simulator.errors import ArmError
from reconciler.simulator.faults import Fault
from tests.simulator.azure import BAD, GROUP, NEW, OLD, SET, Azure, Start


def read(azure: Azure) -> None:
    azure.client.virtual_machine_scale_sets.get("shop", "web")


@pytest.mark.parametrize(
    "fault, raised",
    [
        pytest.param(Throttled(timedelta(seconds=30)), HttpResponseError, id="throttled"),
        pytest.param(Status(503, "ServerTimeout", "Try again."), HttpResponseError, id="unavailable"),
        pytest.param(Reset(), ServiceRequestError, id="reset before the request"),
        pytest.param(Reset(lost_answer=True), ServiceResponseError, id="reset after the request"),
        pytest.param(Timeout(), ServiceRequestTimeoutError, id="timeout before the request"),
        pytest.param(Timeout(lost_answer=True), ServiceResponseTimeoutError, id="timeout after the request"),
        pytest.param(Truncated(), DecodeError, id="a truncated response"),
    ],
)
def test_a_fault_is_injected_once(azure: Azure, fault: Fault, raised: type[Exception]) -> None:
    azure.sim.faults.arm("VirtualMachineScaleSets_Get", fault)
    with pytest.raises(raised) as caught:
        read(azure)
    assert type(caught.value) is raised
    read(azure)


@pytest.mark.parametrize(
    "lost, tags",
    [pytest.param(False, {}, id="a lost request"), pytest.param(True, {"a": "b"}, id="a lost response")],
)
def test_a_request_with_a_lost_response_is_carried_out_and_a_lost_request_is_not(
    azure: Azure, lost: bool, tags: dict[str, str]
) -> None:
    azure.sim.faults.arm("VirtualMachineScaleSets_Update", Reset(lost_answer=lost))
    with pytest.raises((ServiceRequestError, ServiceResponseError)):
        azure.patch({"tags": {"a": "b"}})
    assert azure.sim.scale_set("web").tags == tags
    assert azure.sim.record.requests[-1].status == 0


def test_throttling_is_reported_in_azures_words(azure: Azure) -> None:
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


def test_faults_are_injected_after_the_calls_that_pass_first(azure: Azure) -> None:
    azure.sim.faults.arm(
        "VirtualMachineScaleSets_Get", Reset(), times=2, after=1, when=lambda request: "web" in request.path
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
    azure.sim.faults.arm("VirtualMachineScaleSets_ListAll", Reset(), times=None)
    read(azure)
    azure.sim.faults.disarm()
    list(azure.client.virtual_machine_scale_sets.list_all())


# Azure's errors, each armed by its name, and what a client of the SDK receives.
NOW = datetime(2026, 1, 5, 9, tzinfo=UTC)
REFUSALS: dict[str, tuple[ArmError, int, str, str]] = {
    "a missing scale set": (errors.no_scale_set("shop", "web"), 404, "ResourceNotFound", "'shop' was not found"),
    "a missing resource group": (errors.no_group("shop"), 404, "ResourceGroupNotFound", "'shop' could not be found"),
    "a missing parent": (errors.no_parent(SET), 404, "ParentResourceNotFound", "parent resource"),
    "a missing instance": (errors.no_entity(), 404, "NotFound", "not found in this Azure location"),
    "a missing subscription": (errors.no_subscription("s"), 404, "SubscriptionNotFound", "'s' could not be found"),
    "a conflict": (errors.conflict(), 409, "Conflict", "conflict with a concurrent request"),
    "a cancellation without a rolling upgrade": (errors.no_rolling_upgrade(), 409, "OperationNotAllowed", "no ongoing Rolling Upgrade"),
    "marked for deletion": (errors.marked_for_deletion("web"), 409, "OperationNotAllowed", "marked for deletion"),
    "a change of the image type": (errors.image_type_fixed(), 409, "OperationNotAllowed", "may not be changed"),
    "the eviction of a regular instance": (errors.only_for_spot(), 409, "OperationNotAllowed", "only for Spot"),
    "an exceeded quota": (
        errors.quota_exceeded("westeurope", limit=10, usage=8, required=4),
        409,
        "OperationNotAllowed",
        "New Limit Required: 12",
    ),
    "a lock": (errors.scope_locked(SET, GROUP), 409, "ScopeLocked", "cannot perform write operation"),
    "an invalid instance id": (errors.bad_instance_id(), 400, "InvalidParameter", "must be a number"),
    "automatic trusted launch": (errors.no_managed_image_with_trusted_launch(), 400, "BadRequest", "TrustedLaunch"),
    "a change of a fixed property": (errors.property_fixed("x"), 409, "PropertyChangeNotAllowed", "'x' is not allowed"),
    "automatic upgrades": (errors.automatic_upgrade_needs_latest(), 400, "InvalidParameter", "set to 'latest'"),
    "an OS upgrade without latest": (errors.needs_latest(), 409, "OperationNotAllowed", "set to latest"),
    "a missing permission": (
        errors.unauthorized_error("c", "p", "a/write", SET),
        403,
        "AuthorizationFailed",
        "does not have authorization to perform action 'a/write'",
    ),
    "a missing permission on the image": (
        errors.linked_unauthorized("c", "p", "a/write", SET, linked_action="i/read", linked_scope="/image"),
        403,
        "LinkedAuthorizationFailed",
        "the linked scope(s) '/image'",
    ),
    "a policy": (errors.disallowed_by_policy("web", "tags"), 403, "RequestDisallowedByPolicy", "by policy"),
    "an outdated etag": (errors.etag_mismatch("1", '"2"'), 412, "PreconditionFailed", "does not match"),
    "a timeout of the server": (errors.server_timeout(), 503, "ServerTimeout", "timed out"),
    "an expired token": (
        errors.token_expired(NOW, NOW + timedelta(hours=5)),
        401,
        "ExpiredAuthenticationToken",
        "'01/05/2026 09:00:00 AM' is earlier than current UTC time '01/05/2026 02:00:00 PM'",
    ),
    "a token of another tenant": (
        errors.wrong_tenant("a", "b"),
        401,
        "InvalidAuthenticationTokenTenant",
        "must match the tenant 'https://sts.windows.net/b/'",
    ),
    "an invalid token": (errors.invalid_token("t"), 401, "InvalidAuthenticationToken", "token is invalid"),
    "a missing token": (errors.unauthenticated_error("t"), 401, "AuthenticationFailed", "header is missing"),
    "too many requests": (
        errors.too_many_for_gateway("read", "s", "a", retry_after=6),
        429,
        "SubscriptionRequestsThrottled",
        "try again after '6' seconds",
    ),
}  # fmt: skip


@pytest.mark.parametrize(
    "error, status, code, words", [pytest.param(*row, id=name) for name, row in REFUSALS.items()]
)
def test_any_error_of_azure_can_be_armed_by_its_name(
    azure: Azure, error: ArmError, status: int, code: str, words: str
) -> None:
    azure.sim.faults.arm("VirtualMachineScaleSets_Get", Rejected(error))
    with pytest.raises(HttpResponseError) as caught:
        read(azure)
    received = caught.value.error
    assert received is not None
    assert (caught.value.status_code, received.code) == (status, code)
    assert words in str(received.message)
    response: Any = caught.value.response
    assert ("x-ms-failure-cause" in response.headers) == error.gateway
    read(azure)


def test_a_missing_registration_is_reported_as_the_sdk_expects_it(azure: Azure) -> None:
    # Not through the SDK, which would register the provider and wait for ten real seconds.
    azure.sim.faults.arm("VirtualMachineScaleSets_Get", Rejected(errors.not_registered()))
    error = azure.ask("GET", "").json()["error"]
    assert error["code"] == error["details"][0]["code"] == "MissingSubscriptionRegistration"
    assert error["details"][0]["target"] == "Microsoft.Compute"


@pytest.mark.parametrize(
    "error, code",
    [
        pytest.param(errors.preemption_error(), "OperationPreempted", id="preempted"),
        pytest.param(
            errors.extension_failed("agent"), "VMExtensionProvisioningError", id="a failed extension"
        ),
        pytest.param(
            errors.unhealthy_upgrade(),
            "MaxUnhealthyUpgradedInstancePercentExceededInRollingUpgrade",
            id="an unhealthy rolling upgrade",
        ),
    ],
)
def test_an_operation_can_end_in_any_of_azures_ways(azure: Azure, error: ArmError, code: str) -> None:
    azure.patch_image(NEW)
    azure.sim.faults.arm("VirtualMachineScaleSets_UpdateInstances", OperationFails(error.code, error.message))
    with pytest.raises(HttpResponseError) as caught:
        azure.upgrade("0").result()
    assert caught.value.error is not None
    assert (caught.value.status_code, caught.value.error.code) == (200, code)


@pytest.mark.parametrize(
    "page, kind",
    [
        pytest.param(Page(), "text/html; charset=us-ascii", id="an HTML page"),
        pytest.param(Page(502, ""), None, id="an empty body"),
    ],
)
def test_a_front_end_may_respond_without_json(azure: Azure, page: Page, kind: str | None) -> None:
    azure.sim.faults.arm("VirtualMachineScaleSets_Get", page, times=2)
    answer = azure.ask("GET", "")
    assert (answer.status, answer.body, answer.headers.get("Content-Type")) == (
        page.code,
        page.body.encode(),
        kind,
    )
    assert answer.headers["Content-Length"] == str(len(page.body))
    with pytest.raises(HttpResponseError) as caught:
        read(azure)
    assert caught.value.status_code == page.code


def test_an_upgrade_may_be_rejected_after_a_patch_succeeded(azure: Azure) -> None:
    azure.patch_image(NEW)
    azure.sim.faults.arm("VirtualMachineScaleSets_UpdateInstances", Rejected(errors.conflict(charge=20)))
    body = b'{"instanceIds":["*"]}'
    assert [azure.ask("POST", "manualupgrade", body).status for _ in range(2)] == [409, 202]


@pytest.mark.parametrize(
    "operation, path",
    [
        pytest.param("VirtualMachineScaleSets_Get", "", id="a resource"),
        pytest.param(
            "VirtualMachineScaleSets_List",
            f"{GROUP}/providers/Microsoft.Compute/virtualMachineScaleSets",
            id="a list",
        ),
    ],
)
def test_a_stale_read_returns_the_earlier_state(azure: Azure, operation: str, path: str) -> None:
    azure.sim.faults.arm(operation, Stale(timedelta(seconds=60)), times=None)

    def read_tag() -> str:
        found = azure.ask("GET", path).json()
        return str(found.get("value", [found])[0]["tags"].get("at", "start"))

    answers = [read_tag()]
    for wait in (10, 40, 20, 60):
        azure.ask("PATCH", "", b'{"tags":{"at":"+%d"}}' % wait)
        azure.wait(wait)
        answers.append(read_tag())
    azure.wait(60)
    answers.append(read_tag())
    assert answers == ["start", "start", "start", "+10", "+20", "+60"]


def test_a_write_after_a_stale_read_meets_the_current_state(azure: Azure) -> None:
    azure.sim.faults.arm("VirtualMachineScaleSets_Get", Stale(timedelta(minutes=5)), after=1)
    azure.ask("GET", "")
    azure.ask("PATCH", "", b'{"tags":{"a":"b"}}')
    stale = azure.ask("GET", "")
    assert stale.headers["ETag"] == stale.json()["etag"] == '"1"'
    refused = azure.ask("PATCH", "", b'{"tags":{}}', headers={"If-Match": stale.headers["ETag"]})
    assert refused.status == 412
    assert azure.ask("GET", "").headers["ETag"] == '"2"', "the fault is used up"


def test_the_response_to_a_write_is_never_stale(azure: Azure) -> None:
    azure.sim.faults.arm("*", Stale(timedelta(minutes=5)), times=None)
    azure.ask("GET", "")
    assert azure.ask("PATCH", "", b'{"tags":{"a":"b"}}').json()["tags"] == {"a": "b"}
    assert azure.ask("PATCH", "", b"{}", headers={"If-Match": '"1"'}).status == 412


def test_a_stale_read_does_not_see_what_is_new(azure: Azure) -> None:
    azure.sim.faults.arm("VirtualMachineScaleSets_Get", Stale(timedelta(minutes=5)), times=None)
    new = SET.replace("/web", "/new")
    assert azure.ask("GET", new).status == 404
    profile = {
        "storageProfile": azure.ask("GET", "").json()["properties"]["virtualMachineProfile"]["storageProfile"]
    }
    created = azure.ask("PUT", new, json.dumps({"properties": {"virtualMachineProfile": profile}}).encode())
    assert created.status == 201
    answer = azure.ask("GET", new)
    assert (answer.status, answer.headers.get("ETag")) == (404, None)
    azure.wait(299)
    assert azure.ask("GET", new).status == 404
    azure.wait(1)
    assert azure.ask("GET", new).headers["ETag"] == '"1"'


def test_the_first_read_is_never_stale(azure: Azure) -> None:
    azure.patch({"tags": {"a": "b"}})
    azure.sim.faults.arm("VirtualMachineScaleSets_Get", Stale(timedelta(minutes=5)))
    assert azure.ask("GET", "").json()["tags"] == {"a": "b"}


@pytest.mark.parametrize(
    "operation, path, ids",
    [
        pytest.param("VirtualMachineScaleSetVMs_List", "virtualMachines", ["2", "3", "4"], id="instances"),
        pytest.param(
            "VirtualMachineScaleSets_List",
            f"{GROUP}/providers/Microsoft.Compute/virtualMachineScaleSets",
            [],
            id="scale sets",
        ),
    ],
)
def test_a_list_may_lack_rows_and_look_complete(
    start: Start, operation: str, path: str, ids: list[str]
) -> None:
    azure = start(capacity=5)
    whole = azure.ask("GET", path)
    azure.sim.faults.arm(operation, Partial(2))
    answer = azure.ask("GET", path)
    rows = answer.json()["value"]
    assert rows == whole.json()["value"][2:]
    assert [each.get("instanceId") for each in rows] == ids
    assert (answer.status, answer.headers["Content-Length"]) == (200, str(len(answer.body)))
    assert azure.ask("GET", path).json() == whole.json(), "the fault is used up"


def test_a_page_that_lacks_rows_is_followed_by_the_others(start: Start) -> None:
    azure = start(capacity=5, top={"page": 2})
    azure.sim.faults.arm("VirtualMachineScaleSetVMs_List", Partial(1), after=1)
    listed = azure.client.virtual_machine_scale_set_vms.list("shop", "web")
    assert [each.instance_id for each in listed] == ["0", "1", "3", "4"]


def test_a_resource_lacks_no_rows(azure: Azure) -> None:
    azure.sim.faults.arm("VirtualMachineScaleSets_Get", Partial(1))
    assert azure.ask("GET", "").json()["name"] == "web"


def test_a_lost_operation_cannot_be_found_and_changes_no_instance(azure: Azure) -> None:
    azure.patch_image(NEW)
    azure.sim.faults.arm("VirtualMachineScaleSets_UpdateInstances", OperationLost())
    accepted = azure.ask("POST", "manualupgrade", b'{"instanceIds":["0","5"]}')
    assert accepted.status == 202
    status = accepted.headers["Azure-AsyncOperation"].removeprefix("https://arm.test")
    for wait in (0, 1, 600):
        azure.wait(wait)
        assert azure.ask("GET", status).status == 404
        assert azure.sim.scale_set("web").instance("0").state == ("succeeded", "running", "healthy")
    assert azure.sim.scale_set("web").provisioning_state == "Succeeded"
    assert azure.sim.record.absences("web") == ()
    azure.upgrade("0", "5").result()
    assert azure.sim.scale_set("web").instance("5").image == NEW


def test_a_model_is_kept_when_its_operation_is_lost(azure: Azure) -> None:
    azure.sim.faults.arm("VirtualMachineScaleSets_Update", OperationLost())
    accepted = azure.ask("PATCH", "", b'{"tags":{"a":"b"},"sku":{"name":"Standard_D2s_v5","capacity":30}}')
    assert (accepted.status, azure.sim.scale_set("web").tags) == (200, {"a": "b"})
    azure.wait(600)
    status = accepted.headers["Azure-AsyncOperation"].removeprefix("https://arm.test")
    assert azure.ask("GET", status).status == 404
    assert len(azure.sim.scale_set("web").instances) == azure.sim.scale_set("web").capacity == 20


@pytest.mark.parametrize(
    "fault, wanted",
    [
        pytest.param(Malformed("sku.capacity", "two", "web"), ["two", 1], id="a field of one row"),
        pytest.param(Malformed("sku", 5, "web"), [None, 1], id="an object of one row"),
        pytest.param(Malformed("sku.capacity", [3]), [[3], [3]], id="a field of every row"),
        pytest.param(Malformed("", "web", "WEB"), [None, 1], id="a whole row"),
        pytest.param(Malformed("sku.capacity", "two", "db"), [20, 1], id="a missing row"),
    ],
)
def test_a_row_may_have_a_field_of_another_type(start: Start, fault: Malformed, wanted: list[Any]) -> None:
    azure = start({"name": "api", "resourceGroup": "shop", "image": NEW})
    azure.sim.faults.arm("VirtualMachineScaleSets_List", fault)
    answer = azure.ask("GET", f"{GROUP}/providers/Microsoft.Compute/virtualMachineScaleSets")
    rows = answer.json()["value"]
    skus = [row.get("sku") if isinstance(row, dict) else None for row in rows]
    assert [sku.get("capacity") if isinstance(sku, dict) else None for sku in skus] == wanted
    assert answer.headers["Content-Length"] == str(len(answer.body))


def test_one_resource_may_be_malformed_too(azure: Azure) -> None:
    azure.sim.faults.arm("VirtualMachineScaleSets_Get", Malformed("properties.provisioningState", None))
    properties = azure.ask("GET", "").json()["properties"]
    assert (properties["provisioningState"], properties["orchestrationMode"]) == (None, "Uniform")


def test_links_may_lead_to_another_host(start: Start) -> None:
    azure = start(top={"page": 5})
    azure.sim.faults.arm("*", ForeignLinks(), times=2)
    listed = azure.ask("GET", "virtualMachines")
    assert listed.json()["nextLink"].startswith("https://arm.elsewhere.test/subscriptions/")
    assert listed.headers["Content-Length"] == str(len(listed.body))
    accepted = azure.ask("POST", "manualupgrade", b'{"instanceIds": ["*"]}')
    for name in ("Azure-AsyncOperation", "Location"):
        assert accepted.headers[name].startswith("https://arm.elsewhere.test/subscriptions/"), name
    assert azure.ask("GET", "virtualMachines").json()["nextLink"].startswith("https://arm.test/")


@pytest.mark.parametrize(
    "is_late, state",
    [
        pytest.param(False, "updating", id="the state when the request arrived"),
        pytest.param(True, "succeeded", id="the state when the response is sent"),
    ],
)
def test_the_clock_runs_during_a_slow_response(azure: Azure, is_late: bool, state: str) -> None:
    azure.patch_image(NEW)
    azure.upgrade("0", polling=False)
    begun = azure.clock.now()
    azure.sim.faults.arm("VirtualMachineScaleSetVMs_Get", Slow(timedelta(minutes=5), is_late))
    body = azure.ask("GET", "virtualMachines/0").json()
    assert azure.clock.now() - begun == timedelta(minutes=5)
    assert body["properties"]["provisioningState"].lower() == state


def test_every_page_of_a_list_may_be_slow(start: Start) -> None:
    azure = start(top={"page": 5})
    azure.sim.faults.arm("VirtualMachineScaleSetVMs_List", Slow(timedelta(seconds=30)), times=None)
    begun = azure.clock.now()
    assert len(list(azure.client.virtual_machine_scale_set_vms.list("shop", "web"))) == 20
    assert azure.clock.now() - begun == timedelta(minutes=2)


@pytest.mark.parametrize(
    "is_current",
    [pytest.param(True, id="on the latest model"), pytest.param(False, id="not on the latest model")],
)
def test_an_upgrade_may_succeed_and_keep_the_image(azure: Azure, is_current: bool) -> None:
    azure.patch_image(NEW)
    azure.sim.faults.arm("VirtualMachineScaleSets_UpdateInstances", OperationKeepsImage(is_current))
    azure.upgrade("0", "1").result()
    azure.wait(60)
    one = azure.sim.scale_set("web").instance("0")
    assert (one.image, one.is_current, one.state) == (OLD, is_current, ("succeeded", "running", "healthy"))
    azure.patch_image(BAD)
    azure.upgrade("0").result()
    assert one.image == BAD, "the fault is used up"


def test_a_failed_patch_stays_written_and_leaves_the_scale_set_failed(azure: Azure) -> None:
    azure.sim.faults.arm("VirtualMachineScaleSets_Update", OperationFails("AllocationFailed", "No capacity."))
    with pytest.raises(HttpResponseError, match="No capacity"):
        azure.patch_image(NEW)
    live = azure.sim.scale_set("web")
    assert (live.image, live.provisioning_state) == (NEW, "Failed")


def test_a_fault_may_end_at_a_given_time(azure: Azure) -> None:
    until = azure.clock.now() + timedelta(hours=4)
    refusal = Rejected(errors.conflict())
    azure.sim.faults.arm("VirtualMachineScaleSets_Update", refusal, times=None, until=until)
    statuses = []
    for _ in range(3):
        statuses.append(azure.ask("PATCH", "", b'{"tags": {}}').status)
        azure.wait(2 * 3600)
    assert statuses == [409, 409, 200]
