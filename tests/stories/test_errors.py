"""Every error that Azure is known to return, by status and code, and what it does to a rollout.

Each error occurs once, in the middle of a rollout. The table has the outcome that reports it. After any of them the
rollout completes without intervention, one domain at a time.
"""

from datetime import timedelta

import pytest
from _pytest.mark import ParameterSet

from reconciler.simulator import OperationFails, Reset, Status, Throttled, Timeout, Truncated
from reconciler.simulator.faults import Fault, Page
from tests.messages import says
from tests.stories.world import NEW, World, fleet, scale_set, spec

GET, LIST, INSTANCES = (
    "VirtualMachineScaleSets_Get",
    "VirtualMachineScaleSets_ListAll",
    "VirtualMachineScaleSetVMs_List",
)
PATCH, UPGRADE, ROLLING = (
    "VirtualMachineScaleSets_Update",
    "VirtualMachineScaleSets_UpdateInstances",
    "VirtualMachineScaleSetRollingUpgrades_GetLatest",
)
VERSION = "VirtualMachineImages_Get"
SECOND = timedelta(seconds=1)


def error_case(
    error: str, message: str, operation: str, outcome: str, status: str, *, name: str = ""
) -> ParameterSet:
    """An error (status and code) with which Azure answers `operation`, and the outcome of that reconcile."""
    http, code = error.split()
    fault = Status(int(http), code, message)
    return pytest.param(operation, fault, outcome, status, id=name or f"{error} at {operation}")


NEVER, WAITS, FAILS = "Stalled", "Reconciling", "Failing"

TABLE = [
    error_case("404 ResourceNotFound", "The Resource was not found.", GET, "NotFound", NEVER),
    error_case("404 ResourceGroupNotFound", "Resource group 'shop' could not be found.", GET, "NotFound", NEVER),
    error_case("404 ParentResourceNotFound", "The parent resource could not be found.", INSTANCES, "Conflict", WAITS),
    error_case("404 NotFound", "The entity was not found in this Azure location.", UPGRADE, "Conflict", WAITS),
    error_case("404 ResourceNotFound", "The Resource was not found.", PATCH, "Conflict", WAITS),
    error_case("404 SubscriptionNotFound", "The subscription could not be found.", INSTANCES, "Refused", NEVER),
    error_case("409 Conflict", "The request failed due to conflict with a concurrent request.", UPGRADE, "Conflict", WAITS),
    error_case("409 Conflict", "The request failed due to conflict with a concurrent request.", PATCH, "Conflict", WAITS),
    error_case(
        "409 OperationNotAllowed",
        "There is no ongoing Rolling Upgrade to cancel.",
        ROLLING,
        "Refused",
        NEVER,
        name="409 OperationNotAllowed: no rolling upgrade to cancel",
    ),
    error_case(
        "409 OperationNotAllowed",
        "The requested operation is not allowed on Virtual Machine Scale Set 'web' since it is marked for deletion.",
        PATCH,
        "Refused",
        NEVER,
        name="409 OperationNotAllowed: the scale set is marked for deletion",
    ),
    error_case(
        "409 OperationNotAllowed",
        "The Image type for a Virtual Machine Scale Set may not be changed.",
        PATCH,
        "Refused",
        NEVER,
        name="409 OperationNotAllowed: the image type may not change",
    ),
    error_case(
        "409 OperationNotAllowed",
        "Operation could not be completed as it results in exceeding approved Total Regional Cores quota.",
        UPGRADE,
        "Refused",
        NEVER,
        name="409 OperationNotAllowed: the quota is exceeded",
    ),
    error_case(
        "409 OperationNotAllowed",
        "Operation 'simulateEviction' is allowed only for Spot Virtual Machines.",
        UPGRADE,
        "Refused",
        NEVER,
        name="409 OperationNotAllowed: the operation is for Spot only",
    ),
    error_case(
        "409 OperationNotAllowed",
        "Virtual Machine Scale Set 'web' has reached its limit of 10 models that may be referenced by one or more VMs "
        "belonging to the Virtual Machine Scale Set.",
        PATCH,
        "Refused",
        NEVER,
        name="409 OperationNotAllowed: ten models are in use",
    ),
    error_case(
        "409 MissingSubscriptionRegistration",
        "The subscription is not registered to use namespace 'Microsoft.Compute'.",
        PATCH,
        "Refused",
        NEVER,
    ),
    error_case("409 ScopeLocked", "The scope is locked. Please remove the lock and try again.", PATCH, "Refused", NEVER),
    error_case("400 InvalidParameter", "Required parameter 'imageReference' is missing (null).", PATCH, "Refused", NEVER),
    error_case(
        "400 InvalidParameter",
        "virtualMachineScaleSets with Automatic OS Upgrade enabled must use Platform or Gallery Image with version "
        "set to 'latest'.",
        PATCH,
        "Refused",
        NEVER,
        name="400 InvalidParameter: automatic OS upgrade requires latest",
    ),
    error_case(
        "400 BadRequest",
        "Managed Images are not supported for virtual machines with security type TrustedLaunch.",
        PATCH,
        "Refused",
        NEVER,
    ),
    error_case(
        "400 PropertyChangeNotAllowed", "Changing property 'imageReference.offer' is not allowed.", PATCH, "Refused", NEVER
    ),
    error_case(
        "409 PropertyChangeNotAllowed", "Changing property 'imageReference.sku' is not allowed.", PATCH, "Refused", NEVER
    ),
    error_case("400 PlatformImageNotFound", "The platform image is not available.", PATCH, "Refused", NEVER),
    error_case("404 PlatformImageNotFound", "The platform image is not available.", PATCH, "Refused", NEVER),
    error_case("404 NotFound", "Artifact: VMImage was not found.", VERSION, "ImageNotFound", NEVER),
    error_case("404 GalleryImageNotFound", "The gallery image is not available in region.", PATCH, "Refused", NEVER),
    error_case("400 ImageNotFound", "The Image cannot be found in region.", PATCH, "Refused", NEVER),
    error_case(
        "409 OperationNotAllowed",
        "The OS Rolling Upgrade API cannot be used on a Virtual Machine Scale Set unless the Virtual Machine Scale Set "
        "has some unprotected instances which have imageReference.version set to latest.",
        ROLLING,
        "Refused",
        NEVER,
        name="409 OperationNotAllowed: an OS rolling upgrade requires latest",
    ),
    error_case("403 AuthorizationFailed", "The client does not have authorization to perform action.", PATCH, "Refused", NEVER),
    error_case("403 AuthorizationFailed", "The client does not have authorization to perform action.", GET, "Refused", NEVER),
    error_case(
        "403 LinkedAuthorizationFailed", "The client has permission, however not on the linked scope(s).", PATCH, "Refused", NEVER
    ),
    error_case("412 PreconditionFailed", 'Etag provided in if-match header "1" does not match etag "2".', PATCH, "Conflict", WAITS),
    error_case("503 ServerTimeout", "The request timed out. Please try again.", INSTANCES, "Unreachable", WAITS),
    error_case("500 InternalServerError", "An error occurred.", UPGRADE, "Unreachable", WAITS),
    error_case("504 GatewayTimeout", "The gateway did not receive a response.", PATCH, "Unreachable", WAITS),
    error_case("401 ExpiredAuthenticationToken", "The access token expiry UTC time is earlier than now.", GET, "Unreachable", WAITS),
    error_case("401 InvalidAuthenticationTokenTenant", "The access token is from the wrong issuer.", PATCH, "Unreachable", WAITS),
    error_case("401 InvalidAuthenticationToken", "The access token is invalid.", INSTANCES, "Unreachable", WAITS),
    error_case("401 AuthenticationFailed", "Authentication failed.", UPGRADE, "Unreachable", WAITS),
    pytest.param(INSTANCES, Throttled(77 * SECOND), "Throttled", WAITS, id="429 OperationNotAllowed: the request budget of Compute"),
    pytest.param(
        PATCH,
        Status(429, "SubscriptionRequestsThrottled", "Please try again after '6' seconds.", 6 * SECOND),
        "Throttled",
        WAITS,
        id="429 SubscriptionRequestsThrottled: the request budget of the gateway",
    ),
    pytest.param(INSTANCES, Page(), "Unreachable", WAITS, id="503 with an HTML page"),
    pytest.param(UPGRADE, Page(body=""), "Unreachable", WAITS, id="503 with an empty body"),
    pytest.param(GET, Timeout(), "Unreachable", WAITS, id="no answer to a read"),
    pytest.param(UPGRADE, Timeout(), "Unreachable", WAITS, id="no answer to a write that did not reach Azure"),
    pytest.param(UPGRADE, Timeout(lost_answer=True), "Unreachable", WAITS, id="no answer to a write that Azure carried out"),
    pytest.param(PATCH, Reset(lost_answer=True), "Unreachable", WAITS, id="a connection reset after a write"),
    pytest.param(INSTANCES, Truncated(), "MalformedResponse", WAITS, id="a truncated body"),
    *(
        pytest.param(
            UPGRADE, OperationFails(code, message), "OperationFailed", FAILS, id=f"200, and the operation fails: {code}"
        )
        for code, message in (
            ("VMExtensionProvisioningError", "VM has reported a failure when processing extension 'AppHealth'."),
            ("VMAgentStatusCommunicationError", "VM has not reported status for VM agent or extensions."),
            ("OperationPreempted", "Operation execution has been preempted by a more recent operation."),
            ("MaxUnhealthyUpgradedInstancePercentExceededInRollingUpgrade", "Rolling Upgrade failed."),
        )
    ),
]  # fmt: skip


