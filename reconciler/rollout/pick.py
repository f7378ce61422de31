"""A pick: the instances that a person wants upgraded next.

A pick changes the order of a rollout and nothing else. It names no image, passes no gate, and allows no
larger batch.
"""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Pick:
    """Which instances were picked, by id, by whom and when. `place` is what they were called, or ""."""

    instances: frozenset[str]
    by: str
    at: datetime
    place: str = ""
