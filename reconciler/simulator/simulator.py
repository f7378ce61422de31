"""The simulator as its users see it: the core, a fleet in its cloud, and the entry points.

    sim = Simulator.load(read_fleet("fleet.yaml"), VirtualClock())
    client = ComputeManagementClient(credential, subscription, transport=sim.transport())

An entry point is imported when it is first used, because `transport` needs azure-core and `server` needs
cryptography.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from reconciler.simulator import fleet
from reconciler.simulator.catalogue import Architecture, Boots, Deprecation, SecurityType
from reconciler.simulator.clock import Clock
from reconciler.simulator.cloud import Cloud
from reconciler.simulator.core import Core
from reconciler.simulator.faults import Faults
from reconciler.simulator.generations import Generation
from reconciler.simulator.live import LiveResourceGroup, LiveScaleSet
from reconciler.simulator.record import Record

if TYPE_CHECKING:
    from reconciler.simulator.server import Server
    from reconciler.simulator.transport import InProcessTransport


class Simulator(Core):
    """Azure Resource Manager for scale sets, in this process."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(Cloud(clock), Faults())
        self._clients = itertools.count(1)

    @classmethod
    def load(cls, description: Mapping[str, Any], clock: Clock) -> Self:
        """Create a simulator with this fleet.

        Raises FleetError if the fleet is invalid. The message has the location, cause and fix of each error.
        """
        simulator = cls(clock)
        fleet.build(description, simulator.cloud, simulator.faults)
        return simulator

    @property
    def record(self) -> Record:
        return self.cloud.record

    def scale_set(self, name: str) -> LiveScaleSet:
        """Return the live scale set for "name", "group/name" or "subscription/group/name".

        Raises KeyError if none or several match.
        """
        with self.clock.hold():
            return LiveScaleSet(self.cloud.find_scale_set(name))

    def resource_group(self, subscription: str, name: str) -> LiveResourceGroup:
        """Return the live resource group. Raises ArmError if the group does not exist."""
        with self.clock.hold():
            return LiveResourceGroup(self.cloud.group(subscription, name), self.clock)

    def publish(
        self,
        image: str,
        *,
        boots: Boots | None = None,
        regions: Iterable[str] | None = None,
        deprecation: Deprecation | None = None,
        exclude_from_latest: bool | None = None,
        replicating: Iterable[str] | None = None,
        generation: Generation | None = None,
        architecture: Architecture | None = None,
        disk_size_gb: int | None = None,
        security_type: SecurityType | None = None,
        plan: Mapping[str, str] | None = None,
    ) -> None:
        """Add an image to the catalogue, or update the properties of an existing image.

        `image` is `publisher:offer:sku:version`, an id, or the address of a VHD. An argument that is None
        keeps the existing value. `regions` are the regions that have the image. `replicating` are the regions
        to which the image is still being replicated.
        """
        with self.clock.hold():
            self.cloud.catalogue.publish(
                image,
                boots=boots,
                regions=regions,
                deprecation=deprecation,
                exclude_from_latest=exclude_from_latest,
                replicating=replicating,
                generation=generation,
                architecture=architecture,
                disk_size_gb=disk_size_gb,
                security_type=security_type,
                plan=plan,
            )

    def withdraw(self, image: str) -> None:
        """Delete a published image. Instances that run it keep running."""
        with self.clock.hold():
            self.cloud.catalogue.withdraw(image)

    def transport(self) -> InProcessTransport:
        """Return a transport for the synchronous `ComputeManagementClient` of the Azure SDK."""
        from reconciler.simulator.transport import InProcessTransport  # noqa: PLC0415

        return InProcessTransport(self, next(self._clients))

    def serve(self, port: int = 0, certificates: Path | None = None) -> Server:
        """Serve other clients over HTTPS on 127.0.0.1.

        `certificates` is the directory for the certificates, by default a temporary directory.
        """
        from reconciler.simulator.server import Server  # noqa: PLC0415

        return Server(self, port, certificates)