@pytest.mark.parametrize(("operation", "fault", "outcome", "status"), TABLE)
def test_a_rollout_reports_an_error_of_azure_and_recovers(
    operation: str, fault: Fault, outcome: str, status: str
) -> None:
    world = World(fleet(scale_set(capacity=5)), spec())
    if operation not in {PATCH, VERSION, ROLLING}:
        world.run(lambda: world.requests().count(UPGRADE) == 1)
    world.azure.faults.arm(operation, fault)
    world.run(lambda: world.state().outcome is not None and world.reasons()[-1] == outcome)
    reported = world.outcomes[-1]
    assert (reported.reason, str(reported.status)) == (outcome, status)
    if isinstance(fault, Status) and outcome not in {"NotFound", "ImageNotFound"}:
        assert f'Azure returned {fault.error_code} ("{fault.message.removesuffix(".")}")' in reported.message
    if isinstance(fault, Page):
        assert "Azure returned HTTP 503 Service Unavailable" in reported.message
        assert "<" not in reported.message
    world.rest(timedelta(minutes=25)).run()
    assert world.lines() == {"web": says("UpToDate", "5", NEW)}


def test_a_rollout_reports_a_forbidden_list_and_recovers() -> None:
    world = World(fleet(scale_set(capacity=5)), spec())
    world.azure.faults.arm(
        LIST, Status(403, "AuthorizationFailed", "The client does not have authorization.")
    )
    world.run(lambda: bool(world.lines()["web"]))
    assert world.lines()["web"] == says("Refused", "AuthorizationFailed")
    world.rest(timedelta(minutes=10)).run()
    assert world.lines() == {"web": says("UpToDate", "5", NEW)}
