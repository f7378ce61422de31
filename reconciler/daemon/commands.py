"""The commands that an operator can give to a running daemon."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from reconciler.daemon.last_change import LastChanges, known_write
from reconciler.daemon.leadership import describe_standby
from reconciler.daemon.loop import Loop
from reconciler.daemon.pick_request import PickRequest
from reconciler.daemon.picking import PickOffer
from reconciler.daemon.reconciler import Reconciler
from reconciler.rollout.barred import first_bar_note
from reconciler.rollout.pause import Pause


class LoopCommands:
    """Applies commands to the reconciler immediately, and then wakes its loop.

    `loop` is None until the loop has started.
    """

    def __init__(self, reconciler: Reconciler, changes: LastChanges | None = None) -> None:
        self._reconciler = reconciler
        self._changes = changes
        self.loop: Loop | None = None

    @property
    def standby(self) -> str:
        """Why this replica takes no commands, and who leads instead, or "" if it leads.

        Only the leader acts, and only the leader remembers a pause.
        """
        leadership = self._reconciler.store.leadership
        return "" if leadership.term else f"{describe_standby(leadership)}; ask the leader"

    def pause(self, pause: Pause) -> None:
        """Pause the fleet. From now on, no write begins."""
        self._reconciler.tell_pause(pause)
        self._sweep_soon()

    def resume(self) -> str:
        """Lift the pause that was ordered through this daemon. The next sweep reads the tag again.

        Returns the reason if the Fleet bars the command, otherwise "".
        """
        states = self._reconciler.store.states()
        if barred := first_bar_note((each.desired.fleet for each in states), "resume"):
            return barred
        self._reconciler.tell_pause(None)
        self._sweep_soon()
        return ""

    def lift(self, shown: Collection[Pause]) -> Pause | None:
        """Lift the pause that was ordered through this daemon if it is one of `shown`.

        Returns the ordered pause that stays, or None.
        """
        stays = self._reconciler.lift_pause(shown)
        self._sweep_soon()
        return stays

    def reconcile(self, names: Sequence[str]) -> Sequence[str]:
        """Reconcile these scale sets now. Returns the names that are not declared.

        If any name is not declared, nothing is reconciled.
        """
        keys = {each.desired.name: each.key for each in self._reconciler.store.states()}
        unknown = [name for name in names if name not in keys]
        if self.loop and not unknown:
            for name in names:
                self.loop.wake(keys[name])
        return unknown

    def upgrade(self, request: PickRequest) -> PickOffer:
        """Upgrade these instances next. Raises PickRefused."""
        offer = self._reconciler.pick(request)
        if self.loop and not request.is_trial:
            self.loop.wake(offer.state.key)
        return offer

    def last_change(self, name: str) -> Mapping[str, Any] | None:
        """Who last changed the model of this scale set, or None if the scale set is not declared."""
        state = self._reconciler.store.states().by_name(name)
        if state is None or self._changes is None:
            return None
        return self._changes.of(state.desired.target, known_write(state))

    def _sweep_soon(self) -> None:
        if self.loop:
            self.loop.sweep_soon()
