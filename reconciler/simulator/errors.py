"""Azure's errors, with the messages that Azure sends.

An `ArmError` raised anywhere below the core becomes the response. Two services send errors: Azure Resource
Manager itself (the gateway: compact JSON and `x-ms-failure-cause: gateway`) and the compute resource provider
(indented JSON with CRLF). The messages come from recorded traffic and from issue threads. If neither source
has a message, the function's docstring says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any


class ArmError(Exception):
    """An error from Azure: HTTP status, code and message, and the service that sends the error.

    `charge` is what Azure charges for the failed request, or None if Azure reports no charge.
    """

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
        charge: int | None = None,
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
        self.charge = charge

    def envelope(self) -> dict[str, Any]:
        error: dict[str, Any] = {"code": self.code, "message": self.message}
        if self.target is not None:
            error["target"] = self.target
        if self.details is not None:
            error["details"] = self.details
        if self.inner is not None:
            error["innererror"] = dict(self.inner)
        return {"error": error}


def unauthenticated_error(tenant: str) -> ArmError:
    """The error for a request without a token. No recording of this error was found."""
    challenge = (
        f'Bearer authorization_uri="https://login.microsoftonline.com/{tenant}", error="invalid_token", '
        "error_description=\"The authentication failed because of missing 'Authorization' header.\""
    )
    message = "Authentication failed. The 'Authorization' header is missing."
    return ArmError(
        401, "AuthenticationFailed", message, headers={"WWW-Authenticate": challenge}, gateway=True
    )


def unauthorized_error(client: str, principal: str, action: str, scope: str) -> ArmError:
    message = (
        f"The client '{client}' with object id '{principal}' does not have authorization to perform action "
        f"'{action}' over scope '{scope}' or the scope is invalid. If access was recently granted, please "
        "refresh your credentials."
    )
    return ArmError(403, "AuthorizationFailed", message, gateway=True)


def linked_unauthorized(
    client: str, principal: str, action: str, scope: str, *, linked_action: str, linked_scope: str
) -> ArmError:
    """The error for a caller that may write the scale set, but may not read the image named in the write."""
    message = (
        f"The client '{client}' with object id '{principal}' has permission to perform action '{action}' on "
        f"scope '{scope}'; however, it does not have permission to perform action '{linked_action}' on the "
        f"linked scope(s) '{linked_scope}' or the linked scope(s) are invalid."
    )
    return ArmError(403, "LinkedAuthorizationFailed", message, gateway=True)


def tenant_not_linked(action: str, scope: str, tenant: str, subscription: str) -> ArmError:
    """The error for a write that names an image in another tenant's subscription."""
    message = (
        f"The client has permission to perform action '{action}' on scope '{scope}', however the current "
        f"tenant '{tenant}' is not authorized to access linked subscription '{subscription}'."
    )
    return ArmError(403, "LinkedAuthorizationFailed", message, gateway=True)


def token_expired(expiry: datetime, now: datetime) -> ArmError:
    moments = (f"{each:%m/%d/%Y %I:%M:%S %p}" for each in (expiry, now))
    message = "The access token expiry UTC time '{}' is earlier than current UTC time '{}'.".format(*moments)
    return ArmError(401, "ExpiredAuthenticationToken", message, gateway=True)


def wrong_tenant(issuer: str, tenant: str) -> ArmError:
    message = (
        f"The access token is from the wrong issuer 'https://sts.windows.net/{issuer}/'. It must match the "
        f"tenant 'https://sts.windows.net/{tenant}/' associated with this subscription. Please use the "
        f"authority (URL) 'https://login.windows.net/{tenant}' to get the token. Note, if the subscription "
        "is transferred to another tenant there is no impact to the services, but information about new "
        "tenant could take time to propagate (up to an hour)."
    )
    return ArmError(401, "InvalidAuthenticationTokenTenant", message, gateway=True)


def invalid_token(tenant: str) -> ArmError:
    """The error for a token that cannot be read.

    The message comes from issue threads. The challenge was not found, so it is modelled on the challenge for
    a missing token.
    """
    challenge = (
        f'Bearer authorization_uri="https://login.microsoftonline.com/{tenant}", error="invalid_token", '
        'error_description="The access token is invalid."'
    )
    message = "The access token is invalid."
    return ArmError(
        401, "InvalidAuthenticationToken", message, headers={"WWW-Authenticate": challenge}, gateway=True
    )


def scope_locked(scope: str, lock: str, verb: str = "write") -> ArmError:
    """The error for an operation on a locked scope. `lock` is the scope that has the management lock."""
    message = (
        f"The scope '{scope}' cannot perform {verb} operation because following scope(s) are locked: "
        f"'{lock}'. Please remove the lock and try again."
    )
    return ArmError(409, "ScopeLocked", message, gateway=True)


def disallowed_by_policy(name: str, policy: str) -> ArmError:
    message = f"Resource '{name}' was disallowed by policy. Policy identifiers: '{policy}'."
    return ArmError(403, "RequestDisallowedByPolicy", message, target=name, gateway=True)


