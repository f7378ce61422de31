"""Plans of a world, made as `reconciler plan` makes them."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import yaml

from reconciler.azure.compute import Compute
from reconciler.azure.session import Session
from reconciler.daemon.reconciler import Reconciler
from reconciler.daemon.settings import Settings
from reconciler.daemon.specs import Specs
from reconciler.forecast.batch_duration import usual_duration
from reconciler.prediction.fleet_forecast import forecast_fleet
from reconciler.prediction.plan import Base, Plan
from reconciler.prediction.recording import Recording
from reconciler.simulator import VirtualClock
from reconciler.spec.declared import declare
from reconciler.spec.files import File
from tests.stories.world import World
from tests.token import Token


def plan_of(world: World, *base: Mapping[str, Any]) -> Plan:
    """The plan of what the world declares, compared with the documents of `base`, if there are any."""
    clock = world.clock
    session = Session(credential=Token(), transport=world.azure.transport(), now=clock.now)
    specs, settings = Specs(world.source, clock.now), Settings(sweep=world.sweep)
    return plan_on(world.compute(session), clock, specs, settings, _base(base) if base else None)


def plan_on(
    azure: Compute, clock: VirtualClock, specs: Specs, settings: Settings, base: Base | None = None
) -> Plan:
    """The plan of these specs for a simulated fleet."""
    recording = Recording(azure)
    reconciler = Reconciler(
        specs,
        recording,
        settings,
        forecasts=False,
        sleep=lambda seconds: clock.advance(timedelta(seconds=seconds)),
    )
    states = reconciler.once(act=False).states()
    snapshot = recording.snapshot(specs.scale_sets)
    durations = {
        each.key: usual_duration(each.published.measured, each.desired.health.timeout) for each in states
    }
    found = forecast_fleet(specs, snapshot, durations, settings)
    return Plan(states, snapshot, found, base)


def _base(documents: tuple[Mapping[str, Any], ...]) -> Base:
    declared = declare([File("specs/all.yaml", yaml.safe_dump_all(documents).encode())])
    return Base("0" * 40, {each.target.key: each for each in declared.scale_sets})
