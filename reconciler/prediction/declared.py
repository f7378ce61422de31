"""The specs for a prediction: first those of the base, if there is a base, and then the active ones."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from reconciler.daemon.in_force import InForce, RefusedCommit, take_whole
from reconciler.daemon.interfaces import DeclaredSpecs
from reconciler.spec.author import Author
from reconciler.spec.image import Image
from reconciler.spec.scale_set import ScaleSet

# An author whose name nobody has, so that the approval of another person counts.
_AUTHOR = Author("the author of the change", "")


@dataclass(frozen=True, slots=True)
class Base:
    """The specs before a change: those of an earlier commit, by scale set key."""

    commit: str
    scale_sets: Mapping[str, ScaleSet]


class UnchangingSpecs:
    """The specs that were active in another source when this object was made, with the history of that
    source.

    If there is a base, the first refresh activates the specs of the base. Rollouts that are still pending
    from earlier commits then do not count as part of the change (`spec.maxChange`), as in a daemon that has
    seen both commits.
    """

    def __init__(self, specs: DeclaredSpecs, base: Base | None = None) -> None:
        self._specs = specs
        self._base = base
        self.warnings: tuple[str, ...] = specs.warnings
        self.errors: tuple[str, ...] = specs.errors
        self.refused: RefusedCommit | None = specs.refused
        self.in_force_since: datetime | None = specs.in_force_since
        self.read_age = specs.read_age
        self.unread_for: timedelta | None = None
        self.author = specs.author
        self.shard, self.total, self.elsewhere = specs.shard, specs.total, specs.elsewhere
        self._change = specs.in_force
        self._put_in_force(self._change)

    def refresh(self) -> None:
        if self._base and self.in_force_since:
            origin = self._base.commit, self.in_force_since
            self._put_in_force(take_whole(tuple(self._base.scale_sets.values()), origin, ()))
            self.commit, self.subject, self.is_partial = self._base.commit, "the base", False
            self._base = None
        else:
            self._put_in_force(self._change)

    def _put_in_force(self, in_force: tuple[InForce, ...]) -> None:
        self.in_force = in_force
        self.scale_sets = tuple(each.desired for each in in_force)
        self.commit, self.subject = self._specs.commit, self._specs.subject
        self.is_partial = self._specs.is_partial

    def authors(self, _desired: ScaleSet, _commit: str) -> tuple[Author, ...]:
        return (_AUTHOR,)

    def was_declared(self, desired: ScaleSet, image: Image, commit: str) -> bool:
        return self._specs.was_declared(desired, image, commit)


class ReadSpecs(UnchangingSpecs):
    """Like UnchangingSpecs, but with the authors that the source knows."""

    def authors(self, desired: ScaleSet, commit: str) -> tuple[Author, ...]:
        return self._specs.authors(desired, commit)
