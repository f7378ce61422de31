"""Every kind of failure, through the real SDK, and what to do next."""

from collections.abc import Callable
from datetime import timedelta
from unittest.mock import Mock

import pytest
from azure.core.credentials import AccessToken
from azure.core.exceptions import ClientAuthenticationError, HttpResponseError

from reconciler.azure.budget import Priority
from reconciler.azure.compute import Compute
from reconciler.azure.failure import (
    AzureFailure,
    Conflict,
    MalformedResponse,
    NotLeading,
    Refused,
    TooManyRequests,
    Unreachable,
    failure,
)
from reconciler.azure.session import Session
from reconciler.rollout.step import PatchModel, Upgrade
from reconciler.simulator import Page, Reset, Simulator, Status, Throttled, Timeout, Truncated
from tests.azure.conftest import IMAGE, TARGET, Door
from tests.build import model
from tests.token import Token


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        pytest.param(400, "InvalidParameter", Refused, id="a parameter that is wrong"),
        pytest.param(400, "PropertyChangeNotAllowed", Refused, id="a property that cannot be changed"),
        pytest.param(401, "ExpiredAuthenticationToken", Unreachable, id="a token that has expired"),
        pytest.param(403, "AuthorizationFailed", Refused, id="a role that is missing"),
        pytest.param(403, "LinkedAuthorizationFailed", Refused, id="a role on the gallery that is missing"),
        pytest.param(404, "ParentResourceNotFound", Conflict, id="a scale set that was deleted meanwhile"),
        pytest.param(404, "PlatformImageNotFound", Refused, id="an image that does not exist"),
        pytest.param(404, "GalleryImageNotFound", Refused, id="an image that is not replicated here"),
        pytest.param(408, "RequestTimeout", Unreachable, id="a timeout in Azure"),
        pytest.param(409, "Conflict", Conflict, id="a concurrent request"),
        pytest.param(409, "OperationNotAllowed", Refused, id="a permanent denial"),
        pytest.param(409, "AnotherOperationInProgress", Conflict, id="another operation in progress"),
        pytest.param(409, "ScopeLocked", Refused, id="a lock on the scale set"),
        pytest.param(409, "SomethingNew", Refused, id="a conflict with an unknown code"),
        pytest.param(412, "PreconditionFailed", Conflict, id="another etag"),
        pytest.param(500, "InternalServerError", Unreachable, id="an internal error of Azure"),
        pytest.param(503, "ServerTimeout", Unreachable, id="Azure is overloaded"),
    ],
)
def test_a_response_is_typed_by_what_to_do_next(
    door: Door, azure: Simulator, status: int, code: str, kind: type[AzureFailure]
) -> None:
    azure.faults.arm(
        "VirtualMachineScaleSets_UpdateInstances", Status(status, code, "Azure's\r\n  own words.")
    )
    with pytest.raises(AzureFailure) as caught:
        door.take(TARGET, Upgrade(("0",), IMAGE))
    assert type(caught.value) is kind
    assert str(caught.value) == f"""Azure returned {code} ("Azure's own words")"""


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        pytest.param(409, "", (Conflict, "HTTP 409 Conflict"), id="a conflict without a body"),
        pytest.param(409, "<html>", (Conflict, "HTTP 409 Conflict"), id="a conflict with a page"),
        pytest.param(
            409,
            '{"error":{"code":"","message":"busy"}}',
            (Conflict, 'HTTP 409 ("busy")'),
            id="a conflict without a code",
        ),
        pytest.param(
            400,
            '{"error":{"code":null,"message":"bad"}}',
            (Refused, 'HTTP 400 ("bad")'),
            id="a refusal whose code is null",
        ),
        pytest.param(
            409,
            '{"error":{"code":"ScopeLocked"}}',
            (Refused, "ScopeLocked"),
            id="a lock without a message",
        ),
    ],
)
def test_an_error_without_a_code_or_a_message(
    door: Door, azure: Simulator, status: int, body: str, expected: tuple[type[AzureFailure], str]
) -> None:
    azure.faults.arm("VirtualMachineScaleSets_UpdateInstances", Page(status, body))
    with pytest.raises(AzureFailure) as caught:
        door.take(TARGET, Upgrade(("0",), IMAGE))
    assert (type(caught.value), str(caught.value).removeprefix("Azure returned ")) == expected


GALLERY = (
    "/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/galleries/G/images/web/versions/1.4.0"
)


