"""What a scale set knows of the cloud that it is in: clock, images, operations, record, and Azure's habits.

A `Cloud` is a `Fabric` that holds the scale sets too. So scale sets stand below the cloud that holds them.
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
    """`provisioning_state_during_upgrade` is what a scale set reports while a manual upgrade runs.

    `flexible_row_properties` says whether the instance list of a Flexible set carries `properties`, at
    api-versions that can. No recording settles either.
    """

    clock: Clock
    timings: Timings = field(default_factory=Timings)
    fixed_image_fields: tuple[str, ...] = ("publisher",)
    provisioning_state_during_upgrade: DuringUpgrade = "Updating"
    flexible_row_properties: bool = False
    # The cloud makes these: the record asks it for the images that run.
    catalogue: Catalogue = field(init=False)
    record: Record = field(init=False)
    operations: Operations = field(init=False)
