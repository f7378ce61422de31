"""The part of the cloud that a scale set uses: clock, images, operations, record, and Azure's behaviour.

A `Cloud` is a `Fabric` that also holds the scale sets. Because of this base class, `scale_set` does not have
to import the cloud.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from reconciler.simulator.catalogue import Catalogue
from reconciler.simulator.clock import Clock
from reconciler.simulator.operations import Operations
from reconciler.simulator.record import Record
from reconciler.simulator.timings import Timings

DuringUpgrade = Literal["Updating", "Succeeded"]


@dataclass(slots=True, eq=False)
class Fabric:
    """The services that scale sets share, and settings for Azure's behaviour.

    `provisioning_state_during_upgrade` is the state that a scale set reports during a manual upgrade.
    `flexible_row_properties` says whether rows in the instance list of a Flexible scale set have
    `properties`, at API versions that support them. Neither behaviour has been recorded.
    """

    clock: Clock
    timings: Timings = field(default_factory=Timings)
    fixed_image_fields: tuple[str, ...] = ("publisher",)
    provisioning_state_during_upgrade: DuringUpgrade = "Updating"
    flexible_row_properties: bool = False
    # The cloud creates these, because the record looks up the images of instances in the cloud.
    catalogue: Catalogue = field(init=False)
    record: Record = field(init=False)
    operations: Operations = field(init=False)