THE, SET = "The Resource 'Microsoft.Compute/", "virtualMachineScaleSets/image-builder'"


@pytest.mark.parametrize(
    ("status", "code", "message", "kind"),
    [
        pytest.param(404, "NotFound", f"The resource '{GALLERY}' was not found.", Refused, id="a gallery image"),
        pytest.param(404, "ResourceNotFound", f"{THE}images/base' was not found.", Refused, id="a managed image"),
        pytest.param(404, "NotFound", "The specified image cannot be found.", Refused, id="an image without a name"),
        pytest.param(404, "ResourceNotFound", f"{THE}{SET} was not found.", Conflict, id="a scale set of that name"),
        pytest.param(404, "ResourceGroupNotFound", "Resource group 'g' could not be found.", Conflict, id="a group"),
        pytest.param(404, "ResourceGroupNotFound", "The group 'image' is gone.", Conflict, id="a group of that name"),
        pytest.param(404, "ParentResourceNotFound", "No set 'image'.", Conflict, id="a parent of that name"),
        pytest.param(404, "NotFound", "The entity was not found.", Conflict, id="an unknown resource"),
        pytest.param(
            404, "ResourceNotFound", f"{THE}diskEncryptionSets/keys' was not found.", Refused, id="another resource"
        ),
        pytest.param(
            404, "ResourceNotFound", f"{THE}virtualMachines/image_1' was not found.", Conflict, id="a Flexible machine"
        ),
        pytest.param(409, "OperationNotAllowed", "Rolling Upgrade is already in progress.", Conflict, id="an upgrade"),
        pytest.param(409, "ReferencedResourceNotProvisioned", "lb is updating.", Conflict, id="a resource that the request refers to"),
        pytest.param(409, "New", "The resource lb is not in Succeeded state.", Conflict, id="a resource that the request refers to, by its message"),
        pytest.param(409, "New", "Another operation is in progress.", Conflict, id="another operation"),
        pytest.param(409, "ConflictingConcurrentWriteNotAllowed", "Retry.", Conflict, id="a concurrent write"),
        pytest.param(409, "OperationNotAllowed", "The disk size 30 GB is too small.", Refused, id="a disk too small"),
        pytest.param(409, "ScopeLocked", "Please remove the lock and try again.", Refused, id="a lock"),
        pytest.param(409, "OperationNotAllowed", "It exceeds approved cores quota.", Refused, id="a quota"),
    ],
)  # fmt: skip
def test_the_message_decides_where_the_code_is_ambiguous(
    door: Door, azure: Simulator, *, status: int, code: str, message: str, kind: type[AzureFailure]
) -> None:
    azure.faults.arm("VirtualMachineScaleSets_Update", Status(status, code, message))
    with pytest.raises(AzureFailure) as caught:
        door.take(TARGET, PatchModel(IMAGE, '"1"'))
    assert type(caught.value) is kind


def test_a_429_is_throttling_although_its_code_is_that_of_a_denial(door: Door, azure: Simulator) -> None:
    azure.faults.arm("VirtualMachineScaleSets_Get", Throttled(timedelta(seconds=77)))
    with pytest.raises(TooManyRequests, match="Azure returned OperationNotAllowed ") as caught:
        door.model(TARGET, Priority.ROLLOUT)
    assert caught.value.retry_after == timedelta(seconds=77)


@pytest.mark.parametrize(
    ("retry_after", "wait"),
    [
        pytest.param("77", timedelta(seconds=77), id="seconds"),
        pytest.param("", timedelta(minutes=1), id="no Retry-After"),
        pytest.param("Wed, 21 Oct 2026 07:28:00 GMT", timedelta(minutes=1), id="a date"),
        pytest.param("-1", timedelta(minutes=1), id="below zero"),
        pytest.param("\u00b2", timedelta(minutes=1), id="a digit that is not ASCII"),
        pytest.param("9" * 20, timedelta(minutes=1), id="beyond a timedelta"),
        pytest.param("9" * 5000, timedelta(minutes=1), id="more digits than Python reads"),
    ],
)
def test_an_invalid_retry_after_means_a_minute(retry_after: str, wait: timedelta) -> None:
    response = Mock(status_code=429, headers={"Retry-After": retry_after}, reason="Too Many Requests")
    throttled = failure(HttpResponseError(response=response))
    assert isinstance(throttled, TooManyRequests)
    assert throttled.retry_after == wait


