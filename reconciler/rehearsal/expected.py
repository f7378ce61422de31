"""Which instances a change will upgrade if all goes well, by a plan on a copy of its own."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from reconciler.daemon.interfaces import DeclaredSpecs
from reconciler.daemon.reconciler import Reconciler
from reconciler.daemon.settings import Settings
from reconciler.forecast.batch_duration import ASSUMED
from reconciler.prediction.fleet_forecast import forecast_fleet
from reconciler.prediction.recording import Recording
from reconciler.rehearsal.simulated_azure import simulate


def expected_upgrades(
    fleet: Mapping[str, Any], specs: DeclaredSpecs, at: datetime
) -> Mapping[str, tuple[str, ...]]:
    """The ids of the instances in all batches to come, by key of the scale set. Raises FleetError."""
    settings = Settings()
    without_faults = {name: value for name, value in fleet.items() if name != "faults"}
    with simulate(without_faults, at) as copy:
        recording = Recording(copy.compute)
        Reconciler(
            specs,
            recording,
            settings,
            check_reach=None,
            finds_orphans=False,
            forecasts=False,
            sleep=copy.sleep,
        ).once(act=False)
        snapshot = recording.snapshot(specs.scale_sets)
    durations = {each.target.key: ASSUMED for each in specs.scale_sets}
    found = forecast_fleet(specs, snapshot, durations, settings)
    return {
        key: tuple(sorted({id_ for batch in each.batches for id_ in batch.instance_ids}))
        for key, each in found.forecasts.items()
    }
