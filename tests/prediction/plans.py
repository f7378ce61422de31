"""Plans of a world, made as `reconciler plan` makes them."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import yaml

from reconciler.azure.session import Session
from reconciler.checks.reach import MERGED
from reconciler.daemon.interfaces import AzureClient
from reconciler.daemon.settings import Settings
from reconciler.daemon.specs import Specs
from reconciler.prediction.declared import Base
from reconciler.prediction.plan import Plan
from reconciler.prediction.planning import plan_fleet
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
    azure: AzureClient, clock: VirtualClock, specs: Specs, settings: Settings, base: Base | None = None
) -> Plan:
    """The plan of these specs for a simulated fleet."""
    plan, _ = plan_fleet(
        specs,
        azure,
        base,
        settings=settings,
        check_reach=MERGED,
        sleep=lambda seconds: clock.advance(timedelta(seconds=seconds)),
    )
    return plan


def _base(documents: tuple[Mapping[str, Any], ...]) -> Base:
    declared = declare([File("specs/all.yaml", yaml.safe_dump_all(documents).encode())])
    return Base("0" * 40, {each.target.key: each for each in declared.scale_sets})
