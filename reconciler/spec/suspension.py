"""Why the fleet or a scale set is on hold, by whom and until when."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Suspension:
    """A suspension. `reason` and `by` are "" and `until` is None if the spec omits them.

    After `until`, the suspension stays active and is reported as expired.
    """

    reason: str = ""
    by: str = ""
    until: datetime | None = None
