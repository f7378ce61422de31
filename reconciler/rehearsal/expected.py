"""Which instances a change will upgrade if all goes well, according to a plan made on a separate copy."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from reconciler.daemon.interfaces import DeclaredSpecs
from reconciler.daemon.settings import Settings
from reconciler.prediction.planning import plan_fleet
from reconciler.rehearsal.simulated_azure import simulate


def expected_upgrades(
    fleet: Mapping[str, Any], specs: DeclaredSpecs, at: datetime
) -> Mapping[str, tuple[str, ...]]:
    """The ids of the instances in all batches to come, by scale set key.

    Raises FleetError if `fleet` is invalid.
    """
    without_faults = {name: value for name, value in fleet.items() if name != "faults"}
    with simulate(without_faults, at) as copy:
        plan, _ = plan_fleet(specs, copy.compute, settings=Settings(), sleep=copy.sleep)
    return {
        key: tuple(sorted({id_ for batch in each.batches for id_ in batch.instance_ids}))
        for key, each in plan.forecast.forecasts.items()
    }
