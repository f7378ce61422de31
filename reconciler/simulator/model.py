"""The model of a scale set: its name and location, and the template for its instances.

`body` is what clients write and read, with the API's field names (sku, tags, zones, identity, properties). It
is replaced as a whole and never modified in place. `applied` is the model for new and upgraded instances. Its
revision increases with each change that affects instances. Azure reports an instance with an older revision
as not on the latest model. Changing the model back counts as a change too, because it is not known whether
Azure then reports untouched instances as on the latest model again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from reconciler.simulator.catalogue import NO_IMAGE, Image
from reconciler.simulator.domains import Placement, guid
from reconciler.simulator.errors import ArmError
from reconciler.simulator.fabric import Fabric
from reconciler.simulator.planned import HEALTH_EXTENSIONS
from reconciler.simulator.record import Event

HealthSource = Literal["extension", "probe", "none"]


@dataclass(frozen=True, slots=True)
class Applied:
    """One revision of the model, as instances run it. Instances on the same revision can share the object."""

    revision: int
    profile: Mapping[str, Any]
    image: Image
    health: HealthSource


@dataclass(slots=True, eq=False, kw_only=True)
class Model:
    """A scale set without its instances."""

    cloud: Fabric
    subscription: str
    group: str
    name: str
    location: str
    body: Mapping[str, Any]
    placement: Placement
    applied: Applied = field(init=False)

    def __post_init__(self) -> None:
        self.applied = self.model_of(self.body, revision=1)

    @property
    def id(self) -> str:
        return (
            f"/subscriptions/{self.subscription}/resourceGroups/{self.group}"
            f"/providers/Microsoft.Compute/virtualMachineScaleSets/{self.name}"
        )

    @property
    def unique_id(self) -> str:
        return guid("scaleSet", self.id)

    @property
    def profile(self) -> Mapping[str, Any]:
        """The template for instances. It is empty for a Flexible scale set without a profile."""
        return profile_in(self.body)

    @property
    def policy(self) -> Mapping[str, Any]:
        return self.body["properties"].get("upgradePolicy") or {}

    @property
    def mode(self) -> str:
        return str(self.policy.get("mode", "Manual"))

    @property
    def is_flexible(self) -> bool:
        return self.placement.flexible

    @property
    def overprovisions(self) -> bool:
        return bool(self.body["properties"].get("overprovision")) and not self.is_flexible

    def model_of(self, body: Mapping[str, Any], *, revision: int, image: Image | None = None) -> Applied:
        """Return the model that `body` describes.

        `image` is the resolved image, if it is already known. Raises ArmError if the image does not exist.
        """
        profile = profile_in(body)
        if not profile:
            return Applied(revision, profile, NO_IMAGE, "none")
        found = image or self.cloud.catalogue.find(storage_in(body), self.location)
        return Applied(revision, profile, found, health_source(profile))

    def renew(self) -> bool:
        """Resolve `latest` in the model again, and return whether the image has changed.

        All instances stay on the latest model, because publishing a version changes no flag in Azure.
        """
        image = self.newest(self.applied)
        if image == self.applied.image:
            return False
        self.applied = replace(self.applied, image=image)
        return True

    def outdate(self, cause: str) -> None:
        """Start a new revision, so that no instance is on the latest model."""
        self.applied = replace(self.applied, revision=self.applied.revision + 1)
        self.cloud.record.add(
            Event(
                self.cloud.clock.now(), "model", self.name, None, None, cause, self.group, self.subscription
            )
        )

    def reimage_target(self, applied: Applied, exact_version: str | None = None) -> Applied:
        """Return the model that an instance has after a reimage.

        `applied` is the model of the instance before the reimage. Without `exact_version`, `latest` is
        resolved again. Users have reported this behaviour, although the SDK's documentation says that the
        version stays the same.
        """
        if exact_version is None:
            return replace(applied, image=self.newest(applied))
        return replace(
            applied, image=self.cloud.catalogue.with_version(applied.image, exact_version, self.location)
        )

    def newest(self, applied: Applied) -> Image:
        """Return the image with `latest` resolved again, or the same image if `latest` cannot be resolved."""
        if not applied.image.follows_latest:
            return applied.image
        try:
            return self.cloud.catalogue.find(applied.profile.get("storageProfile") or {}, self.location)
        except ArmError:
            return applied.image


def health_source(profile: Mapping[str, Any]) -> HealthSource:
    """Return the health source of instances with this `virtualMachineProfile`."""
    extensions = (profile.get("extensionProfile") or {}).get("extensions") or []
    types = {str((extension.get("properties") or {}).get("type", "")).lower() for extension in extensions}
    if types.intersection(HEALTH_EXTENSIONS):
        return "extension"
    return "probe" if (profile.get("networkProfile") or {}).get("healthProbe") else "none"


def storage_in(body: Mapping[str, Any]) -> Mapping[str, Any]:
    return profile_in(body).get("storageProfile") or {}


def profile_in(body: Mapping[str, Any]) -> Mapping[str, Any]:
    return body["properties"].get("virtualMachineProfile") or {}