def not_registered(namespace: str = "Microsoft.Compute") -> ArmError:
    """The error for an unregistered provider. On this error, the SDK registers the provider."""
    code = "MissingSubscriptionRegistration"
    message = (
        f"The subscription is not registered to use namespace '{namespace}'. See "
        "https://aka.ms/rps-not-found for how to register subscriptions."
    )
    details = [{"code": code, "target": namespace, "message": message}]
    return ArmError(409, code, message, details=details, gateway=True)


def server_timeout() -> ArmError:
    """The gateway's error for a timeout. The code comes from issue threads, and the message is a guess."""
    message = "The request timed out. Diagnostic information: see the correlation id."
    return ArmError(503, "ServerTimeout", message, gateway=True)


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
    return no_resource(group, f"virtualMachineScaleSets/{name}")


def no_virtual_machine(group: str, name: str) -> ArmError:
    return no_resource(group, f"virtualMachines/{name}")


def no_resource(group: str, name: str) -> ArmError:
    """The error for a missing compute resource. `name` is the type and the name, such as "images/base"."""
    message = (
        f"The Resource 'Microsoft.Compute/{name}' under resource group '{group}' was not found. For more "
        "details please go to https://aka.ms/ARMResourceNotFoundFix"
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
    return ArmError(400, "InvalidParameter", message, target="instanceId", charge=1)


def inactive_instance(instance_id: str) -> ArmError:
    message = (
        f"The provided instanceId {instance_id} is not an active Virtual Machine Scale Set VM instanceId."
    )
    return ArmError(400, "InvalidParameter", message, target="upgradePolicies.instanceIds")


def missing_parameter(name: str) -> ArmError:
    return ArmError(400, "InvalidParameter", f"Required parameter '{name}' is missing (null).", target=name)


def conflict(*, charge: int | None = None) -> ArmError:
    message = (
        "The request failed due to conflict with a concurrent request. To resolve it, please refer to "
        "https://aka.ms/activitylog to get more details on the conflicting requests."
    )
    return ArmError(409, "Conflict", message, charge=charge)


def too_many_models(name: str, limit: int) -> ArmError:
    """The error for a scale set whose instances are on too many different models.

    The message comes from issue threads. The error code was not found.
    """
    message = (
        f"Virtual Machine Scale Set '{name}' has reached its limit of {limit} models that may be referenced "
        "by one or more VMs belonging to the Virtual Machine Scale Set. Upgrade the VMs to the latest model "
        "of the Virtual Machine Scale Set before trying again."
    )
    return not_allowed(message)


def too_many_instances(name: str, limit: int) -> ArmError:
    subject = f"Virtual Machine Scale Set '{name}'"
    return not_allowed(
        f"Unable to create or update {subject} as it exceeds the total limit of '{limit}' Virtual Machine "
        "instances."
    )


def preemption_error() -> ArmError:
    """The error for an operation that a later operation preempts. It is never a response to a request."""
    message = "Operation execution has been preempted by a more recent operation."
    return ArmError(409, "OperationPreempted", message)


def not_allowed(message: str) -> ArmError:
    return ArmError(409, "OperationNotAllowed", message)


def no_rolling_upgrade() -> ArmError:
    return not_allowed("There is no ongoing Rolling Upgrade to cancel.")


def marked_for_deletion(name: str) -> ArmError:
    return not_allowed(
        f"The requested operation is not allowed on Virtual Machine Scale Set '{name}' since it is marked "
        "for deletion. You can only retry the Delete operation (or wait for an ongoing one to complete)."
    )


def image_type_fixed() -> ArmError:
    return not_allowed("The Image type for a Virtual Machine Scale Set may not be changed.")


def only_for_spot() -> ArmError:
    return not_allowed("Operation 'simulateEviction' is allowed only for Spot Virtual Machines")


def needs_latest() -> ArmError:
    return not_allowed(
        "The OS Rolling Upgrade API cannot be used on a Virtual Machine Scale Set unless the Virtual Machine "
        "Scale Set has some unprotected instances which have imageReference.version set to latest."
    )


def quota_exceeded(location: str, *, limit: int, usage: int, required: int) -> ArmError:
    return not_allowed(
        "Operation could not be completed as it results in exceeding approved Total Regional Cores quota. "
        f"Additional details - Deployment Model: Resource Manager, Location: {location}, Current Limit: "
        f"{limit}, Current Usage: {usage}, Additional Required: {required}, (Minimum) New Limit Required: "
        f"{usage + required}."
    )


def automatic_upgrade_needs_latest() -> ArmError:
    return invalid(
        "virtualMachineScaleSets with Automatic OS Upgrade enabled must use Platform or Gallery Image with "
        "version set to 'latest'.",
        "imageReference.version",
    )


def no_managed_image_with_trusted_launch() -> ArmError:
    message = "Managed Images are not supported for virtual machines with security type TrustedLaunch."
    return ArmError(400, "BadRequest", message)


def only_with_trusted_launch() -> ArmError:
    message = (
        "The provided gallery image only supports creation of VMs and VM Scale Sets with 'TrustedLaunch' "
        "security type."
    )
    return ArmError(400, "BadRequest", message)


def no_trusted_launch() -> ArmError:
    message = (
        "Use of TrustedLaunch setting is not supported for the provided image. Please select Trusted Launch "
        "Supported Gen2 OS Image. For more information, see https://aka.ms/TrustedLaunch-FAQ."
    )
    return ArmError(400, "BadRequest", message)


def cannot_boot(size: str, generation: str) -> ArmError:
    number = generation.removeprefix("V")
    message = (
        f"The selected VM size '{size}' cannot boot Hypervisor Generation '{number}'. If this was a Create "
        "operation please check that the Hypervisor Generation of the Image matches the Hypervisor "
        "Generation of the selected VM Size. If this was an Update operation please select a Hypervisor "
        f"Generation '{number}' VM Size. For more information, see https://aka.ms/azuregen2vm"
    )
    return ArmError(400, "BadRequest", message)


def wrong_architecture(size: str, supported: str, given: str) -> ArmError:
    """The error for an image whose architecture the VM size does not support.

    The message paraphrases Azure's, because no report that quotes the whole message was found.
    """
    message = (
        f"Cannot create a VM of size '{size}' because this VM size only supports a CPU Architecture of "
        f"'{supported}', but an image or disk with CPU Architecture '{given}' was given. Please check that "
        "the CPU Architecture of the image or disk is compatible with that of the VM size."
    )
    return ArmError(400, "BadRequest", message)


def disk_too_small(size: int, image: int) -> ArmError:
    message = (
        f"The specified disk size {size} GB is smaller than the size of the corresponding disk in the VM "
        f"image: {image} GB. This is not allowed. Please choose equal or greater size or do not specify an "
        "explicit size."
    )
    return ArmError(409, "OperationNotAllowed", message, target="osDisk.diskSizeGB")


def needs_plan(resource_id: str) -> ArmError:
    message = (
        "Creating a virtual machine from Marketplace image or a custom image sourced from a Marketplace "
        f"image requires Plan information in the request. VM: '{resource_id}'."
    )
    return ArmError(400, "VMMarketplaceInvalidInput", message)


def allocation_failed() -> ArmError:
    """The error for a scale-out that exceeds Azure's capacity. It is never a response to a request."""
    message = (
        "Allocation failed. We do not have sufficient capacity for the requested VM size in this region. "
        "Read more about improving likelihood of allocation success at http://aka.ms/allocation-guidance"
    )
    return ArmError(409, "AllocationFailed", message)


def extension_failed(name: str) -> ArmError:
    """The error for an operation in which an extension fails. It is never a response to a request."""
    message = (
        f"VM has reported a failure when processing extension '{name}'. Error message: \"Enable failed: "
        'failed to execute command".'
    )
    return ArmError(409, "VMExtensionProvisioningError", message)


def unhealthy_upgrade() -> ArmError:
    """The error for an unhealthy rolling upgrade. It is never a response to a request."""
    code = "MaxUnhealthyUpgradedInstancePercentExceededInRollingUpgrade"
    limit = "the MaxUnhealthyUpgradedInstancePercent value defined in the RollingUpgradePolicy"
    return ArmError(409, code, f"Rolling Upgrade failed after exceeding {limit}.")


def property_fixed(name: str) -> ArmError:
    return ArmError(
        409, "PropertyChangeNotAllowed", f"Changing property '{name}' is not allowed.", target=name
    )


def bad_value(name: str) -> ArmError:
    """The error for an invalid value. The message was observed in Azure, but for other parameters."""
    return ArmError(400, "InvalidParameter", f"The value of parameter {name} is invalid.", target=name)


def invalid(message: str, target: str) -> ArmError:
    return ArmError(400, "InvalidParameter", message, target=target)


def too_many_for_gateway(verb: str, subscription: str, caller: str, *, retry_after: int) -> ArmError:
    """Resource Manager's own 429. The message for a tenant's quota is a guess."""
    scope = f"subscription '{subscription}'" if subscription else "the tenant"
    message = (
        f"Number of '{verb}' requests for {scope} actor '{caller}' exceeded. Please try again after "
        f"'{retry_after}' seconds."
    )
    return ArmError(
        429,
        "SubscriptionRequestsThrottled" if subscription else "TenantRequestsThrottled",
        message,
        headers={"Retry-After": str(retry_after)},
        gateway=True,
    )


def too_many_requests(
    group: str, *, window: tuple[str, str], allowed: int, measured: int, retry_after: int
) -> ArmError:
    """The compute provider's 429. Its code is OperationNotAllowed, and the reason is JSON within a string."""
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
