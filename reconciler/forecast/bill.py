"""What the ticks of a rollout cost in requests, counted as the daemon makes them.

Not counted are the lists of the sweeps, which serve the whole fleet, what the gates outside of Azure cost,
and what is asked once more because Azure failed to answer.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from reconciler.rollout.decision import Look
from reconciler.rollout.observed import FRESH, Availability, Model, Verdict
from reconciler.spec.image import Image, ManagedImage, PlatformImage, follows_latest

_PAGE = 50  # rows of a list on one page, where Azure was seen to send a second one
_KEPT = timedelta(minutes=1)  # for which an answer of the image catalogue is good


@dataclass(slots=True)
class Bill:
    """Adds up nothing: it says what each look costs, given those before.

    Sweeps come every `sweep` from `begun` on; the row of one stands for one look at the model soon after.
    `instances` and `image` are what a look at these costs, `change` what a look at the image costs beside
    that where the model is on another one: both are asked what they are made for.
    """

    begun: datetime
    sweep: timedelta
    instances: int
    image: int
    change: int
    _row_used: datetime | None = None
    _catalogue_at: datetime | None = None

    def swept(self, at: datetime) -> datetime:
        """When the last sweep was, at `at`."""
        return self.begun + (at - self.begun) // self.sweep * self.sweep

    def row(self, at: datetime) -> datetime | None:
        """When Azure listed the row that stands for a look at the model, None where it must be asked."""
        listed_at = self.swept(at)
        return listed_at if listed_at != self._row_used and at - listed_at <= FRESH else None

    def cost(self, looks: Iterable[Look], at: datetime, *, is_change: bool) -> int:
        """Of the looks of one tick. `is_change`: the model is on another image than the desired one."""
        return sum(self._cost(look, at, is_change=is_change) for look in looks)

    def _cost(self, look: Look, at: datetime, *, is_change: bool) -> int:
        match look:
            case Look.MODEL:
                listed_at = self.row(at)
                self._row_used = listed_at or self._row_used
                return 0 if listed_at else 1
            case Look.INSTANCES:
                return self.instances
            case Look.IMAGE:
                if self._catalogue_at and at - self._catalogue_at < _KEPT:
                    return 0
                self._catalogue_at = at
                return self.image + (self.change if is_change else 0)
            case Look.ROLLING_UPGRADE | Look.OPERATION:
                return 1
            case Look.GATES:
                return 0


def price_of_instances(model: Model, instances: int) -> int:
    """Page by page; how those of a Flexible scale set are, only the list of their machines says."""
    return max(1, math.ceil(instances / _PAGE)) * (2 if model.is_flexible else 1)


def price_of_change(image: Image, availability: Availability | None) -> int:
    """The version that the model leaves and, of a gallery image, the definition."""
    if not price_of_image(image, availability):
        return 0
    return 1 if isinstance(image, PlatformImage | ManagedImage) else 2


def price_of_image(image: Image, availability: Availability | None) -> int:
    """Of latest the versions are listed, and the newest is looked at; some images have no catalogue."""
    if availability and availability.verdict is Verdict.UNCHECKED and not availability.evidence:
        return 0
    return 2 if follows_latest(image) else 1
