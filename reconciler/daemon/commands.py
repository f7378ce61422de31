"""What an operator may ask of a running daemon."""

from collections.abc import Sequence

from reconciler.daemon.leadership import describe_standby
from reconciler.daemon.loop import Loop
from reconciler.daemon.pick_request import PickRequest
from reconciler.daemon.picking import PickOffer
from reconciler.daemon.reconciler import Reconciler
from reconciler.rollout.barred import bar_note
from reconciler.rollout.pause import Pause


class LoopCommands:
    """Acts on the reconciler at once, and has its loop follow. `loop` is None before it has started."""

    def __init__(self, reconciler: Reconciler) -> None:
        self._reconciler = reconciler
        self.loop: Loop | None = None

    @property
    def standby(self) -> str:
        """Who leads, if this replica stands by: only the leader acts, and remembers what it was told."""
        leadership = self._reconciler.store.leadership
        return "" if leadership.term else f"{describe_standby(leadership)}; ask the leader"

    def pause(self, pause: Pause) -> None:
        """Pause the fleet: no write begins from now on."""
        self._reconciler.tell_pause(pause)
        self._sweep_soon()

    def resume(self) -> str:
        """Lift the pause that the daemon was told, and read the tag again. Returns why not, or ""."""
        states = self._reconciler.store.states()
        if barred := next((bar_note(each.desired.fleet, "resume") for each in states), ""):
            return barred
        self._reconciler.tell_pause(None)
        self._sweep_soon()
        return ""

    def reconcile(self, names: Sequence[str]) -> Sequence[str]:
        """Reconcile these scale sets now, or none if a name is not declared. Returns the undeclared names."""
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

    def _sweep_soon(self) -> None:
        if self.loop:
            self.loop.sweep_soon()
