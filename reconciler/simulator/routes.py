"""The table of routes, which maps requests to endpoints.

The name of a route is Azure's operationId, which the record, the faults and the quotas use. Four routes have
no operationId in Azure's specifications, so they have a made-up name of the same form: the status of an
operation, the status of a disk operation, the discovery of a cloud, and the permissions in a subscription.
Paths are case-insensitive. `{braces}` are the variable parts, which an endpoint finds in `Call.names`. To add
a route, add a row here and a function to `endpoints`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from reconciler.simulator.endpoints import (
    actions,
    activity_log,
    authorization,
    directory,
    extension_images,
    extensions,
    galleries,
    images,
    instances,
    interfaces,
    managed_images,
    platform,
    providers,
    publishers,
    resources,
    scale_sets,
    tags,
    virtual_machines,
)
from reconciler.simulator.endpoints.call import Call, Reply

SUBSCRIPTION = "/subscriptions/{subscription}"
GROUP = SUBSCRIPTION + "/resourceGroups/{group}"
SETS = "/providers/Microsoft.Compute/virtualMachineScaleSets"
SET = GROUP + SETS + "/{name}"
EXTENSION = SET + "/extensions/{extension}"
INSTANCE = SET + "/virtualMachines/{instance}"
MACHINES = "/providers/Microsoft.Compute/virtualMachines"
LOCATION = SUBSCRIPTION + "/providers/Microsoft.Compute/locations/{location}"
PUBLISHERS = LOCATION + "/publishers"
EXTENSION_TYPES = PUBLISHERS + "/{publisher}/artifacttypes/vmextension/types"
EXTENSION_VERSIONS = EXTENSION_TYPES + "/{type}/versions"
OFFERS = PUBLISHERS + "/{publisher}/artifacttypes/vmimage/offers"
SKUS = OFFERS + "/{offer}/skus"
VERSIONS = SKUS + "/{sku}/versions"
PROVIDERS = SUBSCRIPTION + "/providers"
TAGS = "/providers/Microsoft.Resources/tags/default"
ACTIVITY_LOG = "/providers/Microsoft.Insights/eventtypes/management/values"
PERMISSIONS = "/providers/Microsoft.Authorization/permissions"
GALLERY_IMAGE = GROUP + "/providers/Microsoft.Compute/galleries/{gallery}/images/{image}"
SHARED_IMAGE = LOCATION + "/sharedGalleries/{gallery}/images/{image}"
COMMUNITY_IMAGE = LOCATION + "/communityGalleries/{gallery}/images/{image}"
GALLERY_VERSIONS = GALLERY_IMAGE + "/versions"
SHARED_VERSIONS = SHARED_IMAGE + "/versions"
COMMUNITY_VERSIONS = COMMUNITY_IMAGE + "/versions"
MANAGED_IMAGE = GROUP + "/providers/Microsoft.Compute/images/{image}"


@dataclass(frozen=True, slots=True)
class Route:
    """A row of the table. If `is_open` is true, requests need neither a token nor an API version."""

    name: str
    method: str
    template: str
    endpoint: Callable[[Call], Reply]
    is_open: bool = False
    pattern: re.Pattern[str] = field(init=False)

    def __post_init__(self) -> None:
        pattern = re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", self.template)
        object.__setattr__(self, "pattern", re.compile(pattern, re.I))


def _tags(name: str, method: str, endpoint: Callable[[Call], Reply]) -> tuple[Route, Route]:
    """Return the two routes of a tag operation, for scale sets and for resource groups."""
    return Route(f"Tags_{name}", method, SET + TAGS, endpoint), Route(
        f"Tags_{name}", method, GROUP + TAGS, endpoint
    )


def _action(name: str, word: str) -> Route:
    """Return the route for an action on several instances. The endpoint reads the action from the path."""
    return Route(name, "POST", f"{SET}/(?P<action>{word})", actions.act)


def _action_on_one(name: str, word: str) -> Route:
    return Route(name, "POST", f"{INSTANCE}/(?P<action>{word})", actions.act_on_one)


ROUTES = (
    Route("VirtualMachineScaleSets_ListAll", "GET", SUBSCRIPTION + SETS, scale_sets.in_subscription),
    Route("VirtualMachineScaleSets_List", "GET", GROUP + SETS, scale_sets.in_group),
    Route("VirtualMachineScaleSets_Get", "GET", SET, scale_sets.get),
    Route("VirtualMachineScaleSets_Update", "PATCH", SET, scale_sets.patch),
    Route("VirtualMachineScaleSets_CreateOrUpdate", "PUT", SET, scale_sets.put),
    Route("VirtualMachineScaleSets_Delete", "DELETE", SET, scale_sets.delete),
    Route("VirtualMachineScaleSets_GetInstanceView", "GET", SET + "/instanceView", scale_sets.instance_view),
    Route("VirtualMachineScaleSets_ListSkus", "GET", SET + "/skus", providers.scale_set_skus),
    Route(
        "VirtualMachineScaleSets_GetOSUpgradeHistory",
        "GET",
        SET + "/osUpgradeHistory",
        scale_sets.os_upgrade_history,
    ),
    Route("VirtualMachineScaleSets_UpdateInstances", "POST", SET + "/manualupgrade", actions.manual_upgrade),
    Route(
        "VirtualMachineScaleSets_SetOrchestrationServiceState",
        "POST",
        SET + "/setOrchestrationServiceState",
        actions.set_orchestration_service_state,
    ),
    Route(
        "VirtualMachineScaleSetRollingUpgrades_StartOSUpgrade",
        "POST",
        SET + "/osRollingUpgrade",
        actions.os_rolling_upgrade,
    ),
    Route(
        "VirtualMachineScaleSetRollingUpgrades_StartExtensionUpgrade",
        "POST",
        SET + "/extensionRollingUpgrade",
        actions.extension_rolling_upgrade,
    ),
    _action("VirtualMachineScaleSets_Reimage", "reimage"),
    _action("VirtualMachineScaleSets_ReimageAll", "reimageall"),
    _action("VirtualMachineScaleSets_Restart", "restart"),
    _action("VirtualMachineScaleSets_Start", "start"),
    _action("VirtualMachineScaleSets_PowerOff", "poweroff"),
    _action("VirtualMachineScaleSets_Deallocate", "deallocate"),
    _action("VirtualMachineScaleSets_DeleteInstances", "delete"),
    Route(
        "VirtualMachineScaleSetRollingUpgrades_GetLatest",
        "GET",
        SET + "/rollingUpgrades/latest",
        actions.latest_rolling_upgrade,
    ),
    Route(
        "VirtualMachineScaleSetRollingUpgrades_Cancel",
        "POST",
        SET + "/rollingUpgrades/cancel",
        actions.cancel_rolling_upgrade,
    ),
    Route(
        "NetworkInterfaces_ListVirtualMachineScaleSetNetworkInterfaces",
        "GET",
        SET + "/networkInterfaces",
        interfaces.of_scale_set,
    ),
    Route(
        "NetworkInterfaces_ListVirtualMachineScaleSetVMNetworkInterfaces",
        "GET",
        INSTANCE + "/networkInterfaces",
        interfaces.of_instance,
    ),
    Route(
        "NetworkInterfaces_GetVirtualMachineScaleSetNetworkInterface",
        "GET",
        INSTANCE + "/networkInterfaces/{interface}",
        interfaces.get,
    ),
    Route("VirtualMachineScaleSetExtensions_List", "GET", SET + "/extensions", extensions.list_extensions),
    Route("VirtualMachineScaleSetExtensions_Get", "GET", EXTENSION, extensions.get),
    Route("VirtualMachineScaleSetExtensions_CreateOrUpdate", "PUT", EXTENSION, extensions.put),
    Route("VirtualMachineScaleSetExtensions_Update", "PATCH", EXTENSION, extensions.patch),
    Route("VirtualMachineScaleSetExtensions_Delete", "DELETE", EXTENSION, extensions.delete),
    Route("VirtualMachineScaleSetVMs_List", "GET", SET + "/virtualMachines", instances.list_instances),
    Route("VirtualMachineScaleSetVMs_Get", "GET", INSTANCE, instances.get),
    Route("VirtualMachineScaleSetVMs_Update", "PUT", INSTANCE, instances.put),
    Route("VirtualMachineScaleSetVMs_Delete", "DELETE", INSTANCE, instances.delete),
    Route(
        "VirtualMachineScaleSetVMs_SimulateEviction",
        "POST",
        INSTANCE + "/simulateEviction",
        instances.simulate_eviction,
    ),
    Route("VirtualMachineScaleSetVMs_GetInstanceView", "GET", INSTANCE + "/instanceView", instances.view),
    _action_on_one("VirtualMachineScaleSetVMs_Reimage", "reimage"),
    _action_on_one("VirtualMachineScaleSetVMs_ReimageAll", "reimageall"),
    _action_on_one("VirtualMachineScaleSetVMs_Restart", "restart"),
    _action_on_one("VirtualMachineScaleSetVMs_Start", "start"),
    _action_on_one("VirtualMachineScaleSetVMs_PowerOff", "poweroff"),
    _action_on_one("VirtualMachineScaleSetVMs_Deallocate", "deallocate"),
    Route("VirtualMachines_ListAll", "GET", SUBSCRIPTION + MACHINES, virtual_machines.in_subscription),
    Route("VirtualMachines_List", "GET", GROUP + MACHINES, virtual_machines.in_group),
    Route("VirtualMachines_Get", "GET", GROUP + MACHINES + "/{name}", virtual_machines.get),
    Route(
        "VirtualMachines_InstanceView",
        "GET",
        GROUP + MACHINES + "/{name}/instanceView",
        virtual_machines.view,
    ),
    Route("Operations_Get", "GET", LOCATION + "/operations/{operation}", platform.operation),
    Route("DiskOperations_Get", "GET", LOCATION + "/DiskOperations/{operation}", platform.operation),
    Route("VirtualMachineSizes_List", "GET", LOCATION + "/vmSizes", providers.sizes),
    Route("VirtualMachineImages_ListPublishers", "GET", PUBLISHERS, publishers.publishers),
    Route("VirtualMachineImages_ListOffers", "GET", OFFERS, publishers.offers),
    Route("VirtualMachineImages_ListSkus", "GET", SKUS, publishers.skus),
    Route("VirtualMachineImages_List", "GET", VERSIONS, images.versions),
    Route("VirtualMachineImages_Get", "GET", VERSIONS + "/{version}", images.version),
    Route("VirtualMachineExtensionImages_ListTypes", "GET", EXTENSION_TYPES, extension_images.types),
    Route("VirtualMachineExtensionImages_ListVersions", "GET", EXTENSION_VERSIONS, extension_images.versions),
    Route(
        "VirtualMachineExtensionImages_Get",
        "GET",
        EXTENSION_VERSIONS + "/{version}",
        extension_images.version,
    ),
    Route("GalleryImages_Get", "GET", GALLERY_IMAGE, galleries.definition),
    Route("SharedGalleryImages_Get", "GET", SHARED_IMAGE, galleries.regional_definition),
    Route("CommunityGalleryImages_Get", "GET", COMMUNITY_IMAGE, galleries.regional_definition),
    Route("GalleryImageVersions_ListByGalleryImage", "GET", GALLERY_VERSIONS, galleries.versions),
    Route("GalleryImageVersions_Get", "GET", GALLERY_VERSIONS + "/{version}", galleries.version),
    Route("SharedGalleryImageVersions_List", "GET", SHARED_VERSIONS, galleries.regional_versions),
    Route(
        "SharedGalleryImageVersions_Get", "GET", SHARED_VERSIONS + "/{version}", galleries.regional_version
    ),
    Route("CommunityGalleryImageVersions_List", "GET", COMMUNITY_VERSIONS, galleries.regional_versions),
    Route(
        "CommunityGalleryImageVersions_Get",
        "GET",
        COMMUNITY_VERSIONS + "/{version}",
        galleries.regional_version,
    ),
    Route("Images_Get", "GET", MANAGED_IMAGE, managed_images.get),
    Route("Images_CreateOrUpdate", "PUT", MANAGED_IMAGE, managed_images.put),
    Route("Tenants_List", "GET", "/tenants", directory.tenants),
    Route("Subscriptions_List", "GET", "/subscriptions", directory.subscriptions),
    Route("Subscriptions_Get", "GET", SUBSCRIPTION, directory.subscription),
    Route("Subscriptions_ListLocations", "GET", SUBSCRIPTION + "/locations", directory.locations),
    Route("ResourceGroups_List", "GET", SUBSCRIPTION + "/resourceGroups", directory.groups),
    Route("ResourceGroups_Get", "GET", GROUP, directory.group),
    Route("Resources_List", "GET", SUBSCRIPTION + "/resources", resources.in_subscription),
    Route("Resources_ListByResourceGroup", "GET", GROUP + "/resources", resources.in_group),
    *_tags("GetAtScope", "GET", tags.get),
    *_tags("CreateOrUpdateAtScope", "PUT", tags.put),
    *_tags("UpdateAtScope", "PATCH", tags.patch),
    *_tags("DeleteAtScope", "DELETE", tags.delete),
    Route("Providers_List", "GET", PROVIDERS, providers.providers),
    Route("Providers_Get", "GET", PROVIDERS + "/{namespace}", providers.provider),
    Route("Providers_Register", "POST", PROVIDERS + "/{namespace}/register", providers.provider),
    Route("Permissions_List", "GET", SUBSCRIPTION + PERMISSIONS, authorization.in_subscription),
    Route("Permissions_ListForResourceGroup", "GET", GROUP + PERMISSIONS, authorization.in_group),
    Route("Permissions_ListForResource", "GET", SET + PERMISSIONS, authorization.on_scale_set),
    Route("ActivityLogs_List", "GET", SUBSCRIPTION + ACTIVITY_LOG, activity_log.events),
    Route("Metadata_GetEndpoints", "GET", "/metadata/endpoints", platform.endpoints, is_open=True),
)


@dataclass(frozen=True, slots=True)
class Routes:
    """The routes, indexed by method and path length, so that a request is matched against few patterns."""

    by_shape: Mapping[tuple[str, int], tuple[Route, ...]]

    @classmethod
    def of(cls, routes: tuple[Route, ...]) -> Routes:
        shapes: dict[tuple[str, int], tuple[Route, ...]] = {}
        for route in routes:
            shape = (route.method, route.template.count("/"))
            shapes[shape] = (*shapes.get(shape, ()), route)
        return cls(shapes)

    def find(self, method: str, path: str) -> tuple[Route, Mapping[str, str]] | None:
        """Return the route for a request and the variable parts of its path, or None if no route matches."""
        bare = path.rstrip("/")
        for route in self.by_shape.get((method.upper(), bare.count("/")), ()):
            if (match := route.pattern.fullmatch(bare)) is not None:
                return route, match.groupdict()
        return None


TABLE = Routes.of(ROUTES)
