"""A world with a transcript. It keeps what is in neither the outcomes nor the record of the simulator."""

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
    """A scale set in Azure at the moment of an observation: its own state, the image of its model, and the ids of the
    instances that do not serve. This is the actual state, even if the daemon reads something else."""

    state: str
    image: str
    unavailable: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Scene:
    """The world right before an observation: every scale set that is shown, and the number of requests so far."""

    views: Mapping[str, View]
    requests: int


@dataclass(frozen=True, slots=True)
class Note:
    """An event of the story after this many observations, or a command and its answer."""

    at: datetime
    observations: int
    text: str
    answer: tuple[str, ...] = ()


class Witness(World):
    """Scale sets report Updating during an upgrade unless the fleet says otherwise. The environment of the tests does
    not change that, so a transcript is always the same.

    `shown` are the scale sets in the transcript, by default all. `names` replaces text that differs from run to run,
    such as the port of a server on loopback.
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
        """Note an event of the story."""
        self.notes.append(Note(self.clock.now(), len(self.outcomes), text, answer))

    def commit(self, text: str, *documents: Mapping[str, Any]) -> None:
        """Merge these documents, and note it."""
        self.note(text)
        self.merge(*documents)

    def plan(self) -> None:
        """Note a plan, as `reconciler plan` prints it. One worker makes it the same each time."""
        store = Daemon(self, self.clock.now(), Settings(workers=1)).reconciler.once(act=False)
        self.note("reconciler plan", *self._shown_lines(store.states()))

    def status(self) -> None:
        """Note the statuses, as `reconciler status` prints them."""
        self.note("reconciler status", *self._shown_lines(self.reconciler.store.states()))

    def why(self, name: str) -> None:
        """Note what a scale set waits for, as `reconciler why` prints it."""
        outcome = self.state(name).outcome
        gates = outcome.gates if outcome else ()
        self.note(f"reconciler why {name}", *(f"{each.name}: {each.evidence}" for each in gates))

    def until(self, moment: datetime) -> None:
        """Let time pass until then. A daemon does so right before every observation."""
        super().until(moment)
        views = {name: self._view(name) for name in sorted(self.shown)}
        self._scenes[len(self.outcomes)] = Scene(views, len(self.azure.record.requests))

    def _shown_lines(self, states: Iterable[ScaleSetState]) -> Iterator[str]:
        outcomes = (each.outcome for each in states if each.desired.name in self.shown)
        return (f"{each.name}: {each.line}" for each in outcomes if each)

    def _view(self, name: str) -> View:
        live = self.azure.scale_set(name)
        unavailable = self.azure.record.unavailable_at(name, self.clock.now())
        return View(
            live.provisioning_state, live.image, tuple(sorted(unavailable, key=lambda id_: (len(id_), id_)))
        )
