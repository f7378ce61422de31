"""Observes declared scale sets as a daemon does before each step, but takes no step."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from reconciler.azure.compute import Compute, Scope
from reconciler.azure.session import Session
from reconciler.cli.access import FleetAccess
from reconciler.daemon.specs import Immediate, Lines, Reading, Specs
from reconciler.daemon.state import ScaleSetState
from reconciler.rollout.observed import Model
from reconciler.spec.author import Author
from reconciler.spec.declaration import fleet_text, scale_set_text
from reconciler.spec.files import File
from reconciler.spec.scale_set import ScaleSet


@dataclass(frozen=True, slots=True)
class FleetObservation:
    """The state of each scale set after the observation, and an error for each list that failed.

    `lists` has everything that was listed in the scopes of these scale sets. `spec_errors` are errors in the
    specs that the observation itself writes and reads. Only a bug can cause one.
    """

    states: tuple[ScaleSetState, ...]
    errors: tuple[str, ...]
    lists: Mapping[Scope, tuple[Model, ...]]
    spec_errors: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Declared(Immediate):
    """A source of scale sets that are not in any directory."""

    scale_sets: Sequence[ScaleSet]
    specs: Specs | None

    def read(self) -> Reading:
        named = {each.fleet.name for each in self.scale_sets if each.fleet.name}
        files = (
            *(File("", fleet_text(name).encode()) for name in named),
            *(File(f"{each.name}.yaml", scale_set_text(each).encode()) for each in self.scale_sets),
        )
        return Reading("", "", files, (), self._authors)

    def last(self) -> None:
        return None

    def _authors(self, _commit: str, lines: Lines) -> tuple[Author, ...]:
        """The authors of the scale set that these lines declare."""
        files = {path for path, _ in lines}
        of = next((each for each in self.scale_sets if f"{each.name}.yaml" in files), None)
        return self.specs.authors(of, self.specs.commit) if self.specs and of else ()


class _ListKeeper(Compute):
    """A client that keeps everything it lists. The store of a daemon keeps only the declared scale sets."""

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self.lists: dict[Scope, tuple[Model, ...]] = {}

    def models(self, scope: Scope) -> Iterator[Model]:
        self.lists[scope] = tuple(super().models(scope))
        yield from self.lists[scope]


def observe_fleet(
    scale_sets: Sequence[ScaleSet], session: Session, *, by_group: bool, specs: Specs | None = None
) -> FleetObservation:
    """Observe these scale sets.

    Their names and targets must be unique, as `validate` requires. `specs` declares the scale sets, or is
    None if no spec does.
    """
    source, azure = _Declared(scale_sets, specs), _ListKeeper(session)
    declared = Specs(source, shard=specs.shard if specs else None)
    store = FleetAccess(declared, session, by_group).reconciler(azure=azure).once(act=False)
    errors = store.last_sweep.errors if store.last_sweep else ()
    return FleetObservation(tuple(store.states()), errors, azure.lists, declared.errors)
