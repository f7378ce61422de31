"""Makes a plan: reads the fleet as the daemon does, changes nothing, and predicts what follows."""

import time
from collections.abc import Callable

from reconciler.checks.reach import Reach
from reconciler.daemon.interfaces import AzureClient, DeclaredSpecs
from reconciler.daemon.reconciler import Reconciler
from reconciler.daemon.settings import Settings
from reconciler.daemon.store import Store
from reconciler.forecast.batch_duration import usual_duration
from reconciler.prediction.declared import Base, ReadSpecs
from reconciler.prediction.fleet_forecast import forecast_fleet
from reconciler.prediction.plan import Plan
from reconciler.prediction.recording import Recording


def plan_fleet(
    specs: DeclaredSpecs,
    azure: AzureClient,
    base: Base | None = None,
    *,
    settings: Settings,
    list_by_resource_group: bool = False,
    check_reach: Reach | None = None,
    sleep: Callable[[float], None] = time.sleep,
) -> tuple[Plan, Store]:
    """Plan the change that the specs declare. Also returns the store after the initial observation.

    The options are those of a `Reconciler`.
    """
    specs.refresh()
    recording, read = Recording(azure), ReadSpecs(specs, base)
    reconciler = Reconciler(
        read,
        recording,
        settings,
        list_by_resource_group=list_by_resource_group,
        check_reach=check_reach,
        finds_orphans=False,
        sleep=sleep,
        forecasts=False,
    )
    if base:
        reconciler.sweep()
    store = reconciler.once(act=False)
    states = store.states()
    snapshot = recording.snapshot(specs.scale_sets, readers=settings.workers)
    durations = {each.key: usual_duration((), each.desired.health.timeout) for each in states}
    found = forecast_fleet(specs, snapshot, durations, settings, base)
    # Specs with errors are not in force, which is no removal.
    is_read = bool(states or not specs.errors)
    return Plan(states, snapshot, found, base if is_read else None), store
