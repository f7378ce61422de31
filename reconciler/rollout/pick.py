"""A pick: the instances that a person wants upgraded next.

A pick changes the order of a rollout and nothing else. It names no image, passes no gate, and allows no
larger batch.
"""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Pick:
    """The ids of the picked instances, who picked them, and when. `place` is the picked place, or ""."""

    instances: frozenset[str]
    by: str
    at: datetime
    place: str = ""
