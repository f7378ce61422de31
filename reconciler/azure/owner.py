"""Detects scale sets that another controller owns: a service that creates them and sets their images.

Such a controller drains its virtual machines, keeps its own record of their images, and supports no second
writer. To add a controller, add a row to `_CONTROLLERS`, based on a recorded or documented scale set, and a
row to the test.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class _Controller:
    """Patterns that identify the scale sets of a controller. One match is enough.

    A pattern must match the whole text of one of these: the name of a tag, the publisher of an extension, the
    id of the scale set, or the id of the resource in "managedBy".
    """

    name: str
    tags: str = ""
    publishers: str = ""
    path: str = ""
    manager: str = ""


_CONTROLLERS = (
    _Controller(
        "Azure Kubernetes Service",
        tags=r"aks-managed-.+",
        publishers=r"microsoft\.aks",
        path=r".*/resourcegroups/mc_[^/]+/.+/aks[^/]*",
        manager=r".*/microsoft\.containerservice/.+",
    ),
    _Controller(
        "a Service Fabric managed cluster",
        publishers=r"microsoft\.azure\.servicefabric\.mc",
        path=r".*/resourcegroups/sfc_[0-9a-f-]+/.+",
        manager=r".*/microsoft\.servicefabric/.+",
    ),
    _Controller(
        "an Azure DevOps agent pool",
        tags=r"__azuredevopselasticpool.*",
        manager=r".*/microsoft\.(visualstudio|devopsinfrastructure)/.+",
    ),
    _Controller("Cluster API", tags=r"sigs\.k8s\.io_cluster-api-provider-azure_.+"),
    _Controller(
        "Azure Databricks",
        tags=r"databricks-environment|databricksenvironment|databricks-instance-name",
        manager=r".*/microsoft\.databricks/.+",
    ),
    _Controller("Azure Batch", tags=r"batchaccountname", manager=r".*/microsoft\.batch/.+"),
)


def owner(id_: str, tags: Mapping[str, str], publishers: Iterable[str], managed_by: str) -> str:
    """The controller that owns a scale set, or "" if there is none.

    `publishers` are the publishers of the installed extensions. `managed_by` is the id of the resource that
    created the scale set. If no pattern matches, this id is returned.
    """
    names, installed = list(tags), list(publishers)
    for each in _CONTROLLERS:
        if (
            _matches(each.tags, names)
            or _matches(each.publishers, installed)
            or _matches(each.path, [id_])
            or _matches(each.manager, [managed_by])
        ):
            return each.name
    return managed_by


def _matches(pattern: str, texts: Iterable[str]) -> bool:
    return bool(pattern) and any(re.fullmatch(pattern, text, re.IGNORECASE) for text in texts)
