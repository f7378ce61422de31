"""The specs of a prediction: those in force, which do not change while it runs."""

from datetime import datetime, timedelta

from reconciler.daemon.in_force import InForce, RefusedCommit
from reconciler.daemon.interfaces import DeclaredSpecs
from reconciler.spec.author import Author
from reconciler.spec.image import Image
from reconciler.spec.scale_set import ScaleSet

# An author whose name nobody has, so that the approval of another person counts.
_AUTHOR = Author("the author of the change", "")


class UnchangingSpecs:
    """The specs that another source had in force when this was made. It knows the history of that source."""

    def __init__(self, specs: DeclaredSpecs) -> None:
        self._specs = specs
        self.in_force: tuple[InForce, ...] = specs.in_force
        self.scale_sets: tuple[ScaleSet, ...] = specs.scale_sets
        self.in_force_since: datetime | None = specs.in_force_since
        self.commit, self.subject = specs.commit, specs.subject
        self.is_partial, self.read_at = specs.is_partial, specs.read_at
        self.refused: RefusedCommit | None = None
        self.warnings: tuple[str, ...] = ()
        self.errors: tuple[str, ...] = ()

    def refresh(self) -> None:
        pass

    def stale_since(self, _max_age: timedelta) -> None:
        return None

    def authors(self, _desired: ScaleSet, _commit: str) -> tuple[Author, ...]:
        return (_AUTHOR,)

    def was_declared(self, desired: ScaleSet, image: Image, commit: str) -> bool:
        return self._specs.was_declared(desired, image, commit)
