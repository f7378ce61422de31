"""Azure's refusals, in Azure's words.

An `ArmError` raised anywhere below the core becomes the answer. Two services speak: Azure Resource Manager
itself (the gateway: compact JSON and `x-ms-failure-cause: gateway`) and the compute resource provider
(pretty-printed JSON with CRLF). The texts are those of recorded traffic and of issue threads; where neither
was found the function says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class ArmError(Exception):
    """One refusal: HTTP status, code and message, and who speaks."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        target: str | None = None,
        details: list[dict[str, Any]] | None = None,
        inner: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        gateway: bool = False,
    ) -> None:
        super().__init__(f"{status} {code}: {message}")
        self.status = status
        self.code = code
        self.message = message
        self.target = target
        self.details = details
        self.inner = inner
        self.headers = headers or {}
        self.gateway = gateway

    def envelope(self) -> dict[str, Any]:
        error: dict[str, Any] = {"code": self.code, "message": self.message}
        if self.target is not None:
            error["target"] = self.target
        if self.details is not None:
            error["details"] = self.details
        if self.inner is not None:
            error["innererror"] = dict(self.inner)
        return {"error": error}


def unauthenticated(tenant: str) -> ArmError:
    """No recording of this one was found."""
    challenge = (
        f'Bearer authorization_uri="https://login.microsoftonline.com/{tenant}", error="invalid_token", '
        "error_description=\"The authentication failed because of missing 'Authorization' header.\""
    )
    message = "Authentication failed. The 'Authorization' header is missing."
    return ArmError(
        401, "AuthenticationFailed", message, headers={"WWW-Authenticate": challenge}, gateway=True
    )


def no_api_version() -> ArmError:
    message = "The api-version query parameter (?api-version=) is required for all requests."
    return ArmError(400, "MissingApiVersionParameter", message, gateway=True)


def no_route(path: str) -> ArmError:
    message = f"The resource type could not be found in the namespace 'Microsoft.Compute' for '{path}'."
    return ArmError(404, "InvalidResourceType", message, gateway=True)


def no_subscription(subscription: str) -> ArmError:
    message = f"The subscription '{subscription}' could not be found."
    return ArmError(404, "SubscriptionNotFound", message, gateway=True)


def no_group(group: str) -> ArmError:
    return ArmError(
        404, "ResourceGroupNotFound", f"Resource group '{group}' could not be found.", gateway=True
    )


def no_scale_set(group: str, name: str) -> ArmError:
    message = (
        f"The Resource 'Microsoft.Compute/virtualMachineScaleSets/{name}' under resource group '{group}' "
        "was not found. For more details please go to https://aka.ms/ARMResourceNotFoundFix"
    )
    return ArmError(404, "ResourceNotFound", message, gateway=True)


def no_parent(resource_id: str) -> ArmError:
    message = (
        "Failed to perform 'read' on resource(s) of type 'virtualMachineScaleSets/virtualMachines', "
        f"because the parent resource '{resource_id}' could not be found."
    )
    return ArmError(404, "ParentResourceNotFound", message, gateway=True)


def no_entity() -> ArmError:
    return ArmError(404, "NotFound", "The entity was not found in this Azure location.")


def etag_mismatch(given: str, current: str) -> ArmError:
    quoted = '"' + given.strip('"') + '"'
    message = f"Etag provided in if-match header {quoted} does not match etag {current} of resource."
    return ArmError(412, "PreconditionFailed", message)


def bad_instance_id() -> ArmError:
    message = "Virtual Machine Scale Set VM instanceId must be a number."
    return ArmError(400, "InvalidParameter", message, target="instanceId")


def inactive_instance(instance_id: str) -> ArmError:
    message = (
        f"The provided instanceId {instance_id} is not an active Virtual Machine Scale Set VM instanceId."
    )
    return ArmError(400, "InvalidParameter", message, target="upgradePolicies.instanceIds")


def missing_parameter(name: str) -> ArmError:
    return ArmError(400, "InvalidParameter", f"Required parameter '{name}' is missing (null).", target=name)


def conflict() -> ArmError:
    message = (
        "The request failed due to conflict with a concurrent request. To resolve it, please refer to "
        "https://aka.ms/activitylog to get more details on the conflicting requests."
    )
    return ArmError(409, "Conflict", message)


def preempted() -> ArmError:
    """Not an answer to a request: how an operation ends that a later one has overtaken."""
    message = "Operation execution has been preempted by a more recent operation."
    return ArmError(409, "OperationPreempted", message)


def not_allowed(message: str) -> ArmError:
    return ArmError(409, "OperationNotAllowed", message)


def property_fixed(name: str) -> ArmError:
    return ArmError(
        409, "PropertyChangeNotAllowed", f"Changing property '{name}' is not allowed.", target=name
    )


def invalid(message: str, target: str) -> ArmError:
    return ArmError(400, "InvalidParameter", message, target=target)


def too_many_requests(
    group: str, *, window: tuple[str, str], allowed: int, measured: int, retry_after: int
) -> ArmError:
    """The compute provider's 429: its code is OperationNotAllowed, and the reason is JSON within a string."""
    start, end = window
    reason = (
        f'{{"operationGroup":"{group}","startTime":"{start}","endTime":"{end}",'
        f'"allowedRequestCount":{allowed},"measuredRequestCount":{measured}}}'
    )
    message = (
        "The server rejected the request because too many requests have been received for this subscription."
    )
    return ArmError(
        429,
        "OperationNotAllowed",
        message,
        details=[{"code": "TooManyRequests", "target": group, "message": reason}],
        inner={"internalErrorCode": "TooManyRequestsReceived"},
        headers={"Retry-After": str(retry_after)},
    )
