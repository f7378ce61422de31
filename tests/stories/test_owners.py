"""Scale sets of another controller: refused, whoever declares them."""

from datetime import timedelta
from typing import Any

import pytest

from tests.invariants import nothing_was_written
from tests.stories.world import World, fleet, scale_set, spec

AKS = {"aks-managed-poolName": "pool1", "aks-managed-orchestrator": "Kubernetes:1.33.2"}


@pytest.mark.parametrize(
    ("signs", "said"),
    [
        pytest.param(
            {"tags": AKS},
            "the scale set belongs to Azure Kubernetes Service, which changes ",
            id="a node pool of AKS",
        ),
        pytest.param(
            {"tags": {"__AzureDevOpsElasticPool": "linux"}},
            "the scale set belongs to an Azure DevOps agent pool, which changes ",
            id="Azure DevOps agents",
        ),
        pytest.param(
            {"managedBy": "/subscriptions/s/resourceGroups/g/providers/Contoso.Farm/farms/f"},
            "managedBy of the scale set names /subscriptions/s/resourceGroups/g/providers/Contoso.Farm/farms/f, ",
            id="one of a controller that nobody here knows",
        ),
    ],
)
def test_it_is_refused_after_its_get_and_before_anything_else_is_asked(
    signs: dict[str, Any], said: str
) -> None:
    world = World(fleet(scale_set(capacity=3, **signs)), spec())
    world.rest(timedelta(hours=2))
    assert world.lines()["web"].startswith(f"ManagedByAnother: {said}")
    assert set(world.requests()) <= {"VirtualMachineScaleSets_ListAll", "VirtualMachineScaleSets_Get"}
    nothing_was_written(world.azure.record)


def test_one_that_another_controller_takes_over_in_the_middle_is_left_at_that() -> None:
    world = World(fleet(scale_set(capacity=10)), spec())
    world.run(lambda: world.has_upgraded(1))
    world.azure.scale_set("web").set_tags(AKS)
    before = len(world.azure.record.requests)
    world.rest(timedelta(hours=1))
    assert world.lines()["web"].startswith("ManagedByAnother: ")
    nothing_was_written(world.azure.record, before)
