"""Why the fleet or a scale set is on hold, by whom and until when."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Suspension:
    """A suspension. If the spec omits them, `reason` and `by` are "", and `until` is None.

    After `until`, the suspension stays in force and is reported as expired.
    """

    reason: str = ""
    by: str = ""
    until: datetime | None = None
