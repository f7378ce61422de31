"""Scale sets whose spec was removed in the middle of a rollout. Nobody completes that rollout."""

from dataclasses import dataclass
from datetime import datetime

from reconciler.daemon.state import ScaleSetState
from reconciler.spec.image import short


@dataclass(frozen=True, slots=True)
class Orphan:
    """A scale set that no spec declares any more, and that was left in the middle of a rollout.

    `image` is the short name of the image of that rollout. The counts are the last ones, None if there are
    none. It is kept in memory only, until a spec declares the scale set again or the process ends.
    """

    name: str
    target: str
    image: str
    up_to_date: int | None
    total: int | None
    at: datetime | None

    @classmethod
    def of(cls, state: ScaleSetState, at: datetime | None) -> "Orphan | None":
        """The orphan that a state leaves if its spec is removed, None if no rollout was in progress."""
        counts = state.seen.counts
        is_half_way = counts is not None and 0 < counts.up_to_date < counts.total
        if not state.progress.has_slot and not is_half_way:
            return None
        return cls(
            state.desired.name,
            state.desired.target.id,
            short(state.exact),
            counts.up_to_date if counts else None,
            counts.total if counts else None,
            at,
        )

    @property
    def message(self) -> str:
        """What was left, and what to do about it."""
        counts = f" with {self.up_to_date} of {self.total} instances up to date" if self.total else ""
        return (
            f"its spec was removed in the middle of the rollout of {self.image}{counts}; nothing "
            "continues it: declare it again, or complete it by hand"
        )
