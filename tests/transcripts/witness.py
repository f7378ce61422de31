"""A world that can be written down: it keeps what neither the outcomes nor the simulator's record hold."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from reconciler.daemon.settings import Settings
from reconciler.daemon.state import ScaleSetState
from tests.stories.daemon import Daemon
from tests.stories.world import World


@dataclass(frozen=True, slots=True)
class View:
    """A scale set in Azure at the moment of a look: its own state, the image of its model, and the ids of the
    instances that do not serve. This is the truth, whatever the daemon makes of it."""

    state: str
    image: str
    unavailable: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Scene:
    """The world right before a look: every scale set that is shown by name, and how many requests Azure has had by then."""

    views: Mapping[str, View]
    requests: int


@dataclass(frozen=True, slots=True)
class Note:
    """What the story does to the world, after this many looks; or what somebody asks, and is answered."""

    at: datetime
    looks: int
    text: str
    answer: tuple[str, ...] = ()


class Witness(World):
    """Scale sets say Updating during an upgrade unless the fleet says otherwise, whatever the environment of the
    tests says, so that a transcript is always the same.

    `shown` are the scale sets to write down where not all of them are. `names` are what to write for what differs
    from run to run, such as the port of a place on loopback.
    """

    def __init__(
        self,
        declared: Mapping[str, Any],
        *documents: Mapping[str, Any],
        shown: Iterable[str] = (),
        names: Mapping[str, str] | None = None,
    ) -> None:
        self.notes: list[Note] = []
        self.shown = frozenset(shown) or frozenset(each["name"] for each in declared["scaleSets"])
        self.names = dict(names or {})
        self._scenes: dict[int, Scene] = {}
        super().__init__({"provisioningStateDuringUpgrade": "Updating"} | dict(declared), *documents)

    @property
    def scenes(self) -> list[Scene]:
        """One for each of `outcomes`."""
        return [self._scenes[number] for number in range(len(self.outcomes))]

    def note(self, text: str, *answer: str) -> None:
        """Say what the story does next."""
        self.notes.append(Note(self.clock.now(), len(self.outcomes), text, answer))

    def commit(self, text: str, *documents: Mapping[str, Any]) -> None:
        """Merge these documents, and say so."""
        self.note(text)
        self.merge(*documents)

    def plan(self) -> None:
        """Ask what would be done, as `reconciler plan` does; one look after the other, so that it is always the same."""
        store = Daemon(self, self.clock.now(), Settings(workers=1)).reconciler.once(act=False)
        self.note("reconciler plan", *self._shown_lines(store.states()))

    def status(self) -> None:
        """Ask how it stands, as `reconciler status` does."""
        self.note("reconciler status", *self._shown_lines(self.reconciler.store.states()))

    def why(self, name: str) -> None:
        """Ask what a scale set waits for, as `reconciler why` does."""
        outcome = self.state(name).outcome
        gates = outcome.gates if outcome else ()
        self.note(f"reconciler why {name}", *(f"{each.name}: {each.evidence}" for each in gates))

    def until(self, moment: datetime) -> None:
        """Let time pass until then. A daemon does so right before every look."""
        super().until(moment)
        views = {name: self._view(name) for name in sorted(self.shown)}
        self._scenes[len(self.outcomes)] = Scene(views, len(self.azure.record.requests))

    def _shown_lines(self, states: Iterable[ScaleSetState]) -> Iterator[str]:
        outcomes = (each.outcome for each in states if each.desired.name in self.shown)
        return (f"{each.name}: {each.line}" for each in outcomes if each)

    def _view(self, name: str) -> View:
        live = self.azure.scale_set(name)
        away = self.azure.record.unavailable_at(name, self.clock.now())
        return View(live.provisioning_state, live.image, tuple(sorted(away, key=lambda id_: (len(id_), id_))))
