"""Snapshots of simulated fleets, made as `reconciler snapshot` makes them, and plans on both."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from reconciler.daemon.settings import Settings
from reconciler.daemon.specs import Specs
from reconciler.prediction import report
from reconciler.rehearsal.reading import FleetReader
from reconciler.rehearsal.simulated_azure import SimulatedAzure, simulate
from reconciler.rehearsal.snapshot import FleetCopy, snapshot
from reconciler.simulator.clock import MONDAY_MORNING
from reconciler.spec.declared import declare
from reconciler.spec.scale_set import ScaleSet, Target
from tests.prediction.plans import plan_on
from tests.stories.world import Merged


def snapshot_of(
    fleet: Mapping[str, Any], *documents: Mapping[str, Any], at: datetime = MONDAY_MORNING
) -> FleetCopy:
    """The snapshot of a fleet at its start. `documents` are the specs."""
    with simulate(fleet, at) as azure:
        return snapshot_now(azure, *documents)


def snapshot_now(azure: SimulatedAzure, *documents: Mapping[str, Any]) -> FleetCopy:
    """The snapshot of a fleet as it is now."""
    declared = {each.target.key: each.image for each in scale_sets(*documents)}
    return snapshot(FleetReader(azure.compute, azure.sleep, workers=1).read(targets(azure), declared))


def plan_now(azure: SimulatedAzure, *documents: Mapping[str, Any]) -> dict[str, Any]:
    """What `plan -o json` prints."""
    specs = Specs(merged(*documents), azure.clock.now)
    return report.plan(plan_on(azure.compute, azure.clock, specs, Settings()))


def targets(azure: SimulatedAzure) -> list[Target]:
    """The targets of all scale sets."""
    return [
        Target(each.subscription, each.group, each.name)
        for groups in azure.simulator.cloud.groups.values()
        for group in groups.values()
        for each in group.scale_sets.values()
    ]


def scale_sets(*documents: Mapping[str, Any]) -> tuple[ScaleSet, ...]:
    """What the documents declare."""
    return declare(merged(*documents).read().files).scale_sets


def merged(*documents: Mapping[str, Any]) -> Merged:
    """A source that has the documents."""
    source = Merged()
    source.number, source.documents = 1, {each["metadata"]["name"]: each for each in documents}
    return source
