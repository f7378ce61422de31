"""Why something is suspended or frozen, by whom and until when."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Suspension:
    """`reason` and `by` are "", and `until` is None, if the spec leaves them out.

    The suspension stays in force after `until`. It is then reported as expired.
    """

    reason: str = ""
    by: str = ""
    until: datetime | None = None
