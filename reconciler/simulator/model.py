"""The model of a scale set: what it is called and where, and what its instances are made from.

`body` is what clients write and read back, in the wire's own words (sku, tags, zones, identity,
properties), replaced whole and never changed in place. `applied` is the model that new and upgraded
instances get; its revision counts every change of what an instance would become, so an instance with an
older revision is one that Azure reports as not on the latest model. Changing the model back counts as a
change too: whether Azure then calls untouched instances current again is not known.
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
    """The model as one or more instances run it; shared by all that got it at once."""

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
        """What instances are made from; empty for a Flexible set that was created without one."""
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
        """The model that `body` describes, on `image` where that is known already.

        Raises ArmError when there is no such image.
        """
        profile = profile_in(body)
        if not profile:
            return Applied(revision, profile, NO_IMAGE, "none")
        found = image or self.cloud.catalogue.find(storage_in(body), self.location)
        return Applied(revision, profile, found, health_source(profile))

    def renew(self) -> bool:
        """Let `latest` in the model be what is newest now; returns whether that is another image.

        Nobody is behind because of it: Azure flips no flag when a version is published.
        """
        image = self.newest(self.applied)
        if image == self.applied.image:
            return False
        self.applied = replace(self.applied, image=image)
        return True

    def outdate(self, cause: str) -> None:
        """From now on every instance is behind the model."""
        self.applied = replace(self.applied, revision=self.applied.revision + 1)
        self.cloud.record.add(
            Event(
                self.cloud.clock.now(), "model", self.name, None, None, cause, self.group, self.subscription
            )
        )

    def reimage_target(self, applied: Applied, exact_version: str | None = None) -> Applied:
        """What a reimage makes of an instance on `applied`: the same, with `latest` the newest there is now.

        Field reports say so; the SDK's documentation says the version stays, unless `exact_version` names
        another.
        """
        if exact_version is None:
            return replace(applied, image=self.newest(applied))
        return replace(
            applied, image=self.cloud.catalogue.with_version(applied.image, exact_version, self.location)
        )

    def newest(self, applied: Applied) -> Image:
        """Its image, with `latest` as of now; what it was before where there is none any more."""
        if not applied.image.follows_latest:
            return applied.image
        try:
            return self.cloud.catalogue.find(applied.profile.get("storageProfile") or {}, self.location)
        except ArmError:
            return applied.image


def health_source(profile: Mapping[str, Any]) -> HealthSource:
    """Where the health of instances on this `virtualMachineProfile` comes from."""
    extensions = (profile.get("extensionProfile") or {}).get("extensions") or []
    types = {str((extension.get("properties") or {}).get("type", "")).lower() for extension in extensions}
    if types.intersection(HEALTH_EXTENSIONS):
        return "extension"
    return "probe" if (profile.get("networkProfile") or {}).get("healthProbe") else "none"


def storage_in(body: Mapping[str, Any]) -> Mapping[str, Any]:
    return profile_in(body).get("storageProfile") or {}


def profile_in(body: Mapping[str, Any]) -> Mapping[str, Any]:
    return body["properties"].get("virtualMachineProfile") or {}