@pytest.mark.parametrize(
    "fault", [Timeout(), Reset(), Timeout(lost_answer=True), Reset(lost_answer=True)], ids=str
)
def test_no_response_is_unreachable(door: Door, azure: Simulator, fault: Timeout | Reset) -> None:
    azure.faults.arm("VirtualMachineScaleSetVMs_List", fault)
    with pytest.raises(Unreachable):
        door.instances(TARGET, model(), Priority.ROLLOUT)


@pytest.mark.parametrize(
    "operation",
    [
        "VirtualMachineScaleSets_Get",
        "VirtualMachineScaleSetVMs_List",
        "VirtualMachineScaleSetRollingUpgrades_GetLatest",
    ],
)
def test_a_truncated_response_is_malformed(door: Door, azure: Simulator, operation: str) -> None:
    azure.faults.arm(operation, Truncated())
    azure.scale_set("web").start_rolling_upgrade()
    reads: dict[str, Callable[[], object]] = {
        "VirtualMachineScaleSets_Get": lambda: door.model(TARGET, Priority.ROLLOUT),
        "VirtualMachineScaleSetVMs_List": lambda: door.instances(TARGET, model(), Priority.ROLLOUT),
        "VirtualMachineScaleSetRollingUpgrades_GetLatest": lambda: door.rolling_upgrade(
            TARGET, Priority.ROLLOUT
        ),
    }
    with pytest.raises(MalformedResponse):
        reads[operation]()


def test_an_instance_removed_by_a_scale_in_is_a_conflict(door: Door) -> None:
    with pytest.raises(Conflict, match="instanceId 999 is not an active"):
        door.take(TARGET, Upgrade(("0", "999"), IMAGE))


def test_a_long_message_is_cut_to_one_log_line(door: Door, azure: Simulator) -> None:
    azure.faults.arm("VirtualMachineScaleSets_Get", Status(400, "BadRequest", "very " * 500))
    with pytest.raises(Refused) as caught:
        door.model(TARGET, Priority.ROLLOUT)
    assert len(str(caught.value)) == 600


def test_a_missing_identity_is_reported_with_its_fix(azure: Simulator) -> None:
    class Nobody:
        def get_token(self, *_scopes: str, **_options: object) -> AccessToken:
            raise ClientAuthenticationError("DefaultAzureCredential failed.\nAttempted credentials: ...")

    with pytest.raises(Unreachable) as caught:
        Compute(Session(credential=Nobody(), transport=azure.transport())).model(TARGET, Priority.ROLLOUT)
    assert str(caught.value) == (
        "no Azure identity: no source of DefaultAzureCredential returned a token; run `az login`, or set AZURE_TOKEN_CREDENTIALS and the variables of an identity"
    )


def test_a_missing_certificate_file_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nothere.pem")
    with pytest.raises(Unreachable, match=r"/nothere\.pem"):
        Compute(Session("https://127.0.0.1:9", credential=Token())).model(TARGET, Priority.ROLLOUT)


def test_an_address_without_a_listener_is_reported() -> None:
    with pytest.raises(Unreachable, match=r"Azure could not be reached \(.*127\.0\.0\.1.*refused"):
        Compute(Session("https://127.0.0.1:9", credential=Token())).model(TARGET, Priority.ROLLOUT)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        pytest.param("a\x1b[2Jb", r'Azure returned X ("a\x1b[2Jb")', id="an escape sequence"),
        pytest.param("a\u202eb", r'Azure returned X ("a\u202eb")', id="a character that reorders text"),
        pytest.param("a\r\n\tb", 'Azure returned X ("a b")', id="lines"),
        pytest.param("a\u2028b", 'Azure returned X ("a b")', id="a line end of Unicode"),
    ],
)
def test_a_message_of_azure_is_one_printable_line(
    door: Door, azure: Simulator, text: str, shown: str
) -> None:
    azure.faults.arm("VirtualMachineScaleSets_Get", Status(400, "X", text))
    with pytest.raises(Refused) as caught:
        door.model(TARGET, Priority.ROLLOUT)
    assert str(caught.value) == shown


@pytest.mark.parametrize(
    "kind",
    [AzureFailure, Refused, Conflict, NotLeading, Unreachable, MalformedResponse, lambda text: TooManyRequests(text, timedelta())],
    ids=["any", "refused", "conflict", "not leading", "unreachable", "malformed", "throttled"],
)  # fmt: skip
def test_every_failure_is_one_printable_line(kind: Callable[[str], AzureFailure]) -> None:
    assert str(kind("a\n\x07b")) == r"a \x07b"
