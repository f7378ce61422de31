"""Retries of a lasting error use at most half of the requests that Azure refills for one scale set."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import pytest

from reconciler.azure.budget import BucketScope, OperationClass
from reconciler.simulator import Status, Timeout, Truncated
from reconciler.simulator.faults import Fault, OperationFails, OperationLost
from tests.stories.world import World, fleet, scale_set, spec

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
PATCH, UPGRADE = "VirtualMachineScaleSets_Update", "VirtualMachineScaleSets_UpdateInstances"
GET, LIST = "VirtualMachineScaleSets_Get", "VirtualMachineScaleSetVMs_List"
CHARGES = {
    GET: OperationClass.GET,
    LIST: OperationClass.HIGH_COST_GET,
    PATCH: OperationClass.PATCH,
    UPGRADE: OperationClass.PATCH,
}


def half_of_refill(operation: str) -> float:
    """For a minute. An upgrade has no bucket of a scale set's own, and is held to that of a change."""
    return min(each.refill for each in CHARGES[operation].buckets if each.scope is BucketScope.RESOURCE) / 2


def most_in_a_minute(times: Sequence[datetime]) -> int:
    return max((sum(at <= each < at + MINUTE for each in times) for at in times), default=0)


@pytest.mark.parametrize("operation", [PATCH, UPGRADE, GET, LIST])
@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(Status(409, "Conflict", "Another request is changing this scale set."), id="a conflict"),
        pytest.param(
            Status(412, "PreconditionFailed", "The etag of the scale set has changed."), id="an etag mismatch"
        ),
        pytest.param(
            Status(403, "AuthorizationFailed", "The client does not have authorization to perform action."),
            id="a refusal",
        ),
        pytest.param(Status(500, "InternalServerError", "Oops."), id="an internal server error"),
        pytest.param(Timeout(), id="no answer"),
        pytest.param(Truncated(), id="a truncated answer"),
        pytest.param(
            OperationFails("AllocationFailed", "The region has no capacity left."),
            id="an operation that fails",
        ),
        pytest.param(OperationLost(), id="an operation that is lost"),
    ],
)
def test_retries_use_at_most_half_of_the_requests_that_azure_refills(fault: Fault, operation: str) -> None:
    world = World(fleet(scale_set(capacity=5)), spec())
    world.azure.faults.arm(operation, fault, times=10_000)
    world.rest(HOUR)
    for each in CHARGES:
        times = [one.at for one in world.azure.record.requests if one.operation == each]
        assert most_in_a_minute(times) <= half_of_refill(each) + 1, f"{each}, with the first try"
