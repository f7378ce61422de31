"""Requests to Azure are counted by class and HTTP status."""

from contextlib import suppress
from datetime import timedelta

from reconciler.azure.budget import Priority
from reconciler.azure.compute import Compute, Scope
from reconciler.azure.failure import AzureFailure
from reconciler.rollout.step import Upgrade
from reconciler.simulator import Simulator, Status, Throttled, Timeout
from tests.azure.conftest import IMAGE, TARGET
from tests.stories.world import SUBSCRIPTION


def test_every_response_and_every_missing_one_is_counted(door: Compute, azure: Simulator) -> None:
    for fault in (Timeout(), Status(500, "InternalServerError", "Oops."), Throttled(timedelta())):
        azure.faults.arm("VirtualMachineScaleSets_Get", fault)
    list(door.models(Scope(SUBSCRIPTION)))
    for _ in range(4):
        with suppress(AzureFailure):
            door.model(TARGET, Priority.ROLLOUT)
    door.rolling_upgrade(TARGET, Priority.ROLLOUT)
    door.take(TARGET, Upgrade(("0",), IMAGE))
    assert door.requests.counts() == {
        ("HIGH_COST_GET", 200): 3,
        ("GET", 0): 1,
        ("GET", 500): 1,
        ("GET", 429): 1,
        ("GET", 200): 1,
        ("GET", 404): 1,
        ("UPGRADE", 202): 1,
    }


def test_a_request_that_the_budget_blocks_is_not_sent(door: Compute, azure: Simulator) -> None:
    azure.faults.arm("VirtualMachineScaleSets_Get", Throttled(timedelta(minutes=5)))
    for _ in range(3):
        with suppress(AzureFailure):
            door.model(TARGET, Priority.ROLLOUT)
    assert door.requests.counts() == {("GET", 429): 1}


def test_the_ids_are_those_of_the_last_response_of_this_thread(door: Compute, azure: Simulator) -> None:
    assert door.requests.ids is None
    door.model(TARGET, Priority.ROLLOUT)
    first = door.requests.ids
    assert first
    assert all((first.client, first.request, first.correlation))
    door.model(TARGET, Priority.ROLLOUT)
    assert door.requests.ids != first

    azure.faults.arm("VirtualMachineScaleSets_Get", Timeout())
    with suppress(AzureFailure):
        door.model(TARGET, Priority.ROLLOUT)
    assert door.requests.ids is None, "no response came"
