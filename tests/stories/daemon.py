"""A daemon in a world, on the schedule of a `VirtualLoop`: it sweeps every minute, or as the world says."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

from reconciler.azure.session import Session
from reconciler.daemon.leadership import Leadership
from reconciler.daemon.reconciler import Reconciler
from reconciler.daemon.settings import Settings
from reconciler.daemon.virtual_loop import VirtualLoop
from reconciler.spec.shard import Shard
from tests.checks.endpoint import HERE
from tests.stories.watched import NotedSpecs
from tests.token import Token

if TYPE_CHECKING:
    from tests.stories.world import World


class Daemon:
    """One process: its memory, and when it is due next."""

    def __init__(
        self,
        world: World,
        start: datetime,
        settings: Settings | None = None,
        leadership: Leadership | None = None,
        shard: Shard | None = None,
    ) -> None:
        self._world = world
        wrong = world.now() - world.clock.now()  # setting a clock does not change the time since boot
        transport = world.azure.transport()
        session = Session(credential=Token(), transport=transport, now=lambda: world.clock.now() + wrong)
        self.client = transport.client
        if leadership:
            session.fence(leadership)
        self.reconciler = Reconciler(
            NotedSpecs(world.source, world.now, partial(world.note_specs, transport.client), shard),
            world.compute(session),
            settings or Settings(sweep=world.sweep),
            check_reach=HERE,
            leadership=leadership,
            sleep=lambda seconds: world.clock.advance(timedelta(seconds=seconds)),
        )
        self._loop = VirtualLoop(
            self.reconciler, world.sweep, start=start, now=world.clock.now, move_to=world.until
        )

    @property
    def due(self) -> datetime:
        return self._loop.due

    @property
    def is_settled(self) -> bool:
        states = self.reconciler.store.states()
        return bool(states) and all(each.outcome and each.outcome.status.settled for each in states)

    def step(self) -> None:
        """Advance to the next sweep or requeued reconcile, and run it."""
        self._loop.step(self._world.outcomes.append)
