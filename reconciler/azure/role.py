"""The Azure actions that the reconciler's role must grant, and why each is needed.

`deploy/role.json` is this list as a role definition.
"""

import re
from collections.abc import Mapping

from reconciler.spec.image import (
    CommunityGalleryImage,
    GalleryImage,
    Image,
    ManagedImage,
    PlatformImage,
    SharedGalleryImage,
    VhdImage,
)

_COMPUTE = "Microsoft.Compute"
_SETS = f"{_COMPUTE}/virtualMachineScaleSets"

# For every scale set.
ALWAYS = (
    f"{_SETS}/read",
    f"{_SETS}/write",
    f"{_SETS}/manualUpgrade/action",
    f"{_SETS}/rollingUpgrades/read",
    f"{_SETS}/virtualMachines/read",
    f"{_SETS}/virtualMachines/instanceView/read",
    f"{_COMPUTE}/locations/operations/read",
)
# For a Flexible scale set, whose instances are virtual machines.
FLEXIBLE = (
    f"{_COMPUTE}/virtualMachines/read",
    f"{_COMPUTE}/virtualMachines/instanceView/read",
)
# To check an image in advance. For galleries and managed images, Azure requires these actions for a PATCH
# too.
BY_IMAGE: Mapping[type[Image], tuple[str, ...]] = {
    PlatformImage: (f"{_COMPUTE}/locations/publishers/artifacttypes/offers/skus/versions/read",),
    CommunityGalleryImage: (
        f"{_COMPUTE}/locations/communityGalleries/images/read",
        f"{_COMPUTE}/locations/communityGalleries/images/versions/read",
    ),
    SharedGalleryImage: (
        f"{_COMPUTE}/locations/sharedGalleries/images/read",
        f"{_COMPUTE}/locations/sharedGalleries/images/versions/read",
    ),
    GalleryImage: (f"{_COMPUTE}/galleries/images/read", f"{_COMPUTE}/galleries/images/versions/read"),
    ManagedImage: (f"{_COMPUTE}/images/read",),
    VhdImage: (),
}
# On the resource group in `spec.pauseTag` of the Fleet.
PAUSE_TAG = "Microsoft.Resources/tags/read"
# On each scale set and on that resource group, if somebody may pause or resume on the page. It is not in the
# role, because otherwise the person who pauses needs it, and not the daemon.
PAGE_PAUSE = "Microsoft.Resources/tags/write"
# For `why`, which shows who changed the model last. Without it, only that line is missing.
ACTIVITY_LOG = "Microsoft.Insights/eventtypes/values/read"
ACTIONS = (
    *ALWAYS,
    *FLEXIBLE,
    *(action for actions in BY_IMAGE.values() for action in actions),
    PAUSE_TAG,
    ACTIVITY_LOG,
)


def required_actions(image: Image, *, flexible: bool) -> tuple[str, ...]:
    """The actions that a rollout of `image` needs, in the order of `ACTIONS`."""
    return (*ALWAYS, *(FLEXIBLE if flexible else ()), *BY_IMAGE[type(image)])


def home(image: Image) -> str:
    """The id of the resource on which to assign a role that grants access to the image.

    Returns "" unless the image is a gallery image or a managed image.
    >>> home(GalleryImage("/subscriptions/S/.../galleries/g/images/web/versions/1.4.0"))
    '/subscriptions/S/.../galleries/g/images/web'
    """
    if isinstance(image, GalleryImage | ManagedImage):
        return re.split("/versions/", image.id, maxsplit=1, flags=re.IGNORECASE)[0]
    return ""
