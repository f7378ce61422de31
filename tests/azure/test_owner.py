"""Scale sets of other controllers, and similar ones that belong to none."""

from typing import Any

import pytest

from reconciler.azure import arm
from tests.azure.test_arm import extensions, scale_set

SETS = "providers/Microsoft.Compute/virtualMachineScaleSets"


def owner_of(group: str = "shop", name: str = "web", **changes: Any) -> str:
    properties = changes.pop("properties", {})
    body = (
        scale_set(**properties) | {"id": f"/subscriptions/S/resourceGroups/{group}/{SETS}/{name}"} | changes
    )
    return arm.model(body).owner


@pytest.mark.parametrize(
    ("changes", "owner"),
    [
        pytest.param(
            {"tags": {"aks-managed-poolName": "pool1"}}, "Azure Kubernetes Service", id="AKS, by its tags"
        ),
        pytest.param(
            {"properties": extensions(("Microsoft.AKS", "Compute.AKS.Linux.AKSNode"))},
            "Azure Kubernetes Service",
            id="AKS, by its extension",
        ),
        pytest.param(
            {"group": "MC_shop_prod_westeurope", "name": "aks-pool1-31415926-vmss"},
            "Azure Kubernetes Service",
            id="AKS, by its names",
        ),
        pytest.param(
            {
                "managedBy": "/subscriptions/S/resourceGroups/g/providers/Microsoft.ContainerService/managedClusters/c"
            },
            "Azure Kubernetes Service",
            id="AKS, by its managedBy",
        ),
        pytest.param(
            {"properties": extensions(("Microsoft.Azure.ServiceFabric.MC", "ServiceFabricMCNode"))},
            "a Service Fabric managed cluster",
            id="Service Fabric managed cluster, by its extension",
        ),
        pytest.param(
            {"group": "SFC_0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0"},
            "a Service Fabric managed cluster",
            id="Service Fabric managed cluster, by its resource group",
        ),
        pytest.param(
            {"tags": {"__AzureDevOpsElasticPool": "linux"}},
            "an Azure DevOps agent pool",
            id="Azure DevOps agents",
        ),
        pytest.param(
            {"tags": {"sigs.k8s.io_cluster-api-provider-azure_cluster_prod": "owned"}},
            "Cluster API",
            id="Cluster API",
        ),
        pytest.param(
            {"managedBy": "/subscriptions/S/resourceGroups/g/providers/Microsoft.Databricks/workspaces/w"},
            "Azure Databricks",
            id="Databricks",
        ),
        pytest.param(
            {"managedBy": "/subscriptions/S/resourceGroups/g/providers/Contoso.Compute/farms/f"},
            "/subscriptions/S/resourceGroups/g/providers/Contoso.Compute/farms/f",
            id="any other managedBy, by its id",
        ),
        pytest.param({"managedBy": None}, "", id="no managedBy"),
        pytest.param({"tags": {"team": "aks-managed"}}, "", id="the value of a tag identifies no controller"),
        pytest.param({"group": "MC_shop"}, "", id="a resource group with a similar name"),
        pytest.param({"name": "aks-web"}, "", id="a scale set with a similar name"),
        pytest.param(
            {"properties": extensions(("Microsoft.Azure.ServiceFabric", "ServiceFabricNode"))},
            "",
            id="a Service Fabric cluster that is not managed",
        ),
    ],
)
def test_the_controller_of_a_scale_set(changes: dict[str, Any], owner: str) -> None:
    assert owner_of(**changes) == owner
