"""A world that can be written down: it keeps what neither the outcomes nor the simulator's record hold."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

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
    """The world right before a look: every scale set by name, and how many requests Azure has had by then."""

    views: Mapping[str, View]
    requests: int


@dataclass(frozen=True, slots=True)
class Note:
    """What the story does to the world, after this many looks."""

    at: datetime
    looks: int
    text: str


class Witness(World):
    """Scale sets say Updating during an upgrade unless the fleet says otherwise, whatever the environment of the
    tests says, so that a transcript is always the same."""

    def __init__(self, declared: Mapping[str, Any], *documents: Mapping[str, Any]) -> None:
        self.notes: list[Note] = []
        self._scenes: dict[int, Scene] = {}
        super().__init__({"provisioningStateDuringUpgrade": "Updating"} | dict(declared), *documents)

    @property
    def scenes(self) -> list[Scene]:
        """One for each of `outcomes`."""
        return [self._scenes[number] for number in range(len(self.outcomes))]

    def note(self, text: str) -> None:
        """Say what the story does next."""
        self.notes.append(Note(self.clock.now(), len(self.outcomes), text))

    def commit(self, text: str, *documents: Mapping[str, Any]) -> None:
        """Merge these documents, and say so."""
        self.note(text)
        self.merge(*documents)

    def until(self, moment: datetime) -> None:
        """Let time pass until then. A daemon does so right before every look."""
        super().until(moment)
        views = {each["name"]: self._view(each["name"]) for each in self.declared["scaleSets"]}
        self._scenes[len(self.outcomes)] = Scene(views, len(self.azure.record.requests))

    def _view(self, name: str) -> View:
        live = self.azure.scale_set(name)
        away = self.azure.record.away(name, self.clock.now())
        return View(live.provisioning_state, live.image, tuple(sorted(away)))
