"""What the caller may do: Azure's name for the action behind each operation, and whether it is granted.

The names are those of Azure's own list of operations; which of them a request needs is known from the
refusals in issue threads. Resource Manager refuses before it looks whether the resource is there.
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
PLACES = "Microsoft.Compute/locations"
ARTIFACTS = f"{PLACES}/publishers/artifacttypes"
RESOURCES = "Microsoft.Resources/subscriptions"

# By the names of routes; `{braces}` are parts of the path. What is not here is open to everybody who has a
# token: the lists of what one can see, and one's own permissions.
ACTIONS: Mapping[str, str] = {
    "scaleSets.list": f"{SETS}/read",
    "scaleSets.get": f"{SETS}/read",
    "scaleSets.patch": f"{SETS}/write",
    "scaleSets.put": f"{SETS}/write",
    "scaleSets.delete": f"{SETS}/delete",
    "scaleSets.instanceView": f"{SETS}/instanceView/read",
    "scaleSets.skus": f"{SETS}/skus/read",
    "scaleSets.osUpgradeHistory": f"{SETS}/osUpgradeHistory/read",
    "scaleSets.manualUpgrade": f"{SETS}/manualUpgrade/action",
    "scaleSets.osRollingUpgrade": f"{SETS}/osRollingUpgrade/action",
    "scaleSets.reimage": f"{SETS}/reimage/action",
    "scaleSets.reimageAll": f"{SETS}/reimageAll/action",
    "scaleSets.restart": f"{SETS}/restart/action",
    "scaleSets.start": f"{SETS}/start/action",
    "scaleSets.powerOff": f"{SETS}/powerOff/action",
    "scaleSets.deallocate": f"{SETS}/deallocate/action",
    "scaleSets.deleteInstances": f"{SETS}/delete/action",
    "scaleSets.instances": f"{INSTANCES}/read",
    "scaleSets.extensionRollingUpgrade": f"{SETS}/extensionRollingUpgrade/action",
    "scaleSets.setOrchestrationServiceState": f"{SETS}/setOrchestrationServiceState/action",
    "rollingUpgrades.latest": f"{SETS}/rollingUpgrades/read",
    "rollingUpgrades.cancel": f"{SETS}/rollingUpgrades/action",
    "instances.get": f"{INSTANCES}/read",
    "instances.put": f"{INSTANCES}/write",
    "instances.delete": f"{INSTANCES}/delete",
    "instances.instanceView": f"{INSTANCES}/instanceView/read",
    "instances.simulateEviction": f"{INSTANCES}/simulateEviction/action",
    "instances.act": INSTANCES + "/{action}/action",
    "operations.get": f"{PLACES}/operations/read",
    "vmSizes.list": f"{PLACES}/vmSizes/read",
    "images.publishers": f"{PLACES}/publishers/read",
    "images.offers": f"{ARTIFACTS}/offers/read",
    "images.skus": f"{ARTIFACTS}/offers/skus/read",
    "images.versions": f"{ARTIFACTS}/offers/skus/versions/read",
    "images.version": f"{ARTIFACTS}/offers/skus/versions/read",
    "galleries.versions": "Microsoft.Compute/galleries/images/versions/read",
    "galleries.version": "Microsoft.Compute/galleries/images/versions/read",
    "sharedGalleries.versions": f"{PLACES}/sharedGalleries/images/versions/read",
    "sharedGalleries.version": f"{PLACES}/sharedGalleries/images/versions/read",
    "communityGalleries.versions": f"{PLACES}/communityGalleries/images/versions/read",
    "communityGalleries.version": f"{PLACES}/communityGalleries/images/versions/read",
    "managedImages.get": "Microsoft.Compute/images/read",
    "subscriptions.get": f"{RESOURCES}/read",
    "locations.list": f"{RESOURCES}/locations/read",
    "resourceGroups.list": f"{RESOURCES}/resourceGroups/read",
    "resourceGroups.get": f"{RESOURCES}/resourceGroups/read",
    "providers.list": f"{RESOURCES}/providers/read",
    "providers.get": f"{RESOURCES}/providers/read",
    "providers.register": "{namespace}/register/action",
    "virtualMachines.list": f"{MACHINES}/read",
    "virtualMachines.get": f"{MACHINES}/read",
    "virtualMachines.instanceView": f"{MACHINES}/instanceView/read",
}
# Actions whose spelling is not that of the path.
SPELLING = {"poweroff": "powerOff", "reimageall": "reimageAll"}


@dataclass(frozen=True, slots=True)
class Permissions:
    """Patterns of actions, `*` for any part; what `not_actions` takes away is not granted."""

    actions: tuple[str, ...] = ("*",)
    not_actions: tuple[str, ...] = ()

    def grant(self, action: str) -> bool:
        return _fits(action, self.actions) and not _fits(action, self.not_actions)

    def require(self, route: str, names: Mapping[str, str], path: str, authorization: str) -> None:
        """Raise Azure's 403 when the action of this route is not granted."""
        action = action_of(route, names)
        if action is None or self.grant(action):
            return
        client = str(claims(authorization).get("appid", CLIENT))
        raise errors.unauthorized(client, principal(client), action, scope_of(path))


def action_of(route: str, names: Mapping[str, str]) -> str | None:
    """None where none is needed."""
    found = ACTIONS.get(route)
    return None if found is None else found.format_map({**names, "action": _spelt(names.get("action", ""))})


def scope_of(path: str) -> str:
    """What a request is about: the resource; for a list or an action, what it is a list or an action of.

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


def _spelt(word: str) -> str:
    return SPELLING.get(word.lower(), word.lower())


def _fits(action: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(action.lower(), pattern.lower()) for pattern in patterns)
