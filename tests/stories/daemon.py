"""A daemon in a world, and its schedule: that of the loop, without threads.

It sweeps every minute, or as the world says. A reconcile that asks to be requeued runs again at that exact time.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

from reconciler.azure.session import Session
from reconciler.daemon.loop import APART
from reconciler.daemon.reconciler import Reconciler
from reconciler.daemon.settings import Settings
from tests.stories.watched import NotedSpecs
from tests.token import Token

if TYPE_CHECKING:
    from tests.stories.world import World


class Daemon:
    """One process: its memory, and when it is due next."""

    def __init__(self, world: World, start: datetime, settings: Settings | None = None) -> None:
        self._world = world
        wrong = world.now() - world.clock.now()  # setting a clock does not change the time since boot
        transport = world.azure.transport()
        session = Session(credential=Token(), transport=transport, now=lambda: world.clock.now() + wrong)
        self.reconciler = Reconciler(
            NotedSpecs(world.source, world.now, partial(world.note_specs, transport.client)),
            world.compute(session),
            settings or Settings(sweep=world.sweep),
            sleep=lambda seconds: world.clock.advance(timedelta(seconds=seconds)),
        )
        self._sweep_at = start
        self._requeued: dict[str, datetime] = {}

    @property
    def due(self) -> datetime:
        return min((self._sweep_at, *self._requeued.values()))

    @property
    def is_settled(self) -> bool:
        states = self.reconciler.store.states()
        return bool(states) and all(each.outcome and each.outcome.status.settled for each in states)

    def step(self) -> None:
        """Advance to the next sweep or requeued reconcile, and run it."""
        due = min(self._requeued, key=lambda key: self._requeued[key], default=None)
        if due is None or self._sweep_at <= self._requeued[due]:
            self._world.until(self._sweep_at)
            at, self._sweep_at = self._sweep_at, self._sweep_at + self._world.sweep
            for number, key in enumerate(self.reconciler.sweep()):
                self._world.until(at + number * APART)
                self._reconcile(key)
        else:
            self._world.until(self._requeued[due])
            self._reconcile(due)

    def _reconcile(self, key: str) -> None:
        self._requeued.pop(key, None)
        outcome = self.reconciler.reconcile(key)
        if outcome is None:
            return
        self._world.outcomes.append(outcome)
        if outcome.requeue_after is not None:
            self._requeued[key] = self._world.clock.now() + outcome.requeue_after
