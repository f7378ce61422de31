"""Which request leads to which endpoint: one table.

The name of a route is what the record, the faults and the quotas know it by. Paths match in any casing;
`{braces}` are the variable parts, and an endpoint finds them in `Call.names`. To add one: a row here and a
function in `endpoints`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from reconciler.simulator.endpoints import (
    actions,
    authorization,
    directory,
    galleries,
    images,
    instances,
    platform,
    providers,
    publishers,
    scale_sets,
    virtual_machines,
)
from reconciler.simulator.endpoints.call import Call, Reply

SUBSCRIPTION = "/subscriptions/{subscription}"
GROUP = SUBSCRIPTION + "/resourceGroups/{group}"
SETS = "/providers/Microsoft.Compute/virtualMachineScaleSets"
SET = GROUP + SETS + "/{name}"
INSTANCE = SET + "/virtualMachines/{instance}"
MACHINES = "/providers/Microsoft.Compute/virtualMachines"
LOCATION = SUBSCRIPTION + "/providers/Microsoft.Compute/locations/{location}"
PUBLISHERS = LOCATION + "/publishers"
OFFERS = PUBLISHERS + "/{publisher}/artifacttypes/vmimage/offers"
SKUS = OFFERS + "/{offer}/skus"
VERSIONS = SKUS + "/{sku}/versions"
PROVIDERS = SUBSCRIPTION + "/providers"
PERMISSIONS = "/providers/Microsoft.Authorization/permissions"
GALLERY_VERSIONS = GROUP + "/providers/Microsoft.Compute/galleries/{gallery}/images/{image}/versions"
SHARED_VERSIONS = LOCATION + "/sharedGalleries/{gallery}/images/{image}/versions"
COMMUNITY_VERSIONS = LOCATION + "/communityGalleries/{gallery}/images/{image}/versions"
MANAGED_IMAGE = GROUP + "/providers/Microsoft.Compute/images/{image}"


@dataclass(frozen=True, slots=True)
class Route:
    """`is_open` needs neither a token nor an api-version."""

    name: str
    method: str
    template: str
    endpoint: Callable[[Call], Reply]
    is_open: bool = False
    pattern: re.Pattern[str] = field(init=False)

    def __post_init__(self) -> None:
        pattern = re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", self.template)
        object.__setattr__(self, "pattern", re.compile(pattern, re.I))


def _action(name: str, word: str) -> Route:
    """An action on many instances. Its word is part of the path, and the endpoint reads it there."""
    return Route(name, "POST", f"{SET}/(?P<action>{word})", actions.act)


ROUTES = (
    Route("scaleSets.list", "GET", SUBSCRIPTION + SETS, scale_sets.in_subscription),
    Route("scaleSets.list", "GET", GROUP + SETS, scale_sets.in_group),
    Route("scaleSets.get", "GET", SET, scale_sets.get),
    Route("scaleSets.patch", "PATCH", SET, scale_sets.patch),
    Route("scaleSets.put", "PUT", SET, scale_sets.put),
    Route("scaleSets.delete", "DELETE", SET, scale_sets.delete),
    Route("scaleSets.instanceView", "GET", SET + "/instanceView", scale_sets.instance_view),
    Route("scaleSets.skus", "GET", SET + "/skus", providers.scale_set_skus),
    Route("scaleSets.osUpgradeHistory", "GET", SET + "/osUpgradeHistory", scale_sets.os_upgrade_history),
    Route("scaleSets.manualUpgrade", "POST", SET + "/manualupgrade", actions.manual_upgrade),
    Route(
        "scaleSets.setOrchestrationServiceState",
        "POST",
        SET + "/setOrchestrationServiceState",
        actions.set_orchestration_service_state,
    ),
    Route("scaleSets.osRollingUpgrade", "POST", SET + "/osRollingUpgrade", actions.os_rolling_upgrade),
    Route(
        "scaleSets.extensionRollingUpgrade",
        "POST",
        SET + "/extensionRollingUpgrade",
        actions.extension_rolling_upgrade,
    ),
    _action("scaleSets.reimage", "reimage"),
    _action("scaleSets.reimageAll", "reimageall"),
    _action("scaleSets.restart", "restart"),
    _action("scaleSets.start", "start"),
    _action("scaleSets.powerOff", "poweroff"),
    _action("scaleSets.deallocate", "deallocate"),
    _action("scaleSets.deleteInstances", "delete"),
    Route("rollingUpgrades.latest", "GET", SET + "/rollingUpgrades/latest", actions.latest_rolling_upgrade),
    Route("rollingUpgrades.cancel", "POST", SET + "/rollingUpgrades/cancel", actions.cancel_rolling_upgrade),
    Route("scaleSets.instances", "GET", SET + "/virtualMachines", instances.listed),
    Route("instances.get", "GET", INSTANCE, instances.get),
    Route("instances.put", "PUT", INSTANCE, instances.put),
    Route("instances.delete", "DELETE", INSTANCE, instances.delete),
    Route("instances.simulateEviction", "POST", INSTANCE + "/simulateEviction", instances.simulate_eviction),
    Route("instances.instanceView", "GET", INSTANCE + "/instanceView", instances.view),
    Route(
        "instances.act",
        "POST",
        INSTANCE + "/(?P<action>reimage|reimageall|restart|start|poweroff|deallocate)",
        actions.act_on_one,
    ),
    Route("virtualMachines.list", "GET", SUBSCRIPTION + MACHINES, virtual_machines.in_subscription),
    Route("virtualMachines.list", "GET", GROUP + MACHINES, virtual_machines.in_group),
    Route("virtualMachines.get", "GET", GROUP + MACHINES + "/{name}", virtual_machines.get),
    Route(
        "virtualMachines.instanceView",
        "GET",
        GROUP + MACHINES + "/{name}/instanceView",
        virtual_machines.view,
    ),
    Route("operations.get", "GET", LOCATION + "/operations/{operation}", platform.operation),
    Route("vmSizes.list", "GET", LOCATION + "/vmSizes", providers.sizes),
    Route("images.publishers", "GET", PUBLISHERS, publishers.publishers),
    Route("images.offers", "GET", OFFERS, publishers.offers),
    Route("images.skus", "GET", SKUS, publishers.skus),
    Route("images.versions", "GET", VERSIONS, images.versions),
    Route("images.version", "GET", VERSIONS + "/{version}", images.version),
    Route("galleries.versions", "GET", GALLERY_VERSIONS, galleries.versions),
    Route("galleries.version", "GET", GALLERY_VERSIONS + "/{version}", galleries.version),
    Route("sharedGalleries.versions", "GET", SHARED_VERSIONS, galleries.regional_versions),
    Route("sharedGalleries.version", "GET", SHARED_VERSIONS + "/{version}", galleries.regional_version),
    Route("communityGalleries.versions", "GET", COMMUNITY_VERSIONS, galleries.regional_versions),
    Route("communityGalleries.version", "GET", COMMUNITY_VERSIONS + "/{version}", galleries.regional_version),
    Route("managedImages.get", "GET", MANAGED_IMAGE, galleries.managed),
    Route("tenants.list", "GET", "/tenants", directory.tenants),
    Route("subscriptions.list", "GET", "/subscriptions", directory.subscriptions),
    Route("subscriptions.get", "GET", SUBSCRIPTION, directory.subscription),
    Route("locations.list", "GET", SUBSCRIPTION + "/locations", directory.locations),
    Route("resourceGroups.list", "GET", SUBSCRIPTION + "/resourceGroups", directory.groups),
    Route("resourceGroups.get", "GET", GROUP, directory.group),
    Route("providers.list", "GET", PROVIDERS, providers.providers),
    Route("providers.get", "GET", PROVIDERS + "/{namespace}", providers.provider),
    Route("providers.register", "POST", PROVIDERS + "/{namespace}/register", providers.provider),
    Route("permissions.list", "GET", SUBSCRIPTION + PERMISSIONS, authorization.in_subscription),
    Route("permissions.list", "GET", GROUP + PERMISSIONS, authorization.in_group),
    Route("permissions.list", "GET", SET + PERMISSIONS, authorization.on_scale_set),
    Route("metadata.endpoints", "GET", "/metadata/endpoints", platform.endpoints, is_open=True),
)


@dataclass(frozen=True, slots=True)
class Routes:
    """The table, sorted so that a request is held against few patterns: those of its method and length."""

    by_shape: Mapping[tuple[str, int], tuple[Route, ...]]

    @classmethod
    def of(cls, routes: tuple[Route, ...]) -> Routes:
        shapes: dict[tuple[str, int], tuple[Route, ...]] = {}
        for route in routes:
            shape = (route.method, route.template.count("/"))
            shapes[shape] = (*shapes.get(shape, ()), route)
        return cls(shapes)

    def find(self, method: str, path: str) -> tuple[Route, Mapping[str, str]] | None:
        """The route of a request and the variable parts of its path."""
        bare = path.rstrip("/")
        for route in self.by_shape.get((method.upper(), bare.count("/")), ()):
            if (match := route.pattern.fullmatch(bare)) is not None:
                return route, match.groupdict()
        return None


TABLE = Routes.of(ROUTES)
