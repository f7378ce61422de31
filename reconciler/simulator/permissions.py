"""The caller's permissions: Azure's action for each operation, and whether the action is granted.

The names of actions come from Azure's own list of operations. Errors in issue threads show which action a
request needs. Resource Manager checks the permission before it checks whether the resource exists.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase

from reconciler.simulator import errors
from reconciler.simulator.tokens import CLIENT, claims, principal

SETS = "Microsoft.Compute/virtualMachineScaleSets"
INSTANCES = f"{SETS}/virtualMachines"
MACHINES = "Microsoft.Compute/virtualMachines"
LOCATIONS = "Microsoft.Compute/locations"
ARTIFACTS = f"{LOCATIONS}/publishers/artifacttypes"
RESOURCES = "Microsoft.Resources/subscriptions"

# Keyed by the name of the route; `{braces}` are parts of the path. Routes that are not listed are open to all
# callers with a token: the lists of what a caller can see, and the caller's own permissions.
ACTIONS: Mapping[str, str] = {
    "VirtualMachineScaleSets_ListAll": f"{SETS}/read",
    "VirtualMachineScaleSets_List": f"{SETS}/read",
    "VirtualMachineScaleSets_Get": f"{SETS}/read",
    "VirtualMachineScaleSets_Update": f"{SETS}/write",
    "VirtualMachineScaleSets_CreateOrUpdate": f"{SETS}/write",
    "VirtualMachineScaleSets_Delete": f"{SETS}/delete",
    "VirtualMachineScaleSets_GetInstanceView": f"{SETS}/instanceView/read",
    "VirtualMachineScaleSets_ListSkus": f"{SETS}/skus/read",
    "VirtualMachineScaleSets_GetOSUpgradeHistory": f"{SETS}/osUpgradeHistory/read",
    "VirtualMachineScaleSets_UpdateInstances": f"{SETS}/manualUpgrade/action",
    "VirtualMachineScaleSetRollingUpgrades_StartOSUpgrade": f"{SETS}/osRollingUpgrade/action",
    "VirtualMachineScaleSets_Reimage": f"{SETS}/reimage/action",
    "VirtualMachineScaleSets_ReimageAll": f"{SETS}/reimageAll/action",
    "VirtualMachineScaleSets_Restart": f"{SETS}/restart/action",
    "VirtualMachineScaleSets_Start": f"{SETS}/start/action",
    "VirtualMachineScaleSets_PowerOff": f"{SETS}/powerOff/action",
    "VirtualMachineScaleSets_Deallocate": f"{SETS}/deallocate/action",
    "VirtualMachineScaleSets_DeleteInstances": f"{SETS}/delete/action",
    "VirtualMachineScaleSetVMs_List": f"{INSTANCES}/read",
    "VirtualMachineScaleSetRollingUpgrades_StartExtensionUpgrade": f"{SETS}/extensionRollingUpgrade/action",
    "VirtualMachineScaleSets_SetOrchestrationServiceState": f"{SETS}/setOrchestrationServiceState/action",
    "VirtualMachineScaleSetRollingUpgrades_GetLatest": f"{SETS}/rollingUpgrades/read",
    "VirtualMachineScaleSetRollingUpgrades_Cancel": f"{SETS}/rollingUpgrades/action",
    "NetworkInterfaces_ListVirtualMachineScaleSetNetworkInterfaces": f"{SETS}/networkInterfaces/read",
    "NetworkInterfaces_ListVirtualMachineScaleSetVMNetworkInterfaces": f"{INSTANCES}/networkInterfaces/read",
    "NetworkInterfaces_GetVirtualMachineScaleSetNetworkInterface": f"{INSTANCES}/networkInterfaces/read",
    "VirtualMachineScaleSetExtensions_List": f"{SETS}/extensions/read",
    "VirtualMachineScaleSetExtensions_Get": f"{SETS}/extensions/read",
    "VirtualMachineScaleSetExtensions_CreateOrUpdate": f"{SETS}/extensions/write",
    "VirtualMachineScaleSetExtensions_Update": f"{SETS}/extensions/write",
    "VirtualMachineScaleSetExtensions_Delete": f"{SETS}/extensions/delete",
    "VirtualMachineScaleSetVMs_Get": f"{INSTANCES}/read",
    "VirtualMachineScaleSetVMs_Update": f"{INSTANCES}/write",
    "VirtualMachineScaleSetVMs_Delete": f"{INSTANCES}/delete",
    "VirtualMachineScaleSetVMs_GetInstanceView": f"{INSTANCES}/instanceView/read",
    "VirtualMachineScaleSetVMs_SimulateEviction": f"{INSTANCES}/simulateEviction/action",
    "VirtualMachineScaleSetVMs_Reimage": f"{INSTANCES}/reimage/action",
    "VirtualMachineScaleSetVMs_ReimageAll": f"{INSTANCES}/reimageAll/action",
    "VirtualMachineScaleSetVMs_Restart": f"{INSTANCES}/restart/action",
    "VirtualMachineScaleSetVMs_Start": f"{INSTANCES}/start/action",
    "VirtualMachineScaleSetVMs_PowerOff": f"{INSTANCES}/powerOff/action",
    "VirtualMachineScaleSetVMs_Deallocate": f"{INSTANCES}/deallocate/action",
    "Operations_Get": f"{LOCATIONS}/operations/read",
    "DiskOperations_Get": f"{LOCATIONS}/diskOperations/read",
    "VirtualMachineSizes_List": f"{LOCATIONS}/vmSizes/read",
    "VirtualMachineImages_ListPublishers": f"{LOCATIONS}/publishers/read",
    "VirtualMachineImages_ListOffers": f"{ARTIFACTS}/offers/read",
    "VirtualMachineImages_ListSkus": f"{ARTIFACTS}/offers/skus/read",
    "VirtualMachineImages_List": f"{ARTIFACTS}/offers/skus/versions/read",
    "VirtualMachineImages_Get": f"{ARTIFACTS}/offers/skus/versions/read",
    "VirtualMachineExtensionImages_ListTypes": f"{ARTIFACTS}/types/read",
    "VirtualMachineExtensionImages_ListVersions": f"{ARTIFACTS}/types/versions/read",
    "VirtualMachineExtensionImages_Get": f"{ARTIFACTS}/types/versions/read",
    "GalleryImages_Get": "Microsoft.Compute/galleries/images/read",
    "SharedGalleryImages_Get": f"{LOCATIONS}/sharedGalleries/images/read",
    "CommunityGalleryImages_Get": f"{LOCATIONS}/communityGalleries/images/read",
    "GalleryImageVersions_ListByGalleryImage": "Microsoft.Compute/galleries/images/versions/read",
    "GalleryImageVersions_Get": "Microsoft.Compute/galleries/images/versions/read",
    "SharedGalleryImageVersions_List": f"{LOCATIONS}/sharedGalleries/images/versions/read",
    "SharedGalleryImageVersions_Get": f"{LOCATIONS}/sharedGalleries/images/versions/read",
    "CommunityGalleryImageVersions_List": f"{LOCATIONS}/communityGalleries/images/versions/read",
    "CommunityGalleryImageVersions_Get": f"{LOCATIONS}/communityGalleries/images/versions/read",
    "Images_Get": "Microsoft.Compute/images/read",
    "Images_CreateOrUpdate": "Microsoft.Compute/images/write",
    "Subscriptions_Get": f"{RESOURCES}/read",
    "Subscriptions_ListLocations": f"{RESOURCES}/locations/read",
    "ResourceGroups_List": f"{RESOURCES}/resourceGroups/read",
    "ResourceGroups_Get": f"{RESOURCES}/resourceGroups/read",
    "Resources_List": f"{RESOURCES}/resources/read",
    "Resources_ListByResourceGroup": f"{RESOURCES}/resourceGroups/resources/read",
    "Tags_GetAtScope": "Microsoft.Resources/tags/read",
    "Tags_CreateOrUpdateAtScope": "Microsoft.Resources/tags/write",
    "Tags_UpdateAtScope": "Microsoft.Resources/tags/write",
    "Tags_DeleteAtScope": "Microsoft.Resources/tags/delete",
    "Providers_List": f"{RESOURCES}/providers/read",
    "Providers_Get": f"{RESOURCES}/providers/read",
    "Providers_Register": "{namespace}/register/action",
    "ActivityLogs_List": "Microsoft.Insights/eventtypes/values/read",
    "VirtualMachines_ListAll": f"{MACHINES}/read",
    "VirtualMachines_List": f"{MACHINES}/read",
    "VirtualMachines_Get": f"{MACHINES}/read",
    "VirtualMachines_InstanceView": f"{MACHINES}/instanceView/read",
}


@dataclass(frozen=True, slots=True)
class Permissions:
    """Patterns of granted actions. `*` matches any text. Actions that match `not_actions` are not granted."""

    actions: tuple[str, ...] = ("*",)
    not_actions: tuple[str, ...] = ()

    def grant(self, action: str) -> bool:
        return _fits(action, self.actions) and not _fits(action, self.not_actions)

    def require(self, route: str, names: Mapping[str, str], path: str, authorization: str) -> None:
        """Raise Azure's 403 if the action that this route needs is not granted."""
        action = action_of(route, names)
        if action is None or self.grant(action):
            return
        client = str(claims(authorization).get("appid", CLIENT))
        raise errors.unauthorized_error(client, principal(client), action, scope_of(path))


def action_of(route: str, names: Mapping[str, str]) -> str | None:
    """Return the action that a route needs, or None if the route is open to all callers."""
    found = ACTIONS.get(route)
    return None if found is None else found.format_map(names)


def scope_of(path: str) -> str:
    """Return the scope of a request. For a list or an action, the scope is the parent of the path.

    >>> scope_of("/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/images/one/start")
    '/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/images/one'
    >>> scope_of("/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/virtualMachineScaleSets")
    '/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute'
    >>> scope_of("/subscriptions/s/providers/Microsoft.Compute/virtualMachineScaleSets")
    '/subscriptions/s'
    """
    parts = path.strip("/").split("/")
    if len(parts) > 2 and parts[2].lower() != "resourcegroups":
        parts = parts[:2]
    return "/" + "/".join(parts[: len(parts) - len(parts) % 2])


def _fits(action: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(action.lower(), pattern.lower()) for pattern in patterns)
